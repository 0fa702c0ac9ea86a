/* The tester's part of the fuzzer: two domains at a time, until they have made as many calls as
 * the word `calls=N` asks for.  After each pair the frames are counted.
 */
#include "tests/guest/report.h"
#include "tests/hostile/tester.h"

#define BOTH		2u
#define LIFE		20000u	/* calls, at most, of one domain */
#define STILL		(2 * NS_PER_SEC)	/* without a call: it stopped itself */

static volatile uint64_t *counts;

static uint64_t made(void) { return counts[0] + counts[8]; }

static const char *meet(struct child *c)
{
	const uint64_t rights = EXO_R_GRANT | EXO_R_INFO | EXO_R_GIVE | EXO_R_MANAGE | EXO_R_REVOKE;
	for (unsigned i = 0; i < BOTH; i++)
		if (exo_cap_copy(c[i].s.domain, PEER_SLOT, c[1 - i].s.domain, rights, 0, 0).status)
			return "introducing the peers";
	return NULL;
}

/* Has it ended?  If one stopped the other, that goes on. */
static bool ended(const struct child *c)
{
	struct exo_domain_info info;
	if (child_ended(c, &info))
		return true;
	if (info.state == EXO_DS_STOPPED)
		exo_domain_ctl(c->s.domain, EXO_DOM_START, 0, 0);
	return false;
}

/* Until both have ended, or one that has not stands still. */
static void watch(const struct child *c)
{
	uint64_t last = made(), since = time_now();
	for (;;) {
		bool first = ended(&c[0]), second = ended(&c[1]);
		if (first && second)
			return;
		tester_sleep(2 * NS_PER_MS);
		if (made() != last) {
			last = made();
			since = time_now();
		} else if (time_now() - since > STILL) {
			return;
		}
	}
}

static const char *pair(uint64_t seed)
{
	static struct child c[BOTH];
	static char text[128];
	uint64_t before = frames_held();
	const char *why = NULL, *end;
	unsigned n = 0;
	while (n < BOTH && !(why = child_make_seeded(&c[n], "fuzz", n, n % cpus, seed + n, LIFE)))
		n++;
	if (!why && !(why = meet(c))) {
		spawn_start(&c[0].s);
		spawn_start(&c[1].s);
		watch(c);
	}
	while (n)
		if ((end = child_end(&c[--n], false)) && !why)
			why = end;
	if (why || frames_held() == before)
		return why;
	snprintf(text, sizeof text, "seed %lu: %lu frames before, %lu after", seed, before, frames_held());
	return text;
}

const char *fuzz_beside(void)
{
	const char *why = NULL;
	uint64_t calls = tester_option("calls", 1000000), seed = tester_option("seed", 1), pairs = 0;
	uint64_t start = time_now();
	counts = tester_shared();
	tester_disk = start_cap_at(start_page, CAP_DISK, 0);
	counts[0] = counts[8] = 0;
	for (; made() < calls && !why; pairs++)
		if (!(why = pair(seed + 2 * pairs)))
			why = neighbour_check();
	tester_disk = 0;
	report_line("fuzz: %lu calls by %lu pairs of domains, seed %lu, %lu ms", made(), pairs, seed,
		(time_now() - start) / NS_PER_MS);
	return why;
}
