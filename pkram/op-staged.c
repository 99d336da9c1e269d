/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op-staged.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "machine.h"

#define STAGED_DIR "/run/pkram"
#define STAGED_FILE STAGED_DIR "/staged"

#define KEPT_KERNEL STAGED_DIR "/kernel"
#define KEPT_INITRD STAGED_DIR "/initrd"

/* A line each, as the checks see to it: id, region, method, kernel, initrd ("": none), command. */
enum { LINE_ID, LINE_REGION, LINE_METHOD, LINE_KERNEL, LINE_INITRD, LINE_COMMAND, LINES };

static int make_dir(struct pkram_ctx *ctx)
{
	/* A small initramfs has no /run. */
	static const char *const dirs[] = { "/run", STAGED_DIR };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *full = machine_path(ctx, dirs[i]);

		if (!full)
			return -ENOMEM;
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* --- copies --- */

static int copy_bytes(int from, int to, uint64_t size)
{
	struct statvfs room;

	if (fstatvfs(to, &room) < 0)
		return -errno;
	/* Others need some, too. */
	if (size / room.f_frsize >= room.f_bavail / 2)
		return -ENOSPC;
	while (size) {
		ssize_t n = sendfile(to, from, NULL, size);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		size -= (uint64_t)n;
	}
	return 0;
}

static int copy_file(struct pkram_ctx *ctx, int from, uint64_t size, const char *copy)
{
	_cleanup_free_ char *full = machine_path(ctx, copy);
	_cleanup_close_ int to = -1;
	int r;

	if (!full)
		return -ENOMEM;
	to = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	r = copy_bytes(from, to, size);
	if (r < 0)
		unlink(full);
	return r;
}

/*
 * The jump is armed when most filesystems may be gone. What lies on the root filesystem is there to
 * the end; of other files a copy is kept.
 */
static int keep(struct pkram_ctx *ctx, const char *path, const char *copy)
{
	_cleanup_free_ char *root = machine_path(ctx, "/");
	struct stat st, top;
	_cleanup_close_ int fd = -1;

	if (!root)
		return -ENOMEM;
	/* It is what it was copied from once that is gone. */
	if (path && strcmp(path, copy) == 0)
		return 0;
	machine_replace(ctx, copy, NULL);
	if (!path)
		return 0;
	fd = machine_open(ctx, path, O_RDONLY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || stat(root, &top) < 0)
		return -errno;
	return st.st_dev == top.st_dev ? 0 : copy_file(ctx, fd, (uint64_t)st.st_size, copy);
}

static void try_keep(struct pkram_ctx *ctx, const char *path, const char *copy)
{
	int r = keep(ctx, path, copy);

	errno = -r;
	if (r < 0)
		pkram_log_warning(ctx, "no copy of %s can be kept in " STAGED_DIR " (%m): it must "
				  "be there until the machine jumps", path ? path : copy);
}

/* --- the file --- */

int staged_write(struct pkram_ctx *ctx, const struct check *c, const char *id)
{
	const char *initrd = c->kernel.initrd ? c->kernel.initrd : "";
	const char *region = store_region(c->look.store)->spec;
	_cleanup_free_ char *text = NULL;
	int r;

	if (asprintf(&text, "%s\n%s\n%u\n%s\n%s\n%s\n", id, region,
		     (unsigned int)c->o->method, c->kernel.kernel, initrd, c->line) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	r = make_dir(ctx);
	if (r == 0) {
		try_keep(ctx, c->kernel.kernel, KEPT_KERNEL);
		try_keep(ctx, c->kernel.initrd, KEPT_INITRD);
	}
	if (r == 0)
		r = machine_replace(ctx, STAGED_FILE, text);
	return r < 0 ? log_error_errno(ctx, r, STAGED_FILE ": %m") : 0;
}

/* Cuts the text into its lines; false: it has not as many as it should. */
static bool cut(char *text, char *lines[LINES])
{
	for (int i = 0; i < LINES; i++) {
		lines[i] = strsep(&text, "\n");
		if (!lines[i])
			return false;
	}
	return !text;
}

static char *what_is_left(struct pkram_ctx *ctx, const char *path, const char *copy)
{
	bool gone = *path && !machine_exists(ctx, path) && machine_exists(ctx, copy);

	return strdup(gone ? copy : path);
}

static int not_told(struct pkram_ctx *ctx)
{
	pkram_log_error(ctx, STAGED_FILE " does not tell with what the jump was staged: 'pkram "
			     "kexec --cancel', and stage it again");
	return -EUCLEAN;
}

int staged_read(struct pkram_ctx *ctx, const char *id, struct staged *ret)
{
	_cleanup_(staged_done) struct staged s = { 0 };
	_cleanup_free_ char *text = NULL;
	char *lines[LINES];
	size_t len;
	int r = machine_read(ctx, STAGED_FILE, &text, &len);

	if (r < 0 && r != -ENOENT)
		return log_error_errno(ctx, r, STAGED_FILE ": %m");
	if (r < 0 || strlen(text) != len || !cut(text, lines) || strcmp(lines[LINE_ID], id) != 0 ||
	    strlen(lines[LINE_METHOD]) != 1 || lines[LINE_METHOD][0] < '0' ||
	    lines[LINE_METHOD][0] > '0' + PKRAM_STAGE_METHOD_LOAD)
		return not_told(ctx);
	s.method = (enum pkram_stage_method)(lines[LINE_METHOD][0] - '0');
	s.kernel = what_is_left(ctx, lines[LINE_KERNEL], KEPT_KERNEL);
	s.initrd = what_is_left(ctx, lines[LINE_INITRD], KEPT_INITRD);
	s.line = strdup(lines[LINE_COMMAND]);
	if (!s.kernel || !s.initrd || !s.line)
		return -ENOMEM;
	*ret = s;
	s = (struct staged){ 0 };
	return 0;
}

int pkram_staged_region(struct pkram_ctx *ctx, char **ret_spec)
{
	_cleanup_free_ char *text = NULL;
	char *lines[LINES];
	size_t len;
	int r = machine_read(ctx, STAGED_FILE, &text, &len);

	if (r < 0)
		return r == -ENOENT ? -ENODATA : log_error_errno(ctx, r, STAGED_FILE ": %m");
	if (strlen(text) != len || !cut(text, lines))
		return not_told(ctx);
	*ret_spec = strdup(lines[LINE_REGION]);
	return *ret_spec ? 0 : -ENOMEM;
}

void staged_done(struct staged *s)
{
	free(s->kernel);
	free(s->initrd);
	free(s->line);
	*s = (struct staged){ 0 };
}

void staged_forget(struct pkram_ctx *ctx)
{
	machine_replace(ctx, STAGED_FILE, NULL);
	machine_replace(ctx, KEPT_KERNEL, NULL);
	machine_replace(ctx, KEPT_INITRD, NULL);
}
