# A Linux guest that attacks its monitor: an initrd with a module for Debian's kernel.

CHECK_TESTS += $(VMM_CASES)/vmm/hostile-initrd
$(VMM_CASES)/vmm/hostile-initrd: tests/vmm/hostile/pack tests/vmm/hostile/module.S $(BUILD)/guests/debian.stamp
	$(call say,GUEST)
	@mkdir -p $(@D)
	$(Q)tests/vmm/hostile/pack $(BUILD) $@
