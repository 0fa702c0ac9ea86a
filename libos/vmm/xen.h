/* The Xen x86-64 PV ABI as far as the monitor speaks it: numbers and structures, version 4.17 of
 * the public interface.  Nothing here is the monitor's own.
 *
 * Structures have the layout that guests compile in; every one is pinned by a static_assert.
 * `guest_va` stands for an address in the guest's address space: to be checked before use.
 * Left out: what no guest of ours uses (FIFO events, grant version 2, HVM, control calls).
 */
#ifndef VMM_XEN_H
#define VMM_XEN_H

#include <stddef.h>
#include <stdint.h>

#define XEN_SIZE(type, bytes)	_Static_assert(sizeof(struct type) == (bytes), #type)
#define XEN_AT(type, field, at)	_Static_assert(offsetof(struct type, field) == (at), #type "." #field)

typedef uint64_t guest_va;

#define XEN_VERSION_MAJOR	4
#define XEN_VERSION_MINOR	17
#define XEN_DOMID_SELF		0x7ff0u

/* Errors: a call returns one negated. */
enum xen_errno {
	XEN_EPERM = 1, XEN_ENOENT = 2, XEN_ESRCH = 3, XEN_EIO = 5, XEN_E2BIG = 7, XEN_EAGAIN = 11,
	XEN_ENOMEM = 12, XEN_EACCES = 13, XEN_EFAULT = 14, XEN_EBUSY = 16, XEN_EEXIST = 17,
	XEN_ENODEV = 19, XEN_EISDIR = 21, XEN_EINVAL = 22, XEN_ENOSPC = 28, XEN_EROFS = 30,
	XEN_ERANGE = 34, XEN_ENOSYS = 38, XEN_ENOTEMPTY = 39, XEN_EOPNOTSUPP = 95,
};

/* ---- hypercalls: RAX; arguments RDI RSI RDX R10 R8; result RAX ------------------------------ */

enum xen_call {
	XEN_SET_TRAP_TABLE = 0, XEN_MMU_UPDATE = 1, XEN_SET_GDT = 2, XEN_STACK_SWITCH = 3,
	XEN_SET_CALLBACKS = 4, XEN_FPU_TASKSWITCH = 5, XEN_SCHED_OP_COMPAT = 6, XEN_PLATFORM_OP = 7,
	XEN_SET_DEBUGREG = 8, XEN_GET_DEBUGREG = 9, XEN_UPDATE_DESCRIPTOR = 10, XEN_MEMORY_OP = 12,
	XEN_MULTICALL = 13, XEN_UPDATE_VA_MAPPING = 14, XEN_SET_TIMER_OP = 15,
	XEN_EVENT_CHANNEL_OP_COMPAT = 16, XEN_VERSION = 17, XEN_CONSOLE_IO = 18,
	XEN_PHYSDEV_OP_COMPAT = 19, XEN_GRANT_TABLE_OP = 20, XEN_VM_ASSIST = 21,
	XEN_UPDATE_VA_MAPPING_OTHERDOMAIN = 22, XEN_IRET = 23, XEN_VCPU_OP = 24,
	XEN_SET_SEGMENT_BASE = 25, XEN_MMUEXT_OP = 26, XEN_XSM_OP = 27, XEN_NMI_OP = 28,
	XEN_SCHED_OP = 29, XEN_CALLBACK_OP = 30, XEN_XENOPROF_OP = 31, XEN_EVENT_CHANNEL_OP = 32,
	XEN_PHYSDEV_OP = 33, XEN_HVM_OP = 34, XEN_SYSCTL = 35, XEN_DOMCTL = 36, XEN_KEXEC_OP = 37,
	XEN_TMEM_OP = 38, XEN_ARGO_OP = 39, XEN_XENPMU_OP = 40, XEN_DM_OP = 41,
	XEN_CALLS = 64
};

struct xen_multicall { uint64_t op; int64_t result; uint64_t args[6]; };
XEN_SIZE(xen_multicall, 64);

