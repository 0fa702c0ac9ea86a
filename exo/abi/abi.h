/* The kernel interface: constants and structures shared by the kernel, every
 * libOS and the host tests.  Calls, their numbers and the status codes are in
 * calls.abi, from which calls.h, the dispatch table, docs/abi.md and the
 * fuzzer's grammar are generated.
 *
 * Units: times are nanoseconds since boot (u64); frames are named by physical
 * frame number (pfn); addresses are bytes.  All structures are little endian
 * and pinned by static_assert.
 */
#ifndef EXO_ABI_H
#define EXO_ABI_H

#include <stdint.h>
#include "net.h"

#define EXO_ABI_VERSION	1
#define EXO_PAGE_SIZE	4096ul
#define EXO_PAGE_SHIFT	12

/* ---- address space ------------------------------------------------------ */

#define EXO_KERNEL_SLOT_FIRST	257	/* PML4 slots 257-263 are the kernel's */
#define EXO_KERNEL_SLOT_LAST	263
#define EXO_KERNEL_BASE		0xffff808000000000ul
#define EXO_KERNEL_END		0xffff840000000000ul	/* first byte after slot 263 */
#define EXO_MONITOR_BASE	0xffff840000000000ul	/* slot 264: the libOS's own area */
#define EXO_MONITOR_END		0xffff880000000000ul	/* slots 264-271 */

/* ---- capabilities ------------------------------------------------------- */

/* A capability name: slot index in the low 20 bits, the slot's generation in
 * the upper 12 (0 = don't check).  Name 0 means "none" or "myself". */
#define EXO_CAP_INDEX(c)	((c) & 0xfffffu)
#define EXO_CAP_GEN(c)		((c) >> 20)
#define EXO_SLOT_ANY		0u	/* as a destination slot: any free one */

enum exo_type {
	EXO_T_NONE, EXO_T_FRAMES, EXO_T_DOMAIN, EXO_T_CONTEXT, EXO_T_EVENT,
	EXO_T_SLICE, EXO_T_DEVICE, EXO_T_MACHINE, EXO_T_EXTENT, EXO_T_RING, EXO_T_FLOW, EXO_T_GATE,
	EXO_T_COUNT
};

/* Rights.  The lowest bit means "may be copied into another domain" for all. */
#define EXO_R_GRANT	0x01u
/* frames on loan; blocks of an extent (READ, WRITE) */
#define EXO_R_READ	0x02u
#define EXO_R_WRITE	0x04u
#define EXO_R_EXEC	0x08u
/* domain */
#define EXO_R_INFO	0x02u	/* domain_info */
#define EXO_R_GIVE	0x04u	/* give it frames, put capabilities into its table */
#define EXO_R_MANAGE	0x08u	/* act for it: every call's `dom` argument */
#define EXO_R_REVOKE	0x10u	/* ask frames back */
#define EXO_R_DESTROY	0x20u
/* context */
#define EXO_R_CONTROL	0x02u	/* context_ctl, context_create's result */
#define EXO_R_YIELD	0x04u	/* name it in yield, bind it to a slice */
/* event */
#define EXO_R_SIGNAL	0x02u
/* gate */
#define EXO_R_CALL	0x02u
/* slice */
#define EXO_R_BIND	0x02u	/* bind contexts */
#define EXO_R_LENGTH	0x04u	/* change lengths */
/* device: ports, irq binding and acknowledgement; ring: submit;
 * flow: derive, bind */
#define EXO_R_USE	0x02u
/* machine */
#define EXO_R_LOG	0x02u	/* write to the kernel's log */
#define EXO_R_TRACE	0x04u	/* switch trace points */
#define EXO_R_RESET	0x08u	/* reboot, panic */

/* What cap_info returns. */
struct exo_cap_info {
	uint8_t type, rights;
	uint16_t gen;
	uint32_t aux;		/* frames: owner's domain id; extent: disk number; others: 0 */
	uint64_t base;		/* frames: first pfn; slice: cpu << 32 | first; event: bit mask;
				 * device: device number; extent: first block; others: object id */
	uint64_t count;		/* frames, slice, extent: how many */
};

