/* HTTP requests: the line, the path, whether the connection goes on.  Anything else is passed over. */
#include "apps/web/web.h"
#include "libos/common/text.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c; }

/* Does the text begin with the word (in lower case)? */
static bool begins(const char *text, size_t n, const char *word)
{
	size_t i = 0;
	for (; word[i]; i++)
		if (i >= n || lower(text[i]) != word[i])
			return false;
	return true;
}

static bool contains(const char *text, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (begins(text + i, n - i, word))
			return true;
	return false;
}

static int hex(char c)
{
	c = lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to a space or question mark, with %XX resolved.  False: too long, or not a path. */
static bool path_read(const char *text, size_t n, char to[256])
{
	size_t length = 0;
	for (size_t i = 0; i < n && text[i] != ' ' && text[i] != '?'; i++) {
		char c = text[i];
		if (c == '%') {
			int high = i + 2 < n ? hex(text[i + 1]) : -1, low = high < 0 ? -1 : hex(text[i + 2]);
			if (low < 0)
				return false;
			c = high << 4 | low;
			i += 2;
		}
		if (length == 255 || !c)
			return false;
		to[length++] = c;
	}
	to[length] = 0;
	return length && to[0] == '/';
}

/* Length of the line at the text, its end included; 0: it is not whole. */
static size_t line_length(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n')
			return i + 1;
	return 0;
}

static void first_line(const char *text, size_t n, struct web_request *r)
{
	r->head = begins(text, n, "head ");
	r->known = r->head || begins(text, n, "get ");
	size_t at = r->head ? 5 : 4;
	if (r->known && !path_read(text + at, n - at, r->path))
		r->known = false;
	r->keep = contains(text, n, " http/1.1");
}

int web_request_parse(const char *text, size_t n, struct web_request *r)
{
	size_t at = line_length(text, n), line;
	if (!at)
		return 0;
	if (!contains(text, at, " http/1."))
		return -1;
	first_line(text, at, r);
	while ((line = line_length(text + at, n - at))) {
		const char *field = text + at;
		at += line;
		if (line <= 2 && (field[0] == '\r' || field[0] == '\n'))
			return at;
		if (!begins(field, line, "connection:"))
			continue;
		if (contains(field, line, "close"))
			r->keep = false;
		else if (contains(field, line, "keep-alive"))
			r->keep = true;
	}
	return 0;
}
