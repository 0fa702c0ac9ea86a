/* Segment bases, descriptors, debug registers, the FPU's switch.
 *
 * The kernel's own GDT has Linux's numbering and Xen's selectors, so a guest's GDT is only
 * recorded, except for the descriptors that the kernel lets a context set (12-15).
 */
#include "libos/vmm/run.h"

#define TLS_FIRST	12u
#define TLS_LAST	15u
#define GDT_PAGE	512u		/* descriptors in a page */

static bool fsgsbase(void) { return start_page->features & EXO_FEATURE_FSGSBASE; }

/* The monitor runs in the K root: the active GS base is the guest kernel's.  The user's only the
 * kernel can set; Linux sets it twice a switch: it is passed on once, before user code runs. */
static int64_t base_set(struct vcpu *v, unsigned which, uint64_t base)
{
	if (!canonical(base))
		return -XEN_EINVAL;
	v->base_of[which] = base;
	if (which == XEN_BASE_GS_USER) {
		v->gs_late = true;
		v->user_ready = false;
	} else if (which == XEN_BASE_FS && fsgsbase()) {
		__asm__ volatile("wrfsbase %0" : : "r"(base));
	} else if (fsgsbase()) {
		__asm__ volatile("wrgsbase %0" : : "r"(base));
	} else {
		exo_segment_set(which == XEN_BASE_FS ? EXO_SEG_FS : EXO_SEG_GS, base, 0);
	}
	return 0;
}

/* The guest may have changed the two that it can reach. */
uint64_t segment_base(const struct vcpu *v, unsigned which)
{
	uint64_t base = v->base_of[which];
	if (which == XEN_BASE_FS && fsgsbase())
		__asm__ volatile("rdfsbase %0" : "=r"(base));
	else if (which == XEN_BASE_GS_KERNEL && fsgsbase())
		__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static uint64_t descriptor_base(uint64_t d)
{
	return (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24;
}

static uint64_t descriptor_read(const struct vcpu *v, unsigned index)
{
	if (index / GDT_PAGE >= v->gdt_frames)
		return 0;
	return ((const uint64_t *)ram_page(v->gdt[index / GDT_PAGE]))[index % GDT_PAGE];
}

/* A selector for the user's GS counts by its base; the register itself is the user's to load. */
int64_t call_set_segment_base(struct vcpu *v, const uint64_t a[6])
{
	switch (a[0]) {
	case XEN_BASE_FS:
	case XEN_BASE_GS_KERNEL:
	case XEN_BASE_GS_USER:
		return base_set(v, a[0], a[1]);
	case XEN_BASE_GS_USER_SEL:
		return base_set(v, XEN_BASE_GS_USER, descriptor_base(descriptor_read(v, (a[1] & 0xffff) >> 3)));
	}
	return -XEN_EINVAL;
}

void segments_start(struct vcpu *v)
{
	base_set(v, XEN_BASE_FS, v->start_fs);
	base_set(v, XEN_BASE_GS_KERNEL, v->start_gs);
	base_set(v, XEN_BASE_GS_USER, v->start_gs_user);
	for (unsigned i = TLS_FIRST; i <= TLS_LAST; i++)
		exo_segment_set(EXO_SEG_TLS, i, descriptor_read(v, i));
}

/* ---- descriptors -------------------------------------------------------------------------- */

int64_t gdt_set(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
	unsigned n = (entries + GDT_PAGE - 1) / GDT_PAGE;
	if (n > ARRAY_LEN(v->gdt))
		return -XEN_EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (!ram_has(frames[i]))
			return -XEN_EINVAL;
	memcpy(v->gdt, frames, n * sizeof *frames);
	v->gdt_frames = n;
	return 0;
}

int64_t call_set_gdt(struct vcpu *v, const uint64_t a[6])
{
	uint64_t frames[ARRAY_LEN(v->gdt)];
	if (a[1] > XEN_GDT_OWN)
		return -XEN_EINVAL;
	unsigned n = (a[1] + GDT_PAGE - 1) / GDT_PAGE;
	if (!guest_read(frames, a[0], n * sizeof *frames))
		return -XEN_EFAULT;
	int64_t e = gdt_set(v, frames, a[1]);
	for (unsigned i = TLS_FIRST; !e && i <= TLS_LAST; i++)
		exo_segment_set(EXO_SEG_TLS, i, descriptor_read(v, i));
	return e;
}

/* Written into the guest's frame, which it maps read-only; and where it counts, loaded. */
int64_t call_update_descriptor(struct vcpu *v, const uint64_t a[6])
{
	uint64_t mfn = a[0] >> EXO_PAGE_SHIFT, index = a[0] % EXO_PAGE_SIZE / 8;
	if (a[0] & 7 || !ram_has(mfn))
		return -XEN_EINVAL;
	*v->scratch = a[1];
	if (exo_frame_copy(0, a[0], 0, v->scratch_pfn << EXO_PAGE_SHIFT, 8, 0).status)
		return -XEN_EINVAL;
	if (v->gdt_frames && mfn == v->gdt[0] && index >= TLS_FIRST && index <= TLS_LAST &&
	    exo_segment_set(EXO_SEG_TLS, index, a[1]).status)
		return -XEN_EINVAL;
	return 0;
}

/* ---- what is only kept ----------------------------------------------------------------------- */

#define CR0_TS		8ul

/* No exception comes of it: a guest that switches its FPU lazily would find it unswitched. */
int64_t call_fpu_taskswitch(struct vcpu *v, const uint64_t a[6])
{
	v->cr0 = a[0] ? v->cr0 | CR0_TS : v->cr0 & ~CR0_TS;
	return 0;
}

int64_t call_set_debugreg(struct vcpu *v, const uint64_t a[6])
{
	if (a[0] >= ARRAY_LEN(v->dr))
		return -XEN_EINVAL;
	v->dr[a[0]] = a[1];
	return 0;
}

int64_t call_get_debugreg(struct vcpu *v, const uint64_t a[6])
{
	return a[0] < ARRAY_LEN(v->dr) ? (int64_t)v->dr[a[0]] : -XEN_EINVAL;
}
