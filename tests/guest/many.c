/* Many domains at once: `many=N` on the command line instead of the other cases.  Each is made,
 * runs, and stays alive, waiting; then all are destroyed and every frame must be back. */
#include "tests/guest/ktest.h"

#define QUOTA	25u
#define BATCH	100u		/* started, then waited for */

extern const uint8_t child_image[], child_image_end[];

#define EXTENTS	3u		/* of a quota: it may straddle regions */

struct alive { uint32_t domain, object, table; struct exo_start_extent quota[EXTENTS]; };
static struct alive *all;
static struct elf_image elf;
static uint64_t event;

static bool make(struct alive *a)
{
	struct spawn_cap done = { "done", event, EXO_R_SIGNAL, 0, 0 };
	if (frames_take(QUOTA, a->quota, EXTENTS) != QUOTA)
		return false;
	struct spawn s = { .elf = &elf, .quota = a->quota, .object = frame_take(), .table = frame_take(),
		.caps = &done, .cap_count = 1, .args = "w", .args_size = 2 };
	while (s.quota_extents < EXTENTS && a->quota[s.quota_extents].count)
		s.quota_extents++;
	bool made = spawn_create(&s) && !spawn_start(&s);
	got(s.status);
	a->domain = s.domain;
	a->object = s.object;
	a->table = s.table;
	return made;
}

/* Waits until every one of [0, n) has run. */
static const char *all_ran(unsigned n)
{
	struct exo_domain_info info;
	for (unsigned i = n > BATCH ? n - BATCH : 0; i < n; i++)
		do {
			IS(exo_domain_info(all[i].domain, &info).status, OK);
			CHECK(info.state == EXO_DS_ACTIVE);
			if (!info.run_time)
				exo_wait(NULL, time_now() + NS_PER_MS, EXO_WAIT_UNMASK);
		} while (!info.run_time);
	return NULL;
}

static const char *drop_all(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t frames;
		IS(spawn_destroy(all[i].domain, &frames), OK);
		CHECK(frames == QUOTA);
		for (unsigned k = 0; k < EXTENTS && all[i].quota[k].count; k++)
			CHECK(frames_put(all[i].quota[k].pfn, all[i].quota[k].count));
		CHECK(frames_put(all[i].object, 1) && frames_put(all[i].table, 1));
	}
	return NULL;
}

const char *many_domains(unsigned n)
{
	uint64_t frames = (n * sizeof *all + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	CHECK(!elf_parse(child_image, child_image_end - child_image, 0x10000, 1ul << 47, &elf));
	all = physmap_page(frame_alloc_run(frames));
	for (unsigned slots = 0; slots < 2 * n + 256; slots += 128)
		if (exo_cap_grow(0, frame_take()).status)
			break;
	event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 40).value;
	uint64_t before = frames_left(), start = time_now();
	for (unsigned i = 0; i < n; i++) {
		CHECK(make(&all[i]));
		if ((i + 1) % BATCH == 0 || i + 1 == n) {
			const char *wrong = all_ran(i + 1);
			if (wrong)
				return wrong;
		}
	}
	uint64_t made = time_now();
	const char *wrong = drop_all(n);
	if (wrong)
		return wrong;
	log_line("%u domains alive: %lu us each to make and run, %lu us to destroy, %lu frames each", n,
		(made - start) / n / 1000, (time_now() - made) / n / 1000, (uint64_t)QUOTA + 2);
	CHECK(frames_left() + 16 >= before);
	return NULL;
}
