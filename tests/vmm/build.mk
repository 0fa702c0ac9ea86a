# Tests of the VMM libOS.

include $(wildcard tests/vmm/*/build.mk)
