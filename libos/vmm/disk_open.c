/* Disks of the command line: which kind a specification means, and the session's files as the
 * disks use them.
 *
 *	PATH[,ro]	a file of the session
 *	mem:SIZE	memory of the monitor's, empty at first
 *	cow:PATH	an overlay file, which names its base
 *
 * A file linked with the monitor may add kinds of its own (vdisk_own).
 */
#include "disk.h"
#include "vmm.h"

#define FILES	8u

/* ---- memory ---------------------------------------------------------------------------------- */

void *vdisk_page(void)
{
	uint64_t pfn = frame_alloc_zero();
	return pfn ? physmap_page(pfn) : NULL;
}

void vdisk_page_free(void *page) { frame_free(physmap_pfn(page)); }

/* ---- files of the session, by its proxy ---------------------------------------------------------- */

struct session_file {
	struct vfile file;
	uint32_t number;
};

static uint32_t number_of(struct vfile *f) { return ((struct session_file *)f)->number; }

static void put_zeroes(struct vdisk_io *io, size_t at, size_t n)
{
	static const uint8_t zeroes[EXO_PAGE_SIZE];
	for (size_t part; n; at += part, n -= part) {
		part = n < sizeof zeroes ? n : sizeof zeroes;
		vdisk_put(io, at, zeroes, part);
	}
}

static size_t part_of(size_t at, size_t n)
{
	return n - at < PROXY_SLOT_SIZE ? n - at : PROXY_SLOT_SIZE;
}

/* The answer to the part at `done`: its bytes go where they belong. */
static int answer(bool write, size_t done, size_t n, struct vdisk_io *io, size_t at)
{
	unsigned slot = done / PROXY_SLOT_SIZE % PROXY_SLOTS;
	size_t part = part_of(done, n);
	int64_t got = proxy_answer(slot);
	if (got < 0)
		return -XEN_EIO;
	if (write)
		return (size_t)got == part ? 0 : -XEN_ENOSPC;
	if (got)
		vdisk_put(io, at + done, proxy_slot(slot), got);
	if ((size_t)got < part)
		put_zeroes(io, at + done + got, part - got);
	return 0;
}

/* All slots are kept in flight: while the session carries out one part, the next is on its way. */
static int move(struct vfile *f, bool write, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	int error = 0, result;
	for (size_t asked = 0, done = 0; done < n;) {
		if (asked < n && asked - done < PROXY_SLOTS * PROXY_SLOT_SIZE) {
			unsigned slot = asked / PROXY_SLOT_SIZE % PROXY_SLOTS;
			if (write)
				vdisk_get(io, at + asked, proxy_slot(slot), part_of(asked, n));
			proxy_ask(slot, write ? PROXY_WRITE : PROXY_READ, number_of(f), offset + asked,
				part_of(asked, n));
			asked += PROXY_SLOT_SIZE;
			continue;
		}
		if ((result = answer(write, done, n, io, at)) && !error)
			error = result;
		done += PROXY_SLOT_SIZE;
	}
	return error;
}

static int session_read(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	return move(f, false, offset, n, io, at);
}

static int session_write(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	return move(f, true, offset, n, io, at);
}

static int64_t session_size(struct vfile *f)
{
	return proxy_file(PROXY_GETSIZE, number_of(f), 0, NULL, 0);
}

static int session_sync(struct vfile *f)
{
	return proxy_file(PROXY_SYNC, number_of(f), 0, NULL, 0) < 0 ? -XEN_EIO : 0;
}

static struct vfile *session_file(const char *path, bool write, char *why, size_t size)
{
	static struct session_file files[FILES];
	static unsigned used;
	int64_t n = used < FILES ? proxy_open(path, PROXY_O_READ | (write ? PROXY_O_WRITE : 0)) :
		-XEN_ENOSPC;
	if (n < 0) {
		snprintf(why, size, "%s cannot be opened for %s (error %ld)", path,
			write ? "writing" : "reading", -n);
		return NULL;
	}
	files[used] = (struct session_file){ { session_read, session_write, session_size, session_sync },
		n };
	return &files[used++].file;
}

/* ---- kinds ------------------------------------------------------------------------------------- */

static struct vdisk *open_memory(const char *rest, char *why, size_t size)
{
	static const char units[] = "KMG";
	char digits[24];
	size_t length = text_copy(digits, rest, sizeof digits);
	const char *unit = length && length < sizeof digits ? strchr(units, digits[length - 1]) : NULL;
	uint64_t n = 0;
	if (unit)
		digits[length - 1] = 0;
	if (length >= sizeof digits || !text_number(digits, &n) || n >= 1ul << 33)
		n = 0;
	return vdisk_of_memory(n << (unit ? 10 * (unit - units + 1) : 0), why, size);
}

static struct vdisk *open_cow(const char *path, char *why, size_t size)
{
	char base_path[COW_BASE];
	struct vfile *base, *overlay = session_file(path, true, why, size);
	if (!overlay || !cow_base(overlay, base_path, why, size) ||
	    !(base = session_file(base_path, false, why, size)))
		return NULL;
	return cow_open(overlay, base, why, size);
}

static struct vdisk *open_file(const char *spec, char *why, size_t size)
{
	char path[512];
	size_t n = text_copy(path, spec, sizeof path);
	bool ro = n > 3 && n < sizeof path && !strcmp(path + n - 3, ",ro");
	if (ro)
		path[n - 3] = 0;
	struct vfile *f = session_file(path, !ro, why, size);
	return f ? vdisk_of_file(f, ro, why, size) : NULL;
}

static const struct vdisk_kind kinds[] = {
	{ "mem:", open_memory }, { "cow:", open_cow }, { "", open_file }, { NULL, NULL }
};

/* Without a file that has its own. */
__attribute__((weak)) const struct vdisk_kind vdisk_own[] = { { NULL, NULL } };

static const struct vdisk_kind *kind_of(const struct vdisk_kind *k, const char *spec)
{
	while (k->prefix && strncmp(spec, k->prefix, strlen(k->prefix)))
		k++;
	return k->prefix ? k : NULL;
}

struct vdisk *vdisk_find(const char *spec, char *why, size_t size)
{
	const struct vdisk_kind *k = kind_of(vdisk_own, spec);
	if (!k)
		k = kind_of(kinds, spec);
	return k->open(spec + strlen(k->prefix), why, size);
}

struct vdisk *vdisk_open(const char *spec)
{
	char why[256] = "";
	struct vdisk *d = vdisk_find(spec, why, sizeof why);
	if (!d)
		vm_refuse("--disk %s: %s", spec, why);
	return d;
}
