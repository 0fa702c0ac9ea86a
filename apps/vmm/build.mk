# /bin/vmm: an ordinary static program of the POSIX session. It shares the code of virtual disks with
# the monitor.

VMM_TOOL := $(BUILD)/vmm
VMM_TOOL_SOURCES := $(wildcard apps/vmm/*.c) libos/vmm/disk.c libos/vmm/disk_cow.c \
	libos/vmm/disk_snapshot.c libos/common/text.c
ROOTFS += bin/vmm=$(VMM_TOOL)

$(VMM_TOOL): $(VMM_TOOL_SOURCES) apps/vmm/vmm.h libos/vmm/disk.h libos/vmm/cow.h \
		libos/vmm/xen.h libos/common/text.h libos/common/domain_dev.h libos/common/proxy.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(MUSL_FLAGS) -o $@ $(VMM_TOOL_SOURCES)
