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

static bool canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* Neither a byte of the kernel's slots nor of the hole between the halves. */
bool user_range_ok(uint64_t va, size_t n)
{
	uint64_t last = va + (n ? n - 1 : 0);
	if (last < va || !canonical(va) || !canonical(last) || (va ^ last) >> 63)
		return false;
	return last < EXO_KERNEL_BASE || va >= EXO_KERNEL_END;
}

/* Words, then bytes; a fault ends it with RCX not zero. */
static bool copy(void *to, const void *from, size_t n)
{
	size_t words = n / 8, bytes = n % 8;
	if (cpu_has_smap)
		__asm__ volatile("stac");
	__asm__ volatile("1: rep movsq\n mov %3, %0\n2: rep movsb\n3:\n"
		".pushsection __ex_table, \"a\"\n.quad 1b, 3b, 2b, 3b\n.popsection"
		: "+c"(words), "+D"(to), "+S"(from) : "r"(bytes) : "memory");
	if (cpu_has_smap)
		__asm__ volatile("clac");
	return !words;
}

bool user_read(void *to, uint64_t from, size_t n)
{
	return user_range_ok(from, n) && copy(to, (const void *)from, n);
}

bool user_write(uint64_t to, const void *from, size_t n)
{
	return user_range_ok(to, n) && copy((void *)to, from, n);
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
USED int __popcountdi2(int64_t v);

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;
	__asm__ volatile("rep movsb" : "+c"(n), "+D"(d), "+S"(from) : : "memory");
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

int __popcountdi2(int64_t v)
{
	int n = 0;
	for (uint64_t u = v; u; u &= u - 1)
		n++;
	return n;
}
