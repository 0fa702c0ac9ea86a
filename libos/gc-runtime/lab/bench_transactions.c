/* transactions: customers order, pay, and are delivered to; orders live for a while and die in the order
 * they came, customers live for ever.  Each transaction's time is noted. */
#include "libos/gc-runtime/lab/lab.h"

#define CUSTOMERS	30000u
#define OPEN		60000u		/* orders that are open at a time */
#define TRANSACTIONS	1000000u
#define LINES_MAX	8u

struct line { struct gc_object gc; struct line *next; uint64_t item, amount; };
struct order {
	struct gc_object gc;
	struct order *of_customer;	/* the customer's next older one */
	struct line *lines;
	struct text *note;
	uint64_t customer, number;
};
struct text { struct gc_object gc; uint8_t byte[]; };
struct customer {
	struct gc_object gc;
	struct order *orders;
	struct text *name;
	uint64_t balance, count;
};
struct list { struct gc_object gc; struct gc_object *item[]; };

static struct list *customers, *open;

static struct customer *customer(uint64_t i) { return (struct customer *)GC_GET(customers, item[i]); }

static struct text *text(uint64_t size, uint64_t what)
{
	struct text *t = gc_new(0, sizeof *t + size);
	gc_touch(t, true);
	for (uint64_t i = 0; i < size; i++)
		t->byte[i] = what + i;
	return t;
}

static struct order *order_new(uint64_t who, uint64_t number, uint64_t r)
{
	struct order *o = NULL;
	struct line *l = NULL;
	GC_ROOTS(f, &o, &l);
	o = gc_new(3, sizeof *o);
	o->customer = who;
	o->number = number;
	for (unsigned i = 0, n = 1 + r % LINES_MAX; i < n; i++) {
		l = gc_new(1, sizeof *l);
		l->item = r >> i;
		l->amount = 1 + (r >> (8 + i)) % 100;
		GC_SET(l, next, o->lines);
		GC_SET(o, lines, l);
	}
	GC_SET(o, note, text(32 + (r >> 20) % 256, r));
	return o;
}

static uint64_t amount(const struct order *o)
{
	uint64_t sum = 0;
	for (const struct line *l = GC_GET(o, lines); l; l = GC_GET(l, next))
		sum += l->amount * (l->item & 0xff);
	return sum;
}

/* The oldest open order is delivered: it leaves its customer's list, and is garbage. */
static uint64_t deliver(uint64_t slot)
{
	struct order *o = (struct order *)GC_GET(open, item[slot]), *at;
	if (!o)
		return 0;
	struct customer *c = customer(GC_GET(o, customer));
	uint64_t sum = amount(o);
	gc_touch(c, true);
	c->balance -= sum;
	at = GC_GET(c, orders);
	if (at == o) {
		GC_SET(c, orders, o->of_customer);
		return sum;
	}
	while (GC_GET(at, of_customer) != o)
		at = at->of_customer;
	GC_SET(at, of_customer, o->of_customer);
	return sum;
}

static uint64_t transact(uint64_t number, uint64_t people, uint64_t slots, uint64_t r)
{
	uint64_t who = (r >> 16) % people, slot = number % slots, sum = deliver(slot);
	struct order *o = order_new(who, number, r);
	struct customer *c = customer(who);
	GC_SET(o, of_customer, GC_GET(c, orders));
	GC_SET(c, orders, o);
	gc_touch(c, true);
	c->balance += amount(o);
	c->count++;
	GC_SET(open, item[slot], &o->gc);
	c = customer((r >> 40) % people);	/* somebody asks */
	sum = lab_mix(sum, GC_GET(c, balance) + c->name->byte[0]);
	return c->orders ? lab_mix(sum, amount(c->orders)) : sum;
}

static uint64_t run(unsigned small)
{
	uint64_t seed = 42, sum = 0, people = CUSTOMERS >> small, slots = OPEN >> small;
	uint64_t n = TRANSACTIONS >> small;
	gc_root_add(&customers);
	gc_root_add(&open);
	customers = gc_new(people, sizeof *customers + people * 8);
	open = gc_new(slots, sizeof *open + slots * 8);
	for (uint64_t i = 0; i < people; i++) {
		struct customer *c = gc_new(2, sizeof *c);
		GC_ROOTS(f, &c);
		GC_SET(c, name, text(64, i));
		GC_SET(customers, item[i], &c->gc);
	}
	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = lab_clock();
		sum = lab_mix(sum, transact(i, people, slots, lab_random(&seed)));
		lab_request(start);
		lab_progress(i, n);
	}
	return sum;
}

const struct bench bench_transactions = { "transactions", "orders that come and go, with their times",
	run };
