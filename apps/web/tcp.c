/* Connections: what arrives, and what time brings.  See web.h for the policy. */
#include "apps/web/tcp.h"

#define CONNECTIONS	1024u
#define HEADS		2048u
#define BUFFERS		128u
#define NEVER		(~0ul)
#define TIMEOUT_FIRST	(1000 * NS_PER_MS)	/* RFC 6298 */
#define TIMEOUT_MIN	(200 * NS_PER_MS)
#define TIMEOUT_MAX	(20000 * NS_PER_MS)
#define TRIES		10u			/* with the shortest timeout 105 s; RFC 1122 asks for 100 */
#define IDLE		(60000 * NS_PER_MS)	/* without a request */
#define LINGER		(1000 * NS_PER_MS)	/* in TIME_WAIT; the oldest go first when all are used */
#define FIRST_WINDOW	10u			/* segments, RFC 6928 */

const struct web_system *web_system;
struct web_counts web_counts;

static struct connection connections[CONNECTIONS];
static uint16_t heads[HEADS];			/* index + 1 */
static uint16_t spare[CONNECTIONS], spares;	/* indices that are free */
static uint8_t buffers[BUFFERS][BUFFER], *spare_buffer[BUFFERS];
static unsigned spare_buffers;
static uint64_t next_due, secret;
static uint8_t our_mac[6], our_ip[4];
static uint16_t our_port;
static bool any_ip;

void web_init(const struct web_system *system, const uint8_t mac[6], const uint8_t ip[4], uint16_t port,
	uint64_t key)
{
	web_system = system;
	memset(connections, 0, sizeof connections);
	memset(heads, 0, sizeof heads);
	memcpy(our_mac, mac, 6);
	memcpy(our_ip, ip, 4);
	any_ip = !get32(ip);
	our_port = port;
	secret = key | 1;
	next_due = NEVER;
	for (spares = 0; spares < CONNECTIONS; spares++)
		spare[spares] = CONNECTIONS - 1 - spares;
	for (spare_buffers = 0; spare_buffers < BUFFERS; spare_buffers++)
		spare_buffer[spare_buffers] = buffers[spare_buffers];
}

unsigned web_connections(void) { return CONNECTIONS - spares; }

/* ---- the table -------------------------------------------------------------------------- */

/* The peer as in a packet's address and port: those of our packets' target. */
static uint64_t mix(const uint8_t *ip, const uint8_t *port)
{
	uint64_t peer = (uint64_t)get32(ip) << 16 | get16(port);
	return (peer ^ secret) * 0x9e3779b97f4a7c15ul;
}

static uint16_t *head_of(const uint8_t *ip, const uint8_t *port) { return &heads[mix(ip, port) >> 53]; }

static struct connection *find(const uint8_t *ip, const uint8_t *port)
{
	for (unsigned i = *head_of(ip, port); i; i = connections[i - 1].chain) {
		struct connection *c = &connections[i - 1];
		if (!memcmp(c->head + 30, ip, 4) && !memcmp(c->head + 36, port, 2))
			return c;
	}
	return NULL;
}

static void page_drop(struct connection *c)
{
	if (c->page)
		c->page->users--;
	c->page = NULL;
}

static void buffer_drop(struct connection *c)
{
	if (c->buffer)
		spare_buffer[spare_buffers++] = c->buffer;
	c->buffer = NULL;
	c->buffered = 0;
}

static void forget(struct connection *c)
{
	unsigned index = c - connections;
	uint16_t *from = head_of(c->head + 30, c->head + 36);
	page_drop(c);
	buffer_drop(c);
	if (*from == index + 1) {
		*from = c->chain;
	} else {
		struct connection *previous = &connections[*from - 1];
		while (previous->chain != index + 1)
			previous = &connections[previous->chain - 1];
		previous->chain = c->chain;
	}
	c->state = FREE;
	spare[spares++] = index;
}

