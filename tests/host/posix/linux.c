/* Compares the files half with the Linux that runs this: the same random file operations go to
 * both, and results, error numbers and what is read must be equal.
 *
 *	build/tests/host-posix-linux [OPERATIONS [SEED]]		VERBOSE=1: tells each
 *
 * Linux's side works on a fresh tmpfs folder as its root (chroot, in a user namespace where that
 * needs it), so that `..` and absolute links mean the same.  Not compared: times, inode numbers,
 * the order of a listing (kernels differ in it; see test_files.c).
 */
#include "tests/host/posix/shim.h"

/* ---- Linux ---- */

static long linux_call(long n, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10),
		"r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}

#define CALLS \
	X(READ, 0, read) X(WRITE, 1, write) X(OPEN, 2, open) X(CLOSE, 3, close) X(STAT, 4, stat) \
	X(FSTAT, 5, fstat) X(LSTAT, 6, lstat) X(LSEEK, 8, lseek) X(PREAD, 17, pread64) \
	X(PWRITE, 18, pwrite64) X(ACCESS, 21, access) X(DUP, 32, dup) X(SENDFILE, 40, sendfile) \
	X(FCNTL, 72, fcntl) X(FLOCK, 73, flock) X(TRUNCATE, 76, truncate) \
	X(FTRUNCATE, 77, ftruncate) X(GETCWD, 79, getcwd) X(CHDIR, 80, chdir) \
	X(FCHDIR, 81, fchdir) X(RENAME, 82, rename) X(MKDIR, 83, mkdir) X(RMDIR, 84, rmdir) \
	X(LINK, 86, link) X(UNLINK, 87, unlink) X(SYMLINK, 88, symlink) X(READLINK, 89, readlink) \
	X(CHMOD, 90, chmod) X(FCHMOD, 91, fchmod) X(CHOWN, 92, chown) X(LCHOWN, 94, lchown) \
	X(UMASK, 95, umask) X(MKNOD, 133, mknod) X(CHROOT, 161, chroot) \
	X(GETDENTS64, 217, getdents64) X(OPENAT, 257, openat) X(NEWFSTATAT, 262, newfstatat) \
	X(UNLINKAT, 263, unlinkat) X(LINKAT, 265, linkat) X(UTIMENSAT, 280, utimensat) \
	X(FALLOCATE, 285, fallocate) X(RENAMEAT2, 316, renameat2) \
	X(COPY_FILE_RANGE, 326, copy_file_range) X(STATX, 332, statx) \
	X(FACCESSAT2, 439, faccessat2)

#define X(id, number, name) id = number,
enum { CALLS SIGPROCMASK = 14, FCHMODAT = 268, UNSHARE = 272, GETUID = 102 };
#undef X

static const struct {
	const char *name;
	syscall_fn *fn;
} calls[512] = {
#define X(id, number, name) [number] = { #name, sys_##name },
	CALLS
#undef X
};

/* ---- random ---- */

static uint64_t state;

static uint32_t random_below(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % n;
}

static bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

/* ---- one operation ---- */

#define FDS 8
#define DATA 20000

static struct { long real, mine; } fds[FDS];		/* -1: none */
static uint8_t buf_real[DATA], buf_mine[DATA];
static char path_a[PATH_MAX + 64], path_b[PATH_MAX + 64];
static char told[256];
static bool verbose;
static bool with_holes;			/* SEEK_DATA and SEEK_HOLE, not fallocate */
static bool own_ids;			/* not really root: only id 0 exists */

static const char *const words[] = { "a", "b", "c", "d", "e", "link", "dir", "f.txt" };

