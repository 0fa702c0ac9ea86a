/* Futexes: waiting on words of user memory.
 *
 * A word in a shared mapping is known by its frame, any other by its address space and address;
 * so FUTEX_PRIVATE_FLAG changes nothing.  Waiters lie in a hash of lists, under the libOS lock:
 * between the test of the word and being on the list nobody can wake in vain.
 */
#include "libos/posix/mm.h"
#include "libos/posix/syscall.h"

#define BUCKETS 256

struct key { uint64_t space, at; };
struct futex_wait {
	struct futex_wait *next, **link;	/* link NULL: woken */
	struct thread *thread;
	struct key key;
	uint32_t bits;
};
static struct { struct futex_wait *head, **end; } bucket[BUCKETS];

static unsigned hash(struct key k)
{
	return (unsigned)((k.space ^ k.at * 0x9e3779b97f4a7c15ul) >> 32) % BUCKETS;
}

/* Serves the page if need be; write: it must be writable. */
static long key_of(uint64_t at, bool write, struct key *k)
{
	struct mm *mm = this_thread()->mm;
	if (at & 3)
		return -EINVAL;
	struct vma *v = at < USER_END ? vma_find(&mm->areas, at) : NULL;
	if (!v || !(v->flags & VMA_SHARED)) {
		*k = (struct key){ (uint64_t)mm, at };
		return 0;
	}
	uint64_t *pt1 = pt1_find(mm, at);
	if (!pt1 || !(pt1[pt1_index(at)] & EXO_PTE_P)) {
		if (mm_touch(mm, at, write && v->prot & PROT_WRITE))
			return -EFAULT;
		pt1 = pt1_find(mm, at);
	}
	*k = (struct key){ 0, (uint64_t)pte_pfn(pt1[pt1_index(at)]) << 12 | (at & 0xfff) };
	return 0;
}

static void enqueue(struct futex_wait *w)
{
	unsigned h = hash(w->key);
	if (!bucket[h].end)
		bucket[h].end = &bucket[h].head;
	w->next = NULL;
	w->link = bucket[h].end;
	*w->link = w;
	bucket[h].end = &w->next;
}

static void dequeue(struct futex_wait *w)
{
	unsigned h = hash(w->key);
	if (!w->link)
		return;
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	else
		bucket[h].end = w->link;
	w->link = NULL;
}

static bool same(struct key a, struct key b) { return a.space == b.space && a.at == b.at; }

static int wake_key(struct key k, int n, uint32_t bits)
{
	int woken = 0;
	struct futex_wait *next;
	for (struct futex_wait *w = bucket[hash(k)].head; w && woken < n; w = next) {
		next = w->next;
		if (!same(w->key, k) || !(w->bits & bits))
			continue;
		dequeue(w);
		thread_wake(w->thread, 0);
		woken++;
	}
	return woken;
}

int futex_wake_address(uint64_t at, int n)
{
	struct key k;
	return key_of(at, false, &k) ? 0 : wake_key(k, n, ~0u);
}

static long futex_wait(uint64_t at, uint32_t expected, uint64_t deadline, uint32_t bits)
{
	struct futex_wait w = { .thread = this_thread(), .bits = bits };
	uint32_t now;
	long error = key_of(at, false, &w.key);
	if (error)
		return error;
	if (!bits)
		return -EINVAL;
	if (copy_from_user(&now, at, sizeof now))
		return -EFAULT;
	if (now != expected)
		return -EAGAIN;
	enqueue(&w);
	int why = sleep_until_woken(deadline, false);
	bool woken = !w.link;
	dequeue(&w);
	return woken ? 0 : why == -ETIMEDOUT ? why : deadline == FOREVER ? -ERESTARTSYS : -EINTR;
}

static long futex_requeue(uint64_t from, uint64_t to, int wake, int move, const uint32_t *expected)
{
	struct key a, b;
	uint32_t now;
	long error = key_of(from, false, &a);
	if (!error)
		error = key_of(to, true, &b);
	if (error)
		return error;
	if (wake < 0 || move < 0)
		return -EINVAL;
	if (expected && copy_from_user(&now, from, sizeof now))
		return -EFAULT;
	if (expected && now != *expected)
		return -EAGAIN;
	int done = wake_key(a, wake, ~0u);
	struct futex_wait *next;
	for (struct futex_wait *w = bucket[hash(a)].head; w && move; w = next) {
		next = w->next;
		if (!same(w->key, a) || same(a, b))
			continue;
		dequeue(w);
		w->key = b;
		enqueue(w);
		done++;
		move--;
	}
	return done;
}

