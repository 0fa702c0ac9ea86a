/* Live filters: which may live beside each other, and where they are found.
 *
 * All checks of an insertion come before its first change.  Every loop is bounded by the filters
 * of a device, the shapes, or the length of a chain; a look-up by the latter two.
 */
#include "demux.h"

void demux_init(struct demux *d, struct filter **heads, uint32_t heads_log, uint32_t max,
	uint64_t (*random)(void))
{
	*d = (struct demux){ .heads = heads, .heads_log = heads_log, .max = max };
	d->multiplier = random() | 1;
	for (unsigned i = 0; i < LOADS_MAX; i++)	/* odd, and positive as a signed word */
		d->mix[i] = (random() >> 33) | 1;
	for (unsigned i = 0; i < SHAPES_MAX; i++)
		d->shape[i].mix = random() >> 33;
}

/* ---- shapes --------------------------------------------------------------------- */

/* Parts of the view that lie apart in a packet. */
static const struct { uint8_t at, end; } part[] = {
	{ VIEW_L2, VIEW_TYPE }, { VIEW_TYPE, VIEW_TCI }, { VIEW_TCI, VIEW_L3 },
	{ VIEW_L3, VIEW_L4 }, { VIEW_L4, VIEW_BYTES }
};

/* The next load from view byte i on, which the mask needs: one run of bytes, or (dense) all that
 * eight bytes hold.  `end`: behind the part's last needed byte. */
static struct load load_next(const uint8_t *mask, unsigned i, unsigned start, unsigned end, bool dense)
{
	unsigned last = i, width = 1, at = i;
	struct load l = { 0 };

	for (unsigned j = i + 1; j < i + 8 && j < end && (dense || mask[j]); j++)
		if (mask[j])
			last = j;
	while (width < last + 1 - i)
		width *= 2;
	if (at + width > end && end - start >= width)
		at = end - width;
	else if (at + width > end)
		width /= 2;
	l.at = at;
	l.width = width;
	for (unsigned j = at; j < at + width; j++)
		l.mask |= (uint64_t)mask[j] << 8 * (j - at);
	return l;
}

/* False: more than LOADS_MAX. */
static bool loads_cover(const uint8_t *mask, bool dense, struct load load[LOADS_MAX], unsigned *n)
{
	*n = 0;
	for (unsigned p = 0; p < sizeof part / sizeof part[0]; p++) {
		unsigned end = part[p].end;

		while (end > part[p].at && !mask[end - 1])
			end--;
		for (unsigned i = part[p].at; i < end; i++) {
			if (!mask[i])
				continue;
			if (*n == LOADS_MAX)
				return false;
			load[*n] = load_next(mask, i, part[p].at, end, dense);
			i = load[*n].at + load[*n].width - 1u;
			++*n;
		}
	}
	return true;
}

unsigned shape_loads(const struct shape *s, struct load load[LOADS_MAX])
{
	uint8_t mask[VIEW_BYTES];
	unsigned n;

	__builtin_memcpy(mask, s->mask, sizeof mask);
	if (s->class == CUBE_V4 || s->class == CUBE_V6)	/* the EtherType has led to the shape */
		mask[VIEW_TYPE] = mask[VIEW_TYPE + 1] = 0;
	if (!loads_cover(mask, false, load, &n))	/* 3 + 1 + 1 + 5 + 3 words always suffice: */
		loads_cover(mask, true, load, &n);
	return n;
}

/* What L3 must be for a filter to match; a filter that asks for nothing behind the EtherType
 * takes malformed packets too. */
static enum cube_class class_needed(const struct cube *c)
{
	uint64_t behind = 0;

	for (unsigned i = VIEW_L3 / 8; i < VIEW_WORDS; i++)
		behind |= c->mask[i];
	return behind ? cube_class(c) : CUBE_ANY;
}

static struct shape *shape_find(struct demux *d, const struct cube *c)
{
	enum cube_class class = class_needed(c);

	for (unsigned i = 0; i < d->shapes; i++) {
		struct shape *s = &d->shape[d->order[i]];

		if (s->class == class && !__builtin_memcmp(s->mask, c->mask, sizeof s->mask))
			return s;
	}
	return NULL;
}

/* A new shape, without filters, in its place in the order; NULL: there are too many. */
static struct shape *shape_add(struct demux *d, const struct filter *f)
{
	unsigned unused = SHAPES_MAX, owned = 0, at = d->shapes;
	struct shape *s;

	for (unsigned i = 0; i < SHAPES_MAX; i++) {
		if (!d->shape[i].filters)
			unused = i;
		else
			owned += d->shape[i].owner == f->owner;
	}
	if (unused == SHAPES_MAX || owned >= SHAPES_OWNER)
		return NULL;
	s = &d->shape[unused];
	__builtin_memcpy(s->mask, f->cube.mask, sizeof s->mask);
	s->owner = f->owner;
	s->class = class_needed(&f->cube);
	s->bits = cube_bits(&f->cube);
	for (d->shapes++; at && d->shape[d->order[at - 1]].bits < s->bits; at--)
		d->order[at] = d->order[at - 1];
	d->order[at] = unused;
	return s;
}

static void shape_drop(struct demux *d, const struct shape *s)
{
	unsigned at = 0;

	while (&d->shape[d->order[at]] != s)
		at++;
	for (d->shapes--; at < d->shapes; at++)
		d->order[at] = d->order[at + 1];
}

