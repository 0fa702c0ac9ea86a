/* The records of a virtual machine and what the monitor's files offer each other.
 *
 * One VM a domain.  Its guest's frames are named by mfn (real frame numbers) and pfn (the
 * guest's own count from 0).  Functions that can fail return 0 or a negative Xen errno
 * (xen.h), unless they say otherwise.  Design: docs/vmm-design.md.
 *
 * Locking: vCPU contexts and the I/O thread run at once on several CPUs.  vm.lock guards pins,
 * ports and vCPU states; page tables are guarded by the kernel; each vCPU's record is its own.
 */
#ifndef VMM_H
#define VMM_H

#include "libos/common/common.h"
#include "libos/common/lock.h"
#include "libos/common/upcall.h"
#include "xen.h"

#define M2P_SLOT	256
#define MONITOR_SLOT	264
#define RAM_SLOT	266
#define BUILD_SLOT	267
#define M2P_BASE	0xffff800000000000ul
#define RAM_BASE	(EXO_MONITOR_BASE + 0x10000000000ul)	/* mfn * 4096, read-only */
#define BUILD_BASE	(EXO_MONITOR_BASE + 0x18000000000ul)	/* pfn * 4096, writable, until the
								 * guest starts */
/* Frames beside the guest's own that a monitor asks for at the start (one with fewer refuses):
 * M2P, p2m, notes, tables, and what vCPUs, grants and rings take later. */
#define VMM_OVERHEAD(pages)	((pages) / 128 + 512)
#define VMM_VCPUS	8
#define VMM_PORTS	1024

/* ---- the machine ------------------------------------------------------------------------ */

struct vm_options {			/* from the command line */
	const char *kernel, *initrd, *append, *name;
	const char *disk[4];
	unsigned disks, vcpus;
	uint64_t memory;		/* bytes */
	bool patch;			/* hot hypercall sites may be rewritten */
	bool stats;			/* print counters of traps and calls at the end */
};

struct vcpu;			/* run.h */
struct vm {
	struct vm_options opt;
	uint64_t monitor_root;		/* of the first context, the I/O thread; holds slots 264-267 */
	uint64_t pages;			/* of guest RAM */
	uint32_t *p2m;			/* pfn -> mfn; the monitor's own copy, as built */
	uint64_t mfn_lo, mfn_hi;	/* [lo, hi) of all guest frames */
	struct xen_shared_info *shared;	/* mapped writable in the physmap */
	uint64_t shared_mfn;
	uint64_t console_mfn, store_mfn;	/* guest pages (in the p2m); monitor's view of them: */
	void *console_page, *store_page;
	unsigned console_port, store_port;
	struct lock lock;
	unsigned vcpus;
	struct vcpu *vcpu[VMM_VCPUS];
	uint64_t begun, made;		/* times: of the monitor's start, of the guest's */
	bool running;			/* the I/O thread serves, or is about to: ends go through it */
};
extern struct vm vm;			/* ram.c */

/* What the builder leaves for vCPU 0 (build.c -> vcpu.c). */
struct vm_start {
	uint64_t root;			/* mfn of the first L4, typed, with the monitor's slots; the
					 * guest takes it for pinned */
	uint64_t entry, stack, start_info;	/* guest addresses */
};

