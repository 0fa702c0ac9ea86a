/* The tester: starts each hostile program in a domain of its own, looks at how it ends, at the
 * neighbour, which must not notice, and at the frames, which must all come back.
 *
 * Words of the command line: `seed=N`; `row=NAME`: only that one; `row=fuzz calls=N`: the fuzzer
 * (fuzz.c), which is no row of the matrix and runs only when asked for.
 */
#include "tests/guest/part.h"
#include "tests/guest/report.h"
#include "tests/hostile/hostile.h"
#include "tests/hostile/tester.h"

VIRTUE_NOTE("bare");

#define QUOTA		704u		/* frames of a child */
#define DEADLINE	(60 * NS_PER_SEC)
#define RUN_TIME	(200 * NS_PER_MS)
#define PATTERN		0x5ec5e75ec5e75ec5ul
#define EVENT_ENDED	17
#define FUZZ_SLOT	40		/* slots of CPU time that fuzzers hold */
#define HEART		32		/* the neighbour's word of the shared page */

uint64_t tester_loan_cap;
static struct exo_start *machine;
static struct elf_image elf;
static struct hostile_args args;
static uint64_t event, loan_pfn, heart_pfn, heart_cap;
static volatile uint64_t signals;	/* of the last child that was made */
static volatile uint64_t *heart, *secrets[2];
static struct child neighbour;

/* ---- children ------------------------------------------------------------------------------ */

uint64_t frames_held(void)
{
	struct exo_domain_info info;
	return exo_domain_info(0, &info).status ? 0 : info.frames;
}

static void put_back(struct child *c)
{
	for (unsigned i = 0; i < c->s.quota_extents; i++)
		frames_put(c->quota[i].pfn, c->quota[i].count);
	frames_put(c->s.object, 1);
	frames_put(c->s.table, 1);
}

/* Domains that we made ourselves, by capability index. */
#define KNOWN	(2 + PEERS)
static uint64_t made[KNOWN];

static bool known(uint64_t index)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (made[i] == index)
			return true;
	return false;
}

static void know(uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (made[i] == from) {
			made[i] = to;
			return;
		}
}

static void must(uint64_t status, const char *what)
{
	if (!status)
		return;
	report_fail("hostile-start", "%s: %s", what, exo_status_text(status));
	report_end();
}

/* ---- the disk -------------------------------------------------------------------------------- */

#define DISK_BLOCKS	64u		/* of each of a child's extents */

uint64_t tester_disk;			/* while a row about disks runs */
static uint64_t disk_whole, disk_base;
static struct disk_ring disk_ring;
static uint64_t dma_pfn, dma_loan;
static volatile uint64_t *dma_page;

/* The blocks that children may not write, and the one behind. */
static uint64_t secret_blocks(unsigned op, volatile uint64_t *page, uint64_t pfn)
{
	uint32_t frame = pfn;
	uint64_t status = EXO_OK;
	for (unsigned i = DISK_BLOCKS; i <= 2 * DISK_BLOCKS && !status; i++) {
		for (unsigned j = 0; j < 512; j++)
			page[j] = op == EXO_BLK_WRITE ? PATTERN + i : 0;
		status = disk_transfer(&disk_ring, disk_whole, op, i * EXO_BLOCK_SECTORS, EXO_BLOCK_SECTORS,
			&frame);
		for (unsigned j = 0; j < 512 && !status; j++)
			if (page[j] != PATTERN + i)
				status = EXO_STATE;
	}
	return status;
}

static const char *disk_check(void)
{
	if (!secret_blocks(EXO_BLK_READ, dma_page, dma_pfn))
		return NULL;
	return "somebody wrote to our blocks";
}

static void disk_begin(void)
{
	struct exo_extent_info info;
	disk_whole = start_cap_at(machine, CAP_DISK, 0);
	if (!disk_whole)
		return;
	dma_page = page_new(&dma_pfn);
	must(dma_page ? exo_extent_info(disk_whole, &info).status : EXO_LIMIT, "the disk");
	disk_base = info.base;
	must(disk_open(&disk_ring, 0), "a ring");
	must(secret_blocks(EXO_BLK_WRITE, dma_page, dma_pfn), "writing to the disk");
}

