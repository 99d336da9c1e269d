/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tree holds, one line for each file, in an order that depends on the names only. It walks
 * from directory to directory by file descriptor, so that no path is too long for it.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "oracle.h"

#define BLOCK	4096u

/* The flags that a user sets with chattr; the others say how one filesystem stores things. */
#define FLAGS	(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

struct text {
	char *s;
	size_t len, room;
};

struct link {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct walk {
	const struct list_options *options;
	struct sha256 digest;
	struct text line;
	struct text path;
	struct link *links;		/* every file with several names, by its first one */
	size_t n_links;
};

static void text_add(struct text *t, const void *s, size_t len)
{
	if (t->len + len + 1 > t->room) {
		t->room = (t->len + len + 1) * 2;
		t->s = realloc(t->s, t->room);
		if (!t->s)
			err(1, "out of memory");
	}
	memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
}

__attribute__((format(printf, 2, 3)))
static void text_printf(struct text *t, const char *format, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, format);
	text_add(t, buf, vsnprintf(buf, sizeof(buf), format, ap));
	va_end(ap);
}

/* Names and values may hold any byte; a line holds none that could be taken for another line. */
static void text_escaped(struct text *t, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			text_add(t, &c, 1);
		else
			text_printf(t, "\\%03o", c);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_xattr(struct walk *w, const char *path, const char *name)
{
	static char value[1 << 16];
	ssize_t len = lgetxattr(path, name, value, sizeof(value));
	struct sha256 hash;
	char hex[65];

	if (len < 0)
		err(1, "%s: reading %s", w->path.s, name);
	text_printf(&w->line, " [");
	text_escaped(&w->line, name, strlen(name));
	if (len <= 64) {
		text_printf(&w->line, "=");
		text_escaped(&w->line, value, len);
	} else {
		sha256_init(&hash);
		sha256_add(&hash, value, len);
		sha256_end(&hash, hex);
		text_printf(&w->line, ":%zd:%s", len, hex);
	}
	text_printf(&w->line, "]");
}

static void add_xattrs(struct walk *w, int dirfd, const char *name)
{
	static char list[1 << 16];
	char path[300], **names;
	ssize_t len;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	len = llistxattr(path, list, sizeof(list));
	if (len < 0 && errno == ENOTSUP)
		return;
	if (len < 0)
		err(1, "%s: listing xattrs", w->path.s);

	names = calloc(len + 1, sizeof(*names));
	if (!names)
		err(1, "out of memory");
	for (char *s = list; s < list + len; s += strlen(s) + 1)
		names[n++] = s;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		add_xattr(w, path, names[i]);
	free(names);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* The content without regard to holes: each block that is not zero, and where it stands. */
static void hash_data(struct walk *w, struct sha256 *hash, int fd, off_t from, off_t to)
{
	static uint8_t buf[64 * BLOCK];

	while (from < to) {
		size_t want = (size_t)(to - from) < sizeof(buf) ? (size_t)(to - from) : sizeof(buf);
		ssize_t n = pread(fd, buf, want, from);

		if (n <= 0)
			err(1, "%s: reading at %jd", w->path.s, (intmax_t)from);
		for (ssize_t i = 0; i < n; i += BLOCK) {
			size_t len = n - i < (ssize_t)BLOCK ? (size_t)(n - i) : BLOCK;
			uint64_t at = from + i;

			if (all_zero(buf + i, len))
				continue;
			sha256_add(hash, &at, sizeof(at));
			sha256_add(hash, buf + i, len);
		}
		from += n;
	}
}

static void add_data(struct walk *w, int fd, off_t size)
{
	struct sha256 hash, map;
	struct text extents = { };
	unsigned n = 0;
	char hex[65];

	sha256_init(&hash);
	sha256_init(&map);
	for (off_t hole = 0;;) {
		off_t data = lseek(fd, hole, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			break;
		if (data < 0)
			err(1, "%s: SEEK_DATA", w->path.s);
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			err(1, "%s: SEEK_HOLE", w->path.s);
		hash_data(w, &hash, fd, data, hole);

		if (n++ < 8)
			text_printf(&extents, "%s%jd+%jd", n > 1 ? "," : "",
				    (intmax_t)data, (intmax_t)(hole - data));
		sha256_add(&map, &(uint64_t[]){ data, hole }, 16);
		if (hole >= size)
			break;
	}

	sha256_end(&hash, hex);
	text_printf(&w->line, " sha256=%s", hex);
	if (!w->options->no_holes) {
		sha256_end(&map, hex);
		text_printf(&w->line, " data=%s", n ? extents.s : "none");
		if (n > 8)
			text_printf(&w->line, ",...(%u:%.16s)", n, hex);
	}
	free(extents.s);
}

static void add_flags(struct walk *w, int fd)
{
	unsigned flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		if (errno != ENOTTY && errno != EOPNOTSUPP)
			err(1, "%s: reading the flags", w->path.s);
		return;
	}
	if (flags & FLAGS)
		text_printf(&w->line, " flags=%x", flags & FLAGS);
}

static void add_links(struct walk *w, const struct stat *st)
{
	struct link *l;

	text_printf(&w->line, " links=%ju", (uintmax_t)st->st_nlink);
	if (st->st_nlink == 1)
		return;
	for (l = w->links; l < w->links + w->n_links; l++)
		if (l->dev == st->st_dev && l->ino == st->st_ino) {
			text_printf(&w->line, " same-as=");
			text_escaped(&w->line, l->path, strlen(l->path));
			return;
		}
	w->links = realloc(w->links, (w->n_links + 1) * sizeof(*w->links));
	if (!w->links)
		err(1, "out of memory");
	w->links[w->n_links++] = (struct link){ st->st_dev, st->st_ino, strdup(w->path.s) };
}

static void add_target(struct walk *w, int dirfd, const char *name)
{
	char target[4097];
	ssize_t len = readlinkat(dirfd, name, target, sizeof(target));

	if (len < 0)
		err(1, "%s: readlink", w->path.s);
	text_printf(&w->line, " -> ");
	text_escaped(&w->line, target, len);
}

static char type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return 'f';
	case S_IFDIR: return 'd';
	case S_IFLNK: return 'l';
	case S_IFIFO: return 'p';
	case S_IFSOCK: return 's';
	case S_IFCHR: return 'c';
	case S_IFBLK: return 'b';
	}
	return '?';
}

