# busybox's own shell tests, from Debian's source package, and the three tools they call.

ASH_DIR := $(BUILD)/tests/ash
ASH_SOURCE := $(BUILD)/src/busybox/shell/ash_test
ASH_TOOLS := $(addprefix $(ASH_DIR)/,printenv recho zecho)

$(ASH_TOOLS): $(ASH_DIR)/%: $(BUILD)/src/busybox.stamp
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -O2 -static -w -o $@ $(ASH_SOURCE)/$*.c

GUEST_TESTS += $(ASH_TOOLS)

.PHONY: ash-tests
ash-tests: $(ASH_TOOLS) ## Fetch busybox's shell tests
