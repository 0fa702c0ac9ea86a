/* httpd [DIR]: a web server in a domain of its own, on raw rings, with its own TCP (apps/web).
 *
 * It serves the session's files below DIR, each read once, when it is first asked for; without DIR, or
 * without a session, a few pages that it has with it: /, /1k, /100k, /NUMBER bytes up to 1,000,000.
 *	domain --port 8080 -- webd /www
 *
 * As a session itself it takes its address and port from the command line:
 *
 *	./virtue run --module httpd=build/httpd --append 'session=httpd [address=10.0.2.15] [port=80]' -- httpd
 *
 * Left to others: who may have which port (the flows that it was given), directories, ranges, TLS.
 */
#include "apps/web/card.h"

VIRTUE_NOTE("bare");

#define PAGES		512u
#define PAGES_MAX	384u		/* they are there for good; others cannot be had */
#define BUILT_IN_MAX	1000000ul
#define RUN_MAX		512u		/* frames in a row */
#define FILE_MAX	(RUN_MAX * EXO_PAGE_SIZE - 1)

static struct web_page *pages[PAGES];	/* by hash of the path */
static unsigned page_count;
static struct web_page *bad, *missing, *full;
static char folder[200];

#define say(...) (has_proxy ? (void)proxy_printf(1, __VA_ARGS__) : log_line(__VA_ARGS__))
static bool has_proxy;

static _Noreturn void fail(const char *what, uint64_t status)
{
	if (has_proxy) {
		proxy_printf(2, "httpd: %s: %s\n", what, exo_status_text(status));
		proxy_exit(1);
	}
	domain_fail("httpd: %s: %s", what, exo_status_text(status));
}

/* ---- pages ------------------------------------------------------------------------------ */

static unsigned hash(const char *path)
{
	uint32_t h = 2166136261u;
	while (*path)
		h = (h ^ (uint8_t)*path++) * 16777619u;
	return h % PAGES;
}

static struct web_page **place(const char *path)
{
	unsigned i = hash(path);
	while (pages[i] && strcmp(pages[i]->path, path))
		i = (i + 1) % PAGES;
	return &pages[i];
}

static const char *type_of(const char *path)
{
	static const struct { const char *end, *type; } types[] = { { ".html", "text/html; charset=utf-8" },
		{ ".css", "text/css" }, { ".js", "text/javascript" }, { ".json", "application/json" },
		{ ".svg", "image/svg+xml" }, { ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".txt", "text/plain" } };
	size_t n = strlen(path);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		size_t m = strlen(types[i].end);
		if (n > m && !strcmp(path + n - m, types[i].end))
			return types[i].type;
	}
	return "application/octet-stream";
}

/* Bytes to make a page of, in frames that are given back. */
struct bytes { uint64_t pfn; unsigned frames; uint8_t *at; };

static bool bytes_take(struct bytes *b, size_t size)
{
	b->frames = size / EXO_PAGE_SIZE + 1;
	b->pfn = b->frames <= RUN_MAX ? frame_alloc_run(b->frames) : 0;
	b->at = b->pfn ? physmap_page(b->pfn) : NULL;
	return b->pfn;
}

static struct web_page *page_of(const char *path, struct bytes *b, size_t size, const char *type)
{
	struct web_page *p = web_page_new(path, "200 OK", type, b->at, size);
	frame_free_run(b->pfn, b->frames);
	return p ? p : full;
}

static struct web_page *built_in(const char *path)
{
	static const char start[] = "<!doctype html><title>Virtue</title><h1>It works</h1>"
		"<p>Served from raw rings, by a TCP of its own.</p>\n";
	uint64_t size = sizeof start - 1;
	struct bytes b;
	if (!strcmp(path, "/1k"))
		size = 1024;
	else if (!strcmp(path, "/100k"))
		size = 102400;
	else if (strcmp(path, "/") && (!text_number(path + 1, &size) || size > BUILT_IN_MAX))
		return missing;
	if (!bytes_take(&b, size))
		return full;
	for (size_t i = 0; i < size; i++)
		b.at[i] = i % 64 == 63 ? '\n' : 'a' + (i / 64 + i) % 26;
	if (!strcmp(path, "/"))
		memcpy(b.at, start, size);
	return page_of(path, &b, size, strcmp(path, "/") ? "text/plain" : type_of(".x.html"));
}

