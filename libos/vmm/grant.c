/* The guest's grant table, version 1: which of its frames a back end may use.
 *
 * The table's frames are the monitor's; the guest maps and writes them.  An entry is read once; the
 * bits that say "in use" are set by compare and exchange, as the guest takes an entry back.  There
 * is one domain to grant to, 0, which is the monitor: it needs no mapping, so the calls that map,
 * copy or transfer are refused (hypercall.c).
 */
#include "vmm.h"

#define IN_USE	(XEN_GRANT_READING | XEN_GRANT_WRITING)

static struct {
	struct xen_grant_entry *page[GRANT_FRAMES];
	uint64_t mfn[GRANT_FRAMES];
	unsigned count;
	struct lock lock;
} grants;

int grant_setup(unsigned count, uint64_t *mfn)
{
	if (count > GRANT_FRAMES)
		return -XEN_EINVAL;
	lock_take(&grants.lock);
	for (; grants.count < count; grants.count++) {
		unsigned i = grants.count;
		if (!(grants.mfn[i] = frame_alloc_zero()))
			break;
		grants.page[i] = physmap_page(grants.mfn[i]);
	}
	unsigned there = grants.count;
	lock_release(&grants.lock);
	if (there < count)
		return -XEN_ENOMEM;
	for (unsigned i = 0; i < count; i++)
		mfn[i] = grants.mfn[i];
	return 0;
}

unsigned grant_size(void) { return grants.count; }

static struct xen_grant_entry *entry_of(uint32_t ref)
{
	unsigned page = ref / XEN_GRANTS_A_PAGE;
	return page < grants.count ? &grants.page[page][ref % XEN_GRANTS_A_PAGE] : NULL;
}

uint64_t grant_get(uint32_t ref, bool write)
{
	struct xen_grant_entry *e = entry_of(ref);
	if (!e)
		return 0;
	uint16_t was = __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE), now;
	do {
		if ((was & XEN_GRANT_TYPE) != XEN_GRANT_ACCESS || (write && was & XEN_GRANT_READONLY))
			return 0;
		now = was | XEN_GRANT_READING | (write ? XEN_GRANT_WRITING : 0);
	} while (!__atomic_compare_exchange_n(&e->flags, &was, now, false, __ATOMIC_ACQ_REL,
		__ATOMIC_ACQUIRE));
	uint32_t mfn = __atomic_load_n(&e->frame, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&e->domid, __ATOMIC_RELAXED) && ram_has(mfn))
		return mfn;
	grant_put(ref);
	return 0;
}

void grant_put(uint32_t ref)
{
	struct xen_grant_entry *e = entry_of(ref);
	if (e)
		__atomic_fetch_and(&e->flags, (uint16_t)~IN_USE, __ATOMIC_RELEASE);
}
