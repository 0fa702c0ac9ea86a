/* The beginning of a C program of musl's in a domain of its own: frames, proxy, clock, a stack as
 * Linux would have made it, and the way to domain_calls.c for its system calls.  And what the
 * library asks of its surroundings there.
 */
#include "libos/gc-runtime/libgc/domain.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port_exo.h"

VIRTUE_NOTE("gc-runtime");

#define STACK		(1ul << 20)
#define WORDS		160u		/* arguments, environment, auxiliary vector */
#define AT_PHDR		3
#define AT_PHENT	4
#define AT_PHNUM	5
#define AT_PAGESZ	6
#define AT_RANDOM	25
#define RED_ZONE	128u
#define OTHERS		512u		/* frames for tables of the rest */

/* The program's, and musl's: crt1.o would call it, after what is done here. */
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*ldso)(void));
int program_main(int argc, char **argv, char **env);
void _init(void), _fini(void);

/* An ELF header, as far as it says where the program headers are. */
struct image { uint8_t before[32]; uint64_t headers; uint8_t between[14]; uint16_t size, count; };

static uint64_t *words;

/* The call goes on in the program's context: as if it had been a call of a function. */
static void on_syscall(struct upcall_regs *r)
{
	uint64_t *sp = (uint64_t *)(r->up.rsp - RED_ZONE) - 1;
	*sp = r->up.rip;
	r->up.rsp = (uint64_t)sp;
	r->up.rip = (uint64_t)domain_call_entry;
}

static const struct upcall_handlers handlers = { NULL, on_syscall, event_dispatch };

/* ---- the library's questions ---------------------------------------------------------- */

const bool mmu_protects = false;	/* dirty bits are the hardware's */

/* More addresses than frames: free pages between others have none. */
uint32_t sys_pages(void) { return frames_left() + frames_left() / 4; }
/* An eighth is left for malloc, and what page tables take. */
uint64_t sys_frames(void)
{
	uint64_t tables = sys_pages() / 256 + OTHERS, left = frames_left() * 7 / 8;
	return left > 2 * tables ? left - tables : left / 2;
}
/* mmu_init has taken the upcalls; of faults it serves none here, as no page of the heap is
 * protected. */
void sys_started(void) { upcall_set(&handlers); }

/* ---- the beginning ----------------------------------------------------------------------- */

static uint64_t *pair(uint64_t *to, uint64_t key, uint64_t value)
{
	*to++ = key;
	*to++ = value;
	return to;
}

/* Below the top: 16 random bytes (where the stack ends, for the collector), then the words. */
static void *make_stack(uint8_t *top)
{
	const struct image *h = (const void *)start_page->image_lo;
	unsigned argc = proxy_argc(), envc = proxy_envc();
	uint8_t *seed = top - 32;
	words = (uint64_t *)(seed - WORDS * 8);
	uint64_t *at = words;
	const char *env = argc ? proxy_arg(argc - 1) + strlen(proxy_arg(argc - 1)) + 1 : "";
	*at++ = argc;
	for (unsigned i = 0; i < argc; i++)
		*at++ = (uint64_t)proxy_arg(i);
	*at++ = 0;
	for (unsigned i = 0; i < envc; i++, env += strlen(env) + 1)
		*at++ = (uint64_t)env;		/* they follow the arguments */
	*at++ = 0;
	at = pair(at, AT_PHDR, start_page->image_lo + h->headers);
	at = pair(at, AT_PHENT, h->size);
	at = pair(at, AT_PHNUM, h->count);
	at = pair(at, AT_PAGESZ, EXO_PAGE_SIZE);
	at = pair(at, AT_RANDOM, (uint64_t)seed);
	pair(at, 0, 0);
	memcpy(seed, &(uint64_t[2]){ time_now(), time_wall() }, 16);
	return words;
}

static _Noreturn void begin(void)
{
	__libc_start_main(program_main, words[0], (char **)(words + 1), _init, _fini, NULL);
	__builtin_unreachable();
}

int main(struct exo_start *start)
{
	uint8_t *stack = port_begin(start, STACK);
	upcall_set(&handlers);
	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1; ud2" : :
		"r"(make_stack(stack)), "r"(begin) : "memory");
	__builtin_unreachable();
}
