/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees for tests: one with every type of file, and a comparison that asks the kernel alone (lstat,
 * xattrs, readlink, read), through descriptors, so that depth does not matter.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "util.h"

#define must(call)                                                                                 \
	({                                                                                         \
		long _v = (long)(call);                                                            \
		if (_v < 0)                                                                        \
			fail_msg("%s: %s", #call, strerror(errno));                                \
		_v;                                                                                \
	})

static uint64_t fixture_seed = 1;

static inline uint32_t fixture_random(uint32_t below)
{
	fixture_seed = fixture_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(fixture_seed >> 33) % below;
}

static inline void put_random(int fd, uint64_t off, size_t len)
{
	uint8_t buf[65536];

	while (len) {
		size_t n = MIN(len, sizeof(buf));

		for (size_t i = 0; i < n; i++)
			buf[i] = (uint8_t)(1 + fixture_random(255));
		must(pwrite(fd, buf, n, (off_t)off));
		off += n;
		len -= n;
	}
}

static inline void make_file(int dir, const char *name, uint64_t size, mode_t mode)
{
	int fd = (int)must(openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0600));

	put_random(fd, 0, size);
	must(fchmod(fd, mode));
	close(fd);
}

static inline int make_dir(int dir, const char *name)
{
	must(mkdirat(dir, name, 0755));
	return (int)must(openat(dir, name, O_RDONLY | O_DIRECTORY));
}

static inline void make_sparse(int dir, const char *name, uint64_t size, unsigned int pieces)
{
	int fd = (int)must(openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0640));

	must(ftruncate(fd, (off_t)size));
	for (unsigned int i = 0; i < pieces; i++) {
		uint64_t scale = size >> 30 ? size >> 30 : 1;
		uint64_t at = (uint64_t)fixture_random(1 << 30) * scale % size;

		put_random(fd, at, MIN((uint64_t)fixture_random(20000), size - at));
	}
	close(fd);
}

static inline void make_time(int dir, const char *name, int64_t sec, long nsec)
{
	struct timespec t[2] = { { sec, nsec }, { sec, nsec } };

	make_file(dir, name, 10, 0644);
	must(utimensat(dir, name, t, 0));
}

static inline void make_symlink(int dir, const char *name, size_t len)
{
	char target[4096];

	memset(target, 'a' + (int)(len % 26), len);
	target[len] = '\0';
	must(symlinkat(target, dir, name));
}

static inline void make_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = (int)must(socket(AF_UNIX, SOCK_STREAM, 0));

	assert_true(strlen(path) < sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	must(bind(s, (struct sockaddr *)&a, sizeof(a)));
	close(s);
}

