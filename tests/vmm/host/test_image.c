/* Host tests of kernel images: ELF files and bzImages of the test's own making, whole, damaged in
 * every way that a message names, and at random.  `vmm-image ROUNDS SEED` repeats the random ones.
 *
 * The image and its memory are allocations of their exact size: ASan watches every byte beside.
 */
#include <lz4.h>
#include <lzma.h>
#include "tests/vmm/host/test.h"
#include "libos/vmm/image.h"
#include "libos/vmm/xen.h"
#include "libos/common/text.h"

#define RAM		(192ul << 10)
#define BIG_RAM		(16ul << 20)	/* with room for an LZ4 block */
#define BASE		0xffffffff80000000ul
#define TEXT_AT		0x10000ul	/* physical */
#define DATA_AT		0x20000ul
#define TEXT_SIZE	5000u
#define DATA_SIZE	304u
#define BSS_SIZE	9000u

/* ---- making an image ------------------------------------------------------------------------------ */

struct ehdr {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

unsigned test_failures;
uint64_t test_seed, test_random;

static struct file {
	struct ehdr e;
	struct phdr p[4];		/* text, data, notes, one to spare (PT_NULL) */
	uint8_t notes[512];
	uint8_t text[TEXT_SIZE];
	uint8_t data[DATA_SIZE];
} good;
static size_t note_end;

static void note(uint32_t type, const void *desc, uint32_t size)
{
	uint32_t head[3] = { 4, size, type };
	memcpy(good.notes + note_end, head, 12);
	memcpy(good.notes + note_end + 12, "Xen", 4);
	memcpy(good.notes + note_end + 16, desc, size);
	note_end += 16 + ((size + 3) & ~3u);
	good.p[2].filesz = note_end;
}
static void note_number(uint32_t type, uint64_t value) { note(type, &value, 8); }

static void make_good(void)
{
	static const uint8_t ident[] = { 127, 'E', 'L', 'F', 2, 1, 1 };
	memset(&good, 0, sizeof good);
	memcpy(good.e.ident, ident, sizeof ident);
	good.e.type = 2;
	good.e.machine = 62;
	good.e.entry = 1;
	good.e.phoff = offsetof(struct file, p);
	good.e.phentsize = sizeof(struct phdr);
	good.e.phnum = 4;
	good.p[0] = (struct phdr){ 1, 5, offsetof(struct file, text), 7, TEXT_AT, TEXT_SIZE, TEXT_SIZE, 1 };
	good.p[1] = (struct phdr){ 1, 6, offsetof(struct file, data), 7, DATA_AT, DATA_SIZE,
		DATA_SIZE + BSS_SIZE, 1 };
	good.p[2] = (struct phdr){ 4, 4, offsetof(struct file, notes), 0, 0, 0, 0, 4 };
	for (unsigned i = 0; i < TEXT_SIZE; i++)
		good.text[i] = i * 7 + 1;
	for (unsigned i = 0; i < DATA_SIZE; i++)
		good.data[i] = i * 3 + 2;
	note_end = 0;
	note(XEN_NOTE_XEN_VERSION, "xen-3.0", 8);
	note(XEN_NOTE_GUEST_OS, "test", 5);
	note_number(XEN_NOTE_VIRT_BASE, BASE);
	note_number(XEN_NOTE_ENTRY, BASE + TEXT_AT + 0x123);
	note_number(XEN_NOTE_INIT_P2M, 0x8000000000);
	note_number(XEN_NOTE_PADDR_OFFSET, 0);
	note(XEN_NOTE_MOD_START_PFN, "\1\0\0\0", 4);
	note(XEN_NOTE_L1_MFN_VALID, "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16);
}

/* ---- taking it ---------------------------------------------------------------------------------------- */

static struct image image;
static uint8_t *ram;

static uint8_t *copy(const void *from, size_t n)
{
	uint8_t *p = malloc(n);
	memcpy(p, from, n);
	return p;
}

/* In parts of `part` bytes, each an allocation of its own. */
static const char *take(const void *file, size_t n, size_t part, size_t ram_size)
{
	free(ram);
	ram = malloc(ram_size);
	memset(ram, 0xaa, ram_size);
	image_start(&image, ram, ram_size);
	for (size_t at = 0; at < n; at += part) {
		size_t size = n - at < part ? n - at : part;
		uint8_t *bytes = copy((const uint8_t *)file + at, size);
		image_take(&image, bytes, size);
		free(bytes);
	}
	return image_end(&image);
}
static const char *take_good(void) { return take(&good, sizeof good, sizeof good, RAM); }

static bool placed(void)
{
	if (memcmp(ram + TEXT_AT, good.text, TEXT_SIZE) || memcmp(ram + DATA_AT, good.data, DATA_SIZE))
		return false;
	for (unsigned i = 0; i < BSS_SIZE; i++)
		if (ram[DATA_AT + DATA_SIZE + i])
			return false;
	return ram[TEXT_AT - 1] == 0xaa && ram[TEXT_AT + TEXT_SIZE] == 0xaa &&
		ram[DATA_AT - 1] == 0xaa && ram[DATA_AT + DATA_SIZE + BSS_SIZE] == 0xaa;
}

static void image_good(void)
{
	static const size_t parts[] = { 1, 63, 64, 1000, 4095, 4096, 4097, sizeof good };
	make_good();
	for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		CHECK(!take(&good, sizeof good, parts[i], RAM));
		CHECK(placed());
		CHECK(image.entry == BASE + TEXT_AT + 0x123 && image.virt_base == BASE);
		CHECK(image.p2m == 0x8000000000 && image.mod_pfn);
		CHECK(image.hi == ((DATA_AT + DATA_SIZE + BSS_SIZE + 4095) & ~4095ul));
	}
	PASS();
}

/* As GRUB's: all notes 0, the entry of the ELF header where there is no note. */
static void image_from_zero(void)
{
	make_good();
	note_end = 0;
	note(XEN_NOTE_XEN_VERSION, "xen-3.0", 8);
	note_number(XEN_NOTE_VIRT_BASE, 0);
	CHECK(!take_good());
	CHECK(image.entry == 1 && !image.virt_base && !image.p2m && !image.mod_pfn);
	PASS();
}

static bool says(const char *error, const char *word) { return error && strstr(error, word); }

static void image_headers(void)
{
	make_good();
	good.e.ident[1] = 'X';
	CHECK(says(take_good(), "ELF"));
	make_good();
	good.e.machine = 183;
	CHECK(says(take_good(), "x86-64"));
	make_good();
	good.e.ident[4] = 1;
	CHECK(says(take_good(), "x86-64"));
	make_good();
	good.e.type = 3;
	CHECK(says(take_good(), "executable"));
	make_good();
	good.e.phoff = 4090;
	CHECK(says(take_good(), "program headers"));
	make_good();
	good.e.phoff = ~0ul - 8;
	CHECK(says(take_good(), "program headers"));
	make_good();
	good.e.phnum = 65535;
	CHECK(says(take_good(), "program headers"));
	make_good();
	good.p[0].type = good.p[1].type = 0;
	CHECK(says(take_good(), "nothing"));
	CHECK(says(take("", 0, 1, RAM), "short"));
	PASS();
}

static void image_segments(void)
{
	make_good();
	good.p[1].paddr = TEXT_AT + TEXT_SIZE - 1;
	CHECK(says(take_good(), "overlap"));
	make_good();
	good.p[1].paddr = TEXT_AT - 1;
	CHECK(says(take_good(), "overlap"));
	make_good();
	good.p[1].memsz = RAM - DATA_AT + 1;
	CHECK(says(take_good(), "memory"));
	make_good();
	good.p[1].paddr = ~0ul - 100;
	CHECK(says(take_good(), "memory"));
	make_good();
	good.p[1].memsz = ~0ul;
	CHECK(says(take_good(), "memory"));
	make_good();
	good.p[1].filesz = DATA_SIZE + BSS_SIZE + 1;
	CHECK(says(take_good(), "sizes"));
	make_good();
	good.p[1].offset = ~0ul - 8;
	CHECK(says(take_good(), "sizes"));
	make_good();
	good.p[1].offset = sizeof good - DATA_SIZE + 1;
	CHECK(says(take_good(), "truncated"));
	PASS();
}

static void image_notes(void)
{
	make_good();
	good.p[2].type = 0;
	CHECK(says(take_good(), "no Xen notes"));
	make_good();
	good.notes[4] = 200;			/* the first note's size: the text goes on into others */
	CHECK(take_good());
	make_good();
	note(XEN_NOTE_XEN_VERSION, "xen-4.0", 8);
	CHECK(says(take_good(), "xen-3.0"));
	make_good();
	note(XEN_NOTE_ENTRY, "abc", 3);
	CHECK(says(take_good(), "wrong size"));
	make_good();
	note_number(XEN_NOTE_ENTRY, BASE + image.hi);
	CHECK(says(take_good(), "ENTRY"));
	make_good();
	note_number(XEN_NOTE_VIRT_BASE, 0xffff840000000000);
	CHECK(says(take_good(), "VIRT_BASE"));
	make_good();
	note_number(XEN_NOTE_VIRT_BASE, 0x1234);
	CHECK(says(take_good(), "VIRT_BASE"));
	make_good();
	note_number(XEN_NOTE_INIT_P2M, 0xffff800000000000);
	CHECK(says(take_good(), "INIT_P2M"));
	make_good();
	note_number(XEN_NOTE_INIT_P2M, BASE + (256ul << 20));
	CHECK(says(take_good(), "INIT_P2M"));
	make_good();
	note_number(XEN_NOTE_PADDR_OFFSET, 0x1000);
	CHECK(says(take_good(), "PADDR_OFFSET"));
	make_good();
	note_number(XEN_NOTE_HYPERCALL_PAGE, BASE + TEXT_AT);
	CHECK(says(take_good(), "hypercall page"));
	make_good();
	good.p[2].filesz = IMAGE_NOTES + 1;
	CHECK(says(take_good(), "notes"));
	PASS();
}

static void image_addresses(void)
{
	CHECK(image_range(0, 1) && image_range(0, 1ul << 47) && !image_range(0, (1ul << 47) + 1));
	CHECK(!image_range(1ul << 47, 1) && !image_range(~0ul << 47, 1));
	CHECK(!image_range(0xffff87fffffff000, 4096) && image_range(0xffff880000000000, 4096));
	CHECK(image_range(-4096ul, 4096) && !image_range(-4096ul, 4097));
	PASS();
}

/* Every prefix is refused, and by a text that says truncated once the headers are there. */
static void image_truncated(void)
{
	make_good();
	for (size_t n = 0; n < sizeof good; n++) {
		const char *error = take(&good, n, 999, RAM);
		CHECK(n < sizeof good.e + sizeof good.p ? error != NULL : says(error, "truncated"));
	}
	PASS();
}

/* ---- bzImages ------------------------------------------------------------------------------------------- */

static uint8_t *bz;
static size_t bz_size;

static void bz_header(size_t payload)
{
	free(bz);
	bz_size = 3 * 512 + 64 + payload;
	bz = calloc(1, bz_size);
	bz[0x1f1] = 2;
	bz[0x1fe] = 0x55;
	bz[0x1ff] = 0xaa;
	memcpy(bz + 0x202, "HdrS", 4);
	bz[0x206] = 0x0f;
	bz[0x207] = 2;
	bz[0x248] = 64;
	memcpy(bz + 0x24c, &(uint32_t){ payload }, 4);
}
static uint8_t *bz_payload(void) { return bz + 3 * 512 + 64; }

/* In two blocks, for there to be a border. */
static void bz_lz4(void)
{
	const char *file = (const char *)&good;
	size_t room = 2 * LZ4_COMPRESSBOUND(sizeof good) + 16, at = 4, half = sizeof good / 2;
	char *out = malloc(room);
	memcpy(out, "\x02\x21\x4c\x18", 4);
	for (unsigned i = 0; i < 2; i++) {
		size_t from = i * half, size = i ? sizeof good - half : half;
		int n = LZ4_compress_default(file + from, out + at + 4, size, LZ4_COMPRESSBOUND(size));
		memcpy(out + at, &(uint32_t){ n }, 4);
		at += 4 + n;
	}
	memcpy(out + at, &(uint32_t){ sizeof good }, 4);
	bz_header(at + 4);
	memcpy(bz_payload(), out, at + 4);
	free(out);
}

static void bz_xz(void)
{
	size_t room = lzma_stream_buffer_bound(sizeof good), at = 0;
	uint8_t *out = malloc(room);
	lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, (const uint8_t *)&good, sizeof good, out, &at,
		room);
	bz_header(at + 4);
	memcpy(bz_payload(), out, at);
	memcpy(bz_payload() + at, &(uint32_t){ sizeof good }, 4);
	free(out);
}

