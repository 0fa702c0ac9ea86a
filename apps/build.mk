# Programs of the libOS `bare`: init, and every apps/NAME with an app.mk; the sysroot of exocc.

BARE_CRT := $(call uobj,libos/common/start_entry.S)
INIT_OBJS := $(call uobj,apps/init/init.c apps/init/policy.c)
IMAGES += $(BUILD)/init.elf

$(BUILD)/init.elf: $(INIT_OBJS) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0x400000)

# $(BUILD)/NAME from apps/NAME/*.c, and NAME_SRC of its app.mk, where all else that it needs is too.
BARE_APPS := $(filter-out skeleton,$(patsubst apps/%/app.mk,%,$(wildcard apps/*/app.mk)))

define bare_app
$(BUILD)/$(1): $(call uobj,$(wildcard apps/$(1)/*.c) $($(1)_SRC)) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$$(call say,LD)
	$$(call link_app,0x400000)
endef
include $(BARE_APPS:%=apps/%/app.mk)
$(foreach app,$(BARE_APPS),$(eval $(call bare_app,$(app))))

# The tools of the POSIX session: ordinary static programs.
DOMAIN_TOOLS := domain domains
ROOTFS += $(foreach tool,$(DOMAIN_TOOLS),bin/$(tool)=$(BUILD)/$(tool))
MUSL_FLAGS := -static -O2 -g -std=gnu17 -Wall -Wextra -Werror -I.

$(DOMAIN_TOOLS:%=$(BUILD)/%): $(BUILD)/%: apps/domain/%.c libos/common/domain_dev.h libos/common/proxy.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(MUSL_FLAGS) -o $@ $<

.PHONY: new exocc
new: ## Start a program of your own: make new APP=name
	@tools/newapp '$(APP)'

# What exocc compiles and links against.
SYSROOT := $(BUILD)/sysroot
exocc: $(BUILD)/exocc ## The compiler for libOS programs outside the tree: build/exocc

$(BUILD)/exocc: tools/exocc $(SYSROOT)/lib/libcommon.a
	$(Q)cp $< $@

$(SYSROOT)/lib/libcommon.a: $(LIBCOMMON) $(BARE_CRT) $(APP_LD) apps/build.mk $(wildcard exo/abi/*.h) $(ABI_GEN)/calls.h \
		$(wildcard libos/common/*.h)
	$(call say,SYSROOT)
	@mkdir -p $(SYSROOT)/lib $(SYSROOT)/include/exo/abi $(SYSROOT)/include/libos/common
	$(Q)cp exo/abi/*.h $(SYSROOT)/include/exo/abi/
	$(Q)cp $(ABI_GEN)/calls.h $(SYSROOT)/include/exo/
	$(Q)cp libos/common/*.h $(SYSROOT)/include/libos/common/
	$(Q)cp $(APP_LD) $(BARE_CRT) $(SYSROOT)/lib/
	$(Q)cp $(LIBCOMMON) $@

# The kernel tests: a session of its own (./virtue run --append session=ktest --module ktest=...).

KTEST := $(BUILD)/tests/guest/ktest.elf
KTEST_CHILD := $(BUILD)/tests/guest/child.elf
KTEST_OBJS := $(call uobj,$(wildcard tests/guest/*.c))
KTEST_MAIN := $(filter-out %/child.o,$(KTEST_OBJS))
GUEST_TESTS += $(KTEST) $(BUILD)/exocc

$(BUILD)/u/tests/guest/domains.o: $(KTEST_CHILD)
$(BUILD)/u/tests/guest/domains.o: UCFLAGS += -DCHILD_ELF=\"$(KTEST_CHILD)\"
$(BUILD)/u/tests/guest/proxies.o: $(BUILD)/hello
$(BUILD)/u/tests/guest/proxies.o: UCFLAGS += -DHELLO_ELF=\"$(BUILD)/hello\"

$(KTEST_CHILD): $(BUILD)/u/tests/guest/child.o $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

$(KTEST): $(KTEST_MAIN) $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)

# Programs for the cases of domains started from the shell; a folder for ./virtue run --add.
DOMAIN_CASES := $(BUILD)/tests/domain
GUEST_TESTS += $(DOMAIN_CASES)/bin/filer $(DOMAIN_CASES)/bin/blocks $(DOMAIN_CASES)/cases $(DOMAIN_CASES)/sessions $(DOMAIN_CASES).img

# A disk of zeroes for a suite; its first blocks stay zeroes, so that init gives it away each time.
$(BUILD)/tests/%.img:
	@mkdir -p $(@D)
	$(Q)truncate -s 16M $@

$(DOMAIN_CASES)/bin/filer $(DOMAIN_CASES)/bin/blocks: $(DOMAIN_CASES)/bin/%: \
		$(BUILD)/u/tests/domain/%.o $(BARE_CRT) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	@mkdir -p $(@D)
	$(call link_app,0x400000)


$(DOMAIN_CASES)/cases $(DOMAIN_CASES)/sessions: $(DOMAIN_CASES)/%: tests/domain/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
