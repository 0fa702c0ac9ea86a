/* Control messages: descriptors on their way from one process to another, and credentials.
 *
 * Left to others: carrying them (unix_io.c), the calls (socket_io.c).
 */
#include "libos/posix/process.h"
#include "libos/posix/socket.h"

#define CONTROL_MAX	20480u

void rights_free(struct rights *r)
{
	if (!r)
		return;
	while (r->n)
		file_put(r->file[--r->n]);
	kfree(r);
}

static long rights_take(struct message *m, const int32_t *fd, size_t n)
{
	if (!m->rights && !(m->rights = kmalloc(sizeof *m->rights)))
		return -ENOMEM;
	if (m->rights->n + n > SCM_MAX_FD)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct file *f = fd_get_path(fd[i]);
		if (!f)
			return -EBADF;
		m->rights->file[m->rights->n++] = f;
	}
	return 0;
}

static long creds_take(struct message *m, const struct linux_ucred *c)
{
	struct process *p = current_process();
	if (p->euid && (c->pid != p->pid || (c->uid != p->uid && c->uid != p->euid &&
			c->uid != p->suid) || (c->gid != p->gid && c->gid != p->egid && c->gid != p->sgid)))
		return -EPERM;
	m->creds = *c;
	m->have_creds = true;
	return 0;
}

static long control_parse(struct message *m, const uint8_t *control, size_t n, int family)
{
	for (size_t at = 0; at + sizeof(struct linux_cmsghdr) <= n;) {
		struct linux_cmsghdr h;
		memcpy(&h, control + at, sizeof h);
		if (h.length < sizeof h || h.length > n - at)
			return -EINVAL;
		const uint8_t *data = control + at + sizeof h;
		size_t bytes = h.length - sizeof h;
		long error = 0;
		if (h.level == SOL_SOCKET && family == AF_UNIX) {
			if (h.type == SCM_RIGHTS)
				error = rights_take(m, (const int32_t *)data, bytes / sizeof(int32_t));
			else if (h.type == SCM_CREDENTIALS && bytes == sizeof(struct linux_ucred))
				error = creds_take(m, (const struct linux_ucred *)data);
			else
				error = -EINVAL;
		}
		if (error)
			return error;
		at += CMSG_ALIGN(h.length);
	}
	return 0;
}

long control_from_user(struct message *m, const struct linux_msghdr *h, int family)
{
	if (!h->control_length)
		return 0;
	if (h->control_length > CONTROL_MAX)
		return -ENOBUFS;
	uint8_t *control = kmalloc(h->control_length);
	if (!control)
		return -ENOBUFS;
	long error = copy_from_user(control, h->control, h->control_length) ? -EFAULT :
		control_parse(m, control, h->control_length, family);
	kfree(control);
	return error;
}

/* Appends one control message as far as there is room; true: it fitted. */
static bool control_put(struct linux_msghdr *h, uint64_t *done, int type, const void *data, size_t n)
{
	struct linux_cmsghdr c = { sizeof c + n, SOL_SOCKET, type };
	if (*done + sizeof c > h->control_length)
		return false;
	size_t room = h->control_length - *done;
	bool fits = c.length <= room;
	if (!fits)
		c.length = room;
	if (copy_to_user(h->control + *done, &c, sizeof c) ||
	    copy_to_user(h->control + *done + sizeof c, data, c.length - sizeof c))
		return false;
	*done += smaller(CMSG_ALIGN(c.length), room);
	return fits;
}

/* Descriptors for as many of the files as there is room for; the others are closed. */
static bool rights_give(struct linux_msghdr *h, uint64_t *done, struct rights *r, bool cloexec)
{
	int32_t fd[SCM_MAX_FD];
	size_t left = h->control_length - *done, n = 0;
	size_t room = left > sizeof(struct linux_cmsghdr) ?
		(left - sizeof(struct linux_cmsghdr)) / sizeof *fd : 0;
	for (; n < r->n && n < room; n++) {
		file_get(r->file[n]);
		long got = fd_install(r->file[n], cloexec);
		if (got < 0)
			break;
		fd[n] = got;
	}
	return (!n || control_put(h, done, SCM_RIGHTS, fd, n * sizeof *fd)) && n == r->n;
}

void control_to_user(struct linux_msghdr *h, struct message *m, const struct socket *s)
{
	uint64_t done = 0;
	bool all = true;
	h->flags = m->answer | (m->flags & MSG_CMSG_CLOEXEC);
	if (m->have_creds && socket_flag(s, SO_PASSCRED))
		all = control_put(h, &done, SCM_CREDENTIALS, &m->creds, sizeof m->creds);
	if (m->rights)
		all &= rights_give(h, &done, m->rights, m->flags & MSG_CMSG_CLOEXEC);
	if (!all)
		h->flags |= MSG_CTRUNC;
	h->control_length = done;
}
