/* Bad arguments for many calls: an error of the right number, never a crash or a hang. */
#include "test.h"
#include <sys/ioctl.h>

#define CALL(...) show(#__VA_ARGS__, syscall(__VA_ARGS__))
#define KERNEL ((void *)0xffffffff81000000)
#define HOLE ((void *)0x800000000000)

static void descriptors(void)
{
	static const int bad[] = { -1, 99, 1000000, 0x7fffffff };
	char c;

	for (size_t i = 0; i < COUNT(bad); i++) {
		long fd = bad[i];

		printf("descriptor %ld\n", fd);
		CALL(SYS_read, fd, &c, 1);
		CALL(SYS_write, fd, &c, 1);
		CALL(SYS_close, fd);
		CALL(SYS_lseek, fd, 0, 0);
		CALL(SYS_fstat, fd, &c);
		CALL(SYS_dup, fd);
		CALL(SYS_fcntl, fd, F_GETFL);
		CALL(SYS_ioctl, fd, TCGETS, &c);
		CALL(SYS_ftruncate, fd, 0);
		CALL(SYS_fchdir, fd);
		CALL(SYS_fchmod, fd, 0);
		CALL(SYS_getdents64, fd, &c, 1);
		CALL(SYS_fsync, fd);
		CALL(SYS_sendfile, fd, fd, NULL, 1);
		CALL(SYS_pread64, fd, &c, 1, 0);
		CALL(SYS_readv, fd, NULL, 0);
	}
}

static void pointers(void *p)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

	write(fd, "content", 7);
	lseek(fd, 0, SEEK_SET);
	CALL(SYS_read, fd, p, 4);
	CALL(SYS_write, fd, p, 4);
	CALL(SYS_open, p, 0);
	CALL(SYS_stat, p, p);
	CALL(SYS_stat, "f", p);
	CALL(SYS_fstat, fd, p);
	CALL(SYS_newfstatat, AT_FDCWD, "f", p, 0);
	CALL(SYS_access, p, 0);
	CALL(SYS_chdir, p);
	CALL(SYS_mkdir, p, 0700);
	CALL(SYS_unlink, p);
	CALL(SYS_rename, p, "x");
	CALL(SYS_rename, "f", p);
	CALL(SYS_readlink, "f", p, 1);
	CALL(SYS_readlink, p, p, 1);
	CALL(SYS_symlink, p, "s");
	CALL(SYS_getcwd, p, 100);
	CALL(SYS_pipe, p);
	CALL(SYS_pipe2, p, 0);
	CALL(SYS_poll, p, 1, 0);
	CALL(SYS_select, 1, p, NULL, NULL, NULL);
	CALL(SYS_uname, p);
	CALL(SYS_nanosleep, p, NULL);
	CALL(SYS_gettimeofday, p, NULL);
	CALL(SYS_clock_gettime, 1, p);
	CALL(SYS_clock_getres, 1, p);
	CALL(SYS_rt_sigaction, 10, p, NULL, 8);
	CALL(SYS_rt_sigaction, 10, NULL, p, 8);
	CALL(SYS_rt_sigprocmask, 0, p, NULL, 8);
	CALL(SYS_rt_sigprocmask, 0, NULL, p, 8);
	CALL(SYS_rt_sigpending, p, 8);
	CALL(SYS_rt_sigsuspend, p, 8);
	CALL(SYS_rt_sigtimedwait, p, NULL, NULL, 8);
	CALL(SYS_sigaltstack, p, NULL);
	CALL(SYS_execve, p, NULL, NULL);
	CALL(SYS_execve, "f", p, NULL);
	CALL(SYS_getrlimit, 7, p);
	CALL(SYS_setrlimit, 7, p);
	CALL(SYS_prlimit64, 0, 7, NULL, p);
	CALL(SYS_getrusage, 0, p);
	CALL(SYS_times, p);
	CALL(SYS_sysinfo, p);
	CALL(SYS_getrandom, p, 8, 0);
	CALL(SYS_futex, p, 0, 0, NULL, NULL, 0);
	CALL(SYS_getdents64, 0, p, 100);
	CALL(SYS_readv, fd, p, 1);
	CALL(SYS_writev, fd, p, 1);
	CALL(SYS_setitimer, 0, p, NULL);
	CALL(SYS_getitimer, 0, p);
	CALL(SYS_utimensat, AT_FDCWD, "f", p, 0);
	CALL(SYS_sched_getaffinity, 0, 8, p);
	CALL(SYS_getgroups, 10, p);
	CALL(SYS_statfs, "/", p);
	close(fd);
}

