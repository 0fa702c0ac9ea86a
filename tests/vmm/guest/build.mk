# The tests' own guest: a paravirtual kernel of a few hundred bytes, $(VMM_CASES)/guest, in a folder
# for ./virtue run --add with the cases that are run in the machine's shell.

VMM_CASES := $(BUILD)/tests/vmm/cases
VMM_GUEST_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -mno-red-zone -mgeneral-regs-only -mcmodel=kernel \
	-fno-pic -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-I. $(WARN)
# Its list of frames mapped apart: well, into the hole, into the kernel's root entry.
VMM_P2M := $(addprefix $(VMM_CASES)/vmm/p2m-,8000000000 7fffffff8000 ffffff7fffff8000)
GUEST_TESTS += $(VMM_CASES)/vmm/guest $(VMM_P2M) $(VMM_CASES)/vmm/cases
CHECK_TESTS += $(VMM_CASES)/vmm/several $(VMM_CASES)/vmm/spin

$(VMM_P2M): VMM_GUEST_CFLAGS += -DP2M=0x$(@F:p2m-%=%)
$(VMM_CASES)/vmm/guest $(VMM_P2M): tests/vmm/guest/start.S tests/vmm/guest/site.S tests/vmm/guest/guest.c tests/vmm/guest/guest.ld \
		libos/vmm/xen.h exo/abi/abi.h
	$(call say,GUEST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(VMM_GUEST_CFLAGS) -nostdlib -static -Wl,--build-id=none \
		-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,tests/vmm/guest/guest.ld \
		-o $@ $(filter %.S %.c,$^)

$(VMM_CASES)/vmm/%: tests/vmm/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
