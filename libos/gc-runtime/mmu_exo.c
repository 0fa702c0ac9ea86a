/* The MMU interface on the exokernel: the domain's own page tables, frames and upcalls.
 *
 * The tables of the region are mapped read-only, one after the other, so that mmu.pte is the
 * hardware's entries themselves.  They are written by pt_write in batches; pt_clean reads and
 * clears bits; a page fault is an upcall, and the way back is an iretq, without the kernel.
 *
 * Frames that may go at once are on offer in the domain page: a bit each in bitmaps that are shared
 * with the kernel.  Who clears a bit first, the kernel or this file, has the frame.
 *
 * Left to libos/common: where frames come from, and the physmap that is mmu_window.
 */
#include "libos/gc-runtime/mmu_check.h"
#include "libos/gc-runtime/port.h"
#include "libos/common/common.h"

#define BASE		0x200000000000ul
#define TABLES		(BASE + (1ul << 38))	/* where the region's tables are shown */
#define TABLES_MAX	4096u
#define PER_TABLE	512u
#define FRAMES_LEFT	256u			/* kept out of the pool: page tables, stores' beginnings */
#define NONE		~0u			/* no page; in the order: no frame */
#define LOST_MAX	(3 * MMU_VICTIMS)
#define ENOMEM		12
#define EBUSY		16
#define EINVAL		22
#define PAGE_FAULT	14
#define ERROR_P		1u
#define ERROR_W		2u

_Static_assert(MMU_P == EXO_PTE_P && MMU_W == EXO_PTE_W && MMU_A == EXO_PTE_A && MMU_D == EXO_PTE_D &&
	MMU_FRAME == EXO_PTE_FRAME, "entries are shown as they are");

struct mmu mmu;
static struct {
	uint64_t table[TABLES_MAX];	/* physical addresses; 0: none yet */
	uint64_t left, total;
	struct pt_batch batch;
	bool flush;			/* the batch removes or restricts */
	bool (*fault)(const struct mmu_fault *f);
	bool inside;
	void (*revoke)(uint64_t frames, uint64_t deadline);
	volatile struct exo_domain_page *page;
	uint64_t want, asked;		/* frames asked back, not given yet; requests seen */
	/* The order, NONE: left it; of the order before it what may have been chosen. */
	uint32_t victim[MMU_VICTIMS], old[MMU_VICTIMS];
	unsigned victims, olds;
	uint32_t lost[LOST_MAX];	/* to be told: [lost_first, lost_end) */
	unsigned lost_first, lost_end;
	/* On offer, by frame: shared with the kernel; those that pages of the region show; and of these
	 * the ones that the kernel took, which may be mapped still. */
	struct { uint64_t *shared, *pages, *taken; } offers[EXO_SPARE_MAX];
	uint64_t shown, gone;		/* set bits in all `pages`, in all `taken` */
} ex;

static void must(uint64_t status, const char *what)
{
	if (status)
		port_fail("mmu: %s: %s\n", what, exo_status_text(status));
}

static void settle(void);

/* ---- frames ------------------------------------------------------------------------------- */

uint64_t mmu_frames_free(void) { return ex.left; }
uint64_t mmu_frames_total(void)
{
	settle();
	return ex.total;
}

bool mmu_frame_taken(uint64_t frame) { return frame != 0; }	/* of others: the kernel refuses */

uint64_t mmu_frame_take(void)
{
	uint64_t frame = ex.left ? frame_alloc() : 0;
	ex.left -= frame != 0;
	return frame;
}

void mmu_frame_put(uint64_t frame)
{
	frame_free(frame);
	ex.left++;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static uint64_t show(uint32_t table, uint64_t pfn)
{
	uint64_t va = TABLES + (uint64_t)table * EXO_PAGE_SIZE;
	uint64_t status = pt_map(start_page->root, va, pfn, 1, PTE_RO, 0);
	return status ? status : exo_tlb_flush(va, 1, EXO_FLUSH_ALL).status;
}

/* The physical address of a page's entry; its table is made if need be. */
static uint64_t entry(uint32_t page)
{
	uint64_t *t = &ex.table[page / PER_TABLE], status;
	if (!*t) {
		*t = pt_make(start_page->root, BASE + ((uint64_t)page << MMU_SHIFT), 1, &status) &
			-EXO_PAGE_SIZE;
		must(status, "no frame for a page table");
		must(show(page / PER_TABLE, *t >> EXO_PAGE_SHIFT), "a table cannot be shown");
	}
	return *t + 8 * (page % PER_TABLE);
}

/* ---- batches ------------------------------------------------------------------------------- */

static void set(uint32_t page, uint64_t value, unsigned op)
{
	pt_batch_add(&ex.batch, entry(page) | op, value);
}

/* A frame's bit in a bitmap of offers; was it set? */
static bool bit_flip(uint64_t *map, uint64_t pfn, bool on)
{
	uint64_t *word = map + pfn % EXO_SPARE_BITS / 64, bit = 1ul << pfn % 64;
	return bit & (on ? __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) :
		__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST));
}

