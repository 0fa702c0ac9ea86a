/* The table of processes and threads, and what /proc tells of them.
 *
 * How they begin is fork.c's and exec.c's, how they end wait.c's.
 */
#include "libos/posix/signal.h"

#define PID_MAX		32768
#define PID_LOW		300		/* where numbering goes on after PID_MAX */

struct task *task_init;
static struct task **by_pid;
static struct thread **by_tid;
static int last_tid, highest;

void processes_init(void)
{
	by_pid = kmalloc(PID_MAX * sizeof *by_pid);
	by_tid = kmalloc(PID_MAX * sizeof *by_tid);
	if (!by_pid || !by_tid)
		posix_panic("no memory for the process table");
}

static bool names_group(int id)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		if (p->pgid == id || p->sid == id)
			return true;
	return false;
}

int tid_new(void)
{
	static bool wrapped;	/* before that, no group can be older than its leader's number */
	for (int tries = 0; tries < PID_MAX; tries++) {
		if (++last_tid >= PID_MAX) {
			last_tid = PID_LOW;
			wrapped = true;
		}
		if (by_pid[last_tid] || by_tid[last_tid] || (wrapped && names_group(last_tid)))
			continue;
		highest = last_tid > highest ? last_tid : highest;
		return last_tid;
	}
	return 0;
}

struct task *task_find(int pid)
{
	return pid > 0 && pid < PID_MAX ? by_pid[pid] : NULL;
}

struct thread *thread_find(int tid)
{
	return tid > 0 && tid < PID_MAX ? by_tid[tid] : NULL;
}

struct process *process_find(int pid)
{
	struct task *t = task_find(pid);
	return t ? &t->p : NULL;
}

struct process *process_next(int after)
{
	for (int pid = after + 1; pid <= highest; pid++)
		if (by_pid[pid])
			return &by_pid[pid]->p;
	return NULL;
}

struct process *current_process(void)
{
	return &this_task()->p;
}

int process_threads(struct process *p)
{
	return (int)task_of(p)->nthreads;
}

bool task_is_zombie(const struct task *t)
{
	return t->p.state == 'Z';
}

/* ---- making and freeing -------------------------------------------------------------- */

static void limits_init(struct task *t)
{
	for (unsigned i = 0; i < RLIMITS; i++)
		t->limit[i].soft = t->limit[i].hard = RLIM_INFINITY;
	t->limit[RLIMIT_STACK].soft = 8ul << 20;
	t->limit[RLIMIT_CORE].soft = 0;
	t->limit[RLIMIT_NPROC].soft = t->limit[RLIMIT_NPROC].hard = PID_MAX / 2;
	t->limit[RLIMIT_SIGPENDING].soft = t->limit[RLIMIT_SIGPENDING].hard = PID_MAX / 2;
	t->limit[RLIMIT_NOFILE].soft = 1024;
	t->limit[RLIMIT_NOFILE].hard = 4096;
	t->limit[RLIMIT_MEMLOCK].soft = t->limit[RLIMIT_MEMLOCK].hard = 8ul << 20;
	t->limit[RLIMIT_MSGQUEUE].soft = t->limit[RLIMIT_MSGQUEUE].hard = 819200;
	t->limit[RLIMIT_NICE].soft = t->limit[RLIMIT_NICE].hard = 0;
	t->limit[RLIMIT_RTPRIO].soft = t->limit[RLIMIT_RTPRIO].hard = 0;
	t->p.limit_nofile = 1024;
	t->p.limit_fsize = RLIM_INFINITY;
}

/* What a child has from its parent, except memory, files and signals. */
static void inherit(struct task *t, const struct task *from)
{
	const struct process *p = &from->p;
	t->p.pgid = p->pgid;
	t->p.sid = p->sid;
	t->p.uid = p->uid;
	t->p.euid = p->euid;
	t->p.suid = p->suid;
	t->p.gid = p->gid;
	t->p.egid = p->egid;
	t->p.sgid = p->sgid;
	t->p.tty = p->tty;
	memcpy(t->p.name, p->name, sizeof t->p.name);
	t->p.limit_nofile = p->limit_nofile;
	t->p.limit_fsize = p->limit_fsize;
	memcpy(t->limit, from->limit, sizeof t->limit);
	memcpy(t->groups, from->groups, sizeof t->groups);
	t->ngroups = from->ngroups;
	t->nice = from->nice;
	t->dumpable = from->dumpable;
	if ((t->trace = from->trace))
		file_get(t->trace);
}

