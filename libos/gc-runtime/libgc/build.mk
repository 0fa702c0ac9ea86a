# The libgc-compatible library (included by ../build.mk): libgc.a for ordinary programs, on Linux and in
# the POSIX session, and for exocc --libos=posix.  The headers are Debian's, from libgc-dev.

BDW_DIR := libos/gc-runtime/libgc
BDW_CORE := $(addprefix $(BDW_DIR)/,alloc.c cycle.c debug.c final.c mark.c roots.c settings.c space.c \
	surroundings.c typed.c)
BDW_PROCESS := $(BDW_CORE) $(BDW_DIR)/mmu_process.c $(GC_DIR)/port_linux.c libos/common/text.c
BDW_HEADERS := $(BDW_DIR)/lib.h $(GC_DIR)/mmu.h $(GC_DIR)/port.h $(BUILD)/pkg/libgc-dev.stamp
BDW_INCLUDE := -idirafter $(BUILD)/pkg/libgc-dev/usr/include
BDW_CFLAGS := -std=gnu17 -O2 -g -fno-omit-frame-pointer $(WARN) -I. -I$(BUILD)/gen $(BDW_INCLUDE)

# One object, of which only GC_ names can be seen: $(call bdw_object,compiler)
define bdw_object
	@mkdir -p $(@D)
	$(Q)$(1) $(BDW_CFLAGS) -nostdlib -r -o $@ $(filter %.c,$^)
	$(Q)objcopy --wildcard --keep-global-symbol='GC_*' $@
endef

# With musl, and with Debian's own libc, for programs that need other libraries of Debian's.
$(BUILD)/libgc/musl/libgc.o: $(BDW_PROCESS) $(BDW_HEADERS)
	$(call say,MUSL)
	$(call bdw_object,musl-gcc)
$(BUILD)/libgc/glibc/libgc.o: $(BDW_PROCESS) $(BDW_HEADERS)
	$(call say,CC)
	$(call bdw_object,$(CC))
$(BUILD)/libgc/%/libgc.a: $(BUILD)/libgc/%/libgc.o
	$(call say,AR)
	@rm -f $@
	$(Q)ar rcs $@ $<

# What exocc --libos=posix finds: #include <gc.h> or <gc/gc.h>, and -lgc.
$(BUILD)/exocc: $(SYSROOT)/posix/lib/libgc.a
$(SYSROOT)/posix/lib/libgc.a: $(BUILD)/libgc/musl/libgc.a
	@mkdir -p $(@D) $(SYSROOT)/posix/include
	$(Q)cp -r $(BUILD)/pkg/libgc-dev/usr/include/. $(SYSROOT)/posix/include/
	$(Q)cp $< $@
