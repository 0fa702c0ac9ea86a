/* netmon: a live page about the machine, served over HTTP from raw rings (apps/web): whose each frame of
 * memory is, who runs in which slice, what each flow brought.
 *
 * What it shows it reads where the kernel exports it, the frame table and the slice vectors, and asks
 * by flow_info; for that it needs the loans that `domain --inspect` gives (docs/net.md). The page
 * draws the pictures itself, from /data.json, once a second.
 *
 * Left to others: names of domains (the kernel has numbers), and what happens inside them.
 */
#include "apps/web/card.h"
#include "apps/netmon/page.h"

VIRTUE_NOTE("bare");

#define TABLE_VA	0x400000000ul
#define SLICES_VA	0x500000000ul
#define DOMAINS		64u
#define CELLS		1024u		/* of the memory's picture */
#define DATA_MAX	30000u
#define DATA_PAGES	4u

static const struct exo_frame *frames;
static uint64_t frame_count;
static const struct exo_slice_page *slices;
static unsigned cpus;
static uint64_t flows[3];
static const char *const flow_names[] = { "all of the card", "to this page", "from this page" };
static struct web_page *start, *missing, *full, *data[DATA_PAGES];
static struct web_segment *data_segment[DATA_PAGES];

#define say(...) (has_proxy ? (void)proxy_printf(1, __VA_ARGS__) : log_line(__VA_ARGS__))
static bool has_proxy;

static _Noreturn void fail(const char *what, uint64_t status)
{
	if (has_proxy) {
		proxy_printf(2, "netmon: %s: %s\n", what, exo_status_text(status));
		proxy_exit(1);
	}
	domain_fail("netmon: %s: %s", what, exo_status_text(status));
}

/* ---- text ------------------------------------------------------------------------------- */

static char text[DATA_MAX];
static size_t text_size;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = text_format(text + text_size, sizeof text - text_size, format, args);
	va_end(args);
	if (n > 0 && text_size + n < sizeof text)
		text_size += n;
}

/* ---- what there is ------------------------------------------------------------------------- */

struct share { uint32_t id, data, tables, objects, others; };
static struct share shares[DOMAINS];
static unsigned share_count;

static unsigned share_of(uint32_t id)
{
	for (unsigned i = 0; i < share_count; i++)
		if (shares[i].id == id)
			return i;
	if (share_count == DOMAINS)
		return DOMAINS - 1;	/* the last one stands for all further ones */
	shares[share_count] = (struct share){ .id = id };
	return share_count++;
}

/* Neighbours are mostly one domain's. */
static void frames_count(void)
{
	unsigned last = share_count = 0;
	for (uint64_t i = 0; i < frame_count; i++) {
		struct exo_frame f = frames[i];
		if (f.type == EXO_F_NONE)
			continue;
		if (!share_count || shares[last].id != f.owner)
			last = share_of(f.owner);
		struct share *s = &shares[last];
		if (f.type == EXO_F_DATA)
			s->data++;
		else if (f.type <= EXO_F_PT4)
			s->tables++;
		else if (f.type == EXO_F_OBJECT)
			s->objects++;
		else
			s->others++;
	}
}

/* A letter a cell: whose the frame in its middle is; a dot: nobody's. */
static void map_add(void)
{
	static char map[CELLS + 1];
	for (unsigned i = 0; i < CELLS; i++) {
		struct exo_frame f = frames[(2 * i + 1) * frame_count / (2 * CELLS)];
		map[i] = f.type == EXO_F_NONE ? '.' : '0' + share_of(f.owner);
		if (map[i] == '\\' || map[i] == '"')	/* not in JSON */
			map[i] = '~';
	}
	add("\"map\":\"%s\",", map);
}

static void domains_add(void)
{
	frames_count();
	add("\"frames\":%lu,\"domains\":[", frame_count);
	for (unsigned i = 0; i < share_count; i++)
		add("%s{\"id\":%u,\"data\":%u,\"tables\":%u,\"objects\":%u,\"others\":%u}", i ? "," : "",
			shares[i].id, shares[i].data, shares[i].tables, shares[i].objects, shares[i].others);
	add("],");
	map_add();
}

static void slot_add(const struct exo_slice *s, bool first)
{
	add("%s{\"domain\":%u,\"length\":%lu,\"used\":%lu,\"given\":%lu}", first ? "" : ",", s->domain, s->length,
		s->used, s->given);
}

