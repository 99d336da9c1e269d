/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree with every kind of file that Linux knows, and with those that are easily got wrong: the
 * corner cases first, then random files. What the filesystem below cannot hold (user.* xattrs on
 * tmpfs before 6.6, inode flags) is left out and said once.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "oracle.h"

#define BLOCK	4096u
#define MIB	(1u << 20)
#define TIB	(1ull << 40)

struct maker {
	const struct make_options *options;
	uint64_t random;
	bool no_user_xattrs;
	bool no_flags;
};

static const uint32_t ids[] = { 0, 1, 65534, 65536, 0x7fffffff, 0x80000000, 4294967294u };

static const struct timespec times[] = {
	{ 0, 0 }, { 0, 1 }, { -1, 999999999 }, { -2147483648, 5 },
	{ -315619200, 123456789 },		/* 1960 */
	{ 1700000000, 999999999 }, { 4294967296, 0 },
	{ 16725225600, 42 },			/* 2500 */
};

#define PICK(m, array)	((array)[draw(m, sizeof(array) / sizeof((array)[0]))])

static uint64_t next_random(struct maker *m)
{
	uint64_t x = m->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t draw(struct maker *m, uint64_t below)
{
	return next_random(m) % below;
}

static void fill(struct maker *m, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t x = next_random(m);

		memcpy(p + i, &x, len - i < 8 ? len - i : 8);
	}
}

static void left_out(bool *once, const char *what)
{
	if (!*once)
		fprintf(stderr, "oracle: this filesystem has no %s: left out\n", what);
	*once = true;
}

static void set_xattr(struct maker *m, int dir, const char *name, const char *attr,
		      const void *value, size_t len)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	if (lsetxattr(path, attr, value, len, 0) == 0)
		return;
	if (errno != ENOTSUP || strncmp(attr, "user.", 5) != 0)
		err(1, "%s: setting %s", name, attr);
	left_out(&m->no_user_xattrs, "user.* xattrs");
}

static void set_flags(struct maker *m, int dir, const char *name, int flags)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), now = 0;

	if (fd < 0)
		err(1, "%s", name);
	if (ioctl(fd, FS_IOC_GETFLAGS, &now) < 0)
		left_out(&m->no_flags, "inode flags");
	else if (now |= flags, ioctl(fd, FS_IOC_SETFLAGS, &now) < 0)
		err(1, "%s: setting flags %x", name, flags);
	close(fd);
}

static void set_owner(int dir, const char *name, uint32_t uid, uint32_t gid)
{
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "%s: chown", name);
}

/* After set_owner(), which takes setuid and setgid away. */
static void set_mode(int dir, const char *name, mode_t mode)
{
	if (fchmodat(dir, name, mode, 0) < 0)
		err(1, "%s: chmod", name);
}

static void set_time(int dir, const char *name, struct timespec mtime)
{
	struct timespec both[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

	if (utimensat(dir, name, both, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "%s: setting its time", name);
}

static int make_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "creating %s", name);
	return fd;
}

static int make_dir(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) < 0)
		err(1, "creating %s", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static void make_node(int dir, const char *name, mode_t mode, dev_t dev)
{
	if (mknodat(dir, name, mode, dev) < 0)
		err(1, "creating %s", name);
}

static void make_link(int from_dir, const char *from, int dir, const char *name)
{
	if (linkat(from_dir, from, dir, name, 0) < 0)
		err(1, "linking %s to %s", name, from);
}

static void write_random(struct maker *m, int fd, uint64_t off, uint64_t len)
{
	static uint8_t buf[MIB];

	while (len) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf);

		fill(m, buf, n);
		if (pwrite(fd, buf, n, off) != (ssize_t)n)
			err(1, "writing %zu bytes of data", n);
		off += n;
		len -= n;
	}
}

static void resize(int fd, uint64_t size)
{
	if (ftruncate(fd, size) < 0)
		err(1, "ftruncate");
}

static void make_sizes(struct maker *m, int dir)
{
	static const unsigned sizes[] = {
		0, 1, 4063, 4064, 4095, 4096, 4097, 8191, 8192, MIB - 1, 2 * MIB, 2 * MIB + 1,
	};
	char name[32];

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd;

		snprintf(name, sizeof(name), "size-%u", sizes[i]);
		fd = make_file(dir, name);
		write_random(m, fd, 0, sizes[i]);
		close(fd);
	}
}

