/* The guest kernel's side: hypercalls, and the probe's cases. */
#ifndef PROBE_GUEST_H
#define PROBE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include "exo/abi/abi.h"
#include "tests/pvprobe/probe.h"

enum user_entry { U_ECHO, U_GS, U_SPIN, U_PEEK, U_SELECTORS, U_COMPAT };

void user_run(struct guest_trap *t);
_Noreturn void user_leave(void);
void root_switch(uint64_t root);
void echo(uint64_t reg[12]);
uint64_t poke(uint64_t va, uint64_t v);
void guest_trap(struct guest_trap *t);
_Noreturn void guest_main(const struct probe_info *info);
extern char poke_insn[], poke_fault[];

static inline uint64_t hypercall(uint64_t n, uint64_t a, uint64_t b, uint64_t *c)
{
	uint64_t rdx = c ? *c : 0;
	__asm__ volatile("syscall" : "+a"(n), "+d"(rdx) : "D"(a), "S"(b) : "rcx", "r11", "memory");
	if (c)
		*c = rdx;
	return n;
}

/* Prepares user code: `entry`, all general registers with their patterns. */
void user_prepare(struct guest_trap *t, enum user_entry entry);
/* Runs it until it traps; t: what it trapped with. */
void user_go(struct guest_trap *t);

/* Page i of the pool, and its entry in the pool's page table, as mapped read-only. */
static inline volatile uint64_t *pool(unsigned i) { return (uint64_t *)(GUEST_POOL + i * 4096ul); }
#define POOL_TABLE	((volatile uint64_t *)GUEST_TABLES)
#define ROOT_VIEW	((volatile uint64_t *)(GUEST_TABLES + 4096))

/* What the last event and the last fault of `poke` were. */
extern volatile unsigned events;
extern struct guest_trap event_trap, poke_trap;
extern const struct probe_info *info;

/* The cases: NULL, or what was wrong. */
const char *case_pte_mov(void);
const char *case_pte_xchg(void);
const char *case_pte_cmpxchg(void);
const char *case_pte_and(void);
const char *case_pte_btr(void);
const char *case_pte_refused(void);
const char *case_mmu_update(void);
const char *case_tables(void);
const char *case_root_switch(void);

#endif
