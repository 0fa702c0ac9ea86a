/* asuser ID COMMAND...: gives up root for a user and group number, then executes the command. */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int id = argc > 2 ? atoi(argv[1]) : 0;

	if (id <= 0 || setgroups(0, NULL) < 0 || setgid(id) < 0 || setuid(id) < 0) {
		perror("asuser");
		return 125;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
