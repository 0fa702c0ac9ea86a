/* The view of a frame: where its headers are, and which of their bytes exist.
 *
 * This is the one place that says so in C; the compiled code's way to the same places is checked
 * against it.  Nothing is followed but one tag and the IPv4 header's length.
 */
#include "cube.h"

#define ETHER_HEADER		14u
#define TAG			4u

static uint32_t be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

static void put(struct view *v, unsigned at, const uint8_t *from, uint32_t n, uint32_t most)
{
	for (uint32_t i = 0; i < n && i < most; i++) {
		v->byte[at + i] = from[i];
		v->there_byte[at + i] = 0xff;
	}
}

static void put_v4(struct view *v, const uint8_t *p, uint32_t n)
{
	uint32_t header, total;

	if (n < V4_HEADER || p[0] >> 4 != 4)
		return;
	header = (p[0] & 15) * 4u;
	total = be16(p + 2);
	if (header < V4_HEADER || total < header || total > n)
		return;
	put(v, VIEW_L3, p, V4_HEADER, V4_HEADER);
	if (!(be16(p + 6) & 0x1fff))
		put(v, VIEW_L4, p + header, total - header, L4_BYTES);
}

static void put_v6(struct view *v, const uint8_t *p, uint32_t n)
{
	if (n < V6_HEADER || p[0] >> 4 != 6 || be16(p + 4) > n - V6_HEADER)
		return;
	put(v, VIEW_L3, p, V6_HEADER, V6_HEADER);
	put(v, VIEW_L4, p + V6_HEADER, be16(p + 4), L4_BYTES);
}

bool view_take(struct view *v, const uint8_t *frame, uint32_t length)
{
	const uint8_t none[2] = { 0 }, *tci = none;
	uint32_t l3 = ETHER_HEADER, type;

	*v = (struct view){ 0 };
	if (length < ETHER_HEADER)
		return false;
	type = be16(frame + l3 - 2);
	if (type == ETHERTYPE_TAG || type == ETHERTYPE_SERVICE_TAG) {
		if (length < ETHER_HEADER + TAG)
			return false;
		tci = frame + l3;
		l3 += TAG;
		type = be16(frame + l3 - 2);
	}
	put(v, VIEW_L2, frame, 12, 12);
	put(v, VIEW_TYPE, frame + l3 - 2, 2, 2);
	put(v, VIEW_TCI, tci, 2, 2);
	if (type == EXO_ETHERTYPE_IPV4)
		put_v4(v, frame + l3, length - l3);
	else if (type == EXO_ETHERTYPE_IPV6)
		put_v6(v, frame + l3, length - l3);
	else
		put(v, VIEW_L3, frame + l3, length - l3, VIEW_L4 - VIEW_L3);
	return true;
}
