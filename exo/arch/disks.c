/* Boot's part in disks: what drivers need while they probe, and bringing up what they found, all
 * at the same time and not for ever. */
#include "exo/arch/machine.h"
#include "exo/core/disk.h"

#define READY_NS	5000000000ul
#define STEP_US		50u

static struct { struct block_device *dev; bool done; } found[DISKS_MAX];
static unsigned found_count;

void *block_memory(size_t size, size_t align, uint64_t *phys)
{
	*phys = early_alloc(size, align < PAGE ? PAGE : align);
	return phys_to_virt(*phys);
}

void block_found(struct block_device *dev)
{
	if (found_count < DISKS_MAX)
		found[found_count++].dev = dev;
	else
		log_print("disk: more than %u: one is not used\n", DISKS_MAX);
}

void block_text(char *to, size_t size, const void *from, size_t n, bool swapped)
{
	const char *text = from;
	size_t end = 0;
	for (size_t i = 0; i < n && i + 1 < size; i++) {
		char c = text[swapped ? i ^ 1 : i];
		to[i] = c >= ' ' && c < 0x7f ? c : ' ';
		if (to[i] != ' ')
			end = i + 1;
	}
	to[end] = 0;
}

static void ready(struct block_device *dev)
{
	if (!dev->sectors || !dev->depth || (dev->sector_size != 512 && dev->sector_size != 4096)) {
		log_print("disk: %s: %lu sectors of %u bytes: not used\n", dev->model, dev->sectors,
			dev->sector_size);
		dev->driver->off(dev);
		return;
	}
	log_print("disk%u: %s, %lu MiB%s%s\n", disk_count, dev->model, dev->sectors >> 11,
		dev->read_only ? ", read-only" : "", dev->interrupts ? "" : ", polled");
	disk_add(dev);
}

static bool step_all(bool first)
{
	bool busy = false;
	for (unsigned i = 0; i < found_count; i++) {
		struct block_device *dev = found[i].dev;
		if (found[i].done)
			continue;
		enum block_state state = dev->driver->step(dev, first);
		found[i].done = state != BLOCK_BUSY;
		busy |= state == BLOCK_BUSY;
		if (state == BLOCK_READY)
			ready(dev);
		else if (state == BLOCK_FAILED)
			dev->driver->off(dev);
	}
	return busy;
}

void disks_init(void)
{
	uint64_t end = arch_now() + READY_NS;
	for (bool busy = step_all(true); busy && arch_now() < end; busy = step_all(false))
		wait_us(STEP_US);
	for (unsigned i = 0; i < found_count; i++)
		if (!found[i].done) {
			log_print("disk: %s does not answer\n", found[i].dev->driver->name);
			found[i].dev->driver->off(found[i].dev);
		}
}
