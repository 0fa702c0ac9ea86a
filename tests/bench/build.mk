# The benchmark program: one static binary for all systems (tests/bench/run compares them).

BENCH := $(BUILD)/tests/bench/root/bin/bench

$(BENCH): tests/bench/bench.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

GUEST_TESTS += $(BENCH)

.PHONY: bench
bench: all $(BENCH) $(BUILD)/pkg/linux-image-amd64.stamp ## Compare with Debian's Linux: BENCH_ARGS='--rounds 9 --json FILE'
	$(Q)tests/bench/run $(BENCH_ARGS)
