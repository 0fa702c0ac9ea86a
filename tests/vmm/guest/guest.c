/* A guest kernel that does what its command line says, for the tests of the VMM.
 *
 *	off, reboot, crash	sched_op shutdown
 *	unknown			calls hypercalls that don't exist
 *	triple			a fault without a handler
 *	spin			loops for ever, deaf
 *	echo			returns what comes from its console, in capitals; `!` powers off
 *	scribble		writes over all of the monitor that it can reach
 *	calls			makes random kernel calls, by code of the monitor's, from where the
 *				kernel takes them
 *	site			makes hypercalls by Linux's instructions, twice each
 *	gather			a multicall of page-table calls, half of them wrong
 *	roots			a multicall that loads a root, then maps by it
 *	privileged		executes privileged instructions
 *	vcpus			makes another vCPU, wrongly and rightly, and stops it
 *	babble			says much for each line that comes from its console; `!` powers off
 *	fuzz1, fuzz2 ...	makes random hypercalls of the monitor, with arguments that mean something, by
 *				both vCPUs if there are two
 *
 * It has no memory management and no interrupts. */
#include <stdbool.h>
#include <stddef.h>
#include "exo/abi/abi.h"
#include "libos/vmm/xen.h"

#define VIRT_BASE	0xffffffff80000000ul
#define M2P		((const uint64_t *)0xffff800000000000ul)
#define MONITOR		EXO_MONITOR_BASE			/* slot 264 */
#define MONITOR_END	(MONITOR + (8ul << 20))
#define PHYSMAP		(MONITOR + 0x8000000000ul)		/* slot 265: frame n at n * 4096 */
#define FRAMES		(1ul << 20)				/* of 4 GiB */
#define CALLS		2000000
#define FUZZ_CALLS	20000

_Noreturn void guest_main(struct xen_start_info *start);
bool try_write(void *to, uint64_t value);
bool try_read(const void *from, uint64_t *value);
void calls_make(uint64_t gadget, uint64_t count);
bool site_registers(void), site_return(void);	/* site.S */
extern const volatile uint64_t site_call, site_iret;
extern const uint8_t on_page_fault[];

static struct xen_start_info *info;

static int64_t hypercall4(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	int64_t result;
	register uint64_t fourth __asm__("r10") = d;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) :
		"rcx", "r11", "memory");
	return result;
}

static int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	return hypercall4(number, a, b, c, 0);
}

static void print(const char *text)
{
	uint64_t n = 0;
	while (text[n])
		n++;
	hypercall(XEN_CONSOLE_IO, XEN_CONSOLE_WRITE, n, (uint64_t)text);
}

static void print_number(const char *what, uint64_t n)
{
	char digits[24], *at = digits + sizeof digits;
	*--at = 0;
	*--at = '\n';
	do {
		*--at = '0' + n % 10;
	} while (n /= 10);
	print(what);
	print(at);
}

_Noreturn static void shutdown(unsigned reason)
{
	struct xen_sched_shutdown s = { reason };
	hypercall(XEN_SCHED_OP, XEN_SCHED_SHUTDOWN, (uint64_t)&s, 0);
	for (;;)
		;
}

static void faults_handle(void)
{
	struct xen_trap_info traps[2] = { { 14, 0, XEN_SEL_CS64, (uint64_t)on_page_fault } };
	hypercall(XEN_SET_TRAP_TABLE, (uint64_t)traps, 0, 0);
}

static bool asked(const char *word)
{
	const char *c = info->cmdline;
	while (*word && *word == *c)
		word++, c++;
	return !*word && (!*c || *c == ' ');
}

static uint64_t frame_of(const void *at)
{
	return ((const uint64_t *)info->mfn_list)[((uint64_t)at - VIRT_BASE) / 4096];
}

/* ---- what it can do ----------------------------------------------------------------------------- */

static void unknown(void)
{
	static const uint64_t numbers[] = { 39, 63, 64, 1000, ~0ul };
	unsigned refused = 0;
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		refused += hypercall(numbers[i], 0, 0, 0) == -38;	/* ENOSYS */
	print_number("refused: ", refused);
}

