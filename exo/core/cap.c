/* Capabilities: slots in tables that domains donated, linked into derivation trees.
 *
 * Finding, making, copying and describing them is here; deletion is in delete.c.  A slot whose
 * deletion has begun is marked, and with it, at once, all that is derived from it: a look-up
 * climbs to the root of derivation (at most DERIVE_DEPTH steps).  An object's *first*
 * capability has no parent; the object remembers it.
 *
 * User-visible names hold the slot's generation, which changes with each use of the slot.
 */
#include "frame.h"
#include "cap.h"
#include "context.h"

static uint16_t generation_seed;	/* tables made later start with other generations */
uint64_t cap_era;

struct slot *slot_at(uint32_t name)
{
	return name ? (struct slot *)phys_to_virt((uint64_t)name * sizeof(struct slot)) : NULL;
}

uint32_t slot_name(const struct slot *s)
{
	return s ? ((uintptr_t)s - (uintptr_t)phys_to_virt(0)) / sizeof(struct slot) : 0;
}

static struct exo_frame *slot_frame(const struct slot *s)
{
	return frame_at(slot_name(s) / SLOTS_PER_FRAME);
}

/* For an object frame that holds slots, `typerefs` is the domain they belong to. */
struct domain *slot_domain(const struct slot *s)
{
	return domain_at(slot_frame(s)->typerefs);
}

struct slot *domain_slot(const struct domain *d, uint64_t index)
{
	struct slot *table = pfn_to_virt(d->table[index / SLOTS_PER_FRAME]);

	return &table[index % SLOTS_PER_FRAME];
}

static uint16_t generation_after(uint16_t gen)
{
	gen = (gen + 1) & SLOT_GEN;
	return gen ? gen : 1;	/* 0 in a name means: don't check */
}

void cap_table_add(struct domain *d, uint64_t pfn)
{
	struct slot *s = frame_object_take(pfn);

	frame_at(pfn)->typerefs = d->id;
	generation_seed += 37;
	cap_era++;		/* no names have been found in era 0 */
	for (unsigned i = 0; i < SLOTS_PER_FRAME; i++)
		s[i].gen = generation_after(generation_seed);
	frame_at(pfn)->pins = d->table_frames == 0;	/* index 0 is never used */
	d->table[d->table_frames++] = pfn;
}

/* ---- look-up ------------------------------------------------------------ */

static bool slot_dying(const struct slot *s)
{
	while (s && !(s->gen & SLOT_DYING))
		s = slot_at(s->parent);
	return s;
}

uint64_t cap_depth_check(const struct slot *parent)
{
	unsigned depth = 0;

	for (; parent; parent = slot_at(parent->parent))
		depth++;
	return depth < DERIVE_DEPTH ? EXO_OK : FAIL(LIMIT, 0);
}

uint64_t cap_find_any(struct domain *d, uint64_t name, unsigned at, struct slot **out)
{
	uint64_t index = EXO_CAP_INDEX(name), gen = EXO_CAP_GEN(name);
	struct slot *s;

	if (index >= d->table_frames * SLOTS_PER_FRAME)
		return FAIL(CAP, at);
	s = domain_slot(d, index);
	if (s->type == EXO_T_NONE || (gen && gen != (s->gen & SLOT_GEN)))
		return FAIL(CAP, at);
	*out = s;
	return EXO_OK;
}

uint64_t cap_find(struct domain *d, uint64_t name, unsigned type, unsigned rights, unsigned at,
	struct slot **out)
{
	struct slot *s;
	uint64_t status = cap_find_any(d, name, at, &s);

	if (status)
		return status;
	if (type != EXO_T_NONE && s->type != type)
		return FAIL(TYPE, at);
	if ((s->rights & rights) != rights)
		return FAIL(RIGHT, at);
	if (slot_dying(s))
		return FAIL(DYING, at);
	*out = s;
	return EXO_OK;
}

uint64_t cap_domain(uint64_t name, unsigned right, unsigned at, struct domain **out)
{
	struct slot *s;
	uint64_t status;

	*out = current_domain();
	if (!name)
		return EXO_OK;
	status = cap_find(*out, name, EXO_T_DOMAIN, right, at, &s);
	if (status)
		return status;
	*out = domain_at(s->aux);
	return (*out)->state == EXO_DS_DYING ? FAIL(DYING, at) : EXO_OK;
}

uint64_t cap_context(uint64_t name, unsigned right, unsigned at, struct context **out)
{
	struct slot *s;
	uint64_t status;

	*out = this_cpu()->current;
	if (!name)
		return EXO_OK;
	status = cap_find(current_domain(), name, EXO_T_CONTEXT, right, at, &s);
	if (!status)
		*out = context_at(s->aux);
	return status;
}

struct slot *cap_ref_get(struct cap_ref ref, unsigned type)
{
	struct slot *s = slot_at(ref.name);
	const struct exo_frame *f;

	if (!s)
		return NULL;
	f = slot_frame(s);
	if (f->type != EXO_F_OBJECT || !f->typerefs || s->type != type || s->gen != ref.gen)
		return NULL;
	return slot_dying(s) ? NULL : s;
}

/* ---- making and unmaking ------------------------------------------------ */