/* ---- traps, callbacks, frames --------------------------------------------------------------- */

struct xen_trap_info { uint8_t vector, flags; uint16_t cs; guest_va address; };
XEN_SIZE(xen_trap_info, 16);
#define XEN_TRAP_DPL(flags)	((flags) & 3)	/* who may raise it by INT */
#define XEN_TRAP_MASKS		4u		/* events are masked on entry */

enum xen_callback_op { XEN_CALLBACK_REGISTER = 0, XEN_CALLBACK_UNREGISTER = 1 };
enum xen_callback_type {
	XEN_CALLBACK_EVENT = 0, XEN_CALLBACK_FAILSAFE = 1, XEN_CALLBACK_SYSCALL = 2,
	XEN_CALLBACK_SYSENTER_OLD = 3, XEN_CALLBACK_NMI = 4, XEN_CALLBACK_SYSENTER = 5,
	XEN_CALLBACK_SYSCALL32 = 7, XEN_CALLBACKS = 8
};
#define XEN_CALLBACK_MASKS	1u		/* flags: events are masked on entry */
struct xen_callback_register { uint16_t type, flags; guest_va address; };
struct xen_callback_unregister { uint16_t type, pad; };
XEN_SIZE(xen_callback_register, 16);

/* What lies on the guest kernel's stack when it is entered, lowest address first; `error` only
 * for exceptions that have one. */
struct xen_bounce { uint64_t rcx, r11, rip, cs, rflags, rsp, ss; };
struct xen_bounce_error { uint64_t rcx, r11, error, rip, cs, rflags, rsp, ss; };
#define XEN_BOUNCE_MASK_SHIFT	32		/* cs: the mask byte as it was */

/* The argument of XEN_IRET, at RSP. */
struct xen_iret { uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss; };
#define XEN_IRET_IN_SYSCALL	0x100u		/* flags: RCX and R11 are lost, SYSRET will do */

#define XEN_SEL_CS_RING0	0xe008u		/* descriptors that every guest finds */
#define XEN_SEL_CS32		0xe023u
#define XEN_SEL_SS		0xe02bu
#define XEN_SEL_CS64		0xe033u
#define XEN_GDT_OWN		7168u		/* from this descriptor on they are the hypervisor's */

enum xen_segment_base {
	XEN_BASE_FS, XEN_BASE_GS_USER, XEN_BASE_GS_KERNEL, XEN_BASE_GS_USER_SEL
};

/* ---- memory --------------------------------------------------------------------------------- */

struct xen_mmu_update { uint64_t ptr, val; };	/* ptr: machine address of the entry | operation */
#define XEN_MMU_NORMAL		0u
#define XEN_MMU_MACHPHYS	1u		/* val: the pfn of the frame at ptr */
#define XEN_MMU_PRESERVE_AD	2u

enum xen_mmuext {
	XEN_PIN_L1 = 0, XEN_PIN_L2 = 1, XEN_PIN_L3 = 2, XEN_PIN_L4 = 3, XEN_UNPIN = 4,
	XEN_NEW_BASEPTR = 5, XEN_TLB_FLUSH_LOCAL = 6, XEN_INVLPG_LOCAL = 7, XEN_TLB_FLUSH_MULTI = 8,
	XEN_INVLPG_MULTI = 9, XEN_TLB_FLUSH_ALL = 10, XEN_INVLPG_ALL = 11, XEN_FLUSH_CACHE = 12,
	XEN_SET_LDT = 13, XEN_NEW_USER_BASEPTR = 15, XEN_CLEAR_PAGE = 16, XEN_COPY_PAGE = 17,
	XEN_FLUSH_CACHE_GLOBAL = 18
};
struct xen_mmuext_op {
	uint32_t cmd, pad;
	uint64_t arg1;			/* mfn or linear address */
	uint64_t arg2;			/* entries, the address of a mask of vCPUs, or the source mfn */
};
XEN_SIZE(xen_mmuext_op, 24);
#define XEN_MMU_PREEMPTED	0x80000000u	/* in the count: the call goes on */