static void console_notify(void)
{
	struct { uint32_t port; } send = { info->console_port };
	hypercall(XEN_EVENT_CHANNEL_OP, XEN_EVTCHN_SEND, (uint64_t)&send, 0);
}

/* The other side is told when there is no room, and by echo when there is nothing more to say. */
static void console_put(volatile struct xen_console_ring *ring, char c)
{
	while (ring->out_prod - ring->out_cons == sizeof ring->out) {
		console_notify();
		hypercall(XEN_SCHED_OP, XEN_SCHED_YIELD, 0, 0);
	}
	ring->out[ring->out_prod % sizeof ring->out] = c;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->out_prod++;
}

/* With `often`, a line of that many dots for each that comes. */
static void echo(unsigned often)
{
	volatile struct xen_console_ring *ring = (void *)(VIRT_BASE + M2P[info->console_mfn] * 4096);
	uint32_t port = info->console_port;
	struct xen_sched_poll poll = { (uint64_t)&port, 1, 0, 0 };
	for (char c = 0; c != '!';) {
		if (ring->in_cons == ring->in_prod)
			console_notify();			/* of both: output, and room for input */
		while (ring->in_cons == ring->in_prod)
			hypercall(XEN_SCHED_OP, XEN_SCHED_POLL, (uint64_t)&poll, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		c = ring->in[ring->in_cons++ % sizeof ring->in];
		for (unsigned i = 0; c == '\n' && i < often; i++)
			console_put(ring, '.');
		if (!often || c == '\n')
			console_put(ring, c >= 'a' && c <= 'z' ? c - 32 : c);
	}
}

static void scribble(void)
{
	uint64_t written = 0;
	faults_handle();
	print("scribbling\n");
	for (uint64_t frame = 0; frame < FRAMES; frame += 61)
		written += try_write((void *)(PHYSMAP + frame * 4096 + 8), ~frame);
	for (uint64_t at = MONITOR; at < MONITOR_END; at += 4096)
		for (uint64_t word = 0; word < 4096; word += 8)
			if (!try_write((void *)(at + word), ~at))
				break;
			else
				written++;
	print_number("written: ", written);
}

/* Where `syscall; ret` lies in the monitor's text, 0 = nowhere. */
static uint64_t gadget_find(void)
{
	uint64_t word = 0;
	for (uint64_t at = MONITOR; try_read((void *)(at & -8ul), &word); at++) {
		const uint8_t *code = (void *)at;
		if (at % 4096 < 4094 && code[0] == 0x0f && code[1] == 0x05 && code[2] == 0xc3)
			return at;
	}
	return 0;
}

static void calls(void)
{
	faults_handle();
	uint64_t gadget = gadget_find();
	print(gadget ? "calling\n" : "no way to call\n");
	if (gadget)
		calls_make(gadget, CALLS);
	print("called\n");
}

/* ---- privileged instructions, vCPUs ---------------------------------------------------------------- */

static void privileged(void)
{
	uint8_t bytes[8] = { 0 };
	const uint8_t *from = bytes;
	uint8_t *to = bytes, in;
	uint64_t n = 3, cr3, dr, a = 7, d = 7;
	unsigned right = 0;
	__asm__ volatile("wbinvd; cli; sti; clts; outb %b0, $0x80; in $0x80, %b0" : "=a"(in) : "0"(1));
	right += in == 0xff;
	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(0x1f0) : "memory");
	right += to == bytes + 6 && !n && bytes[5] == 0xff && !bytes[6];
	__asm__ volatile("std; insb; cld" : "+D"(to) : "d"(0x1f0) : "memory");
	right += to == bytes + 5 && bytes[6] == 0xff && !bytes[7];
	n = 2;
	__asm__ volatile("rep outsl" : "+S"(from), "+c"(n) : "d"(0x1f0) : "memory");
	right += from == bytes + 8 && !n;
	__asm__ volatile("rdpmc" : "+a"(a), "+d"(d) : "c"(0));
	right += !a && !d;
	__asm__ volatile("mov %%cr3, %0; mov %2, %%dr1; mov %%dr1, %1" : "=&r"(cr3), "=r"(dr) : "r"(4711ul));
	right += cr3 >> 12 == frame_of((void *)info->pt_base) && dr == 4711;
	print_number("privileged, as they should be: ", right);
}

