/* Capabilities that were never given, are given no more, or are worth less than asked. */
#include "tests/hostile/hostile.h"

static bool known(uint64_t index)
{
	for (unsigned i = 0; i < self->caps; i++)
		if (EXO_CAP_INDEX(self->cap[i].cap) == index)
			return true;
	return index == PEER_SLOT;
}

/* Names out of thin air: indexes, generations, and bits above them. */
static uint64_t caps_forge(void)
{
	struct exo_cap_info info;
	for (uint64_t index = 1; index < 1024; index++)
		if (!known(index))
			EXPECT(CODE(exo_cap_info(0, index, &info)) == EXO_CAP);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t name = random_next() >> random_below(64);
		uint64_t status = CODE(exo_cap_info(0, name, &info));
		EXPECT(status == EXO_CAP || (known(EXO_CAP_INDEX(name)) && !(name >> 32)));
	}
	return 0;
}

/* The right index with each generation: one fits, and 0. */
static uint64_t caps_guess(void)
{
	struct exo_cap_info info;
	unsigned fits = 0;
	uint64_t index = EXO_CAP_INDEX(start_cap(self, CAP_LOAN));
	EXPECT(index);
	for (uint64_t gen = 1; gen < 4096; gen++)
		fits += !exo_cap_info(0, gen << 20 | index, &info).status;
	EXPECT(fits == 1);
	EXPECT(CODE(exo_cap_info(0, 1ul << 32 | index, &info)) == EXO_CAP);
	EXPECT(CODE(exo_cap_info(0, 1ul << 63 | index, &info)) == EXO_CAP);
	return 0;
}

/* The name of a deleted capability, its slot used anew. */
static uint64_t caps_replay(void)
{
	struct exo_cap_info info;
	struct exo_result old = exo_event_create(50, 0, 1ul << 20);
	EXPECT(!old.status);
	for (unsigned i = 0; i < 100; i++) {
		EXPECT(!exo_delete_all(0, old.value));
		EXPECT(CODE(exo_cap_info(0, old.value, &info)) == EXO_CAP);
		struct exo_result new = exo_event_create(50, 0, 1ul << 21);
		EXPECT(!new.status && new.value != old.value);
		EXPECT(CODE(exo_event_signal(old.value, 1ul << 21)) == EXO_CAP);
		old = new;
	}
	return 0;
}

/* A capability in the place of one of another type. */
static uint64_t caps_type(void)
{
	uint64_t event = start_cap(self, CAP_EVENT), loan = start_cap(self, CAP_LOAN);
	struct exo_domain_info info;
	EXPECT(event && loan);
	EXPECT(CODE(exo_domain_info(event, &info)) == EXO_TYPE);
	EXPECT(CODE(exo_domain_destroy(loan)) == EXO_TYPE);
	EXPECT(CODE(exo_domain_ctl(event, EXO_DOM_STOP, 0, 0)) == EXO_TYPE);
	EXPECT(CODE(exo_context_ctl(loan, EXO_CTX_STOP, 0, 0, 0)) == EXO_TYPE);
	EXPECT(CODE(exo_event_signal(loan, 1ul << 16)) == EXO_TYPE);
	EXPECT(CODE(exo_slice_ctl(event, 0, 0, 0)) == EXO_TYPE);
	EXPECT(CODE(exo_device_ctl(event, EXO_DEV_PORTS, 0, 0)) == EXO_TYPE);
	EXPECT(CODE(exo_log_write(event, "x", 1)) == EXO_TYPE);
	EXPECT(CODE(exo_machine_ctl(loan, EXO_M_PANIC, 0)) == EXO_TYPE);
	EXPECT(CODE(exo_yield(event)) == EXO_TYPE);
	EXPECT(CODE(exo_frame_give(0, loan, self->control_pfn, 1)) == EXO_TYPE);
	EXPECT(CODE(exo_event_signal(event, 1ul << 63)) == EXO_RIGHT);
	return 0;
}

