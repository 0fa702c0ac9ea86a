/* A server of names for the tests, on UDP port 53 of the machine itself: `virtue.test` is the
 * address in argv[1], and nothing else is there. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER 12
static const char name[] = "\6virtue\4test";

/* The answer in place of the question; its length. */
static size_t answer(unsigned char *b, size_t n, const char *ip)
{
	static const unsigned char record[] = { 0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
	size_t question = HEADER + sizeof name + 4;
	int known = n >= question && !memcmp(b + HEADER, name, sizeof name);
	int found = known && b[HEADER + sizeof name + 1] == 1;

	b[2] = 0x81;
	b[3] = known ? 0x80 : 0x83;
	b[7] = found;
	memset(b + 8, 0, 4);
	if (!found)
		return n;
	memcpy(b + question, record, sizeof record);
	inet_pton(AF_INET, ip, b + question + sizeof record);
	return question + sizeof record + 4;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) }, from;
	unsigned char b[600];
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc < 2 || bind(s, (struct sockaddr *)&at, sizeof at)) {
		perror("dns");
		return 1;
	}
	for (;;) {
		socklen_t size = sizeof from;
		ssize_t n = recvfrom(s, b, 512, 0, (struct sockaddr *)&from, &size);

		if (n >= HEADER)
			sendto(s, b, answer(b, n, argv[1]), 0, (struct sockaddr *)&from, size);
	}
}
