/* Users and groups in all their forms, and the machine's names. */
#include "test.h"
#include <grp.h>
#include <sys/utsname.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))

static void show_ids(void)
{
	unsigned u[3], g[3];

	syscall(SYS_getresuid, &u[0], &u[1], &u[2]);
	syscall(SYS_getresgid, &g[0], &g[1], &g[2]);
	printf("user %d %d %d, group %d %d %d, said %ld %ld %ld %ld\n", (int)u[0], (int)u[1],
	       (int)u[2], (int)g[0], (int)g[1], (int)g[2], syscall(SYS_getuid),
	       syscall(SYS_geteuid), syscall(SYS_getgid), syscall(SYS_getegid));
}

static void all_three(void)
{
	CALL(SYS_setresgid, 10, 11, 12);
	CALL(SYS_setresuid, 1, 2, 3);
	show_ids();
	CALL(SYS_setresuid, -1, 1, -1);
	show_ids();
	CALL(SYS_setresuid, 3, 3, 1);
	show_ids();
	CALL(SYS_setresuid, 2, -1, -1);
	CALL(SYS_setresgid, -1, 12, -1);
	CALL(SYS_setresgid, 99, -1, -1);
	CALL(SYS_setresuid, -1, -1, -1);
	show_ids();
}

static void two_of_them(void)
{
	CALL(SYS_setregid, 10, 11);
	show_ids();
	CALL(SYS_setreuid, 1, 2);
	show_ids();
	CALL(SYS_setreuid, 2, 1);
	show_ids();
	CALL(SYS_setreuid, 5, -1);
	CALL(SYS_setreuid, -1, 5);
	CALL(SYS_setreuid, -1, -1);
	CALL(SYS_setregid, 11, 10);
	CALL(SYS_setregid, 5, -1);
	show_ids();
}

static void one_of_them(void)
{
	CALL(SYS_setgid, 7);
	CALL(SYS_setuid, -1);
	CALL(SYS_setresuid, 6, 0, 7);
	CALL(SYS_setuid, 8);
	show_ids();
	CALL(SYS_setuid, 0);
	CALL(SYS_setgid, 0);
	CALL(SYS_setgroups, 0, NULL);
	CALL(SYS_setresuid, 8, 0, 8);
	show_ids();
}

static void back_to_root(void)
{
	CALL(SYS_setresuid, 4, 4, 0);
	CALL(SYS_setuid, 0);
	show_ids();
	CALL(SYS_setuid, 4);
	show_ids();
}

static void group_lists(void)
{
	gid_t list[4] = { 30, 20, 40, 20 }, got[8] = { 0 };

	CALL(SYS_setgroups, 4, list);
	CALL(SYS_getgroups, 0, NULL);
	CALL(SYS_getgroups, 8, got);
	printf("%d %d %d %d\n", got[0], got[1], got[2], got[3]);
	CALL(SYS_getgroups, 2, got);
	CALL(SYS_getgroups, -1, got);
	CALL(SYS_getgroups, 8, BAD);
	CALL(SYS_setgroups, -1, list);
	CALL(SYS_setgroups, 70000, list);
	CALL(SYS_setgroups, 2, BAD);
	CALL(SYS_setgroups, 0, NULL);
	CALL(SYS_getgroups, 8, got);
}

static void bad_pointers(void)
{
	unsigned v;

	CALL(SYS_getresuid, BAD, &v, &v);
	CALL(SYS_getresuid, &v, BAD, &v);
	CALL(SYS_getresgid, &v, &v, BAD);
}

/* Of these only the answer for the user that already is in force. */
static void file_ids(void)
{
	CALL(SYS_setfsuid, -1);
	CALL(SYS_setfsgid, -1);
}

static void names(void)
{
	struct utsname before, u;
	char big[70];

	memset(big, 'n', sizeof big);
	uname(&before);
	SHOW(sethostname("test-host", 9));
	SHOW(setdomainname("test.domain", 11));
	SHOW(uname(&u));
	printf("%s %s\n", u.nodename, u.domainname);
	SHOW(sethostname("cut-here", 3));
	SHOW(sethostname(big, 65));
	SHOW(sethostname(big, -1));
	SHOW(sethostname(BAD, 5));
	SHOW(setdomainname(big, 65));
	SHOW(setdomainname(BAD, 5));
	SHOW(sethostname(big, 64));
	SHOW(uname(&u));
	printf("%s %s\n", u.nodename, u.domainname);
	sethostname(before.nodename, strlen(before.nodename));
	setdomainname(before.domainname, strlen(before.domainname));
	SHOW(setuid(5));
	SHOW(sethostname("x", 1));
	SHOW(setdomainname("x", 1));
}

int main(void)
{
	show_ids();
	in_child("setres*id", all_three);
	in_child("setre*id", two_of_them);
	in_child("set*id", one_of_them);
	in_child("saved root", back_to_root);
	in_child("groups", group_lists);
	bad_pointers();
	file_ids();
	in_child("names", names);
	return 0;
}