static unsigned disk_caps(struct spawn_cap *to, const char *row)
{
	const uint64_t read = EXO_R_GRANT | EXO_R_READ;
	to[0] = (struct spawn_cap){ CAP_DISK0, tester_disk, read | EXO_R_WRITE, disk_base, DISK_BLOCKS };
	to[1] = (struct spawn_cap){ CAP_DISK_RO, tester_disk, read, disk_base + DISK_BLOCKS, DISK_BLOCKS };
	if (strcmp(row, "disk-loan-ended"))
		return 2;
	dma_loan = exo_frame_lend(0, EXO_SLOT_ANY, dma_pfn, 1, read | EXO_R_WRITE).value;
	args.loan_dma = dma_pfn;
	to[2] = (struct spawn_cap){ CAP_LOAN_RW, dma_loan, EXO_R_READ | EXO_R_WRITE, 0, 0 };
	return 3;
}

bool tester_dma_ended(void)
{
	if (exo_delete_all(0, dma_loan))
		return false;
	for (unsigned i = 0; i < 512; i++)
		dma_page[i] = PATTERN + i;
	tester_sleep(20 * NS_PER_MS);
	for (unsigned i = 0; i < 512; i++)
		if (dma_page[i] != PATTERN + i)
			return false;
	return true;
}

/* ---- the network ------------------------------------------------------------------------------- */

#define CHILD_FILTERS	8u

static uint64_t net_whole, net_ours, tester_flow;	/* the last: while a row about it runs */
static struct packets net_ring;

static uint64_t flow_make(unsigned protocol, unsigned port, unsigned room)
{
	const struct exo_atom a[] = { { EXO_L2, 2, 12, 0, 0xffff, 0x0800 }, { EXO_L3, 1, 9, 0, 0xff, protocol },
		{ EXO_L4, 2, 2, 0, 0xffff, port } };
	struct exo_result r = exo_flow_derive(net_whole, frame_take(), a, port ? 3 : 2,
		EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE | EXO_FLOW_TRANSMIT, room), EXO_SLOT_ANY);
	must(r.status, "a flow");
	return r.value;
}

static void net_begin(void)
{
	net_whole = start_cap_at(machine, CAP_NET, 0);
	if (!net_whole)
		return;
	must(packets_open(&net_ring, EXO_RING_RECEIVE, event), "a ring for packets");
	net_ours = flow_make(6, 80, 1);
	must(exo_flow_bind(net_ours, net_ring.cap, 0).status, "a filter");
}

/* Ours is live, and no room was lost. */
static const char *net_check(uint32_t room)
{
	struct exo_flow_info info;
	if (exo_flow_info(net_ours, &info).status || !info.bound)
		return "our filter is gone";
	return exo_flow_info(net_whole, &info).status || info.room != room ? "room for filters is lost" : NULL;
}

