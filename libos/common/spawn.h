/* Starting a domain from a static ELF image, and what is left when it ends.
 *
 * The child finds the layout that start_entry.S expects, above its image: a guard page, the first
 * stack, the control page, the start page, the argument block; one page table mostly serves all
 * of it.  Its page tables, object frames and pages come out of its own quota.
 *
 * Left to others: where the quota comes from, slices (exo_slice_ctl with the context), and
 * policy.  Not for concurrent use: one lock around all of it, if several contexts spawn.
 */
#ifndef COMMON_SPAWN_H
#define COMMON_SPAWN_H

#include "calls.h"
#include "elf.h"

/* A capability for the child: copied into its table with these rights, and named in its start
 * page.  base and count narrow it as in cap_copy (0, 0: all). */
struct spawn_cap {
	const char *name;
	uint64_t cap, rights, base, count;
};

struct spawn {
	/* in */
	const struct elf_image *elf;
	const struct exo_start_extent *quota;	/* own unmapped frames (frames_take), given away */
	unsigned quota_extents;
	uint64_t object, table;		/* own unmapped frames (frame_take): the domain's object and
					 * capability table; they stay ours */
	const struct spawn_cap *caps;
	unsigned cap_count;
	const struct exo_start_module *modules;
	unsigned module_count;
	const void *args;		/* copied; start->args */
	size_t args_size;		/* at most SPAWN_ARGS */
	const char *cmdline;		/* copied; NULL = "" */
	uint64_t acpi_pm1a, acpi_s5;	/* copied */
	unsigned cpu;			/* of the first context */
	unsigned stack_pages;		/* 0: SPAWN_STACK */
	/* out */
	uint64_t domain, context;	/* capabilities, with all rights */
	uint64_t entry, stack, start;	/* for spawn_start */
	uint64_t status;		/* of the call that failed */
	const char *error;		/* what failed, NULL = nothing */
};
#define SPAWN_ARGS	65536u
#define SPAWN_STACK	4u

/* Builds the domain, its context stopped.  False: s->error says what went wrong; what was made
 * is gone again, quota, object and table frames are ours and unmapped as before. */
bool spawn_create(struct spawn *s);
uint64_t spawn_start(struct spawn *s);
/* Ends a domain, and those that it made itself, and deletes their capabilities; its frames are then
 * the caller's and unmapped (which they are, only the caller knows: the quota it gave).  *frames: how
 * many came back from it; others from its heirs.  Our capability table may grow by frames of ours. */
uint64_t spawn_destroy(uint64_t domain, uint64_t *frames);

/* The death report of a domain that ended, before it is destroyed: why, registers, backtrace
 * with the image's symbols (elf may be NULL), the fault's page-table entries.  A call of `line`
 * a line of text. */
void death_report(uint64_t domain, const struct elf_image *elf,
	void (*line)(void *arg, const char *text), void *arg);
/* One line: "exited with status 3", "killed by page fault at 0x0, rip 0x401000". */
void death_text(const struct exo_domain_info *info, char *text, size_t size);
/* Reads another domain's memory (held with MANAGE) through its tables: how many bytes. */
size_t domain_read(uint64_t domain, uint64_t root, uint64_t va, void *to, size_t n);

#endif
