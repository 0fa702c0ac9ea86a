# The network against Debian's Linux (tests/benchnet/run): one static server, and the load.

BENCHNET := $(BUILD)/tests/benchnet
BENCHNET_SERVER := $(BENCHNET)/root/bin/netserver
BENCHNET_PACKAGES := wrk libluajit-5.1-2 apache2-utils libapr1 libaprutil1 linux-image-amd64

$(BENCHNET_SERVER): tests/benchnet/server.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

$(BENCHNET)/wire: tests/benchnet/wire.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -o $@ $<

.PHONY: bench-net
bench-net: all $(BENCHNET_SERVER) $(BENCHNET)/wire $(BUILD)/httpd $(BUILD)/netecho \
		$(BENCHNET_PACKAGES:%=$(BUILD)/pkg/%.stamp) ## The network against Debian's Linux: BENCH_ARGS='--rounds 9'
	$(Q)tests/benchnet/run $(BENCH_ARGS)
