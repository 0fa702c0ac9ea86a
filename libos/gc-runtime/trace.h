/* The mutator's page references, with births and deaths of pages, for Belady's optimum.
 *
 * A page is born with content that came from the program itself (no I/O), and dies when the runtime
 * knows its content is dead.  A reference to the page that was referred to last is left out: it can
 * cause no I/O in any policy.
 */
#ifndef GC_TRACE_H
#define GC_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum trace_kind { TRACE_READ, TRACE_WRITE, TRACE_BORN, TRACE_DIED };
#define TRACE_KIND(e)	((e) >> 30)
#define TRACE_PAGE(e)	((e) & 0x3fffffffu)

/* Makes room for so many events, once and for all: TRACE_ROOM bytes each; false: no memory. */
bool trace_start(uint64_t events);
#define TRACE_ROOM	8u
void trace_born(uint32_t page, uint32_t n);
void trace_died(uint32_t page, uint32_t n);
void trace_ref(uint32_t page, bool write);
/* The events so far; *lost: how many there was no room for.  Behind them is room for as many again. */
uint32_t *trace_events(uint64_t *n, uint64_t *lost);

/* What the optimum does with `frames` frames: Belady's MIN for what is evicted (the page whose next
 * reference lies farthest ahead; dead pages and those never used again leave for nothing).  A dirty
 * page that will be read again is written when it leaves. */
struct belady { uint64_t references, pages, reads, writes; };
bool belady(const uint32_t *event, uint64_t n, uint32_t *scratch, uint32_t pages, uint64_t frames,
	struct belady *out);		/* scratch: n words; false: no memory */

#endif