void task_adopt(struct task *parent, struct task *child)
{
	child->p.parent = &parent->p;
	child->sibling = parent->children;
	parent->children = child;
}

struct task *task_new(struct task *parent)
{
	struct task *t = kmalloc(sizeof *t);
	int pid = t ? tid_new() : 0;
	if (!pid) {
		kfree(t);
		return NULL;
	}
	t->p.pid = pid;
	t->p.state = 'R';
	t->p.start_time = time_now();
	t->dumpable = true;
	t->exit_signal = SIG_CHLD;
	t->cpu_next = FOREVER;
	if (parent) {
		inherit(t, parent);
		task_adopt(parent, t);
	} else {
		limits_init(t);
		t->p.pgid = t->p.sid = pid;
	}
	by_pid[pid] = t;
	return t;
}

void task_free(struct task *t)
{
	if (t->p.parent) {
		struct task **link = &task_of(t->p.parent)->children;
		while (*link != t)
			link = &(*link)->sibling;
		*link = t->sibling;
	}
	by_pid[t->p.pid] = NULL;
	trace_end(t);
	kfree(t);
}

void task_add_thread(struct task *t, struct thread *th, int tid)
{
	th->tid = tid;
	th->task = t;
	th->sibling = t->threads;
	t->threads = th;
	t->nthreads++;
	by_tid[tid] = th;
}

void task_remove_thread(struct thread *th)
{
	struct thread **link = &th->task->threads;
	while (*link != th)
		link = &(*link)->sibling;
	*link = th->sibling;
	th->task->nthreads--;
	by_tid[th->tid] = NULL;
}

uint64_t task_time(struct task *t)
{
	uint64_t sum = t->dead_ns;
	for (struct thread *th = t->threads; th; th = th->sibling)
		sum += thread_time(th);
	return sum;
}

uint64_t task_rss_most(struct task *t)
{
	uint64_t now = t->p.mm ? mm_pages_most(t->p.mm) : 0;
	return now > t->rss_most ? now : t->rss_most;
}

bool group_orphaned(int pgid)
{
	for (struct process *p = process_next(0); p; p = process_next(p->pid))
		if (p->pgid == pgid && p->state != 'Z' && p->parent && p->parent->pgid != pgid &&
		    p->parent->sid == p->sid)
			return false;
	return true;
}

/* ---- /proc ------------------------------------------------------------------------------ */

/* Bytes of a process's memory, as far as they are there. */
static size_t peek(struct mm *mm, uint64_t from, uint64_t end, char *buf, size_t n)
{
	size_t done = 0;
	while (mm && from < end && done < n) {
		uint64_t *pt1 = pt1_find(mm, from), e = pt1 ? pt1[pt1_index(from)] : 0;
		size_t part = PAGE - (from & (PAGE - 1));
		part = part < n - done ? part : n - done;
		part = part < end - from ? part : end - from;
		if (!(e & EXO_PTE_P))
			break;
		memcpy(buf + done, (char *)frame_page(pte_pfn(e)) + (from & (PAGE - 1)), part);
		done += part;
		from += part;
	}
	return done;
}

size_t process_cmdline(struct process *p, char *buf, size_t n)
{
	return p->mm ? peek(p->mm, p->mm->arg_start, p->mm->arg_end, buf, n) : 0;
}

size_t process_environ(struct process *p, char *buf, size_t n)
{
	return p->mm ? peek(p->mm, p->mm->env_start, p->mm->env_end, buf, n) : 0;
}

void process_memory(struct process *p, uint64_t *virtual_bytes, uint64_t *resident_bytes)
{
	*virtual_bytes = p->mm ? mm_pages_of(p->mm) * PAGE : 0;
	*resident_bytes = p->mm ? p->mm->pages * PAGE : 0;
}

struct file *process_exe(struct process *p)
{
	return p->mm ? p->mm->exe : NULL;
}
