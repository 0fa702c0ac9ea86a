/* Host tests of the xenstore: the tree, and the server on a ring whose guest is this program.
 * `vmm-store [ROUNDS SEED]`: how much random traffic. */
#define main bare_main		/* what start.h declares is not this program's */
#include "libos/vmm/io.h"
#undef main
#include "libos/vmm/store_tree.h"
#include "test.h"

unsigned test_failures;
uint64_t test_seed = 1, test_random;

/* ---- what the server needs of the monitor ------------------------------------------------- */

struct vm vm;
static struct xen_store_ring ring;
static unsigned raised;
static char changed_last[XEN_STORE_PATH];
void evtchn_raise(unsigned port) { raised += port == vm.store_port; }
unsigned evtchn_backend(void (*notify)(void *arg), void *arg) { (void)notify; (void)arg; return 5; }
void io_kick(uint64_t bits) { (void)bits; }
void blk_store_changed(const char *path) { text_copy(changed_last, path, sizeof changed_last); }

/* ---- the guest's side ------------------------------------------------------------------------ */

static struct { struct xen_store_header head; char payload[XEN_STORE_PAYLOAD + 1]; } in;
static char events[64][256];		/* "path token" */
static unsigned event_count;

static void put(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		while (ring.request_prod - ring.request_cons == sizeof ring.request)
			store_serve();
		ring.request[ring.request_prod++ % sizeof ring.request] = ((const char *)bytes)[i];
	}
}

static bool get(void *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ring.reply_cons == ring.reply_prod)
			store_serve();
		if (ring.reply_cons == ring.reply_prod)
			return false;
		((char *)to)[i] = ring.reply[ring.reply_cons++ % sizeof ring.reply];
	}
	return true;
}

static bool packet_get(void)
{
	if (!get(&in.head, sizeof in.head) || in.head.length > XEN_STORE_PAYLOAD ||
	    !get(in.payload, in.head.length))
		return false;
	in.payload[in.head.length] = 0;
	return true;
}

static void event_note(void)
{
	snprintf(events[event_count++ % 64], 256, "%.120s %.120s", in.payload,
		in.payload + strlen(in.payload) + 1);
}

/* Takes all events that wait. */
static void events_get(void)
{
	store_serve();
	while (packet_get() && event_count < 64)
		event_note();
}

/* One request; its reply is in `in`.  False: an error, named in in.payload. */
static bool ask(unsigned type, unsigned transaction, const char *data, size_t n)
{
	static uint32_t request;
	struct xen_store_header h = { type, ++request, transaction, n };
	put(&h, sizeof h);
	put(data, n);
	store_serve();
	while (packet_get()) {
		if (in.head.type != XS_WATCH_EVENT)
			return in.head.request == request && in.head.type == type;
		event_note();
	}
	strcpy(in.payload, "no reply");
	return false;
}
#define ASK(type, t, data)	ask(type, t, data, sizeof(data))		/* with the zero */
#define ASK_RAW(type, t, data)	ask(type, t, data, sizeof(data) - 1)
#define FAILS(expr, name)	(!(expr) && !strcmp(in.payload, name))

static void restart(void)
{
	memset(&ring, 0, sizeof ring);
	event_count = 0;
	vm.opt.memory = 64 << 20;
	vm.store_page = &ring;
	store_init();
	ASK(XS_RESET_WATCHES, 0, "");
}

static void read_write(void)
{
	restart();
	CHECK(ASK(XS_READ, 0, "domid") && in.head.length == 1 && in.payload[0] == '1');
	CHECK(ASK(XS_READ, 0, "/local/domain/1/memory/target") && !strcmp(in.payload, "65536"));
	CHECK(FAILS(ASK(XS_READ, 0, "nothing"), "ENOENT"));
	CHECK(ASK_RAW(XS_WRITE, 0, "a/b/c\0one") && !strcmp(in.payload, "OK"));
	CHECK(ASK(XS_READ, 0, "a/b/c") && in.head.length == 3 && !strcmp(in.payload, "one"));
	CHECK(ASK_RAW(XS_WRITE, 0, "a/b/c\0") && ASK(XS_READ, 0, "a/b/c") && !in.head.length);
	CHECK(ASK_RAW(XS_WRITE, 0, "a/b/c\0a\0b") && ASK(XS_READ, 0, "a/b/c") && in.head.length == 3);
	CHECK(ASK(XS_READ, 0, "a/b") && !in.head.length);
	CHECK(!strcmp(changed_last, STORE_HOME "/a/b/c"));
	CHECK(raised);
	PASS();
}

