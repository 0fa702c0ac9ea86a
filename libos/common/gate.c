/* Services by gate.  See gate.h. */
#include "libos/common/gate.h"
#include "libos/common/calls.h"
#include "libos/common/frames.h"
#include "libos/common/time.h"

#define PATIENCE_NS	(30 * NS_PER_SEC)
#define STACK_FRAMES	4u
#define CALL_NUMBER	40		/* gate_cross.S has it, and the offsets, too */

_Static_assert(EXO_CALL_GATE_CALL == CALL_NUMBER, "gate_cross.S");
_Static_assert(offsetof(struct exo_control, gate_entry) == 0x98, "gate_cross.S");
_Static_assert(offsetof(struct exo_control, gate_stack) == 0xa0, "gate_cross.S");

#pragma GCC visibility push(hidden)
uint64_t gate_cross(uint64_t gate, struct exo_control *own);
void gate_entered(void);
#pragma GCC visibility pop
uint64_t gate_serve(struct gate_server *s, uint64_t badge);
_Noreturn void gate_rest(void);
extern char __text_lo[], __text_hi[];	/* app.ld */

static uint64_t state_of(const struct gate_message *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_ACQUIRE);
}

/* ---- who calls --------------------------------------------------------------------- */

/* BUSY: the server runs, or has not come to rest; it may need this CPU for that. */
static uint64_t cross_until_done(uint64_t gate, struct exo_control *control, struct gate_message *m)
{
	uint64_t end = time_now() + PATIENCE_NS;
	for (;;) {
		uint64_t status = gate_cross(gate, control);
		if (state_of(m) == GATE_DONE)
			return EXO_OK;
		if (status && EXO_CODE(status) != EXO_BUSY)
			return status;
		if (time_now() > end)
			return EXO_TIMEOUT;
		exo_yield(0);
	}
}

uint64_t gate_ask(uint64_t gate, struct exo_control *control, struct gate_message *m, unsigned op,
	uint64_t word[GATE_WORDS], int64_t *result)
{
	uint64_t before = state_of(m);
	if (before == GATE_ASKED || before == GATE_TAKEN)
		return EXO_TIMEOUT;	/* still that of last time */
	m->op = op;
	for (unsigned i = 0; i < GATE_WORDS; i++)
		m->word[i] = word[i];
	__atomic_store_n(&m->state, GATE_ASKED, __ATOMIC_RELEASE);
	uint64_t status = cross_until_done(gate, control, m);
	if (status)
		return status;
	for (unsigned i = 0; i < GATE_WORDS; i++)
		word[i] = m->word[i];
	*result = m->result;
	return EXO_OK;
}

/* ---- who serves -------------------------------------------------------------------- */

bool gate_take(struct gate_message *shared, struct gate_message *copy)
{
	uint64_t asked = GATE_ASKED;
	if (!__atomic_compare_exchange_n(&shared->state, &asked, GATE_TAKEN, false, __ATOMIC_ACQ_REL,
			__ATOMIC_ACQUIRE))
		return false;
	volatile const struct gate_message *m = shared;
	copy->op = m->op;
	for (unsigned i = 0; i < GATE_WORDS; i++)
		copy->word[i] = m->word[i];
	return true;
}

void gate_answer(struct gate_message *shared, int64_t result, const uint64_t word[GATE_WORDS])
{
	for (unsigned i = 0; i < GATE_WORDS; i++)
		shared->word[i] = word[i];
	shared->result = result;
	__atomic_store_n(&shared->state, GATE_DONE, __ATOMIC_RELEASE);
}

uint64_t gate_serve(struct gate_server *s, uint64_t badge) { return s->serve(s->arg, badge); }

_Noreturn void gate_rest(void)
{
	for (;;)
		exo_wait(NULL, EXO_FOREVER, EXO_WAIT_OPEN);
}

static uint64_t context_begin(uint64_t context, uint64_t root, uint64_t stack)
{
	uint64_t status = exo_context_ctl(context, EXO_CTX_ROOTS, root, 0, 0).status;
	if (!status)
		status = exo_context_ctl(context, EXO_CTX_ROUTE, (uint64_t)__text_lo, (uint64_t)__text_hi,
			0).status;
	return status ? status :
		exo_context_ctl(context, EXO_CTX_START, (uint64_t)gate_rest, stack - 8, 0).status;
}

uint64_t gate_server_start(struct gate_server *s, unsigned cpu, uint64_t root)
{
	uint64_t object = frame_take(), control = frame_alloc_zero(), save = frame_alloc_zero(),
		stack = frame_alloc_run(STACK_FRAMES);
	struct exo_result r = { EXO_LIMIT, 0 };
	if (object && control && save && stack)
		r = exo_context_create(0, object, control, save, cpu, EXO_SLOT_ANY);
	uint64_t status = r.status;
	if (!status) {
		struct exo_control *c = physmap_page(control);
		uint64_t top = (uint64_t)physmap_page(stack + STACK_FRAMES) - 16;
		*(struct gate_server **)top = s;
		c->mask = 1;
		c->gate_entry = (uint64_t)gate_entered;
		c->gate_stack = top;
		s->context = r.value;
		status = context_begin(r.value, root, top);
	}
	if (!status)
		return EXO_OK;
	if (!r.status)
		exo_delete_all(0, r.value);
	if (stack)
		frame_free_run(stack, STACK_FRAMES);
	if (control)
		frame_free(control);
	if (save)
		frame_free(save);
	if (object)
		frames_put(object, 1);
	return status;
}
