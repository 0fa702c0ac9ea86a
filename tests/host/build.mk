# Tests of the hardware-free core on the developer's machine: a model of CPUs with TLBs.

HOST_MODEL := $(call hobj,$(wildcard exo/core/*.c) tests/host/model.c tests/host/audit.c)

HOST_TESTS += $(BUILD)/tests/host-core
$(BUILD)/tests/host-core: $(HOST_MODEL) $(call hobj,$(wildcard tests/host/test_*.c))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(BUILD)/tests/fuzz: $(HOST_MODEL) $(call hobj,tests/host/fuzz.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

N ?= 1000000
.PHONY: fuzz-host
fuzz-host: $(BUILD)/tests/fuzz ## Fuzz the hardware-free core on the host: N=calls SEED=seed
	$(Q)$< $(N) $(SEED)
