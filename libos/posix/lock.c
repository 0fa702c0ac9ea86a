/* Advisory locks: records (fcntl) belong to a process's descriptors, whole-file ones (flock) to an
 * open file.  The two kinds don't see each other.
 */
#include "libos/posix/vfs.h"

struct record_lock {
	struct record_lock *next;
	void *owner;			/* struct files, or for flock a struct file */
	uint64_t start, end;		/* inclusive */
	int pid;
	bool write, whole_file;
};

/* Who sleeps for a record, for the test for deadlocks. */
struct sleeper {
	struct sleeper *next;
	void *owner, *for_owner;
};
static struct sleeper *sleepers;

static bool conflicts(const struct record_lock *a, const struct record_lock *b)
{
	return a->owner != b->owner && a->whole_file == b->whole_file && a->start <= b->end &&
		b->start <= a->end && (a->write || b->write);
}

/* The first (by offset) that stands in the way. */
static struct record_lock *conflict_find(struct inode *i, const struct record_lock *want)
{
	struct record_lock *first = NULL;

	for (struct record_lock *l = i->locks; l; l = l->next)
		if (conflicts(l, want) && (!first || l->start < first->start))
			first = l;
	return first;
}

static void list_add(struct inode *i, struct record_lock *l)
{
	l->next = i->locks;
	i->locks = l;
}

/* Takes [start, end] out of the owner's locks; `spare` serves if one is split.  Returns whether
 * spare was used. */
static bool range_clear(struct inode *i, const struct record_lock *r, struct record_lock *spare)
{
	struct record_lock **at = &i->locks;
	bool used = false;

	while (*at) {
		struct record_lock *l = *at;

		if (l->owner != r->owner || l->whole_file != r->whole_file || l->end < r->start ||
		    l->start > r->end) {
			at = &l->next;
		} else if (l->start < r->start && l->end > r->end) {
			*spare = *l;
			spare->start = r->end + 1;
			l->end = r->start - 1;
			list_add(i, spare);
			return true;
		} else if (l->start < r->start) {
			l->end = r->start - 1;
			at = &l->next;
		} else if (l->end > r->end) {
			l->start = r->end + 1;
			at = &l->next;
		} else {
			*at = l->next;
			kfree(l);
		}
	}
	return used;
}

static long lock_set(struct inode *i, const struct record_lock *want, bool unlock)
{
	struct record_lock *spare = kmalloc(sizeof *spare), *l = kmalloc(sizeof *l);

	if (!spare || !l) {
		kfree(spare);
		kfree(l);
		return -ENOLCK;
	}
	if (!range_clear(i, want, spare))
		kfree(spare);
	if (unlock) {
		kfree(l);
	} else {
		*l = *want;
		list_add(i, l);
	}
	wake(&i->lock_wake);
	return 0;
}

/* Takes all the owner's locks that are, or are not, for writing. */
static void locks_drop(struct inode *i, void *owner, bool write)
{
	struct record_lock **at = &i->locks;
	bool dropped = false;

	while (*at) {
		struct record_lock *l = *at;

		if (l->owner != owner || l->write != write) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		kfree(l);
		dropped = true;
	}
	if (dropped)
		wake(&i->lock_wake);
}

static bool would_deadlock(void *owner, void *holder)
{
	for (int hops = 0; hops < 64; hops++) {
		struct sleeper *s = sleepers;

		if (holder == owner)
			return true;
		while (s && s->owner != holder)
			s = s->next;
		if (!s)
			return false;
		holder = s->for_owner;
	}
	return false;
}

static long lock_sleep(struct inode *i, void *owner, void *holder, bool record)
{
	struct sleeper me = { sleepers, owner, holder }, **at = &sleepers;
	long error;

	if (record && would_deadlock(owner, holder))
		return -EDEADLK;
	if (record)
		sleepers = &me;
	error = sleep_on(&i->lock_wake.queue, ~0ull);
	if (record) {
		while (*at != &me)
			at = &(*at)->next;
		*at = me.next;
	}
	return error;
}

/* Waits for what is in the way, then sets or clears. */
static long lock_apply(struct inode *i, const struct record_lock *want, bool unlock, bool block)
{
	struct record_lock *other;
	long error;

	while (!unlock && (other = conflict_find(i, want))) {
		if (!block)
			return -EAGAIN;
		error = lock_sleep(i, want->owner, other->owner, !want->whole_file);
		if (error)
			return error;
	}
	return lock_set(i, want, unlock);
}

/* ---- fcntl ---- */

static long range_from(struct file *f, const struct linux_flock *fl, struct record_lock *l)
{
	int64_t base, start, end;

	if (fl->whence < SEEK_SET || fl->whence > SEEK_END)
		return -EINVAL;
	base = fl->whence == SEEK_SET ? 0 : fl->whence == SEEK_CUR ? (int64_t)f->pos :
		(int64_t)f->inode->size;
	if (__builtin_add_overflow(base, fl->start, &start))
		return -EOVERFLOW;
	end = INT64_MAX;
	if (fl->length > 0 && __builtin_add_overflow(start, fl->length - 1, &end))
		return -EOVERFLOW;
	if (fl->length < 0) {
		end = start - 1;
		start += fl->length;
	}
	if (start < 0)
		return -EINVAL;
	l->start = start;
	l->end = end;
	return 0;
}

static long lock_get(struct file *f, const struct record_lock *want, struct linux_flock *fl)
{
	struct record_lock *l = conflict_find(f->inode, want);

	if (!l) {
		fl->type = F_UNLCK;
		return 0;
	}
	*fl = (struct linux_flock){
		.type = l->write ? F_WRLCK : F_RDLCK, .whence = SEEK_SET, .start = l->start,
		.length = l->end == INT64_MAX ? 0 : l->end - l->start + 1, .pid = l->pid,
	};
	return 0;
}

long lock_record(struct file *f, int command, uint64_t arg)
{
	struct process *me = current_process();
	struct record_lock want = { .owner = me->files, .pid = me->pid };
	struct linux_flock fl;
	long error;

	if (copy_from_user(&fl, arg, sizeof fl))
		return -EFAULT;
	error = range_from(f, &fl, &want);
	if (error)
		return error;
	if (fl.type != F_RDLCK && fl.type != F_WRLCK && (fl.type != F_UNLCK || command == F_GETLK))
		return -EINVAL;
	want.write = fl.type == F_WRLCK;
	if (command == F_GETLK) {
		lock_get(f, &want, &fl);
		return copy_to_user(arg, &fl, sizeof fl);
	}
	if ((fl.type == F_RDLCK && !file_readable(f)) || (fl.type == F_WRLCK && !file_writable(f)))
		return -EBADF;
	return lock_apply(f->inode, &want, fl.type == F_UNLCK, command == F_SETLKW);
}

/* ---- flock ---- */

long lock_flock(struct file *f, int operation)
{
	struct record_lock want = { .owner = f, .end = INT64_MAX, .whole_file = true,
		.pid = current_process()->pid };
	int kind = operation & ~LOCK_NB;

	want.write = kind == LOCK_EX;
	/* A lock of the other kind goes first, even if the new one can't be had, as on Linux. */
	locks_drop(f->inode, f, !want.write);
	return lock_apply(f->inode, &want, kind == LOCK_UN, !(operation & LOCK_NB));
}

void locks_release(struct inode *i, void *owner)
{
	locks_drop(i, owner, true);
	locks_drop(i, owner, false);
}
