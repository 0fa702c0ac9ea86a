# The hostile libOS matrix: tester and hostile programs in one image (session module `hostile`).

HOSTILE_OBJS := $(call uobj,$(wildcard tests/hostile/*.c) tests/hostile/stubs.S tests/guest/report.c tests/guest/part.c)
GUEST_TESTS += $(BUILD)/tests/hostile $(patsubst %,$(BUILD)/tests/hostile-%.img,1 2 fuzz)

$(BUILD)/tests/hostile: $(HOSTILE_OBJS) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
