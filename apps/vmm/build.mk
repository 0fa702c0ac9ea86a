# /bin/vmm: an ordinary static program of the POSIX session. It shares the code of virtual disks with
# the monitor, and takes SHA-256 from the XZ sources that the monitor's decoder comes from.

VMM_TOOL := $(BUILD)/vmm
VMM_TOOL_SOURCES := $(filter-out apps/vmm/digest.c,$(wildcard apps/vmm/*.c)) libos/vmm/disk.c \
	libos/vmm/disk_cow.c libos/common/text.c
VMM_DIGEST := $(BUILD)/vmm-digest.o $(BUILD)/vmm-sha256.o
ROOTFS += bin/vmm=$(VMM_TOOL)

VMM_SHA256 = $(XZ)/liblzma/check/sha256.c
VMM_SHA256_FLAGS = -DHAVE_STDBOOL_H -DHAVE_STDINT_H -DHAVE_STRING_H -DNDEBUG \
	$(subst -I,-isystem ,$(XZ_INCLUDE)) -isystem $(XZ)/liblzma/check

$(BUILD)/vmm-digest.o: apps/vmm/digest.c apps/vmm/vmm.h $(BUILD)/src/xz-utils.stamp
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(MUSL_FLAGS) $(VMM_SHA256_FLAGS) -c -o $@ $<

$(BUILD)/vmm-sha256.o: $(BUILD)/src/xz-utils.stamp
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(MUSL_FLAGS) -w $(VMM_SHA256_FLAGS) -c -o $@ $(VMM_SHA256)

$(VMM_TOOL): $(VMM_TOOL_SOURCES) $(VMM_DIGEST) apps/vmm/vmm.h libos/vmm/disk.h libos/vmm/cow.h \
		libos/vmm/xen.h libos/common/text.h libos/common/domain_dev.h libos/common/proxy.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(MUSL_FLAGS) -o $@ $(VMM_TOOL_SOURCES) $(VMM_DIGEST)