static void emit(struct walk *w)
{
	text_add(&w->line, "\n", 1);
	if (w->options->digest)
		sha256_add(&w->digest, w->line.s, w->line.len);
	else if (fwrite(w->line.s, 1, w->line.len, stdout) != w->line.len)
		err(1, "writing");
}

static void list_directory(struct walk *w, int fd);

static void list_entry(struct walk *w, int dirfd, const char *name)
{
	struct stat st;
	int fd = -1;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "%s", w->path.s);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
		if (fd < 0)
			err(1, "%s", w->path.s);
	}

	w->line.len = 0;
	text_escaped(&w->line, w->path.s, w->path.len);
	text_printf(&w->line, " %c %04o %u:%u mtime=%jd.%09ld", type_letter(st.st_mode),
		    st.st_mode & 07777, st.st_uid, st.st_gid,
		    (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	if (!S_ISDIR(st.st_mode))
		add_links(w, &st);
	if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
		text_printf(&w->line, " size=%jd", (intmax_t)st.st_size);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		text_printf(&w->line, " dev=%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (S_ISLNK(st.st_mode))
		add_target(w, dirfd, name);
	if (fd >= 0)
		add_flags(w, fd);
	if (S_ISREG(st.st_mode))
		add_data(w, fd, st.st_size);
	if (!w->options->no_xattrs)
		add_xattrs(w, dirfd, name);
	emit(w);

	if (S_ISDIR(st.st_mode))
		list_directory(w, fd);
	else if (fd >= 0)
		close(fd);
}

/* Takes the file descriptor. */
static void list_directory(struct walk *w, int fd)
{
	size_t path_len = w->path.len, n = 0;
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	char **names = NULL;

	if (!dir)
		err(1, "%s", w->path.s);
	while (errno = 0, entry = readdir(dir)) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!(n & (n - 1)))
			names = realloc(names, (n ? 2 * n : 1) * sizeof(*names));
		if (!names)
			err(1, "out of memory");
		names[n++] = strdup(entry->d_name);
	}
	if (errno)
		err(1, "%s: reading the directory", w->path.s);

	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		text_add(&w->path, "/", 1);
		text_add(&w->path, names[i], strlen(names[i]));
		list_entry(w, fd, names[i]);
		w->path.len = path_len;
		w->path.s[path_len] = '\0';
		free(names[i]);
	}
	free(names);
	closedir(dir);
}

int oracle_list(const char *dir, const struct list_options *options)
{
	struct walk w = { .options = options };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char hex[65];

	if (fd < 0)
		err(1, "%s", dir);
	sha256_init(&w.digest);
	text_add(&w.path, ".", 1);
	list_entry(&w, fd, ".");
	close(fd);

	if (options->digest) {
		sha256_end(&w.digest, hex);
		puts(hex);
	}
	for (size_t i = 0; i < w.n_links; i++)
		free(w.links[i].path);
	free(w.links);
	free(w.path.s);
	free(w.line.s);
	if (fflush(stdout) != 0)
		err(1, "writing");
	return 0;
}
