/* The page map over time: what state each page of the heap is in, in up to SHOTS pictures of a run.
 *
 * Pictures are taken as pages come and go, one in `step` at most; when there is no room, every
 * other one is dropped, and the step doubles.  It looks at records only, and so disturbs no A bit.
 *
 * The file: a line "pages N", then a line for each picture: ns since the first, "gc" or "run", and
 * runs of pages in one state: a count (none: 1) and a letter.
 *	.  nothing	c  resident, the store has it	d  resident, dirty	o  in the store
 *	x  dead, but resident	y  dead, but in the store	r  dropped since the last picture
 */
#include "libos/gc-runtime/lab/lab.h"
#include "libos/gc-runtime/paging.h"
#include "libos/gc-runtime/port.h"

#define SHOTS	128u
#define STEP	1000000u		/* ns, at first */

static struct {
	char *shot[SHOTS];
	uint64_t at[SHOTS];
	bool collecting[SHOTS];
	uint64_t step;
	unsigned n;
} map;

static char letter(uint32_t p)
{
	if (!paging.ready[p / SEGMENT] || page_of(p)->state == PAGE_NONE)
		return '.';
	if (page_of(p)->space == SPACE_FREE)
		return page_of(p)->state == PAGE_IN ? 'x' : 'y';
	if (page_of(p)->state == PAGE_OUT)
		return 'o';
	return paging_differs(p) ? 'd' : 'c';
}

static void thin(void)
{
	for (unsigned i = 0; i < SHOTS / 2; i++) {
		char *free = map.shot[i];
		map.shot[i] = map.shot[2 * i];
		map.shot[2 * i] = free;
		map.at[i] = map.at[2 * i];
		map.collecting[i] = map.collecting[2 * i];
	}
	map.n = SHOTS / 2;
	map.step *= 2;
}

void map_take(void)
{
	uint64_t now = port_time();
	if (map.n && now < map.at[map.n - 1] + map.step)
		return;
	if (map.n == SHOTS)
		thin();
	map.at[map.n] = now;
	map.collecting[map.n] = paging.collecting;
	for (uint32_t p = 0; p < paging.pages; p++)
		map.shot[map.n][p] = letter(p);
	map.n++;
}

bool map_start(void)
{
	char *room = port_memory((uint64_t)SHOTS * paging.pages);
	if (!room)
		return false;
	for (unsigned i = 0; i < SHOTS; i++)
		map.shot[i] = room + (uint64_t)i * paging.pages;
	map.step = STEP;
	return true;
}

/* A page that had content, and has none now. */
static char shown(unsigned i, uint32_t p)
{
	return map.shot[i][p] == '.' && i && map.shot[i - 1][p] != '.' ? 'r' : map.shot[i][p];
}

static void write_shot(struct lab_file *f, unsigned i)
{
	lab_write(f, "%lu %s ", map.at[i] - map.at[0], map.collecting[i] ? "gc" : "run");
	for (uint32_t p = 0, n; p < paging.pages; p += n) {
		char c = shown(i, p);
		for (n = 1; p + n < paging.pages && shown(i, p + n) == c; n++)
			;
		if (n > 1)
			lab_write(f, "%u", n);
		lab_write(f, "%c", c);
	}
	lab_write(f, "\n");
}

void map_write(struct lab_file *f)
{
	paging.observe = NULL;
	lab_empty(f);
	lab_write(f, "pages %u\n", paging.pages);
	for (unsigned i = 0; i < map.n; i++)
		write_shot(f, i);
	lab_close(f);
}
