/* Extents, rings and requests: who may do what, what is pinned, and that nothing is lost when
 * authority ends in the middle. */
#include "tests/host/disk_user.h"

TEST(disk_reads_and_writes)
{
	struct exo_extent_info *info = (void *)model_window[0];
	struct exo_cap_info *cap = (void *)model_window[0];

	setup();
	OK(CALL2(EXTENT_INFO, EXTENT, WINDOW));
	CHECK(info->base == 0 && info->count == BLOCKS && info->disk == 0 && info->sector == 512 &&
		info->flags == EXO_DISK_CACHE && info->depth == 4 && !strcmp(info->model, "model"), "info");
	OK(CALL2(EXTENT_INFO, EXTENT_RO, WINDOW));
	CHECK(info->flags == EXO_DISK_READ_ONLY && info->disk == 1, "the other's");
	IS(CALL2(EXTENT_INFO, EXTENT, 0x1000), FAULT, 2);
	IS(CALL2(EXTENT_INFO, EVENT, WINDOW), TYPE, 1);
	OK(CALL3(CAP_INFO, 0, EXTENT_RO, WINDOW));
	CHECK(cap->type == EXO_T_EXTENT && cap->aux == 1 && cap->count == BLOCKS, "capability's info");

	struct exo_block_request q = request(EXO_BLK_READ, 8, 16);
	send(&u, q);
	NONE(&u);
	CHECK(frame_table[q.frame[0]].pins == 1 && frame_table[q.frame[1]].pins == 1, "pinned");
	IS(CALL4(FRAME_GIVE, 0, 0, q.frame[0], 1), BUSY, 3);
	IS(retype(q.frame[1], EXO_KIND_PT1), BUSY, 2);
	CHECK(model_disks[0].at[0].io.lba == 8 && model_disks[0].at[0].io.frames == 2, "as asked");
	CHECK(u.h->taken == 1 && u.h->submitted == 1, "indices");
	context_control(context_at(model_init()->context_head))->events = 0;
	model_disk_finish(0, 0, true);
	struct result r = got(&u);
	OK(r);
	CHECK(r.value == 1000 && u.h->completion[0].sectors == 16, "completion");
	CHECK(!frame_table[q.frame[0]].pins, "unpinned");
	q = request(EXO_BLK_WRITE, 3, 8);
	q.offset = 3;
	q.frame[1] = q.frame[0];	/* the same frame twice */
	send(&u, q);
	CHECK(model_disks[0].at[0].io.offset == 3 * 512 && model_disks[0].at[0].io.frames == 2 &&
		frame_table[q.frame[0]].pins == 2, "offset");
	model_disk_finish(0, 0, false);
	IS(got(&u), IO, 0);
	CHECK(u.h->completion[1].sectors == 0, "nothing was done");
	send(&u, request(EXO_BLK_FLUSH, 0, 0));
	NONE(&u);
	model_disk_finish(0, 0, true);
	OK(got(&u));
	model_interrupt(block_interrupt, &model_disks[0].dev);	/* for nothing */
}

TEST(disk_event_is_signalled)
{
	struct context *x = this_cpu()->current;

	setup();
	send(&u, request(EXO_BLK_READ, 0, 8));
	model_disk_finish(0, 0, true);
	CHECK(context_control(x)->events >> 20 & 1, "the event");
	OK(got(&u));
	OK(CALL2(CAP_DELETE, 0, EVENT));		/* then nobody is told */
	send(&u, request(EXO_BLK_READ, 0, 8));
	model_disk_finish(0, 0, true);
	OK(got(&u));
}

