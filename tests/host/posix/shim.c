/* The processes half as the host tests play it: see shim.h. */
#include <stdarg.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/host/posix/shim.h"
#include "libos/posix/inner.h"
#include "libos/posix/proc.h"

/* ---- heap ---- */

static size_t objects;

void *kmalloc(size_t n)
{
	objects++;
	return calloc(1, n ? n : 1);
}

void *krealloc(void *p, size_t n)
{
	objects += !p;
	return realloc(p, n);
}

void kfree(void *p)
{
	objects -= p != NULL;
	free(p);
}

size_t objects_used(void)
{
	return objects;
}

#define FRAMES 65536u
static uint8_t *arena;
static uint16_t refs[FRAMES];
static uint32_t free_list[FRAMES], free_count, touched;
static size_t used;
size_t pages_left = ~0ul;

void *page_alloc(void)
{
	uint32_t pfn;

	if (!pages_left || used == FRAMES)
		return NULL;
	pages_left--;
	if (!arena)
		arena = mmap(NULL, (size_t)FRAMES * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pfn = free_count ? free_list[--free_count] : touched++;
	ASAN_UNPOISON_MEMORY_REGION(arena + (size_t)pfn * PAGE, PAGE);
	memset(arena + (size_t)pfn * PAGE, 0, PAGE);
	refs[pfn] = 1;
	used++;
	return arena + (size_t)pfn * PAGE;
}

uint32_t page_frame(const void *page)
{
	CHECK(((uintptr_t)page - (uintptr_t)arena) % PAGE == 0, "not a page");
	return ((const uint8_t *)page - arena) / PAGE;
}

void *frame_page(uint32_t pfn)
{
	return arena + (size_t)pfn * PAGE;
}

void frame_get(uint32_t pfn)
{
	CHECK(refs[pfn], "frame_get of a free frame");
	refs[pfn]++;
}

void frame_put(uint32_t pfn)
{
	CHECK(refs[pfn], "frame_put of a free frame");
	if (--refs[pfn])
		return;
	ASAN_POISON_MEMORY_REGION(arena + (size_t)pfn * PAGE, PAGE);
	free_list[free_count++] = pfn;
	used--;
}

void page_free(void *page)
{
	frame_put(page_frame(page));
}

size_t pages_used(void)
{
	return used;
}

size_t frames_free(void)
{
	return FRAMES - used;
}

size_t frames_total(void)
{
	return FRAMES;
}

/* ---- user memory ---- */

uint64_t fault_from, fault_to;

static bool faults(uint64_t at, size_t n)
{
	return (n && at < 4096) || at > 0x7fffffffffff ||
		(fault_from < fault_to && at < fault_to && at + n > fault_from);
}

int copy_from_user(void *to, uint64_t from, size_t n)
{
	if (faults(from, n))
		return -EFAULT;
	if (n)
		memcpy(to, (void *)from, n);
	return 0;
}

int copy_to_user(uint64_t to, const void *from, size_t n)
{
	if (faults(to, n))
		return -EFAULT;
	if (n)
		memcpy((void *)to, from, n);
	return 0;
}

long string_from_user(char *to, uint64_t from, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if (copy_from_user(to + k, from + k, 1))
			return -EFAULT;
		if (!to[k])
			return k;
	}
	return -ENAMETOOLONG;
}

/* ---- coroutines ---- */

#define ACTORS 16
#define STACK (256u * 1024)
#define WAITS 64

struct thread { int unused; };

struct actor {
	struct process p;
	void *sp;			/* while it doesn't run */
	void *fake;			/* ASan's for its stack */
	struct thread thread;
	void (*run)(void);
	uint8_t *stack;
	bool live, sleeping, woken;
	int why;
	uint64_t deadline;
	uint64_t signals, ignored;
	struct waiter waits[WAITS];
	size_t nwaits;
};

static struct actor actors[ACTORS];
static struct actor *running;
static struct { void *sp, *fake; const void *bottom; size_t size; } scheduler;