#define XEN_UVMF_KIND		3u		/* update_va_mapping's flags */
#define XEN_UVMF_TLB_FLUSH	1u
#define XEN_UVMF_INVLPG		2u
#define XEN_UVMF_ALL		4u		/* on all vCPUs; else the rest of the word is the address
						 * of a mask of vCPUs, 0 = this one */

enum xen_memory_op {
	XEN_MEM_INCREASE = 0, XEN_MEM_DECREASE = 1, XEN_MEM_MAX_PAGE = 2, XEN_MEM_CURRENT = 3,
	XEN_MEM_MAXIMUM = 4, XEN_MEM_M2P_LIST = 5, XEN_MEM_POPULATE = 6, XEN_MEM_MAP = 9,
	XEN_MEM_MACHINE_MAP = 10, XEN_MEM_EXCHANGE = 11, XEN_MEM_M2P = 12
};
struct xen_m2p_mapping { guest_va lo, hi; uint64_t max_mfn; };
struct xen_memory_map { uint32_t entries, pad; guest_va buffer; };
XEN_SIZE(xen_memory_map, 16);
struct xen_e820 { uint64_t addr, size; uint32_t type; } __attribute__((packed));
XEN_SIZE(xen_e820, 20);
#define XEN_E820_RAM		1u
struct xen_reservation {
	guest_va frames;
	uint64_t count;
	uint32_t order, flags;
	uint16_t domid;
};
XEN_SIZE(xen_reservation, 32);

enum xen_assist { XEN_ASSIST_ENABLE = 0, XEN_ASSIST_DISABLE = 1 };
#define XEN_ASSIST_4GB		0u
#define XEN_ASSIST_WRITABLE_PT	2u
#define XEN_ASSIST_PAE_CR3	3u
#define XEN_ASSIST_RUNSTATE	5u

/* ---- time, vCPUs, scheduling ---------------------------------------------------------------- */

struct xen_time_info {
	uint32_t version, pad;		/* odd: being changed */
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad2[2];
};
XEN_SIZE(xen_time_info, 32);
#define XEN_TIME_STABLE		1u

struct xen_vcpu_info {
	uint8_t pending, mask;
	uint8_t pad[6];
	uint64_t pending_sel;
	uint64_t cr2, pad2;
	struct xen_time_info time;
};
XEN_SIZE(xen_vcpu_info, 64);

#define XEN_LEGACY_VCPUS	32
#define XEN_PORTS		4096		/* of the two-level ABI */
struct xen_shared_info {
	struct xen_vcpu_info vcpu_info[XEN_LEGACY_VCPUS];
	uint64_t evtchn_pending[64], evtchn_mask[64];
	uint32_t wc_version, wc_sec, wc_nsec, wc_sec_hi;
	uint64_t max_pfn, p2m_list_list, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation;
};
XEN_AT(xen_shared_info, evtchn_pending, 2048);
XEN_AT(xen_shared_info, wc_version, 3072);
XEN_AT(xen_shared_info, max_pfn, 3088);
XEN_SIZE(xen_shared_info, 3136);

