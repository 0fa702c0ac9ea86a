/* Host tests of the virtual disks against a model; the copy-on-write format also against power cuts
 * and damage.  `vmm-disk [ROUNDS SEED]`. */
#include "libos/vmm/disk.h"
#include "test.h"

unsigned test_failures;
uint64_t test_seed = 1, test_random;

void *vdisk_page(void) { return calloc(1, VDISK_BLOCK); }
void vdisk_page_free(void *page) { free(page); }

/* ---- a file in memory, whose power can be cut ------------------------------------------------- */

#define FILE_MAX	(8ul << 20)
struct memory_file {
	struct vfile file;
	uint8_t *bytes, *synced;	/* as written; as it was at the last sync */
	size_t size, synced_size;
	unsigned writes_left;		/* then writes fail */
};

static int file_read(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	struct memory_file *m = (struct memory_file *)f;
	static const uint8_t zeroes[FILE_MAX];
	size_t there = offset >= m->size ? 0 : m->size - offset < n ? m->size - offset : n;
	if (there)
		vdisk_put(io, at, m->bytes + offset, there);
	if (there < n)
		vdisk_put(io, at + there, zeroes, n - there);
	return 0;
}

static int file_write(struct vfile *f, uint64_t offset, size_t n, struct vdisk_io *io, size_t at)
{
	struct memory_file *m = (struct memory_file *)f;
	if (offset + n > FILE_MAX || !m->writes_left)
		return -XEN_ENOSPC;
	m->writes_left--;
	vdisk_get(io, at, m->bytes + offset, n);
	if (offset + n > m->size)
		m->size = offset + n;
	return 0;
}

static int64_t file_size(struct vfile *f) { return ((struct memory_file *)f)->size; }

static int file_sync(struct vfile *f)
{
	struct memory_file *m = (struct memory_file *)f;
	memcpy(m->synced, m->bytes, m->size);
	m->synced_size = m->size;
	return 0;
}

static struct memory_file file_new(size_t size)
{
	struct memory_file m = { { file_read, file_write, file_size, file_sync }, calloc(1, FILE_MAX),
		calloc(1, FILE_MAX), size, 0, ~0u };
	for (size_t i = 0; i < size; i++)
		m.bytes[i] = any();
	file_sync(&m.file);
	return m;
}

static void file_free(struct memory_file *m)
{
	free(m->bytes);
	free(m->synced);
}

/* Of what was not synced, any sectors reached the medium, in any order. */
static void power_cut(struct memory_file *m)
{
	unsigned percent = any() % 101;
	for (size_t at = 0; at < m->size; at += VDISK_SECTOR)
		if (any() % 100 >= percent)
			memcpy(m->bytes + at, m->synced + at, VDISK_SECTOR);
	if (any() % 2 && m->size > m->synced_size)
		m->size = m->synced_size;
	file_sync(&m->file);
}

/* A disk is opened anew, as another process would; what it allocated is left to leak checkers to
 * ignore: the monitor never closes one. */
static struct vdisk *reopen(struct memory_file *overlay, struct memory_file *base, char why[256])
{
	why[0] = 0;
	return cow_open(&overlay->file, &base->file, why, 256);
}

/* ---- requests ------------------------------------------------------------------------------------ */

static int disk_read(struct vdisk *d, uint64_t offset, void *to, size_t n)
{
	struct vdisk_memory m = vdisk_memory(to);
	return d->ops->read(d, offset, n, &m.io);
}

static int disk_write(struct vdisk *d, uint64_t offset, const void *from, size_t n)
{
	struct vdisk_memory m = vdisk_memory((void *)(uintptr_t)from);
	return d->ops->write(d, offset, n, &m.io);
}

