/* Recording page references.  See trace.h. */
#include "libos/gc-runtime/trace.h"
#include "libos/gc-runtime/gc.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

static uint32_t *event;
static uint64_t have, most, dropped;
static uint32_t last = ~0u;

bool trace_start(uint64_t events)
{
	event = port_memory(TRACE_ROOM * events);
	most = event ? events : 0;
	return event;
}

static void add(enum trace_kind kind, uint32_t page)
{
	if (have < most)
		event[have++] = (uint32_t)kind << 30 | page;
	else
		dropped++;
}

/* A read after a write of the same page says nothing new. */
void trace_ref(uint32_t page, bool write)
{
	uint32_t e = (write ? TRACE_WRITE : TRACE_READ) << 30 | page;
	if (e == last || (!write && (TRACE_WRITE << 30 | page) == last))
		return;
	last = e;
	add(write ? TRACE_WRITE : TRACE_READ, page);
}

void trace_born(uint32_t page, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		add(TRACE_BORN, page + i);
	last = ~0u;
}

void trace_died(uint32_t page, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		add(TRACE_DIED, page + i);
	last = ~0u;
}

void gc_touch_slow(const void *p, bool write)
{
	if (mmu_inside(p))
		trace_ref(mmu_page(p), write);
}

uint32_t *trace_events(uint64_t *n, uint64_t *lost)
{
	*n = have;
	*lost = dropped;
	return event;
}
