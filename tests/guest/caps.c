/* Calls and capabilities. */
#include "tests/guest/ktest.h"

static const char *null_call(void)
{
	struct exo_result r = exo_null();
	IS(r.status, OK);
	CHECK(r.value == EXO_ABI_VERSION);
	return NULL;
}

static const char *no_such_call(void)
{
	IS(raw_call(EXO_CALL_COUNT, 0, 0, 0).status, CALL);
	IS(raw_call(~0ul, 0, 0, 0).status, CALL);
	return NULL;
}

/* A call destroys RCX and R11, nothing else. */
static const char *registers_kept(void)
{
	uint64_t bad;
	__asm__ volatile(
		"mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x3333, %%r13; mov $0x4444, %%r14\n"
		"mov $0x5555, %%r15; mov $0x6666, %%r8; mov $0x7777, %%r9; mov $0x8888, %%r10\n"
		"mov $0x9999, %%rdi; mov $0xaaaa, %%rsi; xor %%eax, %%eax; syscall\n"
		"sub $0x1111, %%rbx; sub $0x2222, %%r12; sub $0x3333, %%r13; sub $0x4444, %%r14\n"
		"sub $0x5555, %%r15; sub $0x6666, %%r8; sub $0x7777, %%r9; sub $0x8888, %%r10\n"
		"sub $0x9999, %%rdi; sub $0xaaaa, %%rsi\n"
		"or %%r12, %%rbx; or %%r13, %%rbx; or %%r14, %%rbx; or %%r15, %%rbx; or %%r8, %%rbx\n"
		"or %%r9, %%rbx; or %%r10, %%rbx; or %%rdi, %%rbx; or %%rsi, %%rbx; mov %%rbx, %0\n"
		: "=m"(bad) : : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		"r12", "r13", "r14", "r15", "memory");
	CHECK(!bad);
	return NULL;
}

static const char *cap_narrow(void)
{
	struct exo_cap_info info;
	uint64_t pfn = frame_take();
	CHECK(pfn);
	struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_READ | EXO_R_GRANT);
	IS(loan.status, OK);
	IS(exo_cap_info(0, loan.value, &info).status, OK);
	CHECK(info.type == EXO_T_FRAMES && info.rights == (EXO_R_READ | EXO_R_GRANT));
	CHECK(info.base == pfn && info.count == 1);
	struct exo_result less = exo_cap_copy(0, EXO_SLOT_ANY, loan.value, EXO_R_READ, 0, 0);
	IS(less.status, OK);
	IS(exo_cap_copy(0, EXO_SLOT_ANY, less.value, EXO_R_READ | EXO_R_WRITE, 0, 0).status, RIGHT);
	IS(exo_cap_copy(0, EXO_SLOT_ANY, loan.value, EXO_R_READ | EXO_R_WRITE, 0, 0).status, RIGHT);
	IS(exo_delete_all(0, loan.value), OK);
	IS(exo_cap_info(0, less.value, &info).status, CAP);	/* derived: gone with it */
	frames_put(pfn, 1);
	return NULL;
}

static const char *cap_revoke(void)
{
	struct exo_cap_info info;
	uint64_t pfn = frame_take(), chain[8];
	struct exo_result r = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_READ | EXO_R_GRANT);
	uint64_t first = r.value;
	IS(r.status, OK);
	for (unsigned i = 0; i < ARRAY_LEN(chain); i++) {
		r = exo_cap_copy(0, EXO_SLOT_ANY, i ? chain[i - 1] : first, EXO_R_READ | EXO_R_GRANT, 0, 0);
		IS(r.status, OK);
		chain[i] = r.value;
	}
	IS(exo_revoke_all(0, chain[2]), OK);
	for (unsigned i = 0; i < ARRAY_LEN(chain); i++)
		CHECK((exo_cap_info(0, chain[i], &info).status == EXO_OK) == (i <= 2));
	IS(exo_delete_all(0, first), OK);
	CHECK(exo_cap_info(0, chain[0], &info).status);
	frames_put(pfn, 1);
	return NULL;
}

static const char *cap_stale(void)
{
	struct exo_cap_info info;
	uint64_t pfn = frame_take();
	struct exo_result a = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_READ);
	IS(a.status, OK);
	IS(exo_delete_all(0, a.value), OK);
	struct exo_result b = exo_frame_lend(0, EXO_CAP_INDEX(a.value), pfn, 1, EXO_R_READ);
	IS(b.status, OK);
	CHECK(EXO_CAP_INDEX(a.value) == EXO_CAP_INDEX(b.value));
	IS(exo_cap_info(0, a.value, &info).status, CAP);	/* the slot's generation differs */
	IS(exo_cap_info(0, b.value, &info).status, OK);
	IS(exo_delete_all(0, b.value), OK);
	frames_put(pfn, 1);
	return NULL;
}

/* Refusals name the argument at fault. */
static const char *cap_refused(void)
{
	struct exo_cap_info info;
	struct exo_result r = exo_cap_info(0, 0xfffff, &info);
	IS(r.status, CAP);
	CHECK(EXO_AT(r.status) == 2);
	r = exo_cap_info(0, start_cap(machine, CAP_CLOCK), (struct exo_cap_info *)EXO_KERNEL_BASE);
	IS(r.status, FAULT);
	CHECK(EXO_AT(r.status) == 3);
	IS(exo_event_signal(start_cap(machine, CAP_CLOCK), 1 << 16).status, TYPE);
	return NULL;
}

static const char *table_full(void)
{
	static uint64_t made[256];
	uint64_t pfn = frame_take(), grow = frame_take();
	unsigned n = 0;
	struct exo_result r = { EXO_OK, 0 };
	while (n < ARRAY_LEN(made) && !(r = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_READ)).status)
		made[n++] = r.value;
	IS(r.status, LIMIT);
	IS(exo_cap_grow(0, grow).status, OK);
	r = exo_frame_lend(0, EXO_SLOT_ANY, pfn, 1, EXO_R_READ);
	IS(r.status, OK);
	IS(exo_delete_all(0, r.value), OK);
	while (n--)
		IS(exo_delete_all(0, made[n]), OK);
	frames_put(pfn, 1);
	return NULL;
}

const struct test cap_tests[] = {
	{ "null", null_call },
	{ "no_such_call", no_such_call },
	{ "registers_kept", registers_kept },
	{ "cap_narrow", cap_narrow },
	{ "cap_revoke", cap_revoke },
	{ "cap_stale", cap_stale },
	{ "cap_refused", cap_refused },
	{ "cap_table_full", table_full },
	{ NULL, NULL }
};
