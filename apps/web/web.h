/* A web server that is its own TCP, for programs on raw rings: connections, pages, the HTTP that
 * ordinary clients speak.  Hardware-free: packets come and go by functions that the program gives
 * (card.c: rings; tests/web: a wire in memory).
 *
 * The policy is Cheetah's (Kaashoek et al., SOSP'97), that of a server and nothing else:
 *  - A page lies in packets: each segment's payload in a chunk of its own, behind room for its headers,
 *    with its checksum.  To send it, 54 bytes of header are written before it, and nothing is read.
 *  - A request is not acknowledged by itself, the answer does it; the last segment of an answer that
 *    ends the connection carries the FIN.
 *  - What is sent again is taken from the page, so nothing is kept until it is acknowledged.
 *
 * Copies: the kernel's one of what arrives, and its one of the first 128 bytes of what leaves; here
 * only a request that comes in pieces, and payload for peers whose segments are smaller than ours.
 *
 * Connections are served in turn, without a thread or a lock.  Left to others: addresses (ARP, DHCP),
 * IPv6, window scaling, and segments out of order, which the peer has to send again.
 */
#ifndef WEB_H
#define WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_HEADERS	54u		/* Ethernet, IPv4, TCP without options */
#define WEB_MSS		1460u
#define WEB_CHUNK	2048u		/* bytes that a segment's packet lies in */

/* A packet to be sent: headers are written at `at`, the payload follows them. */
struct web_segment {
	uint8_t *at;
	uint32_t frame;			/* where that is, for the card */
	uint16_t offset;
	uint16_t length;		/* of the payload */
	uint16_t sum;			/* the payload's, as words in memory */
	bool busy;			/* a scratch segment that the card still reads */
	uint64_t last;			/* the card's: when it was last put into its ring */
};

/* An answer: the bytes of its head and body, cut into segments.  The first one is there twice, saying
 * that the connection goes on, or that it ends. */
struct web_page {
	const char *path;
	uint32_t length, head;		/* bytes of all; of the head alone (what HEAD sends) */
	struct web_segment *segment;
	struct web_segment ending;
	unsigned users;			/* connections that send it */
};

struct web_system {
	uint64_t (*now)(void);			/* ns */
	/* May the segment's headers be written?  False: not until web_go_on. */
	bool (*ready)(struct web_segment *s);
	void (*send)(struct web_segment *s, unsigned bytes);
	/* Room for a packet that is no page's; NULL: none now. */
	struct web_segment *(*scratch)(void);
	/* The page of that path, or NULL. */
	struct web_page *(*find)(const char *path);
};

struct web_counts { uint64_t connections, requests, sent, again, refused, bad; };
extern struct web_counts web_counts;

/* ip: ours, all zero: whatever packets are for.  secret: for sequence numbers. */
void web_init(const struct web_system *system, const uint8_t mac[6], const uint8_t ip[4], uint16_t port,
	uint64_t secret);
void web_input(const uint8_t *frame, unsigned length);
void web_go_on(void);		/* the card has room again */
uint64_t web_timers(void);	/* does what is due; when to call again */
unsigned web_connections(void);	/* that are open */

/* Segments that a page of that size needs, the second first one included. */
unsigned web_page_segments(size_t body);
/* Makes a page of chunks that lie at segment[i].at, the last being `ending`: copies the body into
 * them, and sums.  type: as in Content-Type. */
void web_page_fill(struct web_page *p, struct web_segment *segment, const char *status, const char *type,
	const void *body, size_t size);

/* http.c: what a request asks for.  Bytes that it takes, 0: it is not whole; -1: not HTTP.  *page may
 * become NULL (not found). */
struct web_request { char path[256]; bool head, keep, known; };
int web_request_parse(const char *text, size_t n, struct web_request *r);

/* arp.c: makes of a question for ip its answer, in place, 42 bytes.  False: it is none. */
bool web_arp(uint8_t *frame, unsigned length, const uint8_t mac[6], const uint8_t ip[4]);

/* The ones' complement sum of words in memory. */
uint32_t web_sum(const void *p, size_t n, uint32_t sum);
static inline uint16_t web_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

#endif
