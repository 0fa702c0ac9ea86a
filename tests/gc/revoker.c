/* A session whose children, programs of the GC runtime, are asked for frames (domain_revoke).
 * First one that goes on working meanwhile (revoked.c); then such as have frames of one kind to
 * give (supplier.c), and such as do not answer, but publish what they would rather lose
 * (victims.c).  Of the suppliers it says what an answer takes: with the option `figures`, a line
 * `count SUPPLY K SAMPLES MEDIAN P99` for each number of frames, in ns, from the first call to the
 * last; under -icount an instruction is one. Output only: what it found.
 */
#include "tests/gc/victims.h"
#include "tests/guest/report.h"

VIRTUE_NOTE("bare");

#define QUOTA		4000u
#define ASKS		3u
#define PART		100u
#define UNASKED		24u
#define READY		40u
#define SUPPLY		24576u		/* frames that a supplier has to give, with the option `figures` */
#define SUPPLY_SMALL	2048u
#define OTHERS		5000u		/* frames of a supplier beside them, and beside its store in memory */
#define SAMPLES		100u
#define SAMPLES_MIN	4u
#define CHECK(what)	do { if (!(what)) return #what; } while (0)

#define IMAGE(name, file) \
	extern const uint8_t name##_image[], name##_image_end[]; \
	__asm__(".pushsection .rodata\n.balign 16\n.globl " #name "_image, " #name "_image_end\n" \
		#name "_image: .incbin \"" file "\"\n" #name "_image_end:\n.popsection\n")
IMAGE(revoked, REVOKED_ELF);
IMAGE(supplier, SUPPLIER_ELF);
IMAGE(victims, VICTIMS_ELF);

static struct spawn child;
static struct exo_start_extent quota[EXO_START_EXTENTS];
static struct elf_image elf;
static volatile bool ready;

static void on_ready(struct upcall_regs *r, unsigned bit, void *arg)
{
	(void)r, (void)bit, (void)arg;
	ready = true;
}

/* ---- children -------------------------------------------------------------------------------- */

static uint64_t ready_event, board_loan;

static const char *child_start(const uint8_t *image, const uint8_t *end, uint64_t frames, const char *options)
{
	static struct spawn_cap caps[4];
	caps[0] = (struct spawn_cap){ "ready", ready_event, EXO_R_SIGNAL, 0, 0 };
	caps[1] = (struct spawn_cap){ CAP_CLOCK, start_cap(start_page, CAP_CLOCK), EXO_R_READ, 0, 0 };
	caps[2] = (struct spawn_cap){ CAP_MACHINE, start_cap(start_page, CAP_MACHINE), EXO_R_LOG, 0, 0 };
	caps[3] = (struct spawn_cap){ CAP_BOARD, board_loan, EXO_R_READ | EXO_R_WRITE, 0, 0 };
	CHECK(!elf_parse(image, end - image, 0x10000, 1ul << 47, &elf));
	CHECK(frames_take(frames, quota, ARRAY_LEN(quota)) == frames);
	child = (struct spawn){ .elf = &elf, .quota = quota, .object = frame_take(),
		.table = frame_take(), .caps = caps, .cap_count = 4, .cmdline = options };
	while (child.quota_extents < ARRAY_LEN(quota) && quota[child.quota_extents].count)
		child.quota_extents++;
	ready = false;
	CHECK(spawn_create(&child));
	CHECK(!spawn_start(&child));
	for (uint64_t until = time_now() + 20 * NS_PER_SEC; !ready && time_now() < until;)
		exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
	CHECK(ready);
	return NULL;
}

static uint64_t frames_held(void)
{
	struct exo_domain_info info;
	return exo_domain_info(0, &info).status ? 0 : info.frames;
}

static void child_report(void)
{
	struct exo_domain_info info;
	if (!exo_domain_info(child.domain, &info).status)
		report_line("child: state %u, status %lu, address %lx, rip %lx", info.state, info.status,
			info.fault_addr, info.regs.rip);
}

static const char *child_ended(void)
{
	struct exo_domain_info info;
	uint64_t until = time_now() + 30 * NS_PER_SEC;
	do {
		time_sleep_until(time_now() + 10 * NS_PER_MS);
		CHECK(!exo_domain_info(child.domain, &info).status);
	} while (info.state == EXO_DS_ACTIVE && time_now() < until);
	if (info.state == EXO_DS_EXITED && !info.status)
		return NULL;
	child_report();
	return "the child did not end well";
}

/* What it owned is ours again: its quota. */
static const char *child_drop(void)
{
	uint64_t frames;
	CHECK(!spawn_destroy(child.domain, &frames));
	for (unsigned i = 0; i < child.quota_extents; i++)
		CHECK(frames_put(child.quota[i].pfn, child.quota[i].count));
	CHECK(frames_put(child.object, 1) && frames_put(child.table, 1));
	return NULL;
}

/* ---- a child that goes on working ------------------------------------------------------------ */

static const char *ask(void)
{
	uint64_t deadline = time_now() + NS_PER_SEC;
	struct exo_result r;
	while ((r = exo_domain_revoke(child.domain, PART, deadline)).status == EXO_AGAIN)
		time_sleep_until(time_now() + 10 * NS_PER_MS);
	CHECK(!r.status && r.value >= PART);
	CHECK(time_now() < deadline);		/* it complied */
	return NULL;
}

/* One that comes to no safepoint. */
static const char *looping(const char *collector, const char *pager)
{
	char options[64];
	snprintf(options, sizeof options, "mode=loop collector=%s pager=%s", collector, pager);
	const char *wrong = child_start(revoked_image, revoked_image_end, QUOTA, options);
	for (unsigned i = 0; i < ASKS && !wrong; i++)
		wrong = ask();
	if (wrong)
		child_report();
	wrong = wrong ? wrong : child_ended();
	return wrong ? wrong : child_drop();
}

static void loops(void)
{
	static const char *const pair[][2] = { { "summary", "aware" }, { "bookmark", "aware" },
		{ "gen", "aware" }, { "gen-card", "aware" }, { "compact", "aware" }, { "semi", "aware" },
		{ "summary", "lru" }, { "gen-card", "clock" } };
	for (unsigned i = 0; i < ARRAY_LEN(pair); i++) {
		char name[48];
		snprintf(name, sizeof name, "gc_revoke_loop_%s_%s", pair[i][0], pair[i][1]);
		report_case(name, looping(pair[i][0], pair[i][1]));
	}
}

/* The deadline has passed, and the child does not run until the frames are gone: what was not on
 * offer would go by force. */
static const char *unasked(void)
{
	struct exo_result r;
	const char *wrong = child_start(revoked_image, revoked_image_end, QUOTA, "mode=offers");
	for (unsigned i = 0; i < ASKS && !wrong; i++) {
		while ((r = exo_domain_revoke(child.domain, UNASKED, 0)).status == EXO_AGAIN)
			;
		CHECK(!r.status && r.value == UNASKED);
		time_sleep_until(time_now() + 200 * NS_PER_MS);
	}
	if (wrong)
		child_report();
	wrong = wrong ? wrong : child_ended();
	return wrong ? wrong : child_drop();
}

/* More than it can do without, of which the reserve leaves it what it cannot. */
static const char *too_much(void)
{
	struct exo_domain_info info;
	struct exo_result r;
	const char *wrong = child_start(revoked_image, revoked_image_end, QUOTA, "");
	CHECK(wrong || !exo_domain_info(child.domain, &info).status);
	CHECK(wrong || !exo_domain_ctl(child.domain, EXO_DOM_RESERVE, info.frames - PART, 0).status);
	uint64_t deadline = time_now() + NS_PER_SEC;
	while (!wrong && (r = exo_domain_revoke(child.domain, QUOTA, deadline)).status == EXO_AGAIN)
		time_sleep_until(time_now() + 10 * NS_PER_MS);
	CHECK(wrong || (EXO_CODE(r.status) == EXO_LIMIT && r.value == PART));
	CHECK(wrong || !exo_domain_revoke(child.domain, 0, 0).status);
	wrong = wrong ? wrong : child_ended();
	if (wrong)
		child_report();
	return wrong ? wrong : child_drop();
}

static void working(void)
{
	const char *wrong = child_start(revoked_image, revoked_image_end, QUOTA, "");
	report_case("gc_revoke_start", wrong);
	for (unsigned i = 0; i < ASKS && !wrong; i++)
		wrong = ask();
	report_case("gc_revoke_asked", wrong);
	wrong = wrong ? wrong : child_ended();
	report_case("gc_revoke_ended", wrong ? wrong : child_drop());
}

/* ---- children that have frames of one kind --------------------------------------------------- */

static uint64_t sample[SAMPLES];
static unsigned samples;

/* Everything that is on offer goes before the child is told, who then ends. */
static const char *discardable_end(uint64_t left)
{
	struct exo_domain_info info;
	CHECK(!exo_domain_info(child.domain, &info).status && info.state == EXO_DS_ACTIVE);
	struct exo_result r = exo_domain_revoke(child.domain, left + 1, time_now() + 10 * NS_PER_SEC);
	while (r.status == EXO_AGAIN && r.value < left)
		r = exo_domain_revoke(child.domain, left + 1, 0);
	CHECK(r.status == EXO_AGAIN && r.value == left);
	while (exo_domain_revoke(child.domain, left + 1, 0).status == EXO_AGAIN &&
		!exo_domain_info(child.domain, &info).status && info.state == EXO_DS_ACTIVE)
		exo_yield(child.context);
	return child_ended();
}

static const char *supplies(const char *supply, uint64_t k, uint64_t all)
{
	char options[64];
	bool discardable = !strcmp(supply, "discardable"), stored = supply[0] == 'c' || supply[1] == 'i';
	uint64_t left = all, store = stored && !discardable ? all + OTHERS : 0;
	snprintf(options, sizeof options, "supply=%s frames=%lu", supply, all);
	const char *wrong = child_start(supplier_image, supplier_image_end, all + OTHERS + store, options);
	for (; !wrong && left >= k && samples < SAMPLES; left -= k) {
		uint64_t start = time_now();
		struct exo_result r;
		while ((r = exo_domain_revoke(child.domain, k, start + 20 * NS_PER_SEC)).status == EXO_AGAIN)
			exo_yield(child.context);
		sample[samples++] = time_now() - start;
		CHECK(!r.status && r.value == k);
	}
	if (!wrong && discardable)
		wrong = discardable_end(left);
	if (wrong)
		child_report();
	return wrong ? wrong : child_drop();
}

static void sort(uint64_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k && v[k - 1] > v[k]; k--) {
			uint64_t t = v[k];
			v[k] = v[k - 1];
			v[k - 1] = t;
		}
}