static volatile bool second_runs;
static void second(void)
{
	second_runs = true;
	for (;;)
		__asm__ volatile("pause");
}

static int64_t second_op(unsigned op, const void *arg) { return hypercall(XEN_VCPU_OP, op, 1, (uint64_t)arg); }

static struct xen_vcpu_context *second_context(void (*code)(void))
{
	static struct xen_vcpu_context c;
	static uint64_t stack[512] __attribute__((aligned(16)));
	c.flags = XEN_CONTEXT_IN_KERNEL;
	c.regs.rip = (uint64_t)code;
	c.regs.rsp = (uint64_t)(stack + 511);
	c.cr[3] = frame_of((void *)info->pt_base) << 12;
	return &c;
}

static void vcpus(void)
{
	struct xen_vcpu_context c = *second_context(second);
	c.cr[3] = 1ul << 50;
	unsigned right = second_op(XEN_VCPU_INITIALISE, &c) == -22;
	right += second_op(XEN_VCPU_UP, NULL) == -22;		/* there is none yet */
	c.cr[3] = frame_of((void *)info->pt_base) << 12;
	right += !second_op(XEN_VCPU_INITIALISE, &c);
	right += second_op(XEN_VCPU_INITIALISE, &c) == -17;
	right += !second_op(XEN_VCPU_DOWN, NULL) && !second_op(XEN_VCPU_IS_UP, NULL);
	right += !second_op(XEN_VCPU_UP, NULL);
	while (!second_runs)
		hypercall(XEN_SCHED_OP, XEN_SCHED_YIELD, 0, 0);
	right += second_op(XEN_VCPU_DOWN, NULL) == -95 && second_op(XEN_VCPU_IS_UP, NULL) == 1;
	print_number("vCPUs, as they should be: ", right);
}

/* ---- rewritten sites ------------------------------------------------------------------------------ */

static void site(void)
{
	uint64_t call = site_call, iret = site_iret;
	bool kept = site_registers();
	kept &= site_registers();
	kept &= site_return();
	kept &= site_return();
	print(kept ? "registers kept, " : "registers lost, ");
	print_number("sites changed: ", (site_call != call) + (site_iret != iret));
}

/* ---- calls that the monitor carries out together -------------------------------------------- */

static uint64_t table[512] __attribute__((aligned(4096)));
static struct xen_multicall calls_list[16];

static struct xen_multicall map_table(uint64_t va, uint64_t entry)
{
	return (struct xen_multicall){ XEN_UPDATE_VA_MAPPING, 1, { va, entry, XEN_UVMF_TLB_FLUSH } };
}

static struct xen_multicall table_op(const struct xen_mmuext_op *op, unsigned n)
{
	return (struct xen_multicall){ XEN_MMUEXT_OP, 1, { (uint64_t)op, n, 0, XEN_DOMID_SELF } };
}

static void gather(void)
{
	const uint64_t *mfns = (const void *)info->mfn_list;
	uint64_t va = (uint64_t)table, mfn = mfns[(va - VIRT_BASE) / 4096];
	struct xen_mmuext_op op[] = { { XEN_PIN_L1, 0, mfn, 0 }, { XEN_UNPIN, 0, mfn, 0 } };
	const struct { struct xen_multicall call; int64_t result; } list[] = {
		{ map_table(va, mfn << 12 | 0x65), 0 },
		{ table_op(&op[0], 1), 0 },
		{ table_op(&op[0], 1), -22 },			/* it is pinned */
		{ map_table(va, mfn << 12 | 0x67), -22 },	/* and not to be written */
		{ table_op(&op[1], 1), 0 },
		{ table_op(&op[1], 1), -22 },
		{ map_table(va, mfn << 12 | 0x67), 0 },
		{ table_op(&op[0], 1), -22 },			/* it may be written */
		{ map_table(va, 0x67ul | 1ul << 39), -22 },
		{ map_table(0x7000000000, mfn << 12 | 0x65), -22 },
		{ map_table(va, mfn << 12 | 0x65), 0 },
		{ table_op(op, 2), 0 },
		{ map_table(va, mfn << 12 | 0x67), 0 },
	};
	unsigned n = sizeof list / sizeof *list, right = 0;
	uint32_t done = 9;
	for (unsigned i = 0; i < n; i++)
		calls_list[i] = list[i].call;
	hypercall(XEN_MULTICALL, (uint64_t)calls_list, n, 0);
	for (unsigned i = 0; i < n; i++)
		if (calls_list[i].result == list[i].result)
			right++;
		else
			print_number("wrong result of call ", i);
	op[0].cmd = XEN_UNPIN;
	int64_t e = hypercall4(XEN_MMUEXT_OP, (uint64_t)op, 2, (uint64_t)&done, XEN_DOMID_SELF);
	table[0] = right + (e == -22 && !done);		/* none was pinned */
	print_number("as they should be: ", table[0]);
}

