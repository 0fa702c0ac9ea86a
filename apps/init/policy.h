/* How init divides the machine: read and change policy.c. */
#ifndef INIT_POLICY_H
#define INIT_POLICY_H

#include "libos/common/common.h"

/* Frames that init keeps for itself: its page tables, the session's objects, what a later policy
 * may need. */
#define POLICY_RESERVE	1024u

/* Frames that the session starts with, and how many more it gets each time it asks: giving a frame
 * zeroes it, so a large machine's memory is given when it is wanted. */
#define POLICY_FIRST	16384u
#define POLICY_MORE	8192u

/* Which capability of the start page the session gets, and with what rights; 0: not at all. */
uint64_t policy_rights(const char *name, uint64_t rights);
/* How many slots of each CPU's slice vector the session gets, of `count`. */
unsigned policy_slots(unsigned cpu, unsigned count);
/* What the session starts with: length in ns of the slot its first context is bound to. */
#define POLICY_SLICE_NS	10000000ul
#define POLICY_OWN_NS	1000000ul	/* init's own slot */

/* A disk belongs to somebody if its first blocks, where partition tables, file systems and RAID
 * labels leave their marks, hold anything.  Of others the session gets what is behind them. */
#define POLICY_LABEL	32u		/* blocks */
#define POLICY_DISK_NS	2000000000ul	/* for looking at them */

#endif
