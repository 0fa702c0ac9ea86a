/* Boot's part in network cards: bringing up what drivers found, memory for their demultiplexers,
 * and the place where these have code that is never writable and executable at once.
 *
 * The code's frames belong to the kernel's read-only data, so that neither the image nor the
 * direct map can write them; a window of their own does, while it is not executable.
 */
#include "exo/arch/machine.h"
#include "exo/core/net.h"

#define READY_NS	5000000000ul
#define STEP_US		50u
#define FILTERS		1024u	/* a card */
#define HEADS_LOG	12u
#define PAGES(bytes)	(((bytes) + PAGE - 1) / PAGE)

static struct { struct net_device *dev; bool done; } found[NETS_MAX];
static unsigned found_count;

void net_found(struct net_device *dev)
{
	if (found_count < NETS_MAX)
		found[found_count++].dev = dev;
	else
		log_print("net: more than %u: one is not used\n", NETS_MAX);
}

/* ---- code ------------------------------------------------------------------------ */

static const uint8_t code_frames[NETS_MAX][2][PAGES(DEMUX_CODE) * PAGE]
	__attribute__((aligned(4096), section(".rodata.demux")));
static uint8_t *code_window;		/* as code_frames, mapped otherwise */
static uint8_t active[NETS_MAX];	/* buffer that is executed */

static bool others_run;			/* CPUs that may have used the window */

static void window_set(uint8_t *at, uint64_t flags)
{
	uint64_t offset = at - code_window, size = sizeof code_frames[0][0];
	uint64_t cpus = others_run ? (2ul << (cpu_count - 1)) - 1 : 1ul << this_cpu()->number;
	memory_map((uint64_t)at, image_phys(code_frames) + offset, size, flags);
	arch_flush(cpus, (uint64_t)at, PAGES(size));
}

/* Lock held: no CPU is in the code; other buffers stay as they are until this one is whole. */
static bool build(struct demux *d)
{
	struct net *n = (struct net *)((char *)d - offsetof(struct net, demux));
	unsigned i = n - nets, other = !active[i];
	uint8_t *at = code_window + (i * 2 + other) * sizeof code_frames[0][0];

	window_set(at, MAP_W | MAP_NX);
	size_t size = demux_compile(d, at, DEMUX_CODE);
	window_set(at, size ? 0 : MAP_NX);
	if (!size)
		return false;
	active[i] = other;
	d->run = (demux_fn *)at;
	return true;
}

/* ---- up -------------------------------------------------------------------------- */

/* Unknown to programs as far as the clock is. */
static uint64_t random_word(void)
{
	static uint64_t state;
	state = (state ^ rdtsc()) * 0x9e3779b97f4a7c15ul;
	state ^= state >> 29;
	return state *= 0xbf58476d1ce4e5b9ul;
}

static void ready(struct net_device *dev)
{
	unsigned n = net_count;
	struct filter **heads = phys_to_virt(early_alloc(sizeof heads[0] << HEADS_LOG, PAGE));
	uint64_t flow = early_alloc(PAGE, PAGE) >> EXO_PAGE_SHIFT;
	const uint8_t *m = dev->mac;

	demux_init(&nets[n].demux, heads, HEADS_LOG, FILTERS, random_word);
	nets[n].demux.build = build;
	flow_make_all(flow, n, FILTERS);
	nets[n].all = flow;
	build(&nets[n].demux);
	net_add(dev);
	log_print("net%u: %s, %x:%x:%x:%x:%x:%x, link %s%s\n", n, dev->model, m[0], m[1], m[2],
		m[3], m[4], m[5], dev->link ? "up" : "down", dev->interrupts ? "" : ", polled");
}

static bool step_all(bool first)
{
	bool busy = false;
	for (unsigned i = 0; i < found_count; i++) {
		struct net_device *dev = found[i].dev;
		if (found[i].done)
			continue;
		enum net_state state = dev->driver->step(dev, first);
		found[i].done = state != NET_BUSY;
		busy |= state == NET_BUSY;
		if (state == NET_READY)
			ready(dev);
		else if (state == NET_FAILED)
			dev->driver->off(dev);
	}
	return busy;
}

void nets_init(void)
{
	uint64_t end = arch_now() + READY_NS;
	if (found_count)
		code_window = device_map(image_phys(code_frames), sizeof code_frames);
	for (bool busy = step_all(true); busy && arch_now() < end; busy = step_all(false))
		wait_us(STEP_US);
	for (unsigned i = 0; i < found_count; i++)
		if (!found[i].done) {
			log_print("net: %s does not answer\n", found[i].dev->driver->name);
			found[i].dev->driver->off(found[i].dev);
		}
	others_run = true;
}
