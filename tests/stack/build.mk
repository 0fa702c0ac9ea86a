# The stack of libos/posix/net on the host, and in the machine as a session (guest.c).

STACK_HOST := $(LWIP_SRC:%=$(BUILD)/h/lwip/%.o) \
	$(call hobj,$(STACK_SRC) tests/stack/wire.c tests/stack/test_stack.c)

# lwIP's own casts are what UBSan complains about.
$(BUILD)/h/lwip/%.o: $(BUILD)/src/lwip.stamp $(LWIP_CONFIG)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -g -O1 -w -fsanitize=address $(LWIP_INCLUDE) -c -o $@ $(LWIP)/$*.c

$(call hobj,$(STACK_SRC) tests/stack/test_stack.c): HCFLAGS += $(LWIP_INCLUDE) -Wno-shadow
$(call hobj,$(STACK_SRC) tests/stack/test_stack.c): $(LWIP_CONFIG) | $(BUILD)/src/lwip.stamp

HOST_TESTS += $(BUILD)/tests/stack
$(BUILD)/tests/stack: $(STACK_HOST)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

GUEST_TESTS += $(BUILD)/tests/stack.elf
$(BUILD)/tests/stack.elf: $(STACK_OBJS) $(call uobj,libos/posix/net/card.c tests/stack/guest.c) \
		$(call uobj,tests/guest/report.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
