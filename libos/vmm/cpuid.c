/* CPUID as guest kernels see it: the processor's, less what a paravirtual guest cannot have, plus
 * the hypervisor's leaves.  A guest asks by `ud2; .ascii "xen"; cpuid`; its user code sees the
 * processor's own.
 */
#include "libos/vmm/run.h"

enum { EAX, EBX, ECX, EDX };
#define BIT(n)		(1u << (n))

/* Leaf 1.  Left out: VME PSE SEP MTRR PGE PSE36 ACPI HTT; MONITOR VMX PCID X2APIC
 * TSC_DEADLINE. */
#define LEAF1_ECX	(BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | \
	BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
#define LEAF1_EDX	(BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(14) | \
	BIT(15) | BIT(16) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27))
#define ECX_XSAVE	BIT(26)
#define ECX_OSXSAVE	BIT(27)
#define ECX_HYPERVISOR	BIT(31)
#define CR4_OSXSAVE	BIT(18)
/* Leaf 7.  Left out: FSGSBASE (a context switch would read KERNEL_GS_BASE, a trap), SMEP SMAP INVPCID
 * HLE RTM MPX; UMIP PKU LA57 RDPID; what is about speculation. */
#define LEAF7_EBX	(BIT(3) | BIT(5) | BIT(8) | BIT(9) | BIT(16) | BIT(17) | BIT(18) | BIT(19) | \
	BIT(21) | BIT(23) | BIT(24) | BIT(28) | BIT(29) | BIT(30) | BIT(31))
#define LEAF7_ECX	(BIT(1) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14))
#define LEAF7_EDX	(BIT(2) | BIT(3) | BIT(4))
/* Leaf 0x80000001.  Left out: PSE PGE MTRR PSE36 FFXSR PDPE1GB RDTSCP; SVM and the like. */
#define LEAF81_ECX	(BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21))
#define LEAF81_EDX	(BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(9) | BIT(11) | \
	BIT(15) | BIT(16) | BIT(20) | BIT(22) | BIT(23) | BIT(24) | BIT(29) | BIT(30) | BIT(31))
#define XSAVEOPT	BIT(0)
#define XCR0_OFFERED	0xe7ul			/* x87 SSE AVX AVX-512 */
#define LEAF_MAX	0xdu
#define XEN_LEAVES	3u

static void native(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[EAX]), "=b"(out[EBX]), "=c"(out[ECX]), "=d"(out[EDX])
		: "a"(leaf), "c"(sub));
}

uint64_t xcr0_guest(void)
{
	uint32_t out[4], lo, hi;
	native(1, 0, out);
	if (!(out[ECX] & ECX_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return ((uint64_t)hi << 32 | lo) & XCR0_OFFERED;
}

static void leaf_features(const struct vcpu *v, uint32_t out[4])
{
	out[EBX] &= 0xffff;		/* APIC id: 0 for each vCPU, as Xen tells PV guests */
	out[ECX] = (out[ECX] & LEAF1_ECX) | ECX_HYPERVISOR;
	out[EDX] &= LEAF1_EDX;
	if (out[ECX] & ECX_XSAVE && v->cr4 & CR4_OSXSAVE)
		out[ECX] |= ECX_OSXSAVE;
}

/* Bytes of an XSAVE area with these components. */
static uint32_t xsave_size(uint64_t components)
{
	uint32_t size = 512 + 64, c[4];
	for (unsigned i = 2; i < 64; i++) {
		if (!(components >> i & 1))
			continue;
		native(0xd, i, c);
		if (c[EBX] + c[EAX] > size)
			size = c[EBX] + c[EAX];
	}
	return size;
}

static void leaf_xsave(const struct vcpu *v, uint32_t sub, uint32_t out[4])
{
	uint64_t offered = xcr0_guest();
	if (sub == 0) {
		out[EAX] = offered;
		out[EBX] = xsave_size(v->xcr0 ? v->xcr0 : 1);
		out[ECX] = xsave_size(offered);
		out[EDX] = 0;
	} else if (sub == 1) {
		out[EAX] &= XSAVEOPT;
		out[EBX] = out[ECX] = out[EDX] = 0;
	} else if (sub >= 64 || !(offered >> sub & 1)) {
		memset(out, 0, 16);
	}
}

static void leaf_xen(uint32_t n, uint32_t out[4])
{
	static const uint32_t leaves[XEN_LEAVES][4] = {
		{ XEN_CPUID_BASE + XEN_LEAVES - 1, XEN_CPUID_EBX, XEN_CPUID_ECX, XEN_CPUID_EDX },
		{ XEN_VERSION_MAJOR << 16 | XEN_VERSION_MINOR, 0, 0, 0 },
		{ 1, XEN_CPUID_BASE, 1, 0 },
	};
	memset(out, 0, 16);
	if (n < XEN_LEAVES)
		memcpy(out, leaves[n], 16);
}

static void leaf_mask(uint32_t out[4], uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	out[EAX] &= a;
	out[EBX] &= b;
	out[ECX] &= c;
	out[EDX] &= d;
}

void cpuid_guest(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	if (leaf - XEN_CPUID_BASE < 0x100) {
		leaf_xen(leaf - XEN_CPUID_BASE, out);
		return;
	}
	native(leaf, sub, out);
	switch (leaf) {
	case 0:
		if (out[EAX] > LEAF_MAX)
			out[EAX] = LEAF_MAX;
		return;
	case 1:
		leaf_features(v, out);
		return;
	case 2:
		return;
	case 4:
		leaf_mask(out, 0x3fff, ~0u, ~0u, ~0u);	/* caches are not shared */
		return;
	case 7:
		leaf_mask(out, 0, sub ? 0 : LEAF7_EBX, sub ? 0 : LEAF7_ECX, sub ? 0 : LEAF7_EDX);
		return;
	case 0xd:
		leaf_xsave(v, sub, out);
		return;
	case 0x80000001:
		leaf_mask(out, ~0u, 0, LEAF81_ECX, LEAF81_EDX);
		return;
	case 0x80000007:
		leaf_mask(out, 0, 0, 0, BIT(8));	/* the TSC's rate is constant */
		return;
	case 0x80000008:
		leaf_mask(out, 0xffff, 0, 0, 0);
		return;
	}
	if (leaf < 0x80000000 || leaf > 0x80000006)
		memset(out, 0, 16);
}

bool emulate_cpuid(struct vcpu *v, struct upcall_regs *r)
{
	static const uint8_t insn[] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
	uint8_t code[sizeof insn];
	uint32_t out[4];
	if (!guest_read(code, r->up.rip, sizeof code) || memcmp(code, insn, sizeof insn))
		return false;
	stat_count(v, STAT_CPUID);
	cpuid_guest(v, r->rax, r->rcx, out);
	r->rax = out[EAX];
	r->rbx = out[EBX];
	r->rcx = out[ECX];
	r->rdx = out[EDX];
	r->up.rip += sizeof insn;
	return true;
}
