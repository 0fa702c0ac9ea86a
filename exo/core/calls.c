/* The table of calls, and those that fit nowhere else. */
#include "context.h"

static call_fn *const call_table[] = {
#define X(number, name, args) [number] = call_##name,
#include "exo/dispatch.inc"
#undef X
};

uint64_t call_dispatch(uint64_t number, struct call *c)
{
	if (number >= EXO_CALL_COUNT)
		return EXO_CALL;
	return call_table[number](c);
}

uint64_t answer_write(struct call *c, uint64_t to, const void *answer, size_t size, unsigned at)
{
	if (!user_write(to, answer, size))
		return FAIL(FAULT, at);
	c->rdx = 0;
	return EXO_OK;
}

/* Lock-free. */
uint64_t call_null(struct call *c)
{
	c->rdx = EXO_ABI_VERSION;
	return EXO_OK;
}
