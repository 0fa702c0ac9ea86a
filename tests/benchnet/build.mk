# The network against Debian's Linux (tests/benchnet/run): the same servers on both, and the load.

BENCHNET := $(BUILD)/tests/benchnet
BENCHNET_ROOT := $(BENCHNET)/root
BENCHNET_SERVER := $(BENCHNET_ROOT)/bin/netserver
BENCHNET_PACKAGES := wrk libluajit-5.1-2 apache2-utils libapr1 libaprutil1 linux-image-amd64
BENCHNET_IPERF := iperf3 libiperf0 libssl3 libsctp1 libc6

$(BENCHNET_SERVER): tests/benchnet/server.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

$(BENCHNET)/wire: tests/benchnet/wire.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -o $@ $<

# Debian's iperf3 as it is, with the libraries that it was linked to.
$(BENCHNET_ROOT)/bin/iperf3: $(BENCHNET_IPERF:%=$(BUILD)/pkg/%.stamp)
	$(call say,COPY)
	@mkdir -p $(@D) $(BENCHNET_ROOT)/lib64 $(BENCHNET_ROOT)/lib/x86_64-linux-gnu
	@cp -L $(BUILD)/pkg/libc6/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 $(BENCHNET_ROOT)/lib64
	@cp -L $(addprefix $(BUILD)/pkg/libc6/lib/x86_64-linux-gnu/,libc.so.6 libm.so.6) \
		$(patsubst %,$(BUILD)/pkg/%,libiperf0/usr/lib/x86_64-linux-gnu/libiperf.so.0 \
		libssl3/usr/lib/x86_64-linux-gnu/libssl.so.3 libssl3/usr/lib/x86_64-linux-gnu/libcrypto.so.3 \
		libsctp1/usr/lib/x86_64-linux-gnu/libsctp.so.1) $(BENCHNET_ROOT)/lib/x86_64-linux-gnu
	@cp $(BUILD)/pkg/iperf3/usr/bin/iperf3 $@

$(BENCHNET_ROOT)/bin/redis-server: $(BUILD)/servers/root/bin/redis-server
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BENCHNET)/redis-benchmark: $(BUILD)/servers/root/bin/redis-server
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(REDIS_MAKE) redis-benchmark > $(SERVERS)/redis-benchmark.log 2>&1 || \
		{ tail -n 20 $(SERVERS)/redis-benchmark.log; false; }
	$(Q)strip -o $@ $(SERVERS)/redis/src/redis-benchmark

.PHONY: bench-net
bench-net: all $(BENCHNET_SERVER) $(BENCHNET_ROOT)/bin/iperf3 $(BENCHNET_ROOT)/bin/redis-server \
		$(BENCHNET)/redis-benchmark $(BENCHNET)/wire $(BUILD)/httpd $(BUILD)/netecho \
		$(BENCHNET_PACKAGES:%=$(BUILD)/pkg/%.stamp) ## The network against Linux (BENCH_ARGS='--rows redis')
	$(Q)tests/benchnet/run $(BENCH_ARGS)
