/* Clients of apps/httpd in the machine, on a wire that loses, repeats, delays, exchanges and spoils
 * frames: between them and the card's end, a pair of unix datagram sockets (tests/web/lossy).
 *
 * usage: web-peer OURS THEIRS [SEED].  Time is the host's: a run does not repeat exactly.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "tests/stack/wire.h"
#include "tests/web/client.h"

#define CLIENTS	8u
#define BEGIN_MS 60000u			/* the machine boots meanwhile */
#define PATIENCE_MS 100000u		/* for a case, which on an idle host takes a few seconds */

enum { HERE, MACHINE };			/* the wire's ends */

static struct stack_link link_ = { .mac = { 2, 0, 0, 0, 0, 1 } };
static struct sockaddr_un theirs = { .sun_family = AF_UNIX };
static int wire_end;

static uint32_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool client_sends(struct stack_link *from, const void *frame, size_t length)
{
	(void)from;
	wire_put(MACHINE, frame, length);
	return true;
}

/* ARP has no sum: spoiled, it is lost, as by Ethernet's own. */
static bool lost(const struct wire_frame *f)
{
	return f->spoiled && f->byte[12] == 8 && f->byte[13] == 6;
}

/* The card's end may be full, or not there yet: the frame is lost. */
static void arrives(const struct wire_frame *f)
{
	if (lost(f))
		return;
	if (f->to == HERE)
		stack_input(&link_, f->byte, f->length);
	else
		(void)!sendto(wire_end, f->byte, f->length, MSG_DONTWAIT, (struct sockaddr *)&theirs,
			sizeof theirs);
}

/* What came is put on the wire, which has as many milliseconds as have gone by. */
static void go_on(void)
{
	static uint32_t last;
	uint8_t frame[STACK_FRAME];
	struct pollfd p = { wire_end, POLLIN, 0 };
	long n;
	poll(&p, 1, 1);
	while ((n = recv(wire_end, frame, sizeof frame, MSG_DONTWAIT)) > 14)
		wire_put(HERE, frame, n);
	for (last = last ? last : clock_ms(); last != clock_ms(); last++) {
		wire_tick(arrives);
		stack_timers();
	}
}

/* How many of the connections were served whole. */
static unsigned serve(unsigned clients, unsigned requests, unsigned pages, uint32_t ms)
{
	static struct client c[CLIENTS];
	unsigned open = clients, served = 0;
	for (unsigned i = 0; i < clients; i++)
		client_start(&c[i], 1 + chance(requests), pages);
	for (uint32_t begun = clock_ms(); open && clock_ms() - begun < ms; go_on())
		for (unsigned i = 0; i < clients; i++)
			if (c[i].e && !client_go_on(&c[i])) {
				served += client_answers(&c[i]) == c[i].requests;
				client_close(&c[i]);
				open--;
			}
	for (unsigned i = 0; i < clients; i++)
		if (c[i].e)
			client_close(&c[i]);
	return served;
}

static void run(const char *name, struct wire how)
{
	test = name;
	chance_seed(seed);
	wire = how;
	wire_spoiled = 0;
	CHECK(serve(CLIENTS, 3, PAGES - 1, PATIENCE_MS) == CLIENTS);
	CHECK(!how.spoil || wire_spoiled);
	printf("ok web %s\n", name);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sockaddr_un ours = { .sun_family = AF_UNIX };
	if (argc < 3 || strlen(argv[1]) >= sizeof ours.sun_path ||
	    strlen(argv[2]) >= sizeof ours.sun_path)
		return 2;
	strcpy(ours.sun_path, argv[1]);
	strcpy(theirs.sun_path, argv[2]);
	seed = argc > 3 ? strtoul(argv[3], NULL, 0) : 1;
	wire_end = socket(AF_UNIX, SOCK_DGRAM, 0);
	test = "begins";
	CHECK(!bind(wire_end, (struct sockaddr *)&ours, sizeof ours));
	link_.send = client_sends;
	clients_init(&link_, (const uint8_t[]){ 10, 0, 2, 2 }, (const uint8_t[]){ 10, 0, 2, 15 });
	CHECK(serve(1, 1, 1, BEGIN_MS) == 1);
	run("machine-clean", (struct wire){ .delay = 1 });
	run("machine-lossy", (struct wire){ .lose = 40, .delay = 2 });
	run("machine-reordered", (struct wire){ .repeat = 20, .delay = 20 });
	run("machine-everything", (struct wire){ .lose = 30, .repeat = 30, .spoil = 20, .delay = 10 });
	return 0;
}
