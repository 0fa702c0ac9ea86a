/* A complete library operating system in about 100 lines: it owns its page tables, serves its own
 * page faults, and keeps time by the kernel's one-shot timer.
 *
 * Build it anywhere:	exocc --libos=bare hello.c -o hello
 * Run it from the shell of a session:	hello some arguments
 *
 * It reserves 64 pages of addresses, touches some of them, and maps a frame of its own quota when
 * an access faults; then a timer ticks three times; then it copies standard input, if it was asked
 * to (argument -c), and ends with the number of its arguments.
 */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

#define HEAP		0x100000000ul
#define HEAP_PAGES	64u
#define TICK		(10 * NS_PER_MS)
#define TICKS		3u

static struct exo_start *self;
static unsigned faults;
static volatile unsigned ticks;
static uint64_t next_tick;

/* To the session's terminal if this domain has a proxy there, else to the kernel's log. */
#define say(...) (has_proxy ? (void)proxy_printf(1, __VA_ARGS__) : log_line(__VA_ARGS__))
static bool has_proxy;

/* An exception of ours, with events masked.  False: let the kernel end us, and report why. */
static bool on_exception(struct upcall_regs *r)
{
	uint64_t page = r->up.addr & -EXO_PAGE_SIZE, frame;
	bool ours = page >= HEAP && page < HEAP + HEAP_PAGES * EXO_PAGE_SIZE;
	if (EXO_INFO_VECTOR(r->up.info) != 14 || !ours)
		return false;
	if (r->up.error & 1 || !(frame = frame_alloc_zero()))
		return false;
	faults++;
	return !pt_map(self->root, page, frame, 1, PTE_RW, 0);
}

static void on_timer(struct upcall_regs *r, unsigned bit, void *arg)
{
	(void)r, (void)bit, (void)arg;
	if (++ticks < TICKS)
		exo_timer_set(next_tick += TICK);
}

static void use_memory(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < HEAP_PAGES; i += 8) {
		uint64_t *p = (uint64_t *)(HEAP + i * EXO_PAGE_SIZE);
		*p += i;		/* faults, is mapped, and is executed again */
		sum += *p;
	}
	say("%u page faults served, sum %lu\n", faults, sum);
}

static void use_timer(void)
{
	if (time_init(self, 0)) {
		say("no clock here\n");
		return;
	}
	uint64_t start = time_now();
	exo_timer_set(next_tick = start + TICK);
	while (ticks < TICKS)
		exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK);
	bool right = time_now() - start >= TICKS * TICK;
	say("%u ticks of the timer, %s\n", ticks, right ? "in time" : "too early");
}

static void copy_input(void)
{
	char buffer[512];
	int64_t n;
	while ((n = proxy_read(buffer, sizeof buffer)) > 0)
		if (proxy_write(1, buffer, n) < 0)
			return;
	if (n < 0)
		say("interrupted\n");
}

int main(struct exo_start *start)
{
	static const struct upcall_handlers handlers = { on_exception, NULL, event_dispatch };
	self = start;
	event_handle(__builtin_ctzl(EXO_EV_TIMER), on_timer, NULL);
	upcall_set(&handlers);
	if (frames_init(start, false))
		return 1;
	has_proxy = proxy_attach(start);
	say("hello from domain with %lu frames\n", frames_owned());
	for (unsigned i = 0; i < proxy_argc(); i++)
		say("argument %u: %s\n", i, proxy_arg(i));
	use_memory();
	use_timer();
	if (!strcmp(proxy_arg(1), "-c"))
		copy_input();
	proxy_exit(proxy_argc());
}
