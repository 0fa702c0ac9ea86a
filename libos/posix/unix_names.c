/* Names of AF_UNIX: in the file system, abstract ones, and none. */
#include "libos/posix/unix.h"

#define PATH_ROOM	sizeof(((struct linux_sockaddr_un *)0)->path)

static bool abstract(const struct address *a) { return a->length > FAMILY && !a->un.path[0]; }

static long name_check(const struct address *a)
{
	if (a->length < FAMILY || a->length > sizeof a->un || a->family != AF_UNIX)
		return -EINVAL;
	return 0;
}

/* The end that a name belongs to; not counted. */
static struct unix_end *find_abstract(const struct address *a)
{
	struct unix_end *e = unix_ends;
	while (e && (e->closed || !e->bound || !abstract(&e->name) || e->name.length != a->length ||
			memcmp(e->name.byte, a->byte, a->length)))
		e = e->next;
	return e;
}

static void path_text(const struct address *a, char text[PATH_ROOM + 1])
{
	memcpy(text, a->un.path, a->length - FAMILY);
	text[a->length - FAMILY] = 0;
}

static long find_path(const struct address *a, struct unix_end **out)
{
	char text[PATH_ROOM + 1];
	struct walk w;
	struct inode *i;
	path_text(a, text);
	long error = walk_path(&w, AT_FDCWD, text, WALK_FOLLOW);
	if (!error && !w.found)
		error = -ENOENT;
	if (!error) {
		i = w.found->inode;
		error = inode_permission(i, MAY_WRITE);
		*out = unix_ends;
		while (*out && ((*out)->closed || (*out)->inode != i))
			*out = (*out)->next;
		if (!error && !*out)
			error = -ECONNREFUSED;
	}
	walk_end(&w);
	return error;
}

long unix_find(const struct address *a, int type, struct unix_end **out)
{
	long error = name_check(a);
	if (!error && a->length == FAMILY)
		error = -EINVAL;
	if (!error && abstract(a))
		error = (*out = find_abstract(a)) ? 0 : -ECONNREFUSED;
	else if (!error)
		error = find_path(a, out);
	return error ? error : (*out)->type != type ? -EPROTOTYPE : 0;
}

/* A name of five digits that nobody has. */
static long bind_any(struct unix_end *e)
{
	static uint32_t next;
	for (unsigned tries = 0; tries < 1 << 20; tries++) {
		struct address a = { .family = AF_UNIX };
		snprintf(a.un.path + 1, PATH_ROOM - 1, "%05x", next++ & 0xfffff);
		a.length = FAMILY + 6;
		if (!find_abstract(&a)) {
			e->name = a;
			e->bound = true;
			return 0;
		}
	}
	return -ENOSPC;
}

static long bind_path(struct unix_end *e, const struct address *a)
{
	char text[PATH_ROOM + 1];
	struct dentry *d;
	path_text(a, text);
	long error = name_make(text, S_IFSOCK | 0777, &d);
	if (error)
		return error == -EEXIST ? -EADDRINUSE : error;
	e->inode = d->inode;
	inode_get(e->inode);
	dentry_put(d);
	e->bound = true;
	e->name = *a;
	e->name.length = FAMILY + strlen(text) + 1;
	e->name.un.path[e->name.length - FAMILY - 1] = 0;
	return 0;
}

long unix_bind(struct socket *s, const struct address *a)
{
	struct unix_end *e = s->end;
	long error = name_check(a);
	if (error)
		return error;
	if (a->length == FAMILY)
		return e->bound ? 0 : bind_any(e);
	if (e->bound)
		return -EINVAL;
	if (!abstract(a))
		return bind_path(e, a);
	if (find_abstract(a))
		return -EADDRINUSE;
	e->name = *a;
	e->bound = true;
	return 0;
}

long unix_name(struct socket *s, bool peer, struct address *a)
{
	const struct unix_end *e = peer ? s->end->peer : s->end;
	if (!e)
		return -ENOTCONN;
	*a = e->name;
	return 0;
}
