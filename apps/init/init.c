/* The first domain: holds the machine, starts the session with nearly all of it (policy.c),
 * watches it, and powers the machine off when it has ended.
 *
 * Left to others: everything that a user sees.  The session is the module `posix`, or the one
 * that `session=NAME` on the kernel's command line names; it must be a libOS program with a note.
 */
#include "apps/init/policy.h"

VIRTUE_NOTE("bare");

#define EVENT_ENDED	16		/* the session's watch */
#define EVENT_MORE	17		/* it asks for more of what it was promised */

static struct exo_start *machine;
static struct elf_image session_elf;

/* What the session may still have: the extents in `promise`; all before (next, used) is given. */
static struct frames_promise *promise;
static uint64_t promise_pfn;
static uint32_t next, used;

static uint64_t pages(uint64_t bytes) { return (bytes + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE; }

static uint64_t must(const char *what, struct exo_result r)
{
	if (r.status)
		domain_fail("init: %s: %s (argument %lu)", what, exo_status_name(r.status),
			EXO_AT(r.status));
	return r.value;
}

static uint64_t event(unsigned bit)
{
	return must("event", exo_event_create(EXO_SLOT_ANY, 0, 1ul << bit));
}

/* ---- memory ----------------------------------------------------------------------------- */

/* Splits the machine's frames: the reserve from the end of the last extents that hold it, for our
 * own allocator; the rest is the session's quota, in place. */
static void divide_frames(struct exo_start *s)
{
	struct exo_start own = { .root = s->root };
	uint64_t missing = POLICY_RESERVE;
	while (missing && s->extents) {
		struct exo_start_extent *e = &s->extent[s->extents - 1];
		uint64_t part = e->count < missing ? e->count : missing;
		e->count -= part;
		missing -= part;
		own.extent[own.extents++] = (struct exo_start_extent){ e->pfn + e->count, part };
		if (!e->count)
			s->extents--;
	}
	if (missing || !s->extents)
		domain_fail("init: too little memory");
	uint64_t status = frames_init(&own, false);
	if (status)
		domain_fail("init: memory: %s", exo_status_name(status));
}

/* The first frames of the quota go into `first`, the others are promised. */
static unsigned promise_rest(struct exo_start_extent *first)
{
	uint64_t missing = POLICY_FIRST;
	unsigned n = 0, i = 0;
	if (!(promise = page_new(&promise_pfn)))
		domain_fail("init: no memory for the promise");
	for (; i < machine->extents && missing; i++) {
		struct exo_start_extent *e = &machine->extent[i];
		uint64_t part = e->count < missing ? e->count : missing;
		first[n++] = (struct exo_start_extent){ e->pfn, part };
		e->pfn += part;
		e->count -= part;
		missing -= part;
		if (e->count)
			break;
	}
	for (; i < machine->extents; i++)
		if (machine->extent[i].count) {
			promise->extent[promise->extents++] = machine->extent[i];
			promise->total += machine->extent[i].count;
		}
	return n;
}

static void give_more(uint64_t domain)
{
	uint64_t missing = POLICY_MORE;
	while (missing && next < promise->extents) {
		const struct exo_start_extent *e = &promise->extent[next];
		uint64_t part = e->count - used < missing ? e->count - used : missing, done;
		uint64_t status = exo_give_all(0, domain, (uint64_t)e->pfn + used, part, &done);
		__atomic_store_n(&promise->given, promise->given + done, __ATOMIC_RELEASE);
		if (status)
			return;			/* it is ending */
		missing -= part;
		used += part;
		if (used == e->count) {
			next++;
			used = 0;
		}
	}
}

/* ---- the session ------------------------------------------------------------------------- */

static const struct exo_start_module *module_find(const char *name)
{
	for (unsigned i = 0; i < machine->modules; i++)
		if (!strncmp(machine->module[i].name, name, sizeof machine->module[i].name))
			return &machine->module[i];
	return NULL;
}

static void load_session(const char *name)
{
	char text[160];
	const struct exo_start_module *m = module_find(name);
	if (!m)
		domain_fail("init: there is no boot module '%s'", name);
	uint64_t va = pt_window(pages(m->size));
	uint64_t status = va ? pt_map(machine->root, va, m->pfn, pages(m->size), PTE_RO, 0) : EXO_LIMIT;
	if (status)
		domain_fail("init: module %s cannot be mapped: %s", name, exo_status_name(status));
	const char *error = elf_parse((void *)va, m->size, 0x10000, ~0ul, &session_elf);
	if (!error)
		error = elf_check_note(&session_elf, session_elf.libos[0] ? session_elf.libos : "bare",
			text, sizeof text);
	if (error)
		domain_fail("init: module %s: %s", name, error);
}

/* ---- disks -------------------------------------------------------------------------------- */

#define DISKS	8u		/* that the session gets */

static struct disk_ring ring;

static bool page_zeroed(const uint64_t *page)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < EXO_PAGE_SIZE / 8; i++)
		sum |= page[i];
	return !sum;
}

