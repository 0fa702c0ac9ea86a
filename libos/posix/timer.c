/* Timers: a pairing heap by time (Fredman, Sedgewick, Sleator and Tarjan, 1986).
 *
 * Its links are in the timers, so that setting one needs no memory and cannot fail.  Who fires
 * them, and when, is sched.c's; what a firing does is its owner's.
 */
#include "libos/posix/process.h"

static struct timer *root;

/* One heap of two; either may be none. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->when < a->when) {
		struct timer *t = a;
		a = b;
		b = t;
	}
	b->next = a->child;
	if (b->next)
		b->next->link = &b->next;
	b->link = &a->child;
	a->child = b;
	return a;
}

/* Takes the first of a list of heaps; the list is nobody's any more. */
static struct timer *first_of(struct timer **list)
{
	struct timer *t = *list;
	if (t) {
		*list = t->next;
		t->next = NULL;
	}
	return t;
}

/* One heap of a list of them: in pairs first, which is what keeps the later times short. */
static struct timer *meld_all(struct timer *list)
{
	struct timer *pairs = NULL, *all = NULL, *t;
	while ((t = first_of(&list))) {
		t = meld(t, first_of(&list));
		t->next = pairs;
		pairs = t;
	}
	while ((t = first_of(&pairs)))
		all = meld(all, t);
	return all;
}

static void root_set(struct timer *t)
{
	root = t;
	if (t)
		t->link = &root;
}

void timer_remove(struct timer *t)
{
	if (!t->link)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	root_set(meld(root, meld_all(t->child)));
	t->next = t->child = NULL;
	t->link = NULL;
}

void timer_add(struct timer *t, uint64_t when)
{
	timer_remove(t);
	if (when == FOREVER)
		return;
	t->when = when;
	root_set(meld(root, t));
	stack_top()->work |= WORK_SCHED;
}

uint64_t timer_earliest(void)
{
	return root ? root->when : FOREVER;
}

void timers_run(uint64_t now)
{
	while (root && root->when <= now) {
		struct timer *t = root;
		timer_remove(t);
		t->fire(t);
	}
}
