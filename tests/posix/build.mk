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

# musl has no headers of the kernel: the system's serve.
$(POSIX_TEST_DIR)/bin/netlink: MUSL_CFLAGS += -idirafter /usr/include \
	-idirafter /usr/include/x86_64-linux-gnu

# The same source as a static position-independent executable, for which musl-gcc's own start
# files are wrong: rcrt1.o relocates the program itself.
MUSL_LIB := /usr/lib/x86_64-linux-musl
$(POSIX_TEST_DIR)/bin/basic-pie: tests/posix/prog/basic.c tests/posix/prog/test.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -fPIE -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text \
		-o $@ $(MUSL_LIB)/rcrt1.o $(MUSL_LIB)/crti.o $< $(MUSL_LIB)/crtn.o

$(POSIX_TEST_DIR)/driver: tests/posix/driver.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -static -o $@ $<

$(POSIX_TEST_DIR)/scarce/bin/scarce: tests/posix/scarce/scarce.c tests/posix/prog/test.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -static -o $@ $<

GUEST_TESTS += $(POSIX_TEST_DIR)/scarce/bin/scarce
GUEST_TESTS += $(POSIX_PROGS) $(POSIX_TEST_DIR)/driver $(BUILD)/pkg/linux-image-amd64.stamp

.PHONY: posix-tests
posix-tests: $(POSIX_PROGS) $(POSIX_TEST_DIR)/driver $(BUILD)/pkg/linux-image-amd64.stamp ## Build the programs of the POSIX comparison
