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
			CHECK(r.status == (good ? FAIL(OK, 0) : FAIL(ARG, 3)),
				"access %x, L %u: %lx", access, large, r.status);
			CHECK(this_cpu()->current->tls[0] == (good ? desc : 0), "kept: %x", access);
		}
	for (unsigned i = 0; i < 5; i++)
		OK(tls_set(TLS | lower_bits[i]));
	OK(tls_set(0));
	CHECK(!this_cpu()->current->tls[0], "none");
}

/* Each of the four in its place, and at once in the CPU's table. */
TEST(descriptors_have_their_places)
{
	for (unsigned i = 0; i < 4; i++)
		OK(CALL3(SEGMENT_SET, EXO_SEG_TLS, 12 + i, TLS | i));
	for (unsigned i = 0; i < 4; i++)
		CHECK(this_cpu()->current->tls[i] == (TLS | i) && model_tls(0)[i] == (TLS | i),
			"number %u", i);
	OK(CALL3(SEGMENT_SET, EXO_SEG_TLS, 14, 0));
	CHECK(!model_tls(0)[2] && model_tls(0)[3], "the third is gone");
}

/* Bases are any address that is one. */
TEST(bases_are_canonical)
{
	const uint64_t good[] = { 0, (1ul << 47) - 1, 0xffff800000000000ul, ~0ul };
	const uint64_t bad[] = { 1ul << 47, 0xffff7ffffffffffful, 1ul << 63 };
	const uint64_t *base[] = { &arch_current_regs()->fs_base, &arch_current_regs()->gs_base,
		&arch_current_regs()->kgs_base };

	for (unsigned which = EXO_SEG_FS; which <= EXO_SEG_KGS; which++) {
		for (unsigned i = 0; i < 4; i++) {
			OK(CALL2(SEGMENT_SET, which, good[i]));
			CHECK(*base[which] == good[i], "base %u is %lx", which, *base[which]);
		}
		for (unsigned i = 0; i < 3; i++)
			IS(CALL2(SEGMENT_SET, which, bad[i]), ARG, 2);
		CHECK(*base[which] == good[3], "base %u stays", which);
	}
}
