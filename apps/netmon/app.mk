# Built as build/netmon: `domain --inspect --port 8080 -- netmon`, or a session's module.
netmon_SRC := $(wildcard apps/web/*.c)
GUEST_TESTS += $(BUILD)/netmon
$(BUILD)/u/apps/netmon/netmon.o: $(BUILD)/gen/apps/netmon/page.inc
$(BUILD)/u/apps/netmon/netmon.o: UCFLAGS += -I$(BUILD)/gen

# The page as a C string, a line a line.
$(BUILD)/gen/apps/netmon/page.inc: apps/netmon/page.html
	$(call say,GEN)
	@mkdir -p $(@D)
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< > $@

ROOTFS += bin/netmon=$(BUILD)/netmon bin/webd=$(BUILD)/httpd