static void make_sparse(struct maker *m, int dir)
{
	static const uint8_t zeros[4 * BLOCK];
	int fd = make_file(dir, "only-a-hole");

	resize(fd, 3 * MIB + 5);
	close(fd);

	fd = make_file(dir, "hole-first");
	write_random(m, fd, 40 * BLOCK, 3 * BLOCK + 17);
	close(fd);

	fd = make_file(dir, "hole-last");
	write_random(m, fd, 0, BLOCK);
	resize(fd, 5 * MIB);
	close(fd);

	fd = make_file(dir, "every-other-page");
	for (unsigned i = 0; i < 200; i++)
		write_random(m, fd, 2 * i * BLOCK, BLOCK);
	close(fd);

	fd = make_file(dir, "random-holes");
	for (unsigned i = 0; i < 60; i++)
		write_random(m, fd, draw(m, 4 * MIB), 1 + draw(m, 3 * BLOCK));
	resize(fd, 5 * MIB + draw(m, MIB));
	close(fd);

	fd = make_file(dir, "zeros-that-are-data");
	if (pwrite(fd, zeros, sizeof(zeros), 8 * BLOCK) != sizeof(zeros))
		err(1, "writing zeros");
	close(fd);

	fd = make_file(dir, "one-tebibyte");
	write_random(m, fd, 0, 10);
	write_random(m, fd, TIB / 2 + 123, 2 * BLOCK);
	write_random(m, fd, TIB - 1, 1);
	close(fd);
}

static void make_socket(int dir, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "creating %s", name);
	close(fd);
}

static void make_specials(struct maker *m, int dir)
{
	make_node(dir, "fifo", S_IFIFO | 0600, 0);
	make_socket(dir, "socket");
	make_node(dir, "null", S_IFCHR | 0666, makedev(1, 3));
	make_node(dir, "loop", S_IFBLK | 0660, makedev(7, 200));
	make_node(dir, "big-device", S_IFCHR | 0600, makedev(4095, 1048575));
	make_node(dir, "whiteout", S_IFCHR | 0000, makedev(0, 0));
	set_owner(dir, "fifo", 4294967294u, 1000);
	set_owner(dir, "socket", 7, 4294967294u);
	set_xattr(m, dir, "fifo", "trusted.of.a.fifo", "x\0y", 3);
	set_xattr(m, dir, "null", "security.of.a.device", "", 0);
	set_time(dir, "socket", times[3]);
	set_time(dir, "null", times[4]);
}

static void make_symlink(int dir, const char *name, const char *target)
{
	if (symlinkat(target, dir, name) < 0)
		err(1, "creating the symlink %s", name);
}

static void make_symlinks(struct maker *m, int dir)
{
	char longest[4096];

	memset(longest, 'x', sizeof(longest));
	for (unsigned i = 200; i < sizeof(longest); i += 200)
		longest[i] = '/';
	longest[4095] = '\0';
	make_symlink(dir, "longest", longest);
	make_symlink(dir, "dangling", "there is\nno\xffsuch file");
	make_symlink(dir, "absolute", "/etc/passwd");
	make_symlink(dir, "outside", "../../../../../../../../../../tmp");
	make_symlink(dir, "itself", "itself");
	make_symlink(dir, "dot", ".");
	longest[59] = '\0';
	make_symlink(dir, "sixty", longest);
	set_owner(dir, "dangling", 4294967294u, 4294967294u);
	set_time(dir, "dangling", times[2]);
	set_xattr(m, dir, "itself", "trusted.of.a.symlink", "1", 1);
}

static void make_links(struct maker *m, int dir)
{
	int a = make_dir(dir, "a"), b = make_dir(dir, "b"), fd = make_file(a, "file");

	write_random(m, fd, 0, 3 * BLOCK + 1);
	close(fd);
	make_link(a, "file", a, "second");
	make_link(a, "file", b, "third");
	make_node(a, "fifo", S_IFIFO | 0640, 0);
	make_link(a, "fifo", b, "fifo");
	make_node(b, "device", S_IFCHR | 0640, makedev(1, 5));
	make_link(b, "device", a, "device");
	make_socket(b, "socket");
	make_link(b, "socket", a, "socket");
	make_symlink(b, "symlink", "../a/file");
	make_link(b, "symlink", a, "symlink");
	fd = make_file(b, "empty");
	close(fd);
	make_link(b, "empty", a, "empty");
	close(a);
	close(b);
}

static void make_modes(struct maker *m, int dir)
{
	static const mode_t modes[] = { 0, 0777, 07777, 04755, 02755, 02644, 01777, 0001, 04000 };
	char name[32];

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		snprintf(name, sizeof(name), "file-%04o", modes[i]);
		close(make_file(dir, name));
		set_owner(dir, name, ids[i % 7], ids[(i + 3) % 7]);
		set_mode(dir, name, modes[i]);
		set_time(dir, name, times[i % 8]);
		snprintf(name, sizeof(name), "dir-%04o", modes[i]);
		close(make_dir(dir, name));
		set_owner(dir, name, PICK(m, ids), PICK(m, ids));
		set_mode(dir, name, modes[i]);
	}
}

