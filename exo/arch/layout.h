/* Constants that assembly, the linker script and C share. */
#ifndef EXO_LAYOUT_H
#define EXO_LAYOUT_H

/* Where the kernel's seven PML4 slots lead.  The pages that each way in touches differ in their
 * numbers modulo 64, as small TLBs without associativity ask for: KERNEL_LOAD's text, a CPU's stub,
 * data and GDT, and frame 0 of a region, which libOSes like to take first. */
#define KERNEL_OFFSET	0xffff808000000000	/* 257: the image, at its physical address + this; */
#define PERCPU_BASE	0xffff808040020000	/*      the CPUs' regions; */
#define GDT_BASE	0xffff80808002c000	/*      their descriptor tables */
#define DIRECT_BASE	0xffff810000000000	/* 258-261: all RAM */
#define FRAMES_BASE	0xffff830000000000	/* 262: the frame table, */
#define REGIONS_BASE	0xffff834000000000	/*      and the region table */
#define MMIO_BASE	0xffff838000000000	/* 263: registers of APICs and HPET */
#define KERNEL_LOAD	0x215000		/* physical address of the image */

#define PERCPU_SIZE	0x10000		/* one CPU's region: stub alias, struct cpu, stacks */
#define PERCPU_STACK	0x1000		/* offset of the main stack in it, */
#define PERCPU_CPU	0x4f00		/* and of struct cpu, right behind: one page has both */
#define BOOT_STACK_SIZE	0x4000
#define TRAP_FRAME_SIZE	176		/* the first 22 words of struct exo_regs */
#define EXO_CS64_SEL	0x33
#define EXO_SS_SEL	0x2b
#define KERNEL_CS	0x10
#define KERNEL_DS	0x18
#define TSS_SEL		0x80

/* The last byte of a three-byte NOP that becomes CLAC or STAC where SMAP is on. */
#define SMAP_CLAC	0x00
#define SMAP_STAC	0xc0

#endif