TEST(disk_refuses_entries)
{
	struct exo_block_request q;

	setup();
	q = request(EXO_BLK_READ, 0, 8);
	q.op = EXO_BLK_OPS;
	REFUSED(q, ARG, OP);
	q = request(EXO_BLK_READ, 0, 8);
	q.class = EXO_BLK_CLASSES;
	REFUSED(q, ARG, OP);
	q = request(EXO_BLK_READ, 0, 8);
	q.pad[2] = 1;
	REFUSED(q, ARG, NONE);
	q = request(EXO_BLK_READ, 0, 8);
	q.reserved[3] = 1;
	REFUSED(q, ARG, NONE);
	q = request(EXO_BLK_READ, 0, 0);
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, 0, 128);
	q.offset = 1;
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, 0, 1);
	q.offset = 8;
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_FLUSH, 1, 0);
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_FLUSH, 0, 8);
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_FLUSH, 0, 0);
	q.offset = 1;
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, MODEL_SECTORS, 8);
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, MODEL_SECTORS - 7, 8);
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, ~0ul - 3, 8);
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, 0, 8);
	q.extent = EVENT;
	REFUSED(q, TYPE, EXTENT);
	q.extent = 77;
	REFUSED(q, CAP, EXTENT);
	q = request(EXO_BLK_WRITE, 0, 8);
	q.extent = EXTENT_RO;
	REFUSED(q, STATE, EXTENT);
	q = request(EXO_BLK_READ, 4, 8);	/* sectors of 4 KiB */
	q.extent = EXTENT_RO;
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, 8, 4);
	q.extent = EXTENT_RO;
	REFUSED(q, ARG, SECTOR);
	q = request(EXO_BLK_READ, 0, 8);
	q.frame[0] = 3;			/* the kernel's */
	REFUSED(q, OWNER, FRAME);
	q.frame[0] = MODEL_FRAMES + 5;
	REFUSED(q, OWNER, FRAME);
	q.frame[0] = u.object;
	REFUSED(q, TYPE, FRAME);
	q.frame[0] = model_init()->frames_head;	/* a table, of which only bytes may be read */
	REFUSED(q, TYPE, FRAME);
	q.op = EXO_BLK_WRITE;
	REFUSED(q, BUSY, FRAME);
	q = request(EXO_BLK_READ, 0, 8);
	q.loan = EVENT;
	REFUSED(q, TYPE, LOAN);
	CHECK(!model_disks[0].started && !model_disks[1].started, "nothing was done");
}

TEST(disk_extents_are_split)
{
	struct exo_extent_info *info = (void *)model_window[0];
	struct exo_block_request q = request(EXO_BLK_READ, 0, 8);

	setup();
	OK(CALL6(CAP_COPY, 0, 40, EXTENT, EXO_R_READ, 10, 5));
	IS(CALL6(CAP_COPY, 0, 41, 40, EXO_R_READ | EXO_R_WRITE, 10, 5), RIGHT, 4);
	IS(CALL6(CAP_COPY, 0, 41, 40, EXO_R_READ, 9, 2), ARG, 5);
	IS(CALL6(CAP_COPY, 0, 41, 40, EXO_R_READ, 14, 2), ARG, 6);
	OK(CALL2(EXTENT_INFO, 40, WINDOW));
	CHECK(info->base == 10 && info->count == 5, "narrowed");
	q.extent = 40;
	q.sector = 32;
	send(&u, q);
	CHECK(model_disks[0].at[0].io.lba == 80 + 32, "from the extent's start");
	model_disk_finish(0, 0, true);
	OK(got(&u));
	q.sector = 33;
	REFUSED(q, ARG, SECTOR);
	q.sector = 0;
	q.op = EXO_BLK_WRITE;
	REFUSED(q, RIGHT, EXTENT);
	q = request(EXO_BLK_FLUSH, 0, 0);
	q.extent = 40;
	REFUSED(q, RIGHT, EXTENT);
}