static uint64_t chain[4][512] __attribute__((aligned(4096)));	/* a root and a table of each level */

/* In the second root address 0 has a table; in the first, which is loaded again, it has none. */
static void roots(void)
{
	struct xen_mmuext_op pin = { XEN_PIN_L4, 0, frame_of(chain[0]), 0 };
	struct xen_mmuext_op load = { XEN_NEW_BASEPTR, 0, frame_of(chain[0]), 0 };
	struct xen_mmuext_op back = { XEN_NEW_BASEPTR, 0, frame_of((void *)info->pt_base), 0 };
	unsigned n = 0, right = 0;
	for (unsigned i = 0; i < 512; i++)
		chain[0][i] = ((const uint64_t *)info->pt_base)[i];
	for (unsigned i = 0; i < 3; i++)
		chain[i][0] = frame_of(chain[i + 1]) << 12 | 0x67;
	for (; n < 4; n++)
		calls_list[n] = map_table((uint64_t)chain[n], frame_of(chain[n]) << 12 | 0x65);
	calls_list[n++] = table_op(&pin, 1);
	calls_list[n++] = table_op(&load, 1);
	hypercall(XEN_MULTICALL, (uint64_t)calls_list, n, 0);
	while (n)
		right += !calls_list[--n].result;
	calls_list[0] = table_op(&back, 1);
	calls_list[1] = map_table(0, frame_of(table) << 12 | 0x65);
	hypercall(XEN_MULTICALL, (uint64_t)calls_list, 2, 0);
	print_number("roots in order: ", right + !calls_list[0].result + (calls_list[1].result == -22));
}

/* ---- random hypercalls ---------------------------------------------------------------------------- */

static uint64_t state;
static uint64_t buffer[512] __attribute__((aligned(4096)));

static uint64_t random(uint64_t n)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (state >> 33) % n;
}

static uint64_t some_mfn(void)
{
	return ((const uint64_t *)info->mfn_list)[random(info->pages)];
}

/* One of the guest's page tables: seldom one that maps this program. */
static uint64_t some_table(void)
{
	uint64_t upper = 3 + (info->pt_frames - 3) / 2;
	return random(64) ? upper + random(info->pt_frames - upper) : random(info->pt_frames);
}

/* A number, an address, a frame, an entry: good, nearly good, or bad. */
static uint64_t some_value(void)
{
	static const uint64_t odd[] = { 0, ~0ul, 1ul << 63, 0x800000000000, 0xffff800000000000, MONITOR,
		PHYSMAP, MONITOR + 0x10000000000ul, 0x7ff0, 1ul << 32, 4095, 4096 };
	uint64_t half = info->pages / 2 * 4096, pt_pfn = (info->pt_base - VIRT_BASE) / 4096;
	switch (random(9)) {
	case 0:
		return odd[random(sizeof odd / sizeof *odd)];
	case 1:
		return some_mfn();
	case 2:
		return some_mfn() << 12 | random(512) * 8 | random(8);
	case 3:
		return some_mfn() << 12 | (random(4) ? 0x67 : random(4096));
	case 4:
		return (uint64_t)&buffer[random(512)];
	case 5:
		return info->pt_base + some_table() * 4096 + random(512) * 8;
	case 6:
		return VIRT_BASE + half + random(half);
	case 7:		/* an entry of a page table, by its machine address */
		return ((const uint64_t *)info->mfn_list)[pt_pfn + some_table()] << 12 | random(512) * 8;
	}
	return random(32);
}

