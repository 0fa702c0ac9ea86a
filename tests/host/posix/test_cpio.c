/* Archives: what a good one makes, and that no bad one does harm. */
#include "tests/host/posix/shim.h"

#define ROUNDS 20000

static uint8_t archive[1 << 16];
static size_t length;

static void put(const void *bytes, size_t n)
{
	memcpy(archive + length, bytes, n);
	length += n;
	while (length % 4)
		archive[length++] = 0;
}

static void entry_raw(unsigned ino, unsigned mode, unsigned nlink, const char *name,
	const void *data,
	size_t size)
{
	char head[111 + 300];
	int n = snprintf(head, sizeof head,
		"070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s",
		ino, mode, 7u, 8u, nlink, 1000000u, size, 0u, 0u, 1u, 3u, strlen(name) + 1, 0u,
		name);

	put(head, n + 1);
	put(data, size);
}

static void entry(unsigned mode, const char *name, const char *data)
{
	entry_raw(0, mode, 1, name, data, strlen(data));
}

static long unpack(void)
{
	return cpio_unpack(archive, length);
}

static void good_archive(void)
{
	length = 0;
	entry(S_IFDIR | 0755, ".", "");
	entry(S_IFDIR | 0750, "dir", "");
	entry(S_IFREG | 04755, "dir/file", "contents");
	entry(S_IFLNK | 0777, "link", "dir/file");
	entry(S_IFCHR | 0666, "dir/null", "");
	entry(S_IFIFO | 0600, "dir/fifo", "");
	entry_raw(9, S_IFREG | 0644, 2, "hard1", "", 0);
	entry_raw(9, S_IFREG | 0644, 2, "hard2", "linked", 6);
	entry(S_IFREG | 0644, "new/folders/x", "y");
	entry(0, "TRAILER!!!", "");
}

static struct linux_stat stat_of(const char *path)
{
	struct linux_stat st;

	IS(SYS(lstat, path, &st), 0);
	return st;
}

TEST(cpio_good)
{
	struct linux_stat st;

	good_archive();
	memset(archive + length, 0, 100);		/* padding */
	length += 100;
	IS(unpack(), 0);
	TEXT_IS(read_file("/link"), "contents");
	st = stat_of("/dir/file");
	CHECK(st.mode == (S_IFREG | 04755) && st.uid == 7 && st.gid == 8 && st.mtime.sec == 1000000,
		"%o %u %u", st.mode, st.uid, st.gid);
	CHECK(stat_of("/dir").mode == (S_IFDIR | 0750) && stat_of("/dir").mtime.sec == 1000000,
		"dir");
	TEXT_IS(read_file("/hard1"), "linked");
	CHECK(stat_of("/hard1").nlink == 2 && stat_of("/hard1").ino == stat_of("/hard2").ino,
		"hard");
	IS(stat_of("/dir/null").rdev, MAKEDEV(1, 3));
	TEXT_IS(read_file("/new/folders/x"), "y");
}

TEST(cpio_over_another)
{
	good_archive();
	IS(unpack(), 0);
	length = 0;
	entry(S_IFREG | 0600, "dir/file", "other");
	entry(S_IFDIR | 0700, "dir", "");
	entry(S_IFREG | 0600, "link", "file now");
	IS(unpack(), 0);
	TEXT_IS(read_file("/dir/file"), "other");
	TEXT_IS(read_file("/link"), "file now");
	IS(stat_of("/dir").mode, S_IFDIR | 0700);
	length = 0;
	entry(S_IFREG | 0600, "dir", "a file where a folder is");
	IS(unpack(), -EISDIR);
}

TEST(cpio_cut_anywhere)
{
	size_t whole, end;

	good_archive();
	end = whole = length;
	while (length > 0) {
		length = --whole;
		if (unpack() == 0)
			CHECK(archive[length] == 0 || !memcmp(archive + length, "070701", 6) ||
				end - length < 124, "cut at %zu", length);
	}
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void damage(void)
{
	static const char hex[] = "0123456789abcdefFg-\377";

	for (unsigned k = 1 + random_below(4); k; k--)
		archive[random_below(length)] = random_below(3) ? (uint8_t)hex[random_below(20)] :
			(uint8_t)random_below(256);
	if (random_below(4) == 0)
		length = random_below(length);
}

/* Each damaged archive goes into a tmpfs of its own, which must give back all it held. */
TEST(cpio_damaged)
{
	struct fs *fs = current_process()->fs;
	struct dentry *root = fs->root;
	size_t pages, objects;

	IS(SYS(mkdir, "/x", 0755), 0);
	pages = pages_used();
	objects = objects_used();
	for (int round = 0; round < ROUNDS; round++) {
		IS(SYS(mount, "none", "/x", "tmpfs", 0, "size=64k"), 0);
		fs->root = root->children->mounted->root;
		good_archive();
		damage();
		unpack();
		fs->root = root;
		IS(SYS(umount2, "/x", 0), 0);
		CHECK(pages_used() == pages && objects_used() == objects,
			"round %d: %zu pages, %zu objects",
			round, pages_used() - pages, objects_used() - objects);
	}
}
