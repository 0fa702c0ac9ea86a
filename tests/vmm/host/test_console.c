/* Host tests of the console: bytes as they are, back-pressure both ways, positions that are nonsense. */
#define main bare_main		/* what start.h declares is not this program's */
#include "libos/vmm/io.h"
#undef main
#include "test.h"

unsigned test_failures;
uint64_t test_seed = 1, test_random;

/* ---- the monitor and its proxy ---------------------------------------------------------------- */

struct vm vm;
static struct xen_console_ring ring;
static unsigned raised;
static uint8_t out[1 << 16], in[1 << 16];	/* what standard output got, what standard input has */
static size_t out_size, out_room, in_size, in_taken;
static bool stopped, ended, chatters;

static void chatter(void);

void evtchn_raise(unsigned port) { raised += port == vm.console_port; }
unsigned evtchn_backend(void (*notify)(void *arg), void *arg) { (void)notify; (void)arg; return 3; }
void io_kick(uint64_t bits) { (void)bits; }
bool proxy_stopped(unsigned stream) { return stream == 1 && stopped; }
bool proxy_input_ended(void) { return ended; }
size_t proxy_put(unsigned stream, const void *from, size_t n)
{
	n = n < out_room ? n : out_room;
	memcpy(out + out_size, from, stream == 1 ? n : 0);
	out_size += n;
	out_room -= n;
	if (chatters)
		chatter();
	return n;
}
size_t proxy_take(void *to, size_t n)
{
	n = n < in_size - in_taken ? n : in_size - in_taken;
	memcpy(to, in + in_taken, n);
	in_taken += n;
	return n;
}
void proxy_wait(struct wait *w, unsigned what)
{
	(void)w;
	(void)what;
	out_room = 7;
	if (chatters)
		console_raw("more", 4);
}
void wait_start(struct wait *w) { (void)w; }
uint64_t wait_for(const struct wait *w, uint64_t deadline) { (void)w; (void)deadline; return EXO_OK; }

/* ---- the guest ----------------------------------------------------------------------------------- */

static void restart(void)
{
	memset(&ring, 0, sizeof ring);
	ring.out_cons = ring.out_prod = ring.in_cons = ring.in_prod = 0xfffffff0;	/* they wrap */
	vm.console_page = &ring;
	out_size = in_size = in_taken = raised = 0;
	out_room = sizeof out;
	stopped = ended = chatters = false;
	console_init();
}

static size_t guest_write(const uint8_t *from, size_t n)
{
	size_t i = 0;
	for (; i < n && ring.out_prod - ring.out_cons < sizeof ring.out; i++)
		ring.out[ring.out_prod++ % sizeof ring.out] = from[i];
	return i;
}

static size_t guest_read(uint8_t *to)
{
	size_t n = 0;
	while (ring.in_cons != ring.in_prod)
		to[n++] = ring.in[ring.in_cons++ % sizeof ring.in];
	return n;
}

/* Another vCPU, which has always more to say. */
static void chatter(void)
{
	static const uint8_t more[2048];
	guest_write(more, sizeof more);
}

static void clean(void)
{
	uint8_t bytes[20000], got[20000];
	size_t wrote = 0, read = 0;
	restart();
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = in[i] = i < 256 ? i : any();
	in_size = sizeof bytes;
	while (wrote < sizeof bytes || read < sizeof bytes) {
		size_t n = any() % 3000;
		wrote += guest_write(bytes + wrote, n < sizeof bytes - wrote ? n : sizeof bytes - wrote);
		out_room = any() % 1000;
		console_serve();
		read += guest_read(got + read);
	}
	out_room = sizeof out;
	console_serve();
	CHECK(out_size == sizeof bytes && !memcmp(out, bytes, sizeof bytes));
	CHECK(read == sizeof bytes && !memcmp(got, bytes, sizeof bytes) && raised);
	PASS();
}

static void pressure(void)
{
	uint8_t bytes[4096] = { 'x' };
	restart();
	out_room = 100;
	CHECK(guest_write(bytes, sizeof bytes) == 2048);
	console_serve();
	CHECK(out_size == 100 && guest_write(bytes, sizeof bytes) == 100);
	CHECK(console_wants() == (PROXY_WAIT_OUT | PROXY_WAIT_IN));
	in_size = 2000;
	console_serve();
	CHECK(in_taken == 1024 && console_wants() == PROXY_WAIT_OUT);
	raised = 0;
	console_serve();
	CHECK(!raised);				/* nothing moved */
	ended = true;
	console_drain();
	CHECK(out_size == 2148 && !console_wants());
	stopped = true;				/* nobody reads: it vanishes */
	out_room = 0;
	guest_write(bytes, 2048);
	console_serve();
	CHECK(ring.out_cons == ring.out_prod && out_size == 2148);
	PASS();
}

/* What the hypervisor says goes first, and is cut, not waited for. */
static void raw(void)
{
	static char text[5000];
	restart();
	guest_write((const uint8_t *)"ring", 4);
	console_raw("raw", 3);
	out_room = 2;
	console_serve();
	CHECK(out_size == 2 && console_wants() & PROXY_WAIT_OUT);
	console_drain();
	CHECK(out_size == 7 && !memcmp(out, "rawring", 7));
	vm.console_page = NULL;
	console_raw(text, sizeof text);
	console_raw(text, sizeof text);
	console_drain();
	CHECK(out_size == 7 + 4096 && !console_wants());
	PASS();
}

/* A guest that never stops talking can be ended. */
static void talkative(void)
{
	restart();
	chatters = true;
	chatter();
	console_raw("some", 4);
	out_room = 2;
	console_drain();
	CHECK(out_size >= 4 + 2048 && out_size < 4096);
	PASS();
}

static void nonsense(unsigned rounds)
{
	restart();
	for (unsigned i = 0; i < rounds; i++) {
		ring.out_cons = any();
		ring.out_prod = any() % 4 ? any() : ring.out_cons + any() % 3000;
		ring.in_cons = any();
		ring.in_prod = any() % 4 ? any() : ring.in_cons + any() % 2000;
		in_taken = out_size = 0;
		in_size = any() % 3000;
		out_room = any() % 4000;
		console_serve();
		console_wants();
	}
	PASS();
}

int main(int argc, char **argv)
{
	test_seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	test_random = test_seed;
	clean();
	pressure();
	raw();
	talkative();
	nonsense(20000);
	return test_failures != 0;
}
