# TCP and UDP on the host: lwIP from Debian's source package behind libos/posix/net/stack.h.

LWIP := $(BUILD)/src/lwip/src
LWIP_SRC := $(addprefix core/,init def inet_chksum ip mem memp netif pbuf raw sys tcp tcp_in tcp_out timeouts udp) \
	$(addprefix core/ipv4/,acd autoip dhcp etharp icmp igmp ip4_frag ip4 ip4_addr) netif/ethernet
LWIP_SRC := $(filter-out core/ipv4/acd,$(LWIP_SRC))
LWIP_INCLUDE := -Ilibos/posix/net/lwip -isystem $(LWIP)/include
LWIP_OBJS := $(LWIP_SRC:%=$(BUILD)/h/lwip/%.o)

# As it is, warnings included; its own casts are what UBSan complains about.
$(BUILD)/h/lwip/%.o: $(BUILD)/src/lwip.stamp libos/posix/net/lwip/lwipopts.h libos/posix/net/lwip/arch/cc.h
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -g -O1 -w -fsanitize=address $(LWIP_INCLUDE) -c -o $@ $(LWIP)/$*.c

$(call hobj,libos/posix/net/stack_lwip.c tests/stack/test_stack.c): HCFLAGS += $(LWIP_INCLUDE) -Wno-shadow
$(call hobj,libos/posix/net/stack_lwip.c tests/stack/test_stack.c): | $(BUILD)/src/lwip.stamp

HOST_TESTS += $(BUILD)/tests/stack
$(BUILD)/tests/stack: $(LWIP_OBJS) $(call hobj,libos/posix/net/stack_lwip.c tests/stack/test_stack.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

# The same in the machine, as a session (guest.c).
LWIP_GUEST := $(LWIP_SRC:%=$(BUILD)/u/lwip/%.o)
STACK_GUEST := libos/posix/net/stack_lwip.c libos/posix/net/card.c tests/stack/guest.c

$(BUILD)/u/lwip/%.o: $(BUILD)/src/lwip.stamp libos/posix/net/lwip/lwipopts.h libos/posix/net/lwip/arch/cc.h
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -W%,$(filter-out -MMD -MP,$(UCFLAGS))) -w $(LWIP_INCLUDE) -c -o $@ $(LWIP)/$*.c

$(call uobj,$(STACK_GUEST)): UCFLAGS += $(LWIP_INCLUDE) -Wno-shadow
$(call uobj,libos/posix/net/stack_lwip.c): | $(BUILD)/src/lwip.stamp

GUEST_TESTS += $(BUILD)/tests/stack.elf
$(BUILD)/tests/stack.elf: $(LWIP_GUEST) $(call uobj,$(STACK_GUEST) tests/guest/report.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)
