# The GC runtime: libgc-runtime.a for programs on Virtue; gclab, the lab, there and on Linux.

GC_DIR := libos/gc-runtime
GC_CORE := heap paging offers slots store_memory store_file mmu_check region gen bookmark summary compact semi verify \
	trace belady pager_aware pager_lru pager_clock pager_age pager_leaf
GC_EXO := $(GC_CORE) mmu_exo port_exo store_disk
GC_CRT := $(call uobj,$(GC_DIR)/start_exo.c)
GC_LAB := gclab options progress utilisation map bench_trees bench_binary bench_cache bench_graph bench_transactions
GC_LAB_SRC := $(GC_LAB:%=$(GC_DIR)/lab/%.c)
# The MMU interface alone, in a Linux process
GC_LINUX_MMU := $(addprefix $(GC_DIR)/,mmu_linux.c mmu_linux_uffd.c mmu_linux_mprotect.c mmu_linux_none.c \
	mmu_linux_revoke.c mmu_check.c port_linux.c) libos/common/text.c
GC_LINUX_SRC := $(sort $(GC_CORE:%=$(GC_DIR)/%.c) $(GC_LINUX_MMU)) $(GC_DIR)/store_swap.c
GC_LINUX_MAIN := $(GC_DIR)/start_linux.c

# What programs link.
LIBGC := $(BUILD)/libgc-runtime.a
$(LIBGC): $(call uobj,$(GC_EXO:%=$(GC_DIR)/%.c))
	$(call say,AR)
	@rm -f $@
	$(Q)ar rcs $@ $^

# The lab, in the machine: /bin/gclab is a script that finds out the quota for /lib/gclab.
$(BUILD)/gclab: $(call uobj,$(GC_LAB_SRC)) $(GC_CRT) $(BARE_CRT) $(LIBGC) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0x400000)
ROOTFS += lib/gclab=$(BUILD)/gclab bin/gclab=$(GC_DIR)/lab/gclab.sh

# What exocc --libos=gc-runtime links, beside what --libos=bare does.
$(BUILD)/exocc: $(SYSROOT)/lib/libgc-runtime.a
$(SYSROOT)/lib/libgc-runtime.a: $(LIBGC) $(GC_CRT) $(SYSROOT)/lib/libcommon.a $(wildcard $(GC_DIR)/*.h)
	@mkdir -p $(SYSROOT)/include/libos/gc-runtime
	$(Q)cp $(GC_DIR)/*.h $(SYSROOT)/include/libos/gc-runtime/
	$(Q)cp $(GC_CRT) $(SYSROOT)/lib/
	$(Q)cp $(LIBGC) $@

# The lab on Linux, for use and as the baseline: optimized, an ordinary static program.
GCLAB_LINUX := $(BUILD)/gclab-linux
.PHONY: gclab-linux
gclab-linux: $(GCLAB_LINUX) ## The GC lab as a Linux program: build/gclab-linux

$(GCLAB_LINUX): $(GC_LINUX_SRC) $(GC_LAB_SRC) $(GC_LINUX_MAIN) $(wildcard $(GC_DIR)/*.h $(GC_DIR)/lab/*.h)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -O2 -g -std=gnu17 -fno-omit-frame-pointer $(WARN) -I. -o $@ $(filter %.c,$^)

include $(GC_DIR)/libgc/build.mk
