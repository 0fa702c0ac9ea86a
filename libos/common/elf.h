/* ELF images in memory, checked before anything is believed: static programs (ET_EXEC) and
 * static-PIE ones (ET_DYN) for x86-64, their libOS note, their symbols.
 *
 * Every offset, size and count is from an untrusted file: sums are checked for overflow, and
 * nothing outside [image, image + size) is read.  Hardware-free: the host tests use it too.
 * Left to others: where frames come from and how pages are mapped.
 */
#ifndef COMMON_ELF_H
#define COMMON_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS	16
#define ELF_R		4u
#define ELF_W		2u
#define ELF_X		1u

/* Of the file, at [offset, offset + file_size); the rest up to size is zero.  vaddr and offset
 * are congruent modulo the page size; page-wise, segments ascend and don't overlap. */
struct elf_segment {
	uint64_t vaddr, size, offset, file_size;
	uint32_t flags;			/* ELF_R | ELF_W | ELF_X */
};
struct elf_image {
	const uint8_t *image;
	size_t size;
	bool pie;			/* ET_DYN: addresses are relative to a base of choice */
	uint64_t entry;
	uint64_t lo, hi;		/* page-aligned range of all segments */
	uint64_t headers;		/* address of the program headers as mapped, 0 = not mapped */
	uint16_t header_count;
	uint64_t tls;			/* PT_TLS present: its vaddr, else 0 */
	uint64_t interpreter, interpreter_size;	/* PT_INTERP: offset in the file; size 0 = none */
	unsigned segments;
	struct elf_segment segment[ELF_SEGMENTS];
	char libos[12];			/* from the note; "" = no note */
	uint32_t abi_version;
};

/* NULL, or what is wrong with the image ("a segment lies outside the file").  Segments must lie
 * in [lo, hi). */
const char *elf_parse(const void *image, size_t size, uint64_t lo, uint64_t hi,
	struct elf_image *out);
/* Looks for the libOS note among the notes of a PT_NOTE segment; malformed ones end the search. */
bool elf_note(const void *notes, size_t size, char libos[12], uint32_t *version);
/* NULL if the note fits (name, and our ABI version), else a text that names both sides, in
 * `buffer`. */
const char *elf_check_note(const struct elf_image *e, const char *libos, char *buffer, size_t n);
/* The function symbol that holds an address: its name (within the image, terminated, at most
 * 255 bytes) and the offset from its start.  NULL: none. */
const char *elf_symbol(const struct elf_image *e, uint64_t address, uint64_t *offset);

#endif