const char *child_make(struct child *c, const char *row, uint64_t number, unsigned cpu)
{
	static struct spawn_cap caps[8];
	c->before = frames_held();
	uint64_t got = frames_take(QUOTA, c->quota, EXTENTS), clock = start_cap(machine, CAP_CLOCK);
	c->s = (struct spawn){ .elf = &elf, .quota = c->quota, .object = frame_take(), .table = frame_take(),
		.caps = caps, .args = &args, .args_size = sizeof args, .cpu = cpu, .stack_pages = 8 };
	while (c->s.quota_extents < EXTENTS && c->quota[c->s.quota_extents].count)
		c->s.quota_extents++;
	caps[c->s.cap_count++] = (struct spawn_cap){ CAP_CLOCK, clock, EXO_R_READ, 0, 0 };
	caps[c->s.cap_count++] = (struct spawn_cap){ CAP_EVENT, event, EXO_R_SIGNAL, 1ul << EVENT_CHILD, 0 };
	if (tester_loan_cap)
		caps[c->s.cap_count++] = (struct spawn_cap){ CAP_LOAN, tester_loan_cap,
			EXO_R_GRANT | EXO_R_READ, 0, 0 };
	if (!strcmp(row, "neighbour") || !strcmp(row, "fuzz"))
		caps[c->s.cap_count++] = (struct spawn_cap){ CAP_LOAN_RW, heart_cap,
			EXO_R_READ | EXO_R_WRITE, 0, 0 };
	if (!strcmp(row, "fuzz"))
		caps[c->s.cap_count++] = (struct spawn_cap){ CAP_SLICE, start_cap_at(machine, CAP_SLICE, cpu),
			EXO_R_GRANT | EXO_R_BIND | EXO_R_LENGTH, FUZZ_SLOT, 2 };
	if (tester_flow)
		caps[c->s.cap_count++] = (struct spawn_cap){ CAP_NET0, tester_flow, EXO_R_GRANT | EXO_R_USE, 0, 0 };
	if (tester_disk)
		c->s.cap_count += disk_caps(caps + c->s.cap_count, row);
	text_copy(args.row, row, sizeof args.row);
	args.number = number;
	args.object = c->s.object;
	args.table = c->s.table;
	if (got != QUOTA || !spawn_create(&c->s)) {
		put_back(c);
		return c->s.error ? c->s.error : "no memory for a child";
	}
	signals = 0;
	know(0, EXO_CAP_INDEX(c->s.domain));
	uint64_t status = exo_domain_ctl(c->s.domain, EXO_DOM_WATCH, event, 1ul << EVENT_ENDED).status;
	return status ? "watch" : NULL;
}

/* A domain that dies leaves its children to us; they may need more slots than we have. */
static uint64_t end_with_heirs(uint64_t domain, uint64_t *returned)
{
	static uint64_t slots = 128;
	struct exo_cap_info info;
	uint64_t status;
	while (EXO_CODE(status = exo_destroy_all(domain, returned)) == EXO_LIMIT) {
		struct exo_result r = exo_cap_grow(0, frame_take());
		if (r.status)
			return r.status;
		slots = r.value;
	}
	if (!status)
		status = exo_delete_all(0, domain);
	for (uint64_t i = 1; i < slots && !status; i++)
		if (!exo_cap_info(0, i, &info).status && info.type == EXO_T_DOMAIN && !known(i))
			status = spawn_destroy(i, NULL);
	return status;
}

const char *child_make_seeded(struct child *c, const char *row, uint64_t number, unsigned cpu,
	uint64_t seed, uint64_t calls)
{
	uint64_t before = args.seed;
	args.seed = seed;
	args.calls = calls;
	const char *why = child_make(c, row, number, cpu);
	args.seed = before;
	return why;
}

/* Its end: what it held is ours again, to the last frame. */
const char *child_end(struct child *c, bool exact)
{
	static char text[96];
	uint64_t returned = 0, status, now;
	know(EXO_CAP_INDEX(c->s.domain), 0);
	status = end_with_heirs(c->s.domain, &returned);
	now = frames_held();
	if (status) {
		snprintf(text, sizeof text, "destroy: %s", exo_status_text(status));
		return text;
	}
	put_back(c);
	if (!exact || (returned == QUOTA && now == c->before))
		return NULL;
	snprintf(text, sizeof text, "%lu of %u frames came back; %lu before, %lu after", returned, QUOTA,
		c->before, now);
	return text;
}

bool child_ended(const struct child *c, struct exo_domain_info *info)
{
	return !exo_domain_info(c->s.domain, info).status && info->state != EXO_DS_ACTIVE &&
		info->state != EXO_DS_STOPPED;
}