static void path_random(char *p)
{
	unsigned parts = 1 + random_below(3);
	char *start = p;

	if (chance(1)) {
		*p = 0;
		return;
	}
	if (chance(2)) {
		size_t n = 200 + random_below(100);	/* a component around NAME_MAX */

		memset(p, 'n', n);
		p[n] = 0;
		return;
	}
	if (chance(1)) {
		size_t n = 4085 + random_below(20);	/* a path around PATH_MAX */

		for (size_t k = 0; k < n; k++)
			p[k] = k % 2 ? '/' : '.';
		p[n] = 0;
		return;
	}
	if (chance(15))
		*p++ = '/';
	for (unsigned k = 0; k < parts; k++) {
		const char *word = chance(4) ? "." : chance(6) ? ".." : words[random_below(8)];

		p += sprintf(p, "%s%s", k ? chance(5) ? "//" : "/" : "", word);
	}
	if (chance(8))
		*p++ = '/';
	*p = 0;
	if (chance(1))
		strcpy(start, "/");
}

/* Both sides; descriptors among the arguments are given by index (fd + 1 in the mask's bits). */
struct op {
	long call;
	uint64_t arg[6];
	unsigned fd_mask, buf_mask;	/* arguments that are indices of fds[], or the buffer */
	size_t out;			/* bytes of the buffer to compare */
};

static void op_describe(const struct op *o, long real, long mine)
{
	snprintf(told, sizeof told,
		"%s(%lx, %lx, %lx, %lx) a='%.60s' b='%.60s': Linux %ld, here %ld",
		calls[o->call].name, o->arg[0], o->arg[1], o->arg[2], o->arg[3], path_a, path_b,
		real,
		mine);
}

static void op_both(const struct op *o, long *real, long *mine)
{
	uint64_t r[6], m[6];

	for (int k = 0; k < 6; k++) {
		r[k] = m[k] = o->arg[k];
		if (o->fd_mask >> k & 1) {
			r[k] = fds[o->arg[k]].real;
			m[k] = fds[o->arg[k]].mine;
		} else if (o->buf_mask >> k & 1) {
			r[k] = U(buf_real);
			m[k] = U(buf_mine);
		}
	}
	*real = linux_call(o->call, r[0], r[1], r[2], r[3], r[4], r[5]);
	*mine = calls[o->call].fn(m[0], m[1], m[2], m[3], m[4], m[5]);
	op_describe(o, *real, *mine);
	if (verbose)
		printf("%s\n", told);
}

/* A call that gives a number: equal on both sides, and so is what it wrote to the buffer. */
static long op_run(struct op o)
{
	long real, mine;

	if (o.out) {
		memset(buf_real, 0x55, o.out);
		memset(buf_mine, 0x55, o.out);
	}
	op_both(&o, &real, &mine);
	CHECK(real == mine, "%s", told);
	if (o.out)
		CHECK(!memcmp(buf_real, buf_mine, o.out), "%s: the data differ", told);
	return real;
}

#define RUN(c, ...) op_run((struct op){ .call = c, .arg = { __VA_ARGS__ } })
#define RUN_FD(c, ...) op_run((struct op){ .call = c, .fd_mask = 1, .arg = { __VA_ARGS__ } })

static int fd_any(void)
{
	int k = random_below(FDS);

	for (int n = 0; n < FDS && fds[k].real < 0; n++)
		k = (k + 1) % FDS;
	return fds[k].real < 0 ? -1 : k;
}

static void fd_close(int k)
{
	if (k < 0)
		return;
	RUN_FD(CLOSE, k);
	fds[k].real = fds[k].mine = -1;
}

/* A call that gives a descriptor: both or the same error. */
static void fd_made(struct op o)
{
	int k = 0;
	long real, mine;

	while (k < FDS && fds[k].real >= 0)
		k++;
	if (k == FDS)
		fd_close(k = random_below(FDS));
	op_both(&o, &real, &mine);
	CHECK((real >= 0 && mine >= 0) || real == mine, "%s", told);
	fds[k].real = real < 0 ? -1 : real;
	fds[k].mine = mine < 0 ? -1 : mine;
}

/* ---- stat ---- */

