/* The session's network: its card, its address, its stack (net.c). */
#ifndef POSIX_NET_H
#define POSIX_NET_H

#include "libos/posix/posix.h"
#include "libos/posix/net/stack.h"

#define EVENT_NET	(1ul << 19)	/* the card has news: see events_take */

/* Whoever makes an internet socket starts the network: until then nothing is sent, nothing is
 * received, and no memory is used.  0, or -ENOMEM. */
long net_start(void);
/* Sleeps while an address is being asked for: at most for NET_PATIENCE, and only once.  0, or
 * -ERESTARTSYS. */
long net_wait(void);
#define NET_PATIENCE	5000000000ul
/* After operations of the stack, and when EVENT_NET came: what is to be sent goes to the card, what
 * came is looked at, timers are set. */
void net_flush(void);
/* The session ends: what was sent leaves, if it can within two seconds. */
void net_end(void);

/* May a socket be bound to the port?  0, or what bind says: EADDRINUSE, EACCES, ENOBUFS. */
long net_port(enum stack_kind kind, uint16_t port);
bool net_ports_only(void);		/* nothing but TCP and UDP can be had */
/* The card's link, and who has an address on it; false: there is none yet, it is not known yet. */
bool net_link(struct stack_link_info *out);
bool net_neighbour(const uint8_t ip[4], uint8_t mac[6]);

/* Packets that came and went nowhere, as there was no room for them. */
void net_dropped(uint64_t *in, uint64_t *out);

/* net_config.c */
void net_link_name(unsigned number, char *name);	/* IFNAMSIZ bytes; 1: lo; eth0, ... */
long net_ioctl(uint32_t command, uint64_t arg);		/* SIOCGIF*; -ENOTTY: another */

#endif
