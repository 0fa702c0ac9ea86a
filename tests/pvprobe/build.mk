# The PV probe: a monitor (session module `pvprobe`) with its guest kernel and user code inside.

PV := $(BUILD)/u/tests/pvprobe
PV_GUEST_OBJS := $(call uobj,tests/pvprobe/guest_entry.S tests/pvprobe/guest.c tests/pvprobe/guest_mmu.c)
PV_MONITOR_OBJS := $(call uobj,tests/pvprobe/monitor.c tests/pvprobe/emulate.c \
	tests/pvprobe/monitor_entry.S tests/guest/report.c tests/guest/part.c)
GUEST_TESTS += $(BUILD)/tests/pvprobe

$(PV)/guest.o $(PV)/guest_mmu.o: UCFLAGS += -fno-pie -mcmodel=kernel

$(PV)/guest.bin: $(PV_GUEST_OBJS) tests/pvprobe/guest.ld
	$(call say,LD)
	$(Q)$(CC) $(ULDFLAGS) -no-pie -T tests/pvprobe/guest.ld -o $(@:.bin=.elf) $(PV_GUEST_OBJS)
	$(Q)objcopy -O binary $(@:.bin=.elf) $@

$(PV)/user.bin: $(call uobj,tests/pvprobe/user.S)
	$(call say,LD)
	$(Q)$(CC) $(ULDFLAGS) -no-pie -Wl,-Ttext=0x400000 -Wl,-e,0x400000 -o $(@:.bin=.elf) $<
	$(Q)objcopy -O binary -j .text $(@:.bin=.elf) $@

$(PV)/monitor_entry.o: $(PV)/guest.bin $(PV)/user.bin
$(PV)/monitor_entry.o: UCFLAGS += -DGUEST_IMAGE='"$(PV)/guest.bin"' -DUSER_IMAGE='"$(PV)/user.bin"'

$(BUILD)/tests/pvprobe: $(PV_MONITOR_OBJS) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0xffff840000000000)
