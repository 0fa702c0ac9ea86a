/* Trace points: per CPU a ring of fixed-size events in exported frames, written by that CPU
 * alone, without a lock. */
#include "exo/arch/machine.h"

uint64_t trace_kinds;
static struct exo_trace_head *rings[CPUS_MAX];

void trace_init(unsigned cpus)
{
	uint64_t size = TRACE_FRAMES * PAGE, at = early_alloc(cpus * size, PAGE);
	for (unsigned i = 0; i < cpus; i++) {
		rings[i] = phys_to_virt(at + i * size);
		rings[i]->slots = (size - 64) / sizeof(struct exo_trace_event);
	}
	export_add("trace", at, cpus * size);
}

void trace_event(unsigned kind, unsigned code, uint64_t a, uint64_t b)
{
	struct cpu *c = this_cpu();
	struct exo_trace_head *r = rings[c->number];
	struct exo_trace_event *events = (void *)((uint8_t *)r + 64);
	events[r->head % r->slots] = (struct exo_trace_event){
		.tsc = rdtsc(), .kind = kind, .cpu = c->number, .code = code,
		.context = c->current ? c->current->id : 0, .a = a, .b = b,
	};
	__atomic_store_n(&r->head, r->head + 1, __ATOMIC_RELEASE);
}

void arch_trace_mask(uint64_t kinds)
{
	trace_kinds = kinds;
	for (unsigned i = 0; i < cpu_count; i++)
		rings[i]->mask = kinds;
}
