#!/usr/bin/env python3
"""Makes the kernel's symbol table for backtraces, from `nm -n` of a first link on standard
input: the text symbols' offsets from image_start, ascending, and their names.  With no input
an empty table, for that first link."""
import sys

symbols = [line.split() for line in sys.stdin if len(line.split()) == 3]
base = next((int(value, 16) for value, _, name in symbols if name == "image_start"), 0)
text = [(int(value, 16) - base, name) for value, kind, name in symbols
        if kind in "tT" and not name.startswith("stub_")]
print('\t.section .symbols, "a"\n\t.balign 4\n\t.globl symbol_table, symbol_count, symbol_names')
print("\t.hidden symbol_table, symbol_count, symbol_names")
print(f"symbol_count:\t.long {len(text)}")
print("symbol_table:")
at = 0
for offset, name in text:
    print(f"\t.long {offset:#x}, {at}")
    at += len(name) + 1
print("symbol_names:")
for _, name in text:
    print(f'\t.asciz "{name}"')
print('\t.byte 0\n\t.section .note.GNU-stack, "", @progbits')
