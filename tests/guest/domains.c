/* Domains: made by spawn, run, ended in every way, and all that they held comes back. */
#include "tests/guest/ktest.h"

#define QUOTA	48u

extern const uint8_t child_image[], child_image_end[];
__asm__(".pushsection .rodata\n.balign 16\n.globl child_image, child_image_end\n"
	"child_image: .incbin \"" CHILD_ELF "\"\nchild_image_end:\n.popsection\n");

struct child { struct spawn s; struct exo_start_extent quota[8]; struct elf_image elf; };
static volatile unsigned done_events;
static uint64_t done_event;

static void on_done(struct upcall_regs *r, unsigned bit, void *arg)
{
	(void)r, (void)bit, (void)arg;
	done_events++;
}

static bool child_make(struct child *c, const char *what)
{
	struct spawn_cap done = { "done", done_event, EXO_R_SIGNAL, 0, 0 };
	memset(c, 0, sizeof *c);
	if (elf_parse(child_image, child_image_end - child_image, 0x10000, 1ul << 47, &c->elf))
		return false;
	if (frames_take(QUOTA, c->quota, ARRAY_LEN(c->quota)) != QUOTA)
		return false;
	c->s = (struct spawn){ .elf = &c->elf, .quota = c->quota, .object = frame_take(),
		.table = frame_take(), .caps = &done, .cap_count = 1, .args = what, .args_size = 2 };
	while (c->s.quota_extents < ARRAY_LEN(c->quota) && c->quota[c->s.quota_extents].count)
		c->s.quota_extents++;
	got(EXO_OK);
	bool made = spawn_create(&c->s);
	got(c->s.status);
	return made;
}

static bool child_ended(struct child *c, struct exo_domain_info *info)
{
	uint64_t until = time_now() + 3 * NS_PER_SEC;
	do {
		if (exo_domain_info(c->s.domain, info).status)
			return false;
		if (info->state != EXO_DS_ACTIVE)
			return true;
		exo_wait(NULL, time_now() + NS_PER_MS / 2, EXO_WAIT_UNMASK);
	} while (time_now() < until);
	return false;
}

static const char *child_drop(struct child *c)
{
	uint64_t frames = 0;
	IS(spawn_destroy(c->s.domain, &frames), OK);
	CHECK(frames == QUOTA);
	for (unsigned i = 0; i < c->s.quota_extents; i++)
		CHECK(frames_put(c->quota[i].pfn, c->quota[i].count));
	CHECK(frames_put(c->s.object, 1) && frames_put(c->s.table, 1));
	return NULL;
}

static const char *with_event(const char *(*body)(void))
{
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 40);
	IS(e.status, OK);
	done_event = e.value;
	done_events = 0;
	event_handle(40, on_done, NULL);
	const char *wrong = body();
	event_handle(40, NULL, NULL);
	IS(exo_delete_all(0, e.value), OK);
	return wrong;
}

/* ---- ends --------------------------------------------------------------------------------- */

static const char *exit_body(void)
{
	static struct child c;
	struct exo_domain_info info;
	CHECK(child_make(&c, "x"));
	IS(exo_domain_info(c.s.domain, &info).status, OK);
	CHECK(info.state == EXO_DS_ACTIVE && info.frames == QUOTA && info.contexts == 1);
	IS(exo_domain_ctl(c.s.domain, EXO_DOM_WATCH, done_event, 1ul << 40).status, OK);
	IS(spawn_start(&c.s), OK);
	CHECK(child_ended(&c, &info));
	CHECK(info.state == EXO_DS_EXITED && info.reason == EXO_DEAD_EXIT && info.status == 7);
	CHECK(info.run_time);
	CHECK(done_events == 1);
	return child_drop(&c);
}

static const char *fault_body(void)
{
	static struct child c;
	struct exo_domain_info info;
	uint64_t offset;
	CHECK(child_make(&c, "f"));
	IS(spawn_start(&c.s), OK);
	CHECK(child_ended(&c, &info));
	CHECK(info.state == EXO_DS_KILLED && info.reason == EXO_DEAD_EXCEPTION);
	CHECK(info.fault_addr == 0xdead000 && info.regs.vector == 14);
	const char *name = elf_symbol(&c.elf, info.regs.rip, &offset);
	CHECK(name && !strcmp(name, "main"));
	char bytes[4];
	CHECK(domain_read(c.s.domain, info.root, c.elf.lo, bytes, 4) == 4 && !memcmp(bytes, "\177ELF", 4));
	return child_drop(&c);
}

static const char *own_memory_body(void)
{
	static struct child c;
	struct exo_domain_info info;
	CHECK(child_make(&c, "u"));
	IS(spawn_start(&c.s), OK);
	CHECK(child_ended(&c, &info));
	CHECK(info.reason == EXO_DEAD_EXIT && info.status == 40);
	return child_drop(&c);
}

static const char *until_running(struct child *c, const char *what)
{
	CHECK(child_make(c, what));
	IS(spawn_start(&c->s), OK);
	uint64_t until = time_now() + 3 * NS_PER_SEC;
	while (!done_events && time_now() < until)
		exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
	CHECK(done_events);
	return NULL;
}

