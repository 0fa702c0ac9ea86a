/* Model disks: see model_disk.h. */
#include <string.h>
#include "tests/host/model_disk.h"

struct model_disk model_disks[MODEL_DISKS];

static struct model_disk *of(struct block_device *dev) { return (struct model_disk *)dev; }

static void start(struct block_device *dev, unsigned tag, const struct block_io *io)
{
	struct model_disk *d = of(dev);
	struct model_io *m = &d->at[tag];

	CHECK(tag < dev->depth && !m->busy, "tag %u is in use", tag);
	CHECK(!d->off && !d->steps, "a request for a disk that is off or in reset");
	CHECK(io->lba + io->sectors <= dev->sectors, "beyond the end of the disk");
	CHECK(io->op == BLOCK_READ || !dev->read_only, "a write to a read-only disk");
	CHECK(io->offset + io->sectors * BLOCK_SECTOR <= io->frames * EXO_PAGE_SIZE, "too few frames");
	CHECK(io->op != BLOCK_FLUSH || dev->cache, "flush without a cache");
	*m = (struct model_io){ .busy = true, .io = *io };
	for (unsigned i = 0; i < io->frames; i++) {
		m->frame[i] = io->frame[i];
		m->owner[i] = frame_table[io->frame[i]].owner;
	}
	d->order[d->started++ % 64] = io->lba;
	model_disks_dma();
}

static void dma(const struct model_io *m)
{
	for (unsigned i = 0; i < m->io.frames; i++) {
		const struct exo_frame *f = &frame_table[m->frame[i]];

		CHECK(f->type == EXO_F_DATA && f->pins && f->owner == m->owner[i],
			"DMA to frame %x: type %u, pins %u, owner %x (%x)", m->frame[i], f->type, f->pins,
			f->owner, m->owner[i]);
		if (m->io.op == BLOCK_READ)
			((uint64_t *)pfn_to_virt(m->frame[i]))[model_random() % 64 + 64] = model_random();
	}
}

void model_disks_dma(void)
{
	for (unsigned d = 0; d < MODEL_DISKS; d++)
		for (unsigned tag = 0; tag < BLOCK_TAGS; tag++)
			if (model_disks[d].at[tag].busy)
				dma(&model_disks[d].at[tag]);
}

static void poll(struct block_device *dev)
{
	struct model_disk *d = of(dev);

	for (unsigned tag = 0; tag < BLOCK_TAGS; tag++) {
		struct model_io *m = &d->at[tag];

		if (!m->busy || !m->over)
			continue;
		dma(m);
		m->busy = false;
		block_done(dev, tag, m->ok);
	}
}

static enum block_state step(struct block_device *dev, bool first)
{
	struct model_disk *d = of(dev);

	if (first)
		d->steps = d->reset_steps + 1;
	if (d->broken)
		return BLOCK_FAILED;
	if (--d->steps)
		return BLOCK_BUSY;
	memset(d->at, 0, sizeof d->at);
	return BLOCK_READY;
}

static void off(struct block_device *dev)
{
	of(dev)->off = true;
	memset(of(dev)->at, 0, sizeof of(dev)->at);
}

void model_disks_boot(void)
{
	static const struct block_driver driver = { "model", step, start, poll, off };

	disk_count = 0;
	disks_deadline = EXO_FOREVER;
	memset(disks, 0, sizeof disks);
	for (unsigned i = 0; i < MODEL_DISKS; i++) {
		model_disks[i] = (struct model_disk){ .dev = { .driver = &driver, .sectors = MODEL_SECTORS,
			.sector_size = i ? 4096 : 512, .depth = i ? 1 : 4, .read_only = i, .cache = !i,
			.interrupts = !i, .model = "model" } };
		disk_add(&model_disks[i].dev);
	}
}

void model_disk_finish(unsigned disk, unsigned tag, bool ok)
{
	struct model_disk *d = &model_disks[disk];

	CHECK(d->at[tag].busy, "nothing under tag %u", tag);
	d->at[tag].over = true;
	d->at[tag].ok = ok;
	model_interrupt(block_interrupt, &d->dev);
}

int model_disk_tag(unsigned disk)
{
	for (unsigned tag = 0; tag < BLOCK_TAGS; tag++)
		if (model_disks[disk].at[tag].busy)
			return tag;
	return -1;
}