/* One that is free, or that has the least to lose. */
static struct connection *take(void)
{
	struct connection *oldest = NULL;
	if (!spares) {
		for (struct connection *c = connections; c < connections + CONNECTIONS; c++)
			if ((c->state != OPEN || (c->ending && !c->page)) &&
			    (!oldest || c->deadline < oldest->deadline))
				oldest = c;
		if (!oldest)
			return NULL;
		forget(oldest);
	}
	return &connections[spare[--spares]];
}

/* ---- time ------------------------------------------------------------------------------- */

void tcp_due(struct connection *c, uint64_t when)
{
	c->deadline = when;
	if (when < next_due)
		next_due = when;
}

uint64_t tcp_timeout(const struct connection *c)
{
	uint64_t ns = c->rtt ? c->rtt + 4 * c->rtt_var : TIMEOUT_FIRST;
	ns = ns < TIMEOUT_MIN ? TIMEOUT_MIN : ns;
	ns <<= c->tries < 7 ? c->tries : 7;
	return ns < TIMEOUT_MAX ? ns : TIMEOUT_MAX;
}

/* RFC 6298; what was sent twice is not measured. */
static void measure(struct connection *c, uint64_t now)
{
	uint64_t ns = now - c->rtt_start;
	c->timing = false;
	if (!c->rtt) {
		c->rtt = ns | 1;
		c->rtt_var = ns / 2;
		return;
	}
	uint64_t difference = c->rtt > ns ? c->rtt - ns : ns - c->rtt;
	c->rtt_var += difference / 4 - c->rtt_var / 4;
	c->rtt = (c->rtt + ns / 8 - c->rtt / 8) | 1;
}

/* The peer is told, as it may wait for more without ever sending again. */
static void give_up(struct connection *c, uint64_t now)
{
	if (!send_control(c, c->una, RST | ACK)) {
		tcp_due(c, now + TIMEOUT_MIN);
		return;
	}
	web_counts.refused++;
	forget(c);
}

/* What was not acknowledged in time is sent again, from its beginning, one segment first. */
static void again(struct connection *c, uint64_t now)
{
	uint32_t flight = c->max - c->una;
	if (c->tries == TRIES) {
		give_up(c, now);
		return;
	}
	c->tries++;
	web_counts.again++;
	c->timing = false;
	if (c->state == SYN_RECEIVED) {
		send_control(c, c->una, SYN | ACK);
	} else {
		c->ssthresh = flight / 2 > 2u * c->mss ? flight / 2 : 2u * c->mss;
		c->cwnd = c->mss;
		c->recovering = false;
		c->nxt = c->una;
		send_more(c);
	}
	tcp_due(c, now + tcp_timeout(c));
}

/* ---- requests --------------------------------------------------------------------------- */

static void answer(struct connection *c, struct web_page *page, bool head, bool ending)
{
	c->page = page;
	c->ending = ending || c->peer_ended;
	c->base = c->nxt;
	c->end = c->base + c->ending;
	if (page) {
		page->users++;
		c->end += head ? page->head : page->length;
	}
	c->deadline = NEVER;
	send_more(c);
}

static void reject(struct connection *c)
{
	web_counts.bad++;
	buffer_drop(c);
	answer(c, web_system->find(NULL), false, true);
}

/* Answers a request at the text's beginning: bytes taken; 0: it is not whole yet. */
static unsigned request(struct connection *c, const uint8_t *text, unsigned n)
{
	struct web_request r;
	int used = web_request_parse((const char *)text, n, &r);
	if (!used)
		return 0;
	bool good = used > 0 && r.known;
	web_counts.requests++;
	web_counts.bad += !good;
	struct web_page *page = web_system->find(good ? r.path : NULL);
	answer(c, page, good && r.head, !good || !r.keep || !page);
	return used > 0 ? (unsigned)used : n;
}

