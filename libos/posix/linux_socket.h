/* Numbers and structure layouts of Linux on x86-64 that sockets use.  Facts only; no behaviour. */
#ifndef POSIX_LINUX_SOCKET_H
#define POSIX_LINUX_SOCKET_H

#include <stdint.h>

#define EDESTADDRREQ	89
#define EMSGSIZE	90
#define EPROTOTYPE	91
#define ENOPROTOOPT	92
#define EPROTONOSUPPORT	93
#define ESOCKTNOSUPPORT	94
#define EAFNOSUPPORT	97
#define EADDRINUSE	98
#define EADDRNOTAVAIL	99
#define ENETUNREACH	101
#define ECONNABORTED	103
#define ECONNRESET	104
#define ENOBUFS		105
#define EISCONN		106
#define ENOTCONN	107
#define ETOOMANYREFS	109
#define ECONNREFUSED	111
#define EHOSTUNREACH	113
#define EALREADY	114
#define EINPROGRESS	115

#define AF_UNSPEC	0
#define AF_UNIX		1
#define AF_INET		2
#define AF_INET6	10
#define AF_NETLINK	16
#define AF_PACKET	17
#define AF_MAX		46

#define SOCK_STREAM	1
#define SOCK_DGRAM	2
#define SOCK_RAW	3
#define SOCK_RDM	4
#define SOCK_SEQPACKET	5
#define SOCK_DCCP	6
#define SOCK_PACKET	10
#define SOCK_TYPE_MASK	15
#define SOCK_NONBLOCK	04000
#define SOCK_CLOEXEC	02000000

#define IPPROTO_IP	0
#define IPPROTO_ICMP	1
#define IPPROTO_TCP	6
#define IPPROTO_UDP	17
#define IPPROTO_IPV6	41
#define IPPROTO_ICMPV6	58
#define IPPROTO_RAW	255

#define MSG_OOB		1
#define MSG_PEEK	2
#define MSG_CTRUNC	8
#define MSG_TRUNC	0x20
#define MSG_DONTWAIT	0x40
#define MSG_EOR		0x80
#define MSG_WAITALL	0x100
#define MSG_ERRQUEUE	0x2000
#define MSG_NOSIGNAL	0x4000
#define MSG_MORE	0x8000
#define MSG_WAITFORONE	0x10000
#define MSG_CMSG_CLOEXEC 0x40000000

#define SHUT_RD		0
#define SHUT_WR		1
#define SHUT_RDWR	2

struct linux_sockaddr_in {
	uint16_t family, port;		/* port and address: in the order of the network */
	uint8_t ip[4], zero[8];
};
struct linux_sockaddr_in6 {
	uint16_t family, port;
	uint32_t flow;
	uint8_t ip[16];
	uint32_t scope;
};
_Static_assert(sizeof(struct linux_sockaddr_in6) == 28, "sockaddr_in6");
struct linux_sockaddr_un {
	uint16_t family;
	char path[108];
};

struct linux_sockaddr_nl {
	uint16_t family, pad;
	uint32_t port, groups;
};

struct linux_msghdr {
	uint64_t name;
	uint32_t name_length, pad;
	uint64_t segments, segment_count, control, control_length;
	uint32_t flags, pad2;
};
_Static_assert(sizeof(struct linux_msghdr) == 56, "msghdr");
struct linux_mmsghdr {
	struct linux_msghdr header;
	uint32_t length, pad;
};
struct linux_cmsghdr {
	uint64_t length;		/* with this header */
	int32_t level, type;
};
#define CMSG_ALIGN(n)	(((n) + 7) & ~7ul)
#define SCM_RIGHTS	1
#define SCM_CREDENTIALS	2
#define SCM_MAX_FD	253
struct linux_ucred { int32_t pid; uint32_t uid, gid; };

#define SOL_SOCKET	1
#define SO_DEBUG	1
#define SO_REUSEADDR	2
#define SO_REUSEPORT	15
#define SO_TYPE		3
#define SO_ERROR	4
#define SO_DONTROUTE	5
#define SO_BROADCAST	6
#define SO_SNDBUF	7
#define SO_RCVBUF	8
#define SO_KEEPALIVE	9
#define SO_OOBINLINE	10
#define SO_PRIORITY	12
#define SO_LINGER	13
#define SO_PASSCRED	16
#define SO_PEERCRED	17
#define SO_RCVLOWAT	18
#define SO_SNDLOWAT	19
#define SO_RCVTIMEO	20
#define SO_SNDTIMEO	21
#define SO_ACCEPTCONN	30
#define SO_SNDBUFFORCE	32
#define SO_RCVBUFFORCE	33
#define SO_PROTOCOL	38
#define SO_DOMAIN	39

#define IP_TOS		1
#define IP_TTL		2
#define IP_RECVERR	11
#define IP_MTU_DISCOVER	10
#define IP_MULTICAST_TTL 33
#define IP_MULTICAST_LOOP 34
#define ICMPV6_FILTER	1		/* of level IPPROTO_ICMPV6 */
#define IPV6_UNICAST_HOPS 16
#define IPV6_RECVERR	25
#define IPV6_V6ONLY	26
#define IPV6_TCLASS	67

#define TCP_NODELAY	1
#define TCP_MAXSEG	2
#define TCP_CORK	3
#define TCP_KEEPIDLE	4
#define TCP_KEEPINTVL	5
#define TCP_KEEPCNT	6
#define TCP_SYNCNT	7
#define TCP_LINGER2	8
#define TCP_DEFER_ACCEPT 9
#define TCP_WINDOW_CLAMP 10
#define TCP_QUICKACK	12
#define TCP_USER_TIMEOUT 18

#define SOMAXCONN	4096

#define SIOCOUTQ	0x5411		/* TIOCOUTQ's number */
#define SIOCATMARK	0x8905
#define SIOCGIFNAME	0x8910
#define SIOCGIFCONF	0x8912
#define SIOCGIFFLAGS	0x8913
#define SIOCGIFADDR	0x8915
#define SIOCGIFDSTADDR	0x8917
#define SIOCGIFBRDADDR	0x8919
#define SIOCGIFNETMASK	0x891b
#define SIOCGIFMETRIC	0x891d
#define SIOCGIFMTU	0x8921
#define SIOCGIFHWADDR	0x8927
#define SIOCGIFINDEX	0x8933
#define SIOCGIFTXQLEN	0x8942
#define SIOCGIFMAP	0x8970
#define IFNAMSIZ	16
#define IFF_UP		0x1
#define IFF_BROADCAST	0x2
#define IFF_LOOPBACK	0x8
#define IFF_RUNNING	0x40
#define IFF_MULTICAST	0x1000
#define ARPHRD_ETHER	1
#define ARPHRD_LOOPBACK	772

struct linux_ifreq {
	char name[IFNAMSIZ];
	union {
		struct linux_sockaddr_in address;
		struct { uint16_t family; uint8_t mac[14]; } hardware;
		int16_t flags;
		int32_t number;
		uint8_t bytes[24];
	};
};
_Static_assert(sizeof(struct linux_ifreq) == 40, "ifreq");
struct linux_ifconf {
	int32_t length, pad;
	uint64_t buffer;
};

#define SOCKFS_MAGIC	0x534f434b

#endif
