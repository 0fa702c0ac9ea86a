/* The neighbour of all hostile programs: an honest domain with patterns in everything that could
 * leak or be overwritten.  It looks at them all the time, and tells by its heart beating.
 */
#include "tests/hostile/hostile.h"

#define WORDS	4096u
#define FS_BASE	0x7e167b0f5000ul

static uint64_t memory[WORDS];
static const uint64_t vectors[4] = { 0x6e65696768626f75, 0x7220636f6e74656e, 0x7473206f66207665, 0x63746f7273212121 };

static void vectors_load(void)
{
	uint32_t control = 0x5f80;	/* rounding towards +infinity */
	uint16_t x87 = 0x67f;
	__asm__ volatile("movdqu 0(%0), %%xmm0\n movdqu 16(%0), %%xmm1\n movdqa %%xmm0, %%xmm7\n"
		"movdqa %%xmm1, %%xmm15\n ldmxcsr %1\n fldcw %2"
		: : "r"(vectors), "m"(control), "m"(x87) : "memory");
}

static bool vectors_same(void)
{
	uint64_t now[8];
	uint32_t control;
	uint16_t x87;
	__asm__ volatile("movdqu %%xmm0, 0(%2)\n movdqu %%xmm1, 16(%2)\n movdqu %%xmm7, 32(%2)\n"
		"movdqu %%xmm15, 48(%2)\n stmxcsr %0\n fnstcw %1"
		: "=m"(control), "=m"(x87) : "r"(now) : "memory");
	return !memcmp(now, vectors, 32) && !memcmp(now + 4, vectors, 16) && !memcmp(now + 6, vectors + 2, 16) &&
		control == 0x5f80 && x87 == 0x67f;
}

static bool bases_same(void)
{
	uint64_t fs, pkru = 0x0aaaaaa0;
	if (self->features & EXO_FEATURE_FSGSBASE) {
		__asm__ volatile("rdfsbase %0" : "=r"(fs));
		if (fs != FS_BASE)
			return false;
	}
	if (self->features & EXO_FEATURE_PKU)
		__asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(pkru) : "c"(0) : "edx");
	return pkru == 0x0aaaaaa0;
}

uint64_t neighbour_run(void)
{
	volatile uint64_t *heart = (uint64_t *)TEST_VA + 32;
	EXPECT(!pt_map(self->root, TEST_VA, told->loan_rw, 1, PTE_RW, start_cap(self, CAP_LOAN_RW)));
	for (unsigned i = 0; i < WORDS; i++)
		memory[i] = i * 0x9e3779b97f4a7c15;
	EXPECT(!exo_segment_set(EXO_SEG_FS, FS_BASE, 0).status);
	if (self->features & EXO_FEATURE_PKU)
		__asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(0x0aaaaaa0), "c"(0), "d"(0));
	vectors_load();
	for (;;) {
		EXPECT(vectors_same() && bases_same());
		for (unsigned i = 0; i < WORDS; i++)
			EXPECT(memory[i] == i * 0x9e3779b97f4a7c15);
		(*heart)++;
		nap(NS_PER_MS);
	}
}