/* Can it be read, and is nothing there? */
static bool label_empty(uint64_t extent, uint32_t frame, const uint64_t *page)
{
	uint64_t end = time_now() + POLICY_DISK_NS;
	for (unsigned i = 0; i < POLICY_LABEL; i++)
		if (disk_transfer(&ring, extent, EXO_BLK_READ, i * EXO_BLOCK_SECTORS, EXO_BLOCK_SECTORS,
				&frame) || !page_zeroed(page) || time_now() > end)
			return false;
	return true;
}

/* Disks that nobody uses: the session's disk0, disk1 and so on. */
static unsigned session_disks(struct spawn_cap *out, unsigned max)
{
	static char names[DISKS][sizeof machine->cap[0].name];
	struct exo_extent_info info;
	uint64_t pfn, extent;
	uint64_t *page = NULL;
	unsigned n = 0;
	for (unsigned i = 0; i < machine->caps && n < max && n < DISKS; i++) {
		const struct exo_start_cap *c = &machine->cap[i];
		if (exo_extent_info(extent = c->cap, &info).status || info.count <= POLICY_LABEL)
			continue;
		if (!page && (time_init(machine, 0) || !(page = page_new(&pfn)) || disk_open(&ring, 0)))
			return n;
		if (!label_empty(extent, pfn, page)) {
			log_line("init: %s: holds data, or cannot be read: left alone", c->name);
			continue;
		}
		bool fixed = info.flags & EXO_DISK_READ_ONLY;
		snprintf(names[n], sizeof names[n], CAP_DISK "%u", n);
		out[n] = (struct spawn_cap){ names[n], extent,
			EXO_R_GRANT | EXO_R_READ | (fixed ? 0 : EXO_R_WRITE),
			POLICY_LABEL, info.count - POLICY_LABEL };
		log_line("init: %s: the session's %s%s", c->name, names[n++], fixed ? ", read-only" : "");
	}
	disk_close(&ring);
	return n;
}

/* ---- its capabilities ----------------------------------------------------------------------- */

/* The start page's capabilities as policy has it, and a loan of each module, by its name. */
static unsigned session_caps(struct spawn_cap *out, unsigned max)
{
	struct exo_cap_info info;
	unsigned n = 0;
	for (unsigned i = 0; i < machine->caps && n < max; i++) {
		const struct exo_start_cap *c = &machine->cap[i];
		if (exo_cap_info(0, c->cap, &info).status)
			continue;
		uint64_t count = 0, rights = policy_rights(c->name, info.rights);
		if (info.type == EXO_T_EXTENT)
			continue;
		if (info.type == EXO_T_SLICE)
			count = policy_slots(info.base >> 32, info.count);
		if (rights)
			out[n++] = (struct spawn_cap){ c->name, c->cap, rights, 0, count };
	}
	for (unsigned i = 0; i < machine->modules && n < max; i++) {
		const struct exo_start_module *m = &machine->module[i];
		const uint64_t rights = EXO_R_GRANT | EXO_R_READ | EXO_R_EXEC;
		struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, m->pfn, pages(m->size),
			rights);
		if (!loan.status)
			out[n++] = (struct spawn_cap){ m->name, loan.value, rights, 0, 0 };
	}
	n += session_disks(out + n, max - n);
	return n;
}

/* The session's first context gets a slot of CPU 0, and binds its others itself; the last slot is
 * ours. */
