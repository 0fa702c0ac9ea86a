/* The death report of a domain.  See spawn.h. */
#include "libos/common/spawn.h"
#include "libos/common/pt.h"
#include "libos/common/start.h"
#include "libos/common/text.h"

#define FRAMES_SHOWN	24	/* of a backtrace */

struct report {
	const struct exo_domain_info *info;
	const struct elf_image *elf;
	uint64_t domain;
	void (*line)(void *arg, const char *text);
	void *arg;
	char text[200];
};

static const char *const exceptions[32] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode",
	"no FPU", "double fault", "", "invalid TSS", "segment not present", "stack fault",
	"general protection", "page fault", "", "FPU error", "alignment check", "machine check",
	"SIMD error", [21] = "control protection",
};

/* A page of ours that frame_copy can write to. */
static bool copy_in(uint64_t domain, uint64_t phys, void *to, size_t n)
{
	static uint8_t *page;
	static uint64_t pfn;
	if (!page && !(page = page_new(&pfn)))
		return false;
	if (exo_frame_copy(0, pfn << EXO_PAGE_SHIFT, domain, phys, n, 0).status)
		return false;
	memcpy(to, page, n);
	return true;
}

size_t domain_read(uint64_t domain, uint64_t root, uint64_t va, void *to, size_t n)
{
	size_t done = 0;
	while (done < n) {
		uint64_t at = va + done, table = root, e = 0;
		unsigned l = 4;
		for (;; l--) {
			if (!copy_in(domain, (table << EXO_PAGE_SHIFT) + 8 * pt_index(at, l), &e, 8) ||
			    !(e & EXO_PTE_P))
				return done;
			if (l == 1 || e & EXO_PTE_PS)
				break;
			table = PTE_PFN(e);
		}
		uint64_t size = 1ul << (12 + 9 * (l - 1));
		uint64_t phys = (e & EXO_PTE_FRAME & -size) | (at & (size - 1));
		uint64_t part = EXO_PAGE_SIZE - at % EXO_PAGE_SIZE;
		if (part > n - done)
			part = n - done;
		if (!copy_in(domain, phys, (uint8_t *)to + done, part))
			return done;
		done += part;
	}
	return done;
}

void death_text(const struct exo_domain_info *i, char *text, size_t size)
{
	uint64_t v = i->regs.vector;
	switch (i->reason) {
	case EXO_DEAD_NOT:
		snprintf(text, size, "not ended");
		return;
	case EXO_DEAD_EXIT:
		if (i->status == DOMAIN_FAILED)
			snprintf(text, size, "failed");
		else
			snprintf(text, size, "exited with status %lu", i->status);
		return;
	case EXO_DEAD_EXCEPTION:
		if (v == 14)
			snprintf(text, size, "killed by a page fault (%s%s) at 0x%lx, rip 0x%lx",
				i->regs.error & 16 ? "fetch" : i->regs.error & 2 ? "write" : "read",
				i->regs.error & 1 ? ", protected" : ", not mapped", i->fault_addr,
				i->regs.rip);
		else
			snprintf(text, size, "killed by exception %lu (%s), rip 0x%lx", v,
				v < 32 && exceptions[v] ? exceptions[v] : "upcall", i->regs.rip);
		return;
	case EXO_DEAD_STATE:
		snprintf(text, size, "killed: its state could not be loaded, rip 0x%lx", i->regs.rip);
		return;
	case EXO_DEAD_REVOKED:
		snprintf(text, size, "ended: it did not give back frames");
		return;
	}
	snprintf(text, size, "destroyed");
}

static void show_address(struct report *r, const char *what, uint64_t address, uint64_t lookup)
{
	uint64_t offset = 0;
	const char *name = r->elf ? elf_symbol(r->elf, lookup, &offset) : NULL;
	if (name)
		snprintf(r->text, sizeof r->text, "  %s %016lx %s+0x%lx", what, address, name,
			offset + address - lookup);
	else
		snprintf(r->text, sizeof r->text, "  %s %016lx", what, address);
	r->line(r->arg, r->text);
}

static void show_registers(struct report *r)
{
	const struct exo_regs *g = &r->info->regs;
	const struct { const char *name; uint64_t value; } all[] = {
		{ "rax", g->rax }, { "rbx", g->rbx }, { "rcx", g->rcx }, { "rdx", g->rdx },
		{ "rsi", g->rsi }, { "rdi", g->rdi }, { "rbp", g->rbp }, { "rsp", g->rsp },
		{ "r8 ", g->r8 }, { "r9 ", g->r9 }, { "r10", g->r10 }, { "r11", g->r11 },
		{ "r12", g->r12 }, { "r13", g->r13 }, { "r14", g->r14 }, { "r15", g->r15 },
		{ "rip", g->rip }, { "rfl", g->rflags }, { "fs ", g->fs_base }, { "gs ", g->gs_base },
	};
	for (unsigned i = 0; i < ARRAY_LEN(all); i += 4) {
		snprintf(r->text, sizeof r->text, "  %s %016lx  %s %016lx  %s %016lx  %s %016lx",
			all[i].name, all[i].value, all[i + 1].name, all[i + 1].value,
			all[i + 2].name, all[i + 2].value, all[i + 3].name, all[i + 3].value);
		r->line(r->arg, r->text);
	}
}

/* Follows the frame pointers, which must ascend. */
static void show_backtrace(struct report *r)
{
	uint64_t link[2], frame = r->info->regs.rbp;
	show_address(r, "at  ", r->info->regs.rip, r->info->regs.rip);
	for (unsigned i = 0; i < FRAMES_SHOWN && frame; i++) {
		if (domain_read(r->domain, r->info->root, frame, link, sizeof link) != sizeof link)
			break;
		if (!link[1])
			break;
		show_address(r, "from", link[1], link[1] - 1);
		if (link[0] <= frame)
			break;
		frame = link[0];
	}
}

static void show_mapping(struct report *r)
{
	const uint64_t *e = r->info->entries;
	if (r->info->reason != EXO_DEAD_EXCEPTION || r->info->regs.vector != 14)
		return;
	snprintf(r->text, sizeof r->text, "  page-table entries of 0x%lx: %lx %lx %lx %lx",
		r->info->fault_addr, e[0], e[1], e[2], e[3]);
	r->line(r->arg, r->text);
}

void death_report(uint64_t domain, const struct elf_image *elf,
	void (*line)(void *arg, const char *text), void *arg)
{
	struct exo_domain_info info;
	if (exo_domain_info(domain, &info).status)
		return;
	struct report r = { &info, elf, domain, line, arg, "" };
	char why[120];
	death_text(&info, why, sizeof why);
	snprintf(r.text, sizeof r.text, "domain %lu (context %lu) %s", info.id, info.context, why);
	line(arg, r.text);
	if (info.reason != EXO_DEAD_EXCEPTION && info.reason != EXO_DEAD_STATE)
		return;
	show_registers(&r);
	show_mapping(&r);
	show_backtrace(&r);
}
