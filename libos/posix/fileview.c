/* The few facts of an open file that memory and /proc/PID/maps need. */
#include "libos/posix/vfs.h"
#include "libos/posix/fileview.h"

int file_mode(struct file *f)
{
	return (int)f->flags;
}

bool file_is_zeroes(struct file *f)
{
	return S_ISCHR(f->inode->mode) && f->inode->rdev == ZERO_DEVICE;
}

void file_identity(struct file *f, uint64_t *dev, uint64_t *ino)
{
	*dev = f->inode->super->dev;
	*ino = f->inode->ino;
}

long file_write_kernel(struct file *f, const char *text, size_t n)
{
	struct iovec one;
	struct iter from;
	iter_kernel(&from, &one, (void *)text, n);
	return file_write(f, &from, &f->pos);
}

char *file_text(const char *path)
{
	struct file *f;
	if (file_open_path(AT_FDCWD, path, O_RDONLY, 0, &f))
		return NULL;
	size_t size = file_size(f);
	char *text = kmalloc(size + 1);
	if (text && file_read_at(f, text, size, 0) != (long)size) {
		kfree(text);
		text = NULL;
	}
	file_put(f);
	return text;
}

long directory_enter(const char *path)
{
	struct walk w;
	struct fs *fs = current_process()->fs;
	long error = walk_path(&w, AT_FDCWD, path, WALK_FOLLOW);
	if (!error && !S_ISDIR(w.found->inode->mode))
		error = -ENOTDIR;
	if (!error) {
		dentry_get(w.found);
		dentry_put(fs->cwd);
		fs->cwd = w.found;
	}
	walk_end(&w);
	return error;
}
