/* What leaves: headers before segments of pages, or before a scratch segment. */
#include "apps/web/tcp.h"

static inline void sum16(uint8_t *at, uint64_t sum)
{
	uint16_t s = ~web_fold(sum);
	__builtin_memcpy(at, &s, 2);
}

static inline uint16_t swap16(uint16_t v) { return v << 8 | v >> 8; }

void send_template(struct connection *c, const uint8_t *frame, const uint8_t mac[6])
{
	uint8_t *h = c->head;
	unsigned l4 = 14 + (frame[14] & 15) * 4;
	memset(h, 0, WEB_HEADERS);
	memcpy(h, frame + 6, 6);
	memcpy(h + 6, mac, 6);
	put16(h + 12, 0x0800);
	h[14] = 0x45;
	h[20] = 0x40;			/* not to be fragmented */
	h[22] = 64;
	h[23] = 6;
	memcpy(h + 26, frame + 30, 4);
	memcpy(h + 30, frame + 26, 4);
	memcpy(h + 34, frame + l4 + 2, 2);
	memcpy(h + 36, frame + l4, 2);
	put16(h + 48, WINDOW_OURS);
	c->ip_sum = web_sum(h + 14, 20, 0);
	c->tcp_sum = web_sum(h + 26, 8, web_sum(h + 34, 20, swap16(6)));
}

/* Writes the headers of a packet whose payload of `length` bytes sums up to `sum`, and sends it. */
static void headers_send(struct connection *c, struct web_segment *s, uint32_t seq, unsigned flags,
	unsigned length, uint16_t sum, unsigned options)
{
	uint8_t *h = s->at;
	unsigned tcp = 20 + options + length;
	memcpy(h, c->head, WEB_HEADERS);
	put16(h + 16, 20 + tcp);
	sum16(h + 24, (uint64_t)c->ip_sum + swap16(20 + tcp));
	put32(h + 38, seq);
	put32(h + 42, flags & ACK ? c->rcv : 0);
	h[46] = (20 + options) / 4 << 4;
	h[47] = flags;
	uint64_t total = (uint64_t)c->tcp_sum + sum + swap16(tcp) + web_sum(h + 38, 8, 0);
	total += swap16((20 + options) / 4 << 12 | flags);
	sum16(h + 50, total);
	c->told = c->rcv;
	web_counts.sent++;
	web_system->send(s, 34 + tcp);
}

bool send_control(struct connection *c, uint32_t seq, unsigned flags)
{
	static const uint8_t mss[4] = { 2, 4, WEB_MSS >> 8, WEB_MSS & 255 };
	struct web_segment *s = web_system->scratch();
	unsigned options = flags & SYN ? sizeof mss : 0;
	if (!s)
		return false;
	memcpy(s->at + WEB_HEADERS, mss, options);
	headers_send(c, s, seq, flags, 0, web_sum(mss, options, 0), options);
	return true;
}

void send_reset(const uint8_t *frame, const uint8_t mac[6], uint32_t seq, uint32_t ack)
{
	struct connection nobody = { .rcv = ack };
	send_template(&nobody, frame, mac);
	send_control(&nobody, seq, ack ? RST | ACK : RST);
}

/* Of how many bytes the page's stream is. */
static uint32_t stream(const struct connection *c) { return c->end - c->base - c->ending; }

uint32_t send_at(struct connection *c, uint32_t seq)
{
	uint32_t offset = seq - c->base, left = stream(c) - offset, within = offset % WEB_MSS;
	if (!left)
		return send_control(c, seq, ACK | FIN);
	struct web_segment *s = offset < WEB_MSS && c->ending ? &c->page->ending :
		&c->page->segment[offset / WEB_MSS];
	uint32_t n = s->length - within, room = c->una + c->window - seq;
	n = n < left ? n : left;
	n = n < c->mss ? n : c->mss;
	if (n > room)
		n = room && (int32_t)room > 0 ? room : 1;	/* a closed window is asked by a byte */
	bool last = n == left, fin = last && c->ending;
	unsigned flags = ACK | (last ? PSH : 0) | (fin ? FIN : 0);
	if (!within && n == s->length) {
		if (!web_system->ready(s))
			return 0;
		headers_send(c, s, seq, flags, n, s->sum, 0);
		return n + fin;
	}
	struct web_segment *copy = web_system->scratch();
	if (!copy)
		return 0;
	memcpy(copy->at + WEB_HEADERS, s->at + WEB_HEADERS + within, n);
	headers_send(c, copy, seq, flags, n, web_sum(copy->at + WEB_HEADERS, n, 0), 0);
	return n + fin;
}

static void time_it(struct connection *c, uint32_t seq, uint64_t now)
{
	if (c->timing || before(seq, c->max))
		return;
	c->timing = true;
	c->rtt_seq = seq;
	c->rtt_start = now;
}

void send_more(struct connection *c)
{
	uint32_t limit = c->cwnd < c->window ? c->cwnd : c->window;
	uint64_t now = 0;
	while (c->nxt != c->end) {
		uint32_t flight = c->nxt - c->una, want = c->end - c->nxt < c->mss ? c->end - c->nxt : c->mss;
		if (flight && flight + want > limit + c->ending)
			break;
		if (!c->window && !c->tries)		/* the timer asks whether it opens */
			break;
		uint32_t n = send_at(c, c->nxt);
		if (!n)
			break;
		if (!now)
			now = web_system->now();
		time_it(c, c->nxt, now);
		c->nxt += n;
		if (before(c->max, c->nxt))
			c->max = c->nxt;
	}
	if (c->una != c->end && c->deadline == ~0ul)
		tcp_due(c, (now ? now : web_system->now()) + tcp_timeout(c));
}
