# The GC runtime: libgc-runtime.a for programs on Virtue; gclab, the lab, there and on Linux.

GC_DIR := libos/gc-runtime
GC_CORE := heap paging slots store_memory store_file region gen bookmark summary semi verify trace belady \
	pager_aware pager_lru pager_clock pager_age pager_leaf
GC_LAB := gclab bench_trees bench_binary bench_cache bench_graph bench_transactions
GC_LAB_SRC := $(GC_LAB:%=$(GC_DIR)/lab/%.c)
GC_LINUX_SRC := $(GC_CORE:%=$(GC_DIR)/%.c) $(GC_DIR)/mmu_linux.c $(GC_DIR)/port_linux.c libos/common/text.c

# The lab on Linux, for use and as the baseline: optimized, an ordinary static program.
GCLAB_LINUX := $(BUILD)/gclab-linux
.PHONY: gclab-linux
gclab-linux: $(GCLAB_LINUX) ## The GC lab as a Linux program: build/gclab-linux

$(GCLAB_LINUX): $(GC_LINUX_SRC) $(GC_LAB_SRC) $(GC_DIR)/lab/main_linux.c $(wildcard $(GC_DIR)/*.h $(GC_DIR)/lab/*.h)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -O2 -g -std=gnu17 -fno-omit-frame-pointer $(WARN) -I. -o $@ $(filter %.c,$^)
