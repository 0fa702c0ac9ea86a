/* What the two halves of the server's TCP share: connections (tcp.c: what arrives, and time) and what is
 * sent for them (send.c).
 *
 * Sequence numbers are compared by difference.  The bytes from `base` on are the page's, `end` is behind
 * them and the FIN, if there is one; [una, nxt) is under way, and up to `max` was sent before.
 */
#ifndef WEB_TCP_H
#define WEB_TCP_H

#include "apps/web/web.h"
#include "libos/common/text.h"

enum tcp_flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum tcp_state { FREE, SYN_RECEIVED, OPEN, TIME_WAIT };

#define BUFFER		2048u		/* for a request that comes in pieces, or too early */
#define WINDOW_OURS	8192u		/* requests are small */
#define NS_PER_MS	1000000ul

struct connection {
	uint8_t state;
	bool ending;			/* a FIN follows the page */
	bool peer_ended;		/* its FIN has come */
	bool recovering;		/* since three duplicates, until `recover` is acknowledged */
	bool timing;			/* rtt_seq was sent once, at rtt_start */
	uint8_t duplicates, tries;
	uint16_t mss;
	uint32_t una, nxt, max, base, end, rcv;
	uint32_t told;			/* the acknowledgement that was sent last */
	uint32_t window;		/* the peer's */
	uint32_t cwnd, ssthresh, recover;
	uint32_t rtt_seq;
	uint64_t rtt_start, rtt, rtt_var;	/* ns; 0: not measured yet */
	uint64_t deadline;		/* to send again, or to give up */
	struct web_page *page;		/* being sent */
	uint8_t *buffer;		/* BUFFER bytes, `buffered` of them used; NULL: none */
	unsigned buffered;
	uint32_t chain;			/* of the same hash: index + 1 */
	uint16_t ip_sum, tcp_sum;	/* of what is the same in all its packets */
	uint8_t head[WEB_HEADERS];	/* ready but for length, numbers, flags and sums */
};

extern const struct web_system *web_system;

static inline bool before(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}
static inline uint16_t get16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}
static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* Its headers, as far as they do not change. */
void send_template(struct connection *c, const uint8_t *frame, const uint8_t mac[6]);
/* A packet without payload.  False: there is no room for it now. */
bool send_control(struct connection *c, uint32_t seq, unsigned flags);
/* What of page and FIN begins at seq: how much of the sequence that was; 0: no room now. */
uint32_t send_at(struct connection *c, uint32_t seq);
/* As much as the peer and the network may take. */
void send_more(struct connection *c);
uint64_t tcp_timeout(const struct connection *c);	/* ns */
void tcp_due(struct connection *c, uint64_t when);
/* To a packet that belongs to no connection: it shall stop. */
void send_reset(const uint8_t *frame, const uint8_t mac[6], uint32_t seq, uint32_t ack);

#endif