/* Random reads and writes, compared with `model`; false: a difference. */
static bool traffic(struct vdisk *d, uint8_t *model, unsigned rounds)
{
	static uint8_t data[256 * VDISK_SECTOR];
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t sectors = d->size / VDISK_SECTOR, at = any() % sectors, n = 1 + any() % 64;
		if (any() % 2) {
			at &= ~7ul;
			n = (n + 7) & ~7ul;
		}
		if (n > sectors - at)
			n = sectors - at;
		at *= VDISK_SECTOR;
		n *= VDISK_SECTOR;
		if (any() % 2) {
			for (size_t k = 0; k < n; k++)
				data[k] = any();
			if (disk_write(d, at, data, n))
				return false;
			memcpy(model + at, data, n);
		} else if (disk_read(d, at, data, n) || memcmp(data, model + at, n)) {
			return false;
		}
		if (any() % 16 == 0 && d->ops->flush(d))
			return false;
	}
	return true;
}

static bool same(struct vdisk *d, const uint8_t *model)
{
	uint8_t *all = malloc(d->size);
	bool equal = !disk_read(d, 0, all, d->size) && !memcmp(all, model, d->size);
	free(all);
	return equal;
}

/* ---- plain ------------------------------------------------------------------------------------------ */

#define SIZE	(600u * 1024 + 512)	/* not a multiple of a block */

static void plain(unsigned rounds)
{
	char why[256];
	uint8_t *model = calloc(1, SIZE);
	struct vdisk *d = vdisk_of_memory(SIZE + 100, why, sizeof why);
	CHECK(d && d->size == SIZE && traffic(d, model, rounds) && same(d, model));
	CHECK(!d->ops->discard(d, 1024, 100 * 1024));
	memset(model + 4096, 0, 96 * 1024);	/* whole blocks alone */
	CHECK(same(d, model));
	CHECK(!vdisk_of_memory(511, why, sizeof why) && strstr(why, "size"));
	struct memory_file f = file_new(SIZE);
	memcpy(model, f.bytes, SIZE);
	CHECK((d = vdisk_of_file(&f.file, false, why, sizeof why)) && d->size == SIZE);
	CHECK(traffic(d, model, rounds) && same(d, model) && !memcmp(f.bytes, model, SIZE));
	f.size = 100;
	CHECK(!vdisk_of_file(&f.file, false, why, sizeof why) && why[0]);
	file_free(&f);
	free(model);
	PASS();
}

/* ---- the example of docs/vmm.md -------------------------------------------------------------------- */

static struct memory_file halves[2];

struct vdisk *vdisk_find(const char *spec, char *why, size_t size)
{
	return vdisk_of_file(&halves[spec[0] == 'b'].file, false, why, size);
}

static void mirror(unsigned rounds)
{
	char why[256] = "";
	uint8_t *model = malloc(SIZE);
	halves[0] = file_new(SIZE);
	halves[1] = file_new(SIZE + 4096);
	memcpy(halves[1].bytes, halves[0].bytes, SIZE);
	memcpy(model, halves[0].bytes, SIZE);
	CHECK(!vdisk_own[0].open("a", why, sizeof why) && strstr(why, "mirror:A+B"));
	struct vdisk *d = vdisk_own[0].open("a+b", why, sizeof why);
	CHECK(d && d->size == SIZE && traffic(d, model, rounds) && same(d, model));
	CHECK(!memcmp(halves[0].bytes, halves[1].bytes, SIZE));
	halves[0].writes_left = 5;		/* the first half fails on the way */
	CHECK(traffic(d, model, rounds) && same(d, model));
	CHECK(memcmp(halves[0].bytes, halves[1].bytes, SIZE));
	halves[1].writes_left = 0;
	CHECK(disk_write(d, 0, model, 512));
	file_free(&halves[0]);
	file_free(&halves[1]);
	free(model);
	PASS();
}

/* ---- copy on write ------------------------------------------------------------------------------------ */

static void names_add(void *arg, const char *name, uint64_t time)
{
	sprintf((char *)arg + strlen(arg), "%s:%lu ", name, time);
}

