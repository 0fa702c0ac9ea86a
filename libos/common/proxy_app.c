/* The domain's side of the proxy protocol.  See proxy.h.
 *
 * For one context.  Whoever waits first says so (app_waits), then lets the kernel compare: the
 * predicate is evaluated on the call, so a change in between is seen.
 */
#include "libos/common/proxy.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/common/text.h"
#include "libos/common/time.h"

#define ARGS_MAX	128u
#define EINTR		4
#define EBADF		9
#define EINVAL		22
#define EPIPE		32
#define ENOSYS		38

static struct {
	struct proxy_page *page;	/* NULL: no proxy */
	uint64_t phys, cap, event, event_bits;
	struct ring in, out, err;
	unsigned argc, envc;
	const char *string[ARGS_MAX];
	struct { unsigned op; uint64_t length; } asked[PROXY_SLOTS];	/* what was asked, by slot */
} px;

/* ---- attaching ------------------------------------------------------------------------ */

static void take_strings(const struct proxy_page *p)
{
	const char *at = (const char *)p + PROXY_ARGS, *end;
	uint64_t size = p->args_size < PROXY_ARGS_SIZE ? p->args_size : PROXY_ARGS_SIZE;
	unsigned n = 0, argc = p->argc, envc = p->envc;
	for (end = at + size; n < ARGS_MAX && at < end; n++) {
		size_t length = strnlen(at, end - at);
		if (length == (size_t)(end - at))
			break;
		px.string[n] = at;
		at += length + 1;
	}
	px.argc = argc < n ? argc : n;
	px.envc = envc < n - px.argc ? envc : n - px.argc;
}

bool proxy_attach(const struct exo_start *s)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(s, CAP_PROXY), va;
	if (!cap || exo_cap_info(0, cap, &info).status || info.count < PROXY_FRAMES)
		return false;
	if (!(va = pt_window(PROXY_FRAMES)) ||
	    pt_map(s->root, va, info.base, PROXY_FRAMES, PTE_RW, cap))
		return false;
	struct proxy_page *p = (struct proxy_page *)va;
	if (p->magic != PROXY_MAGIC || p->size != PROXY_SIZE)
		return false;
	px.phys = info.base << EXO_PAGE_SHIFT;
	px.cap = cap;
	px.event = start_cap(s, CAP_PROXY_EVENT);
	px.event_bits = exo_cap_info(0, px.event, &info).status ? 0 : info.base;
	ring_init(&px.in, &p->in, (void *)(va + PROXY_IN), PROXY_IN_SIZE);
	ring_init(&px.out, &p->out, (void *)(va + PROXY_OUT), PROXY_OUT_SIZE);
	ring_init(&px.err, &p->err, (void *)(va + PROXY_ERR), PROXY_ERR_SIZE);
	take_strings(p);
	px.page = p;
	return true;
}

unsigned proxy_argc(void) { return px.argc; }
unsigned proxy_envc(void) { return px.envc; }
const char *proxy_arg(unsigned i) { return i < px.argc ? px.string[i] : ""; }

const char *proxy_env_at(unsigned i) { return i < px.envc ? px.string[px.argc + i] : ""; }

const char *proxy_env(const char *name)
{
	size_t n = strlen(name);
	for (unsigned i = 0; i < px.envc; i++) {
		const char *s = px.string[px.argc + i];
		if (!strncmp(s, name, n) && s[n] == '=')
			return s + n + 1;
	}
	return NULL;
}

/* ---- waiting and telling ------------------------------------------------------------------ */

static void changed(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (px.page->host_waits.value &&
	    __atomic_exchange_n(&px.page->host_waits.value, 0, __ATOMIC_ACQ_REL))
		exo_event_signal(px.event, px.event_bits);
}

static uint64_t phys_of(const void *word)
{
	return px.phys + ((uintptr_t)word - (uintptr_t)px.page);
}

static void term(struct wait *w, const uint64_t *word, enum exo_cmp op, uint64_t value)
{
	wait_term(w, phys_of(word), px.cap, op, value);
}

/* Blocks until one of the products holds or an event has come; the session may be gone. */
static bool block(struct wait *w)
{
	__atomic_store_n(&px.page->app_waits.value, 1, __ATOMIC_SEQ_CST);
	uint64_t status = wait_for(w, EXO_FOREVER);
	return status == EXO_OK || status == EXO_EVENT;
}