/* A table frame counts its used slots in `pins`, so that a full one is passed over at once. */
uint64_t cap_slot_check(struct domain *d, uint64_t *index, unsigned at)
{
	uint64_t slots = d->table_frames * SLOTS_PER_FRAME, i = *index;

	if (i)
		return i >= slots ? FAIL(ARG, at) : domain_slot(d, i)->type ? FAIL(BUSY, at) : EXO_OK;
	while (i < slots && frame_at(d->table[i / SLOTS_PER_FRAME])->pins == SLOTS_PER_FRAME)
		i += SLOTS_PER_FRAME;
	if (i >= slots)
		return FAIL(LIMIT, at);
	if (!i)
		i = 1;
	while (domain_slot(d, i)->type)
		i++;
	*index = i;
	return EXO_OK;
}

void slot_link(struct slot *s, struct slot *parent)
{
	uint32_t name = slot_name(s);

	s->parent = slot_name(parent);
	s->prev = 0;
	s->next = 0;
	if (!parent)
		return;
	s->next = parent->child;
	if (s->next)
		slot_at(s->next)->prev = name;
	parent->child = name;
}

void slot_unlink(struct slot *s)
{
	if (s->next)
		slot_at(s->next)->prev = s->prev;
	if (s->prev)
		slot_at(s->prev)->next = s->next;
	else if (s->parent)
		slot_at(s->parent)->child = s->next;
}

/* Fills a free slot. */
void slot_fill(struct slot *s, const struct slot *value, struct slot *parent)
{
	uint16_t gen = s->gen;

	*s = *value;
	s->gen = gen;
	s->child = 0;
	slot_frame(s)->pins++;
	slot_link(s, parent);
	if (!parent && s->type == EXO_T_DOMAIN)
		domain_at(s->aux)->cap = slot_name(s);
	if (!parent && s->type == EXO_T_CONTEXT)
		context_at(s->aux)->cap = slot_name(s);
}

uint64_t cap_insert(struct domain *d, uint64_t index, unsigned at, const struct slot *value,
	struct slot *parent, uint64_t *name)
{
	uint64_t status = cap_slot_check(d, &index, at);
	struct slot *s;

	if (status || (status = cap_depth_check(parent)))
		return status;
	s = domain_slot(d, index);
	slot_fill(s, value, parent);
	*name = index | (uint64_t)(s->gen & SLOT_GEN) << 20;
	return EXO_OK;
}

void cap_clear(struct slot *s)
{
	uint16_t gen = generation_after(s->gen & SLOT_GEN);

	cap_era++;
	slot_unlink(s);
	slot_frame(s)->pins--;
	*s = (struct slot){ .gen = gen };
}

/* ---- calls -------------------------------------------------------------- */

/* Narrows a copy to a sub-range or to some event bits; (0, 0) = all. */
static uint64_t cap_narrow(struct slot *s, uint64_t base, uint64_t count)
{
	uint64_t offset = base - s->base;

	if (!base && !count)
		return EXO_OK;
	switch (s->type) {
	case EXO_T_FRAMES:
	case EXO_T_SLICE:
	case EXO_T_EXTENT:
		if (base < s->base || offset >= s->count)
			return FAIL(ARG, 5);
		if (!count || count > s->count - offset)
			return FAIL(ARG, 6);
		s->base = base;
		s->count = count;
		return EXO_OK;
	case EXO_T_EVENT:
		if (base & ~slot_mask(s))
			return FAIL(ARG, 5);
		if (count)
			return FAIL(ARG, 6);
		s->base = base;
		s->count = base >> 32;
		return EXO_OK;
	default:
		return FAIL(ARG, 5);
	}
}

uint64_t call_cap_copy(struct call *c)
{
	struct domain *dst, *self = current_domain();
	struct slot *src, copy;
	uint64_t status = cap_domain(c->rdi, EXO_R_GIVE, 1, &dst);

	if (status || (status = cap_find(self, c->rdx, EXO_T_NONE, 0, 3, &src)))
		return status;
	if (dst != self && !(src->rights & EXO_R_GRANT))
		return FAIL(RIGHT, 3);
	if (c->r10 & ~(uint64_t)src->rights)
		return FAIL(RIGHT, 4);
	copy = *src;
	copy.rights = c->r10;
	status = cap_narrow(&copy, c->r8, c->r9);
	return status ? status : cap_insert(dst, c->rsi, 2, &copy, src, &c->rdx);
}

uint64_t call_cap_info(struct call *c)
{
	struct domain *d;
	struct slot *s;
	struct exo_cap_info info;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status || (status = cap_find(d, c->rsi, EXO_T_NONE, 0, 2, &s)))
		return status;
	info = (struct exo_cap_info){ .type = s->type, .rights = s->rights, .gen = s->gen & SLOT_GEN };
	switch (s->type) {
	case EXO_T_FRAMES:
	case EXO_T_EXTENT:
		info.aux = s->aux;
		info.base = s->base;
		info.count = s->count;
		break;
	case EXO_T_SLICE:
		info.base = (uint64_t)s->aux << 32 | s->base;
		info.count = s->count;
		break;
	case EXO_T_EVENT:
		info.base = slot_mask(s);
		break;
	default:
		info.base = s->aux;
	}
	return answer_write(c, c->rdx, &info, sizeof info, 3);
}

uint64_t call_cap_grow(struct call *c)
{
	struct domain *d;
	uint64_t status = cap_domain(c->rdi, EXO_R_MANAGE, 1, &d);

	if (status || (status = frame_object_check(d, c->rsi, 2)))
		return status;
	if (d->table_frames == TABLE_FRAMES)
		return FAIL(LIMIT, 1);
	if (c->rsi >> TABLE_PFN_BITS)
		return FAIL(ARG, 2);
	cap_table_add(d, c->rsi);
	c->rdx = d->table_frames * SLOTS_PER_FRAME;
	return EXO_OK;
}
