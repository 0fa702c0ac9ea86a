/*
 * What a system call, a signal and preemption must leave alone: the red zone, all registers but
 * rax, rcx and r11, flags, SSE and AVX registers, MXCSR and the x87 control word.
 */
#include "test.h"
#include <sched.h>

#define PROCESSES 4

struct registers {
	uint64_t rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, rflags;
};

/* A leaf that keeps data below RSP across a raw system call. */
static long red_zone(long number)
{
	long wrong;

	__asm__ volatile(
		"movq $0x1111, -8(%%rsp); movq $0x2222, -64(%%rsp); movq $0x3333, -128(%%rsp)\n"
		"syscall\n"
		"xor %%edx, %%edx\n"
		"cmpq $0x1111, -8(%%rsp); je 1f; inc %%edx; 1:\n"
		"cmpq $0x2222, -64(%%rsp); je 1f; inc %%edx; 1:\n"
		"cmpq $0x3333, -128(%%rsp); je 1f; inc %%edx; 1:\n"
		: "=d"(wrong), "+a"(number)
		: "D"(0), "S"(0)
		: "rcx", "r11", "memory");
	return wrong;
}

/* Fills all registers with a pattern, makes a call, and stores what is left of them. */
static void registers_after(long number, struct registers *out)
{
	__asm__ volatile(
		"push %%rbp; push %%rbx; push %%rsi\n"
		"mov $0xb0b0, %%ebx; mov $0xd0d0, %%edx; mov $0x5050, %%esi; mov $0xd1d1, %%edi\n"
		"mov $0xbbbb, %%ebp; mov $0x8888, %%r8d; mov $0x9999, %%r9d; mov $0x1010, %%r10d\n"
		"mov $0x1212, %%r12d; mov $0x1313, %%r13d; mov $0x1414, %%r14d; mov $0x1515, %%r15d\n"
		"movabs $0x7000700070007000, %%rcx; add %%rcx, %%r15\n"
		"std; stc; syscall\n"
		"xchg %%rsi, (%%rsp); mov %%rbx, 0(%%rsi); mov %%rdx, 8(%%rsi)\n"
		"pop %%rbx; mov %%rbx, 16(%%rsi)\n"
		"mov %%rdi, 24(%%rsi); mov %%rbp, 32(%%rsi); mov %%r8, 40(%%rsi); mov %%r9, 48(%%rsi)\n"
		"mov %%r10, 56(%%rsi); mov %%r12, 64(%%rsi); mov %%r13, 72(%%rsi)\n"
		"mov %%r14, 80(%%rsi); mov %%r15, 88(%%rsi); pushf; pop %%rbx; mov %%rbx, 96(%%rsi)\n"
		"cld; pop %%rbx; pop %%rbp\n"
		: "+a"(number), "+S"(out)
		:
		: "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
		  "cc");
}

static void show_registers(const char *text, long number)
{
	struct registers r;

	registers_after(number, &r);
	printf("%s: rbx %lx rdx %lx rsi %lx rdi %lx rbp %lx r8 %lx r9 %lx r10 %lx\n", text, r.rbx,
	       r.rdx, r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10);
	printf("  r12 %lx r13 %lx r14 %lx r15 %lx carry %ld direction %ld interrupt %ld\n", r.r12,
	       r.r13, r.r14, r.r15, r.rflags & 1, r.rflags >> 10 & 1, r.rflags >> 9 & 1);
}

/* RCX and R11 after a call: the address behind it and the flags, as the instruction leaves. */
static void rcx_and_r11(void)
{
	uint64_t rcx, r11, behind;
	long nr = SYS_getppid;

	__asm__ volatile("syscall; 1: lea 1b(%%rip), %3"
			 : "=&c"(rcx), "+a"(nr), "=m"(r11), "=&r"(behind)
			 :
			 : "r11", "memory");
	TRUE(rcx == behind);
}

static int avx_present(void)
{
	uint32_t a = 1, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return (c & 1 << 28) && (c & 1 << 27);
}