/* Events are masked from the look to the wait, so that none is lost in between. */
static void child_wait(const struct child *c, uint64_t deadline, struct exo_domain_info *info)
{
	upcall_mask(upcall_first);
	while (!child_ended(c, info) && time_now() < deadline) {
		exo_wait(NULL, deadline, EXO_WAIT_UNMASK);
		upcall_mask(upcall_first);
	}
	upcall_unmask(upcall_first);
}

static void on_event(struct upcall_regs *r, uint64_t bits)
{
	(void)r;
	signals += bits >> EVENT_CHILD & 1;
}

static const struct upcall_handlers handlers = { NULL, NULL, on_event };

bool tester_signalled(void)
{
	uint64_t deadline = time_now() + DEADLINE;
	while (!signals && time_now() < deadline)
		tester_sleep(NS_PER_MS);
	return signals;
}

/* ---- what is looked at after each row ---------------------------------------------------------- */

static const char *outcome_check(const struct row *r, const struct exo_domain_info *info)
{
	static char text[160];
	bool killed = info->state == EXO_DS_KILLED;
	switch (r->outcome) {
	case EXITS:
	case EXITS_OR_STATE:
		if (info->state == EXO_DS_EXITED && !info->status)
			return NULL;
		if (r->outcome == EXITS_OR_STATE && killed && info->reason == EXO_DEAD_STATE)
			return NULL;
		break;
	case DIES_EXCEPTION:
		if (killed && info->reason == EXO_DEAD_EXCEPTION)
			return NULL;
		break;
	case DIES_STATE:
		if (killed && info->reason == EXO_DEAD_STATE)
			return NULL;
		break;
	case BESIDE:
	case RUNS:
		if (info->state == EXO_DS_ACTIVE || info->state == EXO_DS_STOPPED)
			return NULL;
	}
	if (info->state == EXO_DS_EXITED)
		snprintf(text, sizeof text, "the expectation in line %lu failed", info->status);
	else
		snprintf(text, sizeof text, "state %u, reason %u, vector %lu at %lx, address %lx", info->state,
			info->reason, info->regs.vector, info->regs.rip, info->fault_addr);
	return text;
}

/* The dead one's registers, and nobody else's. */
static const char *record_check(const struct exo_domain_info *info)
{
	const struct exo_regs *r = &info->regs;
	return r->rbx == 0x1111 && r->r12 == 0x2222 && r->r13 == 0x3333 && r->r14 == 0x4444 &&
		r->r15 == 0x5555 && r->rsi == 0x6666 && r->rbp == 0x7777 && r->vector == 6 ? NULL :
		"the record has other registers";
}

/* The neighbour lives, its heart goes on beating, and nobody wrote to what is ours. */
const char *neighbour_check(void)
{
	struct exo_domain_info info;
	uint64_t beat = heart[HEART], deadline = time_now() + DEADLINE;
	while (heart[HEART] == beat) {
		if (child_ended(&neighbour, &info))
			return "the neighbour died";
		if (time_now() > deadline)
			return "the neighbour stands still";
		tester_sleep(NS_PER_MS);
	}
	for (unsigned i = 0; i < ARRAY_LEN(secrets); i++)
		for (unsigned j = 0; j < 512; j++)
			if (secrets[i][j] != PATTERN + j)
				return "somebody wrote to our memory";
	return NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------ */

volatile uint64_t *tester_shared(void) { return heart; }

uint64_t tester_option(const char *name, uint64_t otherwise)
{
	char text[24];
	uint64_t value;
	if (start_option(machine, name, text, sizeof text) < 0 || !text_number(text, &value))
		return otherwise;
	return value;
}

static const char *row_run(const struct row *r)
{
	struct child c;
	struct exo_domain_info info = { .state = EXO_DS_ACTIVE };
	bool on_first = r->outcome == RUNS || r->cpus > 1;
	struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, loan_pfn, 1, EXO_R_GRANT | EXO_R_READ);
	tester_loan_cap = loan.value;
	if (r->outcome == BESIDE) {
		const char *wrong = r->beside(), *also = neighbour_check();
		exo_delete_all(0, tester_loan_cap);
		tester_loan_cap = 0;
		return wrong ? wrong : also;
	}
	const char *why = loan.status ? "lend" :
		child_make(&c, r->name, 0, on_first ? 0 : machine->cpus - 1);
	if (why)
		return why;
	if (exo_cap_copy(c.s.domain, PEER_SLOT, neighbour.s.domain, EXO_R_INFO, 0, 0).status)
		why = "introducing the neighbour";
	spawn_start(&c.s);
	if (!why && r->beside)
		why = r->beside();
	child_wait(&c, time_now() + (r->outcome == RUNS ? RUN_TIME : DEADLINE), &info);
	if (!why)
		why = outcome_check(r, &info);
	if (!why && !strcmp(r->name, "death-record"))
		why = record_check(&info);
	const char *left = neighbour_check();
	if (!why)
		why = left;
	left = child_end(&c, true);
	exo_delete_all(0, tester_loan_cap);
	tester_loan_cap = 0;
	return why ? why : left;
}