/* Destroyed while it runs, and while it waits. */
static const char *destroy_body(void)
{
	static struct child c;
	for (unsigned i = 0; i < 6; i++) {
		done_events = 0;
		const char *wrong = until_running(&c, i % 2 ? "w" : "l");
		if (!wrong)
			wrong = child_drop(&c);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *stop_body(void)
{
	static struct child c;
	struct exo_domain_info info, later;
	const char *wrong = until_running(&c, "l");
	if (wrong)
		return wrong;
	uint64_t status;
	while ((status = exo_domain_ctl(c.s.domain, EXO_DOM_STOP, 0, 0).status) == EXO_AGAIN)
		;
	IS(status, OK);
	IS(exo_domain_info(c.s.domain, &info).status, OK);
	CHECK(info.state == EXO_DS_STOPPED);
	time_sleep_until(time_now() + 3 * NS_PER_MS);
	IS(exo_domain_info(c.s.domain, &later).status, OK);
	CHECK(later.run_time == info.run_time);
	IS(exo_domain_ctl(c.s.domain, EXO_DOM_START, 0, 0).status, OK);
	uint64_t until = time_now() + 3 * NS_PER_SEC;
	do {
		time_sleep_until(time_now() + 5 * NS_PER_MS);
		IS(exo_domain_info(c.s.domain, &later).status, OK);
	} while (later.run_time == info.run_time && time_now() < until);
	CHECK(later.state == EXO_DS_ACTIVE && later.run_time > info.run_time);
	return child_drop(&c);
}

/* A domain that is asked for frames and doesn't answer loses them after the deadline. */
static const char *revoke_body(void)
{
	static struct child c;
	struct exo_domain_info info;
	const char *wrong = until_running(&c, "w");
	if (wrong)
		return wrong;
	uint64_t deadline = time_now() + 2 * NS_PER_MS, status;
	struct exo_result r;
	do
		r = exo_domain_revoke(c.s.domain, 4, deadline);
	while (r.status == EXO_AGAIN);
	IS(r.status, OK);
	CHECK(time_now() >= deadline && r.value >= 4);
	IS(exo_domain_info(c.s.domain, &info).status, OK);
	CHECK(info.frames == QUOTA - r.value);
	uint64_t frames;
	status = spawn_destroy(c.s.domain, &frames);
	IS(status, OK);
	CHECK(frames == info.frames);
	for (unsigned i = 0; i < c.s.quota_extents; i++)
		CHECK(frames_put(c.quota[i].pfn, c.quota[i].count));
	CHECK(frames_put(c.s.object, 1) && frames_put(c.s.table, 1));
	return NULL;
}

/* Many times over: nothing is lost. */
static const char *cycles_body(void)
{
	static struct child c;
	struct exo_domain_info info;
	for (unsigned i = 0; i < 50; i++) {
		CHECK(child_make(&c, "x"));
		IS(spawn_start(&c.s), OK);
		CHECK(child_ended(&c, &info) && info.status == 7);
		const char *wrong = child_drop(&c);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* What a domain that ends leaves behind ends too, even if there is no room for it. */
static const char *heirs_body(void)
{
	static struct child c;
	static uint64_t copies[32768];
	struct exo_domain_info before, info;
	struct exo_result r;
	unsigned n = 0;
	IS(exo_domain_info(0, &before).status, OK);
	CHECK(child_make(&c, "p"));
	IS(spawn_start(&c.s), OK);
	CHECK(child_ended(&c, &info));
	CHECK(info.status == 50 && info.child);
	while (n < ARRAY_LEN(copies) && !(r = exo_cap_copy(0, EXO_SLOT_ANY, done_event, EXO_R_SIGNAL,
			1ul << 40, 0)).status)
		copies[n++] = r.value;
	CHECK(EXO_CODE(r.status) == EXO_LIMIT);
	IS(spawn_destroy(c.s.domain, NULL), OK);
	for (unsigned i = 0; i < n; i++)
		IS(exo_delete_all(0, copies[i]), OK);
	IS(exo_domain_info(0, &info).status, OK);
	CHECK(info.child == before.child && info.frames == before.frames);
	for (unsigned i = 0; i < c.s.quota_extents; i++)
		CHECK(frames_put(c.quota[i].pfn, c.quota[i].count));
	CHECK(frames_put(c.s.object, 1) && frames_put(c.s.table, 1));
	return NULL;
}

static const char *quota_body(void)
{
	static struct child c;
	memset(&c, 0, sizeof c);
	CHECK(!elf_parse(child_image, child_image_end - child_image, 0x10000, 1ul << 47, &c.elf));
	uint64_t before = frames_left();
	CHECK(frames_take(6, c.quota, 8) == 6);
	c.s = (struct spawn){ .elf = &c.elf, .quota = c.quota, .quota_extents = 1, .object = frame_take(),
		.table = frame_take() };
	CHECK(!spawn_create(&c.s) && c.s.error);
	for (unsigned i = 0; i < 8 && c.quota[i].count; i++)
		CHECK(frames_put(c.quota[i].pfn, c.quota[i].count));
	CHECK(frames_put(c.s.object, 1) && frames_put(c.s.table, 1));
	CHECK(frames_left() == before);
	return NULL;
}

#define CASE(name) static const char *name(void) { return with_event(name##_body); }
CASE(exit) CASE(fault) CASE(own_memory) CASE(destroy) CASE(stop) CASE(revoke) CASE(cycles) CASE(heirs) CASE(quota)

const struct test domain_tests[] = {
	{ "domain_exit", exit },
	{ "domain_fault_record", fault },
	{ "domain_own_memory", own_memory },
	{ "domain_destroy_running", destroy },
	{ "domain_stop_start", stop },
	{ "domain_revoke", revoke },
	{ "domain_cycles", cycles },
	{ "domain_heirs", heirs },
	{ "domain_quota_too_small", quota },
	{ NULL, NULL }
};