/* ---- page-table writes -------------------------------------------------- */

/* An item of pt_write: the physical address of the entry, 8-byte aligned, with
 * an operation in its low three bits, and the value.  The first two operations
 * have the numbers of Xen's mmu_update (normal = 0, preserve A/D = 2). */
struct exo_pt_item {
	uint64_t ptr;
	uint64_t val;
};
#define EXO_PT_SET	0u
#define EXO_PT_SET_AD	2u	/* new value, but keep the entry's A and D bits */
#define EXO_PT_XCHG	4u	/* old value is returned in val */
#define EXO_PT_CAS	5u	/* takes two items: {entry|5, new}, {expected, 0};
				 * the old value is returned in the second's ptr;
				 * an unequal entry is left alone, not an error */
/* pt_write flags: what to flush once the batch is done. */
#define EXO_FLUSH_NONE	0u
#define EXO_FLUSH_LOCAL	1u	/* this CPU */
#define EXO_FLUSH_ALL	2u	/* every CPU that runs a context of the domain */
#define EXO_FLUSH_VA	4u	/* with LOCAL or ALL: only `va`, one page per item, not everything */

/* Entry bits.  U is forced, G is cleared; PS only at level 2. */
#define EXO_PTE_P	0x001ul
#define EXO_PTE_W	0x002ul
#define EXO_PTE_U	0x004ul
#define EXO_PTE_PWT	0x008ul
#define EXO_PTE_PCD	0x010ul
#define EXO_PTE_A	0x020ul
#define EXO_PTE_D	0x040ul
#define EXO_PTE_PS	0x080ul
#define EXO_PTE_G	0x100ul
#define EXO_PTE_SW	0x7ff0000000000e00ul	/* 9-11 and 52-58 software, 59-62 protection key */
#define EXO_PTE_NX	0x8000000000000000ul
#define EXO_PTE_FRAME	0x000ffffffffff000ul

/* An item of frame_retype: pfn << 8 | kind. */
#define EXO_KIND_DATA	0u
#define EXO_KIND_PT1	1u
#define EXO_KIND_PT2	2u
#define EXO_KIND_PT3	3u
#define EXO_KIND_PT4	4u

/* pt_clean's `which`. */
#define EXO_CLEAN_A	1u
#define EXO_CLEAN_D	2u

/* What frame_info returns, and the layout of one entry of the frame table,
 * which a holder of the right may map read-only. */
enum exo_frame_type {
	EXO_F_NONE,		/* not RAM that anyone may hold */
	EXO_F_DATA,
	EXO_F_PT1, EXO_F_PT2, EXO_F_PT3, EXO_F_PT4,
	EXO_F_OBJECT,		/* a kernel object: never mapped */
	EXO_F_KERNEL,		/* the kernel's own: never mapped */
	EXO_F_EXPORT,		/* the kernel's, readable by who has a capability */
	EXO_F_RING,
	EXO_F_COUNT
};
struct exo_frame {
	uint32_t owner;		/* domain id (the pfn of its object); 0 = kernel */
	uint8_t type;		/* enum exo_frame_type */
	uint8_t flags;
	uint16_t pins;
	uint32_t writable;	/* writable mappings; for a PT4: the pfn of its U partner */
	uint32_t mapped;	/* all mappings */
	uint32_t typerefs;	/* page-table entries and pairs that use it as a table; of an object
				 * with capability slots: the domain they belong to (pins: how many are used) */
	uint32_t stamp;		/* flush count when one of these last went */
	uint32_t next, prev;	/* the owner's list */
};
_Static_assert(sizeof(struct exo_frame) == 32, "frame table entry");

/* ---- contexts ----------------------------------------------------------- */

/* Upcall classes: indexes of exo_control.entry. */
#define EXO_UP_EXCEPTION	0
#define EXO_UP_SYSCALL		1
#define EXO_UP_EVENT		2
#define EXO_UP_LAST		3	/* last chance: one-shot, own stack */

