/* Constants that assembly and C share. */
#ifndef EXO_LAYOUT_H
#define EXO_LAYOUT_H

#define PERCPU_SIZE	0x10000		/* one CPU's region: stub alias, struct cpu, stacks */
#define TRAP_FRAME_SIZE	176		/* the first 22 words of struct exo_regs */
#define EXO_CS64_SEL	0x33
#define EXO_SS_SEL	0x2b


#endif