/* False: there is no room for them. */
static bool keep(struct connection *c, const uint8_t *data, unsigned n)
{
	if (!c->buffer && spare_buffers)
		c->buffer = spare_buffer[--spare_buffers];
	if (!c->buffer || n > BUFFER - c->buffered)
		return false;
	memcpy(c->buffer + c->buffered, data, n);
	c->buffered += n;
	return true;
}

static bool idle(const struct connection *c) { return !c->page && !c->ending; }

/* Requests that lie in the buffer, until one is being answered. */
static void buffer_work(struct connection *c)
{
	while (c->buffer && idle(c)) {
		unsigned used = request(c, c->buffer, c->buffered);
		if (!used)
			return;
		c->buffered -= used;
		memmove(c->buffer, c->buffer + used, c->buffered);
		if (!c->buffered)
			buffer_drop(c);
	}
}

/* What can be answered without a buffer for what follows: one request, or all. */
static unsigned whole_request(const uint8_t *text, unsigned n)
{
	struct web_request r;
	int used = web_request_parse((const char *)text, n, &r);
	return used > 0 ? (unsigned)used : n;
}

/* Bytes in order.  False: they, or the last of them, are to come again. */
static bool bytes_arrive(struct connection *c, const uint8_t *data, unsigned n)
{
	if (c->ending) {		/* nobody is going to answer */
		c->rcv += n;
		return true;
	}
	if (!idle(c) || c->buffer) {
		bool endless = idle(c) && c->buffer && n > BUFFER - c->buffered;
		if (!endless && !keep(c, data, n))
			return false;
		c->rcv += n;
		if (endless)
			reject(c);
		else
			buffer_work(c);
		return true;
	}
	unsigned now = spare_buffers ? n : whole_request(data, n);
	c->rcv += now;			/* first: the answer acknowledges them */
	unsigned used = request(c, data, now);
	if (used == now || keep(c, data + used, now - used))
		return now == n;
	c->rcv -= now;			/* nothing was answered */
	return false;
}

/* ---- what arrives ----------------------------------------------------------------------- */

struct packet {
	const uint8_t *frame, *ip, *tcp, *data;
	unsigned length;		/* of the data */
	unsigned flags;
	uint32_t seq, ack;
};

/* Right in all its lengths and sums, and to us. */
static bool packet_check(struct packet *p, const uint8_t *frame, unsigned length)
{
	const uint8_t *ip = frame + 14;
	if (length < WEB_HEADERS || get16(frame + 12) != 0x0800 || ip[0] >> 4 != 4 || ip[9] != 6)
		return false;
	unsigned header = (ip[0] & 15) * 4, total = get16(ip + 2), tcp;
	if (header < 20 || total > length - 14 || total < header + 20 || get16(ip + 6) & 0x3fff)
		return false;
	if (!any_ip && memcmp(ip + 16, our_ip, 4))
		return false;
	tcp = total - header;
	*p = (struct packet){ .frame = frame, .ip = ip, .tcp = ip + header };
	unsigned words = p->tcp[12] >> 4;
	if (words < 5 || words * 4 > tcp || get16(p->tcp + 2) != our_port)
		return false;
	if (web_fold(web_sum(ip, header, 0)) != 0xffff)
		return false;
	uint64_t pseudo = (uint64_t)web_sum(ip + 12, 8, 0) + (6 << 8) + (uint16_t)(tcp << 8 | tcp >> 8);
	if (web_fold(pseudo + web_sum(p->tcp, tcp, 0)) != 0xffff)
		return false;
	p->data = p->tcp + words * 4;
	p->length = tcp - words * 4;
	p->flags = p->tcp[13];
	p->seq = get32(p->tcp + 4);
	p->ack = get32(p->tcp + 8);
	return true;
}

static uint16_t peer_mss(const struct packet *p)
{
	const uint8_t *o = p->tcp + 20, *end = p->data;
	while (o < end && *o) {
		unsigned n = *o == 1 ? 1 : end - o >= 2 ? o[1] : 0;
		if (!n || n > end - o || (*o != 1 && n < 2))
			break;
		if (*o == 2 && n == 4) {
			unsigned mss = get16(o + 2);
			return mss < 64 ? 64 : mss < WEB_MSS ? mss : WEB_MSS;
		}
		o += n;
	}
	return 536;
}

