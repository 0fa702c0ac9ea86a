/* See client.h. */
#include <errno.h>
#include <string.h>
#include "tests/stack/wire.h"
#include "tests/web/client.h"

const char *test = "";
uint64_t seed = 1;
const unsigned page_sizes[PAGES] = { 0, 1, 1000, 1338, 1460, 5000, 65536, BODY_MAX };
uint8_t body[BODY_MAX];
static struct stack_address client_ip, server;

static uint32_t now_ms(void) { return wire_now; }
static uint32_t any(void) { return chance(~0u); }
static void stack_panics(const char *why)
{
	printf("FAIL web %s: %s, seed %lu\n", test, why, seed);
	exit(1);
}
static void changed(void *arg) { (void)arg; }

void clients_init(struct stack_link *link, const uint8_t ip[4], const uint8_t of_server[4])
{
	static const struct stack_system system = { now_ms, any, malloc, free, stack_panics };
	for (unsigned i = 0; i < BODY_MAX; i++)
		body[i] = i % 64 == 63 ? '\n' : 'a' + (i / 64 + i) % 26;
	client_ip = stack_v4(ip, 0);
	server = stack_v4(of_server, 80);
	stack_init(&system);
	CHECK(!stack_link_add(link));
	CHECK(!stack_link_address(link, ip, (uint8_t[]){ 255, 255, 255, 0 }, (uint8_t[4]){ 0 }));
}

void client_connect(struct client *c)
{
	CHECK((c->e = stack_open(STACK_TCP, 0, changed, NULL)) && !stack_bind(c->e, &client_ip));
	CHECK(stack_connect(c->e, &server) == -EINPROGRESS);
	c->port = stack_local(c->e).port;
}

void client_start(struct client *c, unsigned requests, unsigned pages)
{
	*c = (struct client){ .requests = requests, .slow = !chance(3) };
	for (unsigned i = 0; i < requests; i++) {
		c->page[i] = chance(pages);
		c->all += page_sizes[c->page[i]] + 400;
		c->length += snprintf(c->text + c->length, sizeof c->text - c->length,
			"GET /%u%s HTTP/1.1\r\nHost: x\r\n%s\r\n", page_sizes[c->page[i]], chance(2) ? "" : "?q",
			i == requests - 1 ? "Connection: close\r\n" : "");
	}
	c->got = malloc(c->all);
	client_connect(c);
}

bool client_go_on(struct client *c)
{
	if (!(stack_poll(c->e) & (STACK_WRITABLE | STACK_READABLE | STACK_ENDED)))
		return true;
	if (c->told < c->length) {
		size_t n = !c->slow || chance(2) ? c->length - c->told : 1 + chance(c->length - c->told);
		long r = stack_send(c->e, c->text + c->told, n);
		c->told += r > 0 ? r : 0;
	}
	if (c->slow && chance(20))
		return true;
	long r = stack_receive(c->e, c->got + c->size, c->all - c->size < 5000 ? c->all - c->size : 5000);
	CHECK(r >= 0 || r == -EAGAIN);
	c->size += r > 0 ? r : 0;
	return r != 0;
}

unsigned client_answers(const struct client *c)
{
	size_t at = 0;
	for (unsigned i = 0; i < c->requests; i++) {
		unsigned size = page_sizes[c->page[i]], n;
		char *end = memmem(c->got + at, c->size - at, "\r\n\r\n", 4), *field;
		if (!end)
			return i;
		CHECK(!memcmp(c->got + at, "HTTP/1.1 200 OK\r\n", 17));
		field = memmem(c->got + at, end - c->got - at, "Content-Length: ", 16);
		CHECK(field && sscanf(field + 16, "%u", &n) == 1 && n == size);
		CHECK(!memmem(c->got + at, end - c->got - at, "keep-alive", 10) == (i == c->requests - 1));
		at = end + 4 - c->got;
		n = c->size - at < size ? c->size - at : size;
		CHECK(!memcmp(c->got + at, body, n));
		if (n < size)
			return i;
		at += size;
	}
	CHECK(at == c->size);
	return c->requests;
}

void client_close(struct client *c)
{
	stack_close(c->e);
	free(c->got);
	*c = (struct client){ .e = NULL };
}
