/* What a session's file tree starts with: the root, and after it was unpacked /dev, /proc, /tmp. */
#include "libos/posix/tty.h"

void vfs_init(void)
{
	struct super *root = tmpfs_new();

	if (!root || super_mount(root, "rootfs", NULL))
		posix_panic("no memory for the root file system");
	root->type = "rootfs";
	root->flags = 0;
	console_init();
}

/* Makes a folder of the root, if the archive didn't, and mounts s on it. */
static void folder(const char *name, uint32_t mode, struct super *s, const char *source)
{
	struct walk w;
	struct dentry *d;
	long error = walk_path(&w, AT_FDCWD, name, WALK_FOLLOW);

	if (!error) {
		d = w.found;
		dentry_get(d);
	} else {
		error = dir_make(mounts->root, name + 1, S_IFDIR | mode, 0, &d);
	}
	walk_end(&w);
	if (!error && source)
		error = s ? super_mount(s, source, d) : -ENOMEM;
	if (error)
		posix_panic("%s: error %ld", name, -error);
	dentry_put(d);
}

void vfs_ready(void)
{
	folder("/proc", 0555, proc_new(), "proc");
	folder("/dev", 0755, dev_new(), "dev");
	folder("/tmp", 01777, NULL, NULL);
	folder("/dev/pts", 0755, pts_new(), "devpts");
}
