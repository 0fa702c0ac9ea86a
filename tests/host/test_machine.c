/* Calls on the machine and the log, calls that there are not, values of those that have none. */
#include <string.h>
#include "tests/host/play.h"
#include "tests/host/test.h"

static void reboot(void) { CALL3(MACHINE_CTL, 90, EXO_M_REBOOT, 0); }
static void ask_for_panic(void) { CALL3(MACHINE_CTL, 90, EXO_M_PANIC, 0); }

TEST(machine_calls)
{
	struct slot cap = { .type = EXO_T_MACHINE, .rights = EXO_R_LOG | EXO_R_TRACE | EXO_R_RESET };
	uint64_t name;

	CHECK(!cap_insert(model_init(), 90, 0, &cap, NULL, &name), "insert");
	OK(CALL6(CAP_COPY, 0, 91, 90, EXO_R_LOG, 0, 0));
	strcpy(at_user(WINDOW), "hello\n");
	CHECK(CALL3(LOG_WRITE, 90, WINDOW, 6).value == 6, "written");
	CHECK(CALL3(LOG_WRITE, 90, WINDOW, 100000).value == 256, "bounded");
	IS(CALL3(LOG_WRITE, 90, 0x1000, 6), FAULT, 2);
	IS(CALL3(LOG_WRITE, 89, 0x1000, 6), CAP, 1);
	IS(CALL3(MACHINE_CTL, 91, EXO_M_TRACE, 1), RIGHT, 1);
	IS(CALL3(MACHINE_CTL, 90, 99, 1), ARG, 2);
	OK(CALL3(MACHINE_CTL, 90, EXO_M_TRACE, 5));
	CHECK(trace_kinds == 5, "traced");
	OK(CALL3(MACHINE_CTL, 90, EXO_M_TRACE, 0));
	CHECK(!trace_kinds, "no more");
	CHECK(CALL3(MACHINE_CTL, 90, EXO_M_IDLE, 77).value == 0, "no CPU idles");
	CHECK(model_panics(reboot), "reboots");
	kernel_unlock();
	CHECK(model_panics(ask_for_panic), "panics");
	kernel_unlock();
}

static void first_ends(void) { call(EXO_CALL_DOMAIN_CTL, 0, EXO_DOM_EXIT, 1, 0, 0, 0); }

TEST(the_first_domain_stays)
{
	CHECK(model_panics(first_ends), "its end is a panic");
	kernel_unlock();
}

TEST(bad_call_numbers)
{
	CHECK(call(EXO_CALL_COUNT, 0, 0, 0, 0, 0, 0).status == EXO_CALL, "no such call");
	CHECK(call(~0u, 0, 0, 0, 0, 0, 0).status == EXO_CALL, "no such call");
}

/* Calls without a value return 0. */
TEST(values_are_zero)
{
	uint32_t k = fresh(), u = fresh();

	OK(retype(k, EXO_KIND_PT4));
	OK(retype(u, EXO_KIND_PT4));
	CHECK(CALL3(ROOT_PAIR, 0, k, u).value == 0, "root_pair");
	CHECK(CALL3(FRAME_INFO, 0, k, WINDOW).value == 0, "frame_info");
	CHECK(CALL3(DOMAIN_INFO, 0, WINDOW, 77).value == 0, "domain_info");
	CHECK(CALL4(DOMAIN_CTL, 0, EXO_DOM_PAGE, fresh(), 0).value == 0, "domain_ctl");
	OK(CALL5(FRAME_LEND, 0, 20, k, 1, EXO_R_READ));
	CHECK(CALL3(CAP_INFO, 0, 20, WINDOW).value == 0, "cap_info");
}
