/* Copying between the libOS and the segments of a read or write. */
#include "libos/posix/vfs.h"

enum direction { TAKE, GIVE, GIVE_ZEROS };

static const uint8_t zeros[PAGE];

static bool copy(struct iter *it, uint64_t there, uint8_t *here, size_t n, enum direction d)
{
	const void *from = d == GIVE_ZEROS ? zeros : here;

	if (it->kernel) {
		if (d == TAKE)
			memcpy(here, (void *)there, n);
		else
			memcpy((void *)there, from, n);
		return true;
	}
	return !(d == TAKE ? copy_from_user(here, there, n) : copy_to_user(there, from, n));
}

static size_t transfer(struct iter *it, uint8_t *here, size_t n, enum direction d)
{
	size_t done = 0;

	n = smaller(n, it->left);
	while (done < n) {
		uint64_t there = it->segment->base + it->offset;
		size_t part = smaller(it->segment->length - it->offset, n - done);

		if (!part) {
			it->segment++;
			it->offset = 0;
			continue;
		}
		part = smaller(part, PAGE - there % PAGE);	/* a fault costs a page at most */
		if (!copy(it, there, here + (d == GIVE_ZEROS ? 0 : done), part, d))
			break;
		it->offset += part;
		it->left -= part;
		done += part;
	}
	return done;
}

size_t iter_take(struct iter *it, void *to, size_t n)
{
	return transfer(it, to, n, TAKE);
}

size_t iter_give(struct iter *it, const void *from, size_t n)
{
	return transfer(it, (uint8_t *)from, n, GIVE);
}

size_t iter_give_zeros(struct iter *it, size_t n)
{
	return transfer(it, NULL, n, GIVE_ZEROS);
}

void iter_kernel(struct iter *it, struct iovec *one, void *base, size_t n)
{
	*one = (struct iovec){ (uintptr_t)base, n };
	*it = (struct iter){ one, 0, n, true };
}
