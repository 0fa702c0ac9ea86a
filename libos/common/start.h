/* How a domain starts and ends: the entry point, the start page, exit.
 *
 * The linker script app.ld makes `_start` (start_entry.S) the entry point.  It is entered with
 * RDI = the start page and RSP = start->stack_hi.  It routes system calls of the image's text
 * to the kernel, sets up upcalls on a static upcall stack (all exceptions refused, all events
 * ignored, until the program says otherwise: upcall_set), and calls
 *
 *	int main(struct exo_start *start);
 *
 * whose result becomes the domain's exit status.  Left to others: memory beyond the image
 * and the first stack (frames.h, pt.h), time (time.h), streams (proxy.h).
 */
#ifndef COMMON_START_H
#define COMMON_START_H

#include "calls.h"

int main(struct exo_start *start);

/* The start page, as found. */
extern struct exo_start *start_page;

/* Capabilities that a domain may find in its start page, by name.  Numbers stand for CPUs.
 * What init finds is everything; what others find, their creator chose. */
#define CAP_SELF	"self"		/* its own domain */
#define CAP_CONTEXT	"context"	/* its first context */
#define CAP_CLOCK	"clock"		/* loan: struct exo_clock_page, read-only */
#define CAP_SLICE	"slice"		/* slice0, slice1...: slots of that CPU */
#define CAP_SLICES	"slices"	/* loan: struct exo_slice_page of all CPUs, in a row */
#define CAP_MACHINE	"machine"
#define CAP_COM2	"com2"		/* device: the session's serial port */
#define CAP_RTC		"rtc"
#define CAP_POWER	"power"		/* device: the ACPI power-off port */
#define CAP_DEBUG	"debug"		/* device: isa-debug-exit */
#define CAP_DISK	"disk"		/* disk0, disk1...: extents */
#define CAP_NET		"net"		/* net0, net1...: flows */
#define CAP_NET_SEND	"net-send"	/* flow: what may be sent, where net0 is only to receive */
#define CAP_NET_GATE	"net-gate"	/* gate: its creator's leases of ports (net_lease.h) */
#define CAP_NET_ALL	"net-all"	/* flow: of the whole card, to be looked at only */
#define CAP_FRAMES	"frames"	/* loan: the frame table */
#define CAP_MEMORY	"memory"	/* loan: struct frames_promise (frames.h) */
#define CAP_MEMORY_MORE	"memory-more"	/* event: asks for frames of it */
#define CAP_PROXY	"proxy"		/* loan: the proxy frames (proxy.h) */
#define CAP_PROXY_EVENT	"proxy-event"	/* event: reaches the proxy */

/* The capability of that name in the start page, 0 if there is none; NAME followed by a
 * decimal number with start_cap_at. */
uint64_t start_cap(const struct exo_start *s, const char *name);
uint64_t start_cap_at(const struct exo_start *s, const char *name, unsigned number);
/* Adds one; false if the page is full. */
bool start_add_cap(struct exo_start *s, const char *name, uint64_t cap);

/* The value of `NAME=value` in the kernel's command line: copies it, returns its length, or
 * -1 if there is no such word.  An empty name finds nothing. */
int start_option(const struct exo_start *s, const char *name, char *value, size_t size);

/* Ends the domain: all contexts stop, watchers are told. */
_Noreturn void domain_exit(uint64_t status);
/* Ends the domain after a message to the kernel's log (where CAP_MACHINE is held).  No program's own
 * status is that large; where only a byte is shown it is 125. */
#define DOMAIN_FAILED	(256 + 125)
_Noreturn void domain_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