enum xen_vcpu_op {
	XEN_VCPU_INITIALISE = 0, XEN_VCPU_UP = 1, XEN_VCPU_DOWN = 2, XEN_VCPU_IS_UP = 3,
	XEN_VCPU_GET_RUNSTATE = 4, XEN_VCPU_REGISTER_RUNSTATE = 5, XEN_VCPU_SET_PERIODIC = 6,
	XEN_VCPU_STOP_PERIODIC = 7, XEN_VCPU_SET_SINGLESHOT = 8, XEN_VCPU_STOP_SINGLESHOT = 9,
	XEN_VCPU_REGISTER_INFO = 10, XEN_VCPU_SEND_NMI = 11, XEN_VCPU_GET_PHYSID = 12,
	XEN_VCPU_REGISTER_TIME = 13
};
enum xen_runstate { XEN_RUNNING, XEN_RUNNABLE, XEN_BLOCKED, XEN_OFFLINE };
struct xen_runstate_info { int32_t state; uint32_t pad; uint64_t entry_time, time[4]; };
XEN_SIZE(xen_runstate_info, 48);
#define XEN_RUNSTATE_UPDATE	(1ul << 63)	/* in entry_time while it changes, with that assist */
struct xen_set_periodic { uint64_t period; };
struct xen_set_singleshot { uint64_t when; uint32_t flags, pad; };
XEN_SIZE(xen_set_singleshot, 16);
#define XEN_SINGLESHOT_FUTURE	1u		/* -ETIME for a time in the past */
#define XEN_ETIME		62
struct xen_register_info { uint64_t mfn; uint32_t offset, pad; };
struct xen_register_area { guest_va address; };

struct xen_user_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint32_t error, vector;
	uint64_t rip;
	uint16_t cs, pad;
	uint8_t mask, pad2[3];
	uint64_t rflags, rsp;
	uint64_t ss, es, ds, fs, gs;		/* 16 bits of each */
};
XEN_SIZE(xen_user_regs, 200);
struct xen_vcpu_context {			/* XEN_VCPU_INITIALISE's argument */
	uint8_t fpu[512];
	uint64_t flags;
	struct xen_user_regs regs;
	struct xen_trap_info trap[256];
	guest_va ldt;
	uint64_t ldt_entries, gdt_frame[16], gdt_entries;
	uint64_t kernel_ss, kernel_sp;
	uint64_t cr[8];				/* 3: mfn << 12 of the kernel root; 1: of the user root */
	uint64_t dr[8];
	guest_va event_callback, failsafe_callback, syscall_callback;
	uint64_t vm_assist;
	uint64_t fs_base, gs_base_kernel, gs_base_user;
};
XEN_SIZE(xen_vcpu_context, 5168);
#define XEN_CONTEXT_FPU		0x01u		/* its flags */
#define XEN_CONTEXT_IN_KERNEL	0x04u
#define XEN_CONTEXT_FAILSAFE_MASKS 0x08u
#define XEN_CONTEXT_SYSCALL_MASKS 0x10u

enum xen_sched_op {
	XEN_SCHED_YIELD = 0, XEN_SCHED_BLOCK = 1, XEN_SCHED_SHUTDOWN = 2, XEN_SCHED_POLL = 3,
	XEN_SCHED_WATCHDOG = 6, XEN_SCHED_PIN = 7
};
struct xen_sched_shutdown { uint32_t reason; };
enum xen_shutdown {
	XEN_SHUTDOWN_POWEROFF, XEN_SHUTDOWN_REBOOT, XEN_SHUTDOWN_SUSPEND, XEN_SHUTDOWN_CRASH
};
struct xen_sched_poll { guest_va ports; uint32_t count, pad; uint64_t timeout; };
XEN_SIZE(xen_sched_poll, 24);

/* ---- event channels ------------------------------------------------------------------------- */

