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

.PHONY: docs
docs: ## Regenerate docs/abi.md from the ABI table
	$(Q)$(PYTHON) exo/abi/gen.py manual < exo/abi/calls.abi > docs/abi.md
