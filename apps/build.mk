# Programs of the libOS `bare`: init, hello; exocc's sysroot.

BARE_CRT := $(call uobj,libos/common/start_entry.S)
INIT_OBJS := $(call uobj,apps/init/init.c apps/init/policy.c)
HELLO_OBJS := $(call uobj,apps/hello/hello.c)
IMAGES += $(BUILD)/init.elf

$(BUILD)/init.elf: $(INIT_OBJS) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0x400000)

$(BUILD)/hello: $(HELLO_OBJS) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0x400000)

# The kernel tests: a session of its own (./virtue run --append session=ktest --module ktest=...).

KTEST := $(BUILD)/tests/guest/ktest.elf
KTEST_CHILD := $(BUILD)/tests/guest/child.elf
KTEST_OBJS := $(call uobj,$(wildcard tests/guest/*.c))
KTEST_MAIN := $(filter-out %/child.o,$(KTEST_OBJS))
GUEST_TESTS += $(KTEST)

$(BUILD)/u/tests/guest/domains.o: $(KTEST_CHILD)
$(BUILD)/u/tests/guest/domains.o: UCFLAGS += -DCHILD_ELF=\"$(KTEST_CHILD)\"

$(KTEST_CHILD): $(BUILD)/u/tests/guest/child.o $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

$(KTEST): $(KTEST_MAIN) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
