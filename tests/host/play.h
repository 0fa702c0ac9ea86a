/* What the tests share that play a program in a context: the running one's page, registers, memory. */
#ifndef HOST_PLAY_H
#define HOST_PLAY_H

#include "tests/host/test.h"

#define STACK	(WINDOW + 0x8000)	/* of upcalls */

static inline struct context *me(void) { return this_cpu()->current; }
static inline struct exo_control *control(void) { return context_control(me()); }
static inline struct exo_regs *regs(void) { return arch_current_regs(); }
static inline void *at_user(uint64_t va) { return model_window[this_cpu()->number] + (va - WINDOW); }

/* The running context can take upcalls from here on. */
void upcalls_on(void);
/* An actor's context on CPU 1, which this thread plays from now on. */
struct actor actor_on_1(void);

#endif