/* What was derived goes with what it was derived from, to the last copy. */
static uint64_t caps_revoked(void)
{
	uint64_t pfn = frame_take(), chain[16];
	struct exo_cap_info info;
	struct exo_result r = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_GRANT | EXO_R_READ);
	EXPECT(!r.status);
	chain[0] = r.value;
	for (unsigned i = 1; i < ARRAY_LEN(chain); i++) {
		r = exo_cap_copy(0, EXO_SLOT_ANY, chain[i - 1], EXO_R_READ, 0, 0);
		EXPECT(!r.status);
		chain[i] = r.value;
	}
	EXPECT(!exo_revoke_all(0, chain[3]));
	for (unsigned i = 0; i < ARRAY_LEN(chain); i++)
		EXPECT(CODE(exo_cap_info(0, chain[i], &info)) == (i <= 3 ? EXO_OK : EXO_CAP));
	EXPECT(!exo_delete_all(0, chain[0]));
	EXPECT(CODE(exo_cap_info(0, chain[3], &info)) == EXO_CAP);
	EXPECT(CODE(exo_frame_copy(0, self->save_pfn << 12, 0, pfn << 12, 8, chain[3])) == EXO_CAP);
	return 0;
}

/* A page on loan, read until the lender ends the loan; then nothing of it is left. */
static uint64_t loan_ended(void)
{
	uint64_t loan = start_cap(self, CAP_LOAN), deadline = time_now() + 30 * NS_PER_SEC;
	struct exo_cap_info info;
	EXPECT(loan && !pt_map(self->root, TEST_VA, told->loan, 1, PTE_RO, loan));
	EXPECT(try_read(TEST_VA) == NO_FAULT);
	EXPECT(!exo_event_signal(start_cap(self, CAP_EVENT), 1ul << EVENT_CHILD).status);
	while (try_read(TEST_VA) == NO_FAULT)
		EXPECT(time_now() < deadline);
	EXPECT(fault.vector == 14 && fault.addr == TEST_VA);
	while (CODE(exo_cap_info(0, loan, &info)) == EXO_DYING)
		EXPECT(time_now() < deadline);
	EXPECT(CODE(exo_cap_info(0, loan, &info)) == EXO_CAP);
	EXPECT(pt_map(self->root, TEST_VA, told->loan, 1, PTE_RO, loan));
	EXPECT(pt_map(self->root, TEST_VA, told->loan, 1, PTE_RO, 0));
	EXPECT(!pt_lookup(self->root, TEST_VA, NULL));
	return 0;
}

static const char *loan_ended_beside(void)
{
	if (!tester_signalled())
		return "the child never mapped the loan";
	return exo_revoke_all(0, tester_loan_cap) ? "the tester could not end its loan" : NULL;
}

/* Rights only shrink: in copies, in entries, in what the kernel does for us. */
static uint64_t rights_raise(void)
{
	uint64_t loan = start_cap(self, CAP_LOAN), entry, status;
	struct exo_pt_item cas[2];
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, loan, EXO_R_READ | EXO_R_WRITE, 0, 0)) == EXO_RIGHT);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, loan, 0xff, 0, 0)) == EXO_RIGHT);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, loan, EXO_R_READ, told->loan - 1, 2)) == EXO_ARG);
	EXPECT(CODE(exo_cap_copy(0, EXO_SLOT_ANY, loan, EXO_R_READ, told->loan, 2)) == EXO_ARG);
	EXPECT(!pt_map(self->root, TEST_VA, told->loan, 1, PTE_RO, loan));
	EXPECT((entry = pt_find(self->root, TEST_VA, 1)));
	const uint64_t ro = PTE_MAKE(told->loan, PTE_RO), rw = PTE_MAKE(told->loan, PTE_RW);
	EXPECT(entry_set(entry, rw, loan) == EXO_RIGHT);
	EXPECT(entry_set(entry | EXO_PT_SET_AD, rw, loan) == EXO_RIGHT);
	EXPECT(entry_set(entry | EXO_PT_XCHG, rw, loan) == EXO_RIGHT);
	EXPECT(entry_set(entry, PTE_MAKE(told->loan, PTE_RX), loan) == EXO_RIGHT);
	EXPECT(entry_set(entry, rw, 0) == EXO_OWNER);
	cas[0] = (struct exo_pt_item){ entry | EXO_PT_CAS, rw };
	cas[1] = (struct exo_pt_item){ ro, 0 };
	EXPECT(CODE(exo_pt_write(0, cas, 2, loan, 0, 0)) == EXO_RIGHT);
	EXPECT(try_write(TEST_VA, 1) == 14 && fault.error == 7);
	status = CODE(exo_frame_copy(0, told->loan << 12, 0, self->save_pfn << 12, 8, loan));
	EXPECT(status == EXO_RIGHT || status == EXO_OWNER);
	EXPECT(!pt_unmap(self->root, TEST_VA, 1));
	return 0;
}