static void directory(void)
{
	restart();
	CHECK(ASK(XS_MKDIR, 0, "d/x") && ASK(XS_MKDIR, 0, "d/y") && ASK(XS_MKDIR, 0, "d/x"));
	CHECK(ASK(XS_DIRECTORY, 0, "d") && in.head.length == 4 && !memcmp(in.payload, "x\0y", 4));
	CHECK(ASK(XS_DIRECTORY, 0, "d/x") && !in.head.length);
	CHECK(ASK(XS_DIRECTORY, 0, "/") && !strcmp(in.payload, "local"));
	CHECK(FAILS(ASK(XS_DIRECTORY, 0, "e"), "ENOENT"));
	CHECK(ASK(XS_RM, 0, "d/x") && ASK(XS_DIRECTORY, 0, "d") && in.head.length == 2);
	CHECK(ASK(XS_RM, 0, "d/gone") && FAILS(ASK(XS_RM, 0, "gone/gone"), "ENOENT"));
	CHECK(ASK(XS_RM, 0, "d") && FAILS(ASK(XS_READ, 0, "d/y"), "ENOENT"));
	CHECK(FAILS(ASK(XS_RM, 0, "/"), "EINVAL"));
	PASS();
}

static void rights(void)
{
	restart();
	store_set(STORE_BACK "/51712/state", "2");
	CHECK(ASK(XS_READ, 0, STORE_BACK "/51712/state") && !strcmp(in.payload, "2"));
	CHECK(FAILS(ASK_RAW(XS_WRITE, 0, STORE_BACK "/51712/state\0" "4"), "EACCES"));
	CHECK(FAILS(ASK(XS_RM, 0, STORE_BACK), "EACCES"));
	CHECK(FAILS(ASK(XS_MKDIR, 0, "/local/domain/2"), "EACCES"));
	CHECK(FAILS(ASK(XS_RM, 0, STORE_HOME), "EACCES"));
	CHECK(ASK(XS_GET_PERMS, 0, "domid") && in.head.length == 3 && !strcmp(in.payload, "n1"));
	CHECK(ASK(XS_GET_PERMS, 0, STORE_BACK) && in.head.length == 6 && !memcmp(in.payload, "n0\0r1", 6));
	CHECK(ASK(XS_SET_PERMS, 0, "domid\0n1\0r0") && FAILS(ASK(XS_SET_PERMS, 0, "/local\0n1"), "EACCES"));
	PASS();
}

static void watches(void)
{
	restart();
	CHECK(ASK(XS_WATCH, 0, "w\0token") && FAILS(ASK(XS_WATCH, 0, "w\0token"), "EEXIST"));
	events_get();
	CHECK(event_count == 1 && !strcmp(events[0], "w token"));
	CHECK(ASK_RAW(XS_WRITE, 0, "w/below\0x") && ASK_RAW(XS_WRITE, 0, "ww\0x"));
	events_get();
	CHECK(event_count == 2 && !strcmp(events[1], "w/below token"));
	CHECK(ASK(XS_WATCH, 0, STORE_HOME "/w/below\0absolute"));
	events_get();
	CHECK(ASK(XS_RM, 0, "w"));
	events_get();
	CHECK(event_count == 5 && !strcmp(events[4], STORE_HOME "/w/below absolute") !=
		!strcmp(events[3], STORE_HOME "/w/below absolute"));
	store_set(STORE_BACK "/1/state", "2");
	CHECK(ASK(XS_UNWATCH, 0, "w\0token") && FAILS(ASK(XS_UNWATCH, 0, "w\0token"), "ENOENT"));
	CHECK(ASK(XS_WATCH, 0, STORE_BACK "\0b"));
	store_set(STORE_BACK "/1/state", "4");
	events_get();
	CHECK(event_count == 7 && !strcmp(events[6], STORE_BACK "/1/state b"));
	PASS();
}

static void transactions(void)
{
	char id[16];
	restart();
	CHECK(ASK(XS_WATCH, 0, "t\0k"));
	events_get();
	CHECK(ASK(XS_TRANSACTION_START, 0, ""));
	strcpy(id, in.payload);
	unsigned t = atoi(id);
	CHECK(t && ASK_RAW(XS_WRITE, t, "t\0new") && ASK(XS_READ, t, "t") && !strcmp(in.payload, "new"));
	CHECK(FAILS(ASK(XS_READ, 0, "t"), "ENOENT"));
	events_get();
	CHECK(event_count == 1);
	CHECK(ASK(XS_TRANSACTION_END, t, "T") && ASK(XS_READ, 0, "t") && !strcmp(in.payload, "new"));
	events_get();
	CHECK(event_count == 2 && !strcmp(events[1], "t k"));
	CHECK(FAILS(ASK(XS_TRANSACTION_END, t, "T"), "ENOENT"));
	CHECK(ASK(XS_TRANSACTION_START, 0, ""));
	t = atoi(in.payload);
	CHECK(ASK_RAW(XS_WRITE, t, "t\0mine") && ASK_RAW(XS_WRITE, 0, "other\0x"));
	CHECK(FAILS(ASK(XS_TRANSACTION_END, t, "T"), "EAGAIN"));
	CHECK(ASK(XS_READ, 0, "t") && !strcmp(in.payload, "new"));
	CHECK(ASK(XS_TRANSACTION_START, 0, ""));
	t = atoi(in.payload);
	CHECK(ASK(XS_RM, t, "t") && ASK(XS_TRANSACTION_END, t, "F") && ASK(XS_READ, 0, "t"));
	for (unsigned i = 0; i < 3; i++)
		CHECK(ASK(XS_TRANSACTION_START, 0, ""));
	CHECK(FAILS(ASK(XS_TRANSACTION_START, 0, ""), "ENOSPC"));
	CHECK(FAILS(ASK(XS_READ, 12345, "domid"), "ENOENT"));
	PASS();
}

