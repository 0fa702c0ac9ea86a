/* execve: opening a program (through `#!` lines), its memory, and the switch to it.
 *
 * The new address space is built beside the old one; until it is complete, any error leaves the
 * caller as it was.  Arguments and the initial stack are args.c's.
 */
#include "libos/posix/args.h"
#include "libos/posix/domain.h"
#include "libos/posix/mm.h"
#include "libos/posix/program.h"
#include "libos/posix/signal.h"
#include "libos/posix/syscall.h"

#define SCRIPTS_MAX	5		/* `#!` lines followed, as in Linux */

/* ---- memory of a program ------------------------------------------------------------------- */

static int map_file(struct mm *mm, struct file *f, uint64_t start, uint64_t end, uint32_t prot,
	uint64_t offset)
{
	struct vma v = { .start = start, .end = end, .prot = prot, .file = f, .offset = offset };
	file_get(f);
	int error = mm_map(mm, v);
	if (error)
		file_put(f);
	return error;
}

/* What lies behind the file's bytes in a segment is zero: the rest of the last page, and
 * anonymous pages. */
static int map_segment(struct mm *mm, struct file *f, const struct program_header *h, uint64_t base)
{
	uint32_t prot = (h->flags & PF_R ? PROT_READ : 0) | (h->flags & PF_W ? PROT_WRITE : 0) |
		(h->flags & PF_X ? PROT_EXEC : 0);
	uint64_t start = page_down(base + h->vaddr), file_end = base + h->vaddr + h->file_size;
	uint64_t end = page_up(base + h->vaddr + h->size);
	int error = 0;
	if (!h->size)
		return 0;
	if (h->file_size)
		error = map_file(mm, f, start, page_up(file_end), prot, page_down(h->offset));
	uint64_t zero_from = h->file_size ? page_up(file_end) : start;
	if (!error && end > zero_from)
		error = mm_map(mm, (struct vma){ .start = zero_from, .end = end, .prot = prot });
	if (!error && h->size > h->file_size && prot & PROT_WRITE && file_end & (PAGE - 1) && h->file_size)
		error = clear_user(file_end, page_up(file_end) - file_end);
	return error;
}

static int map_program(struct mm *mm, struct file *f, const struct program *p, uint64_t base)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct program_header *h = &p->header[i];
		int error = h->type == PT_LOAD ? map_segment(mm, f, h, base) : 0;
		if (error)
			return error;
	}
	return 0;
}

static int read_program(struct file *f, const char *head, long n, struct program *p)
{
	uint64_t at, bytes;
	int error = program_head(head, n < 0 ? 0 : (uint64_t)n, p, &at, &bytes);
	if (error)
		return error;
	if (file_read_at(f, p->header, bytes, at) != (long)bytes)
		return -ENOEXEC;
	return program_check(p, file_size(f));
}

/* ---- the dynamic linker ------------------------------------------------------------------------ */

static long open_interpreter(struct file *f, const struct program *p, struct file **out)
{
	char *path = page_alloc();
	if (!path)
		return -ENOMEM;
	long n = file_read_at(f, path, p->interp_size, p->interp);
	long error = n != (long)p->interp_size || path[n - 1] ? -ENOEXEC : file_open_exec(path, out);
	page_free(path);
	return error;
}

static long map_interpreter(struct mm *mm, struct file *f, const struct program *p, uint64_t *base,
	uint64_t *entry)
{
	struct file *ld;
	struct program *q = kmalloc(sizeof *q);
	char head[PROGRAM_HEAD];
	long error = q ? open_interpreter(f, p, &ld) : -ENOMEM;
	if (error) {
		kfree(q);
		return error;
	}
	error = read_program(ld, head, file_read_at(ld, head, sizeof head, 0), q);
	if (!error) {
		*base = q->pie ? mm_place(mm, q->hi - q->lo) - q->lo : 0;
		*entry = *base + q->entry;
		error = map_program(mm, ld, q, *base);
	}
	file_put(ld);
	kfree(q);
	return error == -ENOEXEC ? -ELIBBAD : error;
}

