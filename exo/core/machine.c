/* What a holder of the machine capability may do, and the flush of one's own TLBs. */
#include "context.h"

#define LOG_MAX	256u
#define FLUSH_PAGES_MAX	(1ul << 36)

uint64_t call_log_write(struct call *c)
{
	struct slot *s;
	char text[LOG_MAX + 1];
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_MACHINE, EXO_R_LOG, 1, &s);
	if (status)
		return status;
	uint64_t n = c->rdx < LOG_MAX ? c->rdx : LOG_MAX;
	if (!user_read(text, c->rsi, n))
		return FAIL(FAULT, 2);
	text[n] = 0;
	log_print("%s", text);
	c->rdx = n;
	return EXO_OK;
}

uint64_t call_machine_ctl(struct call *c)
{
	struct slot *s;
	unsigned right = c->rsi == EXO_M_TRACE || c->rsi == EXO_M_IDLE ? EXO_R_TRACE : EXO_R_RESET;
	uint64_t status = cap_find(current_domain(), c->rdi, EXO_T_MACHINE, right, 1, &s);
	if (status)
		return status;
	switch (c->rsi) {
	case EXO_M_TRACE:
		arch_trace_mask(c->rdx);
		return EXO_OK;
	case EXO_M_REBOOT:
		arch_reboot();
	case EXO_M_PANIC:
		panic("asked for by domain %x", current_domain()->id);
	case EXO_M_IDLE:
		c->rdx = 0;
		for (unsigned i = 0; i < cpu_count; i++)
			c->rdx |= (uint64_t)!cpu_at(i)->current << i;
		return EXO_OK;
	}
	return FAIL(ARG, 2);
}

uint64_t call_tlb_flush(struct call *c)
{
	uint64_t cpus = 1ul << this_cpu()->number;
	if (c->rdx != EXO_FLUSH_LOCAL && c->rdx != EXO_FLUSH_ALL)
		return FAIL(ARG, 3);
	if (c->rsi > FLUSH_PAGES_MAX)
		return FAIL(ARG, 2);
	if (c->rdx == EXO_FLUSH_ALL)
		cpus |= contexts_cpus(current_domain());
	arch_flush(cpus, c->rdi, c->rsi);
	return EXO_OK;
}