/* The frame that the kernel pushes on the upcall stack (or, for the last
 * chance, on its stack), lowest address first; RSP points at it, 16-aligned,
 * when the entry point is entered.  All other registers are the interrupted
 * code's.  After `add $24, %rsp` an iretq resumes the code. */
struct exo_upcall {
	uint64_t info;		/* see below */
	uint64_t addr;		/* page fault: the address; event: the event bits are in the
				 * control page, not here */
	uint64_t error;		/* the exception's error code */
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct exo_upcall) == 64, "upcall frame");
#define EXO_INFO_VECTOR(i)	((i) & 0xffff)
#define EXO_INFO_SYSCALL	0x100	/* vector of a redirected system call */
#define EXO_INFO_EVENT		0x101	/* vector of an event upcall */
#define EXO_INFO_FROM_U		0x10000	/* the interrupted code ran in the U root */
#define EXO_INFO_LAST		0x20000	/* last chance: the class's own delivery failed */

/* The control page: a data frame of the domain, pinned while the context
 * lives, written by the libOS unless said otherwise.  The kernel reads each
 * field once per use and trusts none. */
struct exo_control {
	uint64_t entry[4];	/* 0x00 entry points by class; 0 = cannot be delivered */
	uint64_t stack_lo;	/* 0x20 upcall stack: lowest usable byte ... */
	uint64_t stack_hi;	/* 0x28 ... and one past the highest (16-aligned) */
	uint64_t last_stack;	/* 0x30 top of the last-chance stack; the kernel zeroes
				 *      entry[EXO_UP_LAST] when it uses it (one-shot) */
	uint64_t resume_lo;	/* 0x38 resume range [lo, hi): an event that hits inside ... */
	uint64_t resume_hi;	/* 0x40 */
	uint64_t restart;	/* 0x48 ... continues at `restart`, same RSP, mask set, nothing pushed */
	uint64_t mask_on;	/* 0x50 bit c: entering class c sets the mask byte (events always do) */
	uint64_t events;	/* 0x58 event bits: or-ed by the kernel, cleared by the libOS (atomically) */
	uint8_t pending;	/* 0x60 kernel sets to 1 with an event; libOS clears before it looks */
	uint8_t mask;		/* 0x61 non-zero: no event upcalls.  (This pair may be moved to
				 *      another frame: context_ctl MASK_AT) */
	uint8_t pad[6];
	/* written by the kernel, never read back */
	uint64_t slice_start;	/* 0x68 of the slice that runs now */
	uint64_t slice_end;	/* 0x70 */
	uint64_t run_time;	/* 0x78 ns in its slices and turns, whomever it called by gates, up to its last one */
	uint64_t switches;	/* 0x80 how often it was switched to */
	uint64_t forced;	/* 0x88 how often it was saved by force at a slice's end */
	uint32_t cpu;		/* 0x90 the CPU it runs or last ran on */
	uint32_t number;	/* 0x94 its number, as in traces */
	/* written by the libOS: where who calls a gate of this context enters it */
	uint64_t gate_entry;	/* 0x98 RIP; 0 = it cannot be entered */
	uint64_t gate_stack;	/* 0xa0 RSP */
};
_Static_assert(sizeof(struct exo_control) == 0xa8, "control page");

/* Event bits 0-15 are the kernel's, 16-63 belong to event capabilities. */
#define EXO_EV_TIMER		(1ul << 0)	/* timer_set's time has come */
#define EXO_EV_SLICE_START	(1ul << 1)	/* the context runs again after another one */
#define EXO_EV_SLICE_END	(1ul << 2)	/* warning: the slice ends soon */
#define EXO_EV_REVOKE		(1ul << 3)	/* frames are asked back: see exo_domain_page */
#define EXO_EV_LOST		(1ul << 4)	/* a loan ended: mappings were cleared */
#define EXO_EV_USER		(~0xfffful)

