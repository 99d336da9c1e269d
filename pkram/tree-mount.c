/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-mount.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "hook.h"
#include "machine.h"
#include "tree.h"

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200 /* Linux 6.5 */
#endif

/* --- what is mounted --- */

int tree_mounts_read(struct pkram_ctx *ctx, char **ret)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *table = NULL;
	size_t cap = 0;

	/* A NUL never comes: this is all of it. */
	if (!f || getdelim(&table, &cap, '\0', f) < 0) {
		int r = log_error_errno(ctx, -errno, "/proc/self/mountinfo: %m%s",
					error_hint(-errno));

		if (f)
			fclose(f);
		free(table);
		return r;
	}
	fclose(f);
	*ret = table;
	return 0;
}

struct lookup {
	uint64_t id, parent;
	char *point;
	bool whole, covers;
};

static int match_id(void *arg, const struct machine_mount *l)
{
	struct lookup *k = arg;

	if (l->id != k->id)
		return 0;
	k->whole = strcmp(l->root, "/") == 0;
	k->parent = l->parent;
	k->point = strdup(l->point);
	return k->point ? 1 : -ENOMEM;
}

static int match_parent(void *arg, const struct machine_mount *l)
{
	struct lookup *k = arg;

	if (l->id != k->parent)
		return 0;
	k->covers = strcmp(l->point, k->point) == 0;
	return 1;
}

static int look_up(const char *table, struct lookup *k)
{
	int r = machine_mounts(table, match_id, k);

	if (r > 0)
		r = machine_mounts(table, match_parent, k);
	free(k->point);
	return r;
}

int tree_mount_of(struct pkram_ctx *ctx, int fd, struct tree_mount *ret)
{
	_cleanup_free_ char *table = NULL;
	struct lookup k = { 0 };
	struct tree_mount m;
	struct statx stx;
	int r;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return log_error_errno(ctx, -errno, "cannot tell what is mounted: %m");
	k.id = stx.stx_mnt_id;
	r = tree_mounts_read(ctx, &table);
	if (r < 0)
		return r;
	r = look_up(table, &k);
	if (r >= 0)
		r = machine_mount_find(table, k.id, &m.fs_type, &m.options);
	if (r < 0)
		return log_error_errno(ctx, r, "the target is not in /proc/self/mountinfo: %m");
	m.whole = k.whole;
	m.covers = k.covers;
	*ret = m;
	return 0;
}

void tree_mount_done(struct tree_mount *m)
{
	free(m->fs_type);
	free(m->options);
	memset(m, 0, sizeof(*m));
}

bool tree_mount_gives_huge(const char *options)
{
	/* With huge=advise only mappings get huge pages; files here are written. */
	return machine_mount_has(options, "huge=always") ||
	       machine_mount_has(options, "huge=within_size");
}

struct pages {
	uint64_t id;
	bool huge;
	char *point;
};

static int match_pages(void *arg, const struct machine_mount *l)
{
	struct pages *k = arg;

	if (l->id != k->id)
		return 0;
	if (strcmp(l->type, "tmpfs") != 0)
		return -ENODEV;
	k->huge = tree_mount_gives_huge(l->options);
	k->point = strdup(l->point);
	return k->point ? 1 : -ENOMEM;
}

int tree_mount_pages(struct pkram_ctx *ctx, int fd, bool *ret_huge, char **ret_point)
{
	_cleanup_free_ char *table = NULL;
	struct pages k = { 0 };
	struct statx stx;
	int r;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return -errno;
	r = tree_mounts_read(ctx, &table);
	if (r < 0)
		return r;
	k.id = stx.stx_mnt_id;
	r = machine_mounts(table, match_pages, &k);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret_huge = k.huge;
	*ret_point = k.point;
	return 0;
}

struct below {
	struct pkram_ctx *ctx;
	const char *path;
};

static int match_below(void *arg, const struct machine_mount *l)
{
	const struct below *b = arg;
	size_t len = strlen(b->path);

	if (strncmp(l->point, b->path, len) != 0 || l->point[len] != '/')
		return 0;
	pkram_log_error(b->ctx, "%s: %s is mounted in it; unmount that first", b->path, l->point);
	return 1;
}

