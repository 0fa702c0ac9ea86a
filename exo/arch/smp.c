/* Several CPUs: starting them, the kernel lock, and shootdowns.
 *
 * Whoever holds the lock may ask others to flush, and waits for them; whoever spins on the
 * lock looks into its mailbox, so that no two wait for each other.  As only the holder
 * of the lock asks, a mailbox holds at most one request.
 */
#include "exo/arch/machine.h"

#define FLUSH_PAGES	32u		/* above it, all is flushed */
#define ANSWER_NS	60000000000ul	/* a CPU that is silent for so long is lost */
#define START_US	500000u
#define START_STEP_US	10u

/* ---- the lock (tickets: first come, first served) ---------------------------------
 *
 * A hypervisor may take the host's CPU from the very one whose turn it is, and all the others
 * wait for that one: with more CPUs than the host's a run took 20 s instead of 2.  Under a
 * hypervisor the next ticket is therefore only drawn when its turn has come: by who runs.
 */

static struct { volatile uint32_t next __attribute__((aligned(64))); volatile uint32_t serving; } lock;

static bool lock_try(void)
{
	uint32_t ticket = lock.serving;
	return __atomic_compare_exchange_n(&lock.next, &ticket, ticket + 1, false, __ATOMIC_ACQUIRE,
		__ATOMIC_RELAXED);
}

static bool lock_mine(uint32_t ticket)
{
	return cpu_is_virtual ? lock_try() : __atomic_load_n(&lock.serving, __ATOMIC_ACQUIRE) == ticket;
}

static void __attribute__((noinline)) lock_wait(void)
{
	uint32_t ticket = cpu_is_virtual ? 0 : __atomic_fetch_add(&lock.next, 1, __ATOMIC_RELAXED);
	while (!lock_mine(ticket)) {
		flush_serve();
		pause();
	}
}

void kernel_lock(void)
{
	if (RARE(!lock_try()))
		lock_wait();
}

void kernel_unlock(void)
{
	__asm__ volatile("incl %0" : "+m"(lock.serving) : : "memory");	/* by the holder alone */
}

/* ---- shootdown ----------------------------------------------------------------------- */

void flush_local(uint64_t va, uint64_t pages)
{
	if (pages && pages <= FLUSH_PAGES) {
		for (; pages; pages--, va += PAGE)
			__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
		return;
	}
	this_cpu()->flushed = flush_clock;	/* read before the flush that it stands for */
	WRITE_CR(3, READ_CR(3));
}

void flush_serve(void)
{
	struct mailbox *m = &cpu_arch(this_cpu())->mailbox;
	if (!__atomic_load_n(&m->full, __ATOMIC_ACQUIRE))
		return;
	flush_local(m->va, m->pages);
	__atomic_store_n(&m->full, 0, __ATOMIC_RELEASE);
}

static void await_answer(struct cpu_arch *c)
{
	uint64_t end = arch_now() + ANSWER_NS;
	while (__atomic_load_n(&c->mailbox.full, __ATOMIC_ACQUIRE)) {
		if (arch_now() > end)
			panic("CPU %u does not answer", c->core.number);
		pause();
	}
}

void arch_flush(uint64_t cpus, uint64_t va, uint64_t pages)
{
	unsigned self = this_cpu()->number;
	uint64_t others = cpus & ~(1ul << self);
	for (uint64_t m = others; m; m &= m - 1) {
		struct cpu_arch *c = cpu_arch(cpu_at(__builtin_ctzl(m)));
		c->mailbox.va = va;
		c->mailbox.pages = pages;
		__atomic_store_n(&c->mailbox.full, 1, __ATOMIC_SEQ_CST);
		apic_ipi(c->apic_id, VEC_FLUSH);
	}
	if (cpus >> self & 1)
		flush_local(va, pages);
	for (uint64_t m = others; m; m &= m - 1)
		await_answer(cpu_arch(cpu_at(__builtin_ctzl(m))));
	if (others)
		trace(EXO_TR_SHOOTDOWN, 0, cpus, pages);
}

