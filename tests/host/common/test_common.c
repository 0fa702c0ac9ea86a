/* Host tests of libos/common's hardware-free files: ELF images, rings, the session's side of the
 * proxy protocol, formatted text, parts of disks.  `test_common SEED` repeats the random ones.
 * TEST_ELF is a bare program that the build has just linked. */
#include "libos/common/disk_part.h"
#include "libos/common/elf.h"
#include "libos/common/note.h"
#include "libos/common/proxy.h"
#include "libos/common/text.h"
#include <stdlib.h>

static uint64_t seed;
static unsigned failures;

#define CHECK(cond) do { if (!(cond)) { \
	printf("FAIL %s: line %d: %s (seed %lu)\n", __func__, __LINE__, #cond, first_seed); \
	failures++; return; } } while (0)
#define OK() printf("ok %s\n", __func__)
static uint64_t first_seed;

static uint32_t any(void)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return seed >> 33;
}

/* ---- ELF ---------------------------------------------------------------------------------- */

static uint8_t *file;
static size_t file_size;

static bool file_read(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return false;
	fseek(f, 0, SEEK_END);
	file_size = ftell(f);
	rewind(f);
	file = malloc(file_size);
	bool all = fread(file, 1, file_size, f) == file_size;
	fclose(f);
	return all;
}

static void elf_good(void)
{
	struct elf_image e;
	char text[160];
	uint64_t offset = 99;
	const char *error = elf_parse(file, file_size, 0x10000, 1ul << 47, &e);
	CHECK(!error);
	CHECK(e.lo == 0x400000 && !e.pie && e.segments >= 3 && e.hi > e.lo);
	CHECK(!strcmp(e.libos, "bare") && e.abi_version == EXO_ABI_VERSION);
	CHECK(!elf_check_note(&e, "bare", text, sizeof text));
	CHECK(elf_check_note(&e, "posix", text, sizeof text));
	CHECK(strstr(text, "bare") && strstr(text, "posix"));
	const char *name = NULL;
	for (uint64_t at = e.entry; at < e.hi && (!name || strcmp(name, "main")); at++)
		name = elf_symbol(&e, at, &offset);
	CHECK(name && !offset);			/* the first byte of main */
	CHECK(!elf_symbol(&e, 0x10, &offset));
	OK();
}

static void elf_wrong_version(void)
{
	struct elf_image e;
	char text[160];
	uint8_t *copy = malloc(file_size);
	memcpy(copy, file, file_size);
	struct virtue_note *n = NULL;
	for (size_t i = 0; i + sizeof *n <= file_size && !n; i += 4)
		if (!memcmp(copy + i + 12, "Virtue", 7))
			n = (struct virtue_note *)(copy + i);
	CHECK(n);
	n->abi_version = 77;
	CHECK(!elf_parse(copy, file_size, 0x10000, 1ul << 47, &e));
	CHECK(elf_check_note(&e, "bare", text, sizeof text) && strstr(text, "77"));
	free(copy);
	OK();
}

static void elf_outside(void)
{
	struct elf_image e;
	CHECK(elf_parse(file, file_size, 0x500000, 1ul << 47, &e));
	CHECK(elf_parse(file, file_size, 0x10000, 0x401000, &e));
	CHECK(elf_parse("\177ELF", 4, 0, ~0ul, &e));
	CHECK(elf_parse("", 0, 0, ~0ul, &e));
	OK();
}

/* Every prefix: an error or an image whose parts lie inside; ASan watches the reads. */
static void elf_truncated(void)
{
	struct elf_image e;
	uint64_t offset;
	for (size_t n = 0; n < file_size; n += n < 4096 ? 1 : 997) {
		uint8_t *copy = malloc(n + !n);
		memcpy(copy, file, n);
		if (!elf_parse(copy, n, 0x10000, 1ul << 47, &e)) {
			for (unsigned i = 0; i < e.segments; i++)
				CHECK(e.segment[i].offset + e.segment[i].file_size <= n);
			elf_symbol(&e, e.entry, &offset);
		}
		free(copy);
	}
	OK();
}

static void check_image(const struct elf_image *e)
{
	uint64_t end = 0;
	for (unsigned i = 0; i < e->segments; i++) {
		const struct elf_segment *s = &e->segment[i];
		if (s->offset + s->file_size > file_size || s->file_size > s->size || s->vaddr < end ||
		    s->vaddr < 0x10000 || s->vaddr + s->size > 1ul << 47)
			abort();
		end = s->vaddr + s->size;
	}
}