/* As load.c does it, in an allocation of the file's exact size. */
static const char *take_bz(size_t ram_size)
{
	struct image_payload p;
	static uint8_t room[BIG_RAM];
	uint8_t *file = copy(bz, bz_size);
	struct image_heap heap = { room, room + ram_size };
	const char *error = image_payload(file, bz_size, &p);
	free(ram);
	ram = malloc(RAM);
	memset(ram, 0xaa, RAM);
	image_start(&image, ram, RAM);
	if (!error)
		error = image_unpack(&p, file, &heap, image_take, &image);
	if (image.error || !error)
		error = image_end(&image);
	free(file);
	return error;
}

static void image_packed(void)
{
	make_good();
	bz_lz4();
	CHECK(!take_bz(BIG_RAM) && placed());
	CHECK(says(take_bz(1ul << 20), "too little"));
	bz_xz();
	CHECK(!take_bz(BIG_RAM) && placed());
	CHECK(says(take_bz(64 << 10), "too little"));
	PASS();
}

/* What was placed reaches, in whole pages, above what is left to unpack in. */
static void image_no_heap(void)
{
	struct image_payload p;
	static uint8_t room[BIG_RAM];
	struct image_heap heap = { room + BIG_RAM, room + BIG_RAM - 64 };
	make_good();
	bz_lz4();
	image_start(&image, ram, RAM);
	CHECK(!image_payload(bz, bz_size, &p));
	CHECK(says(image_unpack(&p, bz, &heap, image_take, &image), "too little"));
	PASS();
}

