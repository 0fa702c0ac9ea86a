/* The model machine: see model.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/host/model.h"
#include "tests/host/model_disk.h"
#include "tests/host/model_net.h"
#include "exo/core/table.h"

#define TLB_ENTRIES	64u
#define PSC_ENTRIES	32u

struct translation {
	bool valid, large, writable, dirty, nx;
	uint32_t owner;		/* domain whose root gave it */
	uint64_t va, pfn;
};
struct structure {		/* a paging-structure cache's entry */
	bool valid, writable, nx;
	unsigned level;		/* of the table it points to */
	uint32_t owner;
	uint64_t prefix, pfn;
};
struct machine_cpu {
	struct cpu cpu;
	struct exo_regs regs;
	struct translation tlb[TLB_ENTRIES];
	struct structure psc[PSC_ENTRIES];
	bool kicked;
	uint64_t timer, tls[4];
};

uint8_t model_memory[MODEL_FRAMES * EXO_PAGE_SIZE] __attribute__((aligned(4096)));
uint8_t model_window[MODEL_CPUS][WINDOW_SIZE];
uint64_t model_time;
unsigned model_races, model_flushes;
bool model_quiet = true;

static struct machine_cpu cpus[MODEL_CPUS];
static struct exo_frame frames[MODEL_FRAMES];
static struct region regions[MODEL_FRAMES / 512];
static struct exo_slice_page slices[MODEL_CPUS];
static unsigned here;
static bool locked, racing;
static uint64_t random_state;
static const char *context_text = "";

uint64_t arch_pte_reserved = 0x000fff0000000000ul;	/* 40 physical address bits */
bool arch_l1tf_safe;
uint64_t arch_kernel_pml4[7] = { 0x1003, 0x2003, 0x3003, 0x4003, 0x5003, 0x6003, 0x7003 };
unsigned cpu_count = MODEL_CPUS;

/* ---- failure ------------------------------------------------------------ */

void check_failed(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fflush(stdout);
	fprintf(stderr, "%s:%d: %s", file, line, context_text);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	fflush(stderr);
	abort();
}

static jmp_buf *expected_panic;