/* A POSIX ACL as the kernel takes it: version 2, then {tag, permissions, id}. */
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

static void make_acls(struct maker *m, int dir)
{
	static const struct {
		uint32_t version;
		struct acl_entry entry[6];
	} acl = { 2, {
		{ 0x01, 7, ~0u }, { 0x02, 5, 1234 }, { 0x02, 0, 4294967294u },
		{ 0x04, 1, ~0u }, { 0x10, 7, ~0u }, { 0x20, 4, ~0u },
	} };

	close(make_file(dir, "file"));
	close(make_dir(dir, "dir"));
	set_xattr(m, dir, "file", "system.posix_acl_access", &acl, sizeof(acl));
	set_xattr(m, dir, "dir", "system.posix_acl_access", &acl, sizeof(acl));
	set_xattr(m, dir, "dir", "system.posix_acl_default", &acl, sizeof(acl));
}

static void make_xattrs(struct maker *m, int dir)
{
	static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 4 }; /* cap_net_bind_service+ep */
	char name[256], value[40000];

	fill(m, value, sizeof(value));
	close(make_file(dir, "file"));
	close(make_file(dir, "program"));
	close(make_file(dir, "many"));
	close(make_dir(dir, "dir"));
	set_xattr(m, dir, "file", "user.empty", "", 0);
	set_xattr(m, dir, "file", "user.bytes", value, 100);
	set_xattr(m, dir, "file", "trusted.large", value, sizeof(value));
	set_xattr(m, dir, "file", "security.label", "system_u:object_r:tmp_t:s0", 27);
	memset(name, 'n', 255);
	memcpy(name, "trusted.", 8);
	name[255] = '\0';
	set_xattr(m, dir, "file", name, "v", 1);
	set_xattr(m, dir, "program", "security.capability", capability, sizeof(capability));
	set_xattr(m, dir, "dir", "user.of.a.dir", "1", 1);
	set_xattr(m, dir, "dir", "trusted.overlay.opaque", "y", 1);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "%s.many-%u", i % 2 ? "user" : "trusted", i);
		set_xattr(m, dir, "many", name, value + i, i);
	}
}

static void make_names(struct maker *m, int dir)
{
	static const char *const names[] = {
		"-rf",      "--",   " ",         "\n",          "line\nbreak",
		"\xff\xfe", "\x01", "tab\there", "back\\slash", "*",
		"'quote\"", "...",  ".hidden",   "..data",      "gr\xc3\xbc\xc3\x9f",
		"~",        "#1",
	};
	char longest[256];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = make_file(dir, names[i]);

		write_random(m, fd, 0, draw(m, 300));
		close(fd);
	}
	memset(longest, 0xc3, 255);
	longest[255] = '\0';
	close(make_dir(dir, longest));
}

/* A path of 24 * 201 bytes, with a file at its end. */
static void make_deep(struct maker *m, int dir)
{
	char name[201];
	int at = dup(dir), next;

	for (unsigned i = 0; i < 24; i++) {
		memset(name, 'a' + i % 26, 200);
		name[200] = '\0';
		next = make_dir(at, name);
		close(at);
		at = next;
	}
	next = make_file(at, "at the end");
	write_random(m, next, 0, 5000);
	close(next);
	close(at);
}

static void make_flags(struct maker *m, int dir)
{
	close(make_file(dir, "nodump"));
	close(make_file(dir, "noatime"));
	close(make_dir(dir, "nodump-dir"));
	set_flags(m, dir, "nodump", FS_NODUMP_FL);
	set_flags(m, dir, "noatime", FS_NOATIME_FL | FS_NODUMP_FL);
	set_flags(m, dir, "nodump-dir", FS_NODUMP_FL);
}

static void make_locked(struct maker *m, int dir)
{
	int fd = make_file(dir, "append-only");

	write_random(m, fd, 0, 1000);
	close(fd);
	fd = make_file(dir, "immutable");
	write_random(m, fd, 0, 1000);
	close(fd);
	set_time(dir, "immutable", times[4]);
	fd = make_dir(dir, "immutable-dir");
	close(make_file(fd, "inside"));
	close(fd);
	set_owner(dir, "immutable-dir", 5, 6);
	set_flags(m, dir, "append-only", FS_APPEND_FL);
	set_flags(m, dir, "immutable", FS_IMMUTABLE_FL);
	set_flags(m, dir, "immutable-dir", FS_IMMUTABLE_FL);
}