/* Saved registers: at offset 0 of the save area (a data frame like the control
 * page); the XSAVE image is at EXO_SAVE_XSTATE.  Valid while the context does
 * not run.  Loaded values are copied once and checked; bases that are not canonical, selectors
 * that no descriptor has and an XSAVE image of garbage are taken as at the start. */
struct exo_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi;
	uint64_t vector, error;		/* how it was interrupted; ignored when loaded */
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t fs_base, gs_base, kgs_base;	/* kgs: the base that SWAPGS would bring */
	uint16_t ds, es, fs, gs;
	uint64_t in_user;	/* 1: in the U root */
};
#define EXO_SAVE_XSTATE	512

/* The frame of `resume`, at RSP: the nine words of Xen's iret frame.  rflags.IF sets the
 * event mask (IF = 1: unmasked).  (cs & 3) == 3 selects the U root if the pair has one.
 * `root` is a K root to load, 0 = the current pair.  (Xen's word there, `flags`, holds 0 in
 * the frames that PV guests make.) */
struct exo_resume {
	uint64_t rax, r11, rcx, root, rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct exo_resume) == 72, "nine words");

/* Code and stack selectors that the kernel loads (RPL is forced to 3):
 * cs: 0x23 0x33 0xe023 0xe033; ss: 0x2b 0xe02b.  TLS descriptors 12-14
 * (0x63 0x6b 0x73) and 15 (0x7b) may be set by segment_set. */
#define EXO_CS64	0x33
#define EXO_SS		0x2b

/* context_ctl operations. */
enum exo_context_op {
	EXO_CTX_ROOTS,		/* a: pfn of the K root (its U partner comes with it); b: a new partner
				 * for it, as by root_pair (of a calling context; 0: no change) */
	EXO_CTX_ROUTE,		/* [a, b): `syscall` instructions here reach the kernel */
	EXO_CTX_MASK_AT,	/* a: pfn, b: offset of the {pending, mask} byte pair; a = 0: back
				 * to the control page */
	EXO_CTX_START,		/* a: rip, b: rsp, c: rdi; state otherwise as in the save area,
				 * which is reset; makes it ready */
	EXO_CTX_RUN,		/* go on with what is in the save area */
	EXO_CTX_STOP,		/* off the CPU; its registers are in the save area after it */
	EXO_CTX_WARN,		/* a: ns before a slice's end at which to warn (0: never) */
	EXO_CTX_STATE,		/* value: enum exo_context_state */
	EXO_CTX_HOME,		/* a: the CPU whose unused slots it runs in */
};
enum exo_context_state { EXO_CS_STOPPED, EXO_CS_READY, EXO_CS_RUNNING, EXO_CS_WAITING };

/* segment_set operations (for the calling context). */
enum exo_segment_op {
	EXO_SEG_FS, EXO_SEG_GS, EXO_SEG_KGS,	/* a: base */
	EXO_SEG_TLS,		/* a: descriptor number 12-15, b: descriptor (user data, or 0) */
};

/* ---- wait --------------------------------------------------------------- */

/* A comparison of a 64-bit word, 8-byte aligned, in a frame that the domain
 * owns or has on loan.  A product is true when all its terms are. */
struct exo_term {
	uint64_t addr;		/* physical address of the word */
	uint32_t op;		/* enum exo_cmp */
	uint32_t cap;		/* loan that covers the frame, 0 = own */
	uint64_t value;
};
enum exo_cmp { EXO_EQ, EXO_NE, EXO_LT, EXO_GE, EXO_AND /* word & value != 0 */, EXO_CMP_COUNT };
#define EXO_WAIT_PRODUCTS	8
#define EXO_WAIT_TERMS		4
struct exo_predicate {
	uint32_t products;			/* 0: only events and the deadline */
	uint32_t terms[EXO_WAIT_PRODUCTS];	/* how many each has, 1-4 */
	uint32_t pad;
	struct exo_term term[EXO_WAIT_PRODUCTS][EXO_WAIT_TERMS];
};
#define EXO_WAIT_UNMASK	1u	/* wait's flags: clear the event mask first, atomically */
#define EXO_WAIT_OPEN	2u	/* gates may enter the context, instead of the wait's end, until it runs */
#define EXO_FOREVER	(~0ul)

