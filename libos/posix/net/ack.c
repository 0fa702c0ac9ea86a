/* Which acknowledgements of TCP need not be sent: see ack.h. */
#include "libos/posix/net/ack.h"

#define V4_TCP	34u		/* where the TCP header lies: no options are sent */
#define V6_TCP	54u

/* Where the TCP header lies of a frame that only acknowledges; 0: it is another. */
static unsigned tcp_at(const uint8_t *f, size_t length)
{
	unsigned at = 0;
	if (length >= V4_TCP + 20 && f[12] == 0x08 && f[13] == 0 && f[14] == 0x45 && f[23] == 6)
		at = V4_TCP;
	else if (length >= V6_TCP + 20 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 6)
		at = V6_TCP;
	return at && f[at + 13] == 0x10 && length == at + f[at + 12] / 16 * 4u ? at : 0;
}

static uint32_t word(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

bool ack_replaces(const uint8_t *frame, const uint8_t *older, size_t length)
{
	unsigned at = tcp_at(frame, length), from = at == V4_TCP ? 26 : 22;
	return at && tcp_at(older, length) == at && !__builtin_memcmp(frame, older, 14) &&
		/* addresses, ports, sequence number */
		!__builtin_memcmp(frame + from, older + from, at + 8 - from) &&
		(int32_t)(word(frame + at + 8) - word(older + at + 8)) > 0;
}