int tree_mounts_below(struct pkram_ctx *ctx, int fd)
{
	_cleanup_free_ char *table = NULL;
	char link[40], path[PATH_MAX];
	struct below b = { .ctx = ctx, .path = path };
	ssize_t n;
	int r;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return log_error_errno(ctx, -errno, "%s: %m", link);
	path[n] = '\0';
	r = tree_mounts_read(ctx, &table);
	return r < 0 ? r : machine_mounts(table, match_below, &b);
}

/* --- new mounts --- */

static const struct {
	const char *word;
	unsigned int set, clear;
} attributes[] = {
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "relatime", 0, MOUNT_ATTR__ATIME },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, 0 },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "defaults", 0, 0 },	/* of mount(8) */
};

static bool take_attribute(const char *word, unsigned int *attrs)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		if (strcmp(attributes[i].word, word) != 0)
			continue;
		*attrs = (*attrs & ~attributes[i].clear) | attributes[i].set;
		return true;
	}
	return false;
}

bool tree_mount_overridden(const char *word, const char *list)
{
	size_t len = strcspn(word, "="), n;

	for (const char *p = list; p && *p; p += n + (p[n] == ',')) {
		n = machine_mount_option(p);
		if (strcspn(p, "=,") == len && strncmp(p, word, len) == 0)
			return true;
	}
	return false;
}

/* The kernel writes quotes around a value with a comma, and takes it without. */
static char *unquote(char *value)
{
	size_t len = strlen(value);

	if (len < 2 || value[0] != '"' || value[len - 1] != '"')
		return value;
	value[len - 1] = '\0';
	return value + 1;
}

/* A filesystem that is being made. */
struct making {
	struct pkram_ctx *ctx;
	const char *fs_type;
	const char *what;	/* in front of what is logged; NULL: nothing */
	const char *hint;	/* what to do where it does not work; NULL: nothing */
	int fd;			/* of its configuration */
	unsigned int attrs;	/* of its mount */
	bool saved;		/* its options are: nobody chose them for this kernel */
};

/* What the kernel said of the last step, which is then forgotten, without its "e " in front. */
static const char *kernel_said(const struct making *m, char buf[256])
{
	int saved = errno;
	ssize_t n = read(m->fd, buf, 255);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	errno = saved;
	return n > 2 ? buf + 2 : "it does not say why";
}

static int config_failed(const struct making *m, const char *option)
{
	int error = -errno;
	char said[256];

	pkram_log_error(m->ctx, "%s%scannot make a %s with the option %s: %m: %s%s%s",
			m->what ? m->what : "", m->what ? ": " : "", m->fs_type, option,
			kernel_said(m, said), m->hint ? "; " : "", m->hint ? m->hint : "");
	return error;
}

/*
 * A kernel that has no huge pages takes no word of them. They are for speed: a saved tree comes
 * back without, too.
 */
static bool can_do_without(const struct making *m, const char *word, const char *value)
{
	char said[256];

	if (!m->saved || strcmp(word, "huge") != 0 || errno != EINVAL)
		return false;
	pkram_log_warning(m->ctx, "this kernel takes no huge=%s (%s): mounted without", value,
			  kernel_said(m, said));
	return true;
}

/*
 * Sets what stands in `options` and not in `over`. What does is not even tried: this kernel may not
 * take the old value.
 */
static int configure(struct making *m, const char *options, const char *over)
{
	_cleanup_free_ char *copy = strdup(options ? options : "");
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = machine_mount_cut(&rest))) {
		char *value = strchr(word, '=');
		int r;

		if (!*word || tree_mount_overridden(word, over) || take_attribute(word, &m->attrs))
			continue;
		if (value) {
			*value = '\0';
			value = unquote(value + 1);
		}
		r = value ? fsconfig(m->fd, FSCONFIG_SET_STRING, word, value, 0) :
			    fsconfig(m->fd, FSCONFIG_SET_FLAG, word, NULL, 0);
		if (r < 0 && !can_do_without(m, word, value ? value : ""))
			return config_failed(m, word);
	}
	return 0;
}

