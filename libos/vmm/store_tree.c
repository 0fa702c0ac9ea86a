/* The tree of a xenstore.  See store_tree.h. */
#include "store_tree.h"

#define ROOT	0u

void store_tree_init(struct store_tree *t)
{
	memset(t, 0, sizeof *t);
	t->used = 1;
	t->free = 1;
	for (unsigned i = 1; i + 1 < STORE_NODES; i++)
		t->node[i].next = i + 1;
	t->node[ROOT].rights = STORE_R;
}

/* ---- paths --------------------------------------------------------------------------------- */

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_' || c == '@';
}

bool store_path_ok(const char *path)
{
	size_t n = strnlen(path, XEN_STORE_PATH), part = 0;
	if (path[0] != '/' || n >= XEN_STORE_PATH)
		return false;
	for (size_t i = 1; i < n; i++) {
		part = path[i] == '/' ? 0 : part + 1;
		if (path[i] == '/' ? path[i - 1] == '/' : !letter(path[i]) || part > STORE_NAME)
			return false;
	}
	return n == 1 || part;
}

/* The next part of a path: *at moves behind it; 0 at the end. */
static size_t part_next(const char **at)
{
	const char *p = *at;
	size_t n = 0;
	while (*p == '/')
		p++;
	while (p[n] && p[n] != '/')
		n++;
	*at = p + n;
	return n;
}

static unsigned child_find(const struct store_tree *t, unsigned parent, const char *name, size_t n)
{
	unsigned c = t->node[parent].child;
	while (c && (t->node[c].name_size != n || memcmp(t->text + t->node[c].text, name, n)))
		c = t->node[c].next;
	return c;
}

/* Goes down as far as there are nodes: the last one; *rest is what is left of the path. */
static unsigned walk(const struct store_tree *t, const char *path, const char **rest)
{
	unsigned at = ROOT, next;
	size_t n;
	for (*rest = path; (n = part_next(&path)); *rest = path, at = next)
		if (!(next = child_find(t, at, path - n, n)))
			return at;
	*rest = path;
	return at;
}

static int find(const struct store_tree *t, const char *path)
{
	const char *rest;
	unsigned at = walk(t, path, &rest);
	return part_next(&rest) ? -XEN_ENOENT : (int)at;
}

static bool may(const struct store_tree *t, unsigned node, enum store_who who, unsigned right)
{
	return who == STORE_VMM || t->node[node].owner == who || t->node[node].rights & right;
}

/* A node that `who` may see or change. */
static int find_for(const struct store_tree *t, enum store_who who, const char *path, unsigned right)
{
	int at = find(t, path);
	return at >= 0 && !may(t, at, who, right) ? -XEN_EACCES : at;
}

bool store_exists(const struct store_tree *t, const char *path) { return find(t, path) >= 0; }

bool store_owns(const struct store_tree *t, enum store_who who, const char *path)
{
	int at = find(t, path);
	return at >= 0 && t->node[at].owner == who;
}

/* ---- nodes and their texts -------------------------------------------------------------------- */

static bool room(const struct store_tree *t, enum store_who who, unsigned nodes, size_t text)
{
	unsigned ours = who == STORE_GUEST;
	return t->used + nodes + ours * STORE_NODES_OURS <= STORE_NODES &&
		t->text_used + text + ours * STORE_TEXT_OURS <= STORE_TEXT;
}

/* Takes a node's text out of the heap. */
static void text_drop(struct store_tree *t, unsigned node)
{
	struct store_node *x = &t->node[node];
	uint32_t size = x->name_size + x->value_size, end = x->text + size;
	memmove(t->text + x->text, t->text + end, t->text_used - end);
	t->text_used -= size;
	for (unsigned i = 1; i < STORE_NODES; i++)
		if (t->node[i].text > x->text)
			t->node[i].text -= size;
}

static void text_add(struct store_tree *t, unsigned node, const char *name, size_t name_size,
	const char *value, size_t value_size)
{
	struct store_node *x = &t->node[node];
	x->text = t->text_used;
	x->name_size = name_size;
	x->value_size = value_size;
	memcpy(t->text + x->text, name, name_size);
	memcpy(t->text + x->text + name_size, value, value_size);
	t->text_used += name_size + value_size;
}

/* The last child of its parent; rights as the parent's, but the guest owns what it makes. */
static unsigned node_new(struct store_tree *t, unsigned parent, enum store_who who, const char *name,
	size_t n)
{
	unsigned at = t->free;
	struct store_node *x = &t->node[at];
	uint16_t *link = &t->node[parent].child;
	t->free = x->next;
	t->used++;
	*x = (struct store_node){ .parent = parent, .rights = t->node[parent].rights,
		.owner = who == STORE_GUEST ? who : (enum store_who)t->node[parent].owner };
	while (*link)
		link = &t->node[*link].next;
	*link = at;
	text_add(t, at, name, n, "", 0);
	return at;
}

