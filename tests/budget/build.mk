# Instruction budgets: a session of its own.

BUDGET_ELF := $(BUILD)/tests/budget/budget.elf
BUDGET_OBJS := $(call uobj,tests/budget/budget.c tests/budget/paths.S tests/guest/report.c)
GUEST_TESTS += $(BUDGET_ELF)

$(BUDGET_ELF): $(BUDGET_OBJS) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
