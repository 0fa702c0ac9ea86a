/* What the files of /bin/vmm offer each other.
 *
 * A guest is a domain with a daemon process: its proxy (docs/proxy.md), which lives as long as the
 * guest does, whoever is attached.  The daemon's control point is the folder /run/vmm/NAME:
 *
 *	pid		the daemon's pid; locked (flock) while it lives, which is how all others know
 *	info		`memory`, `vcpus`, for `vmm list`
 *	control		FIFO: struct control_message to the daemon, each written whole
 *	input		FIFO: bytes for the guest's console, from who is attached
 *	terminal.PID	FIFO: struct terminal_message and its bytes, to the attached process PID
 *	end		once ended while nobody was attached: its status, then the last output
 */
#ifndef APPS_VMM_H
#define APPS_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RUN_FOLDER	"/run/vmm"
#define MONITOR		"/lib/vmm/monitor"
#define NAME_LENGTH	20		/* of a guest, at most */
#define DISKS		4
#define VCPUS		8

/* Exit statuses (docs/vmm.md). */
enum {
	STATUS_OFF, STATUS_WRONG, STATUS_CRASH, STATUS_STOPPED,
	STATUS_REBOOT = 64,		/* of the monitor only: the daemon starts the guest again */
	STATUS_BUG = 124,
};

/* Says `vmm: ...` on standard error and ends with STATUS_WRONG. */
_Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- options.c: what `vmm run` was asked for ---------------------------------------------- */

struct options {
	char *kernel, *initrd;		/* initrd: NULL = none */
	char *append;			/* never NULL */
	char name[NAME_LENGTH + 1];
	bool named;			/* by the user: must be free; else a number is added */
	uint64_t memory;		/* bytes */
	unsigned vcpus, disks;
	char *disk[DISKS];		/* specification, as given */
	bool no_patch, stats, detached;
};
void options_parse(struct options *o, char **words);
bool name_valid(const char *name);
/* Bytes, of a text such as 256M; refuses others. */
uint64_t size_parse(const char *text, const char *what);

/* ---- digest.c ------------------------------------------------------------------------------ */

#define DIGEST_LENGTH	64
/* SHA-256 of what is left to read of a file, in hexadecimal.  False: it cannot be read. */
bool digest(int file, char text[DIGEST_LENGTH + 1]);

/* ---- files.c: what the monitor may open ------------------------------------------------------ */

struct domain_request;
/* Opens kernel, initrd and disks, or refuses. */
void files_open(const struct options *o);
uint64_t files_disk_memory(void);	/* bytes of the disks that are in memory */
/* Carries out a request of the monitor's; `data` holds what it sent and takes what is read. */
int64_t files_serve(const struct domain_request *q, uint8_t *data);

/* ---- registry.c: /run/vmm ---------------------------------------------------------------------- */

enum control_type { CONTROL_ATTACH, CONTROL_DETACH, CONTROL_STOP, CONTROL_KILL };
struct control_message { uint32_t type; int32_t pid; };
enum terminal_type { TERMINAL_OUT = 1, TERMINAL_ERR, TERMINAL_TAKEN, TERMINAL_END };
struct terminal_message { uint32_t type, value; };	/* OUT, ERR: value bytes follow; TAKEN: by
							 * that pid; END: status */

/* Path of a file in the guest's folder; the text lasts until the eighth call after this one. */
const char *control_path(const char *name, const char *file);
/* Takes o->name, or a free one made of it: makes its folder, lock and FIFOs for this process. */
void registry_enter(struct options *o);
void registry_leave(const char *name, bool keep_end);
/* The daemon's pid, 0: no such guest runs. */
int registry_pid(const char *name);
/* Waits until the daemon is gone, at most so many seconds; whether it is. */
bool registry_wait(const char *name, unsigned seconds);
void registry_tell(const char *name, enum control_type type);
int registry_list(void);		/* vmm list; the exit status */

/* ---- daemon.c, client.c ------------------------------------------------------------------ */

/* Becomes the guest's daemon.  Writes the guest's name to `ready`, a pipe's end, when it can be
 * attached to; if it cannot be started, says why on standard error and ends. */
_Noreturn void daemon_run(struct options *o, int ready);
/* Is the guest's terminal until it ends (then its status) or Ctrl-] detaches (0).  With `owner`,
 * an interrupt ends the guest, otherwise only the attachment. */
int client_attach(const char *name, bool owner);


/* ---- disk.c ---------------------------------------------------------------------------------------- */

int disk_command(char **words);		/* vmm disk ...; the exit status */
/* The path of the file that an overlay lies over; refuses other files. */
char *disk_base(const char *name, int fd);

#endif