static void stat_same(const struct linux_stat *r, const struct linux_stat *m)
{
	CHECK(r->mode == m->mode, "%s: mode %o, %o", told, r->mode, m->mode);
	CHECK(r->nlink == m->nlink, "%s: nlink %lu, %lu", told, r->nlink, m->nlink);
	CHECK(r->uid == m->uid && r->gid == m->gid, "%s: uid %u, %u", told, r->uid, m->uid);
	CHECK(r->size == m->size, "%s: size %ld, %ld", told, r->size, m->size);
	CHECK(r->blocks == m->blocks, "%s: blocks %ld, %ld", told, r->blocks, m->blocks);
	CHECK(r->blksize == m->blksize && r->rdev == m->rdev, "%s: blksize, rdev", told);
}

static void op_stat(struct op o)
{
	long real, mine;

	op_both(&o, &real, &mine);
	CHECK(real == mine, "%s", told);
	if (real == 0)
		stat_same((void *)buf_real, (void *)buf_mine);
}

static void op_statx(void)
{
	struct linux_statx *r = (void *)buf_real, *m = (void *)buf_mine;
	struct op o = { .call = STATX, .arg = { AT_FDCWD, U(path_a),
		chance(50) ? AT_SYMLINK_NOFOLLOW : 0, 0x7ff },
		.buf_mask = 16 };
	long real, mine;

	op_both(&o, &real, &mine);
	CHECK(real == mine, "%s", told);
	if (real == 0)
		CHECK(r->mode == m->mode && r->size == m->size && r->nlink == m->nlink, "%s: statx",
			told);
}

/* ---- folders ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries of a listing as one sorted text with their types. */
static void listing(uint8_t *buf, long n, char *out)
{
	static char lines[512][300];
	char *sorted[512];
	int count = 0;

	for (long at = 0; at < n; count++) {
		struct linux_dirent64 *e = (void *)(buf + at);

		snprintf(lines[count], sizeof lines[0], "%s %d\n", e->name, e->type);
		sorted[count] = lines[count];
		at += e->length;
	}
	qsort(sorted, count, sizeof *sorted, by_name);
	for (int k = 0; k < count; k++)
		out += sprintf(out, "%s", sorted[k]);
	*out = 0;
}

static void op_list(void)
{
	static char real_text[DATA * 2], mine_text[DATA * 2];
	struct op o = { .call = GETDENTS64, .arg = { fd_any(), 0, DATA }, .fd_mask = 1,
		.buf_mask = 2 };
	long real, mine;

	if ((int)o.arg[0] < 0)
		return;
	RUN_FD(LSEEK, o.arg[0], 0, SEEK_SET);
	op_both(&o, &real, &mine);
	CHECK((real > 0) == (mine > 0) && (real > 0 || real == mine), "%s", told);
	if (real <= 0)
		return;
	listing(buf_real, real, real_text);
	listing(buf_mine, mine, mine_text);
	CHECK(!strcmp(real_text, mine_text), "%s:\n%s---\n%s", told, real_text, mine_text);
}

/* ---- the operations ---- */

static uint32_t open_flags(void)
{
	uint32_t flags = random_below(3) | O_NONBLOCK;	/* a FIFO must not block */

	flags |= chance(40) ? O_CREAT : 0;
	flags |= chance(10) ? O_EXCL : 0;
	flags |= chance(10) ? O_TRUNC : 0;
	flags |= chance(15) ? O_APPEND : 0;
	flags |= chance(8) ? O_NOFOLLOW : 0;
	flags |= chance(10) ? O_DIRECTORY : 0;
	if ((flags & O_EXCL) && !(flags & O_CREAT))
		flags &= ~O_EXCL;
	if (chance(3))
		flags = O_PATH | (chance(50) ? O_NOFOLLOW : 0);
	return flags;
}

static uint64_t offset_random(void)
{
	return chance(5) ? (uint64_t)-1 : chance(5) ? random_below(1u << 30) :
		random_below(3 * DATA);
}

/* In a user namespace Linux drops set-id bits that root would keep. */
static uint32_t mode_random(void)
{
	return random_below(010000) & (own_ids ? 01777 : 07777);
}

static void op_open(void)
{
	int dir = chance(20) ? fd_any() : -1;
	uint32_t flags = open_flags(), mode = random_below(01000);

	if (dir >= 0)
		fd_made((struct op){ .call = OPENAT, .arg = { dir, U(path_a), flags, mode },
			.fd_mask = 1 });
	else
		fd_made((struct op){ .call = OPEN, .arg = { U(path_a), flags, mode } });
}