/* ---- chains --------------------------------------------------------------------- */

static struct filter **chain_head(const struct demux *d, const struct shape *s, const struct cube *c)
{
	struct load load[LOADS_MAX];
	unsigned n = shape_loads(s, load);
	uint64_t hash = s->mix;

	for (unsigned i = 0; i < n; i++) {
		uint64_t word = 0;

		for (unsigned j = 0; j < load[i].width; j++)
			word |= (uint64_t)c->value_byte[load[i].at + j] << 8 * j;
		hash += (word & load[i].mask) * (i ? d->mix[i] : 1);
	}
	return &d->heads[hash * d->multiplier >> (64 - d->heads_log)];
}

/* The filter of this shape that includes the cube: there is one at most. */
static struct filter *shape_look_up(const struct demux *d, const struct shape *s, const struct cube *c)
{
	struct filter *f = *chain_head(d, s, c);

	while (f && !(&d->shape[f->shape] == s && cube_within(c, &f->cube)))
		f = f->chain;
	return f;
}

static bool chain_full(const struct filter *f)
{
	unsigned n = 0;

	for (; f; f = f->chain)
		n++;
	return n >= CHAIN_MAX;
}

/* ---- insertion and removal ------------------------------------------------------- */

static enum demux_status pair_check(const struct filter *f, const struct filter *other,
	demux_may_fn *may, void *with)
{
	bool within = cube_within(&f->cube, &other->cube), includes = cube_within(&other->cube, &f->cube);

	if (within && includes)
		return DEMUX_TWICE;
	if (!within && !includes)
		return DEMUX_CROSS;
	return other->owner == f->owner || may(f, other, with) ? DEMUX_OK : DEMUX_FOREIGN;
}

static bool mask_within(const uint64_t *a, const uint64_t *b)
{
	uint64_t more = 0;

	for (unsigned i = 0; i < VIEW_WORDS; i++)
		more |= a[i] & ~b[i];
	return !more;
}

/* f against all filters of a shape. */
static enum demux_status shape_check(const struct demux *d, const struct shape *s,
	const struct filter *f, demux_may_fn *may, void *with)
{
	enum demux_status status = DEMUX_OK;
	const struct filter *other = s->list;

	if (mask_within(s->mask, f->cube.mask)) {
		other = shape_look_up(d, s, &f->cube);
		return other ? pair_check(f, other, may, with) : DEMUX_OK;
	}
	for (uint32_t i = 0; i < s->filters && !status; i++, other = other->next)
		if (cube_overlap(&f->cube, &other->cube))
			status = pair_check(f, other, may, with);
	return status;
}

static void filter_link(struct shape *s, struct filter *f, struct filter **head)
{
	f->chain = *head;
	*head = f;
	f->next = f->prev = f;
	if (s->list) {
		f->next = s->list;
		f->prev = s->list->prev;
		f->prev->next = f->next->prev = f;
	}
	s->list = f;
}

static void filter_unlink(struct shape *s, struct filter *f, struct filter **head)
{
	while (*head != f)
		head = &(*head)->chain;
	*head = f->chain;
	f->prev->next = f->next;
	f->next->prev = f->prev;
	if (s->list == f)
		s->list = f->next == f ? NULL : f->next;
}

enum demux_status demux_insert(struct demux *d, struct filter *f, demux_may_fn *may, void *with)
{
	enum demux_status status = d->count < d->max ? DEMUX_OK : DEMUX_FULL;
	struct shape *s;

	for (unsigned i = 0; i < d->shapes && !status; i++)
		status = shape_check(d, &d->shape[d->order[i]], f, may, with);
	if (status)
		return status;
	s = shape_find(d, &f->cube);
	if (s && chain_full(*chain_head(d, s, &f->cube)))
		return DEMUX_FULL;
	if (!s) {
		s = shape_add(d, f);
		if (!s)
			return DEMUX_FULL;
		if (chain_full(*chain_head(d, s, &f->cube)) || (d->build && !d->build(d))) {
			shape_drop(d, s);
			return DEMUX_FULL;
		}
	}
	f->shape = s - d->shape;
	f->bits = s->bits;
	f->live = 1;
	filter_link(s, f, chain_head(d, s, &f->cube));
	s->filters++;
	d->count++;
	return DEMUX_OK;
}

void demux_remove(struct demux *d, struct filter *f)
{
	struct shape *s = &d->shape[f->shape];

	filter_unlink(s, f, chain_head(d, s, &f->cube));
	f->live = 0;
	d->count--;
	if (--s->filters)
		return;
	shape_drop(d, s);
	if (d->build)
		d->build(d);	/* with a shape less it has room; if not, one that finds nothing stays */
}

struct filter *demux_plain(const struct demux *d, const uint8_t *frame, uint32_t length)
{
	struct filter *best = NULL, *f;
	struct view v;

	if (!view_take(&v, frame, length))
		return NULL;
	for (unsigned i = 0; i < d->shapes; i++) {
		f = d->shape[d->order[i]].list;
		for (uint32_t n = d->shape[d->order[i]].filters; n; n--, f = f->next)
			if (cube_match(&f->cube, &v) && (!best || f->bits > best->bits))
				best = f;
	}
	return best;
}
