/* /dev/trace: the kernel's trace rings, for whoever looks at a session's run.
 *
 * Reading gives the rings of all CPUs as the kernel exports them, one after the other (struct
 * exo_trace_head and events, exo/abi/abi.h).  Writing a number sets which kinds are recorded
 * (1 << kind; 0: none), so that a reader can stop the recording first.
 * Left to others: what the events mean (tools/trace2json.py).
 */
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/posix/vfs.h"

#define TRACE_AT	(EXO_MONITOR_BASE + 4 * 0x8000000000ul)	/* PML4 slot 268 */

static uint64_t trace_size;

/* Before the first process: a root shares what the monitor area maps when it is made. */
void trace_init(void)
{
	struct exo_cap_info info;
	uint64_t cap = start_cap(start_page, "trace");
	if (!cap || exo_cap_info(0, cap, &info).status ||
	    pt_map(start_page->root, TRACE_AT, info.base, info.count, PTE_RO, cap))
		return;
	trace_size = info.count * EXO_PAGE_SIZE;
}

static long trace_open(struct file *f)
{
	(void)f;
	return trace_size ? 0 : -ENXIO;
}

static long trace_read(struct file *f, struct iter *to, uint64_t *pos)
{
	size_t left = *pos < trace_size ? trace_size - *pos : 0;
	size_t n = to->left < left ? to->left : left;
	size_t got = iter_give(to, (const void *)(TRACE_AT + *pos), n);
	(void)f;
	*pos += got;
	return got || !n ? (long)got : -EFAULT;
}

static long trace_write(struct file *f, struct iter *from, uint64_t *pos)
{
	char text[24] = "";
	uint64_t kinds = 0;
	size_t n = from->left;
	(void)f, (void)pos;
	if (n && !iter_take(from, text, sizeof text - 1))
		return -EFAULT;
	for (const char *p = text; *p && *p != '\n'; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		kinds = kinds * 10 + (*p - '0');
	}
	if (exo_machine_ctl(start_cap(start_page, CAP_MACHINE), EXO_M_TRACE, kinds).status)
		return -EPERM;
	return n;
}

static long trace_seek(struct file *f, int64_t offset, int whence)
{
	if (whence || offset < 0)
		return -EINVAL;
	f->pos = offset;
	return offset;
}

const struct file_ops trace_ops = {
	.open = trace_open, .read = trace_read, .write = trace_write, .seek = trace_seek,
};
