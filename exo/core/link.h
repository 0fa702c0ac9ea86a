/* Circular lists of what lies in objects, by name: contexts, timers, requests, domains. */
#ifndef EXO_LINK_H
#define EXO_LINK_H

#include <stdint.h>

struct link { uint32_t next, prev; };
typedef struct link *link_fn(uint32_t name);

/* To the back.  *head is 0 when it is empty. */
static inline void ring_add(uint32_t *head, uint32_t name, link_fn *at)
{
	struct link *l = at(name);
	if (!*head) {
		*head = l->next = l->prev = name;
		return;
	}
	struct link *first = at(*head);
	*l = (struct link){ .next = *head, .prev = first->prev };
	at(first->prev)->next = name;
	first->prev = name;
}

/* To the front. */
static inline void ring_push(uint32_t *head, uint32_t name, link_fn *at)
{
	ring_add(head, name, at);
	*head = name;
}

static inline void ring_remove(uint32_t *head, uint32_t name, link_fn *at)
{
	const struct link *l = at(name);
	at(l->prev)->next = l->next;
	at(l->next)->prev = l->prev;
	if (*head == name)
		*head = l->next == name ? 0 : l->next;
}

#endif
