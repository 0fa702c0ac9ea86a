# The guests of ./virtue run --guests: a folder each under $(BUILD)/guests/root/guests, with kernel,
# initrd and guest.conf (docs/vmm.md). All kernels are Debian's, as they are in their packages.

GUESTS := $(BUILD)/guests
CLOUD_KERNEL := linux-image-cloud-amd64
INSTALLER := debian-installer-12-netboot-amd64

.PHONY: guests
guests: $(GUESTS)/debian.stamp $(GUESTS)/grub.stamp $(GUESTS)/installer.stamp ## Fetch and pack the guests of ./virtue run --guests

$(GUESTS)/debian.stamp: $(BUILD)/pkg/$(CLOUD_KERNEL).stamp $(BUILD)/pkg/busybox-static.stamp \
		tools/virtue/newc.py $(shell find tools/guests/initrd -type f)
$(GUESTS)/grub.stamp: $(BUILD)/pkg/grub-xen-host.stamp
$(GUESTS)/installer.stamp: $(BUILD)/pkg/$(INSTALLER).stamp

$(GUESTS)/%.stamp: tools/guests/pack tools/guests/%.conf
	$(call say,GUEST)
	@mkdir -p $(@D)
	$(Q)tools/guests/pack $(BUILD) $* $(GUESTS)/root/guests/$*
	@touch $@

# The suites with Debian's kernels
GUEST_TESTS += $(GUESTS)/debian.stamp $(GUESTS)/grub.stamp
CHECK_TESTS += $(GUESTS)/installer.stamp
