/* Answers to who asks for our hardware address. */
#include "apps/web/web.h"
#include "libos/common/text.h"

bool web_arp(uint8_t *frame, unsigned length, const uint8_t mac[6], const uint8_t ip[4])
{
	static const uint8_t question[10] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	if (length < 42 || memcmp(frame + 12, question, 10) || memcmp(frame + 38, ip, 4))
		return false;
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, mac, 6);
	frame[21] = 2;
	memcpy(frame + 32, frame + 22, 10);
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, ip, 4);
	return true;
}
