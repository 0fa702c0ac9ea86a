# libcommon.a: what every libOS and bare program links, and start.o.

COMMON_SRC := calls disk disk_part domain_host event flows frames gate log packets physmap promise pt proxy_app proxy_host report ring spawn elf start time text upcall
COMMON_PURE := disk_part elf proxy_host ring text
COMMON_OBJS := $(call uobj,$(COMMON_SRC:%=libos/common/%.c))
COMMON_ASM := $(call uobj,libos/common/upcall_entry.S libos/common/gate_cross.S)
LIBCOMMON := $(BUILD)/libcommon.a
APP_LD := libos/common/app.ld
# Links a program: $(call link_app,address) with the objects and $(LIBCOMMON) as prerequisites.
link_app = $(Q)$(CC) $(ULDFLAGS) -T $(APP_LD) -Wl,--defsym=IMAGE_BASE=$(1) -o $@ $(filter %.o %.a,$^)

$(LIBCOMMON): $(COMMON_OBJS) $(COMMON_ASM)
	$(call say,AR)
	@rm -f $@
	$(Q)ar rcs $@ $^

# Host tests of the hardware-free files.
COMMON_TEST := $(BUILD)/tests/host/test_common
HOST_TESTS += $(COMMON_TEST)
COMMON_TEST_ELF := $(BUILD)/tests/guest/child.elf

$(BUILD)/h/tests/host/common/test_common.o: HCFLAGS += -DTEST_ELF=\"$(COMMON_TEST_ELF)\"
$(COMMON_TEST): $(call hobj,tests/host/common/test_common.c $(COMMON_PURE:%=libos/common/%.c)) $(COMMON_TEST_ELF)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $(filter %.o,$^)