static void connect(const struct packet *p)
{
	struct connection *c = take();
	if (!c)
		return;
	uint64_t now = web_system->now();
	uint16_t *head = head_of(p->ip + 12, p->tcp), chain = *head;
	*c = (struct connection){ .state = SYN_RECEIVED, .mss = peer_mss(p), .rcv = p->seq + 1,
		.window = get16(p->tcp + 14), .chain = chain };
	*head = c - connections + 1;
	send_template(c, p->frame, our_mac);
	c->cwnd = FIRST_WINDOW * c->mss;
	c->ssthresh = ~0u;
	/* RFC 6528: a number of the peer's own, that moves with time */
	c->una = (mix(p->ip + 12, p->tcp) >> 20) + (now >> 6);
	c->nxt = c->max = c->base = c->end = c->una + 1;
	web_counts.connections++;
	send_control(c, c->una, SYN | ACK);
	tcp_due(c, now + tcp_timeout(c));
}

/* The page and, where one was due, the FIN have arrived. */
static void all_acknowledged(struct connection *c, uint64_t now)
{
	c->tries = 0;
	if (!c->ending) {
		page_drop(c);
		tcp_due(c, now + IDLE);
		buffer_work(c);
		if (c->peer_ended && idle(c))
			answer(c, NULL, false, true);
	} else if (c->peer_ended) {
		forget(c);
	} else {
		page_drop(c);
		tcp_due(c, now + IDLE / 10);
	}
}

static void duplicate(struct connection *c, uint64_t now)
{
	if (++c->duplicates < 3)
		return;
	if (c->recovering) {
		c->cwnd += c->mss;
		send_more(c);
		return;
	}
	uint32_t flight = c->max - c->una;
	c->recovering = true;
	c->recover = c->max;
	c->ssthresh = flight / 2 > 2u * c->mss ? flight / 2 : 2u * c->mss;
	c->cwnd = c->ssthresh + 3 * c->mss;
	c->timing = false;
	web_counts.again++;
	send_at(c, c->una);
	tcp_due(c, now + tcp_timeout(c));
}

static void progress(struct connection *c, uint32_t ack, uint64_t now)
{
	uint32_t acked = ack - c->una;
	c->una = ack;
	c->tries = 0;
	c->duplicates = 0;
	if (before(c->nxt, ack))
		c->nxt = ack;
	if (c->timing && before(c->rtt_seq, ack))
		measure(c, now);
	if (c->recovering && before(ack, c->recover)) {	/* NewReno: the next hole */
		web_counts.again++;
		send_at(c, c->una);
	} else if (c->recovering) {
		c->recovering = false;
		c->cwnd = c->ssthresh;
	} else {
		c->cwnd += c->cwnd < c->ssthresh ? acked : (uint32_t)c->mss * c->mss / c->cwnd;
		c->cwnd = c->cwnd < 1 << 20 ? c->cwnd : 1 << 20;
	}
	tcp_due(c, now + tcp_timeout(c));
}

/* False: the connection is no more. */
static bool acknowledged(struct connection *c, const struct packet *p)
{
	uint64_t now = web_system->now();
	uint32_t window = get16(p->tcp + 14);
	if (before(p->ack, c->una) || before(c->max, p->ack))
		return true;
	bool same = window == c->window && !p->length && !(p->flags & FIN);
	c->window = window;
	if (p->ack != c->una) {
		progress(c, p->ack, now);
		if (c->una == c->end)
			all_acknowledged(c, now);
	} else if (same && c->una != c->max) {
		duplicate(c, now);
	}
	if (c->state == OPEN && c->nxt != c->end)
		send_more(c);
	return c->state != FREE;
}