TEST(disk_ring_creation_is_checked)
{
	uint32_t a = fresh(), b = fresh(), c = fresh();

	setup();
	IS(CALL6(RING_CREATE, 3, b, c, 0, EVENT, 0), OWNER, 1);
	IS(CALL6(RING_CREATE, a, 3, c, 0, EVENT, 0), OWNER, 2);
	IS(CALL6(RING_CREATE, a, b, 3, 0, EVENT, 0), OWNER, 3);
	IS(CALL6(RING_CREATE, a, a, c, 0, EVENT, 0), BUSY, 2);
	IS(CALL6(RING_CREATE, a, b, b, 0, EVENT, 0), BUSY, 2);
	IS(CALL6(RING_CREATE, a, b, a, 0, EVENT, 0), BUSY, 3);
	IS(CALL6(RING_CREATE, a, u.object, c, 0, EVENT, 0), BUSY, 2);
	IS(CALL6(RING_CREATE, u.object, b, c, 0, EVENT, 0), TYPE, 1);
	IS(CALL6(RING_CREATE, u.header, b, c, 0, EVENT, 0), BUSY, 1);
	IS(CALL6(RING_CREATE, a, b, c, EXO_RING_KINDS, EVENT, 0), ARG, 4);
	IS(CALL6(RING_CREATE, a, b, c, 0, EXTENT, 0), TYPE, 5);
	IS(CALL6(RING_CREATE, a, b, c, 0, EVENT, RING), BUSY, 6);
	for (unsigned i = 1; i < 16; i++)
		ring_make(0);
	audit();
	IS(CALL6(RING_CREATE, a, b, c, 0, EVENT, 0), LIMIT, 0);
	OK(CALL2(CAP_DELETE, 0, RING));
	OK(CALL6(RING_CREATE, a, b, c, 0, EVENT, RING));
	IS(CALL1(RING_SUBMIT, EVENT), TYPE, 1);
	OK(CALL6(CAP_COPY, 0, 40, RING, 0, 0, 0));
	IS(CALL1(RING_SUBMIT, 40), RIGHT, 1);
	OK(CALL2(CAP_DELETE, 0, 40));		/* a copy: the ring stays */
	OK(CALL1(RING_SUBMIT, RING));
}

TEST(disk_ring_indices)
{
	unsigned n = 0;
	int tag;

	setup();
	u.h->submitted = 33;
	IS(submit(&u), ARG, 1);
	u.h->submitted = ~0ul;
	IS(submit(&u), ARG, 1);
	u.h->submitted = 0;
	u.h->consumed = 1;
	IS(submit(&u), ARG, 1);
	u.h->consumed = 0;
	for (unsigned i = 0; i < EXO_RING_SLOTS; i++)
		put(&u, request(EXO_BLK_READ, i * 8, 8));
	struct result r = submit(&u);
	OK(r);
	CHECK(r.value == 32, "all taken");
	put(&u, request(EXO_BLK_READ, 0, 8));
	IS(submit(&u), AGAIN, 0);		/* no slot for its completion */
	while ((tag = model_disk_tag(0)) >= 0) {
		model_disk_finish(0, tag, true);
		n++;
	}
	CHECK(n == 32 && u.h->completed == 32, "%u of 32", n);
	IS(submit(&u), AGAIN, 0);		/* still none: they were not consumed */
	OK(got(&u));
	r = submit(&u);
	OK(r);
	CHECK(r.value == 1 && u.h->taken == 33, "one more");
	u.h->completed = 12345;			/* the libOS's own page: nobody believes it */
	u.h->taken = 54321;
	model_disk_finish(0, model_disk_tag(0), true);
	CHECK(u.h->completed == 33, "the kernel's own count");
}

/* Revocation with requests in flight: what waits ends, what the disk has is waited for. */
TEST(disk_extent_revoked_in_flight)
{
	setup();
	OK(CALL6(CAP_COPY, 0, 40, EXTENT, EXO_R_READ | EXO_R_WRITE, 0, 100));
	for (unsigned i = 0; i < 8; i++) {
		struct exo_block_request q = request(EXO_BLK_READ, 8 * i, 8);

		q.extent = i % 2 ? 40 : EXTENT;
		put(&u, q);
	}
	OK(submit(&u));
	IS(CALL2(CAP_REVOKE, 0, EXTENT), AGAIN, 0);
	audit();
	for (unsigned i = 0; i < 2; i++)
		IS(got(&u), DYING, 0);		/* 5 and 7, which waited */
	NONE(&u);
	struct exo_block_request q = request(EXO_BLK_READ, 0, 8);
	q.extent = 40;
	REFUSED(q, DYING, EXTENT);
	for (unsigned i = 0; i < 4; i++) {
		model_disks_dma();
		IS(CALL2(CAP_REVOKE, 0, EXTENT), AGAIN, 0);
		model_disk_finish(0, i, true);	/* 4 and 6 take the tags of 0 and 1 */
		OK(got(&u));
		if (i == 3)
			break;
		audit();
	}
	OK(CALL2(CAP_REVOKE, 0, EXTENT));
	REFUSED(q, CAP, EXTENT);
	for (int tag; (tag = model_disk_tag(0)) >= 0;)
		model_disk_finish(0, tag, true);
	OK(got(&u));
	OK(got(&u));
}

