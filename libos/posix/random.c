/* Random bytes: ChaCha20 keyed at start from RDRAND and the time stamp counter, or from the
 * command line (seed=N), which makes a run repeatable.
 *
 * After each request the key is replaced by output (fast key erasure), so that what was given
 * cannot be computed from the state.
 */
#include "libos/posix/process.h"
#include "libos/posix/syscall.h"

#define GRND_FLAGS	7ul
#define PART		256		/* bytes made at a time for user memory */

static uint32_t key[8];

static uint32_t rotate(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b; *d = rotate(*d ^ *a, 16);
	*c += *d; *b = rotate(*b ^ *c, 12);
	*a += *b; *d = rotate(*d ^ *a, 8);
	*c += *d; *b = rotate(*b ^ *c, 7);
}

static void block(uint64_t counter, uint32_t out[16])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	memcpy(in + 4, key, sizeof key);
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter >> 32);
	memcpy(out, in, sizeof in);
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned j = 0; j < 4; j++)
			quarter(&out[j], &out[4 + j], &out[8 + j], &out[12 + j]);
		for (unsigned j = 0; j < 4; j++)
			quarter(&out[j], &out[4 + (j + 1) % 4], &out[8 + (j + 2) % 4], &out[12 + (j + 3) % 4]);
	}
	for (unsigned i = 0; i < 16; i++)
		out[i] += in[i];
}

void random_bytes(void *to, size_t n)
{
	uint32_t out[16];
	uint8_t *p = to;
	for (uint64_t counter = 1; n; counter++) {
		size_t part = n < sizeof out ? n : sizeof out;
		block(counter, out);
		memcpy(p, out, part);
		p += part;
		n -= part;
	}
	block(0, out);
	memcpy(key, out, sizeof key);
}

static bool has_rdrand(void)
{
	uint32_t a = 1, b, c = 0, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 30 & 1;
}

static uint64_t entropy(bool rdrand)
{
	uint64_t value = 0;
	uint32_t lo, hi;
	if (rdrand)
		__asm__ volatile("rdrand %0" : "=r"(value) : : "cc");
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return value ^ ((uint64_t)hi << 32 | lo) ^ time_wall();
}

void random_init(const char *seed)
{
	uint32_t out[16];
	bool rdrand = has_rdrand();
	for (unsigned i = 0; i < 4; i++) {
		uint64_t word = 0;
		if (!seed)
			word = entropy(rdrand);
		for (const char *c = seed; c && *c; c++)
			word = (word + (uint8_t)*c + i) * 0x9e3779b97f4a7c15ul;
		memcpy(key + 2 * i, &word, sizeof word);
	}
	block(0, out);
	memcpy(key, out, sizeof key);
}

CALL3(getrandom, to, n, flags)
{
	uint8_t part[PART];
	size_t done = 0;
	if (flags & ~GRND_FLAGS)
		return -EINVAL;
	n = n < INT32_MAX ? n : INT32_MAX;
	while (done < n) {
		size_t size = n - done < PART ? n - done : PART;
		random_bytes(part, size);
		if (copy_to_user(to + done, part, size))
			return done ? (long)done : -EFAULT;
		done += size;
	}
	return (long)done;
}
