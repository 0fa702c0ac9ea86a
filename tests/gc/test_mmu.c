/* The MMU interface alone, the same cases on each back end.  Prints `ok NAME` or `FAIL NAME: why`. */
#include "tests/gc/test_mmu.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

#define PAGES	8192u
#define FRAMES	2048u

static unsigned failures;
static const char *name, *mechanism = "any";

#define TEST(n)		name = n
#define CHECK(what)	check(what, #what, __LINE__)

static bool failed;
static void check(bool right, const char *what, int line)
{
	if (right || failed)
		return;
	failed = true;
	port_print("FAIL mmu_%s_%s: line %d: %s\n", mechanism, name, line, what);
}

/* Volatile: the compiler knows nothing of aliases and faults. */
static volatile uint64_t *at(uint32_t page) { return mmu_address(page); }

/* Every case leaves the region empty. */
static void empty(uint32_t page, uint32_t n) { CHECK(!mmu_do(MMU_UNMAP, page, n, 0, 0)); }

static void done(void)
{
	CHECK(mmu_frames_free() == mmu_frames_total());
	if (!failed)
		port_print("ok mmu_%s_%s\n", mechanism, name);
	failures += failed;
	failed = false;
}

static void map_and_unmap(void)
{
	TEST("map");
	CHECK(!mmu_do(MMU_MAP, 10, 4, MMU_W | MMU_ZERO, 0));
	CHECK(mmu_frames_free() == mmu_frames_total() - 4);
	CHECK(!at(10)[0] && !at(13)[511]);
	at(12)[7] = 77;
	CHECK(((uint64_t *)mmu_window(mmu_frame(12)))[7] == 77);
	CHECK(mmu_frame(12) && !mmu_frame(14));
	empty(10, 4);
	done();
}

static void refusals(void)
{
	uint64_t frame = mmu_frame_take();
	struct mmu_op two[2] = { { MMU_MAP, 20, 2, MMU_W, 0 }, { MMU_UNMAP, 30, 1, 0, 0 } };
	TEST("refused");
	CHECK(mmu_batch(two, 2) == -22 && !mmu_frame(20));	/* all or nothing */
	CHECK(mmu_do(MMU_MAP, PAGES - 1, 2, MMU_W, 0) == -22);
	CHECK(mmu_do(MMU_MAP, 0, mmu_frames_free() + 1, MMU_W, 0) == -12);
	CHECK(!mmu_do(MMU_MAP, 20, 1, MMU_W, 0));
	CHECK(mmu_do(MMU_MAP, 20, 1, MMU_W, 0) == -22);
	CHECK(mmu_do(MMU_MAP_FRAME, 20, 1, MMU_W, frame) == -22);
	CHECK(mmu_do(MMU_MOVE, 20, 1, 0, 20) == -22);
	CHECK(mmu_do(99, 20, 1, 0, 0) == -22);
	mmu_frame_put(frame);
	empty(20, 1);
	done();
}

static void dirty_bits(void)
{
	uint64_t a[2], d[2];
	TEST("dirty");
	CHECK(!mmu_do(MMU_MAP, 64, 100, MMU_W | MMU_ZERO, 0));
	CHECK(!mmu_harvest(64, 100, MMU_A | MMU_D, a, d));
	at(65)[1] = 1;
	at(140)[1] = 1;
	(void)*at(70);
	CHECK(mmu.pte[65] & MMU_D && !(mmu.pte[70] & MMU_D) && mmu.pte[70] & MMU_A);
	CHECK(mmu_harvest(64, 100, MMU_D, NULL, d) == 2);
	CHECK(d[0] == 1ul << 1 && d[1] == 1ul << 12);
	CHECK(mmu_harvest(64, 100, MMU_A | MMU_D, a, d) == 3);
	CHECK(a[0] == (1ul << 1 | 1ul << 6) && a[1] == 1ul << 12 && !d[0]);
	at(65)[2] = 2;		/* after the flush it must be seen again */
	CHECK(mmu_harvest(64, 64, MMU_A | MMU_D, a, d) == 1 && a[0] == 2 && d[0] == 2);
	*(uint64_t *)mmu_window(mmu_frame(66)) = 5;
	CHECK(!mmu_harvest(64, 64, MMU_A | MMU_D, a, d));	/* the window leaves no trace */
	CHECK(at(66)[0] == 5);
	empty(64, 100);
	done();
}

/* An independent shadow of the dirty bits: no write is lost, none is invented. */
static void dirty_shadow(void)
{
	uint64_t seed = 99, d[4];
	uint8_t written[256] = { 0 };
	TEST("shadow");
	CHECK(!mmu_do(MMU_MAP, 256, 256, MMU_W | MMU_ZERO, 0));
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 50; i++) {
			seed = seed * 6364136223846793005ul + 1442695040888963407ul;
			unsigned p = seed >> 40 & 255;
			at(256 + p)[seed >> 50 & 511] = seed;
			written[p] = 1;
		}
		mmu_harvest(256, 256, MMU_D, NULL, d);
		for (unsigned p = 0; p < 256; p++) {
			CHECK((d[p / 64] >> p % 64 & 1) == written[p]);
			written[p] = 0;
		}
	}
	empty(256, 256);
	done();
}