static void give_time(uint64_t context)
{
	struct exo_cap_info info;
	uint64_t slices = start_cap_at(machine, CAP_SLICE, 0);
	must("slices", exo_cap_info(0, slices, &info));
	must("slice", exo_slice_ctl(slices, 0, POLICY_SLICE_NS, context));
	must("own slice", exo_slice_ctl(slices, info.count - 1, POLICY_OWN_NS,
		start_cap(machine, CAP_CONTEXT)));
}

/* The page of the promise, and the event to ask by. */
static void promise_caps(struct spawn_cap *out)
{
	uint64_t loan = must("promise", exo_frame_lend(0, EXO_SLOT_ANY, promise_pfn, 1,
		EXO_R_READ | EXO_R_GRANT));
	out[0] = (struct spawn_cap){ CAP_MEMORY, loan, EXO_R_READ, 0, 0 };
	out[1] = (struct spawn_cap){ CAP_MEMORY_MORE, event(EVENT_MORE), EXO_R_SIGNAL, 0, 0 };
}

static void session_start(struct spawn *s)
{
	static struct spawn_cap caps[EXO_START_CAPS];
	static struct exo_start_extent first[EXO_START_EXTENTS];
	unsigned extents = promise_rest(first);
	unsigned n = session_caps(caps, ARRAY_LEN(caps) - 2);
	promise_caps(caps + n);
	*s = (struct spawn){
		.elf = &session_elf, .quota = first, .quota_extents = extents,
		.object = frame_take(), .table = frame_take(), .caps = caps,
		.cap_count = n + 2, .modules = machine->module,
		.module_count = machine->modules, .cmdline = machine->cmdline,
		.acpi_pm1a = machine->acpi_pm1a, .acpi_s5 = machine->acpi_s5, .stack_pages = 16,
	};
	if (!spawn_create(s))
		domain_fail("init: session: %s: %s (argument %lu)", s->error,
			exo_status_name(s->status), EXO_AT(s->status));
	must("watch", exo_domain_ctl(s->domain, EXO_DOM_WATCH, event(EVENT_ENDED), 1ul << EVENT_ENDED));
	give_time(s->context);
	must("start", (struct exo_result){ spawn_start(s), 0 });
}

/* ---- the end ------------------------------------------------------------------------------ */

static void to_log(void *arg, const char *text)
{
	(void)arg;
	log_line("%s", text);
}

static volatile bool asked;

static void on_event(struct upcall_regs *r, uint64_t bits)
{
	(void)r;
	if (bits & 1ul << EVENT_MORE)
		asked = true;
}

/* Masked between the look and the wait: no event falls in between. */
static void session_wait(uint64_t domain)
{
	struct exo_domain_info info;
	upcall_mask(upcall_first);
	while (!exo_domain_info(domain, &info).status &&
	       (info.state == EXO_DS_ACTIVE || info.state == EXO_DS_STOPPED)) {
		if (asked)
			give_more(domain);
		asked = false;
		exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK);
		upcall_mask(upcall_first);
	}
	upcall_unmask(upcall_first);
	bool failed = info.reason != EXO_DEAD_EXIT || info.status == DOMAIN_FAILED;
	log_line("init: the session has %s", failed ? "failed" : "ended");
	death_report(domain, &session_elf, to_log, NULL);
}

static _Noreturn void power_off(void)
{
	uint64_t cap = start_cap(machine, CAP_POWER);
	if (machine->acpi_pm1a && cap && !exo_device_ctl(cap, EXO_DEV_PORTS, 0, 0).status)
		__asm__ volatile("outw %0, %1" : : "a"((uint16_t)machine->acpi_s5),
			"d"((uint16_t)machine->acpi_pm1a));
	if (!time_init(machine, 0))
		time_sleep_until(time_now() + NS_PER_SEC);	/* it may take a moment */
	log_line("init: this machine has no power-off that ACPI tells of: switch it off");
	for (;;)
		exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK);
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = on_event };
	struct spawn session;
	char name[16];
	machine = s;
	upcall_set(&handlers);
	divide_frames(s);
	if (start_option(s, "session", name, sizeof name) <= 0)
		text_copy(name, "posix", sizeof name);
	load_session(name);
	session_start(&session);
	session_wait(session.domain);
	power_off();
}
