/* The run-time of a guest: its vCPUs, and what the files that carry out traps and hypercalls
 * share.  What the rest of the monitor may use of it is in vmm.h.
 *
 * A vCPU is a context.  Guest code runs with the context's event mask clear, the monitor with the
 * mask set (mask_on), so that monitor code is interrupted by exceptions alone: those of the copy
 * functions below.  Handlers get the guest's registers, `r`, change them, and return; the exit
 * then looks for events.  EXO_INFO_FROM_U in r->up.info says that it is guest user code.
 */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include "libos/vmm/entry.h"
#include "libos/vmm/vmm.h"

#define VECTOR_DB	1
#define VECTOR_BP	3
#define VECTOR_UD	6
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTORS		256

#define RFLAGS_TF	0x100ul
#define RFLAGS_IF	0x200ul
#define RFLAGS_DF	0x400ul
#define RFLAGS_NT	0x4000ul
#define RFLAGS_RF	0x10000ul
#define RFLAGS_AC	0x40000ul

/* ---- vCPUs ------------------------------------------------------------------------------ */

/* Where the guest kernel wants to be entered. */
struct gate {
	uint64_t address;		/* 0: not set */
	uint8_t dpl;			/* who may raise it by INT */
	bool masks;			/* its events are masked on entry */
};

enum stat {
	STAT_SYSCALL, STAT_IRET_USER, STAT_FAULT, STAT_DIRECT, STAT_EXCEPTION, STAT_CALLBACK, STAT_HYPERCALL,
	STAT_IRET_KERNEL, STAT_STORE, STAT_PRIVILEGED, STAT_CPUID, STAT_EVENT, STAT_BLOCK, STATS
};

struct vcpu {
	/* entry.S, fast.S */
	volatile struct xen_vcpu_info *info;	/* as the monitor sees it, in all its roots */
	uint64_t kernel_sp;		/* stack for entries from guest user */
	uint64_t syscall_short;		/* the syscall callback, if it masks events; else 0 */
	uint64_t user_ready;		/* user code may run: `paired`, and nothing is late */
	volatile uint8_t *pair;		/* {pending, mask} of its events */
	uint64_t base_of[3];		/* segment bases as set: enum xen_segment_base */
	uint64_t fault_short;		/* the handler of page faults, if it masks events; else 0 */
	uint64_t count[STATS];

	struct exo_control *control;
	unsigned number;
	bool made;			/* the guest has initialised it */
	bool started;			/* its context has been let run */
	volatile bool up;
	volatile bool polling;		/* in sched_op poll: masked ports count too */
	bool paired;			/* root_u is the pair of root_k in the kernel: it may be loaded */
	bool gs_late;			/* the kernel doesn't have the user's GS base yet */
	uint64_t context, event;	/* capabilities; `event` carries VCPU_KICK */
	uint64_t control_pfn;
	bool info_moved;
	uint64_t root_k, root_u;	/* mfns; root_u 0: none */
	struct gate *trap;		/* VECTORS of them, a page */
	struct gate event_gate, failsafe_gate, syscall_gate;
	uint16_t virq_port[XEN_VIRQS];	/* 0 = not bound */
	uint64_t runstate;		/* guest address, 0 = none */
	struct xen_runstate_info state;
	uint64_t deadline, period, tick;	/* of the timer; 0 = none; tick: the next of the period */
	uint64_t gdt[16];		/* mfns */
	unsigned gdt_frames;
	uint64_t cr0, cr4, xcr0, dr[8];
	uint64_t scratch_pfn;		/* a page of the monitor's, for frame_copy */
	uint64_t *scratch;
	struct upcall_regs start;	/* of one that is not up yet */
	uint64_t start_fs, start_gs, start_gs_user;
	uint64_t calls[XEN_CALLS];
};

/* fast.S's own.  In the guest lie the ways through the kernel; in vcpu[] those there are, then NULL. */
struct fast {
	uint64_t hypercall_trap, iret_trap;
	uint64_t vcpus;
	struct vcpu *vcpu[VMM_VCPUS + 1];
};

