/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who uses a file: descriptors open for writing, or at all (/proc/PID/fd, with the mode from
 * fdinfo), and shared writable mappings, or any (/proc/PID/maps), which hold a file also when its
 * descriptor is closed. One pass over /proc serves any number of files. Processes come and go
 * meanwhile, and some may not be looked at: they are passed over.
 */
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct pass {
	const struct machine_file *files;
	size_t n;
	bool readers;		/* whoever has it open or mapped counts */
	dev_t rdev;		/* other nodes of this device count, too (with readers) */
	mode_t type;
	pid_t *seen;		/* per file: the last pid that was told of it */
	void (*fn)(void *arg, size_t file, pid_t pid, const char *comm);
	void *arg;
	int count;
};

struct process {
	struct pass *pass;
	pid_t pid;
	int fd;			/* of /proc/PID */
};

static int compare_files(const void *a, const void *b)
{
	const struct machine_file *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static const struct machine_file *find_file(const struct pass *pass, dev_t dev, ino_t ino)
{
	struct machine_file key = { .dev = dev, .ino = ino };

	return bsearch(&key, pass->files, pass->n, sizeof(key), compare_files);
}

static FILE *open_text(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "re");

	if (!f && fd >= 0)
		close(fd);
	return f;
}

static DIR *open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static void found(struct process *p, const struct machine_file *file)
{
	size_t i = (size_t)(file - p->pass->files);
	char comm[32] = "?";
	FILE *f;

	if (p->pass->seen[i] == p->pid)
		return;
	p->pass->seen[i] = p->pid;
	p->pass->count++;
	f = open_text(p->fd, "comm");
	if (f) {
		if (fgets(comm, sizeof(comm), f))
			comm[strcspn(comm, "\n")] = '\0';
		fclose(f);
	}
	for (char *c = comm; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	p->pass->fn(p->pass->arg, i, p->pid, comm);
}

static bool open_for_writing(const struct process *p, const char *fd)
{
	char name[sizeof("fdinfo/") + 256], line[128];
	unsigned int flags = 0;
	FILE *f;

	snprintf(name, sizeof(name), "fdinfo/%s", fd);
	f = open_text(p->fd, name);
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	fclose(f);
	return (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/* A container has nodes of its own. */
static bool same_device(const struct pass *pass, const struct statx *st)
{
	return pass->rdev && (st->stx_mode & S_IFMT) == pass->type &&
	       makedev(st->stx_rdev_major, st->stx_rdev_minor) == pass->rdev;
}

static void look_at_fds(struct process *p)
{
	DIR *d = open_dir(p->fd, "fd");

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		const struct machine_file *file;
		struct statx st;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		/* DONT_SYNC: a server that hangs must not hang this. */
		if (statx(dirfd(d), e->d_name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
			  STATX_INO | STATX_TYPE, &st) < 0)
			continue;
		file = find_file(p->pass, makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino);
		if (!file && same_device(p->pass, &st))
			file = p->pass->files;
		if (file && (p->pass->readers || open_for_writing(p, e->d_name)))
			found(p, file);
	}
	closedir(d);
}

static void look_at_maps(struct process *p)
{
	FILE *f = open_text(p->fd, "maps");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;

	if (!f)
		return;
	while (getline(&line, &cap, f) > 0) {
		const struct machine_file *file;
		unsigned int major, minor;
		unsigned long long ino;
		char perms[5];

		if (sscanf(line, "%*x-%*x %4s %*x %x:%x %llu", perms, &major, &minor, &ino) != 4)
			continue;
		if (!p->pass->readers && (perms[1] != 'w' || perms[3] != 's'))
			continue;
		file = find_file(p->pass, makedev(major, minor), ino);
		if (file)
			found(p, file);
	}
	fclose(f);
}

static int look_through(struct pkram_ctx *ctx, struct pass *pass)
{
	_cleanup_free_ char *path = machine_path(ctx, "/proc");
	_cleanup_free_ pid_t *seen = calloc(pass->n, sizeof(*seen));
	char self[32] = "";
	DIR *proc;

	if (!path || !seen)
		return -ENOMEM;
	pass->seen = seen;
	proc = opendir(path);
	if (!proc)
		return log_error_errno(ctx, -errno, "%s: %m; who uses a file cannot be told",
				       path);
	/* As this /proc counts: it may be of another pid namespace. */
	if (readlinkat(dirfd(proc), "self", self, sizeof(self) - 1) < 0)
		self[0] = '\0';
	for (struct dirent *e; (e = readdir(proc));) {
		struct process p = { .pass = pass, .pid = (pid_t)atol(e->d_name) };
		_cleanup_close_ int fd = -1;

		if (!isdigit((unsigned char)e->d_name[0]) || strcmp(e->d_name, self) == 0)
			continue;
		fd = openat(dirfd(proc), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		p.fd = fd;
		look_at_fds(&p);
		look_at_maps(&p);
	}
	closedir(proc);
	return pass->count;
}

int machine_files_writers(struct pkram_ctx *ctx, const struct machine_file *files, size_t n,
			  void (*fn)(void *arg, size_t file, pid_t pid, const char *comm),
			  void *arg)
{
	struct pass pass = { .files = files, .n = n, .fn = fn, .arg = arg };

	return n ? look_through(ctx, &pass) : 0;
}

struct one_file {
	void (*fn)(void *arg, pid_t pid, const char *comm);
	void *arg;
};

static void one_user(void *arg, size_t file, pid_t pid, const char *comm)
{
	struct one_file *one = arg;

	(void)file;
	one->fn(one->arg, pid, comm);
}

int machine_file_writers(struct pkram_ctx *ctx, dev_t dev, ino_t ino,
			 void (*fn)(void *arg, pid_t pid, const char *comm), void *arg)
{
	struct machine_file file = { .dev = dev, .ino = ino };
	struct one_file one = { .fn = fn, .arg = arg };

	return machine_files_writers(ctx, &file, 1, one_user, &one);
}

int machine_file_users(struct pkram_ctx *ctx, const struct stat *st,
		       void (*fn)(void *arg, pid_t pid, const char *comm), void *arg)
{
	const struct machine_file file = { .dev = st->st_dev, .ino = st->st_ino };
	struct one_file one = { .fn = fn, .arg = arg };
	struct pass pass = { .files = &file, .n = 1, .readers = true, .fn = one_user, .arg = &one };

	if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode)) {
		pass.rdev = st->st_rdev;
		pass.type = st->st_mode & S_IFMT;
	}
	return look_through(ctx, &pass);
}
