/* The proxy protocol: how a domain of any libOS uses a POSIX session's streams and files.
 * docs/proxy.md describes it; this header holds the shared frames' layout and both sides'
 * functions.
 *
 * PROXY_FRAMES adjacent frames belong to the session and are on loan to the domain:
 *
 *	frame 0		struct proxy_page
 *	frame 1-2	arguments and environment
 *	frame 3		standard input's ring
 *	frame 4-7	standard output's ring
 *	frame 8-11	standard error's ring
 *	frame 12-27	the data of PROXY_SLOTS file requests
 *
 * Who changes a word that the other side may be waiting for then looks at the other's `waits`
 * word, and if it is set, clears it and signals the other's event.
 * Neither side trusts the other: words are read once, then checked.
 */
#ifndef COMMON_PROXY_H
#define COMMON_PROXY_H

#include "gate.h"
#include "ring.h"

#define PROXY_MAGIC	0x31797872505f6576ul
#define PROXY_FRAMES	28u
#define PROXY_SIZE	(PROXY_FRAMES * 4096u)
#define PROXY_BIT	16u		/* the domain's event bit that the session signals */
#define PROXY_SIGWINCH	28u		/* the signal that tells of another window size */
#define PROXY_ARGS	4096u		/* offsets in the shared frames */
#define PROXY_ARGS_SIZE	8192u
#define PROXY_IN	(3u * 4096)
#define PROXY_IN_SIZE	4096u
#define PROXY_OUT	(4u * 4096)
#define PROXY_OUT_SIZE	16384u
#define PROXY_ERR	(8u * 4096)
#define PROXY_ERR_SIZE	16384u
#define PROXY_DATA	(12u * 4096)
#define PROXY_SLOTS	4u
#define PROXY_SLOT_SIZE	16384u		/* bytes that one request moves at most */

/* A file request.  The domain fills a free slot, sets state to PROXY_ASKED; the session carries
 * it out and sets PROXY_DONE; the domain takes the result and sets PROXY_FREE. */
enum proxy_state { PROXY_FREE, PROXY_ASKED, PROXY_DONE };
enum proxy_op {
	PROXY_OPEN,		/* data: path; flags: PROXY_O_*; result: file number */
	PROXY_READ,		/* offset, length; result: bytes, in the slot's data */
	PROXY_WRITE,		/* offset, length, data; result: bytes */
	PROXY_GETSIZE,		/* result: bytes */
	PROXY_SETSIZE,		/* offset: the new size */
	PROXY_SYNC,
	PROXY_CLOSE,
	PROXY_OPS
};
#define PROXY_O_READ	1u
#define PROXY_O_WRITE	2u
#define PROXY_O_CREATE	4u
#define PROXY_O_TRUNC	8u
#define PROXY_O_ALONE	16u	/* until it is closed nobody else has it so, or -EAGAIN; not with TRUNC */
struct proxy_slot {
	uint64_t state;
	uint32_t op;
	uint32_t file;		/* number from PROXY_OPEN; OPEN: PROXY_O_* */
	uint64_t offset, length;
	int64_t result;		/* >= 0, or -errno (Linux numbers) */
	uint64_t pad[3];
};
_Static_assert(sizeof(struct proxy_slot) == 64, "a cache line");

struct proxy_page {
	uint64_t magic, size;
	uint32_t argc, envc;		/* strings in the argument frames, in this order, each
					 * terminated by a zero byte */
	uint64_t args_size;
	uint64_t pad[4];
	struct ring_word app_waits;	/* 1: signal the domain after a change */
	struct ring_word host_waits;	/* 1: signal the session after a change */
	struct ring_word signals;	/* bit n - 1: signal n; or-ed by the session, taken by the
					 * domain */
	struct ring_word window;	/* rows << 16 | columns; 0 = no terminal */
	struct ring_word status;	/* by the domain: 0 = runs, else 256 | exit status */
	struct ring_shared in, out, err;
	struct proxy_slot slot[PROXY_SLOTS];
	struct gate_message gate;	/* for calls of the gate that the session may have given it */
};
_Static_assert(sizeof(struct proxy_page) <= 4096, "proxy page");

/* ---- the domain's side (proxy_app.c) ----------------------------------------- */

struct exo_start;

/* Maps the proxy frames (CAP_PROXY, CAP_PROXY_EVENT of the start page).  False: this domain has
 * no proxy, or one that speaks another version; the functions below then do nothing: reads end,
 * writes vanish, opens fail. */
bool proxy_attach(const struct exo_start *s);
unsigned proxy_argc(void), proxy_envc(void);
const char *proxy_arg(unsigned i);	/* "" past the end */
const char *proxy_env(const char *name);	/* the value, or NULL */
const char *proxy_env_at(unsigned i);	/* NAME=value; "" past the end */

/* Standard input: blocks until there is something; 0 at the end of file, -4 (EINTR) if a signal
 * is there to be taken. */
