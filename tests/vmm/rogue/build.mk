# A monitor that turns against the session, in the monitor's place, for ./virtue run --add.

VMM_ROGUE := $(BUILD)/tests/vmm/rogue
GUEST_TESTS += $(VMM_ROGUE)/lib/vmm/monitor $(VMM_ROGUE)/rogue/cases

$(VMM_ROGUE)/lib/vmm/monitor: $(call uobj,libos/common/start_entry.S tests/vmm/rogue/rogue.c) $(LIBCOMMON) \
		$(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0xffff840000000000)

$(VMM_ROGUE)/rogue/cases: tests/vmm/rogue/cases
	@mkdir -p $(@D)
	$(Q)cp $< $@
