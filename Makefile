# Virtue's build: flags, rules and lists that all folders share, and the targets a user types.
# What is built from which sources is left to one fragment a folder: every build.mk one or two
# folders deep is included.
#
# THE CONVENTION
#
# Everything made goes under $(BUILD) (default build; make BUILD=/elsewhere works). Paths are
# relative to the top of the tree, includes too: #include "exo/core/frame.h"; generated headers lie
# in $(BUILD)/gen, which is searched next: #include "abi/calls.h" for $(BUILD)/gen/abi/calls.h.
#
# One source can be compiled three ways, each into a tree of its own, by rules at the end of this
# file (.c and .S alike, dependencies by -MMD). A fragment never writes a compile rule:
#
#   $(call kobj,exo/core/frame.c)  ->  $(BUILD)/k/exo/core/frame.o   KCFLAGS  kernel
#   $(call uobj,apps/init/init.c)  ->  $(BUILD)/u/apps/init/init.o   UCFLAGS  libOS and its apps, freestanding
#   $(call hobj,tests/host/a.c)    ->  $(BUILD)/h/tests/host/a.o     HCFLAGS  host, ASan and UBSan (link with HLDFLAGS)
#
# (a C file belonging to two of them is simply named in both). Flags for one object or image are
# target-specific: $(BUILD)/u/apps/init/init.o: UCFLAGS += -Os.  Link with
# $(CC) $(KLDFLAGS)|$(ULDFLAGS)|$(HLDFLAGS) ... -o $@ objects.
#
# A fragment adds to these lists:
#
#   GENERATED   headers made by a generator; made before any object is compiled
#   IMAGES      $(BUILD)/NAME.elf: kernel.elf, and the boot modules; each goes into the ISO, module NAME
#   ROOTFS      PATH=FILE: FILE goes into the root archive as /PATH, with FILE's mode (ROOTFS += bin/hello=$(BUILD)/hello)
#   ROOTFS_DIRS folders of the tree (kept in git) merged into the root archive
#   HOST_TESTS  executables that print `ok NAME` and `FAIL NAME: why`; built and run by make test
#   GUEST_TESTS files that tests need besides the ISO (test modules, programs for --add); built by make test
#   CHECK_TESTS files that only the long part (make check) needs
#
# and defines further targets; `name: prerequisites ## one line` puts it into make help. What runs in
# the tests is said in suite files (tests/run --help), not here. Tools that a recipe needs beyond
# those in tools/need go into that table. Debian packages that aren't tools are prerequisites:
# $(BUILD)/pkg/NAME.stamp (binary package, unpacked in $(BUILD)/pkg/NAME/),
# $(BUILD)/src/NAME.stamp (source package, unpacked in $(BUILD)/src/NAME/) and
# $(BUILD)/upstream/NAME.stamp (its source without Debian's patches), made by tools/fetch.

BUILD ?= build
CC := gcc
PYTHON := python3
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:

Q := $(if $(V),,@)
say = @echo '  $(1)	$@'

