/* The tree of a xenstore: named nodes with values and rights, for one guest and its monitor.
 *
 * A tree is one record without pointers: a transaction is a copy of it.  All texts lie in one
 * heap that is kept without holes, which is cheap at this size.  The guest can use up its own
 * part of nodes and heap; the rest stays free for the monitor (STORE_VMM).
 *
 * Two parties only, so a node's rights are: who owns it (and may do all), and whether the guest may
 * read or write what the monitor owns.
 *
 * Hardware-free.  Functions return 0 or more, or a negative Xen errno.  Paths are absolute.
 * Left to store.c: packets, watches, transactions.
 */
#ifndef VMM_STORE_TREE_H
#define VMM_STORE_TREE_H

#include "libos/common/text.h"
#include "xen.h"

#define STORE_NODES		384u
#define STORE_TEXT		32768u
#define STORE_NODES_OURS	64u	/* that the guest leaves free */
#define STORE_TEXT_OURS		4096u
#define STORE_NAME		255u	/* longest part of a path */
#define STORE_VALUE		2048u	/* longest value */

enum store_who { STORE_VMM, STORE_GUEST };
#define STORE_R			1u	/* the guest's rights to a node of ours */
#define STORE_W			2u

struct store_node {
	uint32_t text;			/* where name and value lie in the heap */
	uint16_t name_size, value_size;
	uint16_t parent, child, next;	/* node numbers; 0 = none (0 is the root) */
	uint8_t owner, rights;		/* enum store_who; STORE_R, STORE_W */
};
struct store_tree {
	uint64_t generation;		/* counts changes */
	uint32_t text_used;
	uint16_t used, free;		/* nodes in use; the first of the free ones */
	struct store_node node[STORE_NODES];
	char text[STORE_TEXT];
};

void store_tree_init(struct store_tree *t);
/* Absolute, of letters, digits and -/_@, no empty part, not too long. */
bool store_path_ok(const char *path);
/* The value (n bytes, no terminator; until the tree changes). */
int store_read(const struct store_tree *t, enum store_who who, const char *path, const char **value,
	size_t *n);
/* Sets a value; makes the node and its parents if need be. */
int store_write(struct store_tree *t, enum store_who who, const char *path, const char *value, size_t n);
int store_mkdir(struct store_tree *t, enum store_who who, const char *path);
/* Removes a node with all below; one that is not there is fine if its parent is. */
int store_remove(struct store_tree *t, enum store_who who, const char *path);
/* Names of the children, each terminated: how many bytes; -XEN_E2BIG if they don't fit. */
int store_list(const struct store_tree *t, enum store_who who, const char *path, char *to, size_t size);
/* Rights as xenstore writes them ("n1", or "n0" and "r1"), each terminated: how many bytes. */
int store_get_rights(const struct store_tree *t, enum store_who who, const char *path, char *to,
	size_t size);
/* What the guest may do with a node of ours.  (Its own are its own: it can set no other rights.) */
int store_set_rights(struct store_tree *t, const char *path, enum store_who owner, unsigned rights);
bool store_exists(const struct store_tree *t, const char *path);
bool store_owns(const struct store_tree *t, enum store_who who, const char *path);

#endif