/* The children's extents end with the row. */
static const char *disk_row_run(const struct row *r)
{
	struct exo_result copy = exo_cap_copy(0, EXO_SLOT_ANY, disk_whole,
		EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE, 0, 0);
	tester_disk = copy.value;
	const char *wrong = copy.status ? "an extent" : row_run(r);
	if (exo_delete_all(0, tester_disk) && !wrong)
		wrong = "the extent's end";
	tester_disk = 0;
	const char *also = disk_check();
	return wrong ? wrong : also;
}

/* So do their flows. */
static const char *net_row_run(const struct row *r)
{
	struct exo_flow_info info;
	must(exo_flow_info(net_whole, &info).status, "the network");
	tester_flow = flow_make(17, 0, CHILD_FILTERS);
	const char *wrong = row_run(r);
	if (exo_delete_all(0, tester_flow) && !wrong)
		wrong = "the flow's end";
	tester_flow = 0;
	const char *also = net_check(info.room);
	return wrong ? wrong : also;
}

static void rows_run(const struct row *r, const char *only)
{
	const bool on_disk = r == disk_rows, on_net = r == net_rows;
	char name[40];
	for (; r->name; r++) {
		snprintf(name, sizeof name, "hostile-%s", r->name);
		if (only[0] && strcmp(only, r->name))
			continue;
		if (r->cpus > machine->cpus)
			report_line("skip %s: it needs %u CPUs", name, r->cpus);
		else if (on_net && !net_whole)
			report_line("skip %s: it needs a network card", name);
		else if (on_disk && !disk_whole)
			report_line("skip %s: it needs a disk", name);
		else
			report_case(name, on_disk ? disk_row_run(r) : on_net ? net_row_run(r) : row_run(r));
	}
}

/* ---- rows of several domains ------------------------------------------------------------------------ */

void tester_sleep(uint64_t ns) { time_sleep_until(time_now() + ns); }

/* Each gets all others' capabilities, with every right but to destroy. */
static const char *peers_meet(struct child *c)
{
	const uint64_t rights = EXO_R_INFO | EXO_R_GIVE | EXO_R_MANAGE | EXO_R_REVOKE;
	for (unsigned i = 0; i < PEERS; i++)
		for (unsigned j = 0; j < PEERS; j++)
			if (exo_cap_copy(c[i].s.domain, PEER_SLOT + j, c[j].s.domain, rights, 0, 0).status)
				return "introducing the peers";
	return NULL;
}

const char *storm_of_peers(void)
{
	static struct child c[PEERS];
	const char *why = NULL, *end;
	uint64_t before = frames_held();
	unsigned n = 0;
	while (n < PEERS && !(why = child_make(&c[n], "peers", n + 1, n % machine->cpus)))
		n++;
	if (!why && !(why = peers_meet(c))) {
		for (unsigned i = 0; i < PEERS; i++)
			spawn_start(&c[i].s);
		tester_sleep(3 * RUN_TIME);
		why = neighbour_check();
	}
	while (n)
		if ((end = child_end(&c[--n], false)) && !why)
			why = end;
	return why ? why : frames_held() != before ? "frames are missing" : NULL;
}

