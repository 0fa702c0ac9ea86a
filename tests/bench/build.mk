# The benchmark program: one static binary for all systems (tests/bench/run compares them).

BENCH := $(BUILD)/tests/bench/root/bin/bench

$(BENCH): tests/bench/bench.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

# Virtue's alone: domains that do nothing.
BENCH_DOMAIN := $(BUILD)/tests/bench/root/bin/bench-domain
BENCH_NOTHING := $(BUILD)/tests/bench/root/bin/nothing

$(BENCH_DOMAIN): tests/bench/domains.c libos/common/domain_dev.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -I. -static -o $@ $<

$(BENCH_NOTHING): $(call uobj,tests/bench/nothing.c) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

BENCH_FILES := $(BENCH) $(BENCH_DOMAIN) $(BENCH_NOTHING)
GUEST_TESTS += $(BENCH_FILES)

.PHONY: bench
bench: all $(BENCH_FILES) $(BUILD)/pkg/linux-image-amd64.stamp ## Compare with Debian's Linux: BENCH_ARGS='--rounds 9 --json FILE'
	$(Q)tests/bench/run $(BENCH_ARGS)
