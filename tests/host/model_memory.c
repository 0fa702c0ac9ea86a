/* The model's memory as programs reach it: page walkers with their caches, the races of other CPUs,
 * the kernel's access to a user's memory, and what the kernel stores into tables.
 */
#include <string.h>
#include "tests/host/model_cpu.h"

unsigned model_races, model_flushes, model_root_loads, model_entry_reads;
static bool racing;

/* ---- page walkers ------------------------------------------------------- */

static unsigned shift_of(unsigned level) { return 12 + 9 * (level - 1); }

static const struct translation *tlb_find(struct machine_cpu *m, uint64_t va, bool write)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		struct translation *t = &m->tlb[i];
		unsigned shift = t->large ? 21 : 12;

		if (t->valid && t->va >> shift == va >> shift && (!write || (t->writable && t->dirty)))
			return t;
	}
	return NULL;
}

/* The deepest table that the structure caches know for va. */
static const struct structure *psc_find(struct machine_cpu *m, uint64_t va)
{
	const struct structure *best = NULL;

	for (unsigned i = 0; i < PSC_ENTRIES; i++) {
		const struct structure *s = &m->psc[i];

		if (s->valid && s->prefix == va >> shift_of(s->level + 1) && (!best || s->level < best->level))
			best = s;
	}
	return best;
}

static void tlb_fill(struct machine_cpu *m, struct translation t)
{
	t.valid = true;
	t.owner = m->cpu.root ? frame_table[m->cpu.root].owner : 0;
	m->tlb[model_random() % TLB_ENTRIES] = t;
}

static const struct translation *walk(struct machine_cpu *m, uint64_t va, bool write)
{
	const struct structure *start = psc_find(m, va);
	unsigned level = start ? start->level : 4;
	uint64_t pfn = start ? start->pfn : m->cpu.root;
	bool writable = start ? start->writable : true, nx = start ? start->nx : false;

	if (!m->cpu.root)
		return NULL;
	for (;; level--) {
		uint64_t *e = (uint64_t *)(model_memory + pfn * EXO_PAGE_SIZE) +
			(va >> shift_of(level) & 511);
		bool leaf = level == 1 || (level == 2 && *e & EXO_PTE_PS);

		if (!(*e & EXO_PTE_P) || !(*e & EXO_PTE_U) || *e & arch_pte_reserved)
			return NULL;
		writable &= (*e & EXO_PTE_W) != 0;
		nx |= (*e & EXO_PTE_NX) != 0;
		pfn = (*e & EXO_PTE_FRAME) >> 12;
		CHECK(pfn < MODEL_FRAMES, "a walker left memory");
		if (leaf && write && !writable)
			return NULL;
		*e |= EXO_PTE_A | (leaf && write ? EXO_PTE_D : 0);
		if (leaf) {
			tlb_fill(m, (struct translation){ .large = level == 2, .writable = writable,
				.dirty = (*e & EXO_PTE_D) != 0, .nx = nx, .va = va, .pfn = pfn });
			return tlb_find(m, va, write);
		}
		m->psc[model_random() % PSC_ENTRIES] = (struct structure){ .valid = true,
			.writable = writable, .nx = nx, .level = level - 1, .pfn = pfn,
			.owner = frame_table[m->cpu.root].owner, .prefix = va >> shift_of(level) };
	}
}

static uint8_t *translate(unsigned cpu, uint64_t va, bool write)
{
	struct machine_cpu *m = &cpus[cpu];
	const struct translation *t = tlb_find(m, va, write);

	if (!t)
		t = walk(m, va, write);
	if (!t)
		return NULL;
	return t->large ? model_memory + (t->pfn << 12) + (va & 0x1fffff) :
		model_memory + (t->pfn << 12) + (va & 0xfff);
}

bool model_access(unsigned cpu, uint64_t va, bool write, uint8_t *byte)
{
	uint8_t *p = translate(cpu, va, write);

	if (!p)
		return false;
	if (write)
		*p = *byte;
	else
		*byte = *p;
	return true;
}

/* The other CPUs go on while this one is in the kernel: through whatever they have cached they
 * write, with luck just where it hurts. */
static void model_race(void)
{
	if (racing)
		return;
	racing = true;
	for (unsigned c = 0; c < MODEL_CPUS; c++) {
		struct machine_cpu *m = &cpus[c];
		struct translation *t = &m->tlb[model_random() % TLB_ENTRIES];

		if (c == here || !m->cpu.current || !t->valid)
			continue;
		model_races++;
		if (t->writable && t->dirty) {
			uint64_t page = t->pfn + (t->large ? model_random() % 512 : 0);
			uint64_t *word = (uint64_t *)(model_memory + (page << 12)) + model_random() % 512;

			*word = model_random() % 4 ? (MODEL_KERNEL - 1) << 12 | 7 : ~0ul;
		} else {
			translate(c, t->va, model_random() & 1);
		}
	}
	racing = false;
}