static struct web_page *file_read(const char *path)
{
	char name[480];
	struct bytes b;
	snprintf(name, sizeof name, "%s%s%s", folder, path, path[strlen(path) - 1] == '/' ? "index.html" : "");
	int64_t file = proxy_open(name, PROXY_O_READ);
	if (file < 0)
		return missing;
	int64_t size = proxy_file(PROXY_GETSIZE, file, 0, NULL, 0);
	struct web_page *p = size < 0 ? missing : full;
	if (size >= 0 && (uint64_t)size <= FILE_MAX && bytes_take(&b, size)) {
		int64_t got = proxy_transfer(PROXY_READ, file, 0, b.at, size);
		if (got == size) {
			p = page_of(path, &b, size, type_of(name));
		} else {		/* a folder, for one */
			frame_free_run(b.pfn, b.frames);
			p = missing;
		}
	}
	proxy_file(PROXY_CLOSE, file, 0, NULL, 0);
	return p;
}

/* Those that could not be had are asked for again. */
static struct web_page *find(const char *path)
{
	if (!path)
		return bad;
	struct web_page **p = place(path);
	if (*p)
		return *p;
	for (const char *c = path; *c; c++)	/* nothing above the folder */
		if (c[0] == '.' && c[1] == '.')
			return missing;
	if (page_count == PAGES_MAX)
		return full;
	struct web_page *made = folder[0] ? file_read(path) : built_in(path);
	if (made != missing && made != full) {
		*p = made;
		page_count++;
	}
	return made;
}

static struct web_page *error_page(const char *status)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%s\n", status);
	struct web_page *p = web_page_new("", status, "text/plain", text, n);
	if (!p)
		fail("memory", EXO_LIMIT);
	return p;
}

/* ---- the beginning ---------------------------------------------------------------------- */

static uint16_t port_option(const struct exo_start *s)
{
	char text[20];
	uint64_t port = 80;
	if (start_option(s, "port", text, sizeof text) > 0 && (!text_number(text, &port) || !port || port > 65535))
		fail("the port", EXO_ARG);
	return port;
}

static bool address_parse(const char *text, uint8_t ip[4])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned value = 0, digits = 0;
		for (; *text >= '0' && *text <= '9' && digits < 3; text++, digits++)
			value = value * 10 + *text - '0';
		if (!digits || value > 255 || *text++ != (i < 3 ? '.' : 0))
			return false;
		ip[i] = value;
	}
	return true;
}

int main(struct exo_start *s)
{
	uint8_t ip[4] = { 10, 0, 2, 15 };
	char text[20];
	const char *what;
	has_proxy = proxy_attach(s);
	uint64_t status = frames_init(s, true);
	if (status || (status = time_init(s, 0)))
		fail("memory or clock", status);
	if (start_option(s, "address", text, sizeof text) > 0 && !address_parse(text, ip))
		fail("the address", EXO_ARG);
	if (proxy_argc() > 1)
		text_copy(folder, proxy_arg(1), sizeof folder);
	bad = error_page("400 Bad Request");
	missing = error_page("404 Not Found");
	full = error_page("503 Service Unavailable");
	uint16_t port = port_option(s);
	if ((status = web_card_open(s, ip, &port, find, &what)))
		fail(what, status);
	say("httpd: port %u\n", port);
	web_serve(NULL, 0);
	say("httpd: %lu connections, %lu requests, %lu packets, %lu again\n", web_counts.connections,
		web_counts.requests, web_counts.sent, web_counts.again);
	proxy_exit(0);
}
