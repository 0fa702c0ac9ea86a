/* The xenstore server: packets on the guest's ring, watches, transactions.
 *
 * The ring is the guest's memory: positions are read once and checked; a packet is copied before
 * it is looked at.  What a guest can make us keep is bounded: its part of the tree, WATCHES,
 * TRANSACTIONS, and OUT_SIZE bytes that it doesn't fetch; while those are many, its requests
 * wait.  An event that finds no room is not lost: its watch fires once more, with its own path,
 * when there is some.
 *
 * A transaction works on a copy of the tree and fails with EAGAIN if anything has changed since
 * it began.  Events of a change follow the reply to it.
 */
#include "io.h"
#include "store_tree.h"

#define WATCHES		64u
#define WATCH_TEXT	244u		/* path and token, both terminated */
#define TRANSACTIONS	3u
#define CHANGES		2048u		/* bytes of paths that a transaction may change */
#define PACKET		(sizeof(struct xen_store_header) + XEN_STORE_PAYLOAD)
#define OUT_SIZE	(3 * PACKET)
#define TURNS		64u		/* of a serve: parts of the ring */
#define BROKEN		3u		/* the ring's `error`: protocol violated */

struct changes {
	unsigned size;
	char text[CHANGES];		/* 'w' or 'r' (removed), the path, a zero; and so on */
};
struct transaction {
	uint32_t id;			/* 0: free */
	uint64_t generation;		/* of the tree when it began */
	struct changes changes;
	struct store_tree tree;
};
struct watch {
	bool used, due;			/* due: fires when there is room */
	char text[WATCH_TEXT];		/* path as given, token */
};

static struct {
	struct store_tree tree;
	struct transaction transaction[TRANSACTIONS];
	uint32_t last_id;
	struct watch watch[WATCHES];
	struct changes now;		/* of the request under way, outside transactions */
	struct { struct xen_store_header head; char payload[XEN_STORE_PAYLOAD + 1]; } in;
	char reply[XEN_STORE_PAYLOAD];
	char out[OUT_SIZE];
	unsigned in_size, out_size;
	bool broken;
} xs;

static const char *const error_names[] = {
	[XEN_EPERM] = "EPERM", [XEN_ENOENT] = "ENOENT", [XEN_EIO] = "EIO", [XEN_E2BIG] = "E2BIG",
	[XEN_EAGAIN] = "EAGAIN", [XEN_ENOMEM] = "ENOMEM", [XEN_EACCES] = "EACCES",
	[XEN_EBUSY] = "EBUSY", [XEN_EEXIST] = "EEXIST", [XEN_EINVAL] = "EINVAL",
	[XEN_ENOSPC] = "ENOSPC", [XEN_ENOSYS] = "ENOSYS",
};

/* ---- sending ------------------------------------------------------------------------------- */

static bool out_room(size_t n) { return xs.out_size + sizeof(struct xen_store_header) + n <= OUT_SIZE; }

static void out(const void *bytes, size_t n)
{
	memcpy(xs.out + xs.out_size, bytes, n);
	xs.out_size += n;
}

static void send(unsigned type, uint32_t request, uint32_t transaction, const char *data, size_t n)
{
	const struct xen_store_header h = { type, request, transaction, n };
	out(&h, sizeof h);
	out(data, n);
}

static bool is_home(const char *path)
{
	return !strncmp(path, STORE_HOME "/", sizeof STORE_HOME);
}

/* A watch's event for an absolute path, which is told relative if the watch is. */
static void watch_fire(struct watch *w, const char *path)
{
	if (w->text[0] != '/' && is_home(path))
		path += sizeof STORE_HOME;
	const char *token = w->text + strlen(w->text) + 1;
	size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
	if (!out_room(path_size + token_size)) {
		w->due = true;
		return;
	}
	const struct xen_store_header h = { XS_WATCH_EVENT, 0, 0, path_size + token_size };
	out(&h, sizeof h);
	out(path, path_size);
	out(token, token_size);
}

static void watches_due(void)
{
	for (struct watch *w = xs.watch; w < xs.watch + WATCHES; w++)
		if (w->used && w->due && out_room(WATCH_TEXT)) {
			w->due = false;
			watch_fire(w, w->text);
		}
}

/* Is `path` at or below `top`? */
static bool below(const char *path, const char *top)
{
	size_t n = strlen(top);
	return !strncmp(path, top, n) && (!path[n] || path[n] == '/' || n == 1);
}

