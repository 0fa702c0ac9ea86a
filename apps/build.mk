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
