/* The stack in the machine, as a session: asks for an address by DHCP, then echoes what comes on TCP
 * port 7 and UDP port 7, and serves a page on port 80, until a connection to port 9 ends it.
 * Who connects is tests/stack/run, from outside.
 */
#include "tests/guest/report.h"
#include "libos/posix/net/card.h"

VIRTUE_NOTE("bare");

#define CONNECTIONS	64u
#define PATIENCE	(60 * NS_PER_SEC)

static struct card card;
static struct echo { struct endpoint *e; unsigned filled, sent; bool page; uint8_t byte[16384]; } echo[CONNECTIONS];
static unsigned connections;
static uint64_t bytes;
static bool quit;

static uint32_t now_ms(void) { return time_now() / NS_PER_MS; }

static uint32_t any(void)
{
	static uint64_t state;
	state = (state ^ __builtin_ia32_rdtsc()) * 0x9e3779b97f4a7c15ul;
	return state >> 32;
}

/* Pieces of powers of two; what is given back is for the next of its size. */
#define HEAP	(16ul << 20)
static union piece { union piece *next; uint64_t class; } *pieces[32];
static void *allocate(size_t n)
{
	static uint8_t heap[HEAP] __attribute__((aligned(16)));
	static size_t used;
	unsigned class = 5;
	while (n + 16 > 1ul << class)
		class++;
	union piece *p = pieces[class];
	if (p)
		pieces[class] = p->next;
	else if (used + (1ul << class) > HEAP)
		return NULL;
	else
		p = (union piece *)(heap + used), used += 1ul << class;
	p->class = class;
	return (char *)p + 16;
}

static void release(void *at)
{
	union piece *p = (union piece *)((char *)at - 16);
	unsigned class = at ? p->class : 0;
	if (!at)
		return;
	p->next = pieces[class];
	pieces[class] = p;
}

static void panics(const char *why)
{
	report_fail("stack", "%s", why);
	report_end();
}

static struct endpoint *open_at(enum stack_kind kind, uint16_t port)
{
	struct stack_address at = { .port = port };
	struct endpoint *e = stack_open(kind, 0, NULL, NULL);
	return e && !stack_bind(e, &at) && (kind == STACK_UDP || !stack_listen(e, 64)) ? e : NULL;
}

static void accept_all(struct endpoint *l, bool page)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (!echo[i].e && !stack_accept(l, &echo[i].e)) {
			echo[i].filled = echo[i].sent = 0;
			echo[i].page = page;
			connections++;
		}
}

/* Returns true while there is progress. */
static bool echo_go_on(struct echo *c)
{
	static const char page[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nVirtue\n";
	if (c->sent == c->filled) {
		long n = stack_receive(c->e, c->byte, sizeof c->byte);
		if (n == 0 || (n < 0 && n != -11)) {
			stack_close(c->e);
			c->e = NULL;
		}
		if (n <= 0)
			return false;
		c->sent = 0;
		c->filled = n;
		if (c->page) {		/* whatever was asked */
			stack_send(c->e, page, sizeof page - 1);
			stack_shutdown(c->e);
			c->sent = n;
		}
	}
	long n = stack_send(c->e, c->byte + c->sent, c->filled - c->sent);
	c->sent += n > 0 ? n : 0;
	bytes += n > 0 ? n : 0;
	return n > 0;
}

static void datagrams_echo(struct endpoint *u)
{
	static uint8_t b[2000];
	struct stack_address from;
	long n;
	while ((n = stack_receive_from(u, b, sizeof b, &from, NULL)) >= 0)
		stack_send_to(u, b, n, &from);
}

static void work(struct endpoint *l, struct endpoint *web, struct endpoint *u, struct endpoint *stop)
{
	struct endpoint *last;
	accept_all(l, false);
	accept_all(web, true);
	datagrams_echo(u);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		while (echo[i].e && echo_go_on(&echo[i]))
			;
	if (!stack_accept(stop, &last))
		quit = true;
}

static const char *serve(const struct exo_start *s)
{
	static const struct stack_system system = { now_ms, any, allocate, release, panics };
	int bit = event_alloc(NULL, NULL);
	uint8_t ip[4];
	struct exo_result event = exo_event_create(EXO_SLOT_ANY, 0, 1ul << bit);
	uint64_t flow = start_cap_at(s, CAP_NET, 0), end = time_now() + PATIENCE;
	if (!flow)
		return "there is no network card";
	stack_init(&system);
	uint64_t status = card_open(&card, &flow, 1, event.value);
	if (status)
		return exo_status_text(status);
	struct endpoint *l = open_at(STACK_TCP, 7), *u = open_at(STACK_UDP, 7), *stop = open_at(STACK_TCP, 9),
		*web = open_at(STACK_TCP, 80);
	if (!l || !u || !stop || !web || stack_link_dhcp(&card.link))
		return "endpoints";
	for (bool ready = false; !quit;) {
		card_look(&card);
		uint32_t ms = stack_timers();
		work(l, web, u, stop);
		card_look(&card);
		if (!ready && stack_link_ready(&card.link, ip)) {
			report_line("address %u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
			ready = true;
		}
		if (time_now() > end)
			return ready ? "nobody ended it" : "no answer by DHCP";
		card_wait(&card, time_now() + (ms < 1000 ? ms : 1000) * NS_PER_MS);
	}
	report_line("%u connections, %lu bytes echoed, %lu lost", connections, bytes, card.lost);
	return NULL;
}

int main(struct exo_start *s)
{
	static const struct upcall_handlers handlers = { .event = event_dispatch };
	upcall_set(&handlers);
	report_start(s);
	const char *why = frames_init(s, true) || time_init(s, 0) ? "start" : serve(s);
	report_case("serve", why);
	report_end();
}