/* ---- rings and block storage (docs/storage.md) --------------------------- */

/* A ring's header page and, in a second frame, its entries.  Indices count for ever; a
 * slot is index % EXO_RING_SLOTS.  Each index has a cache line of its own. */
#define EXO_RING_SLOTS	32u
struct exo_completion {
	uint64_t id;		/* the entry's */
	uint32_t status;	/* code + 256 * enum exo_request_field */
	uint32_t sectors;	/* done: all, or 0 */
};
struct exo_ring {
	uint64_t submitted, pad0[7];	/* 0x00 libOS: entries written */
	uint64_t taken, pad1[7];	/* 0x40 kernel: entries taken */
	uint64_t completed, pad2[7];	/* 0x80 kernel: completions written */
	uint64_t consumed;		/* 0xc0 libOS: completions read */
	uint32_t event_count, event_ns;	/* 0xc8 libOS: the event comes with so many unread, or so late */
	uint64_t pad3[6];
	struct exo_completion completion[EXO_RING_SLOTS];	/* 0x100 */
};
_Static_assert(sizeof(struct exo_ring) == 0x300, "ring header");
enum exo_ring_kind { EXO_RING_BLOCK, EXO_RING_RECEIVE, EXO_RING_TRANSMIT, EXO_RING_KINDS };

#define EXO_SECTOR		512u
#define EXO_BLOCK_SECTORS	8u	/* of a block, the unit of extents */
#define EXO_REQUEST_FRAMES	16u
enum exo_block_op { EXO_BLK_READ, EXO_BLK_WRITE, EXO_BLK_FLUSH, EXO_BLK_OPS };
enum exo_block_class { EXO_BLK_DEMAND, EXO_BLK_PREFETCH, EXO_BLK_WRITEBACK, EXO_BLK_CLASSES };
/* An entry of a block ring. */
struct exo_block_request {
	uint64_t id;		/* comes back with the completion */
	uint32_t extent;	/* capability */
	uint32_t loan;		/* capability for frames of others; 0 = all are own */
	uint64_t sector;	/* first one, counted from the extent's start */
	uint16_t sectors;	/* how many; FLUSH: 0 */
	uint8_t op, class;
	uint8_t offset;		/* first sector in the first frame, 0-7; the others are used from their start */
	uint8_t pad[3];		/* zero */
	uint64_t reserved[4];	/* zero */
	uint32_t frame[EXO_REQUEST_FRAMES];	/* pfns, as many as offset and sectors need */
};
_Static_assert(sizeof(struct exo_block_request) == 128, "block request");
/* What a completion's status complains about. */
enum exo_request_field {
	EXO_FIELD_NONE, EXO_FIELD_EXTENT, EXO_FIELD_LOAN, EXO_FIELD_SECTOR, EXO_FIELD_OP,
	EXO_FIELD_FRAME,
};

struct exo_extent_info {
	uint64_t base, count;	/* blocks */
	uint32_t disk;		/* number */
	uint32_t sector;	/* bytes: requests are multiples of it, at multiples of it */
	uint32_t flags;		/* EXO_DISK_* */
	uint32_t depth;		/* requests that the disk works on at a time */
	uint64_t resets;	/* since boot, after a request that was not answered */
	char model[40];		/* driver and model, for people */
};
#define EXO_DISK_READ_ONLY	1u
#define EXO_DISK_CACHE		2u	/* has a volatile cache: FLUSH means something */
#define EXO_DISK_GONE		4u

/* ---- domains ------------------------------------------------------------ */