# In this order, as later ones use variables of the first two
FIRST := exo/build.mk libos/common/build.mk
FRAGMENTS := $(FIRST) $(filter-out $(FIRST),$(sort $(wildcard */build.mk */*/build.mk)))

# Flags

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wundef -Wpointer-arith -Wvla -Wimplicit-fallthrough
CFLAGS_ALL := -std=gnu17 -g -fno-omit-frame-pointer -ffile-prefix-map=$(CURDIR)=. \
	-MMD -MP -I. -I$(BUILD)/gen $(WARN)
FREESTANDING := -ffreestanding -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fvisibility=hidden \
	-fpie -mcmodel=small

KCFLAGS := $(CFLAGS_ALL) -O2 $(FREESTANDING)
UCFLAGS := $(CFLAGS_ALL) -O2 $(FREESTANDING)
HCFLAGS := $(CFLAGS_ALL) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
KLDFLAGS := -nostdlib -static-pie -Wl,--no-dynamic-linker -Wl,-z,max-page-size=4096 \
	-Wl,--build-id=none -Wl,-z,noexecstack
ULDFLAGS := -nostdlib -static -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,-z,noexecstack
HLDFLAGS := -fsanitize=address,undefined

obj = $(patsubst %,$(BUILD)/$(1)/%.o,$(basename $(2)))
kobj = $(call obj,k,$(1))
uobj = $(call obj,u,$(1))
hobj = $(call obj,h,$(1))

# What fragments add to

GENERATED :=
IMAGES :=
ROOTFS :=
ROOTFS_DIRS := tools/rootfs
HOST_TESTS :=
GUEST_TESTS :=
CHECK_TESTS :=

all:
-include $(FRAGMENTS)

# Tools first: this file is remade, by installing what is missing, before any recipe runs

WITHOUT_TOOLS := help clean distclean
ifneq ($(filter-out $(WITHOUT_TOOLS),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/tools.mk
endif

$(BUILD)/tools.mk: tools/need
	@tools/need build run fetch
	@mkdir -p $(@D)
	@echo '# The tools of tools/need were there when this file was made.' > $@

# Targets

.PHONY: all help run trace iso gdb log test check clean distclean
all: $(BUILD)/virtue.iso ## Build all that a run needs

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(wildcard Makefile $(FRAGMENTS)) | \
		expand -t 20

# CMD, ADD and so on become options of ./virtue run. CMD goes by the environment, where no shell
# takes it apart (make itself still expands $$). GET and others are variables of make's own
# otherwise: only what the user gave counts.
given = $(if $(filter command environment,$(origin $(1))),$($(1)))
option = $(if $(call given,$(1)),$(2) '$(call given,$(1))')
flag = $(if $(call given,$(1)),$(2))
RUN_OPTIONS = $(call option,ADD,--add) $(call option,GET,--get) $(call option,MEM,--mem) \
	$(call option,CPUS,--cpus) $(call flag,UEFI,--uefi) $(call flag,ICOUNT,--icount) \
	$(call option,SEED,--seed) $(call option,QEMU,--qemu) $(call option,ACCEL,--accel) \
	$(call option,NIC,--nic) $(call option,HOSTFWD,--hostfwd) \
	$(call option,TIMEOUT,--timeout) $(call option,APPEND,--append) $(call flag,GUESTS,--guests) \
	$(RUNFLAGS)
WITH_COMMAND = $${CMD+-- "$$CMD"}
export BUILD
ifdef CMD
export CMD
endif

ifneq ($(call given,GUESTS),)
run trace gdb: guests
endif

run: all ## A shell in the machine, or CMD='...' (ADD=DIR GET=/path=file MEM= CPUS= UEFI=1 GUESTS=1 ...)
	@./virtue run $(RUN_OPTIONS) $(WITH_COMMAND)

trace: all ## Run CMD='...' and leave build/trace.json, for Perfetto and chrome://tracing
	@tools/trace $(BUILD)/trace.json "$${CMD:?CMD='...' is missing}" $(RUN_OPTIONS)

gdb: all ## The same under gdb, with symbols of kernel, libOS and init
	@tools/need gdb
	@./virtue gdb $(RUN_OPTIONS) $(WITH_COMMAND)

log: ## Print the kernel's log of the last run
	@./virtue log

iso: $(BUILD)/virtue.iso ## Leave build/virtue.iso, which boots by BIOS and UEFI, from CD or USB

test: all $(HOST_TESTS) $(GUEST_TESTS) ## The quick tests
	@tools/need test
	@tests/run $(TESTFLAGS)

check: all $(HOST_TESTS) $(GUEST_TESTS) $(CHECK_TESTS) ## The long tests
	@tools/need test
	@tests/run --long $(TESTFLAGS)

# What takes long to get again stays: packages, and what Linux answered to the tests (oracle).
KEPT := pkg src whole apt third-party.txt oracle
clean: ## Remove what was built (fetched packages stay; make distclean removes all)
	rm -rf $(filter-out $(KEPT:%=$(BUILD)/%),$(wildcard $(BUILD)/*))

distclean: ## Remove all of the build folder
	rm -rf $(BUILD)

# The boot image

MODULES = $(filter-out $(BUILD)/kernel.elf,$(IMAGES))
module = $(basename $(notdir $(1)))=$(1)

$(BUILD)/virtue.iso: $(BUILD)/kernel.elf $(MODULES) $(BUILD)/root.cpio tools/mkiso
	$(call say,ISO)
	$(Q)tools/mkiso $@ $(BUILD)/kernel.elf $(foreach m,$(MODULES) $(BUILD)/root.cpio,$(call module,$m))

# Symbolic links aside: what they name is the machine's, not the host's.
ROOTFS_FILES = $(foreach entry,$(ROOTFS),$(lastword $(subst =, ,$(entry)))) \
	$(shell find $(ROOTFS_DIRS) ! -type l -print)
ROOTFS_PACKAGES := busybox-static bash-static mksh

$(BUILD)/root.cpio: tools/mkroot tools/virtue/newc.py $(ROOTFS_PACKAGES:%=$(BUILD)/pkg/%.stamp) \
		$(ROOTFS_FILES)
	$(call say,ROOT)
	$(Q)tools/mkroot $(BUILD) $@ $(ROOTFS_DIRS) $(ROOTFS)

# Debian's packages

$(BUILD)/pkg/%.stamp: ; $(Q)tools/fetch $(BUILD) binary $*
$(BUILD)/src/%.stamp: ; $(Q)tools/fetch $(BUILD) source $*
$(BUILD)/upstream/%.stamp: ; $(Q)tools/fetch $(BUILD) upstream $*
.PRECIOUS: $(BUILD)/pkg/%.stamp $(BUILD)/src/%.stamp $(BUILD)/upstream/%.stamp

# Rules

# A recipe starts with $(call say,CC) and silences its commands by $(Q); make V=1 shows them all.
define compile
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(1) -c -o $@ $<
endef

$(BUILD)/k/%.o: %.c Makefile | $(GENERATED) ; $(call compile,$(KCFLAGS))
$(BUILD)/k/%.o: %.S Makefile | $(GENERATED) ; $(call compile,$(KCFLAGS))
$(BUILD)/u/%.o: %.c Makefile | $(GENERATED) ; $(call compile,$(UCFLAGS))
$(BUILD)/u/%.o: %.S Makefile | $(GENERATED) ; $(call compile,$(UCFLAGS))
$(BUILD)/h/%.o: %.c Makefile | $(GENERATED) ; $(call compile,$(HCFLAGS))

# Sources that are themselves generated, in $(BUILD)/gen
$(BUILD)/k/%.o: $(BUILD)/gen/%.c Makefile | $(GENERATED) ; $(call compile,$(KCFLAGS))
$(BUILD)/u/%.o: $(BUILD)/gen/%.c Makefile | $(GENERATED) ; $(call compile,$(UCFLAGS))
$(BUILD)/h/%.o: $(BUILD)/gen/%.c Makefile | $(GENERATED) ; $(call compile,$(HCFLAGS))

-include $(shell find $(BUILD)/k $(BUILD)/u $(BUILD)/h -name '*.d' 2>/dev/null)