void panic(const char *format, ...)
{
	va_list args;

	if (expected_panic)
		longjmp(*expected_panic, 1);
	va_start(args, format);
	fprintf(stderr, "panic: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

bool model_panics(void (*f)(void))
{
	jmp_buf here_again;
	volatile bool panicked = true;

	expected_panic = &here_again;
	if (!setjmp(here_again)) {
		f();
		panicked = false;
	}
	expected_panic = NULL;
	return panicked;
}

void log_print(const char *format, ...)
{
	va_list args;

	if (model_quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

uint64_t trace_kinds;
void trace_event(unsigned kind, unsigned code, uint64_t a, uint64_t b) { (void)kind; (void)code; (void)a; (void)b; }
void arch_trace_mask(uint64_t kinds) { trace_kinds = kinds; }
void arch_reboot(void) { panic("reboot"); }
unsigned model_unmasked, model_ports;
void arch_irq_unmask(unsigned gsi) { model_unmasked += gsi != 0; }
void arch_ports_changed(void) { model_ports++; }

/* ---- chance (xorshift64*) ----------------------------------------------- */

void model_seed(uint64_t seed) { random_state = seed * 0x9e3779b97f4a7c15ul | 1; }

uint64_t model_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dul;
}

/* ---- what is allowed ---------------------------------------------------- */

static bool on_loan(const struct domain *d, uint64_t pfn, unsigned rights)
{
	for (unsigned t = 0; t < d->table_frames; t++) {
		const struct slot *s = pfn_to_virt(d->table[t]);

		for (unsigned i = 0; i < SLOTS_PER_FRAME; i++)
			if (s[i].type == EXO_T_FRAMES && pfn >= s[i].base && pfn - s[i].base < s[i].count &&
			    frames[pfn].owner == s[i].aux && (s[i].rights & rights) == rights)
				return true;
	}
	return false;
}

bool model_may_access(const struct domain *d, uint64_t pfn, bool write, bool exec)
{
	unsigned type;

	if (pfn == 0 || pfn >= MODEL_FRAMES)
		return false;
	type = frames[pfn].type;
	if (frames[pfn].owner == d->id)
		return type == EXO_F_DATA || (!write && type >= EXO_F_PT1 && type <= EXO_F_PT4);
	/* Who makes a page table of a frame that others read lets them read that. */
	if (type != EXO_F_DATA && (write || (type != EXO_F_EXPORT && (type < EXO_F_PT1 || type > EXO_F_PT4))))
		return false;
	return on_loan(d, pfn, EXO_R_READ | (write ? EXO_R_WRITE : 0) | (exec ? EXO_R_EXEC : 0));
}

bool model_entry_ok(const struct domain *d, unsigned level, unsigned index, uint64_t e)
{
	uint64_t pfn = (e & EXO_PTE_FRAME) >> 12;

	if (level == 4 && index >= 257 && index <= 263)
		return e == arch_kernel_pml4[index - 257];
	if (!(e & EXO_PTE_P))
		return arch_l1tf_safe || !(e & EXO_PTE_FRAME) || e & arch_pte_reserved;
	if (!(e & EXO_PTE_U) || e & (EXO_PTE_G | EXO_PTE_PWT | EXO_PTE_PCD) || pfn >= MODEL_FRAMES)
		return false;
	if (level == 1)
		return !(e & EXO_PTE_PS) && model_may_access(d, pfn, e & EXO_PTE_W, !(e & EXO_PTE_NX));
	if (level == 2 && e & EXO_PTE_PS) {
		if (pfn % 512)
			return false;
		for (unsigned i = 0; i < 512; i++)
			if (frames[pfn + i].owner != d->id || !model_may_access(d, pfn + i, e & EXO_PTE_W, true))
				return false;
		return true;
	}
	return !(e & EXO_PTE_PS) && frames[pfn].owner == d->id && frames[pfn].type == EXO_F_PT1 + level - 2;
}

void model_check_caches(void)
{
	for (unsigned c = 0; c < MODEL_CPUS; c++) {
		for (unsigned i = 0; i < TLB_ENTRIES; i++) {
			const struct translation *t = &cpus[c].tlb[i];

			for (unsigned p = 0; t->valid && p < (t->large ? 512u : 1u); p++)
				CHECK(model_may_access(domain_at(t->owner), t->pfn + p, t->writable, false),
					"cpu %u: stale translation %lx -> frame %lx%s", c, t->va, t->pfn + p,
					t->writable ? " writable" : "");
		}
		for (unsigned i = 0; i < PSC_ENTRIES; i++) {
			const struct structure *s = &cpus[c].psc[i];

			CHECK(!s->valid || (frames[s->pfn].type == EXO_F_PT1 + s->level - 1 &&
				frames[s->pfn].owner == s->owner),
				"cpu %u: stale structure entry level %u -> frame %lx", c, s->level, s->pfn);
		}
	}
}

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
	t.owner = m->cpu.root ? frames[m->cpu.root].owner : 0;
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
			.owner = frames[m->cpu.root].owner, .prefix = va >> shift_of(level) };
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

/* ---- arch.h ------------------------------------------------------------- */

void *phys_to_virt(uint64_t pa) { return model_memory + pa; }
struct cpu *this_cpu(void) { return &cpus[here].cpu; }
struct cpu *cpu_at(unsigned number) { return &cpus[number].cpu; }
void kernel_lock(void) { CHECK(!locked, "lock taken twice"); locked = true; }
void kernel_unlock(void) { CHECK(locked, "lock not held"); locked = false; }
uint64_t arch_now(void) { return model_time += 10; }
void arch_timer_arm(uint64_t when) { cpus[here].timer = when; }
void arch_kick(unsigned cpu) { cpus[cpu].kicked = true; }

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

/* Every store to a page table in use is checked, then the other CPUs get their chance. */
static void entry_stored(const uint64_t *e)
{
	uint64_t at = (const uint8_t *)e - model_memory, pfn = at >> 12;
	unsigned type = frames[pfn].type;

	if (type >= EXO_F_PT1 && type <= EXO_F_PT4)
		CHECK(model_entry_ok(domain_at(frames[pfn].owner), type - EXO_F_PT1 + 1, at / 8 % 512, *e),
			"entry %lu of table %lx (level %u) became %lx", at / 8 % 512, pfn,
			type - EXO_F_PT1 + 1, *e);
	model_race();
}

uint64_t pte_read(const uint64_t *e) { return *(const volatile uint64_t *)e; }

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

static void flush_all(struct machine_cpu *m)
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

/* ---- contexts on CPUs --------------------------------------------------- */

struct exo_regs *arch_current_regs(void) { return &cpus[here].regs; }
void arch_swap_gs(void) { }
void arch_segment_base(unsigned op, uint64_t base)
{
	uint64_t *bases[] = { &cpus[here].regs.fs_base, &cpus[here].regs.gs_base, &cpus[here].regs.kgs_base };

	*bases[op] = base;
}
void arch_tls_load(const uint64_t tls[4]) { memcpy(cpus[here].tls, tls, sizeof cpus[here].tls); }
const uint64_t *model_tls(unsigned cpu) { return cpus[cpu].tls; }

void arch_context_save(struct context *x)
{
	cpus[here].regs.in_user = x->in_user;
	memcpy(context_regs(x), &cpus[here].regs, sizeof(struct exo_regs));
}

bool arch_frame_sanitize(struct exo_regs *r)
{
	uint64_t cs = (r->cs & 0xffff) | 3, ss = (r->ss & 0xffff) | 3;

	if ((cs != 0x33 && cs != 0x23) || ss != 0x2b || (r->rip >> 47 && r->rip >> 47 != 0x1ffff))
		return false;
	r->cs = cs;
	r->ss = ss;
	r->rflags = (r->rflags & 0x240dd5) | 0x202;
	return true;
}

bool arch_root_load(struct context *x)
{
	struct cpu *c = this_cpu();
	uint32_t pfn = x->in_user ? x->root_u : x->root_k;

	c->root_claim = pfn;
	if (!root_loadable(x->domain, pfn)) {
		c->root_claim = c->root;
		return false;
	}
	if (c->root != pfn)
		flush_all(&cpus[here]);
	c->root = pfn;
	return true;
}

bool arch_context_load(struct context *x)
{
	struct exo_regs copy = *context_regs(x);

	if (!arch_frame_sanitize(&copy) || !arch_root_load(x))
		return false;
	cpus[here].regs = copy;
	return true;
}

bool arch_hand_over(struct cpu *c, struct context *from, struct context *x, uint64_t rip, uint64_t rsp)
{
	struct exo_regs *r = &cpus[here].regs, *s = context_regs(x), saved = *context_regs(from);

	if (!arch_root_load(x))
		return false;
	memcpy(&saved.rip, &r->rip, sizeof saved - offsetof(struct exo_regs, rip));
	saved.rax = EXO_OK;
	CHECK(c == this_cpu() && c->current == from, "who calls");
	*context_regs(from) = saved;
	r->rip = rip;
	r->rsp = rsp;
	r->rflags = 0x202;
	memcpy(&r->fs_base, &s->fs_base, 3 * sizeof r->fs_base);
	return true;
}

void arch_context_unload(void)
{
	flush_all(&cpus[here]);
	this_cpu()->root = this_cpu()->root_claim = 0;
}

void arch_context_reset(struct context *x)
{
	struct exo_regs *r = context_regs(x);

	memset(r, 0, EXO_PAGE_SIZE);
	r->cs = EXO_CS64;
	r->ss = EXO_SS;
	r->rflags = 0x202;
}

/* The slow way out, as in exo/arch/trap.c; a CPU without work idles. */
static void leave(void)
{
	struct cpu *c = this_cpu();

	for (unsigned i = 0; c->resched & EXO_RESCHED_PICK || !c->current || i == 0; i++) {
		if (c->resched & EXO_RESCHED_PICK || !c->current) {
			c->resched = 0;
			sched_pick();
		}
		if (!c->current)
			break;
		upcall_events();
		CHECK(i < 1000, "the way out does not end");
	}
}

void model_on(unsigned cpu) { here = cpu; }

struct result call(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f)
{
	struct call args = { .rdi = a, .rsi = b, .rdx = c, .r10 = d, .r8 = e, .r9 = f };
	struct result r;
	bool lock = number != EXO_CALL_NULL && number != EXO_CALL_RESUME && number != EXO_CALL_GATE_CALL;

	CHECK(this_cpu()->current, "call %u on idle CPU %u", number, here);
	if (lock)
		kernel_lock();
	r.status = call_dispatch(number, &args);
	r.value = args.rdx;
	model_check_caches();
	if (!lock)
		kernel_lock();
	upcall_fatal();
	leave();
	kernel_unlock();
	model_check_caches();
	return r;
}

bool model_kicked(unsigned cpu) { return cpus[cpu].kicked; }

void model_step(unsigned cpu)
{
	unsigned was = here;

	here = cpu;
	if (cpus[cpu].kicked) {
		cpus[cpu].kicked = false;
		this_cpu()->resched |= EXO_RESCHED_PICK;
		kernel_lock();
		leave();
		kernel_unlock();
	}
	here = was;
}

void model_step_all(void)
{
	for (unsigned i = 0; i < 2 * MODEL_CPUS; i++)
		model_step(i % MODEL_CPUS);
}

void model_timer(unsigned cpu)
{
	unsigned was = here;

	here = cpu;
	if (model_time >= cpus[cpu].timer) {
		cpus[cpu].timer = EXO_FOREVER;
		kernel_lock();
		sched_tick();
		leave();
		kernel_unlock();
	}
	here = was;
}

uint64_t model_timer_at(unsigned cpu) { return cpus[cpu].timer; }

void model_interrupt(void (*handler)(void *), void *arg)
{
	kernel_lock();
	handler(arg);
	leave();
	kernel_unlock();
}

bool model_run(unsigned cpu, struct domain *d)
{
	struct context *x = context_first(d);
	struct cpu *c = cpu_at(cpu);
	unsigned was = here;

	if (d->state != EXO_DS_ACTIVE)
		return false;
	while (x && (x->home != cpu || (x->running && x->cpu != cpu)))
		x = context_next(d, x);
	if (!x)
		return false;
	here = cpu;
	kernel_lock();
	if (x->state == EXO_CS_STOPPED && !x->running)
		sched_ready(x);
	c->slot_end = model_time + 1000000;
	c->donee = x;
	c->passed = true;
	c->resched |= EXO_RESCHED_PICK;
	leave();
	kernel_unlock();
	here = was;
	return c->current == x;
}

/* ---- boot --------------------------------------------------------------- */

struct domain *model_init(void) { return domain_at(domain_init_id); }

static void boot_frames(void)
{
	memset(frames, 0, sizeof frames);
	memset(regions, 0, sizeof regions);
	frame_tables_init(frames, regions, MODEL_FRAMES);
	for (unsigned i = 0; i < MODEL_KERNEL; i++)
		frame_set_type(i, EXO_F_KERNEL);
	for (unsigned i = 0; i < MODEL_EXPORTS; i++)
		frame_set_type(MODEL_EXPORT + i, EXO_F_EXPORT);
	for (unsigned i = MODEL_RAM; i < MODEL_RAM + 3; i++)
		frame_set_type(i, EXO_F_DATA);
}

static void boot_init(void)
{
	struct domain *d = domain_make(MODEL_RAM, MODEL_RAM + 1, NULL);
	struct context *x = frame_object_take(MODEL_RAM + 2);

	domain_init_id = d->id;
	for (unsigned i = MODEL_RAM; i < MODEL_RAM + 3; i++)
		frame_set_owner(i, d);
	frames_found(MODEL_RAM + 3, 1, d);
	frames_found(MODEL_RAM + 4, MODEL_FRAMES - MODEL_RAM - 4, d);
	/* A context by hand that makes the real ones by calls, and is gone again. */
	x->domain = d->id;
	this_cpu()->current = x;
	*(uint64_t *)model_window[0] = (MODEL_RAM + 3) << 8 | EXO_KIND_PT4;
	CHECK(call_dispatch(EXO_CALL_FRAME_RETYPE, &(struct call){ .rsi = WINDOW, .rdx = 1 }) == EXO_OK,
		"init's root");
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		uint64_t pfn = MODEL_RAM + 4 + 3 * i;
		struct call create = { .rsi = pfn, .rdx = pfn + 1, .r10 = pfn + 2, .r8 = i };

		CHECK(call_dispatch(EXO_CALL_CONTEXT_CREATE, &create) == EXO_OK, "init's context");
		context_at(pfn)->root_k = MODEL_RAM + 3;
		((uint8_t *)pfn_to_virt(pfn + 1))[offsetof(struct exo_control, mask)] = 1;
		sched_ready(context_at(pfn));
	}
	this_cpu()->current = NULL;
	frame_object_free(MODEL_RAM + 2);
}

void model_boot(uint64_t seed)
{
	model_seed(seed);
	memset(model_memory, 0, sizeof model_memory);
	memset(cpus, 0, sizeof cpus);
	memset(slices, 0, sizeof slices);
	flush_clock = 1;
	model_time = 1000;
	locked = false;
	model_disks_boot();
	model_nets_boot();
	boot_frames();
	for (here = 0; here < MODEL_CPUS; here++) {
		cpus[here].cpu.number = here;
		cpus[here].cpu.flushed = 1;
		sched_init_cpu(&cpus[here].cpu, &slices[here]);
		CHECK(this_cpu()->resched == EXO_RESCHED_PICK, "CPU %u looks for work", here);
	}
	here = 0;
	boot_init();
	for (unsigned i = 0; i < MODEL_CPUS; i++) {
		cpus[i].kicked = true;
		model_step(i);
	}
	CHECK(cpu_at(0)->current && cpu_at(3)->current, "init runs");
}
