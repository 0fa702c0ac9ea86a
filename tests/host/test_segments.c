/* What a context may put into the descriptor table: data segments of user programs, nothing else. */
#include "tests/host/test.h"

#define TLS	0x00cff2000000fffful	/* data, writable, DPL 3, present, 32 bits */
#define ACCESS(n)	((uint64_t)(n) << 40)

static struct result tls_set(uint64_t desc) { return CALL3(SEGMENT_SET, EXO_SEG_TLS, 12, desc); }

TEST(descriptors_are_of_user_data)
{
	const uint64_t rest = TLS & ~ACCESS(0xff), lower_bits[] = { 0, 1, 2, 4, 7 };

	for (unsigned access = 0; access < 256; access++)
		for (unsigned large = 0; large < 2; large++) {
			uint64_t desc = rest | ACCESS(access) | (uint64_t)large << 53;
			/* Present, DPL 3, no system segment, no code; not the 64-bit kind. */
			bool good = access >= 0xf0 && access <= 0xf7 && !large;

			this_cpu()->current->tls[0] = 0;
			struct result r = tls_set(desc);
			CHECK(r.status == (good ? FAIL(OK, 0) : FAIL(ARG, 3)), "access %x, L %u: %lx", access, large, r.status);
			CHECK(this_cpu()->current->tls[0] == (good ? desc : 0), "kept: %x", access);
		}
	for (unsigned i = 0; i < 5; i++)
		OK(tls_set(TLS | lower_bits[i]));
	OK(tls_set(0));
	CHECK(!this_cpu()->current->tls[0], "none");
}
