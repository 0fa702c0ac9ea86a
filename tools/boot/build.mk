# The loader for runs that repeat (direct.c): a 32-bit multiboot1 program, above the memory that
# the kernel is loaded into and below the modules, which QEMU puts right after it.

DIRECT_CFLAGS := -m32 -std=gnu17 -O2 -ffreestanding -fno-pie -fno-stack-protector \
	-fcf-protection=none -mgeneral-regs-only -fno-asynchronous-unwind-tables $(WARN)

$(BUILD)/direct.elf: tools/boot/start.S tools/boot/direct.c tools/boot/build.mk
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(DIRECT_CFLAGS) -nostdlib -static -Wl,--build-id=none -Wl,-Ttext-segment=0x1800000 \
		-o $@ $(filter %.S %.c,$^)

all: $(BUILD)/direct.elf