/* Rings are looked through within the budget: where it ends in the middle, nothing has ended yet. */
TEST(disk_extent_revoked_in_steps)
{
	enum { COPIES = 8, RINGS = 16 };	/* a copy costs a unit and 32 a ring; 4,096 are in a call */
	struct user last;
	struct result r;
	unsigned steps = 0;

	setup();
	for (unsigned i = 1; i < RINGS; i++)
		last = ring_make(80 + i);
	for (unsigned i = 0; i < COPIES; i++)
		OK(CALL6(CAP_COPY, 0, 60 + i, EXTENT, EXO_R_READ, 0, 0));
	struct exo_block_request q = request(EXO_BLK_READ, 0, 8);
	q.extent = 60;			/* the first copy, which goes last */
	send(&last, q);
	while (steps++ < 4) {
		r = CALL2(CAP_REVOKE, 0, EXTENT);
		IS(r, AGAIN, 0);
		audit();
	}
	NONE(&last);
	model_disk_finish(0, 0, true);
	OK(got(&last));
	OK(FINISH(CALL2(CAP_REVOKE, 0, EXTENT)));
}

/* The disk is reset while a request's extent ends. */
TEST(disk_revoked_and_reset)
{
	setup();
	OK(CALL6(CAP_COPY, 0, 40, EXTENT, EXO_R_READ, 0, 0));
	send(&u, request(EXO_BLK_READ, 0, 8));
	model_time += 3000000000ul;
	struct exo_block_request q = request(EXO_BLK_READ, 8, 8);
	q.extent = 40;
	send(&u, q);
	IS(CALL2(CAP_DELETE, 0, 40), AGAIN, 0);
	model_time += 2100000000ul;
	model_timer(0);
	model_timer(0);
	IS(got(&u), TIMEOUT, 0);
	IS(got(&u), DYING, 0);			/* is not done again */
	OK(CALL2(CAP_DELETE, 0, 40));
}

TEST(disk_ring_deleted_in_flight)
{
	struct exo_block_request q = request(EXO_BLK_WRITE, 0, 8);

	setup();
	send(&u, q);
	IS(CALL2(CAP_DELETE, 0, RING), AGAIN, 0);
	IS(submit(&u), DYING, 1);
	CHECK(frame_table[q.frame[0]].pins == 1 && frame_table[u.header].pins == 1, "still pinned");
	model_disk_finish(0, 0, true);
	OK(CALL2(CAP_DELETE, 0, RING));
	CHECK(!frame_table[q.frame[0]].pins && !frame_table[u.header].pins &&
		frame_table[u.object].type == EXO_F_DATA && !model_init()->rings, "all back");
}

/* A borrower's request writes to the lender's frame: the loan does not end before it. */
TEST(disk_loan_ends_in_flight)
{
	struct actor a = actor_make(60);
	uint32_t frame = fresh(), other = fresh(), o = actor_frame(&a), h = actor_frame(&a), e = actor_frame(&a);
	struct exo_block_request q = { .extent = 20, .loan = 21, .op = EXO_BLK_READ, .sectors = 8,
		.frame = { frame } };
	struct user r = { .object = o, .header = h, .entries = e, .name = 23, .h = pfn_to_virt(h) };

	setup();
	OK(CALL5(FRAME_LEND, 0, 50, frame, 1, EXO_R_READ | EXO_R_WRITE | EXO_R_GRANT));
	OK(CALL6(CAP_COPY, a.cap, 20, EXTENT, EXO_R_READ | EXO_R_WRITE, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 21, 50, EXO_R_READ | EXO_R_WRITE, 0, 0));
	OK(CALL6(CAP_COPY, a.cap, 24, 50, EXO_R_READ, 0, 0));
	CHECK(model_run(0, a.d), "it runs");
	OK(CALL3(EVENT_CREATE, 22, 0, 1ul << 20));
	OK(CALL6(RING_CREATE, o, h, e, EXO_RING_BLOCK, 22, 23));
	q.frame[0] = other;
	send(&r, q);
	IS(got(&r), OWNER, EXO_FIELD_FRAME);	/* init's, but not lent */
	q.frame[0] = frame;
	q.loan = 0;
	send(&r, q);
	IS(got(&r), OWNER, EXO_FIELD_FRAME);
	q.loan = 24;
	send(&r, q);
	IS(got(&r), RIGHT, EXO_FIELD_LOAN);	/* a read would write to it */
	q.loan = 21;
	send(&r, q);
	NONE(&r);
	CHECK(model_run(0, model_init()), "init runs");
	IS(CALL2(CAP_REVOKE, 0, 50), AGAIN, 0);
	IS(retype(frame, EXO_KIND_PT1), BUSY, 2);
	model_disk_finish(0, 0, true);
	OK(FINISH(CALL2(CAP_REVOKE, 0, 50)));
	OK(got(&r));
	memset(pfn_to_virt(frame), 0, EXO_PAGE_SIZE);
	OK(retype(frame, EXO_KIND_PT1));
}

