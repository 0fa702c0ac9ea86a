# The libgc-compatible library: its own cases on the host (ASan, UBSan) and as a static program, and Debian's
# gctest and cordtest, unchanged, from libgc's source.

BDW_TESTS := $(BUILD)/tests/libgc
BDW_ROOT := $(BDW_TESTS)/root/bin
BDW_SOURCE := $(BUILD)/src/libgc
BDW_HOBJS := $(call hobj,$(BDW_PROCESS) tests/libgc/test.c)
HOST_TESTS += $(BDW_TESTS)/host
GUEST_TESTS += $(addprefix $(BDW_ROOT)/,libgctest gctest cordtest)

$(call hobj,$(BDW_CORE) $(BDW_DIR)/mmu_process.c tests/libgc/test.c): HCFLAGS += $(BDW_INCLUDE)
$(call hobj,$(BDW_CORE) $(BDW_DIR)/mmu_process.c tests/libgc/test.c): $(BUILD)/pkg/libgc-dev.stamp

$(BDW_TESTS)/host: $(BDW_HOBJS)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(BDW_ROOT)/libgctest: tests/libgc/test.c $(BUILD)/libgc/musl/libgc.a
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static $(BDW_CFLAGS) -o $@ $^

# They include internals of the source's own (private/gc_priv.h: names of kinds, a clock).
BDW_CLIENT = $(Q)musl-gcc -static -w -O2 -g -DGC_GCJ_SUPPORT -I$(BDW_SOURCE)/include -o $@

$(BDW_ROOT)/gctest: $(BUILD)/src/libgc.stamp $(BUILD)/libgc/musl/libgc.a
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(BDW_CLIENT) $(BDW_SOURCE)/tests/test.c $(filter %.a,$^)

BDW_CORD := $(addprefix $(BDW_SOURCE)/cord/,cordbscs.c cordprnt.c cordxtra.c tests/cordtest.c)
$(BDW_ROOT)/cordtest: $(BUILD)/src/libgc.stamp $(BUILD)/libgc/musl/libgc.a
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(BDW_CLIENT) $(BDW_CORD) $(filter %.a,$^)
