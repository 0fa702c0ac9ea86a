/* A demultiplexer with memory for filters and code on the host, and a count of the instructions
 * that its code executes, by single steps. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "net_test.h"

static bool build(struct demux *d)
{
	struct bench *b = (struct bench *)((char *)d - offsetof(struct bench, d));

	CHECK(!mprotect(b->code, DEMUX_CODE, PROT_READ | PROT_WRITE), "mprotect");
	b->code_size = demux_compile(d, b->code, DEMUX_CODE);
	CHECK(!mprotect(b->code, DEMUX_CODE, PROT_READ | PROT_EXEC), "mprotect");
	d->run = (demux_fn *)(void *)b->code;
	return b->code_size;
}

void bench_make(struct bench *b, uint32_t filters)
{
	*b = (struct bench){ .filters = filters, .heads_log = 4 };
	while (1u << b->heads_log < 4 * filters)
		b->heads_log++;
	b->heads = calloc(1u << b->heads_log, sizeof *b->heads);
	b->filter = calloc(filters + 1, sizeof *b->filter);
	b->code = mmap(NULL, DEMUX_CODE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(b->code != MAP_FAILED, "mmap");
	demux_init(&b->d, b->heads, b->heads_log, filters, random_word);
	b->d.build = build;
	CHECK(build(&b->d), "no code");
}

void bench_free(struct bench *b)
{
	munmap(b->code, DEMUX_CODE);
	free(b->filter);
	free(b->heads);
}

static bool may(const struct filter *f, const struct filter *other, void *with)
{
	(void)f, (void)other, (void)with;
	return true;
}

enum demux_status bench_insert(struct bench *b, const struct cube *c, uint32_t owner, uint32_t *name)
{
	enum demux_status status;
	uint32_t i = 1;

	while (i <= b->filters && b->filter[i].live)
		i++;
	if (i > b->filters)
		i = 0;
	b->filter[i].cube = *c;
	b->filter[i].owner = owner;
	status = demux_insert(&b->d, &b->filter[i], may, NULL);
	*name = status ? 0 : i;
	return status;
}

/* Exactly as many bytes as the packet has, so that a load beyond them is found: the code is not
 * instrumented, but a page that cannot be read follows. */
static uint8_t *edge(void)
{
	static uint8_t *end;

	if (!end) {
		uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(p != MAP_FAILED && !mprotect(p + 4096, 4096, PROT_NONE), "mmap");
		end = p + 4096;
	}
	return end;
}

static uint32_t bench_name(const struct bench *b, const struct filter *f) { return f ? f - b->filter : 0; }

uint32_t bench_plain(const struct bench *b, const struct packet *p)
{
	return bench_name(b, demux_plain(&b->d, p->byte, p->length));
}

uint32_t bench_run(const struct bench *b, const struct packet *p)
{
	uint8_t *frame = edge() - p->length;

	memcpy(frame, p->byte, p->length);
	return bench_name(b, b->d.run(frame, p->length));
}

static volatile uintptr_t count_lo, count_hi;
static volatile unsigned count;

static void step(int signal, siginfo_t *info, void *context)
{
	uintptr_t rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)signal, (void)info;
	count += rip >= count_lo && rip < count_hi;
}

unsigned bench_count(const struct bench *b, const struct packet *p)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO }, old;
	uint8_t *frame = edge() - p->length;
	uint64_t di = (uintptr_t)frame, si = p->length;

	memcpy(frame, p->byte, p->length);
	count = 0;
	count_lo = (uintptr_t)b->code;
	count_hi = count_lo + b->code_size;
	sigaction(SIGTRAP, &action, &old);
	__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; call *%2;"
		"pushfq; andq $~0x100, (%%rsp); popfq; add $128, %%rsp"
		: "+D"(di), "+S"(si) : "r"(b->d.run)
		: "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
	sigaction(SIGTRAP, &old, NULL);
	return count;
}