static void op_data(int fd)
{
	size_t n = chance(50) ? random_below(100) : random_below(DATA);
	bool positioned = chance(40), writes = chance(50);
	struct op o = { .call = positioned ? writes ? PWRITE : PREAD : writes ? WRITE : READ,
		.arg = { fd, 0, n, positioned ? offset_random() : 0 }, .fd_mask = 1, .buf_mask = 2,
		.out = writes ? 0 : n };

	for (size_t k = 0; writes && k < n; k++)
		buf_real[k] = buf_mine[k] = random_below(256);
	op_run(o);
}

/* Positions in a folder are each kernel's own; what fallocate reserved counts as a hole on Linux
 * only, so a run does one or the other. */
static void op_position(int fd)
{
	int64_t by = (int64_t)offset_random() - (chance(30) ? DATA : 0);
	uint32_t whence = random_below(6);
	struct linux_stat st;

	IS(SYS(fstat, fds[fd].mine, &st), 0);
	if (S_ISDIR(st.mode))
		RUN_FD(LSEEK, fd, 0, whence == SEEK_CUR || whence > 2 ? SEEK_SET : whence);
	else if (whence != SEEK_DATA && whence != SEEK_HOLE)
		RUN_FD(LSEEK, fd, by, whence);
	else if (with_holes)
		RUN_FD(LSEEK, fd, by, whence);
}

static void op_size(int fd)
{
	uint64_t size = offset_random();
	static const uint32_t modes[] = { 0, 0, 1, 3, 3, 2 };

	switch (random_below(3)) {
	case 0:
		RUN_FD(FTRUNCATE, fd, size);
		break;
	case 1:
		RUN(TRUNCATE, U(path_a), size);
		break;
	default:
		size = chance(5) ? (uint64_t)-1 : random_below(3 * DATA);
		RUN_FD(FALLOCATE, fd, modes[with_holes ? 3 : random_below(6)], size,
			random_below(DATA));
	}
}

static void op_rename(void)
{
	static const uint32_t flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE, 3 };

	if (chance(70))
		RUN(RENAME, U(path_a), U(path_b));
	else
		RUN(RENAMEAT2, AT_FDCWD, U(path_a), AT_FDCWD, U(path_b), flags[random_below(4)]);
}

static void op_remove(void)
{
	switch (random_below(3)) {
	case 0:
		RUN(UNLINK, U(path_a));
		break;
	case 1:
		RUN(RMDIR, U(path_a));
		break;
	default:
		RUN(UNLINKAT, AT_FDCWD, U(path_a), chance(50) ? AT_REMOVEDIR : 0);
	}
}

static void op_make(void)
{
	switch (random_below(5)) {
	case 0:
		RUN(LINK, U(path_a), U(path_b));
		break;
	case 1:
		RUN(LINKAT, AT_FDCWD, U(path_a), AT_FDCWD, U(path_b),
			chance(50) ? AT_SYMLINK_FOLLOW : 0);
		break;
	case 2:
		RUN(SYMLINK, U(path_a), U(path_b));
		break;
	case 3:
		RUN(MKNOD, U(path_a), (chance(70) ? S_IFIFO : S_IFREG) | 0644, 0);
		break;
	default:
		RUN(MKDIR, U(path_a), mode_random());
	}
}

static void op_attributes(int fd)
{
	uint32_t mode = mode_random();
	struct timespec64 t[2] = { { 5, 6 }, { 7, UTIME_OMIT } };

	switch (random_below(8)) {
	case 0:
		RUN(CHMOD, U(path_a), mode);
		break;
	case 1:
		RUN_FD(FCHMOD, fd, mode);
		break;
	case 2:
		RUN(CHOWN, U(path_a), own_ids ? 0 : random_below(3), own_ids ? 0 : random_below(3));
		break;
	case 3:
		RUN(LCHOWN, U(path_a), -1, own_ids ? 0 : random_below(3));
		break;
	case 4:
		RUN(UTIMENSAT, AT_FDCWD, U(path_a), U(t), chance(30) ? AT_SYMLINK_NOFOLLOW : 0);
		break;
	case 5:
		RUN(ACCESS, U(path_a), random_below(9));
		break;
	case 6:
		RUN(FACCESSAT2, AT_FDCWD, U(path_a), random_below(8),
			chance(30) ? AT_SYMLINK_NOFOLLOW :
			AT_EACCESS);
		break;
	default:
		RUN(UMASK, random_below(01000));
	}
}

