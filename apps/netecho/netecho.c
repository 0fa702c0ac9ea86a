/* A complete network application on raw rings in about 120 lines: it answers ARP, ping and UDP port 7
 * at one address, without a stack.
 *
 *	./virtue run --module netecho=build/netecho --append session=netecho -- netecho
 *
 * It asks the kernel for three filters within the flow that it was given (ARP for its address, ICMP
 * and UDP to it) and a permission to send from it; all packets arrive in one ring, are turned
 * around where they lie, and are sent from there, without a copy.
 */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

#define FRAMES	64u
#define CHUNK	2048u
#define IP	0x0a00020fu	/* 10.0.2.15 */

#define TYPE(t)		{ EXO_L2, 2, 12, 0, 0xffff, t }
#define IP_IS(offset)	{ EXO_L3, 4, offset, 0, 0xffffffff, IP }
#define PROTOCOL(p)	{ EXO_L3, 1, 9, 0, 0xff, p }

static uint64_t flow;
static uint8_t mac[6];
static struct packets in, out;
static uint32_t pfn[FRAMES];		/* chunk n: half n % 2 of frame n / 2 */

static uint8_t *chunk(unsigned n) { return (uint8_t *)physmap_page(pfn[n / 2]) + n % 2 * CHUNK; }

static void must(uint64_t status, const char *what)
{
	if (!status)
		return;
	log_line("netecho: %s: %s", what, exo_status_text(status));
	exo_domain_ctl(0, EXO_DOM_EXIT, 1, 0);
}

/* A flow within ours, bound to a ring: a filter, or a permission to send. */
static void bind(struct packets *ring, unsigned direction, unsigned n, const struct exo_atom *atoms, const char *what)
{
	struct exo_result f = exo_flow_derive(flow, frame_take(), atoms, n,
		EXO_FLOW_OPTIONS(direction, direction == EXO_FLOW_RECEIVE), EXO_SLOT_ANY);
	must(f.status ? f.status : exo_flow_bind(f.value, ring->cap, 0).status, what);
}

static void bind_all(void)
{
	const struct exo_atom arp[] = { TYPE(EXO_ETHERTYPE_ARP), IP_IS(24) };
	const struct exo_atom ping[] = { TYPE(EXO_ETHERTYPE_IPV4), IP_IS(16), PROTOCOL(1), { EXO_L4, 1, 0, 0, 0xff, 8 } };
	const struct exo_atom udp[] = { TYPE(EXO_ETHERTYPE_IPV4), IP_IS(16), PROTOCOL(17), { EXO_L4, 2, 2, 0, 0xffff, 7 } };
	const struct exo_atom from_us[] = { TYPE(EXO_ETHERTYPE_IPV4), IP_IS(12) };
	const struct exo_atom arp_from_us[] = { TYPE(EXO_ETHERTYPE_ARP), IP_IS(14) };
	bind(&in, EXO_FLOW_RECEIVE, 2, arp, "the filter for ARP");
	bind(&in, EXO_FLOW_RECEIVE, 4, ping, "the filter for ping");
	bind(&in, EXO_FLOW_RECEIVE, 4, udp, "the filter for UDP");
	bind(&out, EXO_FLOW_TRANSMIT, 2, from_us, "the permission to send");
	bind(&out, EXO_FLOW_TRANSMIT, 2, arp_from_us, "the permission to answer ARP");
}

static void swap(uint8_t *a, uint8_t *b, unsigned n)
{
	for (; n--; a++, b++) {
		uint8_t t = *a;
		*a = *b;
		*b = t;
	}
}

/* Turns a packet around; the filters have looked at addresses, protocol, type and port already. */
static bool answer(uint8_t *p)
{
	memcpy(p, p + 6, 6);
	memcpy(p + 6, mac, 6);
	if (p[12] == 8 && p[13] == 6) {		/* ARP: who asked becomes the target */
		if (p[21] != 1)
			return false;
		p[21] = 2;
		swap(p + 22, p + 32, 10);
		memcpy(p + 22, mac, 6);
		return true;
	}
	uint8_t *l4 = p + 14 + (p[14] & 15) * 4;
	swap(p + 26, p + 30, 4);
	if (p[23] == 17) {
		swap(l4, l4 + 2, 2);		/* the sum stays: it does not mind the order */
		return true;
	}
	l4[0] = 0;				/* an echo's reply: its sum grows by what the type lost */
	unsigned sum = (l4[2] << 8 | l4[3]) + 0x800;
	sum += sum >> 16;
	l4[2] = sum >> 8;
	l4[3] = sum;
	return true;
}

static void receive_into(unsigned n) { packets_put(&in, n, pfn[n / 2], n % 2 * CHUNK, CHUNK); }

/* Until there is something in either ring; the kernel looks at both words for us. */
static void wait_for_packets(void)
{
	struct exo_predicate p = { .products = 2, .terms = { 1, 1 } };
	const struct packets *r[] = { &in, &out };
	for (unsigned i = 0; i < 2; i++)
		p.term[i][0] = (struct exo_term){ .op = EXO_NE, .value = r[i]->consumed,
			.addr = (r[i]->head_pfn << EXO_PAGE_SHIFT) + offsetof(struct exo_ring, completed) };
	exo_wait(&p, EXO_FOREVER, 0);
}

static _Noreturn void serve(void)
{
	struct exo_completion c;
	for (;; wait_for_packets()) {
		while (packets_get(&in, &c)) {
			if (!c.status && answer(chunk(c.id)))
				packets_put(&out, c.id, pfn[c.id / 2], c.id % 2 * CHUNK, c.sectors);
			else
				receive_into(c.id);
		}
		while (packets_get(&out, &c))		/* sent: it may be filled again */
			receive_into(c.id);
		packets_submit(&in);
		packets_submit(&out);
	}
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	struct exo_flow_info info;
	upcall_set(&handlers);
	must(frames_init(s, true), "memory");
	flow = start_cap_at(s, CAP_NET, 0);
	must(flow ? exo_flow_info(flow, &info).status : EXO_CAP, "a network card (net0)");
	memcpy(mac, info.mac, sizeof mac);
	struct exo_result event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << event_alloc(NULL, NULL));
	must(packets_open(&in, EXO_RING_RECEIVE, event.value), "a ring to receive");
	must(packets_open(&out, EXO_RING_TRANSMIT, event.value), "a ring to send");
	for (unsigned i = 0; i < FRAMES; i++)
		must((pfn[i] = frame_alloc_zero()) ? EXO_OK : EXO_LIMIT, "frames");
	for (unsigned n = 0; n < 2 * FRAMES; n++)
		receive_into(n);
	bind_all();
	must(EXO_CODE(packets_submit(&in)), "the ring");
	log_line("netecho: %s, at 10.0.2.15", info.model);
	serve();
}