int64_t proxy_read(void *to, size_t n);
/* stream 1 or 2: blocks until all is in the ring; n, or -32 (EPIPE) if nobody reads any more. */
int64_t proxy_write(unsigned stream, const void *from, size_t n);
int proxy_printf(unsigned stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t proxy_signals(void);		/* takes them: bit n - 1 = signal n */
/* Takes them, for programs that handle none: each but a change of the window ends it, as a process,
 * with status 128 + n. */
void proxy_obey(void);
void proxy_window(unsigned *rows, unsigned *columns);
/* Physical address and capability of a word that changes when a signal comes, for programs that
 * wait themselves. */
uint64_t proxy_signal_word(uint64_t *cap);

/* Files of the session, by number (>= 0) or -errno.  Up to PROXY_SLOT_SIZE bytes a call. */
int64_t proxy_open(const char *path, unsigned flags);
int64_t proxy_file(unsigned op, uint32_t file, uint64_t offset, void *data, uint64_t length);
/* The same for reads and writes of any length, all slots in flight: how many bytes; fewer at the
 * end of the file. */
int64_t proxy_transfer(unsigned op, uint32_t file, uint64_t offset, void *data, uint64_t length);
/* One slot (below PROXY_SLOTS) by hand: its data lies at proxy_slot, PROXY_SLOT_SIZE bytes; ask
 * starts a request on a slot with none under way, answer blocks until it is done. */
void *proxy_slot(unsigned slot);
void proxy_ask(unsigned slot, unsigned op, uint32_t file, uint64_t offset, uint64_t length);
int64_t proxy_answer(unsigned slot);
struct gate_message *proxy_gate(void);	/* NULL: no proxy */
/* The loan that covers the proxy's frames, for frame_copy. */
uint64_t proxy_loan(void);

/* For a context that serves several things at once, and so blocks in one place only. */
size_t proxy_take(void *to, size_t n);	/* of standard input, what is there; may be 0 */
bool proxy_input_ended(void);
size_t proxy_put(unsigned stream, const void *from, size_t n);	/* what there is room for */
size_t proxy_room(unsigned stream);
bool proxy_stopped(unsigned stream);	/* nobody reads it any more */
/* Asks for one signal of the session's (PROXY_BIT) when something changes from now on. */
void proxy_arm(void);
struct wait;
#define PROXY_WAIT_IN	1u	/* standard input has something, or ends */
#define PROXY_WAIT_OUT	2u	/* standard output has room, or nobody reads it any more */
/* Adds products to a predicate (always: a signal is there to be taken), and asks the session to
 * signal changes: to be followed by the wait.  Nothing without a proxy. */
void proxy_wait(struct wait *w, unsigned what);
/* From any context: the session hasn't signalled since the last wait began (or there is none). */
bool proxy_waits(void);
/* Says the status (0-255) and ends the domain. */
_Noreturn void proxy_exit(unsigned status);

/* ---- the session's side (proxy_host.c): hardware-free ----------------------------- */

struct proxy_host {
	struct proxy_page *page;	/* the shared frames, as the session sees them */
	struct ring in, out, err;
	bool asked[PROXY_SLOTS];	/* taken by proxy_host_request, not replied yet */
	void (*notify)(void *arg);	/* signals the domain's event */
	void *arg;
};
/* Lays out PROXY_SIZE bytes.  strings: argc + envc zero-terminated ones.  False: too long. */
bool proxy_host_init(struct proxy_host *h, void *frames, unsigned argc, unsigned envc,
	const char *strings, size_t size, void (*notify)(void *arg), void *arg);

#define PROXY_CAN_IN	1u	/* proxy_host_in would take something */
#define PROXY_HAS_OUT	2u	/* proxy_host_out would give something */
#define PROXY_HAS_ERR	4u
#define PROXY_HAS_ASKED	8u	/* proxy_host_request would give something */
#define PROXY_HAS_STATUS 16u
/* What can be done now.  With `arm`, the domain signals when that changes (call it again after
 * arming: a change in between is then seen). */
unsigned proxy_host_poll(struct proxy_host *h, bool arm);
size_t proxy_host_in(struct proxy_host *h, const void *from, size_t n);	/* how many it took */
void proxy_host_in_end(struct proxy_host *h);
size_t proxy_host_out(struct proxy_host *h, unsigned stream, void *to, size_t n);
void proxy_host_out_stop(struct proxy_host *h, unsigned stream);	/* nobody reads: EPIPE */
void proxy_host_signal(struct proxy_host *h, unsigned signal);
void proxy_host_window(struct proxy_host *h, unsigned rows, unsigned columns);
bool proxy_host_status(const struct proxy_host *h, unsigned *status);

/* One request, checked: op and length are in range, data (PROXY_SLOT_SIZE bytes of the caller's)
 * holds what the domain sent.  A path is terminated.  -1: none; else the slot, to be replied to. */
int proxy_host_request(struct proxy_host *h, struct proxy_slot *request, void *data);
void proxy_host_reply(struct proxy_host *h, int slot, int64_t result, const void *data, size_t n);

#endif