static void bad_packets(void)
{
	static char longest[XEN_STORE_PAYLOAD];
	restart();
	CHECK(FAILS(ASK_RAW(XS_READ, 0, "domid"), "EINVAL"));		/* not terminated */
	CHECK(FAILS(ASK_RAW(XS_READ, 0, ""), "EINVAL") && FAILS(ASK(XS_READ, 0, ""), "EINVAL"));
	CHECK(FAILS(ASK(XS_READ, 0, "a//b"), "EINVAL") && FAILS(ASK(XS_READ, 0, "a/"), "EINVAL"));
	CHECK(FAILS(ASK(XS_READ, 0, "a b"), "EINVAL") && FAILS(ASK(XS_READ, 0, "a\0b"), "EINVAL"));
	CHECK(FAILS(ASK(XS_WATCH, 0, "only"), "EINVAL") && FAILS(ASK(XS_INTRODUCE, 0, "1"), "EACCES"));
	CHECK(FAILS(ASK(77, 0, "x"), "ENOSYS") && FAILS(ASK(XS_TRANSACTION_END, 0, "T"), "ENOENT"));
	memset(longest, 'x', sizeof longest);
	CHECK(FAILS(ask(XS_READ, 0, longest, sizeof longest), "EINVAL"));
	longest[sizeof longest - 1] = 0;
	CHECK(FAILS(ask(XS_READ, 0, longest, sizeof longest), "EINVAL"));
	CHECK(ASK(XS_GET_DOMAIN_PATH, 0, "7") && !strcmp(in.payload, "/local/domain/7"));
	CHECK(ASK(XS_IS_DOMAIN_INTRODUCED, 0, "1") && in.payload[0] == 'T');
	CHECK(ASK(XS_READ, 0, "domid") && !ring.error);
	PASS();
}

/* The guest fills its part; ours stays; removing gives all of it back. */
static void quota(void)
{
	static char text[STORE_VALUE + 8];
	char path[32];
	int made = 0;
	restart();
	for (; made < 1000; made++)
		if (!ask(XS_MKDIR, 0, path, snprintf(path, sizeof path, "n%d", made) + 1))
			break;
	CHECK(!strcmp(in.payload, "ENOSPC") && made > 200);
	CHECK(!store_set(STORE_BACK "/1/state", "6"));
	while (made--)
		CHECK(ask(XS_RM, 0, path, snprintf(path, sizeof path, "n%d", made) + 1));
	memset(text, 'v', sizeof text);
	for (made = 0; made < 1000; made++) {
		sprintf(text, "v%d", made);
		if (!ask(XS_WRITE, 0, text, 1000))
			break;
	}
	CHECK(!strcmp(in.payload, "ENOSPC") && made > 20);
	CHECK(!store_set(STORE_BACK "/2/state", "6"));
	strcpy(text, "big");
	CHECK(FAILS(ask(XS_WRITE, 0, text, 4 + STORE_VALUE + 1), "ENOSPC"));
	restart();
	for (made = 0; made < 1000; made++)
		if (!ask(XS_WATCH, 0, path, snprintf(path, sizeof path, "n%c%d", 0, made) + 1))
			break;
	CHECK(!strcmp(in.payload, "ENOSPC") && made == 64);
	PASS();
}

/* A guest that never fetches its replies: requests wait, nothing grows, all comes in the end. */
static void back_pressure(void)
{
	restart();
	CHECK(ASK(XS_WATCH, 0, "w\0k"));
	events_get();
	uint32_t replies = 0, sent = 0, events_seen = 0;
	struct xen_store_header h = { XS_WRITE, 0, 0, 4 };
	for (; sent < 2000 && sizeof ring.request - (ring.request_prod - ring.request_cons) >= 20; sent++) {
		put(&h, sizeof h);
		put("w\0xy", 4);
		store_serve();
	}
	CHECK(sent > 100 && sent < 2000);
	for (unsigned i = 0; i < 100; i++)
		store_set(STORE_HOME "/w/more", "z");
	while (packet_get())
		in.head.type == XS_WATCH_EVENT ? events_seen++ : replies++;
	CHECK(replies == sent && events_seen > 0);
	CHECK(ASK(XS_READ, 0, "w") && !strcmp(in.payload, "xy"));
	PASS();
}

