/* A toy monitor that carries a PV guest: it proves that the kernel's interface can, before the
 * real one is written.  A session of its own (module `pvprobe`), linked in the monitor area.
 *
 * The guest kernel runs in ring 3 at its linked address in the same K root as the monitor, its
 * user code in a U root that has the lower half only.  Nothing here protects the monitor from
 * the guest: they are one domain, and the last case shows who is harmed.
 *
 * Here: building the guest, traps and hypercalls.  Stores to page tables: emulate.c.  What is
 * tested: guest.c.
 */
#include "tests/pvprobe/monitor.h"

VIRTUE_NOTE("bare");

#define EVENT_RAISED	16
#define WAIT_MAX	(10 * NS_PER_SEC)

extern const uint8_t guest_image[], guest_image_end[], user_image[], user_image_end[];
extern char __text_lo[], __text_hi[];
_Noreturn void pv_iret(struct upcall_regs *r);
_Noreturn void pv_iret_refused(uint64_t status);

static uint64_t event_raised;
static volatile struct guest_head *const head = (void *)GUEST_BASE;
uint64_t monitor_root;

/* ---- into the guest ------------------------------------------------------------------- */

/* Makes the guest kernel's trap entry the place to go on, as Xen's create_bounce_frame. */
static void bounce(struct upcall_regs *r, uint64_t reason)
{
	bool user = r->up.info & EXO_INFO_FROM_U;
	uint64_t sp = ((user ? head->kernel_sp : r->up.rsp) & ~15ul) - sizeof(struct bounce);
	struct bounce *b = (void *)sp;
	*b = (struct bounce){
		.reason = reason, .addr = r->up.addr, .error = r->up.error, .info = r->up.info,
		.rip = r->up.rip, .cs = user ? r->up.cs | 3 : r->up.cs & ~3ul,
		.rflags = (r->up.rflags & ~0x200ul) | (r->mask ? 0 : 0x200), .rsp = r->up.rsp,
		.ss = r->up.ss,
	};
	r->up.info &= ~(uint64_t)EXO_INFO_FROM_U;
	r->up.rip = head->trap;
	r->up.cs = 0xe033;
	r->up.ss = 0xe02b;
	r->up.rsp = sp;
	r->up.rflags = 0x202;
}

static bool in_monitor(const struct upcall_regs *r)
{
	return r->up.rip >= (uint64_t)__text_lo && r->up.rip < (uint64_t)__text_hi;
}

/* An event may hit the first instructions of our own entry stubs, before they mask.  It is
 * put back, and comes again when the guest is about to go on. */
static uint64_t put_off;

static void on_event(struct upcall_regs *r, uint64_t bits)
{
	if (in_monitor(r)) {
		put_off |= bits;
		return;
	}
	bounce(r, EXO_INFO_EVENT);
	r->mask = 1;
}

static void put_back(void)
{
	if (!put_off)
		return;
	__atomic_fetch_or(&upcall_first->control->events, put_off, __ATOMIC_SEQ_CST);
	upcall_first->pair[0] = 1;
	put_off = 0;
}

static bool on_exception(struct upcall_regs *r)
{
	bool user = r->up.info & EXO_INFO_FROM_U;
	put_back();
	if (!user && in_monitor(r))
		return false;
	if (user || !emulate(r))
		bounce(r, EXO_INFO_VECTOR(r->up.info));
	return true;
}

/* ---- hypercalls ----------------------------------------------------------------------- */

static void echo(struct upcall_regs *r)
{
	uint64_t *reg[] = { &r->r15, &r->r14, &r->r13, &r->r12, &r->rbp, &r->rbx, &r->r10, &r->r9,
		&r->r8, &r->rdx, &r->rsi, &r->rdi };
	for (unsigned i = 0; i < ARRAY_LEN(reg); i++)
		*reg[i] = ~*reg[i];
}

/* Typing a PML4 gives it the monitor's slot, which no guest knows of. */
static uint64_t retype(uint64_t pfn, uint64_t kind)
{
	uint64_t item = pfn << 8 | kind;
	uint64_t status = exo_frame_retype(0, &item, 1).status;
	unsigned slot = pt_index(EXO_MONITOR_BASE, 4);
	if (status || kind != EXO_KIND_PT4)
		return status;
	struct exo_pt_item e = { (pfn << EXO_PAGE_SHIFT) + 8 * slot,
		pt_read((monitor_root << EXO_PAGE_SHIFT) + 8 * slot) };
	return exo_pt_write(0, &e, 1, 0, EXO_FLUSH_NONE, 0).status;
}

/* The pair is the guest's own memory from now on.  We are masked, and so it stays until the
 * return, which restores the mask of the interrupted code. */
static uint64_t mask_at(uint64_t pfn, uint64_t offset, uint64_t va)
{
	volatile uint8_t *pair = (volatile uint8_t *)va;
	pair[0] = upcall_first->pair[0];
	pair[1] = 1;
	uint64_t status = exo_context_ctl(0, EXO_CTX_MASK_AT, pfn, offset, 0).status;
	if (!status)
		upcall_first->pair = pair;
	return status;
}

