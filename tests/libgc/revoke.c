/* The library on the Linux back end of mmu.h, with a pool of its own: frames that are asked back come
 * from free pages, at the next allocation, and never from under an object.
 */
#include "libos/gc-runtime/libgc/lib.h"
#include "libos/gc-runtime/mmu_linux.h"
#include <stdio.h>

#define FRAMES	8192u
#define KEPT	2000		/* objects of a page and a bit */

const bool mmu_protects = true;
uint32_t sys_pages(void) { return 2 * FRAMES; }
uint64_t sys_frames(void) { return FRAMES; }
void sys_started(void) { }

static char *kept[KEPT];
static bool failed;

static void check(const char *name, bool right, unsigned long value)
{
	failed |= !right;
	if (right)
		printf("ok libgc_%s\n", name);
	else
		printf("FAIL libgc_%s: %lu\n", name, value);
}

static unsigned wrong(void)
{
	unsigned n = 0;
	for (int i = 0; i < KEPT; i++)
		n += kept[i] && (kept[i][0] != (char)i || kept[i][1999] != (char)i);
	return n;
}

/* As many as fit; then every other one is dropped. */
static void fill(void)
{
	for (int i = 0; i < KEPT; i++) {
		kept[i] = GC_malloc_atomic(8000);
		memset(kept[i], i, 8000);
	}
	for (int i = 0; i < KEPT; i += 2)
		kept[i] = NULL;
}

int main(void)
{
	GC_set_free_space_divisor(1);
	fill();
	uint64_t before = mmu_frames_total();
	GC_gcollect();
	uint64_t heap = GC_get_heap_size() / MMU_PAGE;
	mmu_linux_revoke(FRAMES - heap + 1500, 0);	/* those without a page, and 1,500 of pages */
	for (int i = 0; i < 100; i++)
		GC_malloc(3000);		/* the question is seen */
	check("revoke_given", before - mmu_frames_total() == FRAMES - heap + 1500,
		before - mmu_frames_total());
	check("revoke_intact", !wrong(), wrong());
	mmu_linux_revoke(FRAMES, 0);		/* more than there can be */
	for (int i = 0; i < 100; i++)
		GC_malloc(3000);
	check("revoke_all", !wrong() && mmu_frames_total() >= KEPT, mmu_frames_total());
	return failed;
}