enum xen_evtchn_op {
	XEN_EVTCHN_BIND_INTERDOMAIN = 0, XEN_EVTCHN_BIND_VIRQ = 1, XEN_EVTCHN_BIND_PIRQ = 2,
	XEN_EVTCHN_CLOSE = 3, XEN_EVTCHN_SEND = 4, XEN_EVTCHN_STATUS = 5,
	XEN_EVTCHN_ALLOC_UNBOUND = 6, XEN_EVTCHN_BIND_IPI = 7, XEN_EVTCHN_BIND_VCPU = 8,
	XEN_EVTCHN_UNMASK = 9, XEN_EVTCHN_RESET = 10, XEN_EVTCHN_INIT_CONTROL = 11,
	XEN_EVTCHN_EXPAND_ARRAY = 12, XEN_EVTCHN_SET_PRIORITY = 13
};
enum xen_virq { XEN_VIRQ_TIMER = 0, XEN_VIRQ_DEBUG = 1, XEN_VIRQ_CONSOLE = 2, XEN_VIRQS = 24 };
struct xen_bind_interdomain { uint16_t remote_dom, pad; uint32_t remote_port, port; };
struct xen_bind_virq { uint32_t virq, vcpu, port; };
struct xen_bind_ipi { uint32_t vcpu, port; };
struct xen_evtchn_port { uint32_t port; };	/* close, send, unmask */
struct xen_alloc_unbound { uint16_t dom, remote_dom; uint32_t port; };
struct xen_bind_vcpu { uint32_t port, vcpu; };
struct xen_evtchn_status {
	uint16_t dom, pad;
	uint32_t port, status, vcpu;		/* status: enum xen_port_state */
	union {
		struct { uint16_t dom; } unbound;
		struct { uint16_t dom; uint32_t port; } interdomain;
		uint32_t virq;
	} of;
};
XEN_SIZE(xen_evtchn_status, 24);
enum xen_port_state {
	XEN_PORT_CLOSED, XEN_PORT_UNBOUND, XEN_PORT_INTERDOMAIN, XEN_PORT_PIRQ, XEN_PORT_VIRQ,
	XEN_PORT_IPI
};

/* ---- grants --------------------------------------------------------------------------------- */

enum xen_grant_op {
	XEN_GRANT_MAP = 0, XEN_GRANT_UNMAP = 1, XEN_GRANT_SETUP = 2, XEN_GRANT_COPY = 5,
	XEN_GRANT_QUERY_SIZE = 6, XEN_GRANT_SET_VERSION = 8, XEN_GRANT_GET_STATUS_FRAMES = 9,
	XEN_GRANT_GET_VERSION = 10
};
struct xen_grant_entry { uint16_t flags, domid; uint32_t frame; };	/* version 1 */
#define XEN_GRANTS_A_PAGE	512u
#define XEN_GRANT_TYPE		3u		/* flags */
#define XEN_GRANT_INVALID	0u
#define XEN_GRANT_ACCESS	1u
#define XEN_GRANT_READONLY	0x04u
#define XEN_GRANT_READING	0x08u		/* set by the back end while it uses the frame */
#define XEN_GRANT_WRITING	0x10u
struct xen_grant_setup {
	uint16_t dom, pad;
	uint32_t frames;
	int16_t status, pad2[3];
	guest_va list;				/* of u64 mfns */
};
XEN_SIZE(xen_grant_setup, 24);
struct xen_grant_query { uint16_t dom, pad; uint32_t frames, max_frames; int16_t status, pad2; };
XEN_SIZE(xen_grant_query, 16);
struct xen_grant_set_version { uint32_t version; };
struct xen_grant_get_version { uint16_t dom, pad; uint32_t version; };
#define XEN_GRANT_OKAY		0		/* status */
#define XEN_GRANT_ERROR		(-1)
#define XEN_GRANT_BAD_DOMAIN	(-2)
#define XEN_GRANT_BAD_REF	(-3)

/* ---- version, features ---------------------------------------------------------------------- */

