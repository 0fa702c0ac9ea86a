/* /dev/domain: how a program of the POSIX session (the proxy process) starts a domain and is its
 * proxy.  Used by libos/posix and by apps/domain; only fixed-width types.  docs/proxy.md explains.
 *
 *	fd = open("/dev/domain", O_RDWR);
 *	ioctl(fd, DOMAIN_START, &start);
 *	read(fd, buffer, DOMAIN_MESSAGE_MAX)	one message to the proxy; blocks, or EAGAIN
 *	write(fd, message, size)		one message to the domain; DOMAIN_IN may take less
 *						than its payload (the result counts the header)
 *	poll(fd)	POLLIN: a message; POLLOUT: DOMAIN_IN would take something
 *	close(fd)	destroys the domain
 */
#ifndef COMMON_DOMAIN_DEV_H
#define COMMON_DOMAIN_DEV_H

#include <stdint.h>

/* ioctl numbers: 'V', plain (arguments by pointer). */
#define DOMAIN_START	0x5601ul	/* struct domain_start; 0 or -errno, `error` filled */
#define DOMAIN_LIST	0x5602ul	/* struct domain_list; how many domains there are */

#define DOMAIN_RANGES	16u
#define DOMAIN_PORT_MAX	49151u		/* those above are the first session's own */
struct domain_start {
	int32_t image;			/* descriptor of the program's ELF file; posix: none */
	uint32_t slices;		/* slots of CPU time of its own; 0: what others leave */
	uint64_t memory;		/* bytes of its quota; 0: DOMAIN_MEMORY */
	uint64_t strings;		/* address of argc + envc zero-terminated strings */
	uint32_t strings_size, argc, envc;
	uint16_t rows, columns;		/* of the terminal, 0 = none */
	uint64_t disk;			/* n: an extent of the session's disk n - 1, as its disk0; 0: none */
	uint64_t disk_first, disk_count;	/* blocks of 4 KiB, which no other domain has; count 0:
				 * to its end.  DOMAIN_ANYWHERE: up to count, the first or else the
				 * largest place */
	uint16_t port;			/* of TCP: packets to and from it are the domain's; 0: none */
	uint16_t inspect;		/* it may read the frame table and all slice vectors */
	uint32_t posix;			/* it is another POSIX session, and the strings its first program */
	uint8_t address[4];		/* of posix: IPv4, its own; 0: the session's */
	uint32_t range_count;		/* posix: what ports it may ask for */
	struct domain_ports { uint16_t first, last; } range[DOMAIN_RANGES];
	char error[128];		/* out: what was wrong */
};
#define DOMAIN_MEMORY	(16ul << 20)
#define DOMAIN_ANYWHERE	(~0ul)

struct domain_entry {
	uint64_t id, parent, frames, run_time;	/* ns */
	uint32_t slices, state;		/* enum exo_domain_state */
	int32_t pid;			/* of its proxy; 0: the session itself */
	char name[28];
};
struct domain_list { uint64_t entries; uint32_t max, pad; };

enum domain_message_type {
	/* to the proxy */
	DOMAIN_OUT,		/* value: stream 1 or 2; payload: bytes */
	DOMAIN_ASKED,		/* value: slot; payload: struct domain_request, then data */
	DOMAIN_EXIT,		/* value: status as a shell has it (139 = killed by a fault); payload:
				 * text of why it ended, unless it simply exited; nothing follows */
	/* to the domain */
	DOMAIN_IN,		/* payload: bytes */
	DOMAIN_IN_END,
	DOMAIN_OUT_STOP,	/* value: stream */
	DOMAIN_SIGNAL,		/* value: number */
	DOMAIN_WINDOW,		/* value: rows << 16 | columns */
	DOMAIN_REPLY,		/* value: slot; payload: int64_t result, then data */
};
struct domain_message { uint32_t type, value, size, pad; };	/* size: of the payload */
struct domain_request { uint32_t op, file; uint64_t offset, length; };	/* enum proxy_op */
#define DOMAIN_PAYLOAD_MAX	(16384u + 32)
#define DOMAIN_MESSAGE_MAX	(16u + DOMAIN_PAYLOAD_MAX)

#endif
