/* A plugin of QEMU's translator that counts what a system spends between two marks: instructions by
 * layer, ways into the kernel or hypervisor, loads of CR3, other flushes.
 *
 *	-plugin count.so,out=FILE
 *
 * A mark is LFENCE and RDTSC in a static program (tests/bench/bench.c; a library's would be further
 * up); each appends a line of the counters to FILE.  One vCPU.  Left to others: what marks mean
 * (run).
 *
 * QEMU's header is in none of Debian's packages: what is used of the interface stands here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const uint8_t *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
	void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*executed)(unsigned vcpu, void *arg), int flags, void *arg);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *at,
	uint64_t n);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *at,
	uint64_t n);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

#define NO_REGISTERS	0
#define ADD		0

/* Where the layers are: Xen and Virtue have the same slots of the address space, see
 * docs/vmm-design.md. */
#define USER_END	(1ul << 47)
#define HYPERVISOR	0xffff808000000000ul
#define MONITOR		0xffff840000000000ul
#define MONITOR_END	0xffff880000000000ul
#define PROGRAM_END	0x1000000ul	/* of a static one */

enum { USER, GUEST_KERNEL, VMM, KERNEL, CROSSINGS, CR3_LOADS, FLUSHES, COUNTERS };
static uint64_t count[COUNTERS];
static FILE *out;

static void mark(unsigned vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	for (unsigned i = 0; i < COUNTERS; i++)
		fprintf(out, "%lu%c", count[i], i == COUNTERS - 1 ? '\n' : ' ');
	fflush(out);
}

static unsigned layer_of(uint64_t va)
{
	if (va < USER_END)
		return USER;
	if (va >= MONITOR && va < MONITOR_END)
		return VMM;
	return va >= HYPERVISOR && va < MONITOR ? KERNEL : GUEST_KERNEL;
}

/* What is counted of an instruction beside its layer; COUNTERS: nothing. */
static unsigned kind_of(const uint8_t *code, size_t n)
{
	if (n == 3 && (!memcmp(code, "\x48\x0f\x07", 3)))
		return CROSSINGS;		/* SYSRETQ; each way in has one way out */
	if (n == 2 && !memcmp(code, "\x48\xcf", 2))
		return CROSSINGS;		/* IRETQ */
	if (n > 3 && (code[0] & 0xf0) == 0x40) {
		code++;
		n--;
	}
	if (n == 3 && code[0] == 0x0f && code[1] == 0x22 && code[2] >> 3 == 0x1b)
		return CR3_LOADS;
	if (n == 3 && code[0] == 0x0f && code[1] == 0x22 && code[2] >> 3 == 0x1c)
		return FLUSHES;			/* CR4 */
	if (n >= 3 && code[0] == 0x0f && code[1] == 0x01 && code[2] < 0xc0 && (code[2] >> 3 & 7) == 7)
		return FLUSHES;			/* INVLPG */
	return COUNTERS;
}

/* A block's instructions are counted as it is entered, so one that faults counts them all. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	uint64_t va = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
	unsigned layer = layer_of(va);
	bool fence = false;
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &count[layer], n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		unsigned kind = kind_of(code, size);
		if (kind != COUNTERS && (layer == KERNEL || layer == GUEST_KERNEL))
			qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD, &count[kind], 1);
		if (fence && va < PROGRAM_END && size == 2 && !memcmp(code, "\x0f\x31", 2))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, NULL);
		fence = size == 3 && !memcmp(code, "\x0f\xae\xe8", 3);
	}
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w")))
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