static void cow(unsigned rounds)
{
	char why[256], path[COW_BASE], names[256] = "";
	struct memory_file base = file_new(SIZE), overlay = file_new(0);
	uint8_t *model = malloc(SIZE), *one = malloc(SIZE), *two = malloc(SIZE);
	memcpy(model, base.bytes, SIZE);
	CHECK(!cow_create(&overlay.file, "/images/base", SIZE));
	CHECK(cow_base(&overlay.file, path, why, sizeof why) && !strcmp(path, "/images/base"));
	struct vdisk *d = reopen(&overlay, &base, why);
	CHECK(d && d->size == SIZE && same(d, model) && traffic(d, model, rounds) && same(d, model));
	CHECK(!cow_snapshot(d, "one", 11) && cow_snapshot(d, "one", 12) == -XEN_EEXIST);
	memcpy(one, model, SIZE);
	CHECK(traffic(d, model, rounds) && !d->ops->flush(d));
	CHECK((d = reopen(&overlay, &base, why)) && same(d, model) && traffic(d, model, rounds));
	CHECK(!cow_snapshot(d, "two", 22));
	memcpy(two, model, SIZE);
	CHECK(traffic(d, model, rounds));
	CHECK(cow_rollback(d, "none") == -XEN_ENOENT && same(d, model));
	CHECK(!cow_rollback(d, "one") && same(d, one));
	CHECK((d = reopen(&overlay, &base, why)) && same(d, one) && traffic(d, one, rounds));
	CHECK(!cow_snapshot(d, "three", 33) && !cow_rollback(d, "two") && same(d, two));
	CHECK(traffic(d, two, rounds) && !d->ops->flush(d) && !cow_rollback(d, "three"));
	CHECK((d = reopen(&overlay, &base, why)) && same(d, one));
	CHECK(!cow_list(d, names_add, names) && !strcmp(names, "three:33 two:22 one:11 "));
	CHECK(cow_snapshot(d, "", 0) == -XEN_EINVAL);
	for (size_t i = 0; i < SIZE; i++)	/* the base was never written */
		CHECK(base.bytes[i] == base.synced[i]);
	file_free(&base);
	file_free(&overlay);
	free(model);
	free(one);
	free(two);
	PASS();
}

/* Sectors hold a count of writes.  After a power cut each holds what it did at the last flush, or
 * something written since. */
#define SECTORS	512u
static void cow_power(unsigned rounds)
{
	uint32_t flushed[SECTORS] = { 0 }, last[SECTORS] = { 0 }, data[VDISK_SECTOR / 4], count = 0;
	char why[256];
	struct memory_file base = file_new(SECTORS * VDISK_SECTOR), overlay = file_new(0);
	memset(base.bytes, 0, base.size);
	CHECK(!cow_create(&overlay.file, "base", base.size));
	for (unsigned cut = 0; cut < rounds / 20 + 3 && overlay.size < FILE_MAX / 2; cut++) {
		struct vdisk *d = reopen(&overlay, &base, why);
		CHECK(d);
		for (unsigned s = 0; s < SECTORS; s++) {
			CHECK(!disk_read(d, s * VDISK_SECTOR, data, sizeof data));
			CHECK(data[0] == data[127] && data[0] >= flushed[s] && data[0] <= last[s]);
			flushed[s] = last[s] = data[0];
		}
		for (unsigned i = any() % 200; i; i--) {
			unsigned s = any() % SECTORS;
			for (unsigned k = 0; k < VDISK_SECTOR / 4; k++)
				data[k] = count + 1;
			CHECK(!disk_write(d, s * VDISK_SECTOR, data, sizeof data));
			last[s] = ++count;
			if (any() % 40 == 0) {
				CHECK(any() % 4 ? !d->ops->flush(d) : !cow_snapshot(d, "s", 0) || true);
				CHECK(!d->ops->flush(d));
				memcpy(flushed, last, sizeof last);
			}
		}
		power_cut(&overlay);
	}
	file_free(&base);
	file_free(&overlay);
	PASS();
}