static void end_unanswered(struct connection *c)
{
	buffer_drop(c);			/* half a request */
	answer(c, NULL, false, true);
}

static void peer_ends(struct connection *c)
{
	c->rcv++;
	c->peer_ended = true;
	if (c->ending && c->una == c->end) {
		send_control(c, c->nxt, ACK);
		c->state = TIME_WAIT;
		tcp_due(c, web_system->now() + LINGER);
	} else if (idle(c)) {
		end_unanswered(c);
	}
}

/* Bytes and end that lie before what we expect are passed over; what lies behind it is to come again. */
static void data_arrives(struct connection *c, const struct packet *p)
{
	uint32_t skip = c->rcv - p->seq;
	bool fin = p->flags & FIN && !c->peer_ended;
	if (!p->length && !(p->flags & FIN))
		return;
	if (before(c->rcv, p->seq) || skip > p->length) {
		c->told = ~c->rcv;		/* tell it where we are */
		return;
	}
	if (skip < p->length && !bytes_arrive(c, p->data + skip, p->length - skip))
		fin = false;
	if (fin && c->state == OPEN)
		peer_ends(c);
	else if (skip == p->length && !fin)
		c->told = ~c->rcv;
}

static void established(struct connection *c)
{
	c->state = OPEN;
	c->una = c->nxt;
	c->tries = 0;
	tcp_due(c, web_system->now() + IDLE);
}

/* Where we are, said at once. */
static void control(struct connection *c)
{
	if (c->state == SYN_RECEIVED)
		send_control(c, c->una, SYN | ACK);
	else
		send_control(c, c->nxt, ACK);
}

static void connection_input(struct connection *c, const struct packet *p)
{
	if (p->flags & RST) {
		if (p->seq == c->rcv)
			forget(c);
		return;
	}
	if (p->flags & SYN) {
		control(c);
		return;
	}
	if (!(p->flags & ACK))
		return;
	if (c->state == SYN_RECEIVED) {
		if (p->ack != c->nxt) {
			send_reset(p->frame, our_mac, p->ack, 0);
			return;
		}
		c->window = get16(p->tcp + 14);
		established(c);
	} else if (c->state == OPEN && !acknowledged(c, p)) {
		return;
	}
	data_arrives(c, p);
	if (c->state != FREE && c->told != c->rcv)
		control(c);
}

void web_input(const uint8_t *frame, unsigned length)
{
	struct packet p;
	if (!packet_check(&p, frame, length))
		return;
	struct connection *c = find(p.ip + 12, p.tcp);
	if (c && c->state == TIME_WAIT && p.flags & SYN && before(c->rcv, p.seq)) {
		forget(c);		/* the peer uses its port again */
		c = NULL;
	}
	if (c) {
		connection_input(c, &p);
	} else if ((p.flags & (SYN | ACK | RST)) == SYN) {
		connect(&p);
	} else if (!(p.flags & RST)) {
		web_counts.refused++;
		send_reset(frame, our_mac, p.flags & ACK ? p.ack : 0,
			p.flags & ACK ? 0 : p.seq + p.length + !!(p.flags & (SYN | FIN)));
	}
}

/* ---- what time brings, and room ------------------------------------------------------------ */

uint64_t web_timers(void)
{
	uint64_t now = web_system->now();
	if (now < next_due)
		return next_due;
	next_due = NEVER;
	for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
		if (!c->state)
			continue;
		if (now < c->deadline)
			tcp_due(c, c->deadline);
		else if (c->state != TIME_WAIT && c->una != c->end)
			again(c, now);
		else if (c->state == OPEN && !c->ending)
			end_unanswered(c);
		else
			forget(c);
	}
	return next_due;
}

/* Pages go on, and acknowledgements that found no room follow: else the peer repeats in vain. */
void web_go_on(void)
{
	for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
		if (c->state == OPEN && c->nxt != c->end)
			send_more(c);
		if (c->state != FREE && c->told != c->rcv)
			control(c);
	}
}
