/* Services by gate (libos/common/gate.h): answers, who is not there, and what a call costs beside the
 * same by events and waits, as the proxy's requests go. */
#include "tests/guest/ktest.h"

#define ROUNDS	1000u
#define BADGE	5u
#define STACK	4096u

static struct gate_server server;
static struct gate_message *message;	/* in a page of its own */
static uint64_t message_pfn, gate, back;

static void answer_one(uint64_t add)
{
	struct gate_message m;
	if (!gate_take(message, &m))
		return;
	m.word[0] += add;
	gate_answer(message, m.op, m.word);
}

static uint64_t serve(void *arg, uint64_t badge)
{
	answer_one(badge);
	return *(const bool *)arg ? back : 0;
}

static bool ready(void)
{
	static bool returns = true;
	if (!message)
		message = page_new(&message_pfn);
	server = (struct gate_server){ .serve = serve, .arg = &returns };
	if (!message || gate_server_start(&server, 0, machine->root))
		return false;
	memset(message, 0, sizeof *message);
	gate = exo_gate_create(EXO_SLOT_ANY, server.context, BADGE).value;
	back = exo_gate_create(EXO_SLOT_ANY, 0, 0).value;
	return gate && back;
}

static uint64_t ask(uint64_t n, uint64_t *answer)
{
	uint64_t word[GATE_WORDS] = { n };
	int64_t result;
	uint64_t status = gate_ask(gate, upcall_first->control, message, 7, word, &result);
	*answer = !status && result == 7 ? word[0] : 0;
	return status;
}

static const char *asks(void)
{
	uint64_t answer, least = ~0ul;
	for (uint64_t n = 0; n < ROUNDS; n++) {
		uint64_t before = time_now();
		CHECK(!ask(n, &answer) && answer == n + BADGE);
		uint64_t took = time_now() - before;
		least = took < least ? took : least;
	}
	log_line("gate_ask: %lu ns there and back", least);
	return NULL;
}

static const char *gate_answers(void)
{
	CHECK(ready());
	upcall_mask(upcall_first);
	const char *why = asks();
	upcall_unmask(upcall_first);
	return why;
}

/* Nobody enters who called: its turn comes. */
static const char *gate_one_way(void)
{
	static bool never;
	uint64_t answer;
	server.arg = &never;
	upcall_mask(upcall_first);
	bool good = true;
	for (uint64_t n = 0; n < 10; n++)
		good &= !ask(n, &answer) && answer == n + BADGE;
	upcall_unmask(upcall_first);
	CHECK(good);
	return NULL;
}

static const char *gate_gone(void)
{
	uint64_t answer;
	CHECK(!exo_delete_all(0, server.context));
	CHECK(EXO_CODE(ask(1, &answer)) == EXO_CAP);
	CHECK(ask(1, &answer) == EXO_TIMEOUT);	/* that message was never answered */
	CHECK(!exo_delete_all(0, back));
	return NULL;
}

/* ---- the same by events ----------------------------------------------------------------- */

static uint64_t server_event, own_event;
static uint8_t stack[STACK] __attribute__((aligned(16)));

static void wait_state(uint64_t state)
{
	struct exo_predicate p = { .products = 1, .terms = { 1 } };
	p.term[0][0] = (struct exo_term){ .op = EXO_EQ, .value = state,
		.addr = message_pfn << EXO_PAGE_SHIFT };
	while (__atomic_load_n(&message->state, __ATOMIC_ACQUIRE) != state)
		exo_wait(&p, EXO_FOREVER, 0);
}

static void serve_events(uint64_t arg)
{
	(void)arg;
	for (;;) {
		wait_state(GATE_ASKED);
		answer_one(BADGE);
		exo_event_signal(own_event, 1ul << 31);
	}
}

static uint64_t events_begin(uint64_t *context)
{
	extern char __text_lo[], __text_hi[];
	uint64_t control = frame_alloc_zero(), save = frame_alloc_zero();
	struct exo_result r = exo_context_create(0, frame_take(), control, save, 0, EXO_SLOT_ANY);
	if (r.status)
		return r.status;
	*context = r.value;
	((struct exo_control *)physmap_page(control))->mask = 1;
	server_event = exo_event_create(EXO_SLOT_ANY, r.value, 1ul << 30).value;
	own_event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << 31).value;
	memset(message, 0, sizeof *message);
	return exo_context_ctl(r.value, EXO_CTX_ROOTS, machine->root, 0, 0).status |
		exo_context_ctl(r.value, EXO_CTX_ROUTE, (uint64_t)__text_lo, (uint64_t)__text_hi, 0).status |
		exo_context_ctl(r.value, EXO_CTX_START, (uint64_t)serve_events,
			(uint64_t)stack + STACK - 8, 0).status;
}

static const char *events_answer(void)
{
	uint64_t context, least = ~0ul;
	CHECK(!events_begin(&context));
	upcall_mask(upcall_first);
	for (uint64_t n = 0; n < ROUNDS; n++) {
		uint64_t before = time_now();
		message->word[0] = n;
		__atomic_store_n(&message->state, GATE_ASKED, __ATOMIC_RELEASE);
		exo_event_signal(server_event, 1ul << 30);
		wait_state(GATE_DONE);
		uint64_t took = time_now() - before;
		least = took < least ? took : least;
	}
	bool good = message->word[0] == ROUNDS - 1 + BADGE;
	upcall_unmask(upcall_first);
	CHECK(good && !exo_delete_all(0, context) && !exo_delete_all(0, own_event));
	log_line("the same by events: %lu ns", least);
	return NULL;
}

const struct test gate_tests[] = {
	{ "gate_answers", gate_answers }, { "gate_one_way", gate_one_way }, { "gate_gone", gate_gone },
	{ "events_answer", events_answer }, { NULL, NULL },
};