/* A frame that went and is ours again. */
static void offers_forget(uint64_t pfn)
{
	uint64_t k = pfn / EXO_SPARE_BITS;
	if (!ex.gone || k >= EXO_SPARE_MAX || !ex.offers[k].pages ||
	    !bit_flip(ex.offers[k].taken, pfn, false))
		return;
	bit_flip(ex.offers[k].pages, pfn, false);
	ex.gone--;
	ex.shown--;
}

static uint64_t made(uint64_t frame, uint32_t prot)
{
	return PTE_MAKE(frame, PTE_RO | (prot & (MMU_W | MMU_A | MMU_D)));
}

static void map_one(uint32_t page, const struct mmu_op *o)
{
	uint64_t frame = o->op == MMU_MAP ? mmu_frame_take() : o->arg;
	if (!frame)
		port_fail("mmu: the quota is smaller than the pool\n");
	if (o->prot & MMU_ZERO)
		memset(mmu_window(frame), 0, MMU_PAGE);
	offers_forget(frame);
	set(page, made(frame, o->prot), EXO_PT_SET);
}

static void carry_out_one(const struct mmu_op *o, uint32_t i)
{
	uint32_t page = o->page + i;
	uint64_t e = mmu.pte[page];
	switch (o->op) {
	case MMU_MAP:
	case MMU_MAP_FRAME:
		map_one(page, o);
		return;
	case MMU_UNMAP:
	case MMU_DETACH:
		set(page, 0, EXO_PT_SET);
		break;
	case MMU_PROTECT:
		set(page, (e & ~MMU_W) | (o->prot & MMU_W), EXO_PT_SET_AD);
		if (o->prot & MMU_W)	/* who still has the old translation faults: see is_stale */
			return;
		break;
	case MMU_ALIAS:
		set(o->arg + i, made(mmu_frame(page), o->prot), EXO_PT_SET);
		return;
	case MMU_MOVE:
	case MMU_SWAP:
		set(page, o->op == MMU_SWAP ? mmu.pte[o->arg + i] : 0, EXO_PT_SET);
		set(o->arg + i, e, EXO_PT_SET);
		break;
	}
	ex.flush = true;
}

/* The pool gets frames back when no CPU maps them any more. */
static void release(const struct mmu_op *op, unsigned n, const uint32_t *frame)
{
	for (unsigned i = 0; i < n; i++)
		for (uint32_t k = 0; op[i].op == MMU_UNMAP && k < op[i].n; k++)
			mmu_frame_put(*frame++);
}

/* One part of a batch: what is unmapped by it fits `frame`. */
#define PART	64u
static void part(const struct mmu_op *op, unsigned n)
{
	uint32_t frame[PART], frames = 0;
	pt_batch_start(&ex.batch, 0, 0);
	ex.flush = false;
	for (unsigned i = 0; i < n; i++)
		for (uint32_t k = 0; k < op[i].n; k++) {
			if (op[i].op == MMU_UNMAP)
				frame[frames++] = mmu_frame(op[i].page + k);
			carry_out_one(&op[i], k);
		}
	must(pt_batch_end(&ex.batch, ex.flush ? EXO_FLUSH_ALL : EXO_FLUSH_NONE), "pt_write");
	release(op, n, frame);
}

int mmu_batch(const struct mmu_op *op, unsigned n)
{
	int error = mmu_settle(op, n);
	if (!error)
		error = mmu_check(op, n);
	if (error)
		return error;
	for (unsigned i = 0, k; i < n; i += k) {
		uint32_t pages = 0;
		for (k = 0; i + k < n && pages + op[i + k].n <= PART; k++)
			pages += op[i + k].n;
		if (k) {
			part(op + i, k);
			continue;
		}
		for (uint32_t done = 0; done < op[i].n; done += PART) {
			struct mmu_op piece = op[i];
			piece.page += done;
			piece.arg += piece.op == MMU_MAP_FRAME ? 0 : done;
			piece.n = op[i].n - done < PART ? op[i].n - done : PART;
			part(&piece, 1);
		}
		k = 1;
	}
	return 0;
}