static void moves(void)
{
	TEST("move");
	CHECK(!mmu_do(MMU_MAP, 300, 3, MMU_W | MMU_ZERO, 0));
	for (unsigned i = 0; i < 3; i++)
		at(300 + i)[0] = 100 + i;
	uint64_t frame = mmu_frame(301);
	CHECK(!mmu_do(MMU_MOVE, 300, 3, 0, 400));
	CHECK(!mmu_frame(300) && mmu_frame(401) == frame && mmu.pte[401] & MMU_D);
	CHECK(at(400)[0] == 100 && at(402)[0] == 102);
	CHECK(!mmu_do(MMU_SWAP, 400, 1, 0, 402));
	CHECK(at(400)[0] == 102 && at(402)[0] == 100);
	empty(400, 3);
	done();
}

static void aliases(void)
{
	TEST("alias");
	CHECK(!mmu_do(MMU_MAP, 500, 2, MMU_W | MMU_ZERO, 0));
	CHECK(!mmu_do(MMU_ALIAS, 500, 2, MMU_W, 600));
	at(600)[3] = 33;
	CHECK(at(500)[3] == 33 && mmu_frame(500) == mmu_frame(600));
	CHECK(mmu.pte[600] & MMU_D);
	CHECK(!mmu_do(MMU_DETACH, 600, 2, 0, 0));
	CHECK(at(500)[3] == 33);
	empty(500, 2);
	done();
}

static void frames(void)
{
	TEST("frames");
	uint64_t left = mmu_frames_free(), frame = mmu_frame_take();
	CHECK(frame && mmu_frames_free() == left - 1);
	*(uint64_t *)mmu_window(frame) = 4711;
	CHECK(!mmu_do(MMU_MAP_FRAME, 700, 1, MMU_W | MMU_A, frame));
	CHECK(at(700)[0] == 4711 && !(mmu.pte[700] & MMU_D));
	CHECK(!mmu_do(MMU_DETACH, 700, 1, 0, 0));
	CHECK(*(uint64_t *)mmu_window(frame) == 4711 && mmu_frames_free() == left - 1);
	mmu_frame_put(frame);
	CHECK(mmu_frames_free() == left);
	done();
}

static volatile unsigned faults, write_faults;
static volatile struct mmu_fault last;
static bool serve(const struct mmu_fault *f)
{
	faults++;
	write_faults += f->write;
	last = *f;
	return f->mapped ? !mmu_do(MMU_PROTECT, f->page, 1, MMU_W, 0) :
		!mmu_do(MMU_MAP, f->page, 1, MMU_W | MMU_ZERO, 0);
}

static void hooks(void)
{
	TEST("faults");
	mmu_on_fault(serve);
	at(800)[5] = 1;
	CHECK(faults == 1 && write_faults == 1 && last.page == 800 && !last.mapped);
	CHECK(last.address == (uintptr_t)&at(800)[5]);
	(void)*at(801);
	CHECK(faults == 2 && write_faults == 1);
	CHECK(!mmu_do(MMU_PROTECT, 800, 2, 0, 0));
	CHECK(at(800)[5] == 1 && faults == 2);
	at(800)[5] = 2;
	CHECK(faults == 3 && last.mapped && last.write && at(800)[5] == 2);
	mmu_on_fault(NULL);
	empty(800, 2);
	done();
}

static void many(void)
{
	TEST("many");
	uint32_t n = mmu_frames_free();
	CHECK(!mmu_do(MMU_MAP, 1024, n, MMU_W, 0) && !mmu_frames_free());
	CHECK(!mmu_frame_take());
	for (uint32_t i = 0; i < n; i++)
		at(1024 + i)[0] = i;
	for (uint32_t i = 0; i < n; i += 2)		/* scattered */
		CHECK(!mmu_do(MMU_MOVE, 1024 + i, 1, 0, 1024 + n + i));
	bool right = true;
	for (uint32_t i = 0; i < n; i++)
		right &= at(1024 + i + (i % 2 ? 0 : n))[0] == i;
	CHECK(right);
	for (uint32_t i = 0; i < n; i++)
		empty(1024 + i + (i % 2 ? 0 : n), 1);
	done();
}

unsigned test_mmu(void)
{
	const char *why, *about;
	if (mmu_init(PAGES, FRAMES, &why)) {
		port_print("FAIL mmu_init: %s\n", why);
		return 1;
	}
	mechanism = mmu_mechanism(&about);
	map_and_unmap();
	refusals();
	dirty_bits();
	dirty_shadow();
	moves();
	aliases();
	frames();
	hooks();
	many();
	return failures;
}
