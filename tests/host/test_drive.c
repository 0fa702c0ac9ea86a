/* What a disk does, as its users see it: which request goes first, no answer, resets, disks that
 * are polled, gone, changed, too many, or say what cannot be. */
#include "tests/host/disk_user.h"

/* Demand first; the others have at most half of the tags, and get their turn in the end. */
TEST(disk_classes)
{
	struct user second;
	unsigned order[64], n = 0;
	int tag;

	setup();
	second = ring_make(34);
	for (unsigned i = 0; i < 24; i++) {
		struct exo_block_request q = request(EXO_BLK_READ, 8 * (100 + i), 8);

		q.class = i < 12 ? EXO_BLK_WRITEBACK : EXO_BLK_PREFETCH;
		put(&u, q);
	}
	OK(submit(&u));
	CHECK(disks[0].issued == 2 && disks[0].background == 2, "half of the tags: %u", disks[0].issued);
	for (unsigned i = 0; i < 20; i++)
		put(&second, request(EXO_BLK_READ, 8 * i, 8));
	OK(submit(&second));
	CHECK(disks[0].issued == 4, "demands find tags");
	audit();
	while ((tag = model_disk_tag(0)) >= 0)
		model_disk_finish(0, tag, true);
	for (unsigned i = 0; i < 44; i++)
		order[i] = model_disks[0].order[i] / 8;
	for (unsigned i = 0, last = 0; i < 44; i++)
		if (order[i] < 100) {
			CHECK(order[i] == last++, "demands are in order");
			n = i;
		}
	CHECK(n < 26, "demands first: the last was number %u", n);
	CHECK(n > 22, "but not alone");
	CHECK(u.h->completed == 24 && second.h->completed == 20, "all done");
}

/* A disk that does not answer: the lost request ends, the others are done again. */
TEST(disk_timeout_and_reset)
{
	setup();
	model_disks[0].reset_steps = 3;
	for (unsigned i = 0; i < 6; i++)
		put(&u, request(EXO_BLK_WRITE, 8 * i, 8));
	OK(submit(&u));
	CHECK(disks_deadline != EXO_FOREVER, "somebody looks");
	model_time += 3000000000ul;
	model_timer(0);
	NONE(&u);
	model_disk_finish(0, 0, true);		/* so that number 4 is young */
	OK(got(&u));
	model_time += 2100000000ul;
	model_timer(0);
	CHECK(disks[0].state == DISK_RESETTING, "reset");
	NONE(&u);
	audit();
	put(&u, request(EXO_BLK_READ, 80, 8));
	OK(submit(&u));				/* waits */
	model_interrupt(block_interrupt, &model_disks[0].dev);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(disks[0].state == DISK_RESETTING, "still");
		model_time += 1100000;
		model_timer(0);
	}
	CHECK(disks[0].state == DISK_READY && disks[0].resets == 1, "back");
	for (unsigned i = 0; i < 3; i++)
		IS(got(&u), TIMEOUT, 0);
	NONE(&u);
	CHECK(disks[0].issued == 3, "the young one, and those that waited: %u", disks[0].issued);
	for (int tag; (tag = model_disk_tag(0)) >= 0;)
		model_disk_finish(0, tag, true);
	for (unsigned i = 0; i < 3; i++)
		OK(got(&u));
	model_time += 10000000000ul;
	model_timer(0);
	CHECK(disks_deadline == EXO_FOREVER, "nobody looks any more");
}

/* One that resets do not help is done again twice. */
TEST(disk_tries_end)
{
	struct user second;

	setup();
	second = ring_make(34);
	send(&u, request(EXO_BLK_READ, 8, 8));
	for (unsigned i = 0; i < 3; i++) {
		/* Its companion is always the older one. */
		model_time += 2000000000ul;
		model_timer(0);
		send(&second, request(EXO_BLK_READ, 800, 8));
		model_time += 3100000000ul;
		model_timer(0);
		model_timer(0);
	}
	IS(got(&u), TIMEOUT, 0);
	CHECK(disks[0].resets == 2 || disks[0].resets == 3, "resets %lu", disks[0].resets);
	for (unsigned i = 0; i < 8; i++) {
		model_time += 5100000000ul;
		model_timer(0);
	}
	CHECK(second.h->completed == 3, "all ended: %lu", second.h->completed);
	audit();
}

TEST(disk_gone)
{
	struct exo_extent_info *info = (void *)model_window[0];

	setup();
	for (unsigned i = 0; i < 6; i++) {
		struct exo_block_request q = request(EXO_BLK_READ, 8 * i, 8);

		q.class = i % EXO_BLK_CLASSES;
		put(&u, q);
	}
	OK(submit(&u));
	CHECK(disks[0].waiting[EXO_BLK_PREFETCH] && disks[0].waiting[EXO_BLK_WRITEBACK], "some wait");
	model_disks[0].broken = true;
	model_time += 5100000000ul;
	model_timer(0);
	CHECK(disks[0].state == DISK_GONE && model_disks[0].off, "off");
	for (unsigned i = 0; i < 6; i++)
		IS(got(&u), GONE, 0);
	REFUSED(request(EXO_BLK_READ, 8, 8), GONE, EXTENT);
	OK(CALL2(EXTENT_INFO, EXTENT, WINDOW));
	CHECK(info->flags & EXO_DISK_GONE, "said so");
	OK(CALL2(CAP_DELETE, 0, EXTENT));
	OK(CALL2(CAP_DELETE, 0, RING));
}