/* ---- harvests -------------------------------------------------------------- */

static bool any(uint32_t page, uint32_t n, uint32_t which)
{
	uint64_t bits = 0;
	for (uint32_t i = 0; i < n; i++)
		bits |= mmu.pte[page + i];
	return bits & which;
}

static void copy_bits(uint64_t *to, const uint64_t *from, uint32_t n, bool wanted)
{
	for (uint32_t i = 0; to && i < (n + 63) / 64; i++)
		to[i] = wanted ? from[i] : 0;
}

uint32_t mmu_harvest(uint32_t page, uint32_t n, uint32_t which, uint64_t *a, uint64_t *d)
{
	uint32_t found = 0;
	for (uint32_t i = 0, k; i < n; i += k) {
		uint64_t out[16] = { 0 };
		uint32_t first = (page + i) % PER_TABLE, table = (page + i) / PER_TABLE;
		k = n - i < PER_TABLE - first ? n - i : PER_TABLE - first;
		if (ex.table[table] && any(page + i, k, which)) {
			struct exo_result r = exo_pt_clean(0, ex.table[table] >> EXO_PAGE_SHIFT, first, k,
				out, (which & MMU_A ? EXO_CLEAN_A : 0) | (which & MMU_D ? EXO_CLEAN_D : 0));
			must(r.status, "pt_clean");
			found += r.value;
		}
		copy_bits(a ? a + i / 64 : NULL, out + first / 64, k, which & MMU_A);
		copy_bits(d ? d + i / 64 : NULL, out + 8 + first / 64, k, which & MMU_D);
	}
	return found;
}

/* ---- faults ------------------------------------------------------------------ */

void mmu_on_fault(bool (*hook)(const struct mmu_fault *f)) { ex.fault = hook; }

/* The entry permits it by now, and the fault has ended the translation that did not. */
static bool is_stale(const struct mmu_fault *f)
{
	return f->mapped && f->write && (mmu.pte[f->page] & (MMU_P | MMU_W)) == (MMU_P | MMU_W);
}

static bool on_exception(struct upcall_regs *r)
{
	const void *at = (const void *)r->up.addr;
	if (EXO_INFO_VECTOR(r->up.info) != PAGE_FAULT || !mmu_inside(at) || !ex.fault || ex.inside)
		return false;
	struct mmu_fault f = { mmu_page(at), r->up.error & ERROR_W, r->up.error & ERROR_P, r->up.addr,
		r->up.rip };
	if (is_stale(&f))
		return true;
	ex.inside = true;
	bool served = ex.fault(&f);
	ex.inside = false;
	return served;
}

/* ---- revocation -------------------------------------------------------------- */

void mmu_on_revoke(void (*hook)(uint64_t frames, uint64_t deadline)) { ex.revoke = hook; }

/* The bitmaps that hold a frame's bits are made when they are first needed; false: they cannot be.
 */
static bool offers_ready(uint64_t pfn)
{
	uint64_t k = pfn / EXO_SPARE_BITS, frame;
	if (k >= EXO_SPARE_MAX || !ex.page || ex.offers[k].shared)
		return k < EXO_SPARE_MAX && ex.page;
	uint64_t *taken = page_new(&frame), *pages = page_new(&frame), *shared = page_new(&frame);
	if (!shared || !pages || !taken)
		return false;
	ex.offers[k].shared = shared;
	ex.offers[k].pages = pages;
	ex.offers[k].taken = taken;
	ex.page->spare[k] = frame;
	return true;
}

static void discardable_on(uint32_t page)
{
	uint64_t pfn = mmu_frame(page);
	if (!pfn || !offers_ready(pfn) || !frame_apart(pfn))
		return;
	if (bit_flip(ex.offers[pfn / EXO_SPARE_BITS].pages, pfn, true))
		return;			/* it is, or it went */
	ex.shown++;
	bit_flip(ex.offers[pfn / EXO_SPARE_BITS].shared, pfn, true);
}