/* Saves the callee-saved registers and the stack pointer in *save, and goes on from `to`. */
void stack_switch(void **save, void *to);
__asm__(".text; stack_switch: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15;"
	"mov %rsp, (%rdi); mov %rsi, %rsp;"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");
uint64_t now_ns = 1000000000;

uint64_t time_now(void)
{
	return now_ns;
}

uint64_t time_wall(void)
{
	return now_ns + 1600000000ull * 1000000000;
}

/* To the scheduler; an actor that is done never comes back. */
static void leave(void)
{
	struct actor *me = running;

	__sanitizer_start_switch_fiber(me->live ? &me->fake : NULL, scheduler.bottom,
		scheduler.size);
	stack_switch(&me->sp, scheduler.sp);
	__sanitizer_finish_switch_fiber(me->fake, &scheduler.bottom, &scheduler.size);
}

static void enter(struct actor *a)
{
	__sanitizer_start_switch_fiber(&scheduler.fake, a->stack, STACK);
	stack_switch(&scheduler.sp, a->sp);
	__sanitizer_finish_switch_fiber(scheduler.fake, NULL, NULL);
}

static void waits_drop(struct actor *a)
{
	for (size_t k = 0; k < a->nwaits; k++) {
		struct waiter *w = &a->waits[k];

		*w->link = w->next;
		if (w->next)
			w->next->link = w->link;
	}
	a->nwaits = 0;
}

int sleep_on_many(struct waitq **queues, size_t n, uint64_t deadline)
{
	struct actor *me = running;

	CHECK(n <= WAITS, "too many queues");
	if (me->signals & ~me->ignored & 1)
		return -ERESTARTSYS;
	for (size_t k = 0; k < n; k++) {
		struct waiter *w = &me->waits[k];

		*w = (struct waiter){ queues[k]->head, &queues[k]->head, &me->thread, queues[k] };
		if (w->next)
			w->next->link = &w->next;
		queues[k]->head = w;
	}
	me->nwaits = n;
	me->deadline = deadline;
	me->sleeping = true;
	leave();
	return me->why;
}

int sleep_on(struct waitq *q, uint64_t deadline)
{
	return sleep_on_many(&q, 1, deadline);
}

static void rouse(struct actor *a, int why)
{
	waits_drop(a);
	a->sleeping = false;
	a->why = why;
}

void wake_all(struct waitq *q)
{
	while (q->head)
		rouse((struct actor *)((char *)q->head->thread - offsetof(struct actor, thread)),
			0);
}

void wake_one(struct waitq *q)
{
	if (q->head)
		rouse((struct actor *)((char *)q->head->thread - offsetof(struct actor, thread)),
			0);
}

static void actor_main(void)
{
	__sanitizer_finish_switch_fiber(NULL, &scheduler.bottom, &scheduler.size);
	running->run();
	files_put(running->p.files);
	fs_put(running->p.fs);
	running->live = false;
	leave();
}

static struct actor *actor_new(void (*run)(void))
{
	struct actor *a = actors;

	while (a < actors + ACTORS && a->live)
		a++;
	CHECK(a < actors + ACTORS, "too many actors");
	free(a->stack);
	*a = (struct actor){ .run = run, .live = true, .stack = malloc(STACK) };
	a->p = (struct process){ .pid = a - actors + 1, .pgid = 1, .sid = 1, .state = 'S',
		.name = "actor", .limit_nofile = 1024, .limit_fsize = ~0ull };
	a->sp = a->stack + STACK - 8 * sizeof(void *);
	memset(a->sp, 0, 8 * sizeof(void *));
	((void (**)(void))a->sp)[6] = actor_main;	/* where stack_switch returns to */
	return a;
}

struct process *actor_start(void (*run)(void))
{
	struct actor *a = actor_new(run);

	a->p.parent = &running->p;
	a->p.files = files_copy(running->p.files);
	a->p.fs = fs_copy(running->p.fs);
	a->p.pgid = running->p.pgid;
	a->p.sid = running->p.sid;
	a->p.tty = running->p.tty;
	return &a->p;
}

bool actor_done(struct process *p)
{
	return !((struct actor *)p)->live;
}

static struct actor *pick(bool main_too)
{
	for (struct actor *a = actors + 1; a < actors + ACTORS; a++)
		if (a->live && !a->sleeping)
			return a;
	return main_too && actors[0].live && !actors[0].sleeping ? &actors[0] : NULL;
}

/* Nobody can run: moves time on to the first deadline. */
static bool time_pass(void)
{
	struct actor *first = NULL;

	for (struct actor *a = actors; a < actors + ACTORS; a++)
		if (a->live && a->sleeping && (!first || a->deadline < first->deadline))
			first = a;
	if (!first || first->deadline == ~0ull)
		return false;
	if (first->deadline > now_ns)
		now_ns = first->deadline;
	rouse(first, -ETIMEDOUT);
	return true;
}

static void schedule_all(void)
{
	while (actors[0].live) {
		running = pick(true);
		if (running)
			enter(running);
		else
			CHECK(time_pass(), "all sleep for ever");
	}
}

void settle(void)
{
	leave();
}

/* ---- processes ---- */

struct process *current_process(void)
{
	return running ? &running->p : NULL;
}

struct process *process_find(int pid)
{
	return pid > 0 && pid <= ACTORS && actors[pid - 1].live ? &actors[pid - 1].p : NULL;
}

struct process *process_next(int after)
{
	for (int pid = after < 0 ? 1 : after + 1; pid <= ACTORS; pid++)
		if (process_find(pid))
			return process_find(pid);
	return NULL;
}

int process_threads(struct process *p) { (void)p; return 1; }

static size_t fill(char *buf, size_t n, const char *text, size_t length)
{
	memcpy(buf, text, smaller(n, length));
	return smaller(n, length);
}

size_t process_cmdline(struct process *p, char *buf, size_t n) { (void)p; return fill(buf, n,
	"a\0b", 4); }
size_t process_environ(struct process *p, char *buf, size_t n) { (void)p; return fill(buf, n, "A=1",
	4); }
size_t process_maps(struct process *p, char *buf, size_t n) { (void)p; memset(buf, 'm',
	n < 9000 ? n : 9000); return n < 9000 ? n : 9000; }
void process_memory(struct process *p, uint64_t *v, uint64_t *r) { (void)p; *v = 81920; *r = 8192; }
void process_signals(struct process *p, struct signal_sets *sets)
{
	(void)p;
	*sets = (struct signal_sets){ 0 };
}
struct file *process_exe(struct process *p) { (void)p; return NULL; }
uint64_t cpu_busy_ns(void) { return 5000000000ull; }
uint64_t cpu_idle_ns(void) { return 7000000000ull; }
int cpus(void) { return 2; }
const char *host_name(void) { return "host"; }

void file_unmap(struct inode *i, uint64_t first, uint64_t end)
{
	(void)i, (void)first, (void)end;
}

static void signal_to(struct actor *a, int sig)
{
	a->signals |= 1ull << sig;
	if (!(a->ignored >> sig & 1) && a->sleeping && sig != SIGWINCH && sig != SIGCONT)
		rouse(a, -ERESTARTSYS);
}

void signal_process(struct process *p, int sig)
{
	signal_to((struct actor *)p, sig);
}

void signal_group(int pgid, int sig)
{
	for (struct actor *a = actors; a < actors + ACTORS; a++)
		if (a->live && a->p.pgid == pgid)
			signal_to(a, sig);
}

bool signal_ignored_or_blocked(struct process *p, int sig)
{
	return ((struct actor *)p)->ignored >> sig & 1;
}

uint64_t signals_of(struct process *p) { return ((struct actor *)p)->signals; }
void signals_clear(struct process *p) { ((struct actor *)p)->signals = 0; }
void signals_ignore(struct process *p, uint64_t mask) { ((struct actor *)p)->ignored = mask; }
bool group_orphaned(int pgid) { return pgid == 99; }
void signals_block_for_call(uint64_t mask) { (void)mask; }

void random_bytes(void *to, size_t n)
{
	static uint32_t state = 1;

	for (size_t k = 0; k < n; k++)
		((uint8_t *)to)[k] = (state = state * 1103515245 + 12345) >> 16;
}

void posix_log(const char *format, ...)
{
	(void)format;
}

void posix_panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	abort();
}

