/* Clients of the web server for its tests: requests by the stack of libos/posix/net, answers held
 * against what they must be.  The server's page /N is `body`'s first N bytes, in the machine too
 * (apps/httpd).
 *
 * A test ends at the first thing that is wrong.  Left to others: the wire, time, who serves.
 */
#ifndef TESTS_WEB_CLIENT_H
#define TESTS_WEB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "libos/posix/net/stack.h"

#define CHECK(x) do { if (!(x)) { \
		printf("FAIL web %s line %d: %s, seed %lu\n", test, __LINE__, #x, seed); \
		exit(1); \
	} } while (0)
#define BODY_MAX 200000u
#define PAGES	8u

extern const char *test;
extern uint64_t seed;
extern const unsigned page_sizes[PAGES];
extern uint8_t body[BODY_MAX];

struct client {
	struct endpoint *e;		/* NULL: it is closed */
	uint16_t port;
	char *got;
	size_t size, all;
	unsigned requests;
	unsigned page[4];
	bool slow;
	char text[400];
	size_t length, told;
};

/* The stack, with that link, which has its `send`; its address, and the server's, at port 80. */
void clients_init(struct stack_link *link, const uint8_t ip[4], const uint8_t server[4]);
void client_connect(struct client *c);
/* So many requests on one connection, the last one of which ends it; in pieces, or all at once; for
 * the first ones of so many pages. */
void client_start(struct client *c, unsigned requests, unsigned pages);
bool client_go_on(struct client *c);	/* false: the server has ended it */
/* Each answer's head and body are right, as far as they are there: how many are whole. */
unsigned client_answers(const struct client *c);
void client_close(struct client *c);

#endif