/* main.c.  Both say the reason on standard error and end the domain. */
_Noreturn void vm_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));	/* 1 */
_Noreturn void vm_end(unsigned status, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define VM_END_POWEROFF	0
#define VM_END_REFUSED	1
#define VM_END_CRASH	2
#define VM_END_STOPPED	3
#define VM_END_REBOOT	64	/* the tool starts it again */
#define VM_END_BUG	124

/* ---- ram.c ------------------------------------------------------------------------------ */

/* Takes `pages` cold frames, fills vm.p2m, M2P, the RAM window and the build window. */
void ram_init(uint64_t pages);
/* Zeroed memory for the monitor itself, for good; vm_refuse if there is none. */
void *ram_memory(uint64_t bytes);
/* Takes the build window away (no writable alias is left) and flushes. */
void ram_build_end(void);
static inline bool ram_has(uint64_t mfn);	/* a frame of the guest's */
static inline const void *ram_page(uint64_t mfn) { return (const void *)(RAM_BASE + mfn * EXO_PAGE_SIZE); }
static inline void *ram_build(uint64_t pfn) { return (void *)(BUILD_BASE + pfn * EXO_PAGE_SIZE); }
void m2p_set(uint64_t mfn, uint64_t pfn);
/* The writes by which an L4 gets the monitor's slots, or loses them: how many. */
#define RAM_ROOT_SLOTS	4u
unsigned ram_slot_items(uint64_t mfn, bool on, struct exo_pt_item item[RAM_ROOT_SLOTS]);
uint64_t ram_root_slots(uint64_t mfn, bool on);	/* carries them out; a status of the kernel's */
/* A second, writable mapping of a guest frame, which can't become a page table meanwhile: NULL =
 * none possible.  Only in the roots of the monitor and of guest kernels. */
void *ram_share(uint64_t mfn);
void ram_unshare(void *page);

extern uint64_t *ram_bitmap;		/* of guest frames, from vm.mfn_lo on */
static inline bool ram_has(uint64_t mfn)
{
	return mfn >= vm.mfn_lo && mfn < vm.mfn_hi &&
		ram_bitmap[(mfn - vm.mfn_lo) / 64] >> (mfn - vm.mfn_lo) % 64 & 1;
}

/* ---- stats.c ---------------------------------------------------------------------------- */

void stats_tell(void);

/* ---- load.c, build.c ---------------------------------------------------------------------- */

void vm_build(struct vm_start *start);	/* loads kernel and initrd; vm_refuse on a bad one */

/* ---- vcpu.c ----------------------------------------------------------------------------- */

/* Makes vCPU 0's context and lets it run; returns. */
void vm_run(const struct vm_start *start);

/* ---- event.c ---------------------------------------------------------------------------- */

/* Makes a port pending; from any context.  Reaches the vCPU it is bound to. */
void evtchn_raise(unsigned port);
/* A port whose other end is a back end of the monitor: `notify` runs on the sender's vCPU, must
 * not block (it sets a bit and signals the I/O thread: io_kick). */
unsigned evtchn_backend(void (*notify)(void *arg), void *arg);
/* The back end binds itself to a port that the guest made by alloc_unbound. */
int evtchn_attach(unsigned port, void (*notify)(void *arg), void *arg);

/* ---- grant.c ---------------------------------------------------------------------------- */

#define GRANT_FRAMES	8u		/* at most, of 512 references each */
/* Makes `count` frames of the table be there; fills their mfns (grant_table_op setup_table). */
int grant_setup(unsigned count, uint64_t *mfn);
unsigned grant_size(void);		/* frames that are there now (query_size) */
/* The frame that the guest grants by `ref` (version 1), for reading or writing; 0: none.
 * Marks it in use until grant_put. */
uint64_t grant_get(uint32_t ref, bool write);
void grant_put(uint32_t ref);

/* ---- io.c: the I/O thread ----------------------------------------------------------------- */

/* The domain's first context: the proxy's event reaches it.  Order of main.c: io_init (ports of
 * console and store, disks opened, the store filled), vm_build, vm_run, io_run. */
#define IO_CONSOLE	(1ul << 0)
#define IO_STORE	(1ul << 1)
#define IO_END		(1ul << 2)
#define IO_BLK(n)	(1ul << (8 + (n)))
void io_init(void);			/* vm_refuse on a bad disk */
_Noreturn void io_run(void);
void io_kick(uint64_t bits);		/* from any context: wakes it; no call if it is awake */
void io_yield(void);			/* from a vCPU that gets its CPU again: the I/O thread first */
/* The way out from any context: what the guest wrote to its console is delivered, then `text`
 * ("" = nothing; copied) on standard error; the domain ends with this status.  vm_end's way
 * once io_run runs. */
_Noreturn void io_end(unsigned status, const char *text);
/* Text for the console from the hypervisor's side (console_io): from any context. */
void console_raw(const char *text, size_t n);	/* console.c */
/* Sets a value of the guest's store; before the guest runs, or on the I/O thread. */
int store_set(const char *path, const char *value);

#endif
