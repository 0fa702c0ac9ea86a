/* Pages: answers as packets, cut and summed once. */
#include "apps/web/web.h"
#include "libos/common/text.h"

#define HEAD_MAX	512u

uint32_t web_sum(const void *p, size_t n, uint32_t sum)
{
	const uint8_t *b = p;
	uint64_t total = sum;
	for (; n >= 4; n -= 4, b += 4) {
		uint32_t word;
		__builtin_memcpy(&word, b, 4);
		total += word;
	}
	if (n >= 2) {
		uint16_t word;
		__builtin_memcpy(&word, b, 2);
		total += word;
		n -= 2;
		b += 2;
	}
	if (n)
		total += *b;
	return web_fold(total);
}

/* Both are of one length, so that all segments but the first are the same. */
static size_t head_make(char *to, const char *status, const char *type, size_t size, bool ending)
{
	return snprintf(to, HEAD_MAX, "HTTP/1.1 %s\r\nServer: Virtue\r\nContent-Type: %s\r\n"
		"Content-Length: %lu\r\nConnection: %s\r\n\r\n", status, type, size,
		ending ? "close     " : "keep-alive");
}

static void segment_fill(struct web_segment *s, const char *head, size_t head_size, const uint8_t *body,
	size_t length)
{
	uint8_t *to = s->at + WEB_HEADERS;
	if (head_size)
		memcpy(to, head, head_size);
	memcpy(to + head_size, body, length - head_size);
	s->length = length;
	s->sum = web_sum(to, length, 0);
	s->last = 0;
}

unsigned web_page_segments(size_t body) { return (body + HEAD_MAX + WEB_MSS - 1) / WEB_MSS + 1; }

void web_page_fill(struct web_page *p, struct web_segment *segment, const char *status, const char *type,
	const void *body, size_t size)
{
	char head[2][HEAD_MAX];
	size_t n = head_make(head[0], status, type, size, false);
	head_make(head[1], status, type, size, true);
	p->length = n + size;
	p->head = n;
	p->segment = segment;
	size_t first = p->length < WEB_MSS ? p->length : WEB_MSS;
	p->ending = segment[web_page_segments(size) - 1];
	segment_fill(&segment[0], head[0], n, body, first);
	segment_fill(&p->ending, head[1], n, body, first);
	for (size_t done = first; done < p->length; done += WEB_MSS) {
		size_t part = p->length - done < WEB_MSS ? p->length - done : WEB_MSS;
		segment_fill(&segment[done / WEB_MSS], NULL, 0, (const uint8_t *)body + done - n, part);
	}
}