/* domain_ctl operations. */
enum exo_domain_op {
	EXO_DOM_PAGE,		/* a: pfn of its domain page */
	EXO_DOM_RESERVE,	/* a: frames that revocation leaves (not for oneself) */
	EXO_DOM_STOP,		/* all contexts off their CPUs */
	EXO_DOM_START,		/* undo STOP */
	EXO_DOM_WATCH,		/* a: event capability, b: bits to signal when it ends or stops */
	EXO_DOM_EXIT,		/* a: status; oneself: all contexts stop, watchers are told */
};
enum exo_domain_state {
	EXO_DS_ACTIVE, EXO_DS_STOPPED, EXO_DS_EXITED, EXO_DS_KILLED, EXO_DS_DYING
};

/* The domain page: a data frame of the domain, shared with the kernel. */
#define EXO_REPO_MAX	256
#define EXO_ORDER_MAX	192
#define EXO_SPARE_MAX	128
#define EXO_SPARE_BITS	32768u
struct exo_domain_page {
	/* written by the kernel */
	uint64_t revoke_want;		/* frames asked back and not gone when it was told; 0 = none */
	uint64_t revoke_deadline;
	uint64_t revoke_asked;		/* counts requests */
	uint64_t repo_count;		/* repossessed frames ever; entry i is at i % EXO_REPO_MAX */
	uint32_t repo[EXO_REPO_MAX];	/* pfns taken by force */
	/* written by the libOS */
	uint64_t order_count;		/* how many of order[] are valid */
	uint32_t order[EXO_ORDER_MAX];	/* frames it would rather lose, first ones first; 0: none */
	/* Frames on offer: what is asked back is taken from them first, at once, and no event tells.  Bit i
	 * of the data frame spare[k] (0: none), an own one, is frame k * EXO_SPARE_BITS + i.  The kernel
	 * clears a bit when it takes the frame, mappings and all; who clears it first has the frame back.
	 * Both do so atomically. */
	uint32_t spare[EXO_SPARE_MAX];
};
_Static_assert(sizeof(struct exo_domain_page) <= 4096, "domain page");

/* Why a domain or context ended. */
enum exo_reason {
	EXO_DEAD_NOT, EXO_DEAD_EXIT, EXO_DEAD_EXCEPTION /* undeliverable */,
	EXO_DEAD_STATE /* a state that cannot be loaded */, EXO_DEAD_REVOKED, EXO_DEAD_DESTROYED
};
struct exo_domain_info {
	uint64_t id;		/* pfn of its object */
	uint64_t parent;
	uint32_t state;		/* enum exo_domain_state */
	uint32_t reason;	/* enum exo_reason */
	uint64_t status;	/* of DOM_EXIT */
	uint64_t frames;	/* owned */
	uint64_t contexts;
	uint64_t run_time;	/* ns, all contexts: see struct exo_control */
	uint64_t slices;	/* bound to its contexts */
	uint64_t child;		/* id of the newest of its children that live, 0 = none */
	/* the context that ended it */
	uint64_t context;	/* its number */
	uint64_t fault_addr;	/* CR2 */
	uint64_t entries[4];	/* the page-table entries of fault_addr, level 4 first, as far as they go */
	uint64_t root;		/* pfn of the root it ran in */
	struct exo_regs regs;
};

/* ---- slices, clock, trace, start ---------------------------------------- */

/* One CPU's slice vector: an exported page. */
#define EXO_SLICES	64
struct exo_slice {
	uint32_t context;	/* number of the bound context, 0 = unused */
	uint32_t domain;	/* its domain's id */
	uint64_t length;	/* ns */
	uint64_t used;		/* ns that its context ran in it, or whom it called by gates */
	uint64_t given;		/* ns that others did */
};
struct exo_slice_page {
	uint32_t cpu, count;	/* slots in use by the vector; the rest is skipped */
	uint32_t now;		/* the slot that runs */
	uint32_t running;	/* number of the context that runs, 0 = idle */
	uint64_t idle;		/* ns */
	uint64_t switches;
	struct exo_slice slice[EXO_SLICES];
};
_Static_assert(sizeof(struct exo_slice_page) <= 4096, "slice page");

