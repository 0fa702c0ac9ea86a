/* The other end of a card's wire, as two unix datagram sockets: 60-byte UDP frames to port 7 of
 * 10.0.2.15, so many under way at a time, and how many came back each second.
 *
 * usage: wire OURS THEIRS WINDOW SECONDS [mirror].  It asks by ARP, answers what it is asked, and
 * gives addresses by DHCP; prints `N packets/s, N lost`.  With `mirror` it is who sends back instead: against another one that
 * is the wire's own ceiling.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE	0.05	/* seconds without an answer: what is under way is lost */

static const uint8_t our_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x02 }, our_ip[4] = { 10, 0, 2, 2 };
static const uint8_t their_ip[4] = { 10, 0, 2, 15 };
static uint8_t their_mac[6], frame[60], got[65536];
static struct sockaddr_un theirs = { .sun_family = AF_UNIX };
static int wire;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int put(const void *p, size_t n)
{
	return sendto(wire, p, n, MSG_DONTWAIT, (struct sockaddr *)&theirs, sizeof theirs);
}

static uint16_t checksum(const uint8_t *p, unsigned n)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < n; i += 2)
		sum += p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void arp(uint16_t what, const uint8_t *to)
{
	static const uint8_t head[10] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 0 };
	uint8_t f[60] = { 0 };
	memcpy(f, to, 6);
	memcpy(f + 6, our_mac, 6);
	memcpy(f + 12, head, 10);
	f[21] = what;
	memcpy(f + 22, our_mac, 6);
	memcpy(f + 28, our_ip, 4);
	memcpy(f + 32, what == 2 ? to : (const uint8_t[6]){ 0 }, 6);
	memcpy(f + 38, their_ip, 4);
	put(f, sizeof f);
}

/* A question for an address, answered: what it is, or that it is theirs. */
static void dhcp(const uint8_t *question, size_t n)
{
	static const uint8_t head[28] = { 0x45, 0, 1, 72, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 2, 2, 255, 255, 255, 255,
		0, 67, 0, 68, 1, 52, 0, 0 };
	uint8_t f[342] = { 0 }, *d = f + 42;
	const uint8_t *o = question + 42 + 240, *end = question + n;
	unsigned kind = 0;
	for (; o + 2 < end && *o != 255 && !kind; o += *o ? 2 + o[1] : 1)
		if (*o == 53)
			kind = o[2];
	if (kind != 1 && kind != 3)
		return;
	memset(f, 255, 6);
	memcpy(f + 6, our_mac, 6);
	f[12] = 8;
	memcpy(f + 14, head, 28);
	uint16_t sum = checksum(f + 14, 20);
	f[24] = sum >> 8, f[25] = sum;
	memcpy(d, question + 42, 44);		/* its number and its card's address, among others */
	d[0] = 2;
	memcpy(d + 16, their_ip, 4);
	const uint8_t options[] = { 99, 130, 83, 99, 53, 1, kind == 1 ? 2 : 5, 54, 4, 10, 0, 2, 2, 51, 4, 0, 1, 0, 0,
		1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 2, 2, 255 };
	memcpy(d + 236, options, sizeof options);
	put(f, sizeof f);
}

static void frame_make(void)
{
	static const uint8_t ip[20] = { 0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15 };
	memcpy(frame, their_mac, 6);
	memcpy(frame + 6, our_mac, 6);
	frame[12] = 8;
	memcpy(frame + 14, ip, 20);
	uint16_t sum = checksum(frame + 14, 20);
	frame[24] = sum >> 8, frame[25] = sum;
	memcpy(frame + 34, (const uint8_t[8]){ 0x20, 0, 0, 7, 0, 26, 0, 0 }, 8);
}

/* A frame that is an answer of theirs; ARP is done on the way. */
static int answer(double patience)
{
	struct pollfd p = { wire, POLLIN, 0 };
	for (;;) {
		ssize_t n = recv(wire, got, sizeof got, MSG_DONTWAIT);
		if (n < 0) {
			if (poll(&p, 1, patience * 1000) <= 0)
				return 0;
			continue;
		}
		if (n >= 42 && got[12] == 8 && got[13] == 6) {
			if (got[21] == 1 && !memcmp(got + 38, our_ip, 4))
				arp(2, got + 6);
			else if (got[21] == 2)
				memcpy(their_mac, got + 22, 6);
			return 2;
		}
		if (n >= 42 && got[12] == 8 && got[13] == 0 && got[23] == 17 && got[34] == 0 && got[35] == 7)
			return 1;
		if (n >= 42 + 244 && got[12] == 8 && got[23] == 17 && got[36] == 0 && got[37] == 67)
			dhcp(got, n);
	}
}

static void mirror(void)
{
	for (;;) {
		ssize_t n = recv(wire, got, sizeof got, 0);
		if (n >= 42 && got[13] == 6) {
			arp(2, got + 6);
		} else if (n >= 42) {
			memcpy(got + 34, (const uint8_t[4]){ 0, 7, 0x20, 0 }, 4);
			while (put(got, n) < 0 && errno == EAGAIN)
				;
		}
	}
}

static void measure(unsigned window, double seconds)
{
	uint64_t back = 0, lost = 0, under_way = 0;
	double begin = now(), end = begin + seconds;
	while (now() < end) {
		while (under_way < window && put(frame, sizeof frame) >= 0)
			under_way++;
		int what = answer(PATIENCE);
		if (what == 1) {
			back++;
			under_way -= under_way > 0;
		} else if (!what) {
			lost += under_way;
			under_way = 0;
		}
	}
	printf("%.0f packets/s, %lu lost\n", back / (now() - begin), lost);
}

int main(int argc, char **argv)
{
	struct sockaddr_un ours = { .sun_family = AF_UNIX };
	int room = 4 << 20;
	if (argc < 5)
		return 2;
	strncpy(ours.sun_path, argv[1], sizeof ours.sun_path - 1);
	strncpy(theirs.sun_path, argv[2], sizeof theirs.sun_path - 1);
	wire = socket(AF_UNIX, SOCK_DGRAM, 0);
	setsockopt(wire, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(wire, (struct sockaddr *)&ours, sizeof ours))
		return perror(argv[1]), 1;
	if (argc > 5)
		mirror();
	for (double end = now() + 60; !their_mac[0] && now() < end;) {
		arp(1, (const uint8_t[6]){ 255, 255, 255, 255, 255, 255 });
		answer(0.2);
	}
	if (!their_mac[0])
		return fprintf(stderr, "wire: nobody is there\n"), 1;
	frame_make();
	for (double end = now() + 20; now() < end;) {	/* until it echoes */
		put(frame, sizeof frame);
		if (answer(0.2) == 1)
			break;
	}
	measure(atoi(argv[3]), 0.5);
	measure(atoi(argv[3]), atof(argv[4]));
	return 0;
}