uint64_t proxy_signals(void)
{
	return px.page ? __atomic_exchange_n(&px.page->signals.value, 0, __ATOMIC_ACQ_REL) : 0;
}

uint64_t proxy_signal_word(uint64_t *cap)
{
	*cap = px.cap;
	return px.page ? phys_of(&px.page->signals.value) : 0;
}

void proxy_window(unsigned *rows, unsigned *columns)
{
	uint64_t w = px.page ? __atomic_load_n(&px.page->window.value, __ATOMIC_ACQUIRE) : 0;
	*rows = w >> 16 & 0xffff;
	*columns = w & 0xffff;
}

/* ---- streams ----------------------------------------------------------------------------- */

int64_t proxy_read(void *to, size_t n)
{
	struct wait w;
	if (!px.page || !n)
		return 0;
	while (!ring_used(&px.in)) {
		if (ring_ended(&px.in))
			return 0;
		if (__atomic_load_n(&px.page->signals.value, __ATOMIC_ACQUIRE))
			return -EINTR;
		wait_start(&w);
		term(&w, &px.page->in.head.value, EXO_NE, px.in.mine);
		wait_or(&w);
		term(&w, &px.page->in.end.value, EXO_NE, 0);
		wait_or(&w);
		term(&w, &px.page->signals.value, EXO_NE, 0);
		if (!block(&w))
			return 0;
	}
	n = ring_read(&px.in, to, n);
	changed();
	return n;
}

int64_t proxy_write(unsigned stream, const void *from, size_t n)
{
	struct ring *r = stream == 2 ? &px.err : &px.out;
	struct wait w;
	if (!px.page)
		return n;
	for (size_t at = 0; at < n;) {
		if (ring_stopped(r))
			return -EPIPE;
		size_t part = ring_write(r, (const uint8_t *)from + at, n - at);
		at += part;
		if (part) {
			changed();
			continue;
		}
		wait_start(&w);
		term(&w, &r->shared->tail.value, EXO_NE, r->mine - r->size);
		wait_or(&w);
		term(&w, &r->shared->stop.value, EXO_NE, 0);
		if (!block(&w))
			return -EPIPE;
	}
	return n;
}

int proxy_printf(unsigned stream, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	size_t length = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	int64_t result = proxy_write(stream, text, length);
	return result < 0 ? result : n;
}

size_t proxy_take(void *to, size_t n)
{
	if (!px.page || !(n = ring_read(&px.in, to, n)))
		return 0;
	changed();
	return n;
}

bool proxy_input_ended(void) { return !px.page || ring_ended(&px.in); }

size_t proxy_put(unsigned stream, const void *from, size_t n)
{
	if (!px.page)
		return n;
	if ((n = ring_write(stream == 2 ? &px.err : &px.out, from, n)))
		changed();
	return n;
}

size_t proxy_room(unsigned stream)
{
	return px.page ? ring_room(stream == 2 ? &px.err : &px.out) : ~0ul;
}

bool proxy_stopped(unsigned stream)
{
	return px.page && ring_stopped(stream == 2 ? &px.err : &px.out);
}

void proxy_arm(void)
{
	if (px.page)
		__atomic_store_n(&px.page->app_waits.value, 1, __ATOMIC_SEQ_CST);
}

/* One more product, of one term. */
static void or_term(struct wait *w, const uint64_t *word, enum exo_cmp op, uint64_t value)
{
	if (w->p.terms[w->p.products - 1])
		wait_or(w);
	term(w, word, op, value);
}

void proxy_wait(struct wait *w, unsigned what)
{
	if (!px.page)
		return;
	or_term(w, &px.page->signals.value, EXO_NE, 0);
	if (what & PROXY_WAIT_IN) {
		or_term(w, &px.page->in.head.value, EXO_NE, px.in.mine);
		or_term(w, &px.page->in.end.value, EXO_NE, 0);
	}
	if (what & PROXY_WAIT_OUT) {
		or_term(w, &px.page->out.tail.value, EXO_NE, px.out.mine - px.out.size);
		or_term(w, &px.page->out.stop.value, EXO_NE, 0);
	}
	proxy_arm();
}

bool proxy_waits(void)
{
	return !px.page || __atomic_load_n(&px.page->app_waits.value, __ATOMIC_RELAXED);
}

/* ---- files -------------------------------------------------------------------------------- */

uint64_t proxy_loan(void) { return px.cap; }

struct gate_message *proxy_gate(void) { return px.page ? &px.page->gate : NULL; }

