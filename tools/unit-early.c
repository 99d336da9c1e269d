/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report.h"
#include "unit.h"

/* What stands in `path` behind `dir`, "" for the same; NULL: it lies elsewhere. */
static const char *behind(const char *path, const char *dir)
{
	for (;;) {
		size_t n;

		path += strspn(path, "/");
		dir += strspn(dir, "/");
		n = strcspn(dir, "/");
		if (!n)
			return path;
		if (strncmp(path, dir, n) != 0 || (path[n] && path[n] != '/'))
			return NULL;
		path += n;
		dir += n;
	}
}

static bool hides(const struct unit *u, const char *point, const char *type)
{
	const char *rest;

	for (size_t i = 0; i < u->paths.n; i++) {
		rest = behind(u->paths.v[i], point);
		/* A tmpfs of its own is mounted already when the system gets there. */
		if (!rest || (!*rest && strcmp(type, "tmpfs") == 0))
			continue;
		say_error("%s: early = yes is for paths on the root filesystem: %s lies on the one "
			  "of %s, which is mounted later; it is restored when that is there",
			  u->name, u->paths.v[i], point);
		return true;
	}
	return false;
}

/*
 * A file of the system's; its links lead to where they do there. NULL: there is none. False: it
 * cannot be read, which is said.
 */
static bool open_below(const struct unit *u, const char *root, const char *path, FILE **ret)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
				.resolve = RESOLVE_IN_ROOT };
	int dirfd = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	*ret = NULL;
	if (dirfd >= 0) {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		close(dirfd);
	}
	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd >= 0) {
		errno = EINVAL;
		/* A pipe need not have an end. */
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			*ret = fdopen(fd, "r");
		if (!*ret)
			close(fd);
	}
	if (!*ret)
		say_error("%s: not restored early: cannot read %s/%s: %s", u->name, root, path,
			  strerror(errno));
	return *ret;
}

/* By what the system mounts later. */
static bool is_hidden(const struct unit *u, const char *root)
{
	/* Mounted by whoever starts the system, whatever fstab says. */
	static const char *const own[] = { "/dev", "/proc", "/run", "/sys" };
	struct mntent *m;
	bool hidden = false;
	FILE *f;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (hides(u, own[i], ""))
			return true;
	if (!open_below(u, root, "etc/fstab", &f))
		return true;
	if (!f)
		return false;
	while (!hidden && (m = getmntent(f)))
		hidden = *m->mnt_dir == '/' && *behind(m->mnt_dir, "/") &&
			 hides(u, m->mnt_dir, m->mnt_type);
	endmntent(f);
	return hidden;
}

/*
 * A policy that is loaded gives all files of a tmpfs the label of its superblock: those that were
 * set before it count for nothing.
 */
static bool loses_labels(const struct unit *u, const char *root)
{
	static const char key[] = "SELINUX=", off[] = "disabled";
	bool disabled = false;
	char line[256];
	FILE *f;

	if (!open_below(u, root, "etc/selinux/config", &f))
		return true;
	if (!f)
		return false;
	while (!disabled && fgets(line, sizeof(line), f))
		disabled = strncmp(line, key, strlen(key)) == 0 &&
			   strncasecmp(line + strlen(key), off, strlen(off)) == 0;
	fclose(f);
	if (!disabled)
		say_error("%s: not restored early: by %s/etc/selinux/config a policy of SELinux is "
			  "loaded later, and its files would lose their labels", u->name, root);
	return !disabled;
}

bool unit_can_be_early(const struct unit *u, const char *root)
{
	return !is_hidden(u, root) && !loses_labels(u, root);
}

static int add_unit(const char *root, struct cmd *cmd, const char *name, struct string_list *files,
		    struct string_list *broken)
{
	char path[PATH_MAX];
	struct unit u;
	int r = unit_read(cmd, name, NULL, &u);

	if (r < 0 && r != -ENOMEM)
		r = string_list_add(broken, name);
	if (r != 0)
		return r == -ENOMEM ? r : 0;
	if (u.early && unit_can_be_early(&u, root)) {
		snprintf(path, sizeof(path), UNIT_CONF_DIR "/%s.conf", name);
		r = string_list_add(files, path);
	}
	unit_done(&u);
	return r < 0 ? r : 0;
}

/* The region may stand there. */
static int add_main(const char *root, struct string_list *files)
{
	static const char conf[] = "/etc/pkram.conf";
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s%s", root, conf);
	r = files->n && access(path, F_OK) == 0 ? string_list_add(files, conf) : 0;
	return r < 0 ? r : 0;
}

int unit_early_files(struct cmd *cmd, struct string_list *ret, struct string_list *broken)
{
	const char *root = cmd->sysroot ? cmd->sysroot : "";
	struct string_list names = { 0 }, files = { 0 };
	int r = unit_names(cmd, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = add_unit(root, cmd, names.v[i], &files, broken);
	if (r == 0)
		r = add_main(root, &files);
	string_list_free(&names);
	if (r < 0)
		string_list_free(&files);
	else
		*ret = files;
	return r;
}