/* Headers, sections, symbols with wrong bytes: no read outside, and only sane segments. */
static void elf_hostile(void)
{
	struct elf_image e;
	uint64_t offset;
	uint8_t *copy = malloc(file_size);
	const uint64_t nasty[] = { 0, 1, ~0ul, ~0ul - 4095, 1ul << 63, 1ul << 47, file_size, file_size - 1 };
	unsigned accepted = 0;
	uint64_t sections;
	memcpy(&sections, file + 40, 8);
	for (unsigned round = 0; round < 20000; round++) {
		memcpy(copy, file, file_size);
		for (unsigned k = any() % 3 + 1; k; k--) {
			size_t at = any() % 2 ? any() % 400 : sections + any() % (file_size - sections);
			if (any() % 2 && at + 8 <= file_size)
				memcpy(copy + at / 8 * 8, &nasty[any() % 8], 8);
			else
				copy[at] = any();
		}
		if (elf_parse(copy, file_size, 0x10000, 1ul << 47, &e))
			continue;
		accepted++;
		check_image(&e);
		elf_symbol(&e, e.entry, &offset);
	}
	free(copy);
	CHECK(accepted);
	OK();
}

/* ---- rings ---------------------------------------------------------------------------------- */

static void ring_order(void)
{
	static struct ring_shared shared;
	static uint8_t data[256];
	struct ring in, out;
	uint8_t buffer[300], next_in = 0, next_out = 0;
	ring_init(&in, &shared, data, sizeof data);
	ring_init(&out, &shared, data, sizeof data);
	for (unsigned round = 0; round < 100000; round++) {
		size_t n = any() % sizeof buffer;
		for (size_t i = 0; i < n; i++)
			buffer[i] = next_in + i;
		size_t took = ring_write(&in, buffer, n);
		CHECK(took <= n && took <= sizeof data);
		next_in += took;
		CHECK(ring_used(&out) + ring_room(&in) == sizeof data);
		n = ring_read(&out, buffer, any() % sizeof buffer);
		for (size_t i = 0; i < n; i++)
			CHECK(buffer[i] == (uint8_t)(next_out + i));
		next_out += n;
	}
	ring_end(&in);
	while (ring_read(&out, buffer, sizeof buffer))
		;
	CHECK(ring_ended(&out));
	OK();
}

/* A peer that writes anything into the shared words. */
static void ring_hostile(void)
{
	static struct ring_shared shared;
	uint8_t *data = malloc(128), buffer[200] = { 0 };	/* malloc: ASan watches both ends */
	struct ring in, out;
	ring_init(&in, &shared, data, 128);
	ring_init(&out, &shared, data, 128);
	for (unsigned round = 0; round < 100000; round++) {
		if (any() % 2)
			shared.tail.value = (uint64_t)any() << 32 | any();
		else
			shared.tail.value = in.mine - any() % 200;
		CHECK(ring_room(&in) <= 128);
		CHECK(ring_write(&in, buffer, any() % sizeof buffer) <= 128);
		shared.head.value = any() % 2 ? (uint64_t)any() << 32 : out.mine + any() % 200;
		CHECK(ring_used(&out) <= 128);
		CHECK(ring_read(&out, buffer, any() % sizeof buffer) <= 128);
	}
	free(data);
	OK();
}

/* ---- the proxy protocol ------------------------------------------------------------------------ */

static unsigned notified;
static void on_notify(void *arg) { (void)arg; notified++; }

