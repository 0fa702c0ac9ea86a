# The libgc-compatible library: its own cases on the host (ASan, UBSan), as a process and in a
# domain; Debian's gctest and cordtest, unchanged, from libgc's source; w3m, the same, for make
# check.

BDW_TESTS := $(BUILD)/tests/libgc
BDW_ROOT := $(BDW_TESTS)/root/bin
BDW_SOURCE := $(BUILD)/src/libgc
BDW_HOST := $(BDW_CORE) $(BDW_DIR)/mmu_process.c tests/libgc/test.c tests/libgc/revoke.c
HOST_TESTS += $(BDW_TESTS)/host $(BDW_TESTS)/revoke
GUEST_TESTS += $(addprefix $(BDW_ROOT)/,libgc-machine libgctest gctest cordtest libgctest-domain \
	gctest-domain cordtest-domain gcbench-domain gctest-at-once)
CHECK_TESTS += $(addprefix $(BDW_TESTS)/w3m/root/bin/,w3m libgc-w3m)

$(call hobj,$(BDW_HOST)): HCFLAGS += $(BDW_INCLUDE)
$(call hobj,$(BDW_HOST)): $(BUILD)/pkg/libgc-dev.stamp

$(BDW_TESTS)/host: $(call hobj,$(BDW_PROCESS) tests/libgc/test.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

BDW_REVOKE := $(BDW_CORE) $(GC_LINUX_MMU)
$(BDW_TESTS)/revoke: $(call hobj,$(BDW_REVOKE) tests/libgc/revoke.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

# Clients: NAME is a process's, NAME-domain has a domain of its own. Those of Debian's include
# internals of their source (private/gc_priv.h: names of kinds, a clock).
BDW_FOREIGN := -w -O2 -g -DGC_GCJ_SUPPORT -I$(BDW_SOURCE)/include
BDW_CORD := $(addprefix $(BDW_SOURCE)/cord/,cordbscs.c cordprnt.c cordxtra.c tests/cordtest.c)
define bdw_client
	$(call say,EXOCC)
	@mkdir -p $(@D)
	$(Q)$(BUILD)/exocc --libos=$(1) -o $@ $(2) -lgc
endef
BDW_STAMPS := $(BUILD)/src/libgc.stamp $(BUILD)/exocc

$(BDW_ROOT)/libgctest: tests/libgc/test.c $(BUILD)/exocc
	$(call bdw_client,posix,-std=gnu17 -O2 -g $(WARN) $<)
$(BDW_ROOT)/libgctest-domain: tests/libgc/test.c $(BUILD)/exocc
	$(call bdw_client,gc-runtime,-std=gnu17 -O2 -g $(WARN) $<)
$(BDW_ROOT)/gcbench-domain: tests/libgc/bench.c $(BUILD)/exocc
	$(call bdw_client,gc-runtime,-std=gnu17 -O2 -g $(WARN) $<)
$(BDW_ROOT)/gctest: $(BDW_STAMPS)
	$(call bdw_client,posix,$(BDW_FOREIGN) $(BDW_SOURCE)/tests/test.c)
$(BDW_ROOT)/gctest-domain: $(BDW_STAMPS)
	$(call bdw_client,gc-runtime,$(BDW_FOREIGN) -DNO_TEST_HANDLE_FORK \
		$(BDW_SOURCE)/tests/test.c)
$(BDW_ROOT)/gctest-at-once: $(BDW_STAMPS)
	$(call bdw_client,gc-runtime,$(BDW_FOREIGN) -DNO_TEST_HANDLE_FORK -DGC_DISABLE_INCREMENTAL \
		$(BDW_SOURCE)/tests/test.c)
$(BDW_ROOT)/cordtest: $(BDW_STAMPS)
	$(call bdw_client,posix,$(BDW_FOREIGN) $(BDW_CORD))
$(BDW_ROOT)/cordtest-domain: $(BDW_STAMPS)
	$(call bdw_client,gc-runtime,$(BDW_FOREIGN) $(BDW_CORD))
$(BDW_ROOT)/libgc-machine: tests/libgc/machine
	@mkdir -p $(@D)
	$(Q)cp $< $@

# w3m: its authors' source as Debian has it, with Debian's libtinfo (and so with its libc,
# static). That library and w3m both define LINES and COLS, which one program only has room for
# once. w3m's makefile needs make's built-in rules, which ours switches off.
W3M := $(BDW_TESTS)/w3m/build
W3M_CURSES := $(abspath $(BUILD))/pkg/libncurses-dev/usr
W3M_CFLAGS := -O2 -w -std=gnu17 -I$(W3M_CURSES)/include \
	-idirafter $(abspath $(SYSROOT))/posix/include
W3M_LINK := -static -Wl,-z,muldefs \
	-L$(abspath $(BUILD))/libgc/glibc -L$(W3M_CURSES)/lib/x86_64-linux-gnu
$(BDW_TESTS)/w3m/root/bin/w3m: $(BUILD)/upstream/w3m.stamp $(BUILD)/pkg/libncurses-dev.stamp \
		$(BUILD)/exocc $(BUILD)/libgc/glibc/libgc.a
	$(call say,W3M)
	$(Q)rm -rf $(W3M)
	@mkdir -p $(W3M) $(@D)
	$(Q)cd $(W3M) && $(abspath $(BUILD))/upstream/w3m/configure --quiet --disable-nls \
		--disable-image --disable-mouse --disable-digest-auth --without-ssl \
		--with-termlib=tinfo \
		--with-gc=$(abspath $(SYSROOT))/posix CC=$(CC) LDFLAGS='$(W3M_LINK)' \
		CFLAGS='$(W3M_CFLAGS)' > log 2>&1
	$(Q)MAKEFLAGS= make -s -C $(W3M) w3m >> $(W3M)/log 2>&1
	$(Q)strip -o $@ $(W3M)/w3m
$(BDW_TESTS)/w3m/root/bin/libgc-w3m: tests/libgc/w3m.sh
	@mkdir -p $(@D)
	$(Q)cp $< $@