enum xen_version_op {
	XEN_VERSION_NUMBER = 0, XEN_VERSION_EXTRA = 1, XEN_VERSION_COMPILE = 2,
	XEN_VERSION_CAPABILITIES = 3, XEN_VERSION_CHANGESET = 4, XEN_VERSION_PLATFORM = 5,
	XEN_VERSION_FEATURES = 6, XEN_VERSION_PAGESIZE = 7, XEN_VERSION_HANDLE = 8,
	XEN_VERSION_COMMANDLINE = 9, XEN_VERSION_BUILD_ID = 10
};
#define XEN_EXTRAVERSION_SIZE	16
#define XEN_CAPABILITIES_SIZE	1024
#define XEN_CHANGESET_SIZE	64
struct xen_compile_info { char compiler[64], by[16], domain[32], date[32]; };
struct xen_feature_info { uint32_t submap_index, submap; };
enum xen_feature {			/* bit numbers */
	XEN_FEAT_WRITABLE_PT = 0, XEN_FEAT_WRITABLE_DESCRIPTORS = 1, XEN_FEAT_AUTO_TRANSLATED = 2,
	XEN_FEAT_SUPERVISOR_KERNEL = 3, XEN_FEAT_PGDIR_ABOVE_4GB = 4, XEN_FEAT_PRESERVE_AD = 5,
	XEN_FEAT_HIGHMEM = 6, XEN_FEAT_GNTTAB_AVAIL_BITS = 7, XEN_FEAT_DOM0 = 11,
	XEN_FEAT_RSDP_UNRESTRICTED = 15, XEN_FEATS = 32
};

#define XEN_PHYSDEV_SET_IOPL	6u		/* XEN_PHYSDEV_OP */
#define XEN_CONSOLE_WRITE	0u		/* XEN_CONSOLE_IO */
#define XEN_CONSOLE_READ	1u

/* CPUID leaves: EBX, ECX, EDX of the first spell "XenVMMXenVMM". */
#define XEN_CPUID_BASE		0x40000000u
#define XEN_CPUID_EBX		0x566e6558u
#define XEN_CPUID_ECX		0x65584d4du
#define XEN_CPUID_EDX		0x4d4d566eu

/* ---- how a guest starts --------------------------------------------------------------------- */

#define XEN_START_MAGIC		"xen-3.0-x86_64"
#define XEN_CMDLINE_SIZE	1024
struct xen_start_info {
	char magic[32];
	uint64_t pages;
	uint64_t shared_info;		/* machine address */
	uint32_t flags, pad;
	uint64_t store_mfn;
	uint32_t store_port, pad2;
	uint64_t console_mfn;
	uint32_t console_port, pad3;
	guest_va pt_base;
	uint64_t pt_frames;
	guest_va mfn_list;
	uint64_t mod_start, mod_size;	/* address, or with XEN_SIF_MOD_PFN a pfn; bytes */
	char cmdline[XEN_CMDLINE_SIZE];
	uint64_t p2m_pfn, p2m_frames;	/* where the list lies if it is mapped apart */
};
XEN_AT(xen_start_info, store_mfn, 56);
XEN_AT(xen_start_info, console_mfn, 72);
XEN_AT(xen_start_info, cmdline, 128);
XEN_SIZE(xen_start_info, 1168);
#define XEN_SIF_MOD_PFN		0x08u
#define XEN_SIF_VIRT_P2M	0x10u		/* nobody outside needs the tree of p2m frames */

enum xen_note {				/* ELF notes named "Xen" */
	XEN_NOTE_INFO = 0, XEN_NOTE_ENTRY = 1, XEN_NOTE_HYPERCALL_PAGE = 2, XEN_NOTE_VIRT_BASE = 3,
	XEN_NOTE_PADDR_OFFSET = 4, XEN_NOTE_XEN_VERSION = 5, XEN_NOTE_GUEST_OS = 6,
	XEN_NOTE_GUEST_VERSION = 7, XEN_NOTE_LOADER = 8, XEN_NOTE_PAE_MODE = 9, XEN_NOTE_FEATURES = 10,
	XEN_NOTE_BSD_SYMTAB = 11, XEN_NOTE_HV_START_LOW = 12, XEN_NOTE_L1_MFN_VALID = 13,
	XEN_NOTE_SUSPEND_CANCEL = 14, XEN_NOTE_INIT_P2M = 15, XEN_NOTE_MOD_START_PFN = 16,
	XEN_NOTE_SUPPORTED_FEATURES = 17, XEN_NOTE_PHYS32_ENTRY = 18
};

/* ---- rings: positions count bytes or entries, modulo 2^32 ----------------------------------- */