void arch_kick(unsigned cpu)
{
	apic_ipi(cpu_arch(cpu_at(cpu))->apic_id, VEC_KICK);
}

/* ---- starting the others ---------------------------------------------------------------- */

/* The words at the end of ap_code (boot.S). */
struct ap_data {
	uint32_t cr4, root;
	uint16_t gdt_limit;
	uint32_t gdt;
	uint16_t pad;
	uint32_t jump;
	uint16_t selector, pad2;
	uint64_t stack, entry, argument;
} __attribute__((packed));
extern char ap_code[];
extern const uint32_t ap_long_offset, ap_gdt_offset, ap_data_offset, ap_code_size;
static volatile bool released;

static void cpu_start(struct cpu_arch *c)
{
	WRITE_CR(3, kernel_root << EXO_PAGE_SHIFT);
	cpu_init(c);
	apic_init_cpu();
	__atomic_store_n(&c->online, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		pause();
	schedule_forever();
}

/* A frame below 640 KiB that the memory map calls RAM; 0: none. */
static uint64_t low_page(void)
{
	for (uint64_t p = 0x8000; p < 0xa0000; p += PAGE)
		for (unsigned i = 0; i < boot_info.ram.count; i++)
			if (p >= boot_info.ram.at[i].base && p + PAGE <= boot_info.ram.at[i].end)
				return p;
	log_print("cpu: no memory below 640 KiB: other CPUs cannot be started\n");
	return 0;
}

static struct ap_data *prepare(uint64_t page)
{
	extern char boot_pml4[];
	uint8_t *code = phys_to_virt(page);
	struct ap_data *d = (struct ap_data *)(code + ap_data_offset);
	__builtin_memcpy(code, ap_code, ap_code_size);
	d->cr4 = cpu_cr4 & 0x20;		/* PAE; the rest in cpu_init */
	d->root = image_phys(boot_pml4);
	d->gdt = page + ap_gdt_offset;
	d->jump = page + ap_long_offset;
	d->entry = (uint64_t)cpu_start;
	return d;
}

/* 64-bit CPUs need no pause after INIT; the second start is for the very old among them. */
static bool start(struct cpu_arch *c, struct ap_data *d, uint64_t page)
{
	d->stack = c->core.stack_top;
	d->argument = (uint64_t)c;
	apic_ipi(c->apic_id, IPI_INIT);
	for (unsigned i = 0; i < 2 && !c->online; i++) {
		apic_ipi(c->apic_id, IPI_STARTUP | page >> EXO_PAGE_SHIFT);
		for (unsigned waited = 0; !c->online && waited < START_US; waited += START_STEP_US)
			wait_us(START_STEP_US);
	}
	return c->online;
}

/* A CPU that does not come is left out; its number goes to the next one. */
void smp_init(void)
{
	uint64_t page = acpi.cpus > 1 ? low_page() : 0;
	if (!page)
		return;
	/* The page may hold a module, as GRUB under UEFI has it: it is lent. */
	void *lent = phys_to_virt(page), *saved = phys_to_virt(early_alloc(PAGE, PAGE));
	page_copy(saved, lent);
	struct ap_data *d = prepare(page);
	for (unsigned i = 1; i < acpi.cpus; i++) {
		struct cpu_arch *c = cpu_arch(cpu_at(cpu_count));
		c->apic_id = acpi.cpu[i];
		if (start(c, d, page))
			cpu_count++;
		else
			log_print("cpu: the CPU with APIC id %u does not start\n", acpi.cpu[i]);
	}
	if (cpu_count == acpi.cpus)	/* nobody can still be on his way through it */
		page_copy(lent, saved);
	log_print("cpu: %u running\n", cpu_count);
}

void smp_release(void)
{
	__atomic_store_n(&released, true, __ATOMIC_RELEASE);
}