const char *kill_during_calls(void)
{
	static struct child c;
	static char text[128];
	for (uint64_t n = 0; n < EXO_CALL_COUNT; n++) {
		const char *why = child_make(&c, "kill-in-call", n, machine->cpus - 1);
		if (!why) {
			spawn_start(&c.s);
			tester_sleep((1 + n % 4) * NS_PER_MS);
			why = child_end(&c, true);
		}
		if (why) {
			snprintf(text, sizeof text, "call %lu: %s", n, why);
			return text;
		}
	}
	return NULL;
}

/* ---- the beginning ------------------------------------------------------------------------------------ */

static void load_self(void)
{
	const struct exo_start_module *m = NULL;
	for (unsigned i = 0; i < machine->modules && !m; i++)
		if (!strcmp(machine->module[i].name, "hostile"))
			m = &machine->module[i];
	must(m ? EXO_OK : EXO_CAP, "no module hostile");
	uint64_t n = (m->size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE, va = pt_window(n);
	must(pt_map(machine->root, va, m->pfn, n, PTE_RO, start_cap(machine, "hostile")), "module");
	must(elf_parse((void *)va, m->size, 0x10000, 1ul << 47, &elf) ? EXO_ARG : EXO_OK, "module's ELF");
}

static volatile uint64_t *our_page(uint64_t *pfn)
{
	volatile uint64_t *page = page_new(pfn);
	must(page ? EXO_OK : EXO_LIMIT, "page");
	for (unsigned i = 0; i < 512; i++)
		page[i] = PATTERN + i;
	return page;
}

static void start_neighbour(void)
{
	struct exo_result r = exo_frame_lend(0, EXO_SLOT_ANY, heart_pfn, 1,
		EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE);
	must(r.status, "lend");
	heart_cap = r.value;
	args.loan_rw = heart_pfn;
	const char *why = child_make(&neighbour, "neighbour", 0, 0);
	must(why ? EXO_STATE : EXO_OK, why ? why : "neighbour");
	must(spawn_start(&neighbour.s), "neighbour");
	const struct exo_start_extent *last = &neighbour.quota[neighbour.s.quota_extents - 1];
	args.secret[2] = neighbour.quota[0].pfn;
	args.secret[3] = last->pfn + last->count - 1;
}

static const struct row *const tables[] = { cap_rows, memory_rows, pointer_rows, instruction_rows,
	state_rows, quota_rows, time_rows, race_rows,
	disk_rows, net_rows, gate_rows, offer_rows };

int main(struct exo_start *s)
{
	char only[24] = "";
	if (s->args_size >= sizeof(struct hostile_args))
		return child_main(s);
	machine = s;
	upcall_set(&handlers);
	report_start(s);
	must(part_init(s, 7168), "frames");
	must(time_init(s, 0), "clock");
	start_option(s, "row", only, sizeof only);
	args.seed = tester_option("seed", 1);
	cpus = s->cpus;
	struct exo_result r = exo_event_create(EXO_SLOT_ANY, 0, 1ul << EVENT_ENDED | 1ul << EVENT_CHILD);
	must(r.status, "event");
	event = r.value;
	load_self();
	secrets[0] = our_page(&args.secret[0]);
	secrets[1] = our_page(&args.secret[1]);
	our_page(&loan_pfn);
	heart = our_page(&heart_pfn);
	args.loan = loan_pfn;
	disk_begin();
	net_begin();
	start_neighbour();
	report_line("hostile: seed %lu, %u CPUs", args.seed, machine->cpus);
	for (unsigned i = 0; i < ARRAY_LEN(tables); i++)
		rows_run(tables[i], only);
	if (only[0])
		rows_run(fuzz_rows, only);
	report_case("hostile-neighbour", child_end(&neighbour, true));
	report_end();
}