/* Slots that are bound, and what others had of the rest. */
static void slices_add(void)
{
	add("\"cpus\":[");
	for (unsigned c = 0; c < cpus; c++) {
		const struct exo_slice_page *p = (const void *)((const uint8_t *)slices + c * EXO_PAGE_SIZE);
		struct exo_slice rest = { 0 };
		bool first = true;
		add("%s{\"idle\":%lu,\"switches\":%lu,\"slots\":[", c ? "," : "", p->idle, p->switches);
		for (unsigned i = 0; i < p->count && i < EXO_SLICES; i++) {
			struct exo_slice s = p->slice[i];
			if (s.domain) {
				slot_add(&s, first);
				first = false;
			} else {
				rest.length += s.length;
				rest.given += s.given;
			}
		}
		slot_add(&rest, first);
		add("]}");
	}
	add("],");
}

static void flows_add(void)
{
	bool first = true;
	add("\"flows\":[");
	for (unsigned i = 0; i < ARRAY_LEN(flows); i++) {
		struct exo_flow_info f;
		if (!flows[i] || exo_flow_info(flows[i], &f).status)
			continue;
		add("%s{\"name\":\"%s\",\"card\":\"%s\",\"link\":%u,\"room\":%u,\"bound\":%u,\"packets\":%lu,"
			"\"bytes\":%lu,\"dropped\":%lu}", first ? "" : ",", flow_names[i], f.model, f.link, f.room, f.bound,
			f.packets, f.bytes, f.dropped);
		first = false;
	}
	add("],");
}

static struct web_page *data_make(void)
{
	unsigned i = 0;
	while (i < DATA_PAGES && data[i]->users)
		i++;
	if (i == DATA_PAGES)
		return full;
	text_size = 0;
	add("{\"ns\":%lu,", time_now());
	domains_add();
	slices_add();
	flows_add();
	add("\"web\":{\"connections\":%lu,\"requests\":%lu,\"packets\":%lu,\"again\":%lu}}", web_counts.connections,
		web_counts.requests, web_counts.sent, web_counts.again);
	web_page_fill(data[i], data_segment[i], "200 OK", "application/json", text, text_size);
	return data[i];
}

static struct web_page *find(const char *path)
{
	if (path && !strcmp(path, "/data.json"))
		return data_make();
	return path && !strcmp(path, "/") ? start : missing;
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* A loan's frames at va; how many. */
static uint64_t loan_map(const struct exo_start *s, const char *name, uint64_t va)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(s, name), status;
	if (!cap || exo_cap_info(0, cap, &info).status)
		fail("the right to inspect (domain --inspect)", EXO_CAP);
	if ((status = pt_map(s->root, va, info.base, info.count, PTE_RO, cap)))
		fail(name, status);
	return info.count;
}

static void pages_make(void)
{
	start = web_page_new("/", "200 OK", "text/html; charset=utf-8", page_text, sizeof page_text - 1);
	missing = web_page_new("", "404 Not Found", "text/plain", "404\n", 4);
	full = web_page_new("", "503 Service Unavailable", "text/plain", "503\n", 4);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		data[i] = web_page_room("/data.json", DATA_MAX, &data_segment[i]);
	if (!start || !missing || !full || !data[DATA_PAGES - 1])
		fail("memory", EXO_LIMIT);
}

int main(struct exo_start *s)
{
	uint8_t ip[4] = { 10, 0, 2, 15 };
	const char *what;
	has_proxy = proxy_attach(s);
	uint64_t status = frames_init(s, true);
	if (status || (status = time_init(s, 0)))
		fail("memory or clock", status);
	frame_count = loan_map(s, CAP_FRAMES, TABLE_VA) * (EXO_PAGE_SIZE / sizeof *frames);
	frames = (const struct exo_frame *)TABLE_VA;
	cpus = loan_map(s, CAP_SLICES, SLICES_VA);
	slices = (const struct exo_slice_page *)SLICES_VA;
	pages_make();
	flows[0] = start_cap(s, CAP_NET_ALL);
	flows[1] = start_cap_at(s, CAP_NET, 0);
	flows[2] = start_cap(s, CAP_NET_SEND);
	uint16_t port = 80;
	if ((status = web_card_open(s, ip, &port, find, &what)))
		fail(what, status);
	say("netmon: the page is at port %u\n", port);
	web_serve(NULL, 0);
	proxy_exit(0);
}
