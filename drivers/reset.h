/* A reset of the whole machine. */
#ifndef DRIVERS_RESET_H
#define DRIVERS_RESET_H

/* Returns only if there is nothing that resets this machine. */
void machine_reset(void);

#endif