static void image_bad_file(void)
{
	struct image_payload p;
	CHECK(says(image_payload((const uint8_t *)"", 0, &p), "empty"));
	CHECK(says(image_payload((const uint8_t *)"hello", 5, &p), "neither"));
	make_good();
	bz_lz4();
	for (size_t n = 0x206; n < bz_size; n++) {
		uint8_t *file = copy(bz, n);
		CHECK(says(image_payload(file, n, &p), "truncated"));
		free(file);
	}
	bz[0x206] = 7;
	CHECK(says(take_bz(BIG_RAM), "too old"));
	bz_lz4();
	memcpy(bz_payload(), "\x1f\x8b\x08\x00", 4);
	CHECK(says(take_bz(BIG_RAM), "gzip"));
	memcpy(bz_payload(), "abcd", 4);
	CHECK(says(take_bz(BIG_RAM), "not known"));
	PASS();
}

static void image_damaged(void)
{
	make_good();
	bz_lz4();
	bz[bz_size - 4]++;			/* the size that was packed */
	CHECK(says(take_bz(BIG_RAM), "damaged"));
	bz_lz4();
	bz_payload()[4]--;			/* a block's size */
	CHECK(take_bz(BIG_RAM));
	bz_lz4();
	bz_payload()[7] = 0xff;
	CHECK(says(take_bz(BIG_RAM), "damaged"));
	bz_xz();
	bz_payload()[40]++;
	CHECK(says(take_bz(BIG_RAM), "damaged"));
	good.e.machine = 3;			/* packed well, but not what it should be */
	bz_xz();
	CHECK(says(take_bz(BIG_RAM), "x86-64"));
	PASS();
}

