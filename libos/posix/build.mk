# The POSIX libOS: posix.elf, linked in the monitor area.

# The stack: lwIP from Debian's source package, as it is, warnings included, and ours on top of it.
LWIP := $(BUILD)/src/lwip/src
LWIP_SRC := $(addprefix core/,def dns inet_chksum init ip mem memp netif pbuf raw sys tcp tcp_in \
	tcp_out timeouts udp) $(addprefix core/ipv4/,dhcp etharp icmp ip4 ip4_addr ip4_frag) \
	$(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag nd6) netif/ethernet
LWIP_CONFIG := libos/posix/net/lwip/lwipopts.h libos/posix/net/lwip/arch/cc.h
LWIP_INCLUDE := -Ilibos/posix/net/lwip -isystem $(LWIP)/include
STACK_SRC := $(addprefix libos/posix/net/,ack.c clocks.c datagram.c endpoint.c lwip.c reuse.c tcp.c)
STACK_OBJS := $(LWIP_SRC:%=$(BUILD)/u/lwip/%.o) $(call uobj,$(STACK_SRC))

$(BUILD)/u/lwip/%.o: $(BUILD)/src/lwip.stamp $(LWIP_CONFIG)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -W% -MMD -MP,$(UCFLAGS)) -w $(LWIP_INCLUDE) -c -o $@ $(LWIP)/$*.c

$(call uobj,$(STACK_SRC)): UCFLAGS += $(LWIP_INCLUDE) -Wno-shadow
$(call uobj,$(STACK_SRC)): $(LWIP_CONFIG) | $(BUILD)/src/lwip.stamp

POSIX_SRC := $(sort $(wildcard libos/posix/*.c libos/posix/*.S)) libos/posix/net/card.c
POSIX_OBJS := $(call uobj,libos/common/start_entry.S $(POSIX_SRC)) $(STACK_OBJS)
IMAGES += $(BUILD)/posix.elf

$(BUILD)/posix.elf: $(POSIX_OBJS) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0xffff840000000000)

# strace, for the session (apps/strace).
$(BUILD)/strace: apps/strace/strace.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static -O2 -g -std=gnu17 -Wall -Wextra -Werror -o $@ $<
ROOTFS += bin/strace=$(BUILD)/strace

# docs/posix.md, from the table of system calls
.PHONY: posix-docs
posix-docs:
	$(Q)$(PYTHON) tools/posixdoc.py > docs/posix.md
docs: posix-docs
