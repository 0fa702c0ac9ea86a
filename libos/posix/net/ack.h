/* Acknowledgements that make older ones superfluous (ack.c). */
#ifndef POSIX_NET_ACK_H
#define POSIX_NET_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a frame acknowledges all that another one of the same length does, and more: then the older
 * one, if it has not left yet, need not.  Both do nothing else.  The same acknowledgement again is
 * something else: the peer counts these. */
bool ack_replaces(const uint8_t *frame, const uint8_t *older, size_t length);

#endif
