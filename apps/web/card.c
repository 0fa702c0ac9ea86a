/* Rings, chunks and the loop: see card.h. */
#include "apps/web/card.h"

#define IN_CHUNKS	EXO_PACKET_SLOTS
#define SCRATCH		128u
#define SOON_NS		1000000ul
#define SHORTEST	60u		/* what a card may be given */

static struct packets in, out;
static uint32_t in_pfn[IN_CHUNKS / 2];
static struct web_segment scratch_segment[SCRATCH];
static uint8_t mac[6], our_ip[4];
static bool blocked;			/* somebody found no room */

/* ---- memory ----------------------------------------------------------------------------- */

#define TAKEN	16u			/* frames at a time */

/* From frames in a row, for good. */
static void *take(size_t size)
{
	static uint8_t *at;
	static size_t left;
	size = (size + 15) & ~15ul;
	if (size > left) {
		unsigned frames = size > TAKEN * EXO_PAGE_SIZE ? (size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE : TAKEN;
		uint64_t pfn = frames <= 512 ? frame_alloc_run(frames) : 0;
		if (!pfn)
			return NULL;
		at = physmap_page(pfn);
		left = frames * EXO_PAGE_SIZE;
		memset(at, 0, left);
	}
	void *p = at;
	at += size;
	left -= size;
	return p;
}

/* Two a frame. */
static bool chunk_take(struct web_segment *s)
{
	static uint64_t half;		/* a frame whose second half is free, or 0 */
	s->frame = half ? half : frame_alloc();
	s->offset = half ? WEB_CHUNK : 0;
	if (!s->frame)
		return false;
	s->at = (uint8_t *)physmap_page(s->frame) + s->offset;
	half = half ? 0 : s->frame;
	return true;
}

struct web_page *web_page_room(const char *path, size_t size, struct web_segment **segment)
{
	unsigned n = web_page_segments(size);
	size_t length = strlen(path) + 1;
	if (frames_left() < n / 2 + (n * sizeof **segment + length) / EXO_PAGE_SIZE + TAKEN + 2)
		return NULL;		/* what one takes and cannot use is lost */
	struct web_page *p = take(sizeof *p);
	char *name = take(length);
	if (!p || !name || !(*segment = take(n * sizeof **segment)))
		return NULL;
	for (unsigned i = 0; i < n; i++)
		if (!chunk_take(&(*segment)[i]))
			return NULL;
	memcpy(name, path, length);
	p->path = name;
	return p;
}

struct web_page *web_page_new(const char *path, const char *status, const char *type,
	const void *body, size_t size)
{
	struct web_segment *segment;
	struct web_page *p = web_page_room(path, size, &segment);
	if (p)
		web_page_fill(p, segment, status, type, body, size);
	return p;
}

/* ---- sending ---------------------------------------------------------------------------- */

static uint64_t taken(void) { return __atomic_load_n(&out.head->taken, __ATOMIC_ACQUIRE); }

static void sent_reap(void)
{
	struct exo_completion c;
	while (packets_get(&out, &c))
		if (c.id)
			scratch_segment[c.id - 1].busy = false;
}

static void flush(void)
{
	if (out.submitted != taken())
		packets_submit(&out);	/* AGAIN: the card has no room, and is asked again soon */
}

static bool room(void)
{
	if (!packets_room(&out))
		sent_reap();
	if (packets_room(&out))
		return true;
	flush();
	sent_reap();
	return packets_room(&out);
}

static bool headers_free(const struct web_segment *s)
{
	if (taken() < s->last)
		flush();
	return taken() >= s->last;
}

static bool ready(struct web_segment *s)
{
	if (room() && headers_free(s))
		return true;
	blocked = true;
	return false;
}

static struct web_segment *scratch(void)
{
	static unsigned next;
	for (unsigned i = 0; room() && i < SCRATCH; i++) {
		struct web_segment *s = &scratch_segment[next++ % SCRATCH];
		if (!s->busy && headers_free(s))
			return s;
	}
	blocked = true;
	return NULL;
}

static void send(struct web_segment *s, unsigned bytes)
{
	uint64_t number = s - scratch_segment;
	uint64_t id = number < SCRATCH && bytes > EXO_PACKET_HEADER ? number + 1 : 0;
	if (bytes < SHORTEST) {
		memset(s->at + bytes, 0, SHORTEST - bytes);
		bytes = SHORTEST;
	}
	s->busy = id;
	packets_put(&out, id, s->frame, s->offset, bytes);
	s->last = out.submitted;
}

/* ---- opening ---------------------------------------------------------------------------- */

#define TYPE(t)		{ EXO_L2, 2, 12, 0, 0xffff, t }
#define TCP		{ EXO_L3, 1, 9, 0, 0xff, 6 }
#define IP_AT(offset)	{ EXO_L3, 4, offset, 0, 0xffffffff, ip }
#define PORT_AT(offset)	{ EXO_L4, 2, offset, 0, 0xffff, port }

static uint64_t bind(uint64_t flow, const struct packets *ring, unsigned direction,
	const struct exo_atom *atoms, unsigned n)
{
	uint64_t object = frame_take();
	if (!object)
		return EXO_LIMIT;
	struct exo_result f = exo_flow_derive(flow, object, atoms, n,
		EXO_FLOW_OPTIONS(direction, direction == EXO_FLOW_RECEIVE), EXO_SLOT_ANY);
	return f.status ? f.status : exo_flow_bind(f.value, ring->cap, 0).status;
}

/* Out of all packets, those that we live on. */
static uint64_t bind_parts(uint64_t flow, uint16_t port)
{
	const uint64_t ip = (uint64_t)our_ip[0] << 24 | our_ip[1] << 16 | our_ip[2] << 8 | our_ip[3];
	const struct exo_atom to_us[] = { TYPE(EXO_ETHERTYPE_IPV4), TCP, IP_AT(16), PORT_AT(2) };
	const struct exo_atom arp[] = { TYPE(EXO_ETHERTYPE_ARP), IP_AT(24) };
	const struct exo_atom from_us[] = { TYPE(EXO_ETHERTYPE_IPV4), TCP, IP_AT(12), PORT_AT(0) };
	const struct exo_atom arp_from_us[] = { TYPE(EXO_ETHERTYPE_ARP), IP_AT(14) };
	uint64_t status = bind(flow, &in, EXO_FLOW_RECEIVE, to_us, 4);
	status = status ? status : bind(flow, &in, EXO_FLOW_RECEIVE, arp, 2);
	status = status ? status : bind(flow, &out, EXO_FLOW_TRANSMIT, from_us, 4);
	return status ? status : bind(flow, &out, EXO_FLOW_TRANSMIT, arp_from_us, 2);
}

#define VIEW_L4	56		/* docs/net-design.md */

static uint64_t bind_all(const struct exo_start *s, uint64_t flow, const struct exo_flow_info *info,
	uint16_t *port)
{
	uint64_t to_send = start_cap(s, CAP_NET_SEND);
	if (!to_send)
		return bind_parts(flow, *port);
	const uint8_t *l4 = (const uint8_t *)info->value + VIEW_L4;
	*port = l4[2] << 8 | l4[3];
	memset(our_ip, 0, sizeof our_ip);
	uint64_t status = exo_flow_bind(flow, in.cap, 0).status;
	return status ? status : exo_flow_bind(to_send, out.cap, 0).status;
}

static uint8_t *in_chunk(unsigned n)
{
	return (uint8_t *)physmap_page(in_pfn[n / 2]) + n % 2 * WEB_CHUNK;
}

static void in_give(unsigned n)
{
	packets_put(&in, n, in_pfn[n / 2], n % 2 * WEB_CHUNK, WEB_CHUNK);
}

static bool chunks_make(void)
{
	for (unsigned i = 0; i < IN_CHUNKS / 2; i++)
		if (!(in_pfn[i] = frame_alloc_zero()))
			return false;
	for (unsigned n = 0; n < IN_CHUNKS; n++)
		in_give(n);
	for (unsigned i = 0; i < SCRATCH; i++)
		if (!chunk_take(&scratch_segment[i]))
			return false;
	return true;
}

uint64_t web_card_open(const struct exo_start *s, const uint8_t ip[4], uint16_t *port,
	struct web_page *(*find)(const char *path), const char **what)
{
	static struct web_system system = { time_now, ready, send, scratch, NULL };
	uint64_t flow = start_cap_at(s, CAP_NET, 0), event = 0, status;
	struct exo_flow_info info;
	*what = "packets of a card (net0; in the shell `domain --port N` gives some)";
	if ((status = flow ? exo_flow_info(flow, &info).status : EXO_CAP))
		return status;
	memcpy(mac, info.mac, sizeof mac);
	memcpy(our_ip, ip, sizeof our_ip);
	/* Nobody listens to the event; that it is signalled has the kernel look at what we wait for. */
	upcall_mask(upcall_first);
	*what = "rings";
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << event_alloc(NULL, NULL));
	event = e.value;
	if ((status = e.status ? e.status : packets_open(&in, EXO_RING_RECEIVE, event)) ||
	    (status = packets_open(&out, EXO_RING_TRANSMIT, event)))
		return status;
	out.head->event_count = SCRATCH / 2;	/* who is blocked waits for more than these */
	*what = "memory";
	if (!chunks_make())
		return EXO_LIMIT;
	*what = "its filters";
	if ((status = bind_all(s, flow, &info, port)))
		return status;
	system.find = find;
	web_init(&system, mac, our_ip, *port, __builtin_ia32_rdtsc() * 0x9e3779b97f4a7c15ul);
	return EXO_CODE(packets_submit(&in));
}