/* Every damaged byte of headers and records is found, or of no matter. */
static void cow_damage(unsigned rounds)
{
	char why[256];
	struct memory_file base = file_new(SIZE), overlay = file_new(0);
	uint8_t *model = malloc(SIZE), *good = malloc(FILE_MAX);
	unsigned refused = 0;
	memcpy(model, base.bytes, SIZE);
	CHECK(!cow_create(&overlay.file, "base", SIZE));
	struct vdisk *d = reopen(&overlay, &base, why);
	CHECK(d && traffic(d, model, 100) && !d->ops->flush(d) && !cow_snapshot(d, "s", 1) &&
		traffic(d, model, 100) && !d->ops->flush(d));
	memcpy(good, overlay.bytes, FILE_MAX);
	size_t size = overlay.size;
	for (unsigned i = 0; i < rounds; i++) {
		size_t at = any() % 3 ? any() % size : any() % (2 * VDISK_BLOCK);
		overlay.bytes[at] ^= 1 << any() % 8;
		if ((d = reopen(&overlay, &base, why)))
			d->ops->flush(d);
		else
			refused += why[0] != 0;
		memcpy(overlay.bytes, good, size);
		overlay.size = size;
	}
	CHECK(refused > rounds / 100);
	overlay.size = size - 1;
	CHECK(!reopen(&overlay, &base, why) && strstr(why, "truncated"));
	overlay.size = 5000;
	CHECK(!reopen(&overlay, &base, why) && why[0]);
	overlay.size = 100;
	CHECK(!reopen(&overlay, &base, why) && strstr(why, "no copy-on-write overlay"));
	overlay.size = size;
	base.size--;
	CHECK(!reopen(&overlay, &base, why) && strstr(why, "its base"));
	base.size++;
	CHECK(!reopen(&base, &base, why) && strstr(why, "no copy-on-write overlay"));
	file_free(&base);
	file_free(&overlay);
	free(model);
	free(good);
	PASS();
}

/* A medium that is full: writes fail, what was there stays. */
static void cow_full(void)
{
	char why[256];
	static uint8_t data[64 * VDISK_BLOCK];
	struct memory_file base = file_new(SIZE), overlay = file_new(0);
	CHECK(!cow_create(&overlay.file, "base", SIZE));
	struct vdisk *d = reopen(&overlay, &base, why);
	overlay.writes_left = 2;
	CHECK(d && !disk_write(d, 0, data, 8192) && !disk_write(d, 8192, data, 512));
	CHECK(disk_write(d, 65536, data, 8192) == -XEN_ENOSPC && d->ops->flush(d));
	overlay.writes_left = ~0u;
	CHECK(!disk_read(d, 65536, data, 8192) && !memcmp(data, base.bytes + 65536, 8192));
	CHECK(!d->ops->flush(d) && (d = reopen(&overlay, &base, why)));
	CHECK(!disk_read(d, 0, data, 8192) && !data[0] && !data[8191]);
	CHECK(!disk_read(d, 65536, data, 8192) && !memcmp(data, base.bytes + 65536, 8192));
	file_free(&base);
	file_free(&overlay);
	PASS();
}

/* In one run an overlay grows by each block and a record for it at most, which is what /bin/vmm lets
 * it. */
static void cow_bounds(void)
{
	char why[256];
	static uint8_t data[VDISK_BLOCK];
	struct memory_file base = file_new(SIZE), overlay = file_new(0);
	CHECK(!cow_create(&overlay.file, "base", SIZE));
	size_t before = overlay.size;
	struct vdisk *d = reopen(&overlay, &base, why);
	for (unsigned i = 0; d && i < 2 * SIZE / VDISK_BLOCK; i++)
		CHECK(!disk_write(d, i % (SIZE / VDISK_BLOCK) * VDISK_BLOCK, data, VDISK_BLOCK) && !d->ops->flush(d));
	CHECK(d && overlay.size > before + SIZE && overlay.size <= before + 2 * SIZE + COW_HEADERS);
	file_free(&base);
	file_free(&overlay);
	PASS();
}

const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? atoi(argv[1]) : 300;
	test_seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	test_random = test_seed;
	plain(rounds);
	mirror(rounds);
	cow(rounds);
	cow_power(rounds);
	cow_damage(rounds);
	cow_full();
	cow_bounds();
	return test_failures != 0;
}