struct vcpu_place {
	uint8_t stack[UPCALL_STACK_SIZE - VCPU_SPACE];
	struct vcpu vcpu;
	uint8_t pad[VCPU_SPACE - FAST_SPACE - sizeof(struct vcpu)];
	struct fast fast;
	uint8_t rest[FAST_SPACE - sizeof(struct fast)];
} __attribute__((aligned(UPCALL_STACK_SIZE)));
extern struct vcpu_place vcpu_first;	/* vCPU 0's; `fast` is used in this one alone */

#define VCPU_KICK	(1ul << 16)
static inline struct vcpu *vcpu_of(const void *on_stack)
{
	return &((struct vcpu_place *)upcall_base_of(on_stack))->vcpu;
}
static inline void stat_count(struct vcpu *v, enum stat s) { v->count[s]++; }
static inline bool from_user(const struct upcall_regs *r) { return r->up.info & EXO_INFO_FROM_U; }

/* The guest's fault: ends it with its registers. */
_Noreturn void vcpu_crash(const struct upcall_regs *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Makes another vCPU look at its events. */
void vcpu_kick(struct vcpu *v);
/* The context of one that was given a start state; it is let run by vcpu_start. */
int vcpu_make(struct vcpu *v);
void vcpu_start(struct vcpu *v);
/* Events of the kernel that this context has got, while the monitor runs. */
void vcpu_events(struct vcpu *v, uint64_t bits);
uint64_t vcpu_events_take(struct vcpu *v);
/* Before going back to the guest: events, roots. */
void vcpu_exit(struct vcpu *v, struct upcall_regs *r);
int64_t vcpu_info_move(struct vcpu *v, uint64_t mfn, uint64_t offset);
void vcpu_info_reset(volatile struct xen_vcpu_info *info);

/* ---- guest memory (entry.S, bounce.c) ------------------------------------------------------- */

/* By guest address, in the current K root.  False: it is not there, or in the slots that are not
 * the guest's. */
bool guest_read(void *to, guest_va from, size_t n);
bool guest_write(guest_va to, const void *from, size_t n);
bool guest_range_ok(guest_va at, size_t n);

static inline bool canonical(uint64_t va) { return (uint64_t)((int64_t)va << 16 >> 16) == va; }

/* ---- traps (bounce.c, trap.c, emulate.c, decode.c, cpuid.c) ----------------------------------- */

/* Enters the guest kernel at a gate: pushes the frame and changes r. */
void bounce(struct vcpu *v, struct upcall_regs *r, const struct gate *to);
void bounce_error(struct vcpu *v, struct upcall_regs *r, const struct gate *to, uint64_t error);
void bounce_failsafe(struct vcpu *v, struct upcall_regs *r);

void guest_trap(struct vcpu *v, struct upcall_regs *r);
void gate_set(struct vcpu *v, const struct xen_trap_info *t);
/* As if the processor had raised it: for what is emulated and must fail. */
void guest_fault(struct vcpu *v, struct upcall_regs *r, unsigned vector, uint64_t error);

bool emulate_privileged(struct vcpu *v, struct upcall_regs *r);
bool emulate_cpuid(struct vcpu *v, struct upcall_regs *r);
bool emulate_store(struct vcpu *v, struct upcall_regs *r);
void cpuid_guest(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
uint64_t xcr0_guest(void);

/* A store that was decoded. */
enum store_op { STORE_NONE, STORE_MOV, STORE_XCHG, STORE_CMPXCHG, STORE_AND, STORE_OR, STORE_BTR,
	STORE_BTS };
struct store {
	enum store_op op;
	unsigned length, size;		/* bytes of the instruction, of the operand */
	unsigned reg;			/* of ModRM */
	bool rex, has_imm;
	int64_t imm;
};
bool decode_store(const uint8_t *code, size_t n, struct store *s);
uint64_t *decode_register(struct upcall_regs *r, unsigned number);

/* ---- page tables (mmu.c, pin.c) --------------------------------------------------------------- */

#define TABLE_ENTRIES	512u
/* What the monitor knows of a guest frame. */
struct note {
	union {
		uint32_t pair;		/* a root's partner (mfn), 0 = none */
		uint32_t place;		/* else: what it maps / 2 MiB, a hint; 0 = not known */
	};
	uint16_t refs;			/* entries of other tables, and vCPUs that have it loaded */
	uint8_t level;			/* 1-4: the kernel has it as that table; 0 = data */
	uint8_t pinned : 1;
	uint8_t adopted : 1;		/* has the monitor's slots */
	uint8_t user : 1;		/* the U root of its pair */
};
struct note *note_of(uint64_t mfn);	/* NULL: not a frame of the guest's */
void notes_init(uint64_t root);	/* the builder's tables, pinned */
static inline const uint64_t *table_of(uint64_t mfn) { return ram_page(mfn); }
/* The first entry from i on that is not 0 (most are), or TABLE_ENTRIES. */
unsigned entry_next(const uint64_t *e, unsigned i);
/* Physical address of va's entry at `level` in a root; 0: a table above is missing. */
uint64_t mmu_walk(uint64_t root, uint64_t va, unsigned level);

/* Slots that are not the guest's: M2P_SLOT to LAST_SLOT, the kernel's among them. */
#define LAST_SLOT	271u
static inline bool is_kernel_slot(unsigned i)
{
	return i >= EXO_KERNEL_SLOT_FIRST && i <= EXO_KERNEL_SLOT_LAST;
}

/* With vm.lock held. */
int64_t table_promote(uint64_t mfn, unsigned level);
void table_ref(uint64_t mfn);
void table_unpair(uint64_t mfn);	/* ends the pair that it is of */
void table_unref(uint64_t mfn);		/* demotes it if that was the last use */
/* Pins and unpins: item is as for frame_retype, and becomes 0 where it is refused. */
void tables_pin(uint64_t *item, unsigned n);
void tables_unpin(uint64_t *item, unsigned n);

/* What update_va_mapping asks for; false: nothing is there. */
bool mapping_item(const struct vcpu *v, const uint64_t a[6], struct exo_pt_item *item,
	uint64_t *flush);
/* One write to a table that is known to be one; the old value if `old`.  0 or -errno. */
int64_t entry_write(uint64_t entry, unsigned op, uint64_t value, uint64_t *old);
/* An entry of level 1 is exchanged for one that is not present, and its page flushed ahead. */
int64_t entry_clear(const struct vcpu *v, uint64_t entry, uint64_t value, uint64_t *old);
/* An entry has been written, otherwise than by entry_clear; or a root was loaded. */
extern uint64_t entry_changes;
static inline void entries_changed(void)
{
	__atomic_fetch_add(&entry_changes, 1, __ATOMIC_SEQ_CST);
}
/* What a table maps, from the one that names it. */
static inline uint32_t place_of(const struct note *above, unsigned level, unsigned slot)
{
	return (level == 4 ? 0 : above->place) + (slot << 9 * (level - 2));
}
/* Loads roots; the guest's own are typed if need be.  u: what root_user_set is to get next, or 0. */
int64_t roots_set(struct vcpu *v, uint64_t k, uint64_t u);
int64_t root_user_set(struct vcpu *v, uint64_t u);
int64_t user_prepare(struct vcpu *v);

/* ---- gather.c: calls that are carried out together -------------------------------------------- */

#define GATHER_WRITES	32u
#define GATHER_TABLES	32u
#define GATHER_OPS	8u
struct gather_tables {
	unsigned n;
	uint64_t item[GATHER_TABLES];	/* as for frame_retype */
	uint64_t result[GATHER_TABLES];
};
struct gather_root { bool asked; uint64_t mfn, result; };
struct gather {
	struct vcpu *v;
	bool single;			/* operations of one call: results are their numbers */
	uint64_t failed;		/* the first of those that failed */
	struct gather_root root, user;	/* to be loaded */
	struct gather_tables unpin, pin;
	unsigned writes;
	uint64_t flush, flush_va;	/* behind the writes */
	struct exo_pt_item write[GATHER_WRITES];
	uint64_t result[GATHER_WRITES];
};
static inline void gather_start(struct gather *g, struct vcpu *v)
{
	g->v = v;
	g->single = g->root.asked = g->user.asked = false;
	g->unpin.n = g->pin.n = g->writes = 0;
	g->flush = EXO_FLUSH_NONE;
}
/* Takes the call if it can wait: its result is 0, unless it fails then.  False: the others have to
 * be carried out, and it. */
bool gather_take(struct gather *g, const struct xen_multicall *m, guest_va result);
bool gather_op(struct gather *g, const struct xen_mmuext_op *op, uint64_t result);
void gather_run(struct gather *g);

/* ---- hypercalls -------------------------------------------------------------------------------- */

typedef int64_t hypercall_fn(struct vcpu *v, const uint64_t a[6]);
hypercall_fn call_set_trap_table, call_mmu_update, call_set_gdt, call_stack_switch,
	call_fpu_taskswitch, call_set_debugreg, call_get_debugreg, call_update_descriptor,
	call_memory_op, call_multicall, call_update_va_mapping, call_set_timer_op, call_xen_version,
	call_console_io, call_grant_table_op, call_vm_assist, call_vcpu_op, call_set_segment_base,
	call_mmuext_op, call_sched_op, call_physdev_op, call_callback_op, call_event_channel_op, call_set_callbacks;
void hypercall(struct vcpu *v, struct upcall_regs *r);
void hypercall_iret(struct vcpu *v, struct upcall_regs *r);
const char *hypercall_name(unsigned number);

/* ---- patch.c: hot hypercall sites ---------------------------------------------------------------- */

void patch_init(void);
extern bool patch_on;
/* A hypercall has trapped from the guest kernel: its site may be changed, if patch_on. */
void patch_site(struct vcpu *v, struct upcall_regs *r);
/* What was interrupted may be an entry of fast.S: r becomes the guest's own.  False: it isn't. */
bool fast_rewind(struct vcpu *v, struct upcall_regs *r);

/* ---- events, time ---------------------------------------------------------------------------------- */

/* As evtchn_raise, by a vCPU. */
void port_raise(struct vcpu *from, unsigned port);
void virq_raise(struct vcpu *v, unsigned virq);
bool event_ready(const struct vcpu *v);	/* one is pending and not masked */
void info_raise(struct vcpu *v);	/* sets upcall_pending: another vCPU must be kicked too */

void time_start(volatile struct xen_vcpu_info *info);
void wallclock_start(void);
void timer_arm(struct vcpu *v);
void timer_fired(struct vcpu *v);
void runstate_set(struct vcpu *v, unsigned state);
uint64_t segment_base(const struct vcpu *v, unsigned which);
void segments_start(struct vcpu *v);
int64_t descriptor_load(struct vcpu *v, unsigned index, uint64_t descriptor);
int64_t gdt_set(struct vcpu *v, const uint64_t *frames, unsigned entries);

/* ---- entry.S ------------------------------------------------------------------------------------------ */

extern char vmm_enter_exception[], vmm_enter_syscall[], vmm_enter_event[];
extern char vmm_resume_lo[], vmm_resume_hi[], vmm_restart[], vmm_iret_refused[];
struct fixup { uint64_t from, to, fix; };
extern const struct fixup vmm_fixups[], vmm_fixups_end[];
extern char fast_hypercall[], fast_hypercall_masked[], fast_iret[], fast_iret_masked[];
extern char __text_lo[], __text_hi[];
uint64_t guest_copy(void *to, const void *from, size_t n);	/* 1: a fault */
_Noreturn void vmm_leave(struct upcall_regs *r);
_Noreturn void vcpu_begin(struct vcpu *v);
void vcpu_on_exception(struct upcall_regs *r);
void vcpu_on_syscall(struct upcall_regs *r);
void vcpu_on_hypercall(struct upcall_regs *r);
void vcpu_on_event(struct upcall_regs *r);
void vcpu_resume_failed(struct upcall_regs *r, uint64_t status);

#endif
