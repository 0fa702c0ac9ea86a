/* domains: lists the domains of this session, itself included. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include "libos/common/domain_dev.h"

#define MAX	4096

static const char *state_name(uint32_t state)
{
	static const char *const names[] = { "active", "stopped", "exited", "killed", "dying" };
	return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

int main(void)
{
	static struct domain_entry entry[MAX];
	struct domain_list list = { (uintptr_t)entry, MAX, 0 };
	int fd = open("/dev/domain", O_RDWR), n = fd < 0 ? -1 : ioctl(fd, DOMAIN_LIST, &list);
	if (n < 0) {
		fprintf(stderr, "domains: /dev/domain: %s\n", strerror(errno));
		return 1;
	}
	printf("%8s %8s %8s %6s %10s %-8s %6s %s\n", "ID", "PARENT", "FRAMES", "SLICES", "CPU-MS", "STATE",
		"PROXY", "NAME");
	for (int i = 0; i < n && i < MAX; i++)
		printf("%8lu %8lu %8lu %6u %10lu %-8s %6d %s\n", entry[i].id, entry[i].parent,
			entry[i].frames, entry[i].slices, entry[i].run_time / 1000000,
			state_name(entry[i].state), entry[i].pid, entry[i].name);
	return 0;
}
