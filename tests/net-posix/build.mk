# Programs that tests/net-posix/run brings into the machine.

NET_POSIX_ROOT := $(BUILD)/tests/net-posix/root

$(NET_POSIX_ROOT)/bin/%: tests/net-posix/%.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

GUEST_TESTS += $(NET_POSIX_ROOT)/bin/dns
