/* Uses the session's files through its proxy, or dies of a fault (argument `fault`): for the cases. */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

#define SIZE	40000u

static uint8_t bytes[PROXY_SLOT_SIZE];
static int64_t file;

#define NEED(name, cond) \
	proxy_printf(1, (cond) ? "ok " name "\n" : "FAIL " name ": " #cond "\n")

/* All of SIZE in pieces; how many bytes went. */
static uint64_t move(unsigned op, uint8_t (*byte_at)(uint64_t))
{
	uint64_t at = 0;
	while (at < SIZE) {
		uint64_t n = SIZE - at < sizeof bytes ? SIZE - at : sizeof bytes;
		for (uint64_t i = 0; op == PROXY_WRITE && i < n; i++)
			bytes[i] = byte_at(at + i);
		int64_t part = proxy_file(op, file, at, bytes, n);
		if (part <= 0)
			break;
		for (int64_t i = 0; op == PROXY_READ && i < part; i++)
			if (bytes[i] != byte_at(at + i))
				return at;
		at += part;
	}
	return at;
}

static uint8_t pattern(uint64_t i) { return i * 7 + i / 256; }

/* More than all slots hold at once, at odd places; then past the end. */
static void transfers(void)
{
	static uint8_t many[6 * PROXY_SLOT_SIZE + 777];
	const uint64_t n = sizeof many;
	for (uint64_t i = 0; i < n; i++)
		many[i] = pattern(i);
	NEED("transfer_write", proxy_transfer(PROXY_WRITE, file, 123, many, n) == (int64_t)n);
	memset(many, 0, n);
	bool same = proxy_transfer(PROXY_READ, file, 123, many, n) == (int64_t)n;
	for (uint64_t i = 0; i < n; i++)
		same &= many[i] == pattern(i);
	NEED("transfer_read", same);
	NEED("transfer_end", proxy_transfer(PROXY_READ, file, n, many, n) == 123);
	NEED("transfer_closed", proxy_transfer(PROXY_READ, file + 9, 0, many, n) == -9);
}

static void files(const char *path)
{
	file = proxy_open(path, PROXY_O_READ | PROXY_O_WRITE | PROXY_O_CREATE | PROXY_O_TRUNC);
	NEED("file_open", file >= 0);
	NEED("file_write", move(PROXY_WRITE, pattern) == SIZE);
	NEED("file_size", proxy_file(PROXY_GETSIZE, file, 0, NULL, 0) == SIZE);
	NEED("file_read", move(PROXY_READ, pattern) == SIZE);
	NEED("file_sync", proxy_file(PROXY_SYNC, file, 0, NULL, 0) == 0);
	transfers();
	NEED("file_set_size", proxy_file(PROXY_SETSIZE, file, 1000, NULL, 0) == 0);
	NEED("file_read_end", proxy_file(PROXY_READ, file, 900, bytes, 500) == 100);
	NEED("file_close", proxy_file(PROXY_CLOSE, file, 0, NULL, 0) == 0);
	NEED("file_closed", proxy_file(PROXY_READ, file, 0, bytes, 1) == -9);
	NEED("file_missing", proxy_open("/no/such/file", PROXY_O_READ) == -2);
	NEED("file_too_much", proxy_file(PROXY_READ, file, 0, bytes, PROXY_SLOT_SIZE + 1) == -22);
}

int main(struct exo_start *start)
{
	const char *value;
	if (frames_init(start, false) || !proxy_attach(start))
		return 1;
	if (!strcmp(proxy_arg(1), "fault"))
		*(volatile uint64_t *)0xbad000 = 1;
	if ((value = proxy_env("FILER")))
		proxy_printf(2, "%s\n", value);
	files(proxy_arg(1));
	proxy_exit(0);
}