/* ---- building the new image -------------------------------------------------------------------- */

static long build(struct mm *mm, struct file *f, const struct program *p, struct args *a,
	struct start_regs *s)
{
	uint64_t base = p->pie ? PIE_BASE & ~(p->align - 1) : 0;
	base -= p->pie ? p->lo & ~(p->align - 1) : 0;
	long error = map_program(mm, f, p, base);
	s->rip = s->program_entry = base + p->entry;
	s->headers = p->headers ? base + p->headers : 0;
	s->header_count = p->count;
	mm->brk_start = mm->brk = page_up(base + p->hi);
	if (!error && p->interp_size)
		error = map_interpreter(mm, f, p, &s->interpreter, &s->rip);
	if (!error)
		error = args_stack(mm, a, s, p->exec_stack);
	mm->exe = f;
	file_get(f);
	return error;
}

static void use_mm(struct mm *mm)
{
	this_thread()->mm = mm;
	if (mm)
		mm_load(mm);
}

static void registers_reset(struct thread *t, const struct start_regs *s)
{
	*t->regs = (struct regs){ .call = -1, .up = { .rip = s->rip, .cs = EXO_CS64,
		.rflags = 0x202, .rsp = s->rsp, .ss = EXO_SS } };
	memset(t->xstate, 0, xsave_size);
	*(uint16_t *)t->xstate = 0x37f;			/* x87 control word */
	*(uint32_t *)(t->xstate + 24) = 0x1f80;		/* MXCSR */
	t->fs_base = t->gs_base = 0;
	this_cpu()->state_of = NULL;
	thread_state_load(t);
	work_set(t, WORK_REGS);
}

/* The point of no return: the old program goes. */
static void commit(struct task *task, struct mm *old, const char *name, const struct start_regs *s)
{
	struct thread *t = this_thread();
	text_copy(task->p.name, name, sizeof task->p.name);
	task->execed = true;
	t->clear_tid = t->robust_list = 0;
	t->alt_sp = t->alt_size = t->alt_flags = 0;
	if (task->p.signals->refs > 1) {
		struct signals *own = signals_new(task->p.signals);
		if (own) {
			signals_put(task->p.signals);
			task->p.signals = own;
		}
	}
	signals_exec(task);
	posix_timers_end(task);
	files_exec(task->p.files);
	registers_reset(t, s);
	if (s->rip >= USER_END)		/* IRETQ refuses some of these, and is the libOS's own */
		signal_force(t, &(struct siginfo){ .signo = SIG_SEGV, .code = SI_KERNEL });
	vfork_done(task);
	if (old)
		mm_put(old);
}

static long run_elf(struct file *f, const char *head, long n, struct args *a)
{
	struct task *task = this_task();
	struct mm *old = task->p.mm, *mm = NULL;
	struct program *p = kmalloc(sizeof *p);
	struct start_regs s = { 0 };
	long error = p ? read_program(f, head, n, p) : -ENOMEM;
	if (!error)
		error = threads_end_others();
	if (!error && !(mm = mm_new()))
		error = -ENOMEM;
	if (!error) {
		use_mm(mm);
		error = build(mm, f, p, a, &s);
	}
	kfree(p);
	if (error) {
		use_mm(old);
		if (mm)
			mm_put(mm);
		return error;
	}
	task->rss_most = task_rss_most(task);
	task->p.mm = mm;
	const char *name = a->name;
	for (const char *c = name; *c; c++)
		if (*c == '/')
			name = c + 1;
	commit(task, old, name, &s);
	return 0;
}

/* ---- opening --------------------------------------------------------------------------------------- */

/* Where the first line ends; NULL if that is beyond what Linux looks at. */
static char *line_end(char *head, long n)
{
	for (long i = 0; i < n; i++)
		if (head[i] == '\n' || !head[i])
			return head + i;
	return n < PROGRAM_HEAD ? head + n : NULL;
}

