/* The I/O thread: the domain's first context, which serves the guest's console, store and disks and
 * speaks with the proxy.
 *
 * It sleeps until it is kicked (a word of bits, and an event if it sleeps), the proxy has
 * something, or a time has come.  Who kicks sets the bits before it looks whether the thread
 * sleeps; the thread says that it sleeps before the kernel compares the bits: no kick is lost, and
 * a busy thread costs who kicks no call.
 *
 * All ends go through here, so that nothing of the guest's output or disks is lost.
 * `vmm stop` (SIGTERM) asks the guest to shut down; a second one, or STOP_TIME without an end,
 * ends it as if the power were cut.
 */
#include "io.h"

#define WAKE		(1ul << 17)	/* event bit; 16 is the proxy's */
#define SIGHUP_BIT	(1ul << 0)
#define SIGINT_BIT	(1ul << 1)
#define SIGTERM_BIT	(1ul << 14)
#define STOP_TIME	(30 * NS_PER_SEC)

static struct {
	uint64_t bits;			/* IO_*: what was kicked */
	uint32_t sleeps;		/* 1: signal it after a change of bits */
	uint32_t ending;		/* 1: somebody has called io_end */
	uint64_t event, context, bits_phys;
	uint64_t stop;			/* when the guest's time is over; 0: it was not asked to stop */
	unsigned status;
	char text[512];
} io __attribute__((aligned(64)));

/* ---- the monitor's and the guest's memory ---------------------------------------------------------- */

/* The physical address of the monitor's own memory; 0: not mapped. */
static uint64_t phys_of(const void *at)
{
	unsigned level = 1;
	uint64_t e = pt_lookup(vm.monitor_root, (uint64_t)at, &level);
	uint64_t rest = (uint64_t)at & ((EXO_PAGE_SIZE << 9 * (level - 1)) - 1);
	return e ? (e & EXO_PTE_FRAME & ~((EXO_PAGE_SIZE << 9 * (level - 1)) - 1)) + rest : 0;
}

bool io_to_guest(uint64_t phys, const void *from, size_t n)
{
	return !exo_frame_copy(0, phys, 0, phys_of(from), n, proxy_loan()).status;
}

void io_from_guest(void *to, uint64_t phys, size_t n)
{
	memcpy(to, (const uint8_t *)ram_page(phys >> EXO_PAGE_SHIFT) + phys % EXO_PAGE_SIZE, n);
}

/* ---- kicks ----------------------------------------------------------------------------------- */

/* A busy vCPU would keep the thread from the CPU that both share until its slice ends. */
void io_yield(void)
{
	bool asleep = __atomic_load_n(&io.sleeps, __ATOMIC_RELAXED) && proxy_waits();
	const struct exo_control *mine = upcall_base_of(__builtin_frame_address(0))->control;
	if (!asleep && mine->cpu == ((const struct exo_control *)start_page->control)->cpu)
		exo_yield(io.context);		/* refused if it isn't ready */
}

void io_kick(uint64_t bits)
{
	__atomic_fetch_or(&io.bits, bits, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&io.sleeps, __ATOMIC_SEQ_CST) ||
	    !__atomic_exchange_n(&io.sleeps, 0, __ATOMIC_ACQ_REL))
		return;
	exo_event_signal(io.event, WAKE);
	if (bits & ~IO_CONSOLE)			/* output may gather */
		io_yield();
}

static void sleep(void)
{
	struct wait w;
	wait_start(&w);
	wait_term(&w, io.bits_phys, 0, EXO_NE, 0);
	proxy_wait(&w, console_wants());
	__atomic_store_n(&io.sleeps, 1, __ATOMIC_SEQ_CST);
	wait_for(&w, io.stop ? io.stop : EXO_FOREVER);
	__atomic_store_n(&io.sleeps, 0, __ATOMIC_RELAXED);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static _Noreturn void finish(void)
{
	console_drain();
	blk_close();
	if (vm.opt.stats)
		stats_tell();
	if (io.text[0])
		proxy_printf(2, "%s\n", io.text);
	proxy_exit(io.status);
}

static bool on_io_thread(void)
{
	uint64_t sp = (uint64_t)__builtin_frame_address(0);
	return sp >= start_page->stack_lo && sp < start_page->stack_hi;
}

_Noreturn void io_end(unsigned status, const char *text)
{
	if (!__atomic_exchange_n(&io.ending, 1, __ATOMIC_ACQ_REL)) {
		io.status = status == VM_END_POWEROFF && io.stop ? VM_END_STOPPED : status;
		text_copy(io.text, text, sizeof io.text);
		io_kick(IO_END);
	}
	if (on_io_thread())
		finish();
	for (;;)
		exo_wait(NULL, EXO_FOREVER, 0);
}

static void stop_asked(void)
{
	if (io.stop)
		vm_end(VM_END_STOPPED, "%s", "stopped at once");
	io.stop = time_now() + STOP_TIME;
	store_set(STORE_HOME "/control/shutdown", "poweroff");
}

/* ---- the thread ---------------------------------------------------------------------------------- */

void io_init(void)
{
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, 0, WAKE);
	if (e.status)
		vm_refuse("an event for the I/O thread: %s", exo_status_text(e.status));
	io.event = e.value;
	io.context = start_cap(start_page, CAP_CONTEXT);
	io.bits_phys = phys_of(&io.bits);
	store_init();
	console_init();
	blk_init();
}

_Noreturn void io_run(void)
{
	for (;;) {
		uint64_t bits = __atomic_exchange_n(&io.bits, 0, __ATOMIC_ACQ_REL);
		if (proxy_signals() & (SIGHUP_BIT | SIGINT_BIT | SIGTERM_BIT))
			stop_asked();
		if (io.stop && time_now() >= io.stop)
			vm_end(VM_END_STOPPED, "the guest did not shut down within %lu s",
				STOP_TIME / NS_PER_SEC);
		for (unsigned n = 0; n < vm.opt.disks; n++)
			if (bits & IO_BLK(n))
				blk_serve(n);
		store_serve();
		console_serve();
		if (bits & IO_END)
			finish();
		if (!__atomic_load_n(&io.bits, __ATOMIC_ACQUIRE))
			sleep();
	}
}
