/* A store that fails, at the n-th page that it transfers: the runtime names it and ends the program,
 * or finds that a page is not what it was.  Argument: how.
 *
 *	write, read	an I/O error
 *	full		no space is left
 *	gone		the device is pulled out: nothing works from then on
 *	read-only	it cannot be written from then on
 *	torn		half of the page is written
 *	lost		the page is not written, and nobody says so
 *	misplaced	another page is read
 *	none		it works, to the end: status 0
 *
 * The program checks its own data all the time: no wrong answer is ever given (status 2).
 */
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/store.h"

#define SLOTS		6000u
#define STEPS		60000u
#define WORDS		24u
#define AFTER		1000u		/* pages that go well */
enum { EIO = 5, ENODEV = 19, ENOSPC = 28, EROFS = 30 };

struct item { struct gc_object gc; uint64_t name, word[WORDS]; };
struct list { struct gc_object gc; struct item *item[SLOTS]; };

static struct list *list;
static uint64_t seed = 3;
static const struct gc_store *real;
static const char *how;
static unsigned pages;
static struct gc_io first;

static bool is(const char *name) { return !strcmp(how, name); }
static bool due(unsigned n) { return (pages += n) > AFTER; }

/* The page's second half is what the store has of another page. */
static int torn(const struct gc_io *io)
{
	static uint8_t whole[MMU_PAGE];
	uint8_t *bytes = mmu_window(io->frame);
	memcpy(whole, bytes, MMU_PAGE);
	memset(bytes + MMU_PAGE / 2, 0x55, MMU_PAGE / 2);
	int error = real->write(io, 1);
	memcpy(bytes, whole, MMU_PAGE);
	return error;
}

static int faulty_write(const struct gc_io *io, unsigned n)
{
	if (!due(n) || is("read") || is("misplaced") || is("none"))
		return first = io[0], real->write(io, n);
	if (is("lost"))
		return n > 1 ? real->write(io + 1, n - 1) : 0;
	if (is("torn")) {
		int error = n > 1 ? real->write(io + 1, n - 1) : 0;
		return error ? error : torn(io);
	}
	return is("full") ? -ENOSPC : is("gone") ? -ENODEV : is("read-only") ? -EROFS : -EIO;
}

static int faulty_read(const struct gc_io *io, unsigned n)
{
	struct gc_io other = { first.slot, io->frame };
	if (is("read") && due(n))
		return -EIO;
	if (is("gone") && pages > AFTER)
		return -ENODEV;
	if (is("misplaced") && due(n) && other.slot != io->slot)
		io = &other;
	return real->read(io, n);
}

static uint64_t draw(uint64_t n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static void renew(uint64_t i)
{
	struct item *it = gc_new(0, sizeof *it);
	it->name = i;
	for (unsigned k = 0; k < WORDS; k++)
		it->word[k] = i * 31 + k;
	GC_SET(list, item[i], it);
}

static bool right(uint64_t i)
{
	const struct item *it = list->item[i];
	for (unsigned k = 0; k < WORDS; k++)
		if (it->word[k] != i * 31 + k)
			return false;
	return it->name == i;
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	static struct gc_store faulty;
	struct gc_options options = { .memory = 2 << 20, .heap = 64 << 20, .verify = true };
	how = argc > 1 ? arg(1) : "none";
	gc_init(&options);
	real = store;
	faulty = *store;
	faulty.write = faulty_write;
	faulty.read = faulty_read;
	store = &faulty;
	gc_root_add(&list);
	list = gc_new(SLOTS, sizeof *list);
	for (uint64_t i = 0; i < SLOTS; i++)
		renew(i);
	for (uint64_t step = 0; step < STEPS; step++) {
		if (!right(draw(SLOTS)))
			return 2;
		renew(draw(SLOTS));
	}
	return pages > AFTER ? 0 : 3;
}
