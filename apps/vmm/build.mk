# /bin/vmm: an ordinary static program of the POSIX session.

VMM_TOOL := $(BUILD)/vmm
VMM_TOOL_SOURCES := $(wildcard apps/vmm/*.c)
ROOTFS += bin/vmm=$(VMM_TOOL)

$(VMM_TOOL): $(VMM_TOOL_SOURCES) apps/vmm/vmm.h libos/common/domain_dev.h libos/common/proxy.h
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(MUSL_FLAGS) -o $@ $(VMM_TOOL_SOURCES)