static void op_look(int fd)
{
	size_t n = random_below(100);

	switch (random_below(7)) {
	case 0:
		op_stat((struct op){ .call = STAT, .arg = { U(path_a) }, .buf_mask = 2 });
		break;
	case 1:
		op_stat((struct op){ .call = LSTAT, .arg = { U(path_a) }, .buf_mask = 2 });
		break;
	case 2:
		op_stat((struct op){ .call = FSTAT, .arg = { fd }, .fd_mask = 1, .buf_mask = 2 });
		break;
	case 3:
		op_stat((struct op){ .call = NEWFSTATAT, .arg = { fd, U(path_a), 0, AT_EMPTY_PATH },
			.fd_mask = 1,
			.buf_mask = 4 });
		break;
	case 4:
		op_statx();
		break;
	case 5:
		op_run((struct op){ .call = READLINK, .arg = { U(path_a), 0, n }, .buf_mask = 2,
			.out = n });
		break;
	default:
		op_list();
	}
}

static void op_place(int fd)
{
	if (chance(30))
		RUN_FD(FCHDIR, fd);
	else
		RUN(CHDIR, U(path_a));
	op_run((struct op){ .call = GETCWD, .arg = { 0, 200 }, .buf_mask = 1, .out = 200 });
	if (chance(40))
		RUN(CHDIR, U("/"));
}

/* Linux's sendfile moves pages, not bytes: into a file from itself, or into a FIFO, that shows. */
static bool moves_pages(int a, int b)
{
	struct linux_stat x, y;

	SYS(fstat, fds[a].mine, &x);
	SYS(fstat, fds[b].mine, &y);
	return x.ino == y.ino || S_ISFIFO(x.mode);
}

static void op_descriptor(int fd)
{
	int other = fd_any();

	switch (random_below(6)) {
	case 0:
		fd_made((struct op){ .call = DUP, .arg = { fd }, .fd_mask = 1 });
		break;
	case 1:
		RUN_FD(FCNTL, fd, F_GETFL);
		break;
	case 2:
		RUN_FD(FCNTL, fd, F_SETFL, O_NONBLOCK | (chance(50) ? O_APPEND : 0));
		break;
	case 3:
		RUN_FD(FLOCK, fd, (1u << random_below(4)) | LOCK_NB);
		break;
	case 4:
		if (moves_pages(fd, other))
			break;
		op_run((struct op){ .call = SENDFILE, .arg = { fd, other, 0, random_below(DATA) },
			.fd_mask = 3 });
		break;
	default:
		op_run((struct op){ COPY_FILE_RANGE, { fd, 0, other, 0, random_below(DATA),
			chance(5) },
			.fd_mask = 5 });
	}
}

static void step(void)
{
	int fd = fd_any();
	unsigned what = random_below(100);

	path_random(path_a);
	path_random(path_b);
	if (fd < 0 || what < 22)
		op_open();
	else if (what < 25)
		fd_close(fd);
	else if (what < 45)
		op_data(fd);
	else if (what < 50)
		op_position(fd);
	else if (what < 55)
		op_size(fd);
	else if (what < 63)
		op_make();
	else if (what < 69)
		op_rename();
	else if (what < 75)
		op_remove();
	else if (what < 81)
		op_attributes(fd);
	else if (what < 91)
		op_look(fd);
	else if (what < 94)
		op_place(fd);
	else
		op_descriptor(fd);
}

/* ---- the whole ---- */

static unsigned long operations = 200000;