/* ---- at random ------------------------------------------------------------------------------------------- */

static void spoil(uint8_t *bytes, size_t n)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0xfe, 4 };
	for (unsigned k = 1 + any() % 4; k; k--)
		bytes[any() % n] = any() % 2 ? values[any() % sizeof values] : any();
}

/* Whatever the file is, nothing outside it is read and nothing outside the memory is written. */
static void image_random(unsigned rounds)
{
	unsigned taken = 0;
	for (unsigned i = 0; i < rounds; i++) {
		make_good();
		size_t head = offsetof(struct file, text);
		if (any() % 2)
			spoil((uint8_t *)&good, head);
		switch (i % 8) {
		case 0:
			bz_lz4();
			break;
		case 1:
			bz_xz();
			break;
		default:
			taken += !take(&good, any() % 8 ? sizeof good : any() % sizeof good, 1 + any() % 9000,
				RAM);
			continue;
		}
		spoil(any() % 2 ? bz + 0x1f1 : bz_payload(), any() % 2 ? 100 : 64);
		take_bz(BIG_RAM);
	}
	CHECK(taken > rounds / 8);		/* not all are refused at the door */
	PASS();
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? atoi(argv[1]) : 2000;
	test_seed = test_random = argc > 2 ? atoi(argv[2]) : 1;
	image_good();
	image_from_zero();
	image_headers();
	image_segments();
	image_notes();
	image_addresses();
	image_truncated();
	image_packed();
	image_no_heap();
	image_bad_file();
	image_damaged();
	image_random(rounds);
	free(bz);
	free(ram);
	return test_failures != 0;
}
