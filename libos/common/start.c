/* The first steps of a domain, its start page, and its end.  See start.h. */
#include "libos/common/start.h"
#include "libos/common/pt.h"
#include "libos/common/text.h"
#include "libos/common/upcall.h"

extern char __text_lo[], __text_hi[];	/* app.ld */
_Noreturn void start_here(struct exo_start *s);

struct exo_start *start_page;
struct upcall_base *upcall_first;
static uint8_t upcall_stack[UPCALL_STACK_SIZE]
	__attribute__((section(".bss.upcall"), aligned(UPCALL_STACK_SIZE)));
static const struct upcall_handlers no_handlers;

_Noreturn void start_here(struct exo_start *s)
{
	start_page = s;
	if (s->magic != EXO_START_MAGIC || exo_null().value != EXO_ABI_VERSION)
		domain_exit(126);
	exo_context_ctl(0, EXO_CTX_ROUTE, (uint64_t)__text_lo, (uint64_t)__text_hi, 0);
	upcall_init(upcall_stack, (struct exo_control *)s->control, &no_handlers, NULL);
	upcall_first = upcall_base_of(upcall_stack);
	pt_init(s);
	domain_exit(main(s));
}

void upcall_set(const struct upcall_handlers *h)
{
	upcall_first->handlers = h;
}

uint64_t start_cap(const struct exo_start *s, const char *name)
{
	for (unsigned i = 0; i < s->caps && i < EXO_START_CAPS; i++)
		if (!strncmp(s->cap[i].name, name, sizeof s->cap[i].name))
			return s->cap[i].cap;
	return 0;
}

uint64_t start_cap_at(const struct exo_start *s, const char *name, unsigned number)
{
	char text[24];
	snprintf(text, sizeof text, "%s%u", name, number);
	return start_cap(s, text);
}

bool start_add_cap(struct exo_start *s, const char *name, uint64_t cap)
{
	if (s->caps >= EXO_START_CAPS)
		return false;
	struct exo_start_cap *c = &s->cap[s->caps++];
	text_copy(c->name, name, sizeof c->name);
	c->cap = cap;
	return true;
}

int start_option(const struct exo_start *s, const char *name, char *value, size_t size)
{
	size_t n = strlen(name), end = strnlen(s->cmdline, sizeof s->cmdline);
	for (size_t at = 0, stop; at < end; at = stop + 1) {
		const char *word = s->cmdline + at;
		for (stop = at; stop < end && s->cmdline[stop] != ' '; stop++)
			;
		size_t length = stop - at;
		if (!n || length <= n || word[n] != '=' || memcmp(word, name, n))
			continue;
		length -= n + 1;
		if (length >= size)
			return -1;
		memcpy(value, word + n + 1, length);
		value[length] = 0;
		return length;
	}
	return -1;
}

_Noreturn void domain_exit(uint64_t status)
{
	for (;;)
		exo_domain_ctl(0, EXO_DOM_EXIT, status, 0);
}

_Noreturn void domain_fail(const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_line("%s", text);
	domain_exit(DOMAIN_FAILED);
}
