# The libgc-compatible library (included by ../build.mk): libgc.a for ordinary programs, on Linux
# and in the POSIX session, and for exocc --libos=posix.  The headers are Debian's, from
# libgc-dev.

BDW_DIR := libos/gc-runtime/libgc
BDW_CORE := $(addprefix $(BDW_DIR)/,alloc.c cycle.c debug.c final.c mark.c roots.c settings.c \
	space.c surroundings.c typed.c)
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

# The same for programs in a domain of their own: libgc.a on mmu_exo.c, and one object of libOS
# and system calls, of which a C library sees what it needs; its own main is the program's.
BDW_DOMAIN := $(call uobj,$(addprefix $(BDW_DIR)/,domain_start.c domain_calls.c domain_entry.S) \
	$(GC_DIR)/mmu_exo.c $(GC_DIR)/mmu_check.c $(GC_DIR)/port_exo.c)
$(BUILD)/libgc/domain/libgc.o: $(BDW_CORE) $(BDW_HEADERS)
	$(call say,MUSL)
	$(call bdw_object,musl-gcc)
$(BUILD)/libgc/domain/start.o: $(BDW_DOMAIN) $(BARE_CRT) $(LIBCOMMON)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)ld -r -o $@ $^
	$(Q)objcopy --wildcard --keep-global-symbol=_start --keep-global-symbol='mmu*' \
		--keep-global-symbol='port_*' --keep-global-symbol='sys_*' $@
	$(Q)objcopy --redefine-sym main=domain_main --redefine-sym program_main=main $@

# What exocc --libos=posix finds: #include <gc.h> or <gc/gc.h>, and -lgc.
$(BUILD)/exocc: $(SYSROOT)/posix/lib/libgc.a
$(SYSROOT)/posix/lib/libgc.a: $(BUILD)/libgc/musl/libgc.a
	@mkdir -p $(@D) $(SYSROOT)/posix/include
	$(Q)cp -r $(BUILD)/pkg/libgc-dev/usr/include/. $(SYSROOT)/posix/include/
	$(Q)cp $< $@

# And exocc --libos=gc-runtime with -lgc.
$(BUILD)/exocc: $(SYSROOT)/domain/libgc.a
$(SYSROOT)/domain/libgc.a: $(BUILD)/libgc/domain/libgc.a $(BUILD)/libgc/domain/start.o \
		$(BDW_DIR)/domain.ld $(SYSROOT)/posix/lib/libgc.a
	@mkdir -p $(@D)
	$(Q)cp $(BUILD)/libgc/domain/start.o $(BDW_DIR)/domain.ld $(@D)/
	$(Q)cp $< $@
