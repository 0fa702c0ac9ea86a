/*
 * Programs that go where nothing is: jumps, handlers, returns from signals, stacks and programs'
 * entries at addresses of nobody, of the system, and of no kind; and single steps over system
 * calls. A child each; whatever becomes of it, the session goes on.
 */
#include "test.h"
#include <elf.h>
#include <ucontext.h>

static const uint64_t nowhere[] = {
	8, 0x7ffffffff000, 0x100000000000000, 0x8000000000000000, 0xffff800000000000,
	0xffff83fffffff000, 0xffffffff81000000, 0xfffffffffffffffe,
};
static uint64_t target;
static char other_stack[32768];
static volatile int steps;

static void report(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	printf("  caught %s code %d, there %d\n", strsignal(sig), info->si_code,
	       (uint64_t)u->uc_mcontext.gregs[REG_RIP] == target);
	_exit(7);
}

static void action(int sig, void (*f)(int, siginfo_t *, void *))
{
	struct sigaction a = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaction(sig, &a, NULL);
}

static void jump(void)
{
	((void (*)(void))(uintptr_t)target)();
}

static void jump_caught(void)
{
	stack_t s = { .ss_sp = other_stack, .ss_size = sizeof other_stack };

	sigaltstack(&s, NULL);
	action(SIGSEGV, report);
	action(SIGBUS, report);
	jump();
}

static void handler(void)
{
	signal(SIGUSR1, (void (*)(int))(uintptr_t)target);
	raise(SIGUSR1);
}

static void new_rip(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)target;
}

static void new_rsp(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP] = (greg_t)target;
}

static void return_there(void)
{
	action(SIGUSR1, new_rip);
	raise(SIGUSR1);
}

static void return_with_stack(void)
{
	action(SIGUSR1, new_rsp);
	raise(SIGUSR1);
}

static void stack(void)
{
	__asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(target) : "memory");
}

/* This program with another entry. */
static void entry(void)
{
	static char file[4 << 20];
	int from = open("/proc/self/exe", O_RDONLY), to = open("other", O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n = read(from, file, sizeof file);

	((Elf64_Ehdr *)file)->e_entry = target;
	write(to, file, (size_t)n);
	close(to);
	execl("./other", "other", NULL);
	perror("execl");
}

static void run(const char *text, void (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		f();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s %lx: %s\n", text, target, strsignal(WTERMSIG(status)));
	else
		printf("%s %lx: status %d\n", text, target, WEXITSTATUS(status));
}

/* ---- single steps ---- */

static void step(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	steps++;
	if (info->si_code != TRAP_TRACE)
		printf("code %d\n", info->si_code);
}

#define STEPPED(number, first) \
	__asm__ volatile("pushf; orl $0x100, (%%rsp); popf;" first "syscall; nop; nop;" \
			 "pushf; andl $~0x100, (%%rsp); popf" \
			 : "+a"(number) : : "rcx", "r11", "memory", "cc")

static void stepped(void)
{
	long pid = SYS_getpid, child = SYS_fork, bad = 100000;
	int status;

	action(SIGTRAP, step);
	STEPPED(pid, "nop;");
	printf("getpid: %d, steps %d\n", pid == getpid(), steps);
	steps = 0;
	STEPPED(bad, "");
	printf("no call: %ld, steps %d\n", bad, steps);
	steps = 0;
	STEPPED(child, "");
	if (!child)
		_exit(3);
	waitpid((pid_t)child, &status, 0);
	printf("fork: steps %d, child %d\n", steps, WEXITSTATUS(status));
}

/* Flags that are odd for a system, kept over many calls while events come. */
static void nested_task(void)
{
	uint64_t flags = 0;

	for (long i = 0; i < 300000; i++) {
		long number = SYS_getppid;

		__asm__ volatile("pushf; orl $0x44000, (%%rsp); popf; syscall; pushf; pop %1;"
				 "pushf; andl $~0x44000, (%%rsp); popf"
				 : "+a"(number), "=r"(flags) : : "rcx", "r11", "memory", "cc");
	}
	printf("nested task and alignment flags: %lx\n", flags & 0x44000);
}

int main(void)
{
	for (size_t i = 0; i < COUNT(nowhere); i++) {
		target = nowhere[i];
		run("jump", jump);
		run("jump caught", jump_caught);
		run("handler", handler);
		run("return", return_there);
		run("return with stack", return_with_stack);
		run("stack", stack);
		run("entry", entry);
	}
	target = 0;
	run("stepped", stepped);
	run("nested task", nested_task);
	return 0;
}
