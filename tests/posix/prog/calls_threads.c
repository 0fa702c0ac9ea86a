/* What a thread library is built from: thread ids, the FS and GS bases, clear_tid, robust lists,
 * clone3. */
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))
#define OWNER_DIED 0x40000000
#define WAITERS 0x80000000
#define NOBODY 999999

enum { SET_GS = 0x1001, SET_FS, GET_FS, GET_GS };

static void bases(void)
{
	unsigned long fs = 0, again = 0, gs = 1, value = 0;

	CALL(SYS_arch_prctl, GET_FS, &fs);
	TRUE(fs != 0);
	CALL(SYS_arch_prctl, SET_FS, fs);
	CALL(SYS_arch_prctl, GET_FS, &again);
	TRUE(fs == again);
	CALL(SYS_arch_prctl, GET_GS, &gs);
	printf("gs %lx\n", gs);
	value = 0x1122334455667788;
	CALL(SYS_arch_prctl, SET_GS, &value);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	printf("through gs %lx\n", gs);
	CALL(SYS_arch_prctl, GET_GS, &gs);
	TRUE(gs == (unsigned long)&value);
	CALL(SYS_sched_yield);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	printf("through gs %lx\n", gs);
	CALL(SYS_arch_prctl, GET_FS, BAD);
	CALL(SYS_arch_prctl, SET_GS, 1ul << 63);
	CALL(SYS_arch_prctl, 0, 0);
}

static struct node {
	struct node *next;
	volatile uint32_t lock;
} node;

static struct {
	struct node *first;
	long offset;
	struct node *pending;
} head = { &node, offsetof(struct node, lock), NULL };

/* The list's lock is this thread's when it ends: it is marked so, and a waiter is woken. */
static void *owner(void *arg)
{
	int tid = syscall(SYS_gettid);

	(void)arg;
	TRUE(tid != getpid());
	node.next = (struct node *)&head;
	node.lock = tid | WAITERS;
	CALL(SYS_set_robust_list, &head, sizeof head);
	nap_ms(100);
	return NULL;
}

static void owner_dies(void)
{
	pthread_t t;
	uint32_t seen;

	pthread_create(&t, NULL, owner, NULL);
	while (!(seen = node.lock))
		sched_yield();
	syscall(SYS_futex, &node.lock, 0, seen, NULL, NULL, 0);
	printf("waited: owner died %d, waiters %d\n", !!(node.lock & OWNER_DIED),
	       !!(node.lock & WAITERS));
	pthread_join(t, NULL);
}

/* set_tid_address: the word is cleared, and a waiter woken, when the thread ends. */
static volatile int cleared = 1;

static void *clears(void *arg)
{
	(void)arg;
	TRUE(syscall(SYS_set_tid_address, &cleared) == syscall(SYS_gettid));
	nap_ms(100);
	syscall(SYS_exit, 0);
	return NULL;
}

static void thread_clears(void)
{
	pthread_t t;

	pthread_create(&t, NULL, clears, NULL);
	syscall(SYS_futex, &cleared, 0, 1, NULL, NULL, 0);
	SHOW(cleared);
}

static void lists(void)
{
	void *list = BAD;
	size_t size = 0;

	CALL(SYS_set_robust_list, &head, 24);
	CALL(SYS_set_robust_list, &head, 8);
	CALL(SYS_get_robust_list, 0, &list, &size);
	TRUE(list == &head && size == 24);
	CALL(SYS_get_robust_list, getpid(), &list, &size);
	CALL(SYS_get_robust_list, NOBODY, &list, &size);
	CALL(SYS_get_robust_list, 0, BAD, &size);
	CALL(SYS_get_robust_list, 0, &list, BAD);
	CALL(SYS_set_robust_list, NULL, 24);
}

static void ids(void)
{
	int self = getpid(), word = 1;

	TRUE(syscall(SYS_gettid) == self);
	TRUE(syscall(SYS_set_tid_address, &word) == self);
	TRUE(syscall(SYS_set_tid_address, NULL) == self);
}

/* clone3 as fork, and what it refuses. */
static void extended_clone(void)
{
	uint64_t a[16] = { [4] = SIGCHLD };	/* struct clone_args: flags, ..., exit_signal */
	int status;
	long pid;

	fflush(stdout);
	pid = syscall(SYS_clone3, a, 64);
	if (!pid)
		_exit(7);
	TRUE(waitpid(pid, &status, 0) == pid);
	show_status("clone3", status);
	CALL(SYS_clone3, a, 56);
	CALL(SYS_clone3, a, 8192);
	CALL(SYS_clone3, BAD, 64);
	a[15] = 1;
	CALL(SYS_clone3, a, 128);
	a[4] = 99;
	CALL(SYS_clone3, a, 64);
	a[4] = SIGCHLD;
	a[0] = SIGCHLD;
	CALL(SYS_clone3, a, 64);
	a[0] = 0;
	a[5] = 4096;				/* a stack without its size */
	CALL(SYS_clone3, a, 64);
}

int main(void)
{
	ids();
	extended_clone();
	bases();
	lists();
	owner_dies();
	thread_clears();
	return 0;
}
