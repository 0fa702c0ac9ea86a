/* The ELF note by which a program says which libOS it is linked with and for which version
 * of the kernel interface.  A program without it is taken for a Linux program.
 *
 * Section .note.virtue (PT_NOTE): name "Virtue", type 1, description: ABI version (4 bytes,
 * little endian), then the libOS's name, zero-terminated, 12 bytes.
 */
#ifndef COMMON_NOTE_H
#define COMMON_NOTE_H

#include "exo/abi/abi.h"

#define VIRTUE_NOTE_TYPE	1
struct virtue_note {
	uint32_t name_size, desc_size, type;
	char name[8];
	uint32_t abi_version;
	char libos[12];
};
_Static_assert(sizeof(struct virtue_note) == 36, "ELF note");

/* VIRTUE_NOTE("bare"); once in a program, at file level. */
#define VIRTUE_NOTE(libos_name) \
	__attribute__((section(".note.virtue"), used, aligned(4))) \
	static const struct virtue_note virtue_note_of_this_program = { \
		7, 16, VIRTUE_NOTE_TYPE, "Virtue", EXO_ABI_VERSION, libos_name }

#endif
