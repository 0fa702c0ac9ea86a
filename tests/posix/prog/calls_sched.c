/* Scheduling: policies, priorities, affinity, getcpu, membarrier. */
#include "test.h"
#include <sched.h>
#include <sys/resource.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))
#define NOBODY 999999

static void policies(void)
{
	struct sched_param p = { .sched_priority = 55 };
	struct timespec t = { -1, -1 };

	for (int policy = -1; policy <= 7; policy++) {
		printf("policy %d\n", policy);
		CALL(SYS_sched_get_priority_max, policy);
		CALL(SYS_sched_get_priority_min, policy);
	}
	CALL(SYS_sched_getscheduler, 0);
	CALL(SYS_sched_getscheduler, getpid());
	CALL(SYS_sched_getscheduler, NOBODY);
	CALL(SYS_sched_getscheduler, -1);
	CALL(SYS_sched_getparam, 0, &p);
	SHOW(p.sched_priority);
	CALL(SYS_sched_getparam, NOBODY, &p);
	CALL(SYS_sched_getparam, -1, &p);
	CALL(SYS_sched_getparam, 0, NULL);
	CALL(SYS_sched_getparam, 0, BAD);
	CALL(SYS_sched_setscheduler, 0, SCHED_OTHER, &p);
	CALL(SYS_sched_setscheduler, NOBODY, SCHED_OTHER, &p);
	CALL(SYS_sched_setscheduler, 0, SCHED_OTHER, BAD);
	CALL(SYS_sched_setscheduler, 0, 99, &p);
	CALL(SYS_sched_setparam, 0, &p);
	p.sched_priority = 1;
	CALL(SYS_sched_setparam, 0, &p);
	CALL(SYS_sched_setscheduler, 0, SCHED_OTHER, &p);
	CHECK(syscall(SYS_sched_rr_get_interval, 0, &t));
	CALL(SYS_sched_rr_get_interval, NOBODY, &t);
	CALL(SYS_sched_rr_get_interval, 0, BAD);
}

static void affinity(void)
{
	unsigned long mask[4] = { 0 };
	unsigned cpu = 99, node = 99;

	CALL(SYS_sched_getaffinity, 0, sizeof mask, mask);
	printf("first %ld\n", mask[0] & 1);
	CALL(SYS_sched_getaffinity, getpid(), 8, mask);
	CALL(SYS_sched_getaffinity, 0, 4, mask);
	CALL(SYS_sched_getaffinity, 0, 9, mask);
	CALL(SYS_sched_getaffinity, NOBODY, 8, mask);
	CALL(SYS_sched_getaffinity, 0, 8, BAD);
	CALL(SYS_sched_setaffinity, 0, 8, mask);
	CALL(SYS_sched_setaffinity, NOBODY, 8, mask);
	CALL(SYS_sched_setaffinity, 0, 8, BAD);
	mask[0] = 0;
	CALL(SYS_sched_setaffinity, 0, 8, mask);
	CALL(SYS_getcpu, &cpu, &node, NULL);
	printf("exists %d node %u\n", cpu < 64, node);
	CALL(SYS_getcpu, NULL, NULL, NULL);
	CALL(SYS_getcpu, BAD, NULL, NULL);
	CALL(SYS_getcpu, NULL, BAD, NULL);
}

static void priorities(void)
{
	CALL(SYS_setpriority, PRIO_PROCESS, 0, 5);
	CALL(SYS_getpriority, PRIO_PROCESS, 0);
	CALL(SYS_setpriority, PRIO_PROCESS, 0, 100);
	CALL(SYS_getpriority, PRIO_PROCESS, 0);
	CALL(SYS_setpriority, PRIO_PROCESS, NOBODY, 5);
	CALL(SYS_getpriority, PRIO_PROCESS, NOBODY);
	SHOW(setuid(1000));
	CALL(SYS_setpriority, PRIO_PROCESS, 0, 0);
}

static void barriers(void)
{
	TRUE(syscall(SYS_membarrier, 0, 0, 0) & 1);
	CALL(SYS_membarrier, 1, 0, 0);
	CALL(SYS_membarrier, 16, 0, 0);
	CALL(SYS_membarrier, 8, 0, 0);
	CALL(SYS_membarrier, 1, 99, 0);
	CALL(SYS_membarrier, 3, 0, 0);
	CALL(SYS_membarrier, 1 << 20, 0, 0);
	CALL(SYS_personality, 0xffffffff);
	CALL(SYS_personality, 0);
}

int main(void)
{
	policies();
	affinity();
	in_child("priorities", priorities);
	barriers();
	return 0;
}
