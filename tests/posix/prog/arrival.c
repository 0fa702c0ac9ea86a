/*
 * A timer's signal may arrive at any instruction: of the program, of a system call, and of the way
 * back from one. Under -icount a timer hits the very instruction that it was set for, so arrivals
 * a few nanoseconds apart visit them all.
 */
#include "test.h"

#define STEPS		8000
#define CALLS_MIN	20		/* further system calls, after that of the timer */

static volatile sig_atomic_t came;

static void on_signal(int signal)
{
	(void)signal;
	came++;
}

/* Sets a timer, and calls until its signal has come. */
static long arrive(timer_t timer, long ns)
{
	struct itimerspec at = { .it_value.tv_nsec = ns };
	sig_atomic_t before = came;
	long parent = getppid(), wrong = timer_settime(timer, 0, &at, NULL);

	for (int i = 0; i < CALLS_MIN || came == before; i++)
		wrong |= syscall(SYS_getppid) ^ parent;
	return wrong;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	long wrong = 0;
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer)) {
		perror("timer_create");
		return 1;
	}
	for (long ns = 1; ns <= STEPS; ns++)
		wrong |= arrive(timer, ns);
	printf("signals: %d, wrong results: %s\n", (int)came, wrong ? "some" : "none");
	return 0;
}
