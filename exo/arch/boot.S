/* From GRUB's 32-bit protected mode (multiboot2) to kernel_main at its high address; and
 * the way of the other CPUs, from real mode to cpu_start.
 *
 * The boot page tables map the first 4 GiB three times: where they are, in the kernel's
 * slot 257, and as the direct map.  memory.c replaces them, and keeps their root for the
 * start of other CPUs.
 */
#include "exo/arch/layout.h"

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)
#define COM1 0x3f8

	.section .multiboot, "a"
	.balign 8
header:
	.long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
	.short 1, 0			/* we want: module, basic meminfo, memory map tags */
	.long 20, 3, 6, 1
	.balign 8
	.short 6, 0			/* modules on page boundaries */
	.long 8
	.short 0, 0
	.long 8
header_end:

	.text
	.code32
	.globl boot_entry
	.hidden boot_entry
boot_entry:
	cli
	cld
	mov $PHYS(boot_stack + BOOT_STACK_SIZE), %esp
	mov %eax, %ebp			/* multiboot2's magic number; EBX: its information */
	mov %ebx, %edi
	mov $0x80000000, %eax
	cpuid
	cmp $0x80000001, %eax
	jb no_long_mode
	mov $0x80000001, %eax
	cpuid
	bt $29, %edx
	jnc no_long_mode
	mov %edi, %ebx

	mov $0x20, %eax			/* PAE */
	mov %eax, %cr4
	mov $PHYS(boot_pml4), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx		/* EFER.LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80010000, %eax		/* PG, WP */
	and $0x9fffffff, %eax		/* not CD, NW */
	mov %eax, %cr0
	lgdt PHYS(boot_gdtr)
	ljmp $KERNEL_CS, $PHYS(boot_long)

no_long_mode:
	mov $PHYS(no_long_mode_text), %esi
	mov $no_long_mode_size, %ebx
3:	mov $0x10000, %ecx
4:	mov $COM1 + 5, %dx		/* until the port takes a byte, or there is none */
	in %dx, %al
	test $0x20, %al
	loopz 4b
	mov $COM1, %dx
	outsb
	dec %ebx
	jnz 3b
5:	hlt
	jmp 5b

	.code64
boot_long:
	movabs $boot_high, %rax
	jmp *%rax
boot_high:				/* data segments, which 64-bit code needs none of: cpu_init */
	lea boot_gdtr(%rip), %rax
	lgdt (%rax)
	lea boot_stack + BOOT_STACK_SIZE(%rip), %rsp
	mov %ebp, %edi
	mov %ebx, %esi
	xor %ebp, %ebp
	call kernel_main
	ud2

	/* void stack_switch(void (*f)(void), void *top): never returns */
	.globl stack_switch
	.hidden stack_switch
stack_switch:
	mov %rsi, %rsp
	xor %ebp, %ebp
	call *%rdi
	ud2

/* ---- other CPUs ------------------------------------------------------------- */

/* Copied to a page below 1 MiB; entered with CS = that page, IP = 0.  The words at its end
 * are filled in by smp.c.  Goes to long mode in one step. */
	.code16
	.globl ap_code
	.hidden ap_code
ap_code:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	mov ap_cr4 - ap_code, %eax
	mov %eax, %cr4
	mov ap_root - ap_code, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x900, %eax			/* LME, NXE */
	wrmsr
	lgdtl ap_gdtr - ap_code
	mov %cr0, %eax
	or $0x80010001, %eax		/* PG, WP, PE */
	and $0x9fffffff, %eax
	mov %eax, %cr0
	ljmpl *(ap_jump - ap_code)
	.code64
ap_long:
	mov ap_stack(%rip), %rsp
	mov ap_entry(%rip), %rax
	mov ap_argument(%rip), %rdi
	xor %ebp, %ebp
	call *%rax
	ud2
	.balign 16
ap_gdt:	.quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
ap_data:				/* struct ap_data */
ap_cr4:		.long 0
ap_root:	.long 0
ap_gdtr:	.short 31
ap_gdt_at:	.long 0
		.short 0
ap_jump:	.long 0
		.short KERNEL_CS, 0
ap_stack:	.quad 0
ap_entry:	.quad 0
ap_argument:	.quad 0
	.globl ap_long_offset, ap_gdt_offset, ap_data_offset, ap_code_size
	.hidden ap_long_offset, ap_gdt_offset, ap_data_offset, ap_code_size
ap_code_end:

	.section .rodata
	.balign 4
ap_long_offset:	.long ap_long - ap_code
ap_gdt_offset:	.long ap_gdt - ap_code
ap_data_offset:	.long ap_data - ap_code
ap_code_size:	.long ap_code_end - ap_code
no_long_mode_text:
	.ascii "virtue: this CPU has no 64-bit (long) mode: cannot run\r\n"
	.set no_long_mode_size, . - no_long_mode_text
	.balign 8
boot_gdt:
	.quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdtr:				/* 32-bit code loads the low half, its physical address */
	.short 31
	.quad boot_gdt

	.data
	.balign 4096
	.globl boot_pml4
	.hidden boot_pml4
boot_pml4:
	.quad PHYS(boot_pdpt) + 3
	.skip 256 * 8
	.quad PHYS(boot_pdpt) + 3, PHYS(boot_pdpt) + 3
	.balign 4096
boot_pdpt:
	.quad PHYS(boot_pd) + 3, PHYS(boot_pd) + 0x1003, PHYS(boot_pd) + 0x2003, PHYS(boot_pd) + 0x3003
	.balign 4096
boot_pd:
	.set page, 0x83
	.rept 2048
	.quad page
	.set page, page + 0x200000
	.endr

	.bss
	.globl boot_stack
	.hidden boot_stack
boot_stack:	.skip BOOT_STACK_SIZE

	.section .note.GNU-stack, "", @progbits