struct xen_console_ring {
	char in[1024], out[2048];
	uint32_t in_cons, in_prod, out_cons, out_prod;
};
XEN_AT(xen_console_ring, in_cons, 3072);

struct xen_store_ring {
	char request[1024], reply[1024];
	uint32_t request_cons, request_prod, reply_cons, reply_prod;
	uint32_t features, connection, error;
};
XEN_AT(xen_store_ring, request_cons, 2048);
XEN_SIZE(xen_store_ring, 2076);
struct xen_store_header { uint32_t type, request, transaction, length; };
#define XEN_STORE_PAYLOAD	4096u
#define XEN_STORE_PATH		3072u		/* longest absolute one */
#define XEN_STORE_RELATIVE	2048u
enum xen_store_type {
	XS_CONTROL = 0, XS_DIRECTORY = 1, XS_READ = 2, XS_GET_PERMS = 3, XS_WATCH = 4, XS_UNWATCH = 5,
	XS_TRANSACTION_START = 6, XS_TRANSACTION_END = 7, XS_INTRODUCE = 8, XS_RELEASE = 9,
	XS_GET_DOMAIN_PATH = 10, XS_WRITE = 11, XS_MKDIR = 12, XS_RM = 13, XS_SET_PERMS = 14,
	XS_WATCH_EVENT = 15, XS_ERROR = 16, XS_IS_DOMAIN_INTRODUCED = 17, XS_RESUME = 18,
	XS_SET_TARGET = 19, XS_RESET_WATCHES = 21, XS_DIRECTORY_PART = 22
};
enum xen_bus_state {
	XEN_BUS_UNKNOWN, XEN_BUS_INITIALISING, XEN_BUS_INIT_WAIT, XEN_BUS_INITIALISED,
	XEN_BUS_CONNECTED, XEN_BUS_CLOSING, XEN_BUS_CLOSED, XEN_BUS_RECONFIGURING, XEN_BUS_RECONFIGURED
};

/* A ring of requests and replies in one page: each side wants an event when the other's
 * position passes the `event` word. */
struct xen_ring {
	uint32_t request_prod, request_event, reply_prod, reply_event;
	uint8_t pad[48];
};
XEN_SIZE(xen_ring, 64);

enum xen_blk_op {
	XEN_BLK_READ = 0, XEN_BLK_WRITE = 1, XEN_BLK_BARRIER = 2, XEN_BLK_FLUSH = 3, XEN_BLK_DISCARD = 5,
	XEN_BLK_INDIRECT = 6
};
#define XEN_BLK_SEGMENTS	11u
#define XEN_BLK_ENTRIES		32u		/* of a ring of one page */
#define XEN_BLK_SECTOR		512u		/* sector numbers count these, whatever the disk's */
struct xen_blk_segment { uint32_t ref; uint8_t first, last, pad[2]; };	/* sectors in the page */
struct xen_blk_request {
	uint8_t op, segments;
	uint16_t handle;
	uint32_t pad;
	uint64_t id, sector;
	struct xen_blk_segment segment[XEN_BLK_SEGMENTS];
};
XEN_SIZE(xen_blk_request, 112);
struct xen_blk_discard {		/* the same entry, for XEN_BLK_DISCARD */
	uint8_t op, flags;
	uint16_t handle;
	uint32_t pad;
	uint64_t id, sector, sectors;
};
struct xen_blk_reply { uint64_t id; uint8_t op, pad; int16_t status; };
XEN_SIZE(xen_blk_reply, 16);
#define XEN_BLK_OKAY		0
#define XEN_BLK_ERROR		(-1)
#define XEN_BLK_UNSUPPORTED	(-2)
struct xen_blk_ring {
	struct xen_ring ring;
	union { struct xen_blk_request request; struct xen_blk_reply reply; } entry[XEN_BLK_ENTRIES];
};
_Static_assert(sizeof(struct xen_blk_ring) <= 4096, "a page");

#endif
