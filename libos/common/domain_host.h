/* A domain of its own, as the POSIX libOS's /dev/domain needs it: made from an ELF image, joined to
 * its proxy by messages (domain_dev.h), listed, destroyed.
 *
 * Not for concurrent use: call everything here under one lock.  Left to the libOS: reading the
 * file, blocking (sleep until one of the event's bits comes, then look again), and permissions.
 */
#ifndef COMMON_DOMAIN_HOST_H
#define COMMON_DOMAIN_HOST_H

#include "disk_part.h"
#include "domain_dev.h"
#include "flows.h"
#include "proxy.h"
#include "spawn.h"

/* What the libOS lends for it. */
struct domain_host_config {
	uint64_t event;			/* reaches a context of the libOS; copied with SIGNAL only */
	uint64_t event_bits;		/* which of its bits to use: set when any domain has news */
	uint64_t slices;		/* capability to slots of one CPU, 0 = none to give */
	unsigned slot_first, slot_count;	/* its slots that may go to domains; at most 64 */
	uint64_t slot_ns;		/* length of each */
	unsigned cpu;			/* where domains start: the CPU of those slots */
};

/* What a domain gets beside its quota and its proxy: capabilities of the libOS, boot modules. */
struct domain_gifts {
	const struct spawn_cap *caps;
	unsigned cap_count;		/* at most DOMAIN_GIFTS */
	const struct exo_start_module *modules;
	unsigned module_count;
	const uint8_t *ip;		/* that the request's port is one of; NULL: any */
};
#define DOMAIN_GIFTS	8u

#define DOMAIN_EXTENTS	64u
struct domain_host {
	struct proxy_host proxy;
	struct elf_image elf;		/* refers to the image that was given: keep it */
	uint64_t domain, context, event, loan;	/* capabilities */
	uint64_t frames;		/* of the proxy: the first pfn */
	uint64_t object, table;
	struct exo_start_extent quota[DOMAIN_EXTENTS];
	uint64_t slots;			/* bits: slots of the config that it holds */
	struct flow_part port;		/* if it was given one */
	struct disk_part part;		/* likewise */
	struct spawn_cap disk;
	const struct domain_host_config *config;
	bool told;			/* DOMAIN_EXIT was read */
	int32_t pid;
	char name[28];
	struct domain_host *next;
};

/* Makes and starts a domain.  request: strings and image are passed beside it (its own pointers
 * are not looked at); gifts may be NULL.  0, or -errno with request->error filled; then *d is as
 * before. */
int domain_host_start(struct domain_host *d, const struct domain_host_config *config,
	struct domain_start *request, const void *image, size_t size, const char *strings,
	const struct domain_gifts *gifts, const char *name, int pid);
/* One message into buffer (DOMAIN_MESSAGE_MAX bytes): its size; 0: nothing now; -1: DOMAIN_EXIT was
 * read before, the end. */
long domain_host_read(struct domain_host *d, void *buffer);
/* One message of n bytes: how many of them it took (less only for DOMAIN_IN; a header alone counts
 * as nothing: -EAGAIN), or -EINVAL, -EPIPE (the domain has ended). */
long domain_host_write(struct domain_host *d, const void *message, size_t n);
#define DOMAIN_CAN_READ		1u
#define DOMAIN_CAN_WRITE	2u
/* What read and write (of DOMAIN_IN) would not refuse now; the event tells of changes. */
unsigned domain_host_poll(struct domain_host *d);
/* Destroys the domain and takes back what it held. */
void domain_host_close(struct domain_host *d);
/* Fills entries: this domain itself first.  How many there are. */
unsigned domain_host_list(struct domain_entry *entries, unsigned max);

#endif
