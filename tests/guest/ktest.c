/* The kernel tests' frame: runs the cases, reports on COM2 in the run protocol's frames (and in the
 * kernel's log), and ends with status 0 if all passed. */
#include "tests/guest/ktest.h"

VIRTUE_NOTE("bare");

#define COM2		0x2f8
#define LINE_READY	0x20

struct exo_start *machine;
static uint64_t last_code;
static unsigned passed, failed;
static uint64_t many;		/* domains: that case alone; it grows the capability table for good */
static const struct upcall_handlers defaults = { .event = event_dispatch };

uint64_t got(uint64_t status)
{
	last_code = EXO_CODE(status);
	return last_code;
}

void handle(const struct upcall_handlers *h) { upcall_set(h ? h : &defaults); }

struct exo_result raw_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	struct exo_result r;
	r.value = c;
	__asm__ volatile("syscall" : "=a"(r.status), "+d"(r.value)
		: "a"(number), "D"(a), "S"(b) : "rcx", "r11", "r8", "r9", "r10", "memory");
	return r;
}

/* ---- the run protocol --------------------------------------------------------------------- */

static uint8_t in(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "d"(port));
	return v;
}

static void out(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "d"(port)); }

static void send(const void *bytes, size_t n)
{
	for (const uint8_t *p = bytes; n--; p++) {
		while (!(in(COM2 + 5) & LINE_READY))
			__asm__ volatile("pause");
		out(COM2, *p);
	}
}

static void frame(char type, const void *payload, uint16_t n)
{
	uint8_t head[3] = { type, n & 255, n >> 8 };
	send(head, sizeof head);
	send(payload, n);
}

static void serial_open(void)
{
	if (exo_device_ctl(start_cap(machine, CAP_COM2), EXO_DEV_PORTS, 0, 0).status)
		domain_fail("ktest: no COM2");
	out(COM2 + 1, 0);		/* no interrupts */
	out(COM2 + 3, 0x80);		/* divisor 1: 115200 */
	out(COM2, 1);
	out(COM2 + 1, 0);
	out(COM2 + 3, 3);		/* 8N1 */
	out(COM2 + 2, 7);		/* FIFOs on, empty */
	frame('R', "VIRTUE 1", 8);
}

static void say(const char *text)
{
	char line[256];
	size_t n = snprintf(line, sizeof line, "%s\n", text);
	log_line("%s", text);
	frame('O', line, n < sizeof line ? n : sizeof line - 1);
}

/* ---- running ------------------------------------------------------------------------------ */

static void run(const struct test *t)
{
	char line[240];
	uint64_t before = frames_left();
	last_code = 0;
	const char *wrong = t->run();
	handle(NULL);
	if (wrong)
		snprintf(line, sizeof line, "FAIL %s: %s (last status %s)", t->name, wrong,
			exo_status_name(last_code));
	else if (!many && frames_left() + 2 * TABLE_BATCH < before)	/* the pool of tables may grow */
		snprintf(line, sizeof line, "FAIL %s: %lu frames lost", t->name, before - frames_left());
	else
		snprintf(line, sizeof line, "ok %s", t->name);
	if (line[0] == 'o')
		passed++;
	else
		failed++;
	say(line);
}

static const char *run_many(void) { return many_domains(many); }

int main(struct exo_start *s)
{
	static const struct test *const tables[] = { cap_tests, memory_tests, upcall_tests, time_tests,
		context_tests, domain_tests, proxy_tests, gate_tests, burden_tests };
	char line[64];
	machine = s;
	handle(NULL);
	serial_open();
	uint64_t status = frames_init(s, true);
	if (!status)
		status = time_init(s, 0);
	if (status)
		say(exo_status_name(status));
	if (start_option(s, "many", line, sizeof line) > 0 && text_number(line, &many))
		run(&(struct test){ "many_domains", run_many });
	for (unsigned i = 0; !status && !many && i < ARRAY_LEN(tables); i++)
		for (const struct test *t = tables[i]; t->name; t++)
			run(t);
	snprintf(line, sizeof line, "%u passed, %u failed", passed, failed);
	say(line);
	uint8_t result = status || failed || !passed;
	frame('S', &result, 1);
	frame('B', NULL, 0);
	return result;
}