/* The clock page (exported).  ns = ((rdtsc - tsc_base) * mult) >> shift, in 128 bits. */
struct exo_clock_page {
	uint64_t tsc_base, mult;
	uint32_t shift, cpus;
	uint64_t tsc_khz;
	uint64_t wall_base;	/* Unix time of boot in ns, from the RTC; 0 = unknown */
};

/* A trace event, in a per-CPU ring of exported frames.  Frame 0 starts with
 * exo_trace_head; events follow from byte 64 on. */
struct exo_trace_event {
	uint64_t tsc;
	uint8_t kind;		/* enum exo_trace_kind */
	uint8_t cpu;
	uint16_t code;		/* call number, vector, ... */
	uint32_t context;	/* number */
	uint64_t a, b;
};
_Static_assert(sizeof(struct exo_trace_event) == 32, "trace event");
enum exo_trace_kind {
	EXO_TR_CALL, EXO_TR_RETURN, EXO_TR_UPCALL, EXO_TR_SWITCH, EXO_TR_SHOOTDOWN,
	EXO_TR_IRQ, EXO_TR_SIGNAL, EXO_TR_COUNT
};
struct exo_trace_head {
	uint64_t head;		/* events ever written; event i is at slot i % slots */
	uint64_t slots;
	uint64_t mask;		/* 1 << kind: recorded */
	uint64_t pad[5];
};

/* machine_ctl operations. */
enum exo_machine_op {
	EXO_M_TRACE,		/* a: mask of 1 << kind (EXO_R_TRACE) */
	EXO_M_REBOOT,		/* EXO_R_RESET */
	EXO_M_PANIC,		/* EXO_R_RESET: for tests */
	EXO_M_IDLE,		/* value: CPUs now idle, as a mask */
};
/* device_ctl operations. */
enum exo_device_op {
	EXO_DEV_PORTS,		/* the calling domain's contexts may use its ports */
	EXO_DEV_BIND,		/* a: event capability, b: bits: signalled on its interrupt */
	EXO_DEV_ACK,		/* unmask its interrupt */
};

/* The start page: what a new domain finds.  The kernel writes it for init;
 * whoever creates another domain writes it for that one.  RDI points at it. */
#define EXO_START_MAGIC	0x6575747269565f65ul
#define EXO_START_EXTENTS	64
#define EXO_START_CAPS		64
struct exo_start_cap { char name[12]; uint32_t cap; };
struct exo_start_extent { uint32_t pfn, count; };
struct exo_start_module { char name[16]; uint64_t pfn, size; };	/* whole frames; size in bytes */
struct exo_start {
	uint64_t magic;
	uint32_t version, cpus;
	uint32_t extents, caps, modules, pad;
	uint64_t root;			/* pfn of the root it starts in */
	uint64_t image_lo, image_hi;	/* its program, as mapped */
	uint64_t stack_lo, stack_hi;	/* the first stack, as mapped */
	uint64_t control, control_pfn;	/* its first context's control page: address, frame */
	uint64_t save_pfn;
	uint64_t args, args_size;	/* address and bytes of a block that the creator chose */
	uint64_t features;		/* EXO_FEATURE_* */
	uint64_t xsave_size;
	uint64_t acpi_pm1a, acpi_s5;	/* power-off: port, value to write; 0 = unknown */
	struct exo_start_extent extent[EXO_START_EXTENTS];	/* frames it owns and may use at once */
	struct exo_start_cap cap[EXO_START_CAPS];
	struct exo_start_module module[8];
	char cmdline[512];
};
_Static_assert(sizeof(struct exo_start) <= 4096, "start page");
#define EXO_FEATURE_FSGSBASE	1u
#define EXO_FEATURE_PKU		2u
#define EXO_FEATURE_SMAP	4u
#define EXO_FEATURE_SMEP	8u
#define EXO_FEATURE_UMIP	16u
#define EXO_FEATURE_NX		32u
#define EXO_FEATURE_X2APIC	64u

#endif
