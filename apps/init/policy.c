/* The policy of the first domain.  The session gets nearly all: init is there so that nothing
 * else has to hold the machine, and to take it back. */
#include "apps/init/policy.h"

uint64_t policy_rights(const char *name, uint64_t rights)
{
	static const char *const ours[] = { CAP_SELF, CAP_CONTEXT, CAP_DEBUG, "com1" /* the log's */ };
	for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
		if (!strcmp(name, ours[i]))
			return 0;
	if (!strcmp(name, CAP_MACHINE))		/* resets stay with init: the session has power-off */
		return rights & ~(uint64_t)EXO_R_RESET;
	return rights;
}

/* One slot of CPU 0 stays with init, so that it gets its turn whatever the session does. */
unsigned policy_slots(unsigned cpu, unsigned count)
{
	return cpu || count < 2 ? count : count - 1;
}
