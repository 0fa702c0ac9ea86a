/* What gates may leave alone when neither side has any: segment bases, TLS descriptors and the KGS
 * base are each right after a gate, both ways, whichever side has more than the other. */
#include "tests/guest/ktest.h"

#define LIMIT_CALLER	0x111u
#define LIMIT_SERVER	0x222u
#define TLS(limit)	(0x0040f20000000000ul | (limit))	/* user data, 32 bits, base 0, bytes */
#define TLS_FIRST	0x63u

enum op { BECOME, BECOME_BURDENED, LOOK };
enum seen { SEEN_FS, SEEN_GS, SEEN_TLS, SEEN_KGS };

static struct gate_message *message;	/* in a page of its own */
static uint64_t caller_words[2], server_words[2], back;	/* FS and GS point at the words */

/* 0: no such descriptor. */
static uint64_t tls_limit(void)
{
	uint32_t limit = 0;
	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(TLS_FIRST) : "cc");
	return limit;
}

static uint64_t fs_word(void)
{
	uint64_t word;
	__asm__ volatile("mov %%fs:0, %0" : "=r"(word));
	return word;
}

static uint64_t gs_word(void)
{
	uint64_t word;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(word));
	return word;
}

static void become(uint64_t words[2], bool burdened, uint64_t limit)
{
	words[0] = (uint64_t)&words[0];
	words[1] = (uint64_t)&words[1];
	exo_segment_set(EXO_SEG_FS, (uint64_t)&words[0], 0);
	exo_segment_set(EXO_SEG_GS, (uint64_t)&words[1], 0);
	if (!burdened)
		return;
	exo_segment_set(EXO_SEG_TLS, 12, TLS(limit));
	exo_segment_set(EXO_SEG_KGS, (uint64_t)words, 0);
}

static uint64_t serve(void *arg, uint64_t badge)
{
	struct gate_message m;
	const struct exo_regs *caller = (const void *)TEST_VA;
	(void)arg;
	(void)badge;
	if (!gate_take(message, &m))
		return back;
	if (m.op != LOOK)
		become(server_words, m.op == BECOME_BURDENED, LIMIT_SERVER);
	m.word[SEEN_FS] = fs_word();
	m.word[SEEN_GS] = gs_word();
	m.word[SEEN_TLS] = tls_limit();
	m.word[SEEN_KGS] = caller->kgs_base;
	gate_answer(message, 0, m.word);
	return back;
}

static bool ask(uint64_t gate, enum op op, uint64_t seen[GATE_WORDS])
{
	int64_t result;
	return !gate_ask(gate, upcall_first->control, message, op, seen, &result);
}

static const char *looks(uint64_t gate, bool caller, bool server)
{
	uint64_t seen[GATE_WORDS] = { 0 };
	CHECK(ask(gate, server ? BECOME_BURDENED : BECOME, seen));
	for (unsigned i = 0; i < 10; i++) {
		CHECK(ask(gate, LOOK, seen));
		CHECK(seen[SEEN_FS] == (uint64_t)&server_words[0] && seen[SEEN_GS] == (uint64_t)&server_words[1]);
		CHECK(seen[SEEN_TLS] == (server ? LIMIT_SERVER : 0));
		CHECK(seen[SEEN_KGS] == (uint64_t)caller_words || !caller);
		CHECK(fs_word() == (uint64_t)&caller_words[0] && gs_word() == (uint64_t)&caller_words[1]);
		CHECK(tls_limit() == (caller ? LIMIT_CALLER : 0));
	}
	return NULL;
}

/* A server that never had a burden, or gets one. */
static const char *pair(bool caller, bool server)
{
	static struct gate_server s;
	s = (struct gate_server){ .serve = serve };
	message = message ? message : page_new(&(uint64_t){ 0 });
	CHECK(message && !gate_server_start(&s, 0, machine->root));
	CHECK(!pt_map(machine->root, TEST_VA, machine->save_pfn, 1, PTE_RO, 0));
	memset(message, 0, sizeof *message);
	uint64_t gate = exo_gate_create(EXO_SLOT_ANY, s.context, 0).value;
	back = exo_gate_create(EXO_SLOT_ANY, 0, 0).value;
	upcall_mask(upcall_first);
	become(caller_words, caller, LIMIT_CALLER);
	const char *why = looks(gate, caller, server);
	upcall_unmask(upcall_first);
	CHECK(!exo_delete_all(0, s.context) && !exo_delete_all(0, back));
	CHECK(!pt_unmap(machine->root, TEST_VA, 1));
	return why;
}

static const char *burdens_neither(void) { return pair(false, false); }
static const char *burdens_server(void) { return pair(false, true); }
static const char *burdens_caller(void) { return pair(true, false); }

static const char *burdens_both(void)
{
	const char *why = pair(true, true);
	exo_segment_set(EXO_SEG_TLS, 12, 0);
	exo_segment_set(EXO_SEG_KGS, 0, 0);
	exo_segment_set(EXO_SEG_FS, 0, 0);
	exo_segment_set(EXO_SEG_GS, 0, 0);
	return why;
}

const struct test burden_tests[] = {
	{ "burdens_neither", burdens_neither }, { "burdens_server", burdens_server },
	{ "burdens_caller", burdens_caller }, { "burdens_both", burdens_both }, { NULL, NULL },
};
