# Tests of the VMM libOS.

include $(wildcard tests/vmm/*/build.mk)

# The kernels of tests/vmm/dmesg, and what is in its dom0
CHECK_TESTS += $(patsubst %,$(BUILD)/pkg/%.stamp,linux-image-amd64 linux-image-cloud-amd64 busybox-static \
	xen-hypervisor-4.17-amd64 $(shell cat tests/vmm/xen-packages))
