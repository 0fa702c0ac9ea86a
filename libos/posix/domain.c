/* /dev/domain, a device: each open file starts and joins one domain of its own (docs/proxy.md).
 *
 * What a domain is and what its messages mean is libos/common/domain_host.c's; here they become
 * reads, writes and polls that sleep.  A domain's event wakes everybody who sleeps on any of the
 * files: they look again.
 */
#include "libos/common/domain_host.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/posix/domain.h"
#include "libos/posix/net.h"
#include "libos/posix/net_lease.h"
#include "libos/posix/poll.h"
#include "libos/posix/program.h"
#include "libos/posix/vfs.h"

#define IMAGE_MAX	(2ul << 20)	/* of a program's file */
#define SLOT_FIRST	8		/* slots of CPU 0 that domains may have */
#define SLOT_COUNT	32
#define SLOT_NS		2000000ul
#define SESSION_MEMORY	(64ul << 20)	/* of a session, if nothing else is said */
#define HEADERS		16		/* program headers looked at for a note */

struct domain_file {
	struct domain_host host;	/* host.domain = 0: not started */
	void *image;
	uint8_t *buffer;		/* DOMAIN_MESSAGE_MAX */
	struct lessee *lessee;		/* of a session: its part of the card */
	struct wake news;
	struct domain_file *next;
};
static struct domain_file *open_files;
static struct domain_host_config config = { .event_bits = EVENT_DOMAIN,
	.slot_first = SLOT_FIRST, .slot_count = SLOT_COUNT, .slot_ns = SLOT_NS };

void domain_news(void)
{
	for (struct domain_file *d = open_files; d; d = d->next)
		wake(&d->news);
}

static bool config_ready(void)
{
	struct exo_result r;
	if (config.event)
		return true;
	r = exo_event_create(EXO_SLOT_ANY, 0, EVENT_DOMAIN);
	if (r.status)
		return false;
	config.event = r.value;
	config.slices = start_cap_at(start_page, CAP_SLICE, 0);
	return true;
}

/* ---- the file ------------------------------------------------------------------------------ */

static long domain_open(struct file *f)
{
	struct domain_file *d = kmalloc(sizeof *d);
	if (!d || !(d->buffer = kmalloc(DOMAIN_MESSAGE_MAX))) {
		kfree(d);
		return -ENOMEM;
	}
	d->next = open_files;
	open_files = d;
	f->data = d;
	return 0;
}

static void domain_release(struct file *f)
{
	struct domain_file *d = f->data;
	for (struct domain_file **p = &open_files; *p; p = &(*p)->next)
		if (*p == d) {
			*p = d->next;
			break;
		}
	if (d->host.domain)
		domain_host_close(&d->host);
	lessee_end(d->lessee);
	kfree(d->image);
	kfree(d->buffer);
	kfree(d);
}

/* Sleeps until there may be something else to do.  The domain was asked to tell before the last
 * look (domain_host_poll), and its event is only taken under the lock: it cannot be missed. */
static long domain_sleep(struct file *f, struct domain_file *d, unsigned until)
{
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return domain_host_poll(&d->host) & until ? 0 : sleep_on(&d->news.queue, NEVER);
}

static long domain_read_file(struct file *f, struct iter *to, uint64_t *pos)
{
	struct domain_file *d = f->data;
	long n, error;
	(void)pos;
	if (!d->host.domain || to->left < DOMAIN_MESSAGE_MAX)
		return -EINVAL;
	while (!(n = domain_host_read(&d->host, d->buffer)))
		if ((error = domain_sleep(f, d, DOMAIN_CAN_READ)))
			return error;
	if (n < 0)
		return 0;
	return iter_give(to, d->buffer, n) == (size_t)n ? n : -EFAULT;
}

