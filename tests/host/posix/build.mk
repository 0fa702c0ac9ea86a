# Tests of the POSIX libOS's files half on the developer's machine (shim.h), under ASan and UBSan.

POSIX_FILES := $(patsubst %,libos/posix/%.c,iter vfs_attr vfs_dentry vfs_dir vfs_init vfs_io vfs_misc \
	vfs_mount vfs_names vfs_open vfs_path vfs_stat tmpfs cpio fd lock pipe poll epoll eventfd \
	ldisc ldisc_out tty console stream dev pty proc proc_process proc_system)
POSIX_HOST := $(call hobj,$(POSIX_FILES) tests/host/posix/shim.c)

HOST_TESTS += $(BUILD)/tests/host-posix
$(BUILD)/tests/host-posix: $(POSIX_HOST) $(call hobj,$(wildcard tests/host/posix/test_*.c))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

HOST_TESTS += $(BUILD)/tests/host-posix-linux
$(BUILD)/tests/host-posix-linux: $(POSIX_HOST) $(call hobj,tests/host/posix/linux.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^
