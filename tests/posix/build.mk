# The static programs that the POSIX comparison runs on Virtue and on Linux.

POSIX_TEST_DIR := $(BUILD)/tests/posix
MUSL_CC := musl-gcc
MUSL_CFLAGS := -std=gnu17 -O2 -Wall -Wextra -Werror -pthread -Itests/posix/prog

POSIX_PROGS := $(patsubst tests/posix/prog/%.c,$(POSIX_TEST_DIR)/bin/%,$(wildcard tests/posix/prog/*.c)) \
	$(POSIX_TEST_DIR)/bin/basic-pie

$(POSIX_TEST_DIR)/bin/%: tests/posix/prog/%.c tests/posix/prog/test.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -static -o $@ $<

# The same source as a static position-independent executable.
$(POSIX_TEST_DIR)/bin/basic-pie: tests/posix/prog/basic.c tests/posix/prog/test.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -fPIE -static-pie -o $@ $<

$(POSIX_TEST_DIR)/driver: tests/posix/driver.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -static -o $@ $<

GUEST_TESTS += $(POSIX_PROGS) $(POSIX_TEST_DIR)/driver

.PHONY: posix-tests
posix-tests: $(POSIX_PROGS) $(POSIX_TEST_DIR)/driver ## build the programs of the POSIX comparison
