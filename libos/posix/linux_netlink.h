/* Linux's numbers and layouts of AF_NETLINK and NETLINK_ROUTE: netlink(7), rtnetlink(7). */
#ifndef POSIX_LINUX_NETLINK_H
#define POSIX_LINUX_NETLINK_H

#include <stdint.h>

#define NETLINK_ROUTE	0

struct linux_nlmsghdr {
	uint32_t length;
	uint16_t type, flags;
	uint32_t seq, port;
};
#define NLMSG_ALIGN(n)	(((n) + 3) & ~3u)
#define NLM_F_REQUEST	1
#define NLM_F_MULTI	2
#define NLM_F_ACK	4
#define NLM_F_DUMP	0x300
#define NLM_F_CAPPED	0x100		/* of an answer */
#define NLMSG_ERROR	2
#define NLMSG_DONE	3
struct linux_nlmsgerr {
	int32_t error;
	struct linux_nlmsghdr request;
};
struct linux_rtattr { uint16_t length, type; };

#define RTM_BASE	16
#define RTM_NEWLINK	16
#define RTM_GETLINK	18
#define RTM_NEWADDR	20
#define RTM_GETADDR	22
#define RTM_NEWROUTE	24
#define RTM_GETROUTE	26

struct linux_ifinfomsg {
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};
#define IFLA_ADDRESS	1
#define IFLA_BROADCAST	2
#define IFLA_IFNAME	3
#define IFLA_MTU	4
#define IFLA_QDISC	6
#define IFLA_TXQLEN	13
#define IFLA_OPERSTATE	16
#define IF_OPER_UNKNOWN	0
#define IF_OPER_UP	6
#define IFF_LOWER_UP	0x10000

struct linux_ifaddrmsg {
	uint8_t family, prefix, flags, scope;
	uint32_t index;
};
#define IFA_ADDRESS	1
#define IFA_LOCAL	2
#define IFA_LABEL	3
#define IFA_BROADCAST	4
#define IFA_F_PERMANENT	0x80

struct linux_rtmsg {
	uint8_t family, to_length, from_length, tos, table, protocol, scope, type;
	uint32_t flags;
};
#define RTA_DST		1
#define RTA_OIF		4
#define RTA_GATEWAY	5
#define RTA_PREFSRC	7
#define RTA_TABLE	15
#define RT_TABLE_MAIN	254
#define RTPROT_KERNEL	2
#define RTPROT_BOOT	3
#define RT_SCOPE_UNIVERSE 0
#define RT_SCOPE_LINK	253
#define RT_SCOPE_HOST	254
#define RTN_UNICAST	1

#endif
