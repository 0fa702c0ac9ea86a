/* How lwIP is configured for libos/posix/net: the raw interface alone, memory from its caller,
 * IPv4 and IPv6, windows of 256 KiB. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS			1
#define SYS_LIGHTWEIGHT_PROT	0
#define LWIP_NETCONN		0
#define LWIP_SOCKET		0
#define LWIP_STATS		0
#define LWIP_STATS_DISPLAY	0

#define LWIP_TIMERS		0	/* clocks.c has those, which take no memory */

#define MEM_ALIGNMENT		8
#define MEM_LIBC_MALLOC		1	/* stack_memory_get and so on (cc.h) */
#define MEMP_MEM_MALLOC		1
#define MEMP_NUM_REASSDATA	16
#define IP_REASS_MAX_PBUFS	64

#define LWIP_IPV4		1
#define LWIP_IPV6		1
#define LWIP_IPV6_MLD		0
#define LWIP_IPV6_DHCP6		0
#define IPV6_FRAG_COPYHEADER	1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define LWIP_ARP		1
#define ARP_TABLE_SIZE		64
#define ARP_QUEUEING		1	/* what waits for an answer: as much as here, */
#define ARP_QUEUE_LEN		16	/* for each */
#define LWIP_ND6_NUM_NEIGHBORS	64
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ICMP		1
#define LWIP_RAW		1
#define LWIP_DHCP		1
#define DHCP_DOES_ARP_CHECK	0
#define LWIP_DNS		1	/* keeps the servers' addresses; it is libc that asks */
#define DNS_TABLE_SIZE		1
#define DNS_MAX_SERVERS		3
#define LWIP_NETIF_HOSTNAME	0
#define LWIP_HAVE_LOOPIF	1
#define LWIP_NETIF_LOOPBACK	1
#define LWIP_LOOPBACK_MAX_PBUFS	0

#define LWIP_TCP		1
#define TCP_MSS			1460
#define LWIP_WND_SCALE		1
#define TCP_RCV_SCALE		3
#define TCP_WND			(256 * 1024)
#define TCP_SND_BUF		(256 * 1024)
#define TCP_SND_QUEUELEN	((4 * TCP_SND_BUF) / TCP_MSS)
#define TCP_SNDLOWAT		(32 * 1024)
#define TCP_SNDQUEUELOWAT	(TCP_SND_QUEUELEN / 2)
#define TCP_LISTEN_BACKLOG	1
#define TCP_QUEUE_OOSEQ		1
#define TCP_OOSEQ_MAX_PBUFS	512	/* out of order; a window of whole segments is 180 */
#define LWIP_TCP_SACK_OUT	1
#define LWIP_TCP_TIMESTAMPS	1
#define LWIP_TCP_KEEPALIVE	1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1	/* 0: whose it is, to be told of its end */
#define SO_REUSE		1
#define LWIP_RANDOMIZE_INITIAL_LOCAL_PORTS 1
#define IP_SOF_BROADCAST	1

#define CHECKSUM_CHECK_IP	1
#define CHECKSUM_CHECK_TCP	1
#define CHECKSUM_CHECK_UDP	1

/* A packet leaves by the link whose address is its source. */
struct netif;
struct netif *stack_route(const void *source, const void *destination);
#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) stack_route(source, destination)

/* A first sequence number that nobody can guess. */
struct tcp_pcb;
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) stack_random()

#endif
