"""Instruction budgets of the kernel's primitives, under -icount."""

suite("budget", ["tests/budget/check", "--module", f"{BUILD}/tests/budget/budget.elf",
                 "--iso", f"{BUILD}/virtue.iso"])
