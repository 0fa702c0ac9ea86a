# The harness' own test kernel (fake.c), a 32-bit multiboot2 program in a 64-bit ELF file like the
# kernel's, and a boot image of it.
# The tests that run it are in harness_test.py.

FAKE_DIR := $(BUILD)/tests/harness
FAKE_CFLAGS := -m32 -std=gnu17 -O2 -ffreestanding -fno-pie -fno-stack-protector \
	-fcf-protection=none -mgeneral-regs-only -fno-asynchronous-unwind-tables $(WARN)

GUEST_TESTS += $(FAKE_DIR)/fake.iso

$(FAKE_DIR)/fake.elf: tests/harness/fake.c tests/harness/start.S tests/harness/fake.ld
	$(call say,FAKE)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FAKE_CFLAGS) -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
		-T tests/harness/fake.ld -o $@32 $(filter %.S %.c,$^)
	$(Q)objcopy -O elf64-x86-64 $@32 $@

$(FAKE_DIR)/fake.iso: $(FAKE_DIR)/fake.elf tools/mkiso
	$(call say,ISO)
	$(Q)tools/mkiso $@ $<

# A program that overwrites the POSIX libOS under it
GUEST_TESTS += $(FAKE_DIR)/smash
$(FAKE_DIR)/smash: tests/harness/smash.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(MUSL_CFLAGS) -static -o $@ $<
