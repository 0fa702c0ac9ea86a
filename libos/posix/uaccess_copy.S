/* Instructions that touch user memory.  All lie between user_access_lo and user_access_hi:
 * where a fault in there cannot be mended, the exception handler continues at
 * user_access_fault, which makes the routine return 1.  So none may move RSP.
 *
 * Whether the addresses are the user's is checked by who calls (uaccess.c).
 */
	.text
	.globl user_access_lo, user_access_hi, user_access_fault
	.globl user_copy, user_zero, user_cas, user_xsave, user_xrstor, user_string

user_access_fault:
	mov $1, %eax
	ret

user_access_lo:
	/* int user_copy(void *to, const void *from, size_t n) */
	.balign 16
user_copy:
	mov %rdx, %rcx
	shr $5, %rcx
	jz 2f
1:	mov (%rsi), %rax
	mov 8(%rsi), %r8
	mov 16(%rsi), %r9
	mov 24(%rsi), %r10
	mov %rax, (%rdi)
	mov %r8, 8(%rdi)
	mov %r9, 16(%rdi)
	mov %r10, 24(%rdi)
	add $32, %rsi
	add $32, %rdi
	dec %rcx
	jnz 1b
2:	and $31, %edx
	mov %edx, %ecx
	shr $3, %ecx
	jz 4f
3:	mov (%rsi), %rax
	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	dec %ecx
	jnz 3b
4:	and $7, %edx
	jz 6f
5:	movb (%rsi), %al
	movb %al, (%rdi)
	inc %rsi
	inc %rdi
	dec %edx
	jnz 5b
6:	xor %eax, %eax
	ret

	/* int user_zero(uint64_t to, size_t n) */
	.balign 16
user_zero:
	xor %eax, %eax
	mov %rsi, %rcx
	shr $3, %rcx
	rep stosq
	mov %esi, %ecx
	and $7, %ecx
	rep stosb
	ret

	/* int user_cas(uint64_t at, uint32_t expected, uint32_t value, uint32_t *old) */
user_cas:
	mov %esi, %eax
	lock cmpxchg %edx, (%rdi)
	mov %eax, (%rcx)
	xor %eax, %eax
	ret

	/* int user_xsave(uint64_t to, uint64_t mask), user_xrstor(uint64_t from, uint64_t mask) */
user_xsave:
	mov %rsi, %rax
	mov %rsi, %rdx
	shr $32, %rdx
	xsave64 (%rdi)
	xor %eax, %eax
	ret
user_xrstor:
	mov %rsi, %rax
	mov %rsi, %rdx
	shr $32, %rdx
	xrstor64 (%rdi)
	xor %eax, %eax
	ret

	/* int user_string(char *to, uint64_t from, size_t n, size_t *length): copies until the
	 * NUL or n bytes; *length without the NUL, n if there was none. */
user_string:
	xor %r8d, %r8d
1:	cmp %rdx, %r8
	jae 2f
	movb (%rsi, %r8), %al
	movb %al, (%rdi, %r8)
	test %al, %al
	jz 2f
	inc %r8
	jmp 1b
2:	mov %r8, (%rcx)
	xor %eax, %eax
	ret
user_access_hi:

	.section .note.GNU-stack, "", @progbits