/* Several of those that the monitor carries out together, but no root: seldom would it hold us. */
static void multicall_random(void)
{
	static const uint32_t cmd[] = { XEN_PIN_L1, XEN_PIN_L2, XEN_PIN_L3, XEN_PIN_L4, XEN_UNPIN,
		XEN_UNPIN, XEN_NEW_USER_BASEPTR, XEN_TLB_FLUSH_LOCAL };
	static struct xen_mmuext_op op[18];
	unsigned n = random(16);
	for (unsigned i = 0; i < 18; i++)
		op[i] = (struct xen_mmuext_op){ cmd[random(8)], 0,
			random(8) ? some_mfn() : some_value(), 0 };
	for (unsigned i = 0; i < n; i++)
		calls_list[i] = random(2) ? table_op(&op[i], random(3)) :
			map_table(VIRT_BASE + info->pages / 2 * 4096 + random(64) * 4096, some_value());
	hypercall(XEN_MULTICALL, (uint64_t)calls_list, n, 0);
}

/* Not: what ends or stops the guest, makes it jump anywhere, or fills the console. */
static bool too_early(uint64_t number, uint64_t op)
{
	return number == XEN_IRET || number == XEN_CONSOLE_IO || number == XEN_MULTICALL ||
		number == XEN_CALLBACK_OP || number == XEN_SET_CALLBACKS || number == XEN_SET_TRAP_TABLE ||
		(number == XEN_UPDATE_VA_MAPPING && op - VIRT_BASE < info->pages / 2 * 4096) ||
		(number == XEN_SCHED_OP && op != XEN_SCHED_YIELD) ||
		(number == XEN_VCPU_OP && op == XEN_VCPU_DOWN);
}

/* Without a handler for faults: a call that takes its memory away ends the guest. */
static unsigned fuzz_calls(void)
{
	unsigned done = 0;
	for (unsigned i = 0; i < FUZZ_CALLS; i++) {
		for (unsigned n = 0; n < 12; n++)
			buffer[random(64)] = some_value();
		multicall_random();
		uint64_t number = random(41), a = random(4) ? random(20) : some_value();
		if (number == XEN_MMU_UPDATE || number == XEN_MMUEXT_OP)
			a = (uint64_t)&buffer[random(64)];
		uint64_t c = random(2) ? 0 : some_value();
		uint64_t d = random(8) ? XEN_DOMID_SELF : some_value();
		if (!too_early(number, a))
			done += hypercall4(number, a, random(2) ? random(8) : some_value(), c, d) >= 0;
	}
	return done;
}

static void second_fuzzes(void)
{
	for (;;)
		fuzz_calls();
}

/* The same memory and arguments from two vCPUs, if there are. */
static void fuzz(uint64_t seed)
{
	state = seed;
	print("fuzzing\n");
	if (!second_op(XEN_VCPU_INITIALISE, second_context(second_fuzzes)))
		second_op(XEN_VCPU_UP, NULL);
	print_number("accepted: ", fuzz_calls());
}

void guest_main(struct xen_start_info *start)
{
	info = start;
	print_number("guest of pages: ", start->pages);
	if (asked("crash"))
		shutdown(XEN_SHUTDOWN_CRASH);
	if (asked("reboot"))
		shutdown(XEN_SHUTDOWN_REBOOT);
	if (asked("unknown"))
		unknown();
	if (asked("triple"))
		*(volatile uint64_t *)0x1234567000ul = 0;
	if (asked("spin"))
		for (;;)
			;
	if (asked("echo"))
		echo(0);
	if (asked("babble"))
		echo(2000);
	if (asked("privileged"))
		privileged();
	if (asked("vcpus"))
		vcpus();
	if (asked("scribble"))
		scribble();
	if (asked("calls"))
		calls();
	if (asked("site"))
		site();
	if (asked("gather"))
		gather();
	if (asked("roots"))
		roots();
	for (char seed = '1'; seed <= '9'; seed++) {
		char word[] = { 'f', 'u', 'z', 'z', seed, 0 };
		if (asked(word))
			fuzz(seed);
	}
	shutdown(XEN_SHUTDOWN_POWEROFF);
}