size_t text_copy(char *to, const char *from, size_t size)
{
	return snprintf(to, size, "%s", from);
}

bool text_number(const char *s, uint64_t *value)
{
	char *end;

	*value = strtoull(s, &end, 0);
	return *s && !*end;
}

/* Devices that only the machine has. */
const struct file_ops domain_ops, trace_ops;

/* ---- the line ---- */

uint8_t line_out[1 << 20];
size_t line_length, line_limit = sizeof line_out;

size_t console_write_raw(const uint8_t *bytes, size_t n)
{
	n = smaller(n, line_limit - smaller(line_limit, line_length));
	memcpy(line_out + line_length, bytes, n);
	line_length += n;
	return n;
}

static unsigned resumed;

void console_resume(void)
{
	resumed++;
}

/* ---- shorthands ---- */

long open_path(const char *path, uint32_t flags, uint32_t mode)
{
	return SYS(open, path, flags, mode);
}

void write_file(const char *path, const char *text)
{
	long fd = open_path(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0, "%s: %ld", path, fd);
	IS(SYS(write, fd, text, strlen(text)), (long)strlen(text));
	IS(SYS(close, fd), 0);
}

const char *read_file(const char *path)
{
	static char text[65536];
	long fd = open_path(path, O_RDONLY, 0), n;

	CHECK(fd >= 0, "%s: %ld", path, fd);
	n = SYS(read, fd, text, sizeof text - 1);
	CHECK(n >= 0, "reading %s: %ld", path, n);
	text[n] = 0;
	IS(SYS(close, fd), 0);
	return text;
}

/* ---- running a test ---- */

#define FAILED 77		/* a test's exit status that says: told */

static const char *current_name = "?";

void fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("FAIL posix-%s: %s:%d: ", current_name, file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(FAILED);
}

static void run(struct test *t)
{
	struct actor *a;

	vfs_init();
	vfs_ready();
	a = actor_new(t->run);
	a->p.files = files_new();
	a->p.fs = fs_new();
	schedule_all();
	printf("ok posix-%s\n", t->name);
	fflush(stdout);
	_exit(0);
}

bool test_run(struct test *t)
{
	int status;

	current_name = t->name;
	fflush(stdout);
	if (fork() == 0)
		run(t);
	wait(&status);
	if (status && !(WIFEXITED(status) && WEXITSTATUS(status) == FAILED))
		printf("FAIL posix-%s: it crashed (status %#x)\n", t->name, status);
	return status == 0;
}

/* There is no network: /proc/net is empty. */
const struct proc_node proc_net[] = { { NULL } };

/* Nor is this a session within another one. */
bool inner;
long inner_open(struct files *files)
{
	(void)files;
	return -ENXIO;
}
