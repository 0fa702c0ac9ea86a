/* A store in a file: of the host on Linux, of the session through the proxy on Virtue.  See store.h.
 * It does not survive the program, and is one program's at a time.
 */
#include "libos/gc-runtime/store.h"
#include "libos/gc-runtime/mmu.h"
#include "libos/gc-runtime/port.h"

#define EIO	5
#define EAGAIN	11

static int file;

static int file_open(const char *where, uint32_t *slots)
{
	const char *path = *where ? where : "/tmp/gc-swap";
	(void)slots;
	file = port_open(path, PORT_CREATE | PORT_ALONE);
	if (file == -EAGAIN)
		port_fail("gc: store file: %s is in use by another run\n", path);
	return file < 0 ? file : 0;
}

/* Whole pages, or an error. */
static int transfer(const struct gc_io *io, bool write)
{
	uint8_t *bytes = mmu_window(io->frame);
	uint64_t at = (uint64_t)(io->slot - 1) * MMU_PAGE;
	for (uint64_t done = 0; done < MMU_PAGE;) {
		int64_t n = write ? port_write(file, at + done, bytes + done, MMU_PAGE - done) :
			port_read(file, at + done, bytes + done, MMU_PAGE - done);
		if (n <= 0)
			return n ? n : -EIO;
		done += n;
	}
	return 0;
}

static int each(const struct gc_io *io, unsigned n, bool write)
{
	int error = 0;
	for (unsigned i = 0; i < n && !error; i++)
		error = transfer(&io[i], write);
	return error;
}

static int file_write(const struct gc_io *io, unsigned n) { return each(io, n, true); }
static int file_read(const struct gc_io *io, unsigned n) { return each(io, n, false); }

const struct gc_store store_file = { "file", "a file: file[:PATH]", file_open, file_write,
	file_read, NULL };
