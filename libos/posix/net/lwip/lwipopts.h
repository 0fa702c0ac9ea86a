/* How lwIP is configured for stack_lwip.c: the raw interface alone, all memory its own and static,
 * IPv4, windows of 256 KiB. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS			1
#define SYS_LIGHTWEIGHT_PROT	0
#define LWIP_NETCONN		0
#define LWIP_SOCKET		0
#define LWIP_STATS		0
#define LWIP_STATS_DISPLAY	0

#define MEM_ALIGNMENT		8
#define MEM_SIZE		(8 * 1024 * 1024)
#define MEMP_NUM_PBUF		1024
#define PBUF_POOL_SIZE		1024
#define PBUF_POOL_BUFSIZE	1536
#define MEMP_NUM_TCP_PCB	512
#define MEMP_NUM_TCP_PCB_LISTEN	64
#define MEMP_NUM_UDP_PCB	128
#define MEMP_NUM_TCP_SEG	8192
#define MEMP_NUM_REASSDATA	16
#define IP_REASS_MAX_PBUFS	64

#define LWIP_IPV4		1
#define LWIP_IPV6		0
#define LWIP_ARP		1
#define LWIP_ICMP		1
#define LWIP_DHCP		1
#define LWIP_DNS		0	/* libc asks */
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_HOSTNAME	0

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
#define LWIP_TCP_SACK_OUT	1
#define LWIP_TCP_TIMESTAMPS	1
#define LWIP_TCP_KEEPALIVE	1
#define SO_REUSE		1

#define CHECKSUM_CHECK_IP	1
#define CHECKSUM_CHECK_TCP	1
#define CHECKSUM_CHECK_UDP	1

/* A packet leaves by the link whose address is its source. */
struct netif;
struct netif *stack_route(const void *source);
#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) stack_route(source)

#endif