/* ---- the loop --------------------------------------------------------------------------- */

static void arp_answer(const uint8_t *frame, unsigned length)
{
	struct web_segment *s = scratch();
	if (!s || length > WEB_CHUNK)
		return;
	memcpy(s->at, frame, length);
	if (web_arp(s->at, length, mac, our_ip))
		send(s, 42);
}

static void input(void)
{
	struct exo_completion c;
	for (unsigned i = 0; i < IN_CHUNKS && packets_get(&in, &c); i++) {
		const uint8_t *frame = in_chunk(c.id);
		if (c.status)
			continue;
		if (frame[12] == 8 && frame[13] == 6)
			arp_answer(frame, c.sectors);
		else
			web_input(frame, c.sectors);
		in_give(c.id);
	}
}

static void wait_also(struct exo_predicate *p, uint64_t addr, uint64_t value, uint64_t cap)
{
	p->term[p->products][0] = (struct exo_term){ .op = EXO_NE, .value = value, .addr = addr, .cap = cap };
	p->terms[p->products++] = 1;
}

static void wait_completion(struct exo_predicate *p, const struct packets *r)
{
	wait_also(p, (r->head_pfn << EXO_PAGE_SHIFT) + offsetof(struct exo_ring, completed), r->consumed, 0);
}

/* A packet, room for somebody who found none, a signal of the session's, or the time: soon, if the card
 * had no room for all. */
static void wait_for_work(uint64_t deadline)
{
	struct exo_predicate p = { 0 };
	uint64_t cap, word = proxy_signal_word(&cap), soon = time_now() + SOON_NS;
	if (out.submitted != taken() && soon < deadline)
		deadline = soon;
	wait_completion(&p, &in);
	if (blocked)
		wait_completion(&p, &out);
	if (word)
		wait_also(&p, word, 0, cap);
	exo_wait(&p, deadline, 0);
}

void web_serve(void (*every)(void), uint64_t ns)
{
	uint64_t next = ns ? time_now() + ns : EXO_FOREVER, due;
	while (!proxy_signals()) {
		input();
		sent_reap();
		if (blocked) {
			blocked = false;
			web_go_on();
		}
		due = web_timers();
		if (next != EXO_FOREVER && time_now() >= next) {
			every();
			next = time_now() + ns;
		}
		flush();
		wait_for_work(due < next ? due : next);
	}
}