/* A node without children. */
static void node_drop(struct store_tree *t, unsigned at)
{
	uint16_t *link = &t->node[t->node[at].parent].child;
	while (*link != at)
		link = &t->node[*link].next;
	*link = t->node[at].next;
	text_drop(t, at);
	t->node[at] = (struct store_node){ .next = t->free };
	t->free = at;
	t->used--;
}

/* The node of that name, made with what is missing above it, if `text` more bytes fit too. */
static int node_make(struct store_tree *t, enum store_who who, const char *path, size_t text)
{
	const char *rest, *p;
	unsigned at = walk(t, path, &rest), parts = 0;
	size_t n;
	for (p = rest; (n = part_next(&p)); text += n)
		parts++;
	if (parts && !may(t, at, who, STORE_W))
		return -XEN_EACCES;
	if (!room(t, who, parts, text))
		return -XEN_ENOSPC;
	while ((n = part_next(&rest)))
		at = node_new(t, at, who, rest - n, n);
	return at;
}

/* ---- what others call --------------------------------------------------------------------------- */

int store_read(const struct store_tree *t, enum store_who who, const char *path, const char **value,
	size_t *n)
{
	int at = find_for(t, who, path, STORE_R);
	if (at < 0)
		return at;
	*value = t->text + t->node[at].text + t->node[at].name_size;
	*n = t->node[at].value_size;
	return 0;
}

int store_write(struct store_tree *t, enum store_who who, const char *path, const char *value, size_t n)
{
	char name[STORE_NAME];
	int at = find_for(t, who, path, STORE_W);
	if (at < 0 && at != -XEN_ENOENT)
		return at;
	if (at == ROOT)
		return -XEN_EINVAL;
	if (n > STORE_VALUE)
		return -XEN_ENOSPC;
	if ((at = node_make(t, who, path, n)) < 0)
		return at;
	size_t size = t->node[at].name_size;
	memcpy(name, t->text + t->node[at].text, size);
	text_drop(t, at);
	text_add(t, at, name, size, value, n);
	t->generation++;
	return 0;
}

int store_mkdir(struct store_tree *t, enum store_who who, const char *path)
{
	int at = find_for(t, who, path, STORE_W);
	if (at != -XEN_ENOENT)
		return at < 0 ? at : 0;
	if ((at = node_make(t, who, path, 0)) < 0)
		return at;
	t->generation++;
	return 0;
}

int store_remove(struct store_tree *t, enum store_who who, const char *path)
{
	const char *rest;
	unsigned top = walk(t, path, &rest), at = top;
	if (part_next(&rest))
		return part_next(&rest) ? -XEN_ENOENT : may(t, top, who, STORE_W) ? 0 : -XEN_EACCES;
	if (top == ROOT)
		return -XEN_EINVAL;
	if (!may(t, top, who, STORE_W) || !may(t, t->node[top].parent, who, STORE_W))
		return -XEN_EACCES;
	t->generation++;
	for (;;) {
		while (t->node[at].child)
			at = t->node[at].child;
		unsigned parent = t->node[at].parent;
		node_drop(t, at);
		if (at == top)
			return 0;
		at = parent;
	}
}

int store_list(const struct store_tree *t, enum store_who who, const char *path, char *to, size_t size)
{
	size_t n = 0;
	int at = find_for(t, who, path, STORE_R);
	if (at < 0)
		return at;
	for (unsigned c = t->node[at].child; c; c = t->node[c].next) {
		const struct store_node *x = &t->node[c];
		if (n + x->name_size + 1 > size)
			return -XEN_E2BIG;
		memcpy(to + n, t->text + x->text, x->name_size);
		to[n + x->name_size] = 0;
		n += x->name_size + 1;
	}
	return n;
}

int store_get_rights(const struct store_tree *t, enum store_who who, const char *path, char *to,
	size_t size)
{
	static const char *const guest_may[] = { "n0", "n0 r1", "n0 w1", "n0 b1" };
	int at = find_for(t, who, path, STORE_R);
	if (at < 0)
		return at;
	const char *text = t->node[at].owner == STORE_GUEST ? "n1" : guest_may[t->node[at].rights & 3];
	size_t n = strlen(text) + 1;
	if (n > size)
		return -XEN_E2BIG;
	for (size_t i = 0; i < n; i++)
		to[i] = text[i] == ' ' ? 0 : text[i];
	return n;
}

int store_set_rights(struct store_tree *t, const char *path, enum store_who owner, unsigned rights)
{
	int at = find(t, path);
	if (at < 0)
		return at;
	t->node[at].owner = owner;
	t->node[at].rights = rights;
	t->generation++;
	return 0;
}