static long domain_write_file(struct file *f, struct iter *from, uint64_t *pos)
{
	struct domain_file *d = f->data;
	size_t n = from->left;
	long took, error;
	(void)pos;
	if (!d->host.domain || n > DOMAIN_MESSAGE_MAX)
		return -EINVAL;
	uint8_t *message = kmalloc(n + 1);
	if (!message)
		return -ENOMEM;
	took = iter_take(from, message, n) == n ? -EAGAIN : -EFAULT;
	while (took == -EAGAIN) {
		took = domain_host_write(&d->host, message, n);
		if (took == -EAGAIN && (error = domain_sleep(f, d, DOMAIN_CAN_WRITE))) {
			took = error;
			break;
		}
	}
	kfree(message);
	return took;
}

static uint32_t domain_poll(struct file *f, struct pollset *set)
{
	struct domain_file *d = f->data;
	pollset_add(set, &d->news);
	unsigned can = d->host.domain ? domain_host_poll(&d->host) : 0;
	return (can & DOMAIN_CAN_READ ? POLLIN | POLLRDNORM : 0) |
		(can & DOMAIN_CAN_WRITE ? POLLOUT | POLLWRNORM : 0);
}

/* ---- another session ---------------------------------------------------------------------------- */

#define IMAGE_AT	(EXO_MONITOR_BASE + 3 * 0x8000000000ul + 0x40000000)	/* behind boot.c's modules */

static const struct exo_start_module *module_find(const char *name)
{
	for (unsigned i = 0; i < start_page->modules; i++)
		if (!strncmp(start_page->module[i].name, name, sizeof start_page->module[i].name))
			return &start_page->module[i];
	return NULL;
}

/* This libOS's own image, as it was booted from: mapped when it is first asked for. */
static const void *own_image(uint64_t *size)
{
	static bool mapped;
	const struct exo_start_module *m = module_find("posix");
	if (!m)
		return NULL;
	*size = m->size;
	mapped = mapped || !pt_map(start_page->root, IMAGE_AT, m->pfn,
		(m->size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE, PTE_RO, start_cap(start_page, "posix"));
	return mapped ? (const void *)IMAGE_AT : NULL;
}

/* It begins with the same files: the boot modules are lent to it. */
static unsigned modules_lend(struct spawn_cap *caps, struct exo_start_module *modules)
{
	static const char *const names[] = { "posix", "root", "overlay" };
	unsigned n = 0;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		const struct exo_start_module *m = module_find(names[i]);
		uint64_t cap = start_cap(start_page, names[i]);
		if (!m || !cap)
			continue;
		modules[n] = *m;
		caps[n++] = (struct spawn_cap){ names[i], cap, EXO_R_GRANT | EXO_R_READ, 0, 0 };
	}
	return n;
}

static long session_start(struct domain_file *d, struct domain_start *q, const char *strings)
{
	uint64_t size = 0;
	const void *image = own_image(&size);
	struct spawn_cap caps[DOMAIN_GIFTS];
	struct exo_start_module modules[DOMAIN_GIFTS];
	struct domain_gifts gifts = { caps, modules_lend(caps, modules), modules, 0, NULL };
	gifts.module_count = gifts.cap_count;
	if (!q->memory)
		q->memory = SESSION_MEMORY;
	if (!q->slices && config.slices)
		q->slices = 1;
	long error = image ? lessee_new(q, &d->lessee, &caps[gifts.cap_count]) : -ENOSYS;
	if (error)
		return error;
	gifts.cap_count += d->lessee != NULL;
	error = domain_host_start(&d->host, &config, q, image, size, strings, &gifts, "posix",
		current_process()->pid);
	if (!error) {
		lessee_begin(d->lessee, &d->host);
		return 0;
	}
	lessee_end(d->lessee);
	d->lessee = NULL;
	return error;
}

/* ---- starting --------------------------------------------------------------------------------- */

static long image_read(struct domain_file *d, int fd, uint64_t *size)
{
	struct file *f = fd_get(fd);
	if (!f)
		return -EBADF;
	*size = file_size(f);
	long error = 0;
	if (*size > IMAGE_MAX)
		error = -EFBIG;
	else if (!(d->image = kmalloc(*size + 1)))
		error = -ENOMEM;
	else if (file_read_at(f, d->image, *size, 0) != (long)*size)
		error = -EIO;
	file_put(f);
	return error;
}

