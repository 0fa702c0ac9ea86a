/* Copies between the libOS and user memory, in the root that is loaded.
 *
 * libOS and user code share one ring and one root: the copy is an ordinary one.  A fault in
 * it is served like the user's own (demand paging, copy-on-write); where that fails, the
 * routine returns (uaccess_copy.S, entry.c).
 */
#include "libos/posix/process.h"

int user_string(char *to, uint64_t from, size_t n, size_t *length);

int copy_from_user(void *to, uint64_t from, size_t n)
{
	return user_ok(from, n) && !user_copy(to, (const void *)from, n) ? 0 : -EFAULT;
}

int copy_to_user(uint64_t to, const void *from, size_t n)
{
	return user_ok(to, n) && !user_copy((void *)to, from, n) ? 0 : -EFAULT;
}

int clear_user(uint64_t to, size_t n)
{
	return user_ok(to, n) && !user_zero(to, n) ? 0 : -EFAULT;
}

long string_from_user(char *to, uint64_t from, size_t n)
{
	size_t length, room = from < USER_END ? USER_END - from : 0;
	if (!room || user_string(to, from, n < room ? n : room, &length))
		return -EFAULT;
	if (length < n && length < room)
		return (long)length;
	return length < n ? -EFAULT : -ENAMETOOLONG;
}
