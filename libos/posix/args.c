/* Arguments, environment and auxiliary vector: collected from the caller, and laid out on the
 * new program's stack as Linux does.
 *
 * From the top: 8 zero bytes, the file name, environment and argument strings; "x86_64", 16
 * random bytes; auxv, envp, argv, argc at a multiple of 16.
 */
#include "libos/posix/args.h"

#define AUX_MAX		24
#define STACK_FIRST	(132ul << 10)	/* of the stack's area at the start; it grows */

/* ---- collecting ------------------------------------------------------------------------ */

static long total_limit(void)
{
	uint64_t limit = this_task()->limit[RLIMIT_STACK].soft / 4;
	uint64_t most = (8ul << 20) / 4 * 3;
	limit = limit < most ? limit : most;
	return (long)(limit > ARG_STRING_MAX ? limit : ARG_STRING_MAX);
}

static char *room_for_more(struct args *a)
{
	if (a->bytes < a->pages * PAGE)
		return a->page[a->bytes / PAGE] + a->bytes % PAGE;
	if (a->pages == a->room) {
		size_t room = a->room ? a->room * 2 : 4;
		char **p = krealloc(a->page, room * sizeof *p);
		if (!p)
			return NULL;
		a->page = p;
		a->room = room;
	}
	char *page = page_alloc();
	if (page)
		a->page[a->pages++] = page;
	return page;
}

/* One string, page by page. */
static long add_user(struct args *a, uint64_t from)
{
	for (size_t length = 0;;) {
		char *to = room_for_more(a);
		size_t part = PAGE - a->bytes % PAGE;
		if (!to)
			return -ENOMEM;
		long n = string_from_user(to, from + length, part);
		if (n == -EFAULT)
			return n;
		size_t got = n >= 0 ? (size_t)n + 1 : part;
		a->bytes += got;
		length += got;
		if (length > ARG_STRING_MAX)
			return -E2BIG;
		if (n >= 0)
			return 0;
	}
}

static long add_list(struct args *a, uint64_t list, unsigned *count)
{
	for (*count = 0; list; ++*count, list += 8) {
		uint64_t at;
		if (copy_from_user(&at, list, sizeof at))
			return -EFAULT;
		if (!at)
			break;
		long error = add_user(a, at);
		if (error)
			return error;
		if ((long)(a->bytes + (*count + 1) * 8) > total_limit())
			return -E2BIG;
	}
	return 0;
}

/* A program has at least an (empty) argv[0]. */
static long add_empty(struct args *a)
{
	char *to = a->argc ? NULL : room_for_more(a);
	if (a->argc)
		return 0;
	if (!to)
		return -ENOMEM;
	*to = 0;
	a->bytes++;
	a->argc = 1;
	return 0;
}

static void measure_first(struct args *a)
{
	size_t at = 0;
	while (a->page[at / PAGE][at % PAGE])
		at++;
	a->skip_bytes = at + 1;
}

long args_from_user(struct args *a, uint64_t argv, uint64_t envp)
{
	long error = add_list(a, argv, &a->argc);
	if (!error)
		error = add_empty(a);
	a->arg_bytes = a->bytes;
	if (!error)
		error = add_list(a, envp, &a->envc);
	if (!error)
		measure_first(a);
	return error;
}

static long add_kernel(struct args *a, const char *text)
{
	do {
		char *to = room_for_more(a);
		if (!to)
			return -ENOMEM;
		*to = *text;
		a->bytes++;
	} while (*text++);
	return 0;
}

long args_from_kernel(struct args *a, const char *const *argv, const char *const *envp)
{
	long error = 0;
	for (; !error && argv[a->argc]; a->argc++)
		error = add_kernel(a, argv[a->argc]);
	a->arg_bytes = a->bytes;
	for (; !error && envp[a->envc]; a->envc++)
		error = add_kernel(a, envp[a->envc]);
	if (!error)
		measure_first(a);
	return error;
}

static char *append(char *to, const char *text)
{
	size_t n = strlen(text) + 1;
	memcpy(to, text, n);
	return to + n;
}

long args_script(struct args *a, const char *script, const char *interpreter, const char *argument)
{
	size_t n = strlen(script) + strlen(interpreter) + (argument ? strlen(argument) + 1 : 0) + 2;
	size_t drop = a->front_count ? strlen(a->front) + 1 : 0;
	char *front = kmalloc(n + a->front_bytes - drop);
	if (!front)
		return -ENOMEM;
	char *to = append(front, interpreter);
	if (argument)
		to = append(to, argument);
	to = append(to, script);
	memcpy(to, a->front + drop, a->front_bytes - drop);
	a->front_bytes += n - drop;
	a->front_count += (argument ? 3 : 2) - (drop ? 1 : 0);
	kfree(a->front);
	a->front = front;
	a->skipped = true;
	return 0;
}

