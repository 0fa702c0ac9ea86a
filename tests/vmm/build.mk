# Tests of the VMM libOS.

include $(wildcard tests/vmm/*/build.mk)

# The kernels of tests/vmm/dmesg
CHECK_TESTS += $(BUILD)/pkg/linux-image-amd64.stamp $(BUILD)/pkg/xen-hypervisor-4.17-amd64.stamp