/* The frame of a page is the pool's again, or it is gone, and the page is unmapped. */
static void discardable_off(uint32_t page)
{
	uint64_t pfn = mmu_frame(page), k = pfn / EXO_SPARE_BITS;
	if (!pfn || k >= EXO_SPARE_MAX || !ex.offers[k].pages || !bit_flip(ex.offers[k].pages, pfn, false))
		return;
	ex.shown--;
	if (bit_flip(ex.offers[k].taken, pfn, false))
		ex.gone--;
	else if (bit_flip(ex.offers[k].shared, pfn, false))
		return;
	else
		ex.total--;
	pt_batch_start(&ex.batch, 0, 0);
	set(page, 0, EXO_PT_SET);
	must(pt_batch_end(&ex.batch, EXO_FLUSH_ALL), "pt_write");
}

void mmu_discardable(uint32_t page, uint32_t n, bool on)
{
	for (uint32_t p = page; p < page + n && (on || ex.shown); p++)
		if (!on)
			discardable_off(p);
		else if (!mmu_unpublish(p, 1))
			discardable_on(p);
}

/* What the kernel has taken of the discardable pages.  It clears the bit first, and the mapping some
 * time later: until then the page is none to go on with (discardable_off). */
static void settle_offers(void)
{
	for (unsigned k = 0; k < EXO_SPARE_MAX && ex.shown > ex.gone; k++)
		for (unsigned w = 0; ex.offers[k].pages && w < EXO_SPARE_BITS / 64; w++) {
			uint64_t gone = ex.offers[k].pages[w] & ~ex.offers[k].taken[w] &
				~*(volatile uint64_t *)&ex.offers[k].shared[w];
			ex.offers[k].taken[w] |= gone;
			for (; gone; gone &= gone - 1, ex.gone++)
				ex.total--;
		}
}

/* A request is past its deadline: the kernel chooses by the order, or has. */
static bool forced(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* what was written to the order comes before */
	return ex.page && ex.page->revoke_want && time_now() >= ex.page->revoke_deadline;
}

/* Those that lost their frames: nothing else unmaps a page of the order. */
static void settle_order(uint32_t *page, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (page[i] != NONE && !mmu_frame(page[i])) {
			ex.lost[ex.lost_end++] = page[i];
			page[i] = NONE;
			ex.total--;
		}
}

static void settle_orders(void)
{
	bool stands = forced();		/* else nothing of the old order can go any more */
	settle_order(ex.old, ex.olds);
	settle_order(ex.victim, ex.victims);
	ex.olds = stands ? ex.olds : 0;
}

/* What the kernel has taken. */
static void settle(void)
{
	settle_offers();
	settle_orders();
}

/* A domain can't give frames to one that it holds no capability to: it puts them on offer,
 * unmapped, and forgets them. */
uint64_t mmu_give(uint64_t n)
{
	uint64_t frame;
	settle();
	if (ex.want && !ex.page->revoke_want)	/* the request is over */
		ex.want = 0;
	for (; n && ex.want && ex.left && (frame = frame_take()) && offers_ready(frame); n--) {
		bit_flip(ex.offers[frame / EXO_SPARE_BITS].shared, frame, true);
		ex.left--;
		ex.want--;
		ex.total--;
	}
	return ex.want;
}

/* Takes it out of the order, unless the kernel may have chosen it. */
static bool unpublish(unsigned i)
{
	uint32_t pfn = ex.page->order[i];
	if (forced())
		return false;
	ex.page->order[i] = NONE;
	if (forced()) {
		ex.page->order[i] = pfn;
		return false;
	}
	ex.victim[i] = NONE;
	return true;
}

int mmu_unpublish(uint32_t page, uint32_t n)
{
	if (!ex.victims && !ex.olds)
		return 0;
	settle_orders();
	for (unsigned i = 0; i < ex.olds; i++)
		if (ex.old[i] != NONE && ex.old[i] - page < n)
			return -EBUSY;
	for (unsigned i = 0; i < ex.victims; i++)
		if (ex.victim[i] != NONE && ex.victim[i] - page < n && !unpublish(i))
			return -EBUSY;
	return 0;
}