void *proxy_slot(unsigned slot)
{
	return (uint8_t *)px.page + PROXY_DATA + slot * PROXY_SLOT_SIZE;
}

void proxy_ask(unsigned slot, unsigned op, uint32_t file, uint64_t offset, uint64_t length)
{
	struct proxy_slot *s = &px.page->slot[slot];
	px.asked[slot].op = op;
	px.asked[slot].length = length;
	s->op = op;
	s->file = file;
	s->offset = offset;
	s->length = length;
	__atomic_store_n(&s->state, PROXY_ASKED, __ATOMIC_RELEASE);
	changed();
}

int64_t proxy_answer(unsigned slot)
{
	struct proxy_slot *s = &px.page->slot[slot];
	struct wait w;
	while (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != PROXY_DONE) {
		wait_start(&w);
		term(&w, &s->state, EXO_EQ, PROXY_DONE);
		if (!block(&w))
			return -EPIPE;
	}
	int64_t result = *(volatile int64_t *)&s->result;
	bool moves = px.asked[slot].op == PROXY_READ || px.asked[slot].op == PROXY_WRITE;
	if (moves && result > 0 && (uint64_t)result > px.asked[slot].length)
		result = -EINVAL;
	__atomic_store_n(&s->state, PROXY_FREE, __ATOMIC_RELEASE);
	return result;
}

int64_t proxy_open(const char *path, unsigned flags)
{
	size_t n = strlen(path);
	if (!px.page)
		return -ENOSYS;
	if (n >= PROXY_SLOT_SIZE)
		return -EINVAL;
	memcpy(proxy_slot(0), path, n);
	proxy_ask(0, PROXY_OPEN, flags, 0, n);
	return proxy_answer(0);
}

int64_t proxy_file(unsigned op, uint32_t file, uint64_t offset, void *data, uint64_t length)
{
	if (!px.page)
		return -EBADF;
	if (op == PROXY_OPEN || op >= PROXY_OPS || length > PROXY_SLOT_SIZE)
		return -EINVAL;
	if (op == PROXY_WRITE)
		memcpy(proxy_slot(0), data, length);
	proxy_ask(0, op, file, offset, length);
	int64_t result = proxy_answer(0);
	if (op == PROXY_READ && result > 0)
		memcpy(data, proxy_slot(0), result);
	return result;
}

/* Bytes of the part that begins at `at`. */
static uint64_t part_size(uint64_t at, uint64_t length)
{
	return length - at < PROXY_SLOT_SIZE ? length - at : PROXY_SLOT_SIZE;
}

int64_t proxy_transfer(unsigned op, uint32_t file, uint64_t offset, void *data, uint64_t length)
{
	uint8_t *bytes = data;
	uint64_t asked = 0, answered = 0;
	int64_t total = 0;
	bool ended = false;
	if (!px.page)
		return -EBADF;
	if (op != PROXY_READ && op != PROXY_WRITE)
		return -EINVAL;
	while (answered < asked || (asked < length && !ended)) {
		unsigned slot = asked / PROXY_SLOT_SIZE % PROXY_SLOTS;
		if (asked < length && !ended && asked - answered < PROXY_SLOTS * PROXY_SLOT_SIZE) {
			uint64_t n = part_size(asked, length);
			if (op == PROXY_WRITE)
				memcpy(proxy_slot(slot), bytes + asked, n);
			proxy_ask(slot, op, file, offset + asked, n);
			asked += PROXY_SLOT_SIZE;
			continue;
		}
		uint64_t n = part_size(answered, length);
		slot = answered / PROXY_SLOT_SIZE % PROXY_SLOTS;
		int64_t result = proxy_answer(slot);
		if (!ended && result > 0 && op == PROXY_READ)
			memcpy(bytes + answered, proxy_slot(slot), result);
		if (!ended)
			total = result < 0 ? result : total + result;
		ended |= result < (int64_t)n;
		answered += PROXY_SLOT_SIZE;
	}
	return total;
}

void proxy_obey(void)
{
	uint64_t signals = proxy_signals() & ~(1ul << (PROXY_SIGWINCH - 1));
	if (signals)
		proxy_exit(128 + __builtin_ctzl(signals) + 1);
}

_Noreturn void proxy_exit(unsigned status)
{
	if (px.page) {
		__atomic_store_n(&px.page->status.value, 256 | (status & 255), __ATOMIC_RELEASE);
		changed();
	}
	domain_exit(status & 255);
}