static void bad_ring(void)
{
	restart();
	ring.request_prod = ring.request_cons + 1025;
	store_serve();
	CHECK(ring.error);
	PASS();
}

/* ---- random traffic ------------------------------------------------------------------------ */

static size_t random_payload(char *to)
{
	static const char *const words[] = { "device", "vbd", "51712", "state", "domid", "a", "b", "..",
		STORE_HOME, STORE_BACK, "/", "//", "@introduceDomain", "token", "T", "F", "1", "n1", "" };
	size_t n = 0;
	for (unsigned parts = any() % 6; parts; parts--) {
		const char *w = words[any() % (sizeof words / sizeof words[0])];
		strcpy(to + n, w);
		n += strlen(w);
		to[n++] = any() % 3 ? '/' : any() % 4 ? 0 : any();
	}
	if (n && any() % 2)
		to[n - 1] = 0;
	if (any() % 50 == 0)
		n = any() % XEN_STORE_PAYLOAD;
	return n;
}

/* The heap has no holes and no overlaps, every node hangs in the tree once. */
static bool tree_ok(const struct store_tree *t)
{
	uint32_t text = 0, nodes = 1;
	for (unsigned i = 0; i < STORE_NODES; i++)
		for (unsigned c = t->node[i].child; c; c = t->node[c].next, nodes++) {
			if (t->node[c].parent != i || nodes > t->used)
				return false;
			text += t->node[c].name_size + t->node[c].value_size;
		}
	return nodes == t->used && text == t->text_used && text <= STORE_TEXT;
}

static void random_tree(unsigned rounds)
{
	static struct store_tree t;
	char path[XEN_STORE_PATH], list[XEN_STORE_PAYLOAD];
	const char *value;
	size_t n;
	store_tree_init(&t);
	for (unsigned i = 0; i < rounds; i++) {
		enum store_who who = any() % 2;
		sprintf(path, "/%c/%u/%c", 'a' + any() % 3, any() % 20, 'x' + any() % 3);
		if (any() % 4 == 0)
			path[2 + any() % 4] = 0;
		if (!store_path_ok(path))
			continue;
		switch (any() % 6) {
		case 0: case 1: store_write(&t, who, path, list, any() % 300); break;
		case 2: store_mkdir(&t, who, path); break;
		case 3: store_remove(&t, who, path); break;
		case 4: store_list(&t, who, path, list, any() % sizeof list); break;
		case 5: store_read(&t, who, path, &value, &n); break;
		}
		if (i % 97 == 0 || i + 1 == rounds)
			CHECK(tree_ok(&t));
	}
	PASS();
}

static void random_packets(unsigned rounds)
{
	char data[XEN_STORE_PAYLOAD * 2];
	unsigned answered = 0;
	restart();
	for (unsigned i = 0; i < rounds; i++) {
		memset(data, 'z', sizeof data);
		size_t n = random_payload(data);
		unsigned type = any() % 26, t = any() % 3 ? 0 : any() % 8;
		event_count = 0;
		ask(type, t, data, n);
		answered += strcmp(in.payload, "no reply") != 0;
		if (any() % 16 == 0)
			store_set_number(STORE_BACK "/51712/state", any() % 7);
		if (any() % 200 == 0)
			restart();
	}
	CHECK(answered == rounds && !ring.error);
	PASS();
}

/* Positions and bytes at random: nothing is served that isn't there, nothing crashes. */
static void random_ring(unsigned rounds)
{
	for (unsigned i = 0; i < rounds / 16; i++) {
		if (i % 8 == 0)
			restart();
		memset(&ring, any(), sizeof ring);
		for (unsigned j = 0; j < 32; j++)
			((uint8_t *)&ring)[any() % sizeof ring] = any() % 4 ? any() % 26 : 0;
		ring.request_cons = ring.request_prod - any() % 1100;
		ring.reply_cons = ring.reply_prod - any() % 1100;
		store_serve();
	}
	PASS();
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? atoi(argv[1]) : 20000;
	test_seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	test_random = test_seed;
	read_write();
	directory();
	rights();
	watches();
	transactions();
	bad_packets();
	quota();
	back_pressure();
	random_tree(rounds);
	random_packets(rounds);
	bad_ring();
	random_ring(rounds);
	return test_failures != 0;
}