const char *args_interpreter(const struct args *a)
{
	return a->front;
}

void args_free(struct args *a)
{
	for (size_t i = 0; i < a->pages; i++)
		page_free(a->page[i]);
	kfree(a->page);
	kfree(a->front);
}

/* ---- the stack ------------------------------------------------------------------------------ */

static int put_strings(const struct args *a, uint64_t to)
{
	size_t skip = a->skipped ? a->skip_bytes : 0;
	if (copy_to_user(to, a->front, a->front_bytes))
		return -EFAULT;
	to += a->front_bytes;
	for (size_t at = skip; at < a->bytes;) {
		size_t part = PAGE - at % PAGE;
		part = part < a->bytes - at ? part : a->bytes - at;
		if (copy_to_user(to, a->page[at / PAGE] + at % PAGE, part))
			return -EFAULT;
		to += part;
		at += part;
	}
	return 0;
}

/* Pointers to `count` strings that begin at *string, then NULL. */
static int put_pointers(uint64_t *to, uint64_t *string, unsigned count)
{
	char text[64];
	for (; count; count--, *to += 8) {
		if (copy_to_user(*to, string, 8))
			return -EFAULT;
		for (long n = -ENAMETOOLONG; n < 0;) {
			n = string_from_user(text, *string, sizeof text);
			if (n == -EFAULT)
				return -EFAULT;
			*string += n < 0 ? sizeof text : (size_t)n + 1;
		}
	}
	*to += 8;
	return clear_user(*to - 8, 8);
}

static uint32_t cpu_features(void)
{
	uint32_t a = 1, b, c = 0, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

static unsigned aux_fill(uint64_t (*aux)[2], const struct start_regs *s, uint64_t random,
	uint64_t name, uint64_t platform)
{
	const struct process *p = current_process();
	uint64_t v[][2] = {
		{ AT_MINSIGSTKSZ, sizeof(struct rt_sigframe) + xsave_size + 64 + 8 },
		{ AT_HWCAP, cpu_features() }, { AT_PAGESZ, PAGE }, { AT_CLKTCK, TICKS },
		{ AT_PHDR, s->headers }, { AT_PHENT, 56 }, { AT_PHNUM, s->header_count },
		{ AT_BASE, s->interpreter }, { AT_FLAGS, 0 }, { AT_ENTRY, s->program_entry },
		{ AT_UID, p->uid }, { AT_EUID, p->euid }, { AT_GID, p->gid }, { AT_EGID, p->egid },
		{ AT_SECURE, 0 }, { AT_RANDOM, random }, { AT_HWCAP2, have_fsgsbase ? 2 : 0 },
		{ AT_EXECFN, name }, { AT_PLATFORM, platform }, { AT_NULL, 0 },
	};
	memcpy(aux, v, sizeof v);
	return sizeof v / sizeof v[0];
}

static int put_vectors(struct mm *mm, const struct args *a, struct start_regs *s, uint64_t strings,
	uint64_t name)
{
	uint64_t aux[AUX_MAX][2], random[2], string = strings;
	uint64_t argc = a->argc + a->front_count - (a->skipped ? 1 : 0);
	uint64_t platform = (strings & ~15ul) - 7, random_at = platform - 16;
	unsigned n = aux_fill(aux, s, random_at, name, platform);
	random_bytes(random, sizeof random);
	s->rsp = ((random_at & ~15ul) - (1 + argc + 1 + a->envc + 1) * 8 - n * sizeof aux[0]) & ~15ul;
	uint64_t to = s->rsp + 8;
	mm->arg_start = string;
	int error = copy_to_user(platform, "x86_64", 7) || copy_to_user(random_at, random, 16) ||
		copy_to_user(s->rsp, &argc, 8) || put_pointers(&to, &string, (unsigned)argc);
	mm->arg_end = mm->env_start = string;
	error = error || put_pointers(&to, &string, a->envc);
	mm->env_end = string;
	return error || copy_to_user(to, aux, n * sizeof aux[0]) ? -EFAULT : 0;
}

long args_stack(struct mm *mm, struct args *a, struct start_regs *s, bool executable)
{
	size_t name_bytes = strlen(a->name) + 1;
	size_t bytes = a->front_bytes + a->bytes - (a->skipped ? a->skip_bytes : 0);
	uint64_t name = USER_END - 8 - name_bytes, strings = name - bytes;
	struct vma v = { .start = page_down(strings) - STACK_FIRST, .end = USER_END,
		.prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0), .flags = VMA_GROWS };
	if (bytes + name_bytes > mm->stack_limit)
		return -E2BIG;
	int error = mm_map(mm, v);
	if (!error)
		error = copy_to_user(name, a->name, name_bytes) || put_strings(a, strings) ? -EFAULT : 0;
	return error ? error : put_vectors(mm, a, s, strings, name);
}
