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

/* Lock-free. */
uint64_t call_null(struct call *c)
{
	c->rdx = EXO_ABI_VERSION;
	return EXO_OK;
}
