/* Services by gate: a domain calls another one's code as if it were a procedure (exo/core/gate.c).
 *
 * The words of a call lie in a message, one cache line that both sides map; the gate carries the CPU
 * and the badge, by which the server knows who calls (LRPC's argument stacks and its handing over of
 * the thread: Bershad and others, SOSP'89).  No register but those that the kernel sets is relied on.
 *
 * A server is a context of its own, which waits until it is entered, serves, and enters the caller
 * again by a gate to that one.  Slices end anywhere, so either side may go on before the other has
 * come so far: the message's state says what is done, and the caller calls until it is.  A service
 * must stand being called without a message.
 *
 * Left to others: what operations there are; where the message lies; who gets a gate.
 */
#ifndef COMMON_GATE_H
#define COMMON_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct exo_control;

enum gate_state { GATE_FREE, GATE_ASKED, GATE_TAKEN, GATE_DONE };
#define GATE_WORDS	5u
struct gate_message {
	uint64_t state;
	uint64_t op;
	int64_t result;
	uint64_t word[GATE_WORDS];	/* there: arguments; back: values */
};
_Static_assert(sizeof(struct gate_message) == 64, "a cache line");

/* ---- who calls --------------------------------------------------------------------- */

/* control: of the calling context, whose gate_entry and gate_stack are used; its upcalls are masked.
 * EXO_OK: the service has answered, `result` and the words are its.  TIMEOUT: it did not within half
 * a minute (nor is asked again before it has); else the gate's error (CAP: the server is gone). */
uint64_t gate_ask(uint64_t gate, struct exo_control *control, struct gate_message *message, unsigned op,
	uint64_t word[GATE_WORDS], int64_t *result);

/* ---- who serves -------------------------------------------------------------------- */

struct gate_server {
	/* Called on the server's stack, upcalls masked; it must not wait for events.  Returns a gate to
	 * the caller, who is entered again; 0: who is next is the kernel's choice. */
	uint64_t (*serve)(void *arg, uint64_t badge);
	void *arg;
	uint64_t context;		/* capability, for exo_gate_create */
};
/* Makes the context, which runs on that CPU in that root, and waits for calls for good.  s stays
 * where it is.  A status. */
uint64_t gate_server_start(struct gate_server *s, unsigned cpu, uint64_t root);
/* The message, if there is one that was not taken before. */
bool gate_take(struct gate_message *shared, struct gate_message *copy);
void gate_answer(struct gate_message *shared, int64_t result, const uint64_t word[GATE_WORDS]);

#endif