/* Splits a `#!` line into interpreter and at most one argument. */
static int script_line(char *head, long n, char **interpreter, char **argument)
{
	char *end = line_end(head, n);
	if (!end)
		return -ENOEXEC;
	*end = 0;
	while (end > head && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	char *c = head + 2;
	while (*c == ' ' || *c == '\t')
		c++;
	if (!*c)
		return -ENOEXEC;
	*interpreter = c;
	while (*c && *c != ' ' && *c != '\t')
		c++;
	*argument = NULL;
	if (*c) {
		*c++ = 0;
		while (*c == ' ' || *c == '\t')
			c++;
		*argument = *c ? c : NULL;
	}
	return 0;
}

/* Follows `#!` lines to a program. */
static long run(const char *path, struct args *a)
{
	char head[PROGRAM_HEAD + 1], *interpreter, *argument;
	const char *open_path = path;
	a->name = path;
	for (unsigned depth = 0; depth <= SCRIPTS_MAX; depth++) {
		struct file *f;
		long error = file_open_exec(open_path, &f);
		if (error)
			return error;
		long n = file_read_at(f, head, PROGRAM_HEAD, 0);
		if (n >= 4 && !memcmp(head, "\177ELF", 4) && domain_program(f, head, n)) {
			file_put(f);
			error = args_script(a, open_path, DOMAIN_TOOL, "--");
			if (error)
				return error;
			open_path = DOMAIN_TOOL;
			continue;
		}
		if (n < 2 || head[0] != '#' || head[1] != '!') {
			error = run_elf(f, head, n, a);
			file_put(f);
			return error;
		}
		file_put(f);
		head[n] = 0;
		error = script_line(head, n, &interpreter, &argument);
		if (!error)
			error = args_script(a, open_path, interpreter, argument);
		if (error)
			return error;
		open_path = args_interpreter(a);
	}
	return -ELOOP;
}

long exec_kernel(const char *path, const char *const *argv, const char *const *envp)
{
	struct args a = { 0 };
	long error = args_from_kernel(&a, argv, envp);
	if (!error)
		error = run(path, &a);
	args_free(&a);
	return error;
}

static long exec_user(const char *path, uint64_t argv, uint64_t envp)
{
	struct args a = { 0 };
	long error = args_from_user(&a, argv, envp);
	if (!error)
		error = run(path, &a);
	args_free(&a);
	return error;
}

CALL3(execve, path_at, argv, envp)
{
	char *path = page_alloc();
	if (!path)
		return -ENOMEM;
	long error = string_from_user(path, path_at, PAGE);
	if (error >= 0)
		error = *path ? exec_user(path, argv, envp) : -ENOENT;
	page_free(path);
	return error;
}

/* A descriptor is named by its /proc path, as Linux names it in AT_EXECFN (/dev/fd there). */
CALL5(execveat, fd, path_at, argv, envp, flags)
{
	char *path = page_alloc(), *full = page_alloc();
	long error = path && full ? string_from_user(path, path_at, PAGE) : -ENOMEM;
	if (flags & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		error = -EINVAL;
	if (error >= 0 && flags & AT_SYMLINK_NOFOLLOW)
		error = path_is_no_link((int)fd, path_at);
	if (error >= 0) {
		if (!*path && !(flags & AT_EMPTY_PATH))
			error = -ENOENT;
		else if (*path == '/' || (int)fd == AT_FDCWD)
			error = exec_user(path, argv, envp);
		else if (snprintf(full, PAGE, *path ? "/proc/self/fd/%d/%s" : "/proc/self/fd/%d",
				(int)fd, path) >= (int)PAGE)
			error = -ENAMETOOLONG;
		else
			error = fd_file((int)fd) ? exec_user(full, argv, envp) : -EBADF;
	}
	page_free(path);
	page_free(full);
	return error;
}