/* As many samples as two children are good for: to make one takes longer than to ask it. */
static const char *figure(const char *supply, uint64_t k)
{
	unsigned n = 2 * SUPPLY / k;
	const char *wrong = NULL;
	n = n > SAMPLES ? SAMPLES : n < SAMPLES_MIN ? SAMPLES_MIN : n;
	for (samples = 0; samples < n && !wrong;)
		wrong = supplies(supply, k, SUPPLY);
	sort(sample, samples);
	if (!wrong)
		report_line("count %s %lu %u %lu %lu", supply, k, samples, sample[samples / 2],
			sample[(samples * 99 + 99) / 100 - 1]);
	return wrong;
}

static void suppliers(bool figures)
{
	static const char *const supply[] = { "discardable", "empty", "clean", "dirty" };
	for (unsigned i = 0; i < ARRAY_LEN(supply); i++) {
		char name[32];
		const char *wrong = NULL;
		snprintf(name, sizeof name, "gc_revoke_%s", supply[i]);
		if (figures)
			for (uint64_t k = 1; k <= 16384 && !wrong; k *= 4)
				wrong = figure(supply[i], k);
		samples = 0;
		report_case(name, wrong ? wrong : supplies(supply[i], 300, SUPPLY_SMALL));
	}
}

/* ---- children that do not answer ------------------------------------------------------------- */