/* Somebody changed the disk behind our back: extents were made for the other one. */
TEST(disk_changed_by_reset)
{
	setup();
	send(&u, request(EXO_BLK_READ, 8, 8));
	model_disks[0].dev.sectors--;
	model_time += 5100000000ul;
	model_timer(0);
	CHECK(disks[0].state == DISK_GONE && model_disks[0].off, "off");
	IS(got(&u), GONE, 0);
}

TEST(disk_reset_has_a_timeout)
{
	setup();
	model_disks[0].reset_steps = 1000000;
	send(&u, request(EXO_BLK_READ, 8, 8));
	model_time += 5100000000ul;
	model_timer(0);
	CHECK(disks[0].state == DISK_RESETTING, "reset");
	model_time += 5100000000ul;
	model_timer(0);
	CHECK(disks[0].state == DISK_GONE, "given up");
	IS(got(&u), GONE, 0);
}

/* A disk without reliable interrupts is looked at. */
TEST(disk_is_polled)
{
	struct exo_block_request q = request(EXO_BLK_READ, 8, 8);

	setup();
	q.extent = EXTENT_RO;
	send(&u, q);
	send(&u, q);
	CHECK(disks[1].issued == 1, "one at a time");
	for (unsigned i = 0; i < 2; i++) {
		model_disks[1].at[0].over = model_disks[1].at[0].ok = true;
		NONE(&u);
		model_time += 21000000;
		model_timer(0);
		OK(got(&u));
	}
}

TEST(disk_too_many)
{
	static struct model_disk extra;

	extra = model_disks[0];
	while (disk_count < DISKS_MAX)
		disk_add(&extra.dev);
	CHECK(!extra.off, "used");
	disk_add(&extra.dev);
	CHECK(disk_count == DISKS_MAX && extra.off, "one too many is turned off");
	disk_count = MODEL_DISKS;
}

/* A disk without a cache has nothing to flush. */
TEST(disk_flush_without_cache)
{
	setup();
	model_disks[0].dev.cache = false;
	send(&u, request(EXO_BLK_FLUSH, 0, 0));
	OK(got(&u));
	CHECK(!model_disks[0].started, "not asked");
}

/* The times of a disk that does not answer, to the nanosecond. */
TEST(disk_times_are_exact)
{
	uint64_t now = model_time, end;

	setup();
	model_disks[0].reset_steps = 1;
	send(&u, request(EXO_BLK_READ, 8, 8));
	end = request_at(disks[0].tag[0])->deadline;
	CHECK(end > now + 5000000000 && end <= model_time + 5000000000, "five seconds");
	CHECK(disks_deadline > now + 500000000 && disks_deadline <= model_time + 500000000, "looked at twice a second");
	kernel_lock();
	disks_tick(end - 1);
	CHECK(disks[0].state == DISK_READY, "in time");
	disks_tick(end);
	CHECK(disks[0].state == DISK_RESETTING && disks[0].reset_started == end, "late");
	CHECK(disks_deadline <= model_time + 1000000 && disks_deadline > model_time + 999000, "a step a millisecond");
	disks_tick(end + 1);
	kernel_unlock();
	CHECK(disks[0].state == DISK_READY, "back");
	IS(got(&u), TIMEOUT, 0);
	model_disks[0].reset_steps = 1000;
	send(&u, request(EXO_BLK_READ, 8, 8));
	end = request_at(disks[0].tag[0])->deadline;
	kernel_lock();
	disks_tick(end);
	disks_tick(end + 5000000000);
	CHECK(disks[0].state == DISK_RESETTING, "five seconds for a reset");
	disks_tick(end + 5000000001);
	kernel_unlock();
	CHECK(disks[0].state == DISK_GONE, "no more");
	IS(got(&u), GONE, 0);
}

/* A device that reports what it was not asked for. */
TEST(disk_reports_nonsense)
{
	setup();
	send(&u, request(EXO_BLK_READ, 8, 8));
	kernel_lock();
	block_done(&model_disks[0].dev, 1, true);
	block_done(&model_disks[0].dev, BLOCK_TAGS, true);
	block_done(&model_disks[0].dev, ~0u, true);
	kernel_unlock();
	NONE(&u);
	CHECK(disks[0].issued == 1, "one is left");
	model_disk_finish(0, 0, true);
	OK(got(&u));
	kernel_lock();
	block_done(&model_disks[0].dev, 0, true);
	kernel_unlock();
	NONE(&u);
	audit();
}
