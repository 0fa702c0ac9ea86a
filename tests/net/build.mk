# Tests of exo/net on the host, against libpcap's bpf_filter.

NET_PCAP := $(BUILD)/pkg/libpcap0.8-dev
NET_PCAP_INCLUDE := -isystem $(NET_PCAP)/usr/include
NET_OBJS := $(call hobj,$(wildcard exo/net/*.c) $(wildcard tests/net/*.c))

$(call hobj,tests/net/bpf.c): HCFLAGS += $(NET_PCAP_INCLUDE)
$(call hobj,tests/net/bpf.c): | $(NET_PCAP).stamp

HOST_TESTS += $(BUILD)/tests/net
$(BUILD)/tests/net: $(NET_OBJS) | $(NET_PCAP).stamp
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^ $(NET_PCAP)/usr/lib/x86_64-linux-gnu/libpcap.a