static void proxy_streams(void)
{
	static uint8_t frames[PROXY_SIZE] __attribute__((aligned(4096)));
	static const char strings[] = "prog\0one\0A=b";
	struct proxy_host h;
	struct ring in, out;
	uint8_t buffer[64];
	unsigned status;
	CHECK(proxy_host_init(&h, frames, 2, 1, strings, sizeof strings, on_notify, NULL));
	CHECK(h.page->argc == 2 && !memcmp(frames + PROXY_ARGS, strings, sizeof strings));
	ring_init(&in, &h.page->in, frames + PROXY_IN, PROXY_IN_SIZE);
	ring_init(&out, &h.page->out, frames + PROXY_OUT, PROXY_OUT_SIZE);
	notified = 0;
	CHECK(proxy_host_in(&h, "hello", 5) == 5 && !notified);
	h.page->app_waits.value = 1;
	CHECK(proxy_host_in(&h, "!", 1) == 1 && notified == 1 && !h.page->app_waits.value);
	CHECK(ring_read(&in, buffer, sizeof buffer) == 6 && !memcmp(buffer, "hello!", 6));
	CHECK(proxy_host_poll(&h, false) == PROXY_CAN_IN);
	CHECK(ring_write(&out, "out", 3) == 3);
	CHECK(proxy_host_poll(&h, true) == (PROXY_CAN_IN | PROXY_HAS_OUT) && h.page->host_waits.value);
	CHECK(proxy_host_out(&h, 1, buffer, sizeof buffer) == 3);
	proxy_host_in_end(&h);
	CHECK(ring_ended(&in));
	proxy_host_out_stop(&h, 1);
	CHECK(ring_stopped(&out));
	proxy_host_signal(&h, 2);
	proxy_host_signal(&h, 0);
	proxy_host_signal(&h, 65);
	CHECK(h.page->signals.value == 2);
	CHECK(!proxy_host_status(&h, &status));
	h.page->status.value = 256 | 9;
	CHECK(proxy_host_status(&h, &status) && status == 9);
	CHECK(!proxy_host_init(&h, frames, 1, 0, strings, PROXY_ARGS_SIZE + 1, on_notify, NULL));
	OK();
}

static void proxy_requests(void)
{
	static uint8_t frames[PROXY_SIZE] __attribute__((aligned(4096)));
	static uint8_t data[PROXY_SLOT_SIZE];
	struct proxy_host h;
	struct proxy_slot q, *s;
	CHECK(proxy_host_init(&h, frames, 0, 0, "", 0, on_notify, NULL));
	s = &h.page->slot[2];
	s->op = PROXY_OPEN;
	s->length = 4;
	memcpy(frames + PROXY_DATA + 2 * PROXY_SLOT_SIZE, "/etc", 4);
	CHECK(proxy_host_request(&h, &q, data) == -1);
	s->state = PROXY_ASKED;
	CHECK(proxy_host_poll(&h, false) & PROXY_HAS_ASKED);
	CHECK(proxy_host_request(&h, &q, data) == 2 && q.op == PROXY_OPEN && !strcmp((char *)data, "/etc"));
	CHECK(proxy_host_request(&h, &q, data) == -1);		/* taken */
	s->length = ~0ul;					/* changed behind our back: of no effect */
	proxy_host_reply(&h, 2, 5, "abc", 3);
	CHECK(s->state == PROXY_DONE && s->result == 5 && !memcmp(frames + PROXY_DATA + 2 * PROXY_SLOT_SIZE, "abc", 3));
	proxy_host_reply(&h, 2, 6, "abc", 3);			/* not asked: nothing */
	CHECK(s->result == 5);
	proxy_host_reply(&h, 99, 6, NULL, 0);
	proxy_host_reply(&h, -1, 6, NULL, 0);
	OK();
}

static void proxy_hostile(void)
{
	static uint8_t data[PROXY_SLOT_SIZE], buffer[20000];
	uint8_t *frames = aligned_alloc(4096, PROXY_SIZE);
	struct proxy_host h;
	struct proxy_slot q;
	unsigned status;
	CHECK(proxy_host_init(&h, frames, 0, 0, "", 0, on_notify, NULL));
	for (unsigned round = 0; round < 20000; round++) {
		for (unsigned k = any() % 20; k; k--)
			frames[any() % sizeof(struct proxy_page)] = any() % 4 ? any() % 4 : any();
		for (unsigned i = 0; i < PROXY_SLOTS; i++)
			if (any() % 2) {
				h.page->slot[i].state = PROXY_ASKED;
				h.page->slot[i].op = any() % 9;
				h.page->slot[i].length = any() % 2 ? any() % 20000 : ~0ul;
			}
		proxy_host_poll(&h, any() % 2);
		proxy_host_in(&h, buffer, any() % sizeof buffer);
		proxy_host_out(&h, 1 + any() % 2, buffer, any() % sizeof buffer);
		int slot = proxy_host_request(&h, &q, data);
		CHECK(slot < (int)PROXY_SLOTS && (slot < 0 || q.op < PROXY_OPS));
		CHECK(slot < 0 || q.op > PROXY_WRITE || q.length <= PROXY_SLOT_SIZE);
		proxy_host_reply(&h, slot, 0, data, any() % 40000 % sizeof data);
		proxy_host_status(&h, &status);
	}
	free(frames);
	OK();
}

/* ---- text ------------------------------------------------------------------------------------- */

static int format(char *to, size_t n, const char *f, ...)
{
	va_list args;
	va_start(args, f);
	int length = text_format(to, n, f, args);
	va_end(args);
	return length;
}