/* Loads 16 vector registers, makes calls or spins, and counts the bytes that changed. */
static long vectors_hold(unsigned char seed, long spins, long number)
{
	unsigned char in[512] __attribute__((aligned(64))), out[512] __attribute__((aligned(64)));
	long wrong = 0;

	for (int i = 0; i < 512; i++)
		in[i] = seed + i * 7;
#define EACH(op, buf) \
	op(0, buf) op(1, buf) op(2, buf) op(3, buf) op(4, buf) op(5, buf) op(6, buf) op(7, buf) \
	op(8, buf) op(9, buf) op(10, buf) op(11, buf) op(12, buf) op(13, buf) op(14, buf) op(15, buf)
#define LOAD(n, buf) "vmovdqa " #n "*32(%[" #buf "]), %%ymm" #n "\n"
#define STORE(n, buf) "vmovdqa %%ymm" #n ", " #n "*32(%[" #buf "])\n"
	__asm__ volatile(EACH(LOAD, in)
			 "1: test %[nr], %[nr]; js 2f; mov %[nr], %%rax; syscall\n"
			 "2: dec %[spins]; jnz 1b\n"
			 EACH(STORE, out)
			 "vzeroupper\n"
			 : [spins] "+r"(spins)
			 : [in] "r"(in), [out] "r"(out), [nr] "r"(number)
			 : "rax", "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			   "xmm15");
	for (int i = 0; i < 512; i++)
		wrong += in[i] != out[i];
	return wrong;
}

/* Several processes with different contents compete for the CPUs. */
static void competition(void)
{
	int status, failed = 0;

	for (int p = 0; p < PROCESSES; p++) {
		if (fork_clean())
			continue;
		uint32_t mxcsr = 0x1f80 | p << 13, now;
		uint16_t control = 0x037f & ~(p << 10 & 0xc00), x87;
		int64_t end = now_ms() + 400;
		long wrong = 0;

		__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(control));
		while (now_ms() < end) {
			wrong += vectors_hold(p * 50, 20000, -1);
			wrong += vectors_hold(p * 50 + 1, 20, SYS_sched_yield);
			__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(now), "=m"(x87));
			wrong += (now & 0xe000) != (mxcsr & 0xe000) || x87 != control;
		}
		_exit(wrong ? 1 : 0);
	}
	while (wait(&status) > 0)
		failed += status != 0;
	printf("competing processes with damaged registers: %d\n", failed);
}

static volatile int handled;

static void spoil(int sig)
{
	uint32_t mxcsr = 0x7f80;

	(void)sig;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("vpxor %%ymm0, %%ymm0, %%ymm0; vpxor %%ymm15, %%ymm15, %%ymm15"
			 : : : "xmm0", "xmm15");
	__asm__ volatile("vzeroupper" : : : "memory");
	handled++;
}

/* A handler that uses the vector registers must not be seen by the code it interrupts. */
static void handlers(void)
{
	pid_t pid = getpid(), child;
	long wrong = 0;
	uint32_t mxcsr = 0;

	signal(SIGUSR1, spoil);
	child = fork_clean();
	if (!child) {
		for (int i = 0; i < 20; i++) {
			nap_ms(5);
			kill(pid, SIGUSR1);
		}
		_exit(0);
	}
	while (waitpid(child, NULL, WNOHANG) == 0)
		wrong += vectors_hold(33, 20000, -1);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	printf("handler seen: %ld bytes, rounding %x, handled %d\n", wrong, mxcsr & 0x6000,
	       handled > 0);
}

static void child_inherits(void)
{
	uint32_t mxcsr = 0x1f80 | 0x6000;
	int status;

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	if (fork_clean() == 0) {
		mxcsr = 0;
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		_exit((mxcsr & 0x6000) == 0x6000 ? 0 : 1);
	}
	wait(&status);
	show_status("child has the parent's MXCSR", status);
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

int main(void)
{
	SHOW(red_zone(SYS_getppid));
	SHOW(red_zone(SYS_sched_yield));
	SHOW(red_zone(9999));
	show_registers("getppid", SYS_getppid);
	show_registers("sched_yield", SYS_sched_yield);
	show_registers("unknown call", 9999);
	rcx_and_r11();
	if (!avx_present()) {
		printf("no AVX\n");
		return 1;
	}
	SHOW(vectors_hold(1, 100, SYS_getppid));
	SHOW(vectors_hold(2, 100, SYS_sched_yield));
	competition();
	handlers();
	child_inherits();
	return 0;
}