/* ---- the user's memory ------------------------------------------------------ */

bool user_range_ok(uint64_t va, size_t n)
{
	uint64_t last = va + n - (n != 0);

	if (last < va || (va < 1ul << 47) != (last < 1ul << 47))
		return false;
	if (va >= 1ul << 47 && va < 0xffff800000000000ul)
		return false;
	return last < EXO_KERNEL_BASE || va >= EXO_KERNEL_END || va < 1ul << 47;
}

static uint8_t *window(uint64_t va, size_t n)
{
	if (va < WINDOW || va - WINDOW > WINDOW_SIZE || n > WINDOW_SIZE - (va - WINDOW))
		return NULL;
	return model_window[here] + (va - WINDOW);
}

bool user_read(void *to, uint64_t from, size_t n)
{
	uint8_t *p = window(from, n);

	if (p) {
		memcpy(to, p, n);
		return true;
	}
	if (!user_range_ok(from, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!model_access(here, from + i, false, (uint8_t *)to + i))
			return false;
	return true;
}

bool user_write(uint64_t to, const void *from, size_t n)
{
	uint8_t *p = window(to, n);

	if (p) {
		memcpy(p, from, n);
		return true;
	}
	if (!user_range_ok(to, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = ((const uint8_t *)from)[i];

		if (!model_access(here, to + i, true, &byte))
			return false;
	}
	return true;
}

bool user_push_upcall(uint64_t sp, uint64_t info, uint64_t addr, uint64_t error, const uint64_t *state)
{
	struct exo_upcall f = { .info = info, .addr = addr, .error = error };

	memcpy(&f.rip, state, 5 * sizeof f.rip);
	return user_write(sp, &f, sizeof f);
}

bool user_read_resume(uint64_t from, struct exo_regs *r, struct resume_state *to)
{
	struct exo_resume f;

	if (!user_read(&f, from, sizeof f))
		return false;
	r->rax = f.rax;
	r->r11 = f.r11;
	r->rcx = f.rcx;
	*to = (struct resume_state){ f.root, f.rip, f.cs, f.rflags, f.rsp, f.ss };
	return true;
}

/* ---- entries, flushes, pages ------------------------------------------------- */

/* Every store to a page table in use is checked, then the other CPUs get their chance. */
static void entry_stored(const uint64_t *e)
{
	uint64_t at = (const uint8_t *)e - model_memory, pfn = at >> 12;
	unsigned type = frame_table[pfn].type;

	if (type >= EXO_F_PT1 && type <= EXO_F_PT4)
		CHECK(model_entry_ok(domain_at(frame_table[pfn].owner), type - EXO_F_PT1 + 1, at / 8 % 512, *e),
			"entry %lu of table %lx (level %u) became %lx", at / 8 % 512, pfn,
			type - EXO_F_PT1 + 1, *e);
	model_race();
}

uint64_t pte_read(const uint64_t *e)
{
	model_entry_reads++;
	return *(const volatile uint64_t *)e;
}

void pte_store(uint64_t *e, uint64_t value)
{
	*e = value;
	entry_stored(e);
}

uint64_t pte_exchange(uint64_t *e, uint64_t value)
{
	uint64_t old = *e;

	pte_store(e, value);
	return old;
}

/* Sometimes the hardware sets a bit just before. */
bool pte_compare_set(uint64_t *e, uint64_t *expected, uint64_t value)
{
	if (*e & EXO_PTE_P && model_random() % 8 == 0)
		*e |= EXO_PTE_A;
	if (*e != *expected) {
		*expected = *e;
		return false;
	}
	pte_store(e, value);
	return true;
}

void flush_all(struct machine_cpu *m)
{
	m->cpu.flushed = flush_clock;
	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		m->tlb[i].valid = false;
	for (unsigned i = 0; i < PSC_ENTRIES; i++)
		m->psc[i].valid = false;
}

static void flush_page(struct machine_cpu *m, uint64_t va)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		unsigned shift = m->tlb[i].large ? 21 : 12;

		if (m->tlb[i].va >> shift == va >> shift)
			m->tlb[i].valid = false;
	}
	for (unsigned i = 0; i < PSC_ENTRIES; i++)
		m->psc[i].valid = false;
}

void arch_flush(uint64_t mask, uint64_t va, uint64_t pages)
{
	model_flushes++;
	model_race();
	for (unsigned c = 0; c < MODEL_CPUS; c++) {
		if (!(mask >> c & 1))
			continue;
		if (!pages || pages > 512)
			flush_all(&cpus[c]);
		else
			for (uint64_t i = 0; i < pages; i++)
				flush_page(&cpus[c], va + i * EXO_PAGE_SIZE);
	}
}

void page_zero(void *page)
{
	memset(page, 0, EXO_PAGE_SIZE);
	model_race();
}

void page_copy(void *to, const void *from)
{
	memmove(to, from, EXO_PAGE_SIZE);
	model_race();
}