static void dies_of_bad_stack(void)
{
	__asm__ volatile("mov $8, %%rsp; push %%rax" : : : "memory");
}

/* A signal that cannot be delivered, as there is no stack for its frame. */
static void signal_without_stack(void)
{
	signal(SIGUSR1, (void (*)(int))dies_of_bad_stack);
	__asm__ volatile("mov $8, %%rsp; syscall"
			 :
			 : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1)
			 : "memory");
}

static void call_without_stack(void)
{
	__asm__ volatile("xor %%esp, %%esp; syscall; mov %%eax, %%edi; mov %1, %%eax; syscall"
			 :
			 : "a"(SYS_getuid), "i"(SYS_exit_group)
			 : "memory");
}

static void bad_return(void)
{
	__asm__ volatile("mov $8, %%rsp; syscall" : : "a"(SYS_rt_sigreturn) : "memory");
}

static void others(void)
{
	char byte;

	CALL(SYS_wait4, -1, NULL, 0, NULL);
	CALL(SYS_wait4, -1, NULL, 0x1000, NULL);
	CALL(SYS_kill, 999999, 9);
	CALL(SYS_kill, 0, 99);
	CALL(SYS_tgkill, getpid(), 999999, 9);
	CALL(SYS_rt_sigprocmask, 0, NULL, NULL, 4);
	CALL(SYS_rt_sigsuspend, &byte, 4);
	CALL(SYS_getpgid, 999999);
	CALL(SYS_getsid, 999999);
	CALL(SYS_dup2, 0, -1);
	CALL(SYS_dup3, 0, 1, 1);
	CALL(SYS_pipe2, &byte, 0x1);
	CALL(SYS_arch_prctl, 0x1234, 0);
	CALL(SYS_arch_prctl, 0x1002, KERNEL);
	CALL(SYS_prlimit64, 999999, 7, NULL, NULL);
	CALL(SYS_getpriority, 9, 0);
	CALL(SYS_setpriority, 9, 0, 0);
	CALL(SYS_umask, 022);
	CALL(SYS_getgroups, -1, NULL);
	CALL(SYS_set_robust_list, NULL, 1);
	CALL(SYS_ioctl, 0, TCGETS, &byte);
	CALL(SYS_ioctl, 0, 0x12345678, &byte);
	CALL(SYS_fcntl, 0, 0x7777);
	CALL(SYS_mknod, "x", 0160000, 0);
	CALL(SYS_clone, 0x00000800 /* CLONE_SIGHAND without CLONE_VM */, 0, 0, 0, 0);
	CALL(SYS_clone, 0x00010000 /* CLONE_THREAD without CLONE_SIGHAND */, 0, 0, 0, 0);
	CALL(335);
	CALL(600);
	CALL(0xffffffff);
}

int main(void)
{
	umask(022);
	descriptors();
	printf("unmapped\n");
	pointers(BAD);
	printf("kernel\n");
	pointers(KERNEL);
	printf("not canonical\n");
	pointers(HOLE);
	others();
	in_child("no stack at all", dies_of_bad_stack);
	in_child("signal without a stack", signal_without_stack);
	in_child("call without a stack", call_without_stack);
	in_child("sigreturn from nowhere", bad_return);
	return 0;
}