static void make_large(struct maker *m, int dir)
{
	uint64_t left = (uint64_t)m->options->mib * MIB;
	char name[32];

	for (unsigned i = 0; left; i++) {
		uint64_t size = i ? 1 + draw(m, left) : left / 2 + 1;
		int fd;

		if (size > left)
			size = left;
		snprintf(name, sizeof(name), "large-%u", i);
		fd = make_file(dir, name);
		write_random(m, fd, 0, size);
		close(fd);
		left -= size;
		if (left < BLOCK)
			left = 0;
	}
}

/* One random file and, now and then, a directory for those that follow. */
static void make_small(struct maker *m, int dir, int depth, unsigned *left)
{
	static const mode_t modes[] = { 0644, 0600, 0755, 0444, 02755, 0640 };
	char name[64];
	unsigned n = 1 + draw(m, 40);

	for (unsigned i = 0; i < n && *left; i++) {
		int fd;

		(*left)--;
		snprintf(name, sizeof(name), "%u-%llx", i, (unsigned long long)draw(m, 1 << 20));
		if (depth < 12 && draw(m, 8) == 0) {
			fd = make_dir(dir, name);
			make_small(m, fd, depth + 1, left);
			close(fd);
			continue;
		}
		fd = make_file(dir, name);
		write_random(m, fd, 0, draw(m, draw(m, 10) ? 6000 : 60000));
		close(fd);
		if (draw(m, 4) == 0)
			set_owner(dir, name, PICK(m, ids), PICK(m, ids));
		set_mode(dir, name, PICK(m, modes));
		if (draw(m, 6) == 0)
			set_xattr(m, dir, name, "trusted.small", name, strlen(name));
		set_time(dir, name, (struct timespec){ draw(m, 1ull << 33), draw(m, 1000000000) });
	}
}

static void make_empty(struct maker *m, int dir)
{
	(void)m;
	(void)dir;
}

static void make_many(struct maker *m, int dir)
{
	unsigned left = m->options->small_files;

	while (left)
		make_small(m, dir, 0, &left);
}

/* Creating a file changes its directory's time: directories get theirs last, inner ones first. */
static void set_directory_times(struct maker *m, int fd, uint64_t salt)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *entry;

	if (!dir)
		err(1, "reading back");
	while ((entry = readdir(dir))) {
		uint64_t inner = salt;
		int child;

		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		for (const char *s = entry->d_name; *s; s++)
			inner = (inner ^ (uint8_t)*s) * 0x100000001b3u;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			err(1, "%s", entry->d_name);
		set_directory_times(m, child, inner);
		close(child);
	}
	closedir(dir);

	m->random = salt;
	if (utimensat(fd, ".", (struct timespec[]){ { .tv_nsec = UTIME_OMIT },
		      { (int64_t)draw(m, 1ull << 34) - (1ll << 32), draw(m, 1000000000) } }, 0) < 0)
		err(1, "setting a directory's time");
}

int oracle_make(const char *dir, const struct make_options *options)
{
	static const struct {
		const char *name;
		void (*make)(struct maker *m, int dir);
	} parts[] = {
		{ "sizes", make_sizes }, { "sparse", make_sparse }, { "specials", make_specials },
		{ "symlinks", make_symlinks }, { "links", make_links }, { "modes", make_modes },
		{ "acls", make_acls }, { "xattrs", make_xattrs }, { "names", make_names },
		{ "deep", make_deep }, { "flags", make_flags }, { "large", make_large },
		{ "many", make_many }, { "empty", make_empty },
	};
	struct maker m = { .options = options, .random = options->seed };
	int top, fd;

	umask(0);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		err(1, "%s", dir);
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		err(1, "%s", dir);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		fd = make_dir(top, parts[i].name);
		parts[i].make(&m, fd);
		close(fd);
	}
	set_directory_times(&m, top, options->seed);
	if (options->locked) {
		fd = make_dir(top, "locked");
		make_locked(&m, fd);
		close(fd);
	}
	close(top);
	return 0;
}

static void unlock(int fd)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *entry;
	int flags;

	if (!dir)
		err(1, "reading");
	while ((entry = readdir(dir))) {
		int child;

		if ((entry->d_type != DT_DIR && entry->d_type != DT_REG) ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		child = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (child < 0)
			err(1, "%s", entry->d_name);
		if (ioctl(child, FS_IOC_GETFLAGS, &flags) == 0 &&
		    (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))) {
			flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
			if (ioctl(child, FS_IOC_SETFLAGS, &flags) < 0)
				err(1, "%s", entry->d_name);
		}
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0)
			unlock(child);
		close(child);
	}
	closedir(dir);
}

int oracle_unlock(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", dir);
	unlock(fd);
	close(fd);
	return 0;
}
