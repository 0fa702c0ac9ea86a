/* The guest's console: the ring in its page against the streams of the proxy, bytes as they are.
 *
 * Both ways with back-pressure: what standard output doesn't take stays in the ring, where the
 * guest sees that it is full; what the guest doesn't read stays with the proxy.  If nobody reads
 * standard output any more, the guest's output vanishes.  The ring is the guest's memory:
 * positions are read once, and nonsense counts as empty.
 */
#include "io.h"

#define IN_SIZE		1024u
#define OUT_SIZE	2048u

static volatile struct xen_console_ring *ring(void) { return vm.console_page; }

static uint32_t out_used(void)
{
	uint32_t n = __atomic_load_n(&ring()->out_prod, __ATOMIC_ACQUIRE) - ring()->out_cons;
	return n <= OUT_SIZE ? n : 0;
}

static uint32_t in_room(void)
{
	uint32_t n = ring()->in_prod - __atomic_load_n(&ring()->in_cons, __ATOMIC_ACQUIRE);
	return n <= IN_SIZE ? IN_SIZE - n : 0;
}

/* What the guest has written, as far as there is room: how many bytes. */
static uint32_t output(void)
{
	uint32_t used = out_used(), cons = ring()->out_cons, done = 0;
	while (done < used) {
		uint32_t at = (cons + done) % OUT_SIZE, part = used - done;
		if (part > OUT_SIZE - at)
			part = OUT_SIZE - at;
		uint32_t took = proxy_stopped(1) ? part : proxy_put(1, (const char *)ring()->out + at, part);
		done += took;
		if (took < part)
			break;
	}
	if (done)
		__atomic_store_n(&ring()->out_cons, cons + done, __ATOMIC_RELEASE);
	return done;
}

static uint32_t input(void)
{
	char bytes[IN_SIZE];
	uint32_t prod = ring()->in_prod, n = proxy_take(bytes, in_room());
	for (uint32_t i = 0; i < n; i++)
		ring()->in[(prod + i) % IN_SIZE] = bytes[i];
	if (n)
		__atomic_store_n(&ring()->in_prod, prod + n, __ATOMIC_RELEASE);
	return n;
}

/* ---- the hypervisor's own channel -------------------------------------------------------------- */

/* What a guest says by console_io, before its ring works: it goes before what is in the ring. */
static struct {
	struct lock lock;
	size_t size;
	char text[4096];
} raw;

void console_raw(const char *text, size_t n)
{
	lock_take(&raw.lock);
	if (n > sizeof raw.text - raw.size)
		n = sizeof raw.text - raw.size;		/* the rest is lost: nobody may wait here */
	memcpy(raw.text + raw.size, text, n);
	raw.size += n;
	lock_release(&raw.lock);
	io_kick(IO_CONSOLE);
}

static size_t raw_output(void)
{
	if (!raw.size)
		return 0;
	lock_take(&raw.lock);
	size_t n = proxy_stopped(1) ? raw.size : proxy_put(1, raw.text, raw.size);
	memmove(raw.text, raw.text + n, raw.size -= n);
	lock_release(&raw.lock);
	return n;
}

/* ---- for the I/O thread ---------------------------------------------------------------------------- */

void console_serve(void)
{
	raw_output();
	if (raw.size || !ring())
		return;
	uint32_t out = output(), in = input();
	if (out || in)
		evtchn_raise(vm.console_port);
}

unsigned console_wants(void)
{
	bool out = raw.size || (ring() && out_used());
	return (out ? PROXY_WAIT_OUT : 0) |
		(ring() && in_room() && !proxy_input_ended() ? PROXY_WAIT_IN : 0);
}

/* What is there now: a vCPU that goes on writing cannot keep the guest from its end. */
void console_drain(void)
{
	struct wait w;
	size_t text = raw.size, rest = ring() ? out_used() : 0, n;
	while (text || rest) {
		size_t *left = text ? &text : &rest;
		n = text ? raw_output() : output();
		*left = n < *left && (text || out_used()) ? *left - n : 0;
		if (n)
			continue;
		wait_start(&w);
		proxy_wait(&w, PROXY_WAIT_OUT);
		if (wait_for(&w, EXO_FOREVER) == EXO_LOST)
			return;
	}
}

static void on_send(void *arg)
{
	(void)arg;
	io_kick(IO_CONSOLE);
}

void console_init(void) { vm.console_port = evtchn_backend(on_send, NULL); }
