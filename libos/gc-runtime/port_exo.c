/* The surroundings, in a domain with its proxy.  See port.h. */
#include "libos/gc-runtime/port.h"
#include "libos/gc-runtime/port_exo.h"
#include "libos/common/common.h"

#define MEMORY_BASE	0x300000000000ul

static uint64_t memory_next = MEMORY_BASE;
static volatile unsigned under_way;	/* calls: of the proxy, of the frames' allocator */

bool port_idle(void) { return !under_way; }

/* Without a proxy, to the kernel's log, where the domain may write there. */
static void print(unsigned stream, const char *format, va_list args)
{
	char text[1024];
	uint64_t cap;
	int n = vsnprintf(text, sizeof text, format, args);
	under_way++;
	if (!proxy_signal_word(&cap))
		log_line("%s", text);
	proxy_write(stream, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
	under_way--;
}

void port_print(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print(1, format, args);
	va_end(args);
}

_Noreturn void port_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print(2, format, args);
	va_end(args);
	proxy_exit(1);
}

void port_note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print(2, format, args);
	va_end(args);
}

_Noreturn void port_exit(int status) { proxy_exit(status); }
void port_obey(void) { proxy_obey(); }

const char *port_error(int error)
{
	static const struct { int number; const char *text; } known[] = {
		{ 1, "not permitted" }, { 2, "no such file" }, { 5, "input/output error" },
		{ 12, "no memory" }, { 13, "permission denied" }, { 17, "exists" },
		{ 19, "no such device" }, { 20, "not a directory" }, { 21, "is a directory" },
		{ 22, "invalid" }, { 27, "too large" }, { 28, "no space left" }, { 30, "read-only" },
		{ 110, "timed out" },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].number == -error)
			return known[i].text;
	return "unknown";
}

uint64_t port_time(void) { return time_now(); }

int port_open(const char *path, unsigned how)
{
	under_way++;
	int file = proxy_open(path, PROXY_O_READ | PROXY_O_WRITE |
		(how & PORT_CREATE ? PROXY_O_CREATE : 0) | (how & PORT_ALONE ? PROXY_O_ALONE : 0));
	under_way--;
	return file;
}

/* The protocol does not change what it sends. */
static int64_t ask(unsigned op, int file, uint64_t at, const void *bytes, uint64_t n)
{
	under_way++;
	int64_t done = proxy_file(op, file, at, (void *)(uintptr_t)bytes,
		n < PROXY_SLOT_SIZE ? n : PROXY_SLOT_SIZE);
	under_way--;
	return done;
}

int64_t port_read(int file, uint64_t at, void *to, uint64_t n)
{
	return ask(PROXY_READ, file, at, to, n);
}

int64_t port_write(int file, uint64_t at, const void *from, uint64_t n)
{
	return ask(PROXY_WRITE, file, at, from, n);
}

int64_t port_size(int file) { return ask(PROXY_GETSIZE, file, 0, NULL, 0); }
int64_t port_resize(int file, uint64_t size) { return ask(PROXY_SETSIZE, file, size, NULL, 0); }
void port_close(int file) { ask(PROXY_CLOSE, file, 0, NULL, 0); }

static bool map_zeroed(uint64_t va, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t pfn = frame_alloc_zero();
		if (!pfn || pt_map(start_page->root, va + i * EXO_PAGE_SIZE, pfn, 1, PTE_RW, 0))
			return false;
	}
	return true;
}

void *port_memory(uint64_t bytes)
{
	uint64_t pages = (bytes + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE, va = memory_next;
	if (pages + pages / 512 + 64 > frames_left())
		return NULL;
	under_way++;
	memory_next += (pages + 1) * EXO_PAGE_SIZE;	/* a guard page */
	bool mapped = map_zeroed(va, pages);
	under_way--;
	return mapped ? (void *)va : NULL;
}

uint8_t *port_begin(struct exo_start *start, uint64_t stack)
{
	bool proxy = proxy_attach(start);
	uint64_t status = frames_init(start, true);
	if (!proxy)
		log_line("gc-runtime: started without a session");
	if (status)
		port_fail("gc: no memory: %s\n", exo_status_text(status));
	if (time_init(start, 0))
		port_fail("gc: no clock\n");
	uint8_t *bottom = port_memory(stack);
	if (!bottom)
		port_fail("gc: no memory for a stack\n");
	return bottom + stack;
}