static int create(const struct making *m)
{
	if (fsconfig(m->fd, FSCONFIG_SET_STRING, "source", m->fs_type, 0) < 0)
		return config_failed(m, "source");
	if (fsconfig(m->fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return config_failed(m, "(all)");
	return 0;
}

int tree_mount_new(struct pkram_ctx *ctx, const char *fs_type, const char *options,
		   const char *over, int *ret_fd, bool *ret_read_only)
{
	_cleanup_close_ int fs = fsopen(fs_type, FSOPEN_CLOEXEC);
	/* mountinfo has no word for strictatime: it is what is meant when neither of the others is
	 * named. */
	struct making m = {
		.ctx = ctx, .fs_type = fs_type, .fd = fs, .attrs = MOUNT_ATTR_STRICTATIME,
		.hint = "--mount=OPTION=VALUE sets another value, --to restores elsewhere",
	};
	int fd, r;

	if (fs < 0)
		return log_error_errno(ctx, -errno, "cannot make a %s: %m%s", fs_type,
				       error_hint(-errno));
	m.saved = true;
	r = configure(&m, options, over);
	m.saved = false;
	if (r == 0)
		r = configure(&m, over, NULL);
	if (r == 0)
		r = create(&m);
	if (r < 0)
		return r;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, m.attrs & ~(unsigned int)MOUNT_ATTR_RDONLY);
	if (fd < 0)
		return log_error_errno(ctx, -errno, "cannot make a mount of %s: %m", fs_type);
	*ret_read_only = m.attrs & MOUNT_ATTR_RDONLY;
	*ret_fd = fd;
	return 0;
}

int tree_mount_check(struct pkram_ctx *ctx, const char *what, const char *options)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	struct making m = {
		.ctx = ctx, .fs_type = "tmpfs", .fd = fs, .what = what,
		.hint = what ? NULL : "nothing was restored",
	};

	if (fs < 0 && errno == EPERM && what)
		return -EPERM;
	if (fs < 0)
		return log_error_errno(ctx, -errno, "cannot make a tmpfs: %m%s",
				       error_hint(-errno));
	return configure(&m, options, NULL);
}

/* --- into place --- */

static int move_to(int mount, const struct tree_point *at, unsigned int flags)
{
	return move_mount(mount, "", at->dirfd, at->name, MOVE_MOUNT_F_EMPTY_PATH | flags) < 0 ?
		-errno : 0;
}

/* There is no umountat(). */
static int detach(const struct tree_point *at)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", at->dirfd, at->name);

	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

/*
 * Kernels before 6.5: the old mount is kept aside, to be put back if the new one cannot take its
 * place.
 */
static int swap_aside(struct pkram_ctx *ctx, int mount, const struct tree_point *at)
{
	_cleanup_close_ int old = -1;
	int r, back;

	old = open_tree(at->dirfd, at->name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
			AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW);
	if (old < 0)
		return -errno;
	r = detach(at);
	if (r < 0)
		return r;
	HOOK("appear");
	r = move_to(mount, at, 0);
	if (r == 0)
		return 0;
	back = move_to(old, at, 0);
	if (back < 0)
		log_error_errno(ctx, back, "%s: the old mount could not be put back: %m", at->path);
	return r;
}

/*
 * From Linux 6.5 on the new mount is put beneath the old one and comes to light when that goes:
 * there is no moment without either.
 */
static int replace(struct pkram_ctx *ctx, int mount, const struct tree_point *at,
		   enum tree_attach how)
{
	if (move_to(mount, at, MOVE_MOUNT_BENEATH) == 0) {
		HOOK("appear");
		return detach(at);
	}
	return how == TREE_ATTACH_REPLACE ? swap_aside(ctx, mount, at) : move_to(mount, at, 0);
}

int tree_mount_attach(struct pkram_ctx *ctx, int mount, bool read_only,
		      const struct tree_point *at, enum tree_attach how)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int r;

	if (read_only && mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return log_error_errno(ctx, -errno, "%s: cannot make the mount read-only: %m",
				       at->path);
	HOOK("appear");
	r = how == TREE_ATTACH_NEW ? move_to(mount, at, 0) : replace(ctx, mount, at, how);
	if (r < 0)
		return log_error_errno(ctx, r, "%s: cannot mount the restored tree there: %m",
				       at->path);
	HOOK("appear");
	return 0;
}
