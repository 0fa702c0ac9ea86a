/* Signals to threads and with values: tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo;
 * taking them back: rt_sigpending, rt_sigtimedwait, rt_sigsuspend. */
#include "test.h"

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))
#define NOBODY 999999

static volatile int hits;
static siginfo_t last;

static void record(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	hits++;
	last = *info;
}

static void show_last(void)
{
	printf("hits %d: %s code %d, mine %d, value %d\n", hits, strsignal(last.si_signo),
	       last.si_code, last.si_pid == getpid(),
	       last.si_code == SI_QUEUE ? last.si_value.sival_int : 0);
}

static void to_threads(void)
{
	int pid = getpid(), tid = syscall(SYS_gettid);

	CALL(SYS_tkill, tid, SIGUSR1);
	show_last();
	CALL(SYS_tkill, tid, 0);
	CALL(SYS_tkill, tid, 65);
	CALL(SYS_tkill, 0, SIGUSR1);
	CALL(SYS_tkill, -1, SIGUSR1);
	CALL(SYS_tkill, NOBODY, SIGUSR1);
	CALL(SYS_tgkill, pid, tid, SIGUSR1);
	show_last();
	CALL(SYS_tgkill, pid, tid, 0);
	CALL(SYS_tgkill, pid, tid, -1);
	CALL(SYS_tgkill, 1, tid, SIGUSR1);
	CALL(SYS_tgkill, pid, NOBODY, SIGUSR1);
	CALL(SYS_tgkill, 0, tid, SIGUSR1);
	CALL(SYS_tgkill, pid, 0, SIGUSR1);
}

static void with_values(void)
{
	int pid = getpid(), tid = pid;
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };

	info.si_pid = pid;
	info.si_value.sival_int = 1234;
	CALL(SYS_rt_sigqueueinfo, pid, SIGUSR2, &info);
	show_last();
	CALL(SYS_rt_tgsigqueueinfo, pid, tid, SIGUSR1, &info);
	show_last();
	CALL(SYS_rt_sigqueueinfo, pid, SIGUSR2, BAD);
	CALL(SYS_rt_sigqueueinfo, pid, 65, &info);
	CALL(SYS_rt_sigqueueinfo, NOBODY, SIGUSR2, &info);
	CALL(SYS_rt_tgsigqueueinfo, pid, NOBODY, SIGUSR1, &info);
	CALL(SYS_rt_tgsigqueueinfo, pid, 0, SIGUSR1, &info);
	CALL(SYS_rt_tgsigqueueinfo, 0, tid, SIGUSR1, &info);
	CALL(SYS_rt_tgsigqueueinfo, pid, tid, 65, &info);
	CALL(SYS_rt_tgsigqueueinfo, pid, tid, SIGUSR1, BAD);
	info.si_code = SI_USER;
	CALL(SYS_rt_sigqueueinfo, getppid(), 0, &info);
	info.si_code = SI_TKILL;
	CALL(SYS_rt_tgsigqueueinfo, getppid(), getppid(), 0, &info);
	info.si_code = SI_QUEUE;
	CALL(SYS_rt_sigqueueinfo, getppid(), 0, &info);
}

static void pending(void)
{
	uint64_t block = 1ul << (SIGUSR1 - 1), set = 0, none = 0;

	CALL(SYS_rt_sigprocmask, SIG_SETMASK, &block, NULL, 8);
	raise(SIGUSR1);
	CALL(SYS_rt_sigpending, &set, 8);
	printf("pending %lx\n", (long)set);
	CALL(SYS_rt_sigpending, &set, 16);
	CALL(SYS_rt_sigpending, &set, 4);
	CALL(SYS_rt_sigtimedwait, &block, NULL, BAD, 8);
	CALL(SYS_rt_sigtimedwait, &block, NULL, NULL, 8);
	CALL(SYS_rt_sigpending, &set, 8);
	printf("pending %lx\n", (long)set);
	raise(SIGUSR1);
	hits = 0;
	CALL(SYS_rt_sigsuspend, &none, 8);
	SHOW(hits);
	CALL(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = record, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	to_threads();
	with_values();
	pending();
	return 0;
}
