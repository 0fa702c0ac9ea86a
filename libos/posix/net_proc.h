/* /proc/net: the texts that net_config.c makes. */
#ifndef POSIX_NET_PROC_H
#define POSIX_NET_PROC_H

#include "libos/posix/proc.h"

void show_net_pnp(struct text *t, struct process *p);
void show_net_dev(struct text *t, struct process *p);
void show_net_route(struct text *t, struct process *p);
void show_net_if_inet6(struct text *t, struct process *p);
void show_net_tcp(struct text *t, struct process *p);
void show_net_tcp6(struct text *t, struct process *p);
void show_net_udp(struct text *t, struct process *p);
void show_net_udp6(struct text *t, struct process *p);

#endif
