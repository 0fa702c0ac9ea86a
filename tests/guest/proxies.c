/* Domains with a proxy: apps/hello behind the messages of /dev/domain, with this domain as session. */
#include "tests/guest/ktest.h"

extern const uint8_t hello_image[], hello_image_end[];
__asm__(".pushsection .rodata\n.balign 16\n.globl hello_image, hello_image_end\n"
	"hello_image: .incbin \"" HELLO_ELF "\"\nhello_image_end:\n.popsection\n");

#define NEWS		41
#define OUTPUT_MAX	200000u

static struct domain_host host;
static struct domain_host_config config;
static uint8_t buffer[DOMAIN_MESSAGE_MAX];
static char output[OUTPUT_MAX];
static size_t output_size;
static int exit_status;
static volatile unsigned news;

static void on_news(struct upcall_regs *r, unsigned bit, void *arg)
{
	(void)r, (void)bit, (void)arg;
	news++;
}

static int begin(const char *strings, size_t size, unsigned argc, unsigned envc, unsigned slices)
{
	struct domain_start q = { .memory = 1 << 20, .strings_size = size, .argc = argc, .envc = envc,
		.slices = slices };
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, 1ul << NEWS);
	config = (struct domain_host_config){ .event = e.value, .event_bits = 1ul << NEWS,
		.slices = start_cap_at(machine, CAP_SLICE, 0), .slot_first = 8, .slot_count = 4,
		.slot_ns = NS_PER_MS };
	event_handle(NEWS, on_news, NULL);
	output_size = 0;
	exit_status = -1;
	return domain_host_start(&host, &config, &q, hello_image, hello_image_end - hello_image, strings,
		NULL, "hello", 1);
}

static long send(unsigned type, unsigned value, const void *payload, size_t n)
{
	struct domain_message m = { type, value, n, 0 };
	memcpy(buffer, &m, sizeof m);
	memcpy(buffer + sizeof m, payload, n);
	return domain_host_write(&host, buffer, sizeof m + n);
}

/* Takes what there is; false: nothing, and the end has not come. */
static bool take(void)
{
	struct domain_message *m = (void *)buffer;
	long n = domain_host_read(&host, buffer);
	if (n <= 0)
		return n < 0;
	if (m->type == DOMAIN_OUT && output_size + m->size < OUTPUT_MAX) {
		memcpy(output + output_size, m + 1, m->size);
		output_size += m->size;
		output[output_size] = 0;
	}
	if (m->type == DOMAIN_EXIT)
		exit_status = m->value;
	return true;
}

static void sleep_for_news(void)
{
	upcall_mask(upcall_first);
	if (!news && !(domain_host_poll(&host) & DOMAIN_CAN_READ))
		exo_wait(NULL, time_now() + 100 * NS_PER_MS, EXO_WAIT_UNMASK);
	news = 0;
	upcall_unmask(upcall_first);
}

static bool until_exit(void)
{
	uint64_t until = time_now() + 10 * NS_PER_SEC;
	while (exit_status < 0 && time_now() < until)
		if (!take())
			sleep_for_news();
	return exit_status >= 0;
}

static bool printed(const char *what)
{
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= output_size; i++)
		if (!memcmp(output + i, what, n))
			return true;
	return false;
}

static void end(void)
{
	domain_host_close(&host);
	event_handle(NEWS, NULL, NULL);
	exo_delete_all(0, config.event);
}

static const char *hello(void)
{
	static const char strings[] = "hello\0-c\0two words\0A=b";
	IS(begin(strings, sizeof strings, 3, 1, 2), OK);
	CHECK(send(DOMAIN_IN, 0, "some input\n", 11) == sizeof(struct domain_message) + 11);
	CHECK(send(DOMAIN_IN_END, 0, NULL, 0) > 0);
	CHECK(until_exit());
	CHECK(exit_status == 3);
	CHECK(printed("argument 2: two words\n") && printed("8 page faults served, sum 224\n"));
	CHECK(printed("3 ticks of the timer, in time\n") && printed("some input\n"));
	CHECK(domain_host_read(&host, buffer) == -1);
	end();
	return NULL;
}

static const char *interrupt(void)
{
	static const char strings[] = "hello\0-c";
	IS(begin(strings, sizeof strings, 2, 0, 0), OK);
	uint64_t until = time_now() + 10 * NS_PER_SEC;
	while (!printed("ticks") && time_now() < until)
		if (!take())
			sleep_for_news();
	CHECK(printed("ticks") && exit_status < 0);
	CHECK(send(DOMAIN_SIGNAL, 2, NULL, 0) > 0);		/* it waits for input */
	CHECK(until_exit() && printed("interrupted\n"));
	end();
	return NULL;
}

/* More than the rings hold, both ways: nothing is lost, and the full side waits. */
static const char *back_pressure(void)
{
	static const char strings[] = "hello\0-c";
	static uint8_t piece[3000];
	size_t sent = 0, start = 0;
	IS(begin(strings, sizeof strings, 2, 0, 0), OK);
	uint64_t until = time_now() + 20 * NS_PER_SEC;
	while (sent < 100000 && time_now() < until) {
		size_t n = 100000 - sent < sizeof piece ? 100000 - sent : sizeof piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = (sent + i) % 251;
		long took = send(DOMAIN_IN, 0, piece, n);
		if (took > 0)
			sent += took - sizeof(struct domain_message);
		else if (!take())
			sleep_for_news();
	}
	CHECK(sent == 100000);
	CHECK(send(DOMAIN_IN_END, 0, NULL, 0) > 0 && until_exit());
	while (start + 100000 < output_size)
		start++;
	for (size_t i = 0; i < 100000; i++)
		CHECK((uint8_t)output[start + i] == i % 251);
	end();
	return NULL;
}

static const char *refused(void)
{
	struct domain_start q = { .memory = 1ul << 50 };
	CHECK(domain_host_start(&host, &config, &q, "no program", 10, "", NULL, "x", 1) == -22);
	CHECK(q.error[0]);
	q.error[0] = 0;
	CHECK(domain_host_start(&host, &config, &q, hello_image, hello_image_end - hello_image, "", NULL, "x", 1) == -12);
	CHECK(q.error[0]);
	return NULL;
}

static const char *listed(void)
{
	struct domain_entry e[4];
	static const char strings[] = "hello\0-c";
	IS(begin(strings, sizeof strings, 2, 0, 3), OK);
	CHECK(domain_host_list(e, 4) == 2);
	CHECK(e[1].frames == 256 && e[1].slices == 3 && e[1].parent == e[0].id && !strcmp(e[1].name, "hello"));
	end();						/* destroyed in the middle of its work */
	CHECK(domain_host_list(e, 4) == 1 && !e[0].pid);
	return NULL;
}

const struct test proxy_tests[] = {
	{ "proxy_hello", hello },
	{ "proxy_interrupt", interrupt },
	{ "proxy_back_pressure", back_pressure },
	{ "proxy_refused", refused },
	{ "proxy_list", listed },
	{ NULL, NULL }
};