static uint64_t frame_type(uint64_t pfn)
{
	struct exo_frame f;
	return exo_frame_info(0, pfn, &f).status ? ~0ul : f.type;
}

static _Noreturn void trap_report(const struct guest_trap *t)
{
	report_fail("pv-guest", "unexpected trap %lx at %lx, address %lx, error %lx, info %lx", t->b.reason,
		t->b.rip, t->b.addr, t->b.error, t->b.info);
	report_end();
}

static void on_syscall(struct upcall_regs *r)
{
	put_back();
	if (r->up.info & EXO_INFO_FROM_U) {
		bounce(r, EXO_INFO_SYSCALL);
		return;
	}
	switch (r->rax) {
	case HC_IRET:
		pv_iret(r);
	case HC_MMU_UPDATE: {
		struct exo_result res = exo_pt_write(0, (struct exo_pt_item *)r->rdi, r->rsi, 0,
			EXO_FLUSH_LOCAL, 0);
		r->rax = res.status;
		r->rdx = res.value;
		return;
	}
	case HC_REPORT:
		report_case((const char *)r->rdi, (const char *)r->rsi);
		return;
	case HC_ECHO:
		echo(r);
		return;
	case HC_RETYPE:
		r->rax = retype(r->rdi, r->rsi);
		return;
	case HC_PAIR:
		r->rax = exo_root_pair(0, r->rdi, r->rsi).status;
		return;
	case HC_MASK_AT:
		r->rax = mask_at(r->rdi, r->rsi, r->rdx);
		return;
	case HC_RAISE:
		r->rax = exo_event_signal(event_raised, 1ul << EVENT_RAISED).status;
		return;
	case HC_TIMER:
		r->rax = exo_timer_set(time_now() + r->rdi).status;
		return;
	case HC_FRAME:
		r->rax = frame_type(r->rdi);
		return;
	case HC_FLUSH:
		r->rax = exo_tlb_flush(0, 0, EXO_FLUSH_LOCAL).status;
		return;
	case HC_TRAP:
		trap_report((const struct guest_trap *)r->rdi);
	case HC_DONE:
		if (((struct probe_info *)GUEST_POOL)->smash)
			domain_exit(77);
		smash_test();
		report_end();
	}
	r->rax = ~0ul;
}

_Noreturn void pv_iret_refused(uint64_t status)
{
	report_fail("pv-iret", "resume: %s", exo_status_text(status));
	report_end();
}

/* ---- building the guest --------------------------------------------------------------- */

static void must(uint64_t status, const char *what)
{
	if (!status)
		return;
	report_fail("pv-build", "%s: %s", what, exo_status_text(status));
	report_end();
}

static uint64_t take(void)
{
	uint64_t pfn = frame_take();
	must(pfn ? EXO_OK : EXO_LIMIT, "frame");
	return pfn;
}

static void map_new(uint64_t va, uint64_t end, uint64_t flags)
{
	for (; va < end; va += EXO_PAGE_SIZE)
		must(pt_map(monitor_root, va, take(), 1, flags, 0), "pt_map");
}

static uint64_t round_page(uint64_t n) { return (n + EXO_PAGE_SIZE - 1) & -EXO_PAGE_SIZE; }

/* Code is written before it is made read-only. */
static void build_images(void)
{
	const struct guest_head *h = (const void *)guest_image;
	map_new(GUEST_BASE, round_page(h->image_end), PTE_RWX);
	memset((void *)GUEST_BASE, 0, h->image_end - GUEST_BASE);
	memcpy((void *)GUEST_BASE, guest_image, guest_image_end - guest_image);
	uint64_t user_end = USER_BASE + round_page(user_image_end - user_image);
	map_new(USER_BASE, user_end, PTE_RWX);
	memcpy((void *)USER_BASE, user_image, user_image_end - user_image);
	must(pt_protect(monitor_root, USER_BASE, (user_end - USER_BASE) / EXO_PAGE_SIZE, 0, EXO_PTE_W),
		"pt_protect");
	map_new(USER_DATA, USER_DATA + 2 * EXO_PAGE_SIZE, PTE_RW);
}

static uint64_t entry_pfn(uint64_t va, unsigned level)
{
	return PTE_PFN(pt_read(pt_find(monitor_root, va, level)));
}

