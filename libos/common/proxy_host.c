/* The session's side of the proxy protocol: it believes nothing that it reads.  See proxy.h. */
#include "libos/common/proxy.h"
#include "libos/common/text.h"

static uint64_t load(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

/* After a change: wakes the domain if it says that it waits. */
static void changed(struct proxy_host *h)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (load(&h->page->app_waits.value) &&
	    __atomic_exchange_n(&h->page->app_waits.value, 0, __ATOMIC_ACQ_REL))
		h->notify(h->arg);
}

static uint8_t *slot_data(struct proxy_host *h, unsigned slot)
{
	return (uint8_t *)h->page + PROXY_DATA + slot * PROXY_SLOT_SIZE;
}

bool proxy_host_init(struct proxy_host *h, void *frames, unsigned argc, unsigned envc,
	const char *strings, size_t size, void (*notify)(void *arg), void *arg)
{
	uint8_t *at = frames;
	struct proxy_page *p = frames;
	if (size > PROXY_ARGS_SIZE)
		return false;
	memset(frames, 0, PROXY_SIZE);
	memset(h, 0, sizeof *h);
	h->page = p;
	h->notify = notify;
	h->arg = arg;
	p->size = PROXY_SIZE;
	p->argc = argc;
	p->envc = envc;
	p->args_size = size;
	memcpy(at + PROXY_ARGS, strings, size);
	ring_init(&h->in, &p->in, at + PROXY_IN, PROXY_IN_SIZE);
	ring_init(&h->out, &p->out, at + PROXY_OUT, PROXY_OUT_SIZE);
	ring_init(&h->err, &p->err, at + PROXY_ERR, PROXY_ERR_SIZE);
	p->magic = PROXY_MAGIC;
	return true;
}

unsigned proxy_host_poll(struct proxy_host *h, bool arm)
{
	unsigned can = 0, status;
	if (arm)
		__atomic_store_n(&h->page->host_waits.value, 1, __ATOMIC_SEQ_CST);
	if (ring_room(&h->in))
		can |= PROXY_CAN_IN;
	if (ring_used(&h->out))
		can |= PROXY_HAS_OUT;
	if (ring_used(&h->err))
		can |= PROXY_HAS_ERR;
	for (unsigned i = 0; i < PROXY_SLOTS; i++)
		if (!h->asked[i] && load(&h->page->slot[i].state) == PROXY_ASKED)
			can |= PROXY_HAS_ASKED;
	if (proxy_host_status(h, &status))
		can |= PROXY_HAS_STATUS;
	return can;
}

size_t proxy_host_in(struct proxy_host *h, const void *from, size_t n)
{
	n = ring_write(&h->in, from, n);
	changed(h);
	return n;
}

void proxy_host_in_end(struct proxy_host *h)
{
	ring_end(&h->in);
	changed(h);
}

size_t proxy_host_out(struct proxy_host *h, unsigned stream, void *to, size_t n)
{
	n = ring_read(stream == 2 ? &h->err : &h->out, to, n);
	changed(h);
	return n;
}

void proxy_host_out_stop(struct proxy_host *h, unsigned stream)
{
	ring_stop(stream == 2 ? &h->err : &h->out);
	changed(h);
}

void proxy_host_signal(struct proxy_host *h, unsigned signal)
{
	if (signal < 1 || signal > 64)
		return;
	__atomic_fetch_or(&h->page->signals.value, 1ul << (signal - 1), __ATOMIC_ACQ_REL);
	changed(h);
}

void proxy_host_window(struct proxy_host *h, unsigned rows, unsigned columns)
{
	__atomic_store_n(&h->page->window.value, (rows & 0xffff) << 16 | (columns & 0xffff),
		__ATOMIC_RELEASE);
	changed(h);
}

bool proxy_host_status(const struct proxy_host *h, unsigned *status)
{
	uint64_t s = load(&h->page->status.value);
	*status = s & 255;
	return s & 256;
}

/* What a request sends along: a path, or the bytes to write. */
static bool request_data(struct proxy_host *h, int slot, struct proxy_slot *q, char *data)
{
	if (q->op >= PROXY_OPS)
		return false;
	if (q->op != PROXY_OPEN && q->op != PROXY_READ && q->op != PROXY_WRITE)
		return true;
	if (q->length > PROXY_SLOT_SIZE - (q->op == PROXY_OPEN))
		return false;
	if (q->op == PROXY_READ)
		return true;
	memcpy(data, slot_data(h, slot), q->length);
	if (q->op == PROXY_OPEN) {
		data[q->length] = 0;
		return strlen(data) == q->length;
	}
	return true;
}

int proxy_host_request(struct proxy_host *h, struct proxy_slot *q, void *data)
{
	for (int i = 0; i < (int)PROXY_SLOTS; i++) {
		if (h->asked[i] || load(&h->page->slot[i].state) != PROXY_ASKED)
			continue;
		volatile const struct proxy_slot *s = &h->page->slot[i];
		*q = (struct proxy_slot){ .op = s->op, .file = s->file, .offset = s->offset,
			.length = s->length };
		h->asked[i] = true;
		if (request_data(h, i, q, data))
			return i;
		proxy_host_reply(h, i, -22, NULL, 0);	/* EINVAL */
	}
	return -1;
}

void proxy_host_reply(struct proxy_host *h, int slot, int64_t result, const void *data, size_t n)
{
	if (slot < 0 || slot >= (int)PROXY_SLOTS || !h->asked[slot])
		return;
	struct proxy_slot *s = &h->page->slot[slot];
	if (n > PROXY_SLOT_SIZE)
		n = PROXY_SLOT_SIZE;
	if (n)
		memcpy(slot_data(h, slot), data, n);
	s->result = result;
	h->asked[slot] = false;
	__atomic_store_n(&s->state, PROXY_DONE, __ATOMIC_RELEASE);
	changed(h);
}
