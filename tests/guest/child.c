/* The domain that the kernel tests start: does what its argument block's first byte says. */
#include "libos/common/common.h"

VIRTUE_NOTE("bare");

int main(struct exo_start *s)
{
	const char *args = (const char *)s->args;
	uint64_t event = start_cap(s, "done");
	switch (s->args_size ? args[0] : 0) {
	case 'f':		/* a fault nobody serves */
		*(volatile uint64_t *)0xdead000 = 1;
		break;
	case 'l':		/* for ever, without the kernel */
		exo_event_signal(event, 1ul << 40);
		for (;;)
			__asm__ volatile("pause");
	case 'w':		/* waits for ever */
		exo_event_signal(event, 1ul << 40);
		for (;;)
			exo_wait(NULL, EXO_FOREVER, EXO_WAIT_UNMASK);
	case 'p':		/* has children of its own, with something in their hands */
		if (frames_init(s, false))
			return 2;
		for (unsigned n = 0; n < 3; n++) {
			struct exo_result r = exo_domain_create(EXO_SLOT_ANY, frame_take(), frame_take());
			if (r.status || exo_give_all(0, r.value, frame_take(), 1, NULL))
				return 3;
		}
		return 50;
	case 'u':		/* its own memory: frames of the quota, mapped */
		if (frames_init(s, false))
			return 2;
		for (uint64_t n = 0, pfn; (pfn = frame_alloc_zero()) && n < 8; n++)
			if (pt_map(s->root, 0x10000000 + n * 4096, pfn, 1, PTE_RW, 0))
				return 3;
		*(volatile uint64_t *)0x10002008 = 5;
		return *(volatile uint64_t *)0x10002008 == 5 ? 40 : 4;
	}
	return 7;
}
