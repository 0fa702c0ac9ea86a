/* What a guest that has taken over its monitor might do to the session: this program lies where /bin/vmm
 * looks for the monitor, and does what its --append says.
 *
 *	files		asks for files and writes that are not its own; says how many were refused
 *	stamp		gives the overlay's first snapshot a name and a time that are none
 *	asks		sends nonsense as fast as it can, for a while
 *	floods		writes to both streams for ever
 *	deaf		spins, and takes no signal
 *	status		ends with a status that means nothing
 *	fault		dies of a page fault
 *
 * Its disks are a plain file, then an overlay. */
#include "libos/common/common.h"
#include "libos/vmm/cow.h"

VIRTUE_NOTE("bare");

#define SECTOR		512u
#define HEADER		328u		/* of an overlay, at the start of one of its first two blocks */
#define HEADER_BASE	64u
#define EPERM		1
#define EBADF		9
#define EACCES		13
#define EINVAL		22
#define ENOSPC		28
#define NONSENSE	20000u

static unsigned done, good;
static uint8_t data[PROXY_SLOT_SIZE] __attribute__((aligned(8)));

/* The n-th value of an option, "" = none. */
static const char *option(const char *name, unsigned n)
{
	for (unsigned i = 1; i + 1 < proxy_argc(); i++)
		if (!strcmp(proxy_arg(i), name) && !n--)
			return proxy_arg(i + 1);
	return "";
}

static void expect(const char *what, int64_t got, int64_t wanted)
{
	done++;
	good += got == wanted;
	if (got != wanted)
		proxy_printf(1, "%s: %ld, not %ld\n", what, got, wanted);
}

/* As it is, past the checks of proxy_file. */
static int64_t ask(unsigned op, uint32_t file, uint64_t offset, uint64_t length)
{
	proxy_ask(0, op, file, offset, length);
	return proxy_answer(0);
}

static int64_t write(uint32_t file, uint64_t offset, size_t n)
{
	return proxy_file(PROXY_WRITE, file, offset, data, n);
}

static void plain(const char *path)
{
	uint32_t f = proxy_open(path, PROXY_O_READ | PROXY_O_WRITE);
	uint64_t size = proxy_file(PROXY_GETSIZE, f, 0, NULL, 0);
	expect("made anew", proxy_open(path, PROXY_O_WRITE | PROXY_O_TRUNC), -EACCES);
	expect("last sector", write(f, size - SECTOR, SECTOR), SECTOR);
	expect("behind the end", write(f, size, SECTOR), -ENOSPC);
	expect("across the end", write(f, size - SECTOR, 2 * SECTOR), -ENOSPC);
	expect("far away", write(f, 1ul << 62, SECTOR), -ENOSPC);
	expect("round the end", write(f, -1ul, SECTOR), -ENOSPC);
	expect("a new size", ask(PROXY_SETSIZE, f, 1ul << 40, 0), -EINVAL);
	expect("a long read", ask(PROXY_READ, f, 0, sizeof data + 1), -EINVAL);
	expect("a long write", ask(PROXY_WRITE, f, 0, 1ul << 40), -EINVAL);
	expect("an unknown call", ask(200, f, 0, 0), -EINVAL);
}

/* The base is only changed in the header, and by nothing else. */
static void overlay(const char *path)
{
	uint32_t f = proxy_open(path, PROXY_O_READ | PROXY_O_WRITE), block = 0;
	uint64_t size = proxy_file(PROXY_GETSIZE, f, 0, NULL, 0);
	do
		proxy_file(PROXY_READ, f, 4096 * block++, data, HEADER);
	while (!data[0] && block < 2);
	expect("its header", write(f, 0, HEADER), HEADER);
	memcpy(data + HEADER_BASE, "/etc/passwd", 12);
	expect("another base", write(f, 0, HEADER), -EPERM);
	expect("another base, in part", write(f, HEADER_BASE, 12), -EPERM);
	expect("another base, and more", write(f, 0, 2 * HEADER), -EPERM);
	expect("another base, in the second header", write(f, 4096, HEADER), -EPERM);
	expect("behind the headers", write(f, size, 4096), 4096);
	expect("without limit", write(f, size + (64ul << 20), 4096), -ENOSPC);
}

static void files(void)
{
	uint32_t kernel = proxy_open(option("--kernel", 0), PROXY_O_READ);
	expect("another file", proxy_open("/etc/passwd", PROXY_O_READ), -EACCES);
	expect("the kernel", proxy_open(option("--kernel", 0), PROXY_O_READ | PROXY_O_WRITE), -EACCES);
	expect("the kernel's bytes", write(kernel, 0, 4), -EBADF);
	expect("no file", write(99, 0, 4), -EBADF);
	plain(option("--disk", 0));
	overlay(option("--disk", 1) + strlen("cow:"));
	proxy_printf(1, "as they should be: %u of %u\n", good, done);
}

static void stamp(const char *path)
{
	struct cow_record *r = (struct cow_record *)data;
	uint32_t f = proxy_open(path, PROXY_O_READ | PROXY_O_WRITE);
	proxy_file(PROXY_READ, f, COW_HEADERS, data, sizeof *r);
	r->time = 1ul << 62;
	text_copy(r->name, "\033c\377", COW_NAME);
	r->sum = 0xcbf29ce484222325ul;		/* as vdisk_sum does it */
	for (size_t i = 0; i < offsetof(struct cow_record, sum); i++)
		r->sum = (r->sum ^ data[i]) * 0x100000001b3ul;
	expect("the record", write(f, COW_HEADERS, sizeof *r), sizeof *r);
	proxy_printf(1, "stamped: %u\n", good);
}

static void asks(void)
{
	uint64_t state = 1;
	for (unsigned i = 0; i < NONSENSE; i++) {
		state = state * 6364136223846793005ul + 1442695040888963407ul;
		if ((state >> 40) % 16 == PROXY_WRITE)
			continue;		/* its own disk */
		ask((state >> 40) % 16, state >> 44 & 7, state >> 8, state >> 60 ? 100 : state);
	}
	proxy_printf(1, "asked\n");
}

int main(struct exo_start *s)
{
	if (frames_init(s, true) || !proxy_attach(s))
		return 1;
	const char *deed = option("--append", 0);
	if (!strcmp(deed, "files"))
		files();
	if (!strcmp(deed, "stamp"))
		stamp(option("--disk", 0) + strlen("cow:"));
	if (!strcmp(deed, "asks"))
		asks();
	while (!strcmp(deed, "floods"))
		for (unsigned stream = 1; stream <= 2; stream++)
			proxy_write(stream, data, sizeof data);
	while (!strcmp(deed, "deaf"))
		;
	if (!strcmp(deed, "fault"))
		__asm__ volatile("mov %0, (%0)" : : "r"(8ul) : "memory");
	proxy_exit(strcmp(deed, "status") ? 0 : 77);
}
