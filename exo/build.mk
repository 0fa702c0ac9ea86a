# The kernel: headers generated from the ABI table, and kernel.elf.

ABI_GEN := $(BUILD)/gen/exo
GENERATED += $(ABI_GEN)/calls.h $(ABI_GEN)/dispatch.inc $(ABI_GEN)/grammar.inc

$(ABI_GEN)/calls.h: ABI_KIND := header
$(ABI_GEN)/dispatch.inc: ABI_KIND := dispatch
$(ABI_GEN)/grammar.inc: ABI_KIND := grammar
$(ABI_GEN)/calls.h $(ABI_GEN)/dispatch.inc $(ABI_GEN)/grammar.inc: exo/abi/calls.abi exo/abi/gen.py
	$(call say,GEN)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) exo/abi/gen.py $(ABI_KIND) < $< > $@

.PHONY: report
report: all ## The kernel: lines of code, longest functions, deepest stack, calls per POSIX call
	$(Q)$(PYTHON) tools/report.py $(BUILD)

.PHONY: docs
docs: ## Regenerate docs/abi.md and docs/posix.md from their tables
	$(Q)$(PYTHON) exo/abi/gen.py manual < exo/abi/calls.abi > docs/abi.md

# kernel.elf, linked twice: the symbol table for backtraces is made from the first link.
KERNEL_SRCS := $(sort $(wildcard exo/arch/*.c exo/arch/*.S exo/core/*.c exo/net/*.c) \
	$(addprefix drivers/,uart16550.c rtc.c hpet.c pit.c virtio_blk.c ahci.c nvme.c e1000.c virtio_net.c acpi_pm.c ioapic.c pic8259.c reset.c))
KERNEL_OBJS := $(call kobj,$(KERNEL_SRCS))
KERNEL_LD := $(BUILD)/k/kernel.ld
IMAGES += $(BUILD)/kernel.elf

$(KERNEL_LD): exo/arch/kernel.ld exo/arch/layout.h
	$(call say,GEN)
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -I. -o $@ $<

# The kernel is optimised as a whole: the hardware-free core reaches the machine by functions
# (core/arch.h) that must cost nothing.
$(BUILD)/k/exo/%.o $(BUILD)/k/drivers/%.o: KCFLAGS += -flto -ffat-lto-objects

define link_kernel
	$(call say,LD)
	$(Q)$(CC) $(filter-out -MMD -MP,$(KCFLAGS)) -flto=auto $(KLDFLAGS) -static -no-pie -Wl,-T,$(KERNEL_LD) -o $@ $(filter %.o,$^)
endef

$(BUILD)/k/symbols0.S: exo/arch/symbols.py
	$(Q)mkdir -p $(@D) && $(PYTHON) $< < /dev/null > $@

$(BUILD)/k/symbols.S: $(BUILD)/k/kernel0.elf exo/arch/symbols.py
	$(call say,GEN)
	$(Q)nm -n $< | $(PYTHON) exo/arch/symbols.py > $@

$(BUILD)/k/symbols0.o $(BUILD)/k/symbols.o: %.o: %.S
	$(Q)$(CC) -c -o $@ $<

$(BUILD)/k/kernel0.elf: $(KERNEL_OBJS) $(BUILD)/k/symbols0.o $(KERNEL_LD)
	$(link_kernel)

$(BUILD)/kernel.elf: $(KERNEL_OBJS) $(BUILD)/k/symbols.o $(KERNEL_LD)
	$(link_kernel)
