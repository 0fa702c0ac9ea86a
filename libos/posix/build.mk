# The POSIX libOS: posix.elf, linked in the monitor area.

POSIX_SRC := $(sort $(wildcard libos/posix/*.c libos/posix/*.S))
POSIX_OBJS := $(call uobj,libos/common/start_entry.S $(POSIX_SRC))
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
