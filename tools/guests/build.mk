# The guests of ./virtue run --guests: a folder each under $(BUILD)/guests/root/guests, with kernel,
# initrd and guest.conf (docs/vmm.md). All kernels are Debian's, as they are in their packages.

# Not GUESTS, which is what a user gives to `make run`.
GUEST_ROOT := $(BUILD)/guests
CLOUD_KERNEL := linux-image-cloud-amd64
INSTALLER := debian-installer-12-netboot-amd64

.PHONY: guests
guests: $(GUEST_ROOT)/debian.stamp $(GUEST_ROOT)/grub.stamp $(GUEST_ROOT)/installer.stamp ## Fetch and pack the guests of ./virtue run --guests

$(GUEST_ROOT)/debian.stamp: $(BUILD)/pkg/$(CLOUD_KERNEL).stamp $(BUILD)/pkg/busybox-static.stamp \
		tools/virtue/newc.py $(shell find tools/guests/initrd -type f)
$(GUEST_ROOT)/grub.stamp: $(BUILD)/pkg/grub-xen-host.stamp
$(GUEST_ROOT)/installer.stamp: $(BUILD)/pkg/$(INSTALLER).stamp

$(GUEST_ROOT)/%.stamp: tools/guests/pack tools/guests/%.conf
	$(call say,GUEST)
	@mkdir -p $(@D)
	$(Q)tools/guests/pack $(BUILD) $* $(GUEST_ROOT)/root/guests/$*
	@touch $@

# The suites with Debian's kernels
GUEST_TESTS += $(GUEST_ROOT)/debian.stamp $(GUEST_ROOT)/grub.stamp
CHECK_TESTS += $(GUEST_ROOT)/installer.stamp