#define SAME(...) do { char a_[64], b_[64]; int x_ = format(a_, sizeof a_, __VA_ARGS__); \
	int y_ = snprintf(b_, sizeof b_, __VA_ARGS__); CHECK(x_ == y_ && !strcmp(a_, b_)); } while (0)

static void text_formats(void)
{
	char small[4];
	uint64_t v;
	SAME("%d %i %u", -5, 7, 3000000000u);
	SAME("[%5d][%-5d][%05d]", 42, 42, -42);
	SAME("%x %X %lx %016lx", 0xbeef, 0xbeef, ~0ul, 0x1234ul);
	SAME("%s|%8s|%-8s|%.2s|%.*s", "ab", "cd", "ef", "ghij", 1, "kl");
	SAME("%c%c%%", 'x', 'y');
	SAME("%zu %ld", (size_t)9, -9l);
	SAME("%ld", (long)(1ul << 63));
	CHECK(format(small, sizeof small, "%s", "abcdef") == 6 && !strcmp(small, "abc"));
	CHECK(text_number("0x1F", &v) && v == 31 && text_number("18446744073709551615", &v) && v == ~0ul);
	CHECK(!text_number("18446744073709551616", &v) && !text_number("", &v) && !text_number("1x", &v));
	CHECK(text_copy(small, "abcdef", sizeof small) == 6 && !strcmp(small, "abc"));
	OK();
}

/* ---- parts of disks ----------------------------------------------------------------------------- */

#define PARTS	12
#define DISK	40u

struct shadow { struct disk_part p[PARTS]; };

/* May a part of that kind have the block, but for part `me`? */
static bool block_free(const struct shadow *s, unsigned me, uint32_t disk, bool write, uint64_t block)
{
	for (unsigned i = 0; i < PARTS; i++)
		if (i != me && s->p[i].count && s->p[i].disk == disk && (write || s->p[i].write) &&
		    block - s->p[i].first < s->p[i].count)
			return false;
	return true;
}

static uint64_t free_from(const struct shadow *s, unsigned me, const struct disk_part *p, uint64_t at)
{
	uint64_t n = 0;
	while (at + n < DISK && block_free(s, me, p->disk, p->write, at + n))
		n++;
	return n;
}

/* What disk_part_find is to let: the first place with `want` blocks, else the largest. */
static struct disk_part found(const struct shadow *s, unsigned me, struct disk_part p)
{
	uint64_t want = p.count;
	p.count = 0;
	for (uint64_t at = p.first; at < DISK && p.count < want; at++) {
		uint64_t n = free_from(s, me, &p, at);
		if (n > p.count) {
			p.first = at;
			p.count = n < want ? n : want;
		}
	}
	return p;
}

static bool part_right(const struct shadow *s, unsigned i, struct disk_part *p, bool find)
{
	struct disk_part asked = *p, want = find ? found(s, i, asked) : asked;
	const struct disk_part *other = find ? disk_part_find(p, DISK) : disk_part_let(p);
	bool fits = want.count && free_from(s, i, &want, want.first) >= want.count;
	if (!fits)
		return other && other->disk == asked.disk && other != p;
	return !other && p->first == want.first && p->count == want.count;
}

static void disk_parts(void)
{
	static struct disk_part part[PARTS];
	struct shadow s = { 0 };
	bool right = true;
	for (unsigned n = 0; n < 20000 && right; n++) {
		unsigned i = any() % PARTS;
		struct disk_part *p = &part[i];
		disk_part_end(p);
		s.p[i] = (struct disk_part){ 0 };
		if (any() % 4 == 0)
			continue;
		*p = (struct disk_part){ .disk = any() % 2, .first = any() % DISK, .write = any() % 4 };
		p->count = 1 + any() % (DISK - p->first);
		right = part_right(&s, i, p, any() % 2);
		if (p->count)
			s.p[i] = *p;
	}
	for (unsigned i = 0; i < PARTS; i++)
		disk_part_end(&part[i]);
	CHECK(right);
	OK();
}

int main(int argc, char **argv)
{
	if (!file_read(TEST_ELF)) {
		printf("FAIL test_common: cannot read " TEST_ELF "\n");
		return 1;
	}
	first_seed = seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	elf_good();
	elf_wrong_version();
	elf_outside();
	elf_truncated();
	elf_hostile();
	ring_order();
	ring_hostile();
	proxy_streams();
	proxy_requests();
	proxy_hostile();
	text_formats();
	disk_parts();
	free(file);
	return failures != 0;
}
