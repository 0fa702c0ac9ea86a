/* A session whose child, a program of the GC runtime, is asked for frames (domain_revoke) three times.
 * Output only: what it found. */
#include "tests/guest/report.h"

VIRTUE_NOTE("bare");

#define QUOTA		4000u
#define ASKS		3u
#define PART		100u
#define READY		40u
#define CHECK(what)	do { if (!(what)) return #what; } while (0)

extern const uint8_t child_image[], child_image_end[];
__asm__(".pushsection .rodata\n.balign 16\n.globl child_image, child_image_end\n"
	"child_image: .incbin \"" CHILD_ELF "\"\nchild_image_end:\n.popsection\n");

static struct spawn child;
static struct exo_start_extent quota[16];
static struct elf_image elf;
static volatile bool ready;

static void on_ready(struct upcall_regs *r, unsigned bit, void *arg)
{
	(void)r, (void)bit, (void)arg;
	ready = true;
}

static const char *start_child(const struct exo_start *s)
{
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << READY);
	CHECK(!e.status);
	event_handle(READY, on_ready, NULL);
	static struct spawn_cap caps[3];
	caps[0] = (struct spawn_cap){ "ready", e.value, EXO_R_SIGNAL, 0, 0 };
	caps[1] = (struct spawn_cap){ CAP_CLOCK, start_cap(s, CAP_CLOCK), EXO_R_READ, 0, 0 };
	caps[2] = (struct spawn_cap){ CAP_MACHINE, start_cap(s, CAP_MACHINE), EXO_R_LOG, 0, 0 };
	CHECK(!elf_parse(child_image, child_image_end - child_image, 0x10000, 1ul << 47, &elf));
	CHECK(frames_take(QUOTA, quota, ARRAY_LEN(quota)) == QUOTA);
	child = (struct spawn){ .elf = &elf, .quota = quota, .object = frame_take(),
		.table = frame_take(), .caps = caps, .cap_count = 3 };
	while (child.quota_extents < ARRAY_LEN(quota) && quota[child.quota_extents].count)
		child.quota_extents++;
	CHECK(spawn_create(&child));
	CHECK(!spawn_start(&child));
	for (uint64_t until = time_now() + 20 * NS_PER_SEC; !ready && time_now() < until;)
		exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
	CHECK(ready);
	return NULL;
}

/* The child names frames in time, so that those it still uses are not taken. */
static const char *ask(void)
{
	uint64_t deadline = time_now() + NS_PER_SEC;
	struct exo_result r;
	while ((r = exo_domain_revoke(child.domain, PART, deadline)).status == EXO_AGAIN)
		time_sleep_until(time_now() + 10 * NS_PER_MS);
	CHECK(!r.status && r.value >= PART);
	return NULL;
}

static void report_child(void)
{
	struct exo_domain_info info;
	if (!exo_domain_info(child.domain, &info).status)
		report_line("child: state %u, status %lu, address %lx, rip %lx", info.state, info.status,
			info.fault_addr, info.regs.rip);
}

static const char *ended(void)
{
	struct exo_domain_info info;
	uint64_t until = time_now() + 30 * NS_PER_SEC;
	do {
		time_sleep_until(time_now() + 10 * NS_PER_MS);
		CHECK(!exo_domain_info(child.domain, &info).status);
	} while (info.state == EXO_DS_ACTIVE && time_now() < until);
	if (info.state == EXO_DS_EXITED && !info.status)
		return NULL;
	return "the child did not end well";
}

static const char *setup(const struct exo_start *s)
{
	CHECK(!frames_init(s, true));
	CHECK(!time_init(s, 0));
	return start_child(s);
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	upcall_set(&handlers);
	report_start(s);
	const char *wrong = setup(s);
	report_case("gc_revoke_start", wrong);
	for (unsigned i = 0; i < ASKS && !wrong; i++)
		wrong = ask();
	report_case("gc_revoke_asked", wrong);
	report_case("gc_revoke_ended", wrong ? wrong : ended());
	if (report_failures())
		report_child();
	report_end();
}
