/* A virtual disk of one's own: mirror:A+B writes everything to both disks and reads from the one that
 * works.  A and B are specifications of any kind (mirror:/tmp/a+cow:/tmp/b). */
#include "libos/vmm/disk.h"

struct mirror {
	struct vdisk disk;		/* first: the back end sees this */
	struct vdisk *half[2];
	bool failed[2];			/* no more to be read: it has missed something */
};

static int mirror_read(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	struct mirror *m = (struct mirror *)d;
	int error = -XEN_EIO;
	for (unsigned i = 0; i < 2; i++)
		if (!m->failed[i] && !(error = m->half[i]->ops->read(m->half[i], offset, n, io)))
			return 0;
	return error;
}

/* The request fails only if both halves do. */
static int both(struct mirror *m, const int error[2])
{
	for (unsigned i = 0; i < 2; i++)
		m->failed[i] |= error[i] && !error[!i];
	return error[0] && error[1] ? error[0] : 0;
}

static int mirror_write(struct vdisk *d, uint64_t offset, size_t n, struct vdisk_io *io)
{
	struct mirror *m = (struct mirror *)d;
	int error[2];
	for (unsigned i = 0; i < 2; i++)
		error[i] = m->failed[i] ? -XEN_EIO : m->half[i]->ops->write(m->half[i], offset, n, io);
	return both(m, error);
}

static int mirror_flush(struct vdisk *d)
{
	struct mirror *m = (struct mirror *)d;
	int error[2];
	for (unsigned i = 0; i < 2; i++)
		error[i] = m->failed[i] ? -XEN_EIO : m->half[i]->ops->flush(m->half[i]);
	return both(m, error);
}

static struct vdisk *mirror_open(const char *rest, char *why, size_t size)
{
	static const struct vdisk_ops ops = { mirror_read, mirror_write, mirror_flush, NULL };
	const char *plus = strchr(rest, '+');
	char first[256];
	struct mirror *m = vdisk_page();
	if (!plus || plus - rest >= (int)sizeof first || !m) {
		snprintf(why, size, "it is not of the form mirror:A+B");
		return NULL;
	}
	text_copy(first, rest, plus - rest + 1);
	if (!(m->half[0] = vdisk_find(first, why, size)) || !(m->half[1] = vdisk_find(plus + 1, why, size)))
		return NULL;
	uint64_t a = m->half[0]->size, b = m->half[1]->size;
	m->disk = (struct vdisk){ &ops, a < b ? a : b, m->half[0]->read_only || m->half[1]->read_only };
	return &m->disk;
}

/* What this monitor has beside the kinds that come with it. */
const struct vdisk_kind vdisk_own[] = { { "mirror:", mirror_open }, { NULL, NULL } };