static struct probe_info *build_pool(void)
{
	struct probe_info *info = (void *)GUEST_POOL;
	map_new(GUEST_POOL, GUEST_POOL + PROBE_POOL * EXO_PAGE_SIZE, PTE_RW);
	memset(info, 0, PROBE_POOL * EXO_PAGE_SIZE);
	for (unsigned i = 0; i < PROBE_POOL; i++)
		info->pool[i] = entry_pfn(GUEST_POOL + i * EXO_PAGE_SIZE, 1);
	info->pool_table = entry_pfn(GUEST_POOL, 2);
	must(pt_map(monitor_root, GUEST_TABLES, info->pool_table, 1, PTE_RO, 0), "a table, read-only");
	must(pt_map(monitor_root, GUEST_TABLES + EXO_PAGE_SIZE, monitor_root, 1, PTE_RO, 0),
		"the root, read-only");
	info->root_k = monitor_root;
	info->root_u = pt_root(monitor_root, 0, EXO_KERNEL_SLOT_FIRST - 2);
	must(info->root_u ? EXO_OK : EXO_LIMIT, "U root");
	must(exo_root_pair(0, info->root_k, info->root_u).status, "root_pair");
	must(exo_context_ctl(0, EXO_CTX_ROOTS, info->root_k, 0, 0).status, "roots");
	return info;
}

static _Noreturn void guest_start(struct probe_info *info)
{
	static const struct upcall_handlers handlers = { on_exception, on_syscall, on_event };
	struct upcall_base *base = upcall_first;
	upcall_mask(base);
	upcall_set(&handlers);
	info->monitor_stack = (uint64_t)base;
	info->monitor_stack_size = UPCALL_STACK_SIZE;
	info->monitor_text = (uint64_t)__text_lo;
	struct upcall_regs *r = upcall_top(base);
	*r = (struct upcall_regs){ .rdi = (uint64_t)info, .mask = 1 };
	r->up.rip = head->entry;
	r->up.rsp = head->stack;
	r->up.rflags = 0x202;
	r->up.cs = 0xe033;
	r->up.ss = 0xe02b;
	upcall_return(r);
}

/* ---- the last case: a domain of its own ------------------------------------------------- */

static const struct exo_start_module *own_module(void)
{
	for (unsigned i = 0; i < start_page->modules; i++)
		if (!strncmp(start_page->module[i].name, "pvprobe", sizeof start_page->module[i].name))
			return &start_page->module[i];
	return NULL;
}

static bool spawn_self(struct spawn *s, struct elf_image *elf, struct exo_start_extent *quota)
{
	const struct exo_start_module *m = own_module();
	uint64_t n = m ? round_page(m->size) / EXO_PAGE_SIZE : 0, va = m ? pt_window(n) : 0;
	if (!va || pt_map(monitor_root, va, m->pfn, n, PTE_RO, start_cap(start_page, "pvprobe")) ||
	    elf_parse((void *)va, m->size, EXO_MONITOR_BASE, EXO_MONITOR_END, elf))
		return false;
	unsigned got = frames_take(256, quota, 8), extents = 0;
	while (extents < 8 && quota[extents].count)
		extents++;
	*s = (struct spawn){ .elf = elf, .quota = quota, .quota_extents = extents,
		.object = frame_take(), .table = frame_take(), .cmdline = "pvprobe=smash" };
	return got == 256 && spawn_create(s);
}

static bool ended(uint64_t domain, struct exo_domain_info *info)
{
	return !exo_domain_info(domain, info).status && info->state != EXO_DS_ACTIVE;
}

/* A guest that overwrites its monitor's stack ends its domain, and nothing else. */
void smash_test(void)
{
	struct spawn s;
	struct elf_image elf;
	struct exo_start_extent quota[8];
	struct exo_domain_info info;
	struct exo_domain_info before, after;
	uint64_t returned, deadline = time_now() + WAIT_MAX;
	exo_domain_info(0, &before);
	if (!spawn_self(&s, &elf, quota)) {
		report_fail("pv-smash", "spawn: %s %s", s.error ? s.error : "?", exo_status_text(s.status));
		return;
	}
	spawn_start(&s);
	while (!ended(s.domain, &info) && time_now() < deadline)
		exo_wait(NULL, time_now() + 5 * NS_PER_MS, 0);	/* masked: the watch cannot wake us */
	bool killed = info.state == EXO_DS_KILLED && info.reason == EXO_DEAD_EXCEPTION;
	uint64_t status = spawn_destroy(s.domain, &returned);
	exo_domain_info(0, &after);
	if (!killed)
		report_fail("pv-smash", "state %u reason %u status %lu", info.state, info.reason, info.status);
	else if (status || returned != 256 || before.frames != after.frames)
		report_fail("pv-smash", "%s, %lu of 256 frames came back, own %lu -> %lu",
			exo_status_text(status), returned, before.frames, after.frames);
	else
		report_ok("pv-smash");
}

int main(struct exo_start *s)
{
	char mode[16];
	monitor_root = s->root;
	bool smash = start_option(s, "pvprobe", mode, sizeof mode) > 0 && !strcmp(mode, "smash");
	if (!smash)
		report_start(s);
	must(part_init(s, 4096), "frames");
	if (!smash)
		must(time_init(s, 0), "clock");
	build_images();
	struct probe_info *info = build_pool();
	info->smash = smash;
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << EVENT_RAISED);
	must(e.status, "event");
	event_raised = e.value;
	guest_start(info);
}