static void fire(const char *path, bool removed)
{
	for (struct watch *w = xs.watch; w < xs.watch + WATCHES; w++) {
		char at[sizeof STORE_HOME + WATCH_TEXT];
		if (!w->used)
			continue;
		snprintf(at, sizeof at, "%s%s", w->text[0] == '/' ? "" : STORE_HOME "/", w->text);
		if (below(path, at))
			watch_fire(w, path);
		else if (removed && below(at, path))
			watch_fire(w, at);
	}
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* The absolute path of an argument. */
static int path_of(const char *argument, char *path)
{
	int n = snprintf(path, XEN_STORE_PATH, "%s%s", argument[0] == '/' ? "" : STORE_HOME "/", argument);
	return n < (int)XEN_STORE_PATH && argument[0] && store_path_ok(path) ? 0 : -XEN_EINVAL;
}

/* The payload is one or two terminated strings and nothing else: the second, or "". */
static const char *second(bool wanted)
{
	size_t n = xs.in.head.length, first = strnlen(xs.in.payload, n) + 1;
	if (wanted ? first >= n || first + strnlen(xs.in.payload + first, n - first) + 1 != n : first != n)
		return NULL;
	return xs.in.payload + (wanted ? first : first - 1);
}

static struct transaction *transaction_of(uint32_t id)
{
	for (struct transaction *x = xs.transaction; x < xs.transaction + TRANSACTIONS; x++)
		if (id && x->id == id)
			return x;
	return NULL;
}

/* ---- requests: how many bytes of xs.reply, or -errno ------------------------------------------ */

static int reply_text(const char *text)
{
	return text_copy(xs.reply, text, sizeof xs.reply) + 1;
}

static int do_read(const struct store_tree *t, const char *path)
{
	const char *value;
	size_t n;
	int error = store_read(t, STORE_GUEST, path, &value, &n);
	if (!error)
		memcpy(xs.reply, value, n);
	return error ? error : (int)n;
}

/* Rights may be set anew by who owns the node; they stay what they are: see store_tree.h. */
static int do_set_perms(const struct store_tree *t, const char *path)
{
	if (!store_exists(t, path))
		return -XEN_ENOENT;
	return store_owns(t, STORE_GUEST, path) ? 0 : -XEN_EACCES;
}

static int do_change(struct store_tree *t, struct changes *c, const char *path)
{
	size_t n = strlen(path) + 2, first = strlen(xs.in.payload) + 1;
	int error;
	if (c->size + n > CHANGES)
		return -XEN_ENOSPC;
	uint64_t before = t->generation;
	switch (xs.in.head.type) {
	case XS_WRITE:
		error = store_write(t, STORE_GUEST, path, xs.in.payload + first, xs.in.head.length - first);
		break;
	case XS_MKDIR:
		error = store_mkdir(t, STORE_GUEST, path);
		break;
	case XS_RM:
		error = store_remove(t, STORE_GUEST, path);
		break;
	default:
		error = do_set_perms(t, path);
	}
	if (error)
		return error;
	if (t->generation != before) {
		c->text[c->size] = xs.in.head.type == XS_RM ? 'r' : 'w';
		memcpy(c->text + c->size + 1, path, n - 1);
		c->size += n;
	}
	return reply_text("OK");
}

/* Those that name a node. */
static int do_node(struct store_tree *t, struct changes *c)
{
	char path[XEN_STORE_PATH];
	uint32_t type = xs.in.head.type, n = xs.in.head.length;
	bool rest = type == XS_WRITE || type == XS_SET_PERMS;
	if (rest ? strnlen(xs.in.payload, n) == n : !second(false))
		return -XEN_EINVAL;
	int error = path_of(xs.in.payload, path);
	if (error)
		return error;
	switch (type) {
	case XS_READ:
		return do_read(t, path);
	case XS_DIRECTORY:
		return store_list(t, STORE_GUEST, path, xs.reply, sizeof xs.reply);
	case XS_GET_PERMS:
		return store_get_rights(t, STORE_GUEST, path, xs.reply, sizeof xs.reply);
	}
	return do_change(t, c, path);
}

static int do_watch(void)
{
	char path[XEN_STORE_PATH];
	const char *token = second(true);
	struct watch *free = NULL;
	size_t n = xs.in.head.length;
	if (!token || (xs.in.payload[0] != '@' && path_of(xs.in.payload, path)))
		return -XEN_EINVAL;
	if (n > WATCH_TEXT)
		return -XEN_ENOSPC;
	for (struct watch *w = xs.watch; w < xs.watch + WATCHES; w++)
		if (!w->used)
			free = w;
		else if (!memcmp(w->text, xs.in.payload, n))
			return -XEN_EEXIST;
	if (!free)
		return -XEN_ENOSPC;
	free->used = free->due = true;		/* it fires once at once */
	memcpy(free->text, xs.in.payload, n);
	return reply_text("OK");
}

static int do_unwatch(void)
{
	if (!second(true) || xs.in.head.length > WATCH_TEXT)
		return -XEN_EINVAL;
	for (struct watch *w = xs.watch; w < xs.watch + WATCHES; w++)
		if (w->used && !memcmp(w->text, xs.in.payload, xs.in.head.length)) {
			w->used = w->due = false;
			return reply_text("OK");
		}
	return -XEN_ENOENT;
}

static int do_start(void)
{
	for (struct transaction *x = xs.transaction; x < xs.transaction + TRANSACTIONS; x++) {
		if (x->id)
			continue;
		do
			xs.last_id++;
		while (!xs.last_id || transaction_of(xs.last_id));
		x->id = xs.last_id;
		x->generation = xs.tree.generation;
		x->changes.size = 0;
		x->tree = xs.tree;
		return snprintf(xs.reply, sizeof xs.reply, "%u", x->id) + 1;
	}
	return -XEN_ENOSPC;
}

static int do_end(struct transaction *x)
{
	bool keep = xs.in.payload[0] == 'T';
	if (!x)
		return -XEN_ENOENT;
	if (!second(false) || (!keep && xs.in.payload[0] != 'F'))
		return -XEN_EINVAL;
	x->id = 0;
	if (!keep || !x->changes.size)
		return reply_text("OK");
	if (x->generation != xs.tree.generation)
		return -XEN_EAGAIN;
	xs.tree = x->tree;
	xs.now = x->changes;
	return reply_text("OK");
}

static int do_reset(void)
{
	for (struct watch *w = xs.watch; w < xs.watch + WATCHES; w++)
		w->used = w->due = false;
	for (struct transaction *x = xs.transaction; x < xs.transaction + TRANSACTIONS; x++)
		x->id = 0;
	return reply_text("OK");
}

/* Questions about a domain: 0 is the monitor, 1 the guest. */
static int do_domain(void)
{
	uint64_t id;
	if (!second(false) || !text_number(xs.in.payload, &id))
		return -XEN_EINVAL;
	if (xs.in.head.type == XS_IS_DOMAIN_INTRODUCED)
		return reply_text(id <= 1 ? "T" : "F");
	return snprintf(xs.reply, sizeof xs.reply, "/local/domain/%lu", id) + 1;
}

static int dispatch(void)
{
	uint32_t id = xs.in.head.transaction;
	struct transaction *x = transaction_of(id);
	switch (xs.in.head.type) {
	case XS_DIRECTORY: case XS_READ: case XS_GET_PERMS: case XS_WRITE: case XS_MKDIR: case XS_RM:
	case XS_SET_PERMS:
		if (id && !x)
			return -XEN_ENOENT;
		return x ? do_node(&x->tree, &x->changes) : do_node(&xs.tree, &xs.now);
	case XS_WATCH:
		return do_watch();
	case XS_UNWATCH:
		return do_unwatch();
	case XS_TRANSACTION_START:
		return id ? -XEN_EBUSY : do_start();
	case XS_TRANSACTION_END:
		return do_end(x);
	case XS_RESET_WATCHES:
		return do_reset();
	case XS_GET_DOMAIN_PATH: case XS_IS_DOMAIN_INTRODUCED:
		return do_domain();
	case XS_CONTROL: case XS_INTRODUCE: case XS_RELEASE: case XS_RESUME: case XS_SET_TARGET:
		return -XEN_EACCES;
	}
	return -XEN_ENOSYS;
}

/* A whole packet is in: carries it out, replies, then tells of what it changed. */
static void packet(void)
{
	const struct xen_store_header *h = &xs.in.head;
	xs.in.payload[h->length] = 0;
	xs.now.size = 0;
	int n = dispatch();
	if (n >= 0) {
		send(h->type, h->request, h->transaction, xs.reply, n);
	} else {
		const char *name = error_names[-n] ? error_names[-n] : "EIO";
		send(XS_ERROR, h->request, h->transaction, name, strlen(name) + 1);
	}
	for (const char *c = xs.now.text; c < xs.now.text + xs.now.size; c += strlen(c) + 1) {
		fire(c + 1, *c == 'r');
		blk_store_changed(c + 1);
	}
	watches_due();
	xs.in_size = 0;
}

/* ---- the ring ------------------------------------------------------------------------------ */

/* Stops serving a guest that doesn't speak the protocol. */
static bool give_up(volatile struct xen_store_ring *r)
{
	r->error = BROKEN;
	xs.broken = true;
	return false;
}

static bool ring_take(volatile struct xen_store_ring *r)
{
	uint32_t cons = r->request_cons, n = __atomic_load_n(&r->request_prod, __ATOMIC_ACQUIRE) - cons;
	if (n > sizeof r->request)
		return give_up(r);
	if (!n || xs.out_size > OUT_SIZE - PACKET)
		return false;
	for (; n; n--) {
		((char *)&xs.in)[xs.in_size++] = r->request[cons++ % sizeof r->request];
		if (xs.in_size < sizeof xs.in.head)
			continue;
		if (xs.in.head.length > XEN_STORE_PAYLOAD)
			return give_up(r);
		if (xs.in_size == sizeof xs.in.head + xs.in.head.length)
			break;
	}
	__atomic_store_n(&r->request_cons, cons, __ATOMIC_RELEASE);
	if (xs.in_size >= sizeof xs.in.head && xs.in_size == sizeof xs.in.head + xs.in.head.length)
		packet();
	return true;
}

static bool ring_give(volatile struct xen_store_ring *r)
{
	uint32_t prod = r->reply_prod, used = prod - __atomic_load_n(&r->reply_cons, __ATOMIC_ACQUIRE), n;
	if (used > sizeof r->reply)
		return give_up(r);
	for (n = 0; n < xs.out_size && used + n < sizeof r->reply; n++)
		r->reply[(prod + n) % sizeof r->reply] = xs.out[n];
	if (!n)
		return false;
	__atomic_store_n(&r->reply_prod, prod + n, __ATOMIC_RELEASE);
	memmove(xs.out, xs.out + n, xs.out_size -= n);
	watches_due();
	return true;
}

/* A guest that asks without end has its turn again after the others. */
void store_serve(void)
{
	volatile struct xen_store_ring *r = vm.store_page;
	bool took = true, gave = true;
	unsigned turns = 0;
	for (; r && !xs.broken && (took || gave) && turns < TURNS; turns++) {
		took = ring_take(r);
		gave = !xs.broken && ring_give(r);
	}
	if (turns == TURNS)
		io_kick(IO_STORE);
	if (turns > 1)
		evtchn_raise(vm.store_port);
}

/* ---- for the monitor --------------------------------------------------------------------------- */

int store_set(const char *path, const char *value)
{
	int error = store_write(&xs.tree, STORE_VMM, path, value, strlen(value));
	if (!error)
		fire(path, false);
	return error;
}

int store_set_number(const char *path, uint64_t n)
{
	char text[24];
	snprintf(text, sizeof text, "%lu", n);
	return store_set(path, text);
}

int store_get(const char *path, char *to, size_t size)
{
	const char *value;
	size_t n;
	int error = store_read(&xs.tree, STORE_VMM, path, &value, &n);
	if (error || n >= size)
		return error ? error : -XEN_E2BIG;
	memcpy(to, value, n);
	to[n] = 0;
	return n;
}

int store_get_number(const char *path, uint64_t *n)
{
	char text[24];
	int error = store_get(path, text, sizeof text);
	if (error < 0)
		return error;
	return text_number(text, n) ? 0 : -XEN_EINVAL;
}

int store_read_only(const char *path)
{
	int error = store_mkdir(&xs.tree, STORE_VMM, path);
	return error ? error : store_set_rights(&xs.tree, path, STORE_VMM, STORE_R);
}

static void on_send(void *arg)
{
	(void)arg;
	io_kick(IO_STORE);
}

void store_init(void)
{
	const uint64_t kib = vm.opt.memory >> 10;
	memset(&xs, 0, sizeof xs);
	store_tree_init(&xs.tree);
	store_mkdir(&xs.tree, STORE_VMM, STORE_HOME);
	store_set_rights(&xs.tree, STORE_HOME, STORE_GUEST, 0);
	store_read_only(STORE_BACK);
	store_set(STORE_HOME "/domid", "1");
	store_set(STORE_HOME "/name", vm.opt.name ? vm.opt.name : "guest");
	store_set_number(STORE_HOME "/memory/static-max", kib);
	store_set_number(STORE_HOME "/memory/target", kib);
	store_set(STORE_HOME "/control/shutdown", "");
	store_set(STORE_HOME "/device", "");
	for (unsigned i = 0; i < vm.opt.vcpus; i++) {
		char path[64];
		snprintf(path, sizeof path, STORE_HOME "/cpu/%u/availability", i);
		store_set(path, "online");
	}
	vm.store_port = evtchn_backend(on_send, NULL);
}
