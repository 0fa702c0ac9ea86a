/* The web server's machine: rings on a flow, chunks in frames of its own, and the loop.
 *
 * A page's chunk is sent from where it lies, by any number of connections at a time: the kernel has its
 * first 128 bytes, headers included, when it takes the entry, and only the rest is read later.  So a
 * chunk waits for that and no longer before other headers are written into it.
 */
#ifndef WEB_CARD_H
#define WEB_CARD_H

#include "apps/web/web.h"
#include "libos/common/common.h"

/* From net0.  Where there is CAP_NET_SEND too, these two flows are all: of packets to and from a port,
 * which *port becomes, at whatever address; somebody else answers ARP.  Else net0 covers all packets,
 * and *port and ip are served.  Returns a status; *what says for what. */
uint64_t web_card_open(const struct exo_start *s, const uint8_t ip[4], uint16_t *port,
	struct web_page *(*find)(const char *path), const char **what);
/* A page in frames of its own, the body copied; NULL: there are not enough. */
struct web_page *web_page_new(const char *path, const char *status, const char *type,
	const void *body, size_t size);
/* A page for bodies of up to `size` bytes, to be filled by web_page_fill when nobody sends it. */
struct web_page *web_page_room(const char *path, size_t size, struct web_segment **segment);
/* Serves until a signal of the session comes; every() is called about once in `ns`, if not 0. */
void web_serve(void (*every)(void), uint64_t ns);

#endif
