/* Parts of a card's flow.  See flows.h. */
#include "libos/common/flows.h"
#include "libos/common/frames.h"

#define TYPE(type)	{ EXO_L2, 2, 12, 0, 0xffff, type }
#define MAC(base, at, m) \
	{ base, 4, at, 0, 0xffffffff, (uint64_t)(m)[0] << 24 | (m)[1] << 16 | (m)[2] << 8 | (m)[3] }, \
	{ base, 2, (at) + 4, 0, 0xffff, (m)[4] << 8 | (m)[5] }
#define IP(at, ip) \
	{ EXO_L3, 4, at, 0, 0xffffffff, (uint64_t)(ip)[0] << 24 | (ip)[1] << 16 | (ip)[2] << 8 | (ip)[3] }
#define CARRIES(protocol)	{ EXO_L3, 1, PROTOCOL, 0, 0xff, protocol }
#define PORTS(at, first, count)	{ EXO_L4, 2, at, 0, (uint16_t)-(count), first }
enum { TO, FROM = 6 };			/* places in the Ethernet header */
enum { IP_FROM = 12, IP_TO = 16, PROTOCOL = 9 };
enum { ARP_MAC = 8, ARP_FROM = 14, ARP_TO = 24 };
enum { PORT_FROM, PORT_TO = 2 };

static uint64_t derive(struct flow_part *p, bool out, uint64_t from, const struct exo_atom *atoms,
	unsigned n)
{
	uint64_t frame = frame_take();
	if (!frame)
		return EXO_LIMIT;
	struct exo_result r = exo_flow_derive(from, frame, atoms, n, out ?
		EXO_FLOW_OPTIONS(EXO_FLOW_TRANSMIT, 0) : EXO_FLOW_OPTIONS(EXO_FLOW_RECEIVE, 1),
		EXO_SLOT_ANY);
	if (r.status) {
		frames_put(frame, 1);
		return r.status;
	}
	p->frame[out] = frame;
	*(out ? &p->out : &p->in) = r.value;
	return EXO_OK;
}

static uint64_t both(struct flow_part *p, uint64_t from, const struct exo_atom *in, unsigned in_count,
	const struct exo_atom *out, unsigned out_count)
{
	*p = (struct flow_part){ 0 };
	uint64_t status = derive(p, false, from, in, in_count);
	if (!status)
		status = derive(p, true, from, out, out_count);
	if (status)
		flow_part_end(p);
	return status;
}

uint64_t flow_ports(struct flow_part *p, uint64_t from, uint8_t protocol, uint16_t first, uint32_t count,
	const uint8_t ip[4])
{
	struct exo_flow_info info = { 0 };
	uint64_t status = exo_flow_info(from, &info).status;
	const uint8_t any[4] = { 0 };
	const struct exo_atom in[] = { TYPE(EXO_ETHERTYPE_IPV4), CARRIES(protocol),
		PORTS(PORT_TO, first, count), MAC(EXO_L2, TO, info.mac), IP(IP_TO, ip ? ip : any) };
	const struct exo_atom out[] = { TYPE(EXO_ETHERTYPE_IPV4), CARRIES(protocol),
		PORTS(PORT_FROM, first, count), MAC(EXO_L2, FROM, info.mac),
		IP(IP_FROM, ip ? ip : any) };
	return status ? status : both(p, from, in, ARRAY_LEN(in) - !ip, out, ARRAY_LEN(out) - !ip);
}

uint64_t flow_ip(struct flow_part *p, uint64_t from, const uint8_t ip[4])
{
	struct exo_flow_info info = { 0 };
	uint64_t status = exo_flow_info(from, &info).status;
	const struct exo_atom in[] = { TYPE(EXO_ETHERTYPE_IPV4), IP(IP_TO, ip),
		MAC(EXO_L2, TO, info.mac) };
	const struct exo_atom out[] = { TYPE(EXO_ETHERTYPE_IPV4), IP(IP_FROM, ip),
		MAC(EXO_L2, FROM, info.mac) };
	return status ? status : both(p, from, in, ARRAY_LEN(in), out, ARRAY_LEN(out));
}

uint64_t flow_arp(struct flow_part *p, uint64_t from, const uint8_t ip[4])
{
	struct exo_flow_info info = { 0 };
	uint64_t status = exo_flow_info(from, &info).status;
	const struct exo_atom in[] = { TYPE(EXO_ETHERTYPE_ARP), IP(ARP_TO, ip) };
	const struct exo_atom out[] = { TYPE(EXO_ETHERTYPE_ARP), IP(ARP_FROM, ip),
		MAC(EXO_L3, ARP_MAC, info.mac), MAC(EXO_L2, FROM, info.mac) };
	return status ? status : both(p, from, in, ARRAY_LEN(in), out, ARRAY_LEN(out));
}

void flow_part_end(struct flow_part *p)
{
	if (p->in)
		exo_delete_all(0, p->in);
	if (p->out)
		exo_delete_all(0, p->out);
	for (unsigned i = 0; i < 2; i++)
		if (p->frame[i])
			frames_put(p->frame[i], 1);
	*p = (struct flow_part){ 0 };
}