static volatile struct board *board;

static const char *board_make(void)
{
	const uint64_t rights = EXO_R_READ | EXO_R_WRITE;
	uint64_t pfn = frame_alloc_zero();
	CHECK(pfn);
	board = physmap_page(pfn);
	struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, rights | EXO_R_GRANT);
	CHECK(!loan.status);
	board_loan = loan.value;
	return NULL;
}

/* What the child wrote on the board: until it is had, or cannot be. */
static const char *board_answer(void)
{
	struct exo_domain_info info;
	struct exo_result r;
	CHECK(!exo_domain_info(child.domain, &info).status);
	CHECK(!exo_domain_ctl(child.domain, EXO_DOM_RESERVE, info.frames - board->most, 0).status);
	uint64_t start = time_now(), held = frames_held(), patience = board->patience;
	while ((r = exo_domain_revoke(child.domain, board->frames, start + patience)).status == EXO_AGAIN)
		exo_yield(child.context);
	CHECK(time_now() >= start + patience);
	CHECK(frames_held() == held + r.value);
	if (r.status)				/* it is taken back */
		CHECK(!exo_domain_revoke(child.domain, 0, 0).status);
	board->status = r.status;
	board->value = r.value;
	__atomic_store_n(&board->done, board->asked, __ATOMIC_SEQ_CST);
	return NULL;
}

static const char *order_of(const char *name)
{
	struct exo_domain_info info;
	char options[32];
	snprintf(options, sizeof options, "case=%s", name);
	*(struct board *)board = (struct board){ .asked = 0 };
	const char *wrong = child_start(victims_image, victims_image_end, QUOTA, options);
	uint64_t until = time_now() + 30 * NS_PER_SEC;
	do {
		if (!wrong && board->asked != board->done)
			wrong = board_answer();
		exo_yield(child.context);
		CHECK(!exo_domain_info(child.domain, &info).status);
	} while (!wrong && info.state == EXO_DS_ACTIVE && time_now() < until);
	wrong = wrong ? wrong : child_ended();
	return wrong ? wrong : child_drop();
}

static void orders(void)
{
	static const char *const name[] = { "order", "refilled", "longer", "names", "left", "changed",
		"race", "unasked", "back", "garbage" };
	for (unsigned i = 0; i < ARRAY_LEN(name); i++) {
		char text[48];
		snprintf(text, sizeof text, "gc_victims_%s", name[i]);
		report_case(text, order_of(name[i]));
	}
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	char figures[4];
	upcall_set(&handlers);
	report_start(s);
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << READY);
	ready_event = e.value;
	event_handle(READY, on_ready, NULL);
	if (e.status || frames_init(s, true) || time_init(s, 0) || board_make()) {
		report_fail("gc_revoke_setup", "no event, frames or clock");
		report_end();
	}
	bool all = start_option(s, "figures", figures, sizeof figures) >= 0;
	if (!all) {
		working();
		loops();
		report_case("gc_revoke_unasked", unasked());
		report_case("gc_revoke_too_much", too_much());
		orders();
	}
	suppliers(all);
	report_end();
}
