/* Parts of disks.  See disk_part.h. */
#include "libos/common/disk_part.h"
#include <stddef.h>

static struct disk_part *all;

/* The first part behind `at` or around it that keeps p off its blocks; NULL: none up to the end. */
static const struct disk_part *next_behind(const struct disk_part *p, uint64_t at)
{
	const struct disk_part *best = NULL;
	for (const struct disk_part *q = all; q; q = q->next)
		if (q->disk == p->disk && (q->write || p->write) && q->first + q->count > at &&
		    (!best || q->first < best->first))
			best = q;
	return best;
}

static const struct disk_part *let(struct disk_part *p)
{
	p->next = all;
	all = p;
	return NULL;
}

const struct disk_part *disk_part_let(struct disk_part *p)
{
	const struct disk_part *other = next_behind(p, p->first);
	if (!other || other->first >= p->first + p->count)
		return let(p);
	p->count = 0;
	return other;
}

const struct disk_part *disk_part_find(struct disk_part *p, uint64_t end)
{
	uint64_t want = p->count, at = p->first;
	const struct disk_part *other = NULL;
	p->count = 0;
	while (at < end && p->count < want) {
		const struct disk_part *next = next_behind(p, at);
		uint64_t stop = next && next->first < end ? next->first : end;
		if (stop > at && stop - at > p->count) {
			p->first = at;
			p->count = stop - at < want ? stop - at : want;
		}
		at = next ? next->first + next->count : end;
		other = next ? next : other;
	}
	return p->count ? let(p) : other;
}

void disk_part_end(struct disk_part *p)
{
	for (struct disk_part **at = &all; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	p->count = 0;
}
