# Tests of the hardware-free core on the developer's machine: a model of CPUs with TLBs.

HOST_MODEL := $(call hobj,$(wildcard exo/core/*.c exo/net/*.c) $(wildcard tests/host/model*.c) \
	tests/host/audit.c)

HOST_TESTS += $(BUILD)/tests/host-core
$(BUILD)/tests/host-core: $(HOST_MODEL) $(call hobj,$(addprefix tests/host/,actors.c net_user.c) $(wildcard tests/host/test_*.c))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

HOST_TESTS += $(BUILD)/tests/fuzz
$(BUILD)/tests/fuzz: $(HOST_MODEL) $(call hobj,tests/host/fuzz.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

N ?= 1000000
.PHONY: fuzz-host
fuzz-host: $(BUILD)/tests/fuzz ## Fuzz the hardware-free core on the host: N=calls SEED=seed
	$(Q)$< $(N) $(SEED)

SEED ?= 1
.PHONY: fuzz
fuzz: all $(BUILD)/tests/fuzz $(BUILD)/tests/hostile ## Fuzz the kernel on the host and in QEMU: N=calls SEED=seed
	$(Q)$(BUILD)/tests/fuzz $(N) $(SEED)
	$(Q)./virtue run --timeout 0 --boot direct --module hostile=$(BUILD)/tests/hostile \
		--append 'session=hostile row=fuzz calls=$(N) seed=$(SEED)' -- fuzz

COVERAGE_MIN := 95
.PHONY: coverage
coverage: $(GENERATED) ## Line coverage of exo/core by the host tests
	$(Q)rm -f `find $(BUILD)/cov -name '*.gcda' 2>/dev/null`
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/cov HCFLAGS='$(HCFLAGS) --coverage' \
		HLDFLAGS='$(HLDFLAGS) --coverage' $(BUILD)/cov/tests/host-core $(BUILD)/cov/tests/fuzz
	$(Q)$(BUILD)/cov/tests/host-core > $(BUILD)/cov/host-core.log
	$(Q)$(BUILD)/cov/tests/fuzz 200000 1
	$(Q)$(PYTHON) tests/host/coverage.py $(BUILD)/cov $(COVERAGE_MIN)

.PHONY: mutants
mutants: $(BUILD)/tests/host-core $(BUILD)/tests/fuzz ## Plant 100 bugs in exo/core, one at a time; the tests must catch 95
	$(Q)$(PYTHON) tests/host/mutants.py $(BUILD)

include tests/host/posix/build.mk

# Disk drivers against devices that are wrong.
HOST_TESTS += $(BUILD)/tests/host-drivers
$(BUILD)/tests/host-drivers: $(call hobj,tests/host/drivers/test_drivers.c drivers/virtio_blk.c drivers/ahci.c drivers/nvme.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^
