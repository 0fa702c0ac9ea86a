/* How a kernel test, a program that runs as the session, says what it found: lines `ok NAME` and
 * `FAIL NAME: why`, in the kernel's log and, with mode=frame, as the session's output on COM2.
 *
 * Output only, by polling.  Left to others: what is tested.
 */
#ifndef TEST_REPORT_H
#define TEST_REPORT_H

#include "libos/common/common.h"

/* Takes the capabilities of the start page: machine (log), com2. */
void report_start(const struct exo_start *s);
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_ok(const char *name);
void report_fail(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One or the other: `why` NULL is good. */
void report_case(const char *name, const char *why);
unsigned report_failures(void);
/* The sum line and the end frames; the domain's exit status: 0 if nothing failed. */
_Noreturn void report_end(void);

#endif