static inline void make_xattrs(int dir)
{
	/* version 2; user::rw-, user 1234:rwx, group::r--, mask::rwx, other::--- */
	static const uint8_t acl[] = {
		2, 0, 0, 0,
		1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
		2, 0, 7, 0, 0xd2, 0x04, 0, 0,
		4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
		16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff,
		32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
	};
	static char big[60000];
	char path[64];
	int fd;

	memset(big, 'B', sizeof(big));
	make_file(dir, "file", 5000, 0644);
	fd = (int)must(openat(dir, "file", O_RDONLY));
	must(fsetxattr(fd, "user.one", "1", 1, 0));
	must(fsetxattr(fd, "user.empty", "", 0, 0));
	must(fsetxattr(fd, "trusted.big", big, sizeof(big), 0));
	must(fsetxattr(fd, "security.test", "a\0b", 3, 0));
	must(fsetxattr(fd, "system.posix_acl_access", acl, sizeof(acl), 0));
	close(fd);
	must(fsetxattr(dir, "system.posix_acl_default", acl, sizeof(acl), 0));
	must(fsetxattr(dir, "user.of-dir", "yes", 3, 0));
	make_symlink(dir, "link", 3000);
	must(mkfifoat(dir, "fifo", 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/link", dir);
	must(lsetxattr(path, "trusted.of-link", big, 1500, 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/fifo", dir);
	must(lsetxattr(path, "trusted.of-fifo", "yes", 3, 0));
}

/* Every type of file, odd names, times, owners, xattrs, links and holes. */
static inline void make_every_type(const char *path, unsigned int depth)
{
	static const char *const names[] = {
		"\001", "\377\376", "a b", "new\nline", "-rf", "\\040", "...",
	};
	char text[256];
	int top, dir, fd;

	must(mkdir(path, 0750));
	top = (int)must(open(path, O_RDONLY | O_DIRECTORY));
	for (unsigned int i = 0; i < 6; i++) {
		static const uint32_t sizes[] = { 0, 1, 4095, 4096, 4097, 3000000 };

		snprintf(text, sizeof(text), "size-%u", sizes[i]);
		make_file(top, text, sizes[i], 0644);
	}
	make_file(top, "suid", 3, 04755);
	make_file(top, "sgid", 3, 02711);
	make_file(top, "no-mode", 3, 0);
	dir = make_dir(top, "sticky");
	must(fchmod(dir, 01777));
	must(fchown(dir, 4294967294u, 4000000000u));
	close(dir);
	make_time(top, "1960", -315619200, 5);
	make_time(top, "2500", INT64_C(16725225600), 999999999);
	make_time(top, "1969", -1, 999999999);
	must(mkfifoat(top, "fifo", 0600));
	must(mknodat(top, "chr", S_IFCHR | 0666, makedev(1, 3)));
	must(mknodat(top, "blk", S_IFBLK | 0660, makedev(4095, 1048575)));
	snprintf(text, sizeof(text), "%s/socket", path);
	make_socket(text);
	dir = make_dir(top, "links");
	must(linkat(top, "size-4097", dir, "again", 0));
	must(linkat(top, "fifo", dir, "fifo", 0));
	must(linkat(top, "chr", dir, "chr", 0));
	make_symlink(dir, "sym", 10);
	must(linkat(dir, "sym", top, "sym", 0));
	close(dir);
	make_symlink(top, "sym-4032", 4032);
	make_symlink(top, "sym-4033", 4033);
	make_symlink(top, "sym-4095", 4095);
	dir = make_dir(top, "names");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_file(dir, names[i], 5, 0600);
	memset(text, 'n', 255);
	text[255] = '\0';
	make_file(dir, text, 5, 0600);
	close(dir);
	close(make_dir(top, "empty"));
	dir = make_dir(top, "wide");
	for (unsigned int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "%x-%u", fixture_random(1 << 30), i);
		make_file(dir, text, fixture_random(50), 0644);
	}
	close(dir);
	dir = make_dir(top, "xattrs");
	make_xattrs(dir);
	close(dir);
	dir = make_dir(top, "holes");
	make_sparse(dir, "all", 5000000, 0);
	make_sparse(dir, "one", 1, 0);
	make_sparse(dir, "few", 300 * MIB + 77, 20);
	make_sparse(dir, "tera", 1024 * GIB, 20);
	make_sparse(dir, "many", 8 * MIB, 400);
	fd = (int)must(openat(dir, "tail", O_CREAT | O_WRONLY, 0600));
	put_random(fd, 0, 4096);
	must(ftruncate(fd, 100001));
	close(fd);
	close(dir);
	dir = make_dir(top, "deep");
	memset(text, 'd', 200);
	text[200] = '\0';
	for (unsigned int i = 0; i < depth; i++) {
		fd = make_dir(dir, text);
		make_file(fd, "file", 3, 0644);
		close(dir);
		dir = fd;
	}
	close(dir);
	close(top);
}

/* --- comparison --- */

static inline void same_xattrs(int a, int b, const char *name)
{
	static char list_a[65536], list_b[65536], value_a[65536], value_b[65536];
	char path_a[512], path_b[512];
	ssize_t na, nb;
	size_t count_a = 0, count_b = 0;

	snprintf(path_a, sizeof(path_a), "/proc/self/fd/%d/%s", a, name);
	snprintf(path_b, sizeof(path_b), "/proc/self/fd/%d/%s", b, name);
	na = must(llistxattr(path_a, list_a, sizeof(list_a)));
	nb = must(llistxattr(path_b, list_b, sizeof(list_b)));
	for (char *p = list_b; p < list_b + nb; p += strlen(p) + 1)
		count_b += strcmp(p, "trusted.pkram.flags") != 0;
	for (char *p = list_a; p < list_a + na; p += strlen(p) + 1, count_a++) {
		ssize_t va = must(lgetxattr(path_a, p, value_a, sizeof(value_a)));
		ssize_t vb = must(lgetxattr(path_b, p, value_b, sizeof(value_b)));

		if (va != vb || memcmp(value_a, value_b, (size_t)va) != 0)
			fail_msg("%s: xattr %s differs", name, p);
	}
	if (count_a != count_b)
		fail_msg("%s: %zu and %zu xattrs", name, count_a, count_b);
}

/* Where @a has data, the bytes must be the same; where it has none, @b must read zeroes. */
static inline void same_bytes(int a, int b, uint64_t size, const char *name)
{
	static const uint8_t zero[65536];
	static uint8_t buf_a[65536], buf_b[65536];
	uint64_t at = 0;

	while (at < size) {
		off_t data = lseek(a, (off_t)at, SEEK_DATA);
		uint64_t hole = data < 0 ? size : (uint64_t)data;
		/* Of long holes, both ends. */
		uint64_t look = MIN(hole - at, sizeof(zero));

		must(pread(b, buf_b, look, (off_t)at));
		if (look && memcmp(buf_b, zero, look) != 0)
			fail_msg("%s: a hole at %llu is not empty", name, (unsigned long long)at);
		must(pread(b, buf_b, look, (off_t)(hole - look)));
		if (look && memcmp(buf_b, zero, look) != 0)
			fail_msg("%s: a hole before %llu is not empty", name,
				 (unsigned long long)hole);
		if (data < 0)
			break;
		at = (uint64_t)must(lseek(a, data, SEEK_HOLE));
		for (uint64_t o = (uint64_t)data; o < at;) {
			ssize_t n = must(pread(a, buf_a, MIN(sizeof(buf_a), at - o), (off_t)o));

			if (pread(b, buf_b, (size_t)n, (off_t)o) != n ||
			    memcmp(buf_a, buf_b, (size_t)n) != 0)
				fail_msg("%s: differs near %llu", name, (unsigned long long)o);
			o += (uint64_t)n;
		}
	}
}

struct inode_pair {
	ino_t a, b;
};

static struct inode_pair fixture_pairs[1000];
static size_t fixture_n_pairs;

/* Names of one inode on one side must be names of one inode on the other. */
static inline void same_links(const struct stat *a, const struct stat *b, const char *name)
{
	if (a->st_nlink != b->st_nlink)
		fail_msg("%s: %lu and %lu links", name, (long)a->st_nlink, (long)b->st_nlink);
	if (a->st_nlink == 1)
		return;
	for (size_t i = 0; i < fixture_n_pairs; i++)
		if ((fixture_pairs[i].a == a->st_ino) != (fixture_pairs[i].b == b->st_ino))
			fail_msg("%s: linked with another file", name);
	if (fixture_n_pairs < ARRAY_SIZE(fixture_pairs))
		fixture_pairs[fixture_n_pairs++] = (struct inode_pair){ a->st_ino, b->st_ino };
}

static inline size_t same_tree(int a, int b);

static inline void same_inode(int a, int b, const char *name)
{
	char link_a[4096], link_b[4096];
	struct stat sa, sb;
	int fa, fb;

	must(fstatat(a, name, &sa, AT_SYMLINK_NOFOLLOW));
	must(fstatat(b, name, &sb, AT_SYMLINK_NOFOLLOW));
	if (sa.st_mode != sb.st_mode || sa.st_uid != sb.st_uid || sa.st_gid != sb.st_gid ||
	    sa.st_mtim.tv_sec != sb.st_mtim.tv_sec || sa.st_mtim.tv_nsec != sb.st_mtim.tv_nsec)
		fail_msg("%s: mode, owner or time differ", name);
	if ((S_ISCHR(sa.st_mode) || S_ISBLK(sa.st_mode)) && sa.st_rdev != sb.st_rdev)
		fail_msg("%s: another device", name);
	same_xattrs(a, b, name);
	if (!S_ISDIR(sa.st_mode))
		same_links(&sa, &sb, name);
	if (S_ISLNK(sa.st_mode)) {
		ssize_t na = must(readlinkat(a, name, link_a, sizeof(link_a)));

		if (readlinkat(b, name, link_b, sizeof(link_b)) != na ||
		    memcmp(link_a, link_b, (size_t)na) != 0)
			fail_msg("%s: another target", name);
	}
	if (!S_ISREG(sa.st_mode) && !S_ISDIR(sa.st_mode))
		return;
	fa = (int)must(openat(a, name, O_RDONLY | O_NOFOLLOW));
	fb = (int)must(openat(b, name, O_RDONLY | O_NOFOLLOW));
	if (S_ISDIR(sa.st_mode)) {
		same_tree(fa, fb);
	} else {
		assert_int_equal(sa.st_size, sb.st_size);
		same_bytes(fa, fb, (uint64_t)sa.st_size, name);
	}
	close(fa);
	close(fb);
}

static inline size_t count_entries(int dir)
{
	DIR *d = fdopendir(dup(dir));
	size_t n = 0;

	assert_non_null(d);
	rewinddir(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Fails when two directories differ in anything below them; returns the entries of this one. */
static inline size_t same_tree(int a, int b)
{
	DIR *d = fdopendir(dup(a));
	size_t n = 0;

	assert_non_null(d);
	rewinddir(d);
	for (struct dirent *e; (e = readdir(d)); n++)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			same_inode(a, b, e->d_name);
	closedir(d);
	assert_int_equal(n, count_entries(b));
	return n;
}