/* The operation that FUTEX_WAKE_OP encodes, done atomically on the second word. */
static long wake_op(uint64_t at, uint32_t code, bool *holds)
{
	unsigned op = code >> 28 & 7, cmp = code >> 24 & 15;
	int32_t arg = (int32_t)(code << 8) >> 20, cmp_arg = (int32_t)(code << 20) >> 20;
	uint32_t old, seen;
	if (code >> 31)
		arg = (int32_t)(1u << (arg & 31));
	if (op > 4 || cmp > 5)
		return -ENOSYS;
	if (copy_from_user(&old, at, sizeof old))
		return -EFAULT;
	for (;; old = seen) {
		uint32_t a = (uint32_t)arg;
		uint32_t new = op == 0 ? a : op == 1 ? old + a : op == 2 ? old | a : op == 3 ? old & ~a : old ^ a;
		if (!user_ok(at, 4) || user_cas(at, old, new, &seen))
			return -EFAULT;
		if (seen == old)
			break;
	}
	int32_t o = (int32_t)old;
	*holds = cmp == 0 ? o == cmp_arg : cmp == 1 ? o != cmp_arg : cmp == 2 ? o < cmp_arg :
		cmp == 3 ? o <= cmp_arg : cmp == 4 ? o > cmp_arg : o >= cmp_arg;
	return 0;
}

static long futex_wake_op(uint64_t at, uint64_t at2, int n, int n2, uint32_t code)
{
	struct key a, b;
	bool holds = false;
	long error = key_of(at, false, &a);
	if (!error)
		error = key_of(at2, true, &b);
	if (!error)
		error = wake_op(at2, code, &holds);
	if (error)
		return error;
	int woken = wake_key(a, n, ~0u);
	return holds ? woken + wake_key(b, n2, ~0u) : woken;
}

/* WAIT's timeout is relative, WAIT_BITSET's absolute. */
static long deadline_of(uint64_t from, unsigned op, bool realtime, uint64_t *deadline)
{
	struct timespec64 ts;
	*deadline = FOREVER;
	if (!from)
		return 0;
	if (copy_from_user(&ts, from, sizeof ts))
		return -EFAULT;
	if (ts.sec < 0 || (uint64_t)ts.nsec >= NS_PER_SECOND)
		return -EINVAL;
	if ((uint64_t)ts.sec > FOREVER / NS_PER_SECOND / 2)
		return 0;
	uint64_t ns = (uint64_t)ts.sec * NS_PER_SECOND + (uint64_t)ts.nsec;
	if (op == FUTEX_WAIT)
		*deadline = time_now() + ns;
	else if (realtime)
		*deadline = time_now() + (ns > time_wall() ? ns - time_wall() : 0);
	else
		*deadline = ns;
	return 0;
}

CALL6(futex, at, op_flags, value, timeout, at2, value3)
{
	unsigned op = op_flags & ~(unsigned)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	uint32_t expected = (uint32_t)value3;
	struct key k;
	uint64_t deadline;
	long error;
	switch (op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		error = deadline_of(timeout, op, op_flags & FUTEX_CLOCK_REALTIME, &deadline);
		return error ? error : futex_wait(at, (uint32_t)value, deadline,
			op == FUTEX_WAIT ? ~0u : (uint32_t)value3);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		if (op == FUTEX_WAKE_BITSET && !(uint32_t)value3)
			return -EINVAL;
		error = key_of(at, false, &k);
		return error ? error : wake_key(k, (int)value < 1 ? 1 : (int)value,
			op == FUTEX_WAKE ? ~0u : (uint32_t)value3);
	case FUTEX_REQUEUE:
		return futex_requeue(at, at2, (int)value, (int)timeout, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(at, at2, (int)value, (int)timeout, &expected);
	case FUTEX_WAKE_OP:
		return futex_wake_op(at, at2, (int)value, (int)timeout, (uint32_t)value3);
	}
	return -ENOSYS;
}

/* ---- the end of a thread ------------------------------------------------------------------ */

#define ROBUST_MAX 2048			/* entries followed, as in Linux */

static void died_holding(uint64_t at, uint32_t tid, bool pending)
{
	uint32_t word, seen;
	if (at & 3 || copy_from_user(&word, at, sizeof word))
		return;
	if (pending && !word) {		/* it was being released: somebody may wait */
		futex_wake_address(at, 1);
		return;
	}
	while ((word & FUTEX_TID_MASK) == tid) {
		if (user_cas(at, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return;
		if (seen == word) {
			if (word & FUTEX_WAITERS)
				futex_wake_address(at, 1);
			return;
		}
		word = seen;
	}
}

static void robust_list_exit(struct thread *t)
{
	struct { uint64_t next; int64_t offset; uint64_t pending; } head;
	if (!t->robust_list || copy_from_user(&head, t->robust_list, sizeof head))
		return;
	uint64_t pending = head.pending & ~1ul, entry = head.next & ~1ul;
	for (unsigned i = 0; entry != t->robust_list && i < ROBUST_MAX; i++) {
		uint64_t next;
		bool bad = copy_from_user(&next, entry, sizeof next);
		if (entry != pending)
			died_holding(entry + (uint64_t)head.offset, (uint32_t)t->tid, false);
		if (bad)
			return;
		entry = next & ~1ul;
	}
	if (pending)
		died_holding(pending + (uint64_t)head.offset, (uint32_t)t->tid, true);
}

void futex_thread_exit(struct thread *t)
{
	if (!t->mm)
		return;
	robust_list_exit(t);
	uint32_t zero = 0;
	if (t->clear_tid && t->task->nthreads + t->mm->refs > 2 &&
	    !copy_to_user(t->clear_tid, &zero, sizeof zero))
		futex_wake_address(t->clear_tid, 1);
}
