/* The child of revoker.c that has frames to give, of one kind (option `supply`), so many (option
 * `frames`):
 *
 *	discardable	pages that are written, and may go at once: it must not hear of it
 *	empty		free frames of the pool
 *	clean		pages of leaf objects that the store has
 *	dirty		pages of leaf objects that the store does not have
 *
 * It signals READY and answers from then on.  Status 0: told when its discardable frames were gone, it
 * found them gone, and no others.
 */
#include "libos/common/common.h"
#include "libos/gc-runtime/paging.h"
#include "libos/gc-runtime/port.h"

#define OTHERS		2048u		/* frames for everything else */
#define LARGE		256u		/* pages of a leaf object */
#define ROOTS		256u

struct leaf { struct gc_object gc; volatile uint8_t byte[]; };
struct list { struct gc_object gc; struct leaf *leaf[ROOTS]; };

static struct list *list;
static uint64_t frames;
static volatile uint64_t wanted;

static void ready(void) { exo_event_signal(start_cap(start_page, "ready"), 1ul << 40); }
static void on_revoke(uint64_t n, uint64_t deadline)
{
	(void)deadline;
	wanted = n;
}

static void start_mmu(void)
{
	const char *why;
	if (mmu_init(frames + 64, frames + 64, &why))
		port_fail("supplier: %s\n", why);
	mmu_on_revoke(on_revoke);
}

/* Every page was lost before anybody was told, and it is known. */
static int gone(uint64_t total)
{
	for (uint32_t p = 0; p < frames; p++)
		if (mmu_frame(p))
			return 2;
	return mmu_frames_total() == total - frames ? 0 : 3;
}

static int discardable(void)
{
	start_mmu();
	uint64_t total = mmu_frames_total();
	if (mmu_do(MMU_MAP, 0, frames, MMU_W, 0))
		return 4;
	for (uint32_t p = 0; p < frames; p++)
		*(volatile uint64_t *)mmu_address(p) = p;
	mmu_discardable(0, frames, true);
	ready();
	while (!wanted)
		exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK);
	return gone(total);
}

static _Noreturn void empty(void)
{
	start_mmu();
	for (ready();; exo_yield(0))
		if (wanted) {
			wanted = 0;
			mmu_give(frames);
		}
}

static void touch_all(bool write)
{
	for (uint64_t i = 0; i < frames / LARGE; i++)
		for (uint64_t at = 0; at + MMU_PAGE < LARGE * MMU_PAGE; at += MMU_PAGE) {
			if (write)
				list->leaf[i]->byte[at] = i;
			else
				(void)list->leaf[i]->byte[at];
		}
}

static _Noreturn void objects(bool clean)
{
	struct gc_options options = { .memory = (frames + OTHERS) * MMU_PAGE, .heap = 512 << 20,
		.store = "memory" };
	gc_init(&options);
	gc_root_add(&list);
	list = gc_new(ROOTS, sizeof *list);
	for (uint64_t i = 0; i < frames / LARGE; i++)
		GC_SET(list, leaf[i], (struct leaf *)gc_new(0, LARGE * MMU_PAGE));
	touch_all(true);
	if (clean) {
		paging_room(frames);
		touch_all(false);
	}
	for (ready();; exo_yield(0))
		gc_safepoint();
}

int gc_main(unsigned argc, const char *(*arg)(unsigned i))
{
	char supply[16], number[16];
	(void)argc, (void)arg;
	if (start_option(start_page, "supply", supply, sizeof supply) < 0 ||
	    start_option(start_page, "frames", number, sizeof number) < 0 || !text_number(number, &frames))
		return 5;
	if (!strcmp(supply, "discardable"))
		return discardable();
	if (!strcmp(supply, "empty"))
		empty();
	objects(!strcmp(supply, "clean"));
}