static void text_to(const char *path, const char *text)
{
	long fd = linux_call(OPEN, U(path), O_WRONLY, 0, 0, 0, 0);

	linux_call(WRITE, fd, U(text), strlen(text), 0, 0, 0);
	linux_call(CLOSE, fd, 0, 0, 0, 0, 0);
}

#define NEW_USER_AND_MOUNTS 0x10020000	/* CLONE_NEWUSER | CLONE_NEWNS */

static char folder[] = "/dev/shm/virtue-XXXXXX";

/* Makes the folder the root of Linux's side; false: we may not. */
static bool linux_root(void)
{
	char map[40];
	long uid = linux_call(GETUID, 0, 0, 0, 0, 0, 0);

	if (uid) {
		if (linux_call(UNSHARE, NEW_USER_AND_MOUNTS, 0, 0, 0, 0, 0))
			return false;
		own_ids = true;
		snprintf(map, sizeof map, "0 %ld 1", uid);
		text_to("/proc/self/setgroups", "deny");
		text_to("/proc/self/uid_map", map);
		text_to("/proc/self/gid_map", map);
	}
	if (linux_call(CHROOT, U(folder), 0, 0, 0, 0, 0) || linux_call(CHDIR, U("/"), 0, 0, 0, 0,
		0))
		return false;
	linux_call(CHMOD, U("/"), 0755, 0, 0, 0, 0);
	linux_call(UMASK, 022, 0, 0, 0, 0, 0);
	return true;
}

static void virtue_root(void)
{
	IS(SYS(mkdir, "/top", 0755), 0);
	IS(SYS(chroot, "/top"), 0);
	IS(SYS(chdir, "/"), 0);
}

static void folder_empty(long fd);

static void name_remove(long dir, const char *name, bool is_folder)
{
	long fd;

	if (is_folder) {
		linux_call(FCHMODAT, dir, U(name), 0700, 0, 0, 0);
		fd = linux_call(OPENAT, dir, U(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0, 0);
		folder_empty(fd);
		linux_call(CLOSE, fd, 0, 0, 0, 0, 0);
	}
	linux_call(UNLINKAT, dir, U(name), is_folder ? AT_REMOVEDIR : 0, 0, 0, 0);
}

/* Linux's side has no further use for what is in that folder. */
static void folder_empty(long fd)
{
	uint8_t buf[2048];
	long n;

	while ((n = linux_call(GETDENTS64, fd, U(buf), sizeof buf, 0, 0, 0)) > 0) {
		for (long at = 0; at < n; ) {
			struct linux_dirent64 *e = (void *)(buf + at);

			at += e->length;
			if (strcmp(e->name, ".") && strcmp(e->name, ".."))
				name_remove(fd, e->name, e->type == S_IFDIR >> 12);
		}
	}
}

static void compare(void)
{
	uint64_t pipe_signal = 1ull << (SIGPIPE - 1);

	for (int k = 0; k < FDS; k++)
		fds[k].real = fds[k].mine = -1;
	linux_call(SIGPROCMASK, 0, U(&pipe_signal), 0, 8, 0, 0);
	if (!linux_root()) {
		printf("posix-same_as_linux: needs root or user namespaces: skipped\n");
		return;
	}
	virtue_root();
	for (unsigned long k = 0; k < operations; k++)
		step();
}

int main(int argc, char **argv)
{
	struct test test = { "same_as_linux", compare, NULL };
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	bool ok;

	operations = argc > 1 ? strtoul(argv[1], NULL, 0) : operations;
	state = seed;
	verbose = getenv("VERBOSE");
	with_holes = seed % 2;
	if (!mkdtemp(folder)) {
		printf("FAIL posix-same_as_linux: no folder in /dev/shm\n");
		return 1;
	}
	ok = test_run(&test);
	name_remove(AT_FDCWD, folder, true);
	printf("posix-same_as_linux: %lu operations, seed %lu%s\n", operations, (unsigned long)seed,
		ok ? "" : "; repeat with: build/tests/host-posix-linux OPERATIONS SEED");
	return !ok;
}