#define NO_RIGHT(call) EXPECT(CODE(call) == EXO_RIGHT)

/* The neighbour's domain, with the right to look at it and nothing else: every call that acts
 * for a domain, or on it. */
static uint64_t authority(void)
{
	const uint64_t him = PEER_SLOT, pfn = frame_take(), item = pfn << 8 | EXO_KIND_PT1;
	struct exo_pt_item entry = { self->root << 12, 0 };
	struct exo_domain_info info;
	struct exo_cap_info cap;
	struct exo_frame frame;
	uint64_t map[16];
	EXPECT(!exo_domain_info(him, &info).status && info.state == EXO_DS_ACTIVE);
	NO_RIGHT(exo_cap_copy(him, EXO_SLOT_ANY, start_cap(self, CAP_LOAN), EXO_R_READ, 0, 0));
	NO_RIGHT(exo_cap_copy(0, EXO_SLOT_ANY, him, EXO_R_INFO | EXO_R_MANAGE, 0, 0));
	NO_RIGHT(exo_cap_delete(him, 1));
	NO_RIGHT(exo_cap_revoke(him, 1));
	NO_RIGHT(exo_cap_info(him, 1, &cap));
	NO_RIGHT(exo_cap_grow(him, pfn));
	for (unsigned op = 0; op <= EXO_DOM_EXIT; op++)
		NO_RIGHT(exo_domain_ctl(him, op, 0, 0));
	NO_RIGHT(exo_domain_destroy(him));
	NO_RIGHT(exo_domain_revoke(him, 1, 0));
	NO_RIGHT(exo_frame_give(0, him, pfn, 1));
	NO_RIGHT(exo_frame_give(him, 0, told->secret[2], 1));
	NO_RIGHT(exo_frame_lend(him, EXO_SLOT_ANY, told->secret[2], 1, EXO_R_READ));
	NO_RIGHT(exo_frame_retype(him, &item, 1));
	NO_RIGHT(exo_pt_write(him, &entry, 1, 0, 0, 0));
	NO_RIGHT(exo_pt_clean(him, told->secret[2], 0, 1, map, EXO_CLEAN_A));
	NO_RIGHT(exo_frame_copy(him, told->secret[2] << 12, 0, ~0ul, 8, 0));
	NO_RIGHT(exo_frame_copy(0, pfn << 12, him, told->secret[2] << 12, 8, 0));
	NO_RIGHT(exo_root_pair(him, told->secret[2], 0));
	NO_RIGHT(exo_context_create(him, told->secret[2], told->secret[3], pfn, 0, EXO_SLOT_ANY));
	NO_RIGHT(exo_frame_info(him, told->secret[2], &frame));
	NO_RIGHT(exo_domain_ctl(0, EXO_DOM_RESERVE, 1000000, 0));
	return 0;
}

const struct row cap_rows[] = {
	{ "authority", authority, EXITS, 1, NULL },
	{ "caps-forge", caps_forge, EXITS, 1, NULL },
	{ "caps-guess", caps_guess, EXITS, 1, NULL },
	{ "caps-replay", caps_replay, EXITS, 1, NULL },
	{ "caps-type", caps_type, EXITS, 1, NULL },
	{ "caps-revoked", caps_revoked, EXITS, 1, NULL },
	{ "loan-ended", loan_ended, EXITS, 1, loan_ended_beside },
	{ "rights-raise", rights_raise, EXITS, 1, NULL },
	{ NULL, NULL, EXITS, 0, NULL },
};
