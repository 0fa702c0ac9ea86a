/* Memory: the user's, with fix-ups where an access faults; pages; page-table entries; and
 * the functions that GCC calls by itself. */
#include "exo/arch/machine.h"

struct fixup { uint64_t at, to; };
extern const struct fixup ex_table_start[], ex_table_end[];

uint64_t ex_table_find(uint64_t rip)
{
	for (const struct fixup *f = ex_table_start; f < ex_table_end; f++)
		if (f->at == rip)
			return f->to;
	return 0;
}

/* ---- user memory ----------------------------------------------------------------- */

/* Neither a byte of the kernel's slots nor of the hole between the halves. */
bool user_range_ok(uint64_t va, size_t n)
{
	uint64_t last = va + (n ? n - 1 : 0);
	if (last < va || !user_canonical(va) || !user_canonical(last) || (va ^ last) >> 63)
		return false;
	return last < EXO_KERNEL_BASE || va >= EXO_KERNEL_END;
}

/* Words, then bytes; a fault ends it with RCX not zero. */
static bool copy(void *to, const void *from, size_t n)
{
	size_t words = n / 8, bytes = n % 8;
	SMAP_SITE(SMAP_STAC);
	__asm__ volatile("1: rep movsq\n mov %3, %0\n2: rep movsb\n3:\n"
		".pushsection __ex_table, \"a\"\n.quad 1b, 3b, 2b, 3b\n.popsection"
		: "+c"(words), "+D"(to), "+S"(from) : "r"(bytes) : "memory");
	SMAP_SITE(SMAP_CLAC);
	return !words;
}

/* Before an access with fix-up: addresses that are not canonical fault, so that only the
 * kernel's slots, which would not, are looked out for. */
static inline bool may_fault_only(uint64_t va, size_t n)
{
	return va + n >= va && (va + n <= EXO_KERNEL_BASE || va >= EXO_KERNEL_END);
}

bool user_read(void *to, uint64_t from, size_t n)
{
	return may_fault_only(from, n) && copy(to, (const void *)from, n);
}

bool user_write(uint64_t to, const void *from, size_t n)
{
	return may_fault_only(to, n) && copy((void *)to, from, n);
}

__attribute__((hot)) bool user_push_upcall(uint64_t sp, uint64_t info, uint64_t addr,
	uint64_t error, const uint64_t *state)
{
	uint64_t failed = 0, word;
	if (!may_fault_only(sp, sizeof(struct exo_upcall)))
		return false;
	SMAP_SITE(SMAP_STAC);
#define PUSH(n, from) #n ": mov " from ", 8 * (" #n " - 1)(%2)\n"
#define PUSH_STATE(n) "mov 8 * (" #n " - 4)(%6), %1\n" PUSH(n, "%1")
#define FAULT(n) ".quad " #n "b, 9f\n"
	__asm__ volatile(PUSH(1, "%3") PUSH(2, "%4") PUSH(3, "%5")
		PUSH_STATE(4) PUSH_STATE(5) PUSH_STATE(6) PUSH_STATE(7) PUSH_STATE(8)
		".pushsection __ex_table, \"a\"\n"
		FAULT(1) FAULT(2) FAULT(3) FAULT(4) FAULT(5) FAULT(6) FAULT(7) FAULT(8) ".popsection\n"
		".pushsection .text.fixup, \"ax\"\n9: mov $1, %0\njmp 10f\n.popsection\n10:\n"
		: "+r"(failed), "=&r"(word) : "r"(sp), "r"(info), "r"(addr), "r"(error), "r"(state) : "memory");
	SMAP_SITE(SMAP_CLAC);
	return !failed;
}

/* Word by word, into registers of the caller; what SYSCALL destroys anyway goes straight to where
 * it will be loaded from. */
bool user_read_resume(uint64_t from, struct exo_regs *r, struct resume_state *to)
{
	const struct exo_resume *f = (const void *)from;
	uint64_t failed = 0, word[9];
	if (!may_fault_only(from, sizeof *f))
		return false;
	SMAP_SITE(SMAP_STAC);
#define LOAD(n) __asm__ volatile("1: mov 8 * " #n "(%2), %0\n2:\n" \
	".pushsection __ex_table, \"a\"\n.quad 1b, 3f\n.popsection\n" \
	".pushsection .text.fixup, \"ax\"\n3: mov $1, %1\njmp 2b\n.popsection" \
	: "=&r"(word[n]), "+r"(failed) : "r"(f) : "memory")
	LOAD(0);
	r->rax = word[0];
	LOAD(1);
	r->r11 = word[1];
	LOAD(2);
	r->rcx = word[2];
	LOAD(3); LOAD(4); LOAD(5); LOAD(6); LOAD(7); LOAD(8);
	SMAP_SITE(SMAP_CLAC);
	*to = (struct resume_state){ word[3], word[4], word[5], word[6], word[7], word[8] };
	return !failed;
}

/* ---- pages and entries -------------------------------------------------------------- */

void page_zero(void *page)
{
	uint64_t n = PAGE / 8;
	__asm__ volatile("rep stosq" : "+c"(n), "+D"(page) : "a"(0ul) : "memory");
}

void page_copy(void *to, const void *from)
{
	uint64_t n = PAGE / 8;
	__asm__ volatile("rep movsq" : "+c"(n), "+D"(to), "+S"(from) : : "memory");
}

uint64_t pte_read(const uint64_t *e) { return __atomic_load_n(e, __ATOMIC_RELAXED); }
void pte_store(uint64_t *e, uint64_t value) { __atomic_store_n(e, value, __ATOMIC_RELEASE); }
uint64_t pte_exchange(uint64_t *e, uint64_t value)
{
	return __atomic_exchange_n(e, value, __ATOMIC_SEQ_CST);
}
bool pte_compare_set(uint64_t *e, uint64_t *expected, uint64_t value)
{
	return __atomic_compare_exchange_n(e, expected, value, false, __ATOMIC_SEQ_CST,
		__ATOMIC_SEQ_CST);
}

/* ---- for GCC -------------------------------------------------------------------------- */

#define USED __attribute__((used))

USED void *memcpy(void *to, const void *from, size_t n);
USED void *memmove(void *to, const void *from, size_t n);
USED void *memset(void *to, int c, size_t n);
USED int memcmp(const void *a, const void *b, size_t n);

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;
	size_t words = n / 8, bytes = n % 8;
	__asm__ volatile("rep movsq" : "+c"(words), "+D"(d), "+S"(from) : : "memory");
	__asm__ volatile("rep movsb" : "+c"(bytes), "+D"(d), "+S"(from) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	if ((uintptr_t)to - (uintptr_t)from >= n)
		return memcpy(to, from, n);
	uint8_t *d = (uint8_t *)to + n - 1;
	const uint8_t *s = (const uint8_t *)from + n - 1;
	__asm__ volatile("std; rep movsb; cld" : "+c"(n), "+D"(d), "+S"(s) : : "memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *d = to;
	__asm__ volatile("rep stosb" : "+c"(n), "+D"(d) : "a"(c) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}