static long program_start(struct domain_file *d, struct domain_start *q, const char *strings)
{
	uint64_t size = 0;
	const char *name = q->argc ? strings : "?";
	struct stack_link_info link;
	long error = q->port ? net_start() : 0;
	if (!error && q->port)
		error = net_wait();
	struct domain_gifts gifts = { .ip = q->port && net_link(&link) ? link.ip : NULL };
	if (!error)
		error = image_read(d, q->image, &size);
	for (const char *slash = name; *slash; slash++)
		if (*slash == '/')
			name = slash + 1;
	return error ? error : domain_host_start(&d->host, &config, q, d->image, size, strings,
		&gifts, name, current_process()->pid);
}

static long start_checked(struct domain_file *d, struct domain_start *q)
{
	char *strings = kmalloc(PROXY_ARGS_SIZE + 1);
	long error = strings ? 0 : -ENOMEM;
	if (!error && (q->strings_size > PROXY_ARGS_SIZE ||
			copy_from_user(strings, q->strings, q->strings_size)))
		error = -EFAULT;
	if (!error) {
		strings[q->strings_size] = 0;
		error = q->posix ? session_start(d, q, strings) : program_start(d, q, strings);
	}
	if (error) {
		kfree(d->image);
		d->image = NULL;
	}
	kfree(strings);
	return error;
}

static long domain_start(struct domain_file *d, uint64_t arg)
{
	struct domain_start q;
	if (d->host.domain)
		return -EBUSY;
	if (copy_from_user(&q, arg, sizeof q))
		return -EFAULT;
	q.error[0] = 0;
	long error = config_ready() ? start_checked(d, &q) : -ENOMEM;
	return copy_to_user(arg, &q, sizeof q) ? -EFAULT : error;
}

static long domain_list(uint64_t arg)
{
	struct domain_list list;
	if (copy_from_user(&list, arg, sizeof list))
		return -EFAULT;
	unsigned n = domain_host_list(NULL, 0);
	struct domain_entry *e = kmalloc(n * sizeof *e);
	if (!e)
		return -ENOMEM;
	domain_host_list(e, n);
	long error = copy_to_user(list.entries, e, smaller(n, list.max) * sizeof *e);
	kfree(e);
	return error ? error : (long)n;
}

static long domain_ioctl(struct file *f, uint32_t command, uint64_t arg)
{
	switch (command) {
	case DOMAIN_START:
		return domain_start(f->data, arg);
	case DOMAIN_LIST:
		return domain_list(arg);
	}
	return -ENOTTY;
}

const struct file_ops domain_ops = {
	.open = domain_open,
	.release = domain_release,
	.read = domain_read_file,
	.write = domain_write_file,
	.poll = domain_poll,
	.ioctl = domain_ioctl,
};

/* ---- exec ----------------------------------------------------------------------------------------- */

bool domain_program(struct file *f, const void *head, long n)
{
	struct { struct program p; struct program_header h[HEADERS]; uint8_t notes[512]; } *b;
	uint64_t table, bytes;
	uint32_t version;
	char libos[12];
	bool foreign = false;
	if (n < 0 || !(b = kmalloc(sizeof *b)))
		return false;
	if (!program_head(head, n, &b->p, &table, &bytes) && bytes <= sizeof b->h &&
	    file_read_at(f, b->h, bytes, table) == (long)bytes)
		for (unsigned i = 0; i < b->p.count && !foreign; i++)
			foreign = b->h[i].type == PT_NOTE && b->h[i].file_size <= sizeof b->notes &&
				file_read_at(f, b->notes, b->h[i].file_size, b->h[i].offset) ==
					(long)b->h[i].file_size &&
				elf_note(b->notes, b->h[i].file_size, libos, &version) &&
				strcmp(libos, "posix");
	kfree(b);
	return foreign;
}
