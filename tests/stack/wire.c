/* See wire.h. */
#include <string.h>
#include "libos/posix/net/stack.h"
#include "tests/stack/wire.h"

#define FRAMES	2048u

struct wire wire;
uint32_t wire_now;
uint64_t wire_spoiled;

static struct wire_frame frames[FRAMES];
static uint8_t bytes[FRAMES][STACK_FRAME + 4];
static unsigned pending;
static uint64_t state = 1;

void chance_seed(uint64_t seed) { state = seed * 0x9e3779b97f4a7c15ul | 1; }

uint32_t chance(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

bool chance_of(unsigned thousandths) { return chance(1000) < thousandths; }

/* Where no slot is free the frame is lost. */
static void put(unsigned to, const void *frame, size_t length)
{
	unsigned i = 0;
	while (i < FRAMES && frames[i].used)
		i++;
	if (i == FRAMES)
		return;
	pending++;
	frames[i] = (struct wire_frame){ .used = true, .spoiled = chance_of(wire.spoil), .to = to,
		.when = wire_now + 1 + chance(wire.delay + 1), .length = length, .byte = bytes[i] };
	memcpy(bytes[i], frame, length);
	/* TCP's sum of 16 bits finds any single bit, and not all of more. */
	if (frames[i].spoiled)
		bytes[i][14 + chance(length - 14)] ^= 1 << chance(8);
	wire_spoiled += frames[i].spoiled;
}

void wire_put(unsigned to, const void *frame, size_t length)
{
	if (chance_of(wire.lose))
		return;
	put(to, frame, length);
	if (chance_of(wire.repeat))
		put(to, frame, length);
}

void wire_tick(void (*arrives)(const struct wire_frame *f))
{
	unsigned first = chance(FRAMES);
	wire_now++;
	for (unsigned k = 0; pending && k < FRAMES; k++) {
		struct wire_frame *f = &frames[(first + k) % FRAMES];
		if (!f->used || f->when > wire_now)
			continue;
		arrives(f);
		f->used = false;
		pending--;
	}
}

const struct wire_frame *wire_any(void)
{
	unsigned first = chance(FRAMES);
	for (unsigned k = 0; pending && k < FRAMES; k++)
		if (frames[(first + k) % FRAMES].used)
			return &frames[(first + k) % FRAMES];
	return NULL;
}