/* The end of a domain waits for its disk, and for nobody else. */
TEST(disk_domain_destroyed_in_flight)
{
	struct actor a = actor_make(60);
	uint32_t o = actor_frame(&a), h = actor_frame(&a), e = actor_frame(&a), f = actor_frame(&a);
	struct exo_block_request q = { .extent = 20, .op = EXO_BLK_READ, .sectors = 8, .frame = { f } };
	struct user r = { .object = o, .header = h, .entries = e, .name = 23, .h = pfn_to_virt(h) };
	struct result s = { EXO_AGAIN, 0 };

	setup();
	OK(CALL6(CAP_COPY, a.cap, 20, EXTENT, EXO_R_READ | EXO_R_WRITE, 0, 0));
	CHECK(model_run(0, a.d), "it runs");
	OK(CALL3(EVENT_CREATE, 22, 0, 1ul << 20));
	OK(CALL6(RING_CREATE, o, h, e, EXO_RING_BLOCK, 22, 23));
	for (unsigned i = 0; i < 6; i++) {
		q.sector = 8 * i;
		put(&r, q);
	}
	OK(submit(&r));
	CHECK(model_run(0, model_init()), "init runs");
	for (unsigned i = 0; i < 50; i++) {
		s = CALL1(DOMAIN_DESTROY, a.cap);
		IS(s, AGAIN, 0);
		model_step_all();
		model_disks_dma();
	}
	audit();
	while (model_disk_tag(0) >= 0)
		model_disk_finish(0, model_disk_tag(0), true);
	CHECK(model_disks[0].started == 4, "those that waited were never started");
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	OK(CALL2(CAP_DELETE, 0, a.cap));
	CHECK(!frame_table[f].pins, "unpinned");
}

/* Frames that a disk works on are not taken by force. */
TEST(disk_pinned_frames_stay)
{
	struct actor a = actor_make(40);
	uint32_t o = actor_frame(&a), h = actor_frame(&a), e = actor_frame(&a), f = actor_frame(&a);
	struct exo_block_request q = { .extent = 20, .op = EXO_BLK_READ, .sectors = 8, .frame = { f } };
	struct user r = { .object = o, .header = h, .entries = e, .name = 23, .h = pfn_to_virt(h) };

	setup();
	OK(CALL6(CAP_COPY, a.cap, 20, EXTENT, EXO_R_READ, 0, 0));
	CHECK(model_run(0, a.d), "it runs");
	OK(CALL3(EVENT_CREATE, 22, 0, 1ul << 20));
	OK(CALL6(RING_CREATE, o, h, e, EXO_RING_BLOCK, 22, 23));
	send(&r, q);
	CHECK(model_run(0, model_init()), "init runs");
	IS(CALL3(DOMAIN_REVOKE, a.cap, 40, 1), AGAIN, 0);
	IS(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 40, 1)), LIMIT, 1);
	CHECK(frame_table[f].owner == a.d->id && frame_table[h].owner == a.d->id, "they stay");
	model_disk_finish(0, 0, true);
	IS(FINISH(CALL3(DOMAIN_REVOKE, a.cap, 40, 1)), LIMIT, 1);
	CHECK(frame_table[f].owner != a.d->id, "now it goes");
}