/* The pages' frames that can go alone, each once. */
static unsigned to_publish(const uint32_t *page, unsigned n, unsigned room, uint32_t *pfn)
{
	unsigned count = 0, k;
	for (unsigned i = 0; i < n && count < room; i++) {
		if (page[i] >= mmu.pages)
			continue;
		discardable_off(page[i]);
		uint64_t frame = mmu_frame(page[i]);
		for (k = 0; k < count && pfn[k] != frame; k++)
			;
		if (k < count || !frame || !frame_apart(frame))
			continue;
		ex.victim[count] = page[i];
		pfn[count++] = frame;
	}
	return count;
}

/* A page of both orders is looked for in the new one alone, so that it is told once. */
static void drop_olds(void)
{
	for (unsigned i = 0; i < ex.olds; i++)
		for (unsigned k = 0; k < ex.victims; k++)
			if (ex.old[i] == ex.victim[k])
				ex.old[i] = NONE;
}

/* The room for what is lost of two orders, and what is not told yet. */
static unsigned room_for_order(void)
{
	unsigned n = ex.lost_end - ex.lost_first;
	memmove(ex.lost, ex.lost + ex.lost_first, n * sizeof *ex.lost);
	ex.lost_first = 0;
	ex.lost_end = n;
	n = LOST_MAX - n - ex.olds;
	return n < MMU_VICTIMS ? n : MMU_VICTIMS;
}

int mmu_victims(const uint32_t *page, unsigned n)
{
	uint32_t pfn[MMU_VICTIMS];
	settle();
	if (forced() || ex.olds)
		return -EBUSY;
	memcpy(ex.old, ex.victim, ex.victims * sizeof *ex.old);
	ex.olds = ex.victims;
	ex.victims = to_publish(page, n, room_for_order(), pfn);
	drop_olds();
	for (unsigned i = 0; i < ex.victims; i++)	/* the kernel may see some of both */
		ex.page->order[i] = pfn[i];
	ex.page->order_count = ex.victims;
	settle_orders();
	return 0;
}

uint32_t mmu_lost(void)
{
	if (ex.lost_first == ex.lost_end) {
		ex.lost_first = ex.lost_end = 0;
		settle();
	}
	return ex.lost_first < ex.lost_end ? ex.lost[ex.lost_first++] : NONE;
}

/* The event comes for a request that offers did not meet, and when frames were taken by force.
 * Frames are not touched here: the program may be in the middle of allocating one. */
static void on_revoke(struct upcall_regs *r, unsigned bit, void *arg)
{
	(void)r, (void)bit, (void)arg;
	if (ex.page->revoke_asked == ex.asked)
		return;
	ex.asked = ex.page->revoke_asked;
	ex.want = ex.page->revoke_want;
	if (ex.want && ex.revoke)
		ex.revoke(ex.want, ex.page->revoke_deadline);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static const struct upcall_handlers handlers = { on_exception, NULL, event_dispatch };

static const char *start_revocation(void)
{
	uint64_t pfn;
	if (!(ex.page = page_new(&pfn)))
		return "no frame for the domain page";
	if (exo_domain_ctl(0, EXO_DOM_PAGE, pfn, 0).status)
		return "the domain page is refused";
	event_handle(__builtin_ctzl(EXO_EV_REVOKE), on_revoke, NULL);
	return NULL;
}

static const char hardware[] = "hardware";

bool mmu_select(const char *mechanism)
{
	return !strcmp(mechanism, hardware) || !strcmp(mechanism, "auto");
}

const char *mmu_mechanism(const char **about)
{
	*about = "the page tables' own bits";
	return hardware;
}

int mmu_init(uint32_t pages, uint64_t frames, const char **why)
{
	uint32_t tables = (pages + PER_TABLE - 1) / PER_TABLE;
	uint64_t others = FRAMES_LEFT + tables + tables / PER_TABLE + 8, left = frames_left();
	others += left / PER_TABLE;	/* the window's: what is on offer is shown by small pages */
	uint64_t empty = frame_alloc_zero();
	*why = "the region is too large";
	if (tables > TABLES_MAX)
		return -EINVAL;
	*why = "the quota is too small";
	if (!empty || left < others || (frames && frames > left - others))
		return -ENOMEM;
	for (uint32_t i = 0; i < tables; i++)	/* no table yet: its entries read as 0 */
		must(show(i, empty), "the tables' window");
	mmu = (struct mmu){ BASE, pages, (const volatile uint64_t *)TABLES, PHYSMAP_BASE };
	ex.left = ex.total = frames ? frames : left - others;
	upcall_set(&handlers);
	return (*why = start_revocation()) ? -EINVAL : 0;
}
