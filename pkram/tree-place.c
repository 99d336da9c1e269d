/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a restored tree appears at once. A directory is built in a private one beside its target
 * and renamed; a mount point gets a new mount, filled while nobody can see it, and moved. Until
 * then the target is as it was; a restore that is killed leaves only what the next one removes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "hook.h"
#include "tree-mount.h"
#include "tree-remove.h"
#include "tree-room.h"
#include "tree.h"

#define BUILT "tree" /* the root, inside the work directory */

enum target_state {
	TARGET_MISSING,
	TARGET_EMPTY,		/* a directory */
	TARGET_TAKEN,		/* a directory with something in it, or anything else */
};

struct tree_place {
	struct pkram_ctx *ctx;
	bool force, single;
	char *target;
	char *parent;		/* path of its directory */
	const char *name;	/* its last part, in target */
	unsigned int made_parents; /* directories that were made to reach it */
	int parent_fd;
	int dirfd;		/* where the tree is built */
	/* renamed into place */
	char *work;		/* name of the work directory */
	int work_fd;
	/* mounted into place */
	int mount_fd;
	bool mounted;		/* target is a mount point now */
	bool read_only;
	bool huge;		/* its options give files huge pages */
	bool made_target;
	bool appeared;
	/* of the parent, to be set again; not: UTIME_OMIT */
	struct timespec times[2];
};

static int look(struct tree_place *p, enum target_state *ret)
{
	_cleanup_close_ int fd = -1;
	enum target_state state = TARGET_EMPTY;
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (fstatat(p->parent_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return log_error_errno(p->ctx, -errno, "%s: %m%s", p->target,
					       error_hint(-errno));
		*ret = TARGET_MISSING;
		return 0;
	}
	if (!S_ISDIR(st.st_mode) || p->single) {
		*ret = TARGET_TAKEN;
		return 0;
	}
	fd = openat(p->parent_fd, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return log_error_errno(p->ctx, -errno, "%s: cannot look into it: %m", p->target);
	(void)TAKE_FD(fd);
	while (state == TARGET_EMPTY && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			state = TARGET_TAKEN;
	closedir(d);
	*ret = state;
	return 0;
}

static const char *why_taken(const struct tree_place *p)
{
	struct stat st = { 0 };

	(void)!fstatat(p->parent_fd, p->name, &st, AT_SYMLINK_NOFOLLOW);
	if (S_ISLNK(st.st_mode))
		return "is a symbolic link";
	return p->single || !S_ISDIR(st.st_mode) ? "is there already" : "is not empty";
}

/* Whether the tree may take the target's place: asked at first, and again when it appears. */
static int check_target(struct tree_place *p, enum target_state *ret)
{
	_cleanup_close_ int fd = -1;
	int r = look(p, ret);

	if (r < 0 || *ret != TARGET_TAKEN)
		return r;
	if (!p->force) {
		pkram_log_error(p->ctx, "%s: %s; --force puts the restored one in its place, --to "
				"restores elsewhere", p->target,
				why_taken(p));
		return -EEXIST;
	}
	fd = openat(p->parent_fd, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return log_error_errno(p->ctx, -errno, "%s: %m%s", p->target, error_hint(-errno));
	r = tree_mounts_below(p->ctx, fd);
	return r > 0 ? -EBUSY : r;
}

/* --- the way to the target --- */

static int split_target(struct tree_place *p, const char *target)
{
	size_t len = strlen(target);
	char *slash;

	while (len > 1 && target[len - 1] == '/')
		len--;
	p->target = strndup(target, len);
	if (!p->target)
		return -ENOMEM;
	slash = strrchr(p->target, '/');
	p->name = slash ? slash + 1 : p->target;
	if (!*p->name || strcmp(p->name, ".") == 0 || strcmp(p->name, "..") == 0) {
		pkram_log_error(p->ctx, "%s: a tree can appear only at a path that ends in a name",
				p->target);
		return -EINVAL;
	}
	if (!slash)
		p->parent = strdup(".");
	else
		p->parent = strndup(p->target, MAX((size_t)(slash - p->target), (size_t)1));
	return p->parent ? 0 : -ENOMEM;
}

/* Opens the next directory on the way, and makes it where it is missing. */
static int step(struct tree_place *p, int dirfd, const char *name, bool follow)
{
	int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
	int fd = openat(dirfd, name, flags), r;
	bool made;

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	made = mkdirat(dirfd, name, 0755) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	fd = openat(dirfd, name, flags);
	r = fd < 0 ? -errno : fd;
	if (fd < 0 && made)
		unlinkat(dirfd, name, AT_REMOVEDIR);
	else
		p->made_parents += made;
	return r;
}

static void no_way(const struct tree_place *p, int r, bool follow)
{
	if (r == -ENOTDIR && !follow)
		log_error_errno(p->ctx, r,
				"%s: %s is no directory (and symlinks are not followed there); a "
				"tree cannot appear in it", p->target, p->parent);
	else
		log_error_errno(p->ctx, r, "%s: %m%s", p->parent, error_hint(r));
}

/*
 * Walks to the parent as mkdir -p does. Behind the trusted part of the way a symlink is no
 * directory: it was made by whoever filled the trees, and may lead anywhere.
 */
static int open_parent(struct tree_place *p, size_t trusted)
{
	char *s = p->parent;
	int fd;

	p->parent_fd = open(*s == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->parent_fd < 0)
		return log_error_errno(p->ctx, -errno, "%s: %m%s", p->parent, error_hint(-errno));
	while (*(s += strspn(s, "/"))) {
		size_t len = strcspn(s, "/");
		bool follow = !trusted || (size_t)(s - p->parent) + len <= trusted;
		char end = s[len];

		s[len] = '\0';
		fd = step(p, p->parent_fd, s, follow);
		if (fd < 0) {
			no_way(p, fd, follow);
			/* What was made so far goes again. */
			while (s > p->parent && s[-1] == '/')
				s--;
			*s = '\0';
			return fd;
		}
		s[len] = end;
		s += len;
		close_p(&p->parent_fd);
		p->parent_fd = fd;
	}
	fd = openat(p->parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return log_error_errno(p->ctx, -errno, "%s: %m%s", p->parent, error_hint(-errno));
	close_p(&p->parent_fd);
	p->parent_fd = fd;
	return 0;
}

/* From the parent upwards; what the path leads to by now does not matter. */
static void remove_parents(struct tree_place *p)
{
	for (; p->made_parents; p->made_parents--) {
		char *slash = strrchr(p->parent, '/');
		int up = openat(p->parent_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (up < 0)
			return;
		close_p(&p->parent_fd);
		p->parent_fd = up;
		if (unlinkat(up, slash ? slash + 1 : p->parent, AT_REMOVEDIR) < 0 || !slash)
			return;
		while (slash > p->parent && slash[-1] == '/')
			slash--;
		*slash = '\0';
	}
}

/* --- making a place --- */

static int prepare_work(struct tree_place *p)
{
	int r;

	tree_work_clean(p->ctx, p->parent_fd, p->parent);
	r = tree_work_new(p->parent_fd, &p->work, &p->work_fd);
	if (r < 0)
		return log_error_errno(p->ctx, r, "%s: cannot make a directory to restore in: %m",
				       p->parent);
	if (mkdirat(p->work_fd, BUILT, 0700) < 0)
		return log_error_errno(p->ctx, -errno, "%s/%s: %m", p->parent, p->work);
	p->dirfd = openat(p->work_fd, BUILT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->dirfd < 0 ? log_error_errno(p->ctx, -errno, "%s/%s: %m", p->parent, p->work) : 0;
}

static int prepare_mount(struct tree_place *p, const char *fs_type, const char *options,
			 const char *over)
{
	int r;

	if (strcmp(fs_type, "tmpfs") != 0)
		over = NULL;
	p->huge = tree_mount_gives_huge(tree_mount_overridden("huge", over) ? over : options);
	r = tree_mount_new(p->ctx, fs_type, options, over, &p->mount_fd, &p->read_only);
	if (r < 0)
		return r;
	p->dirfd = openat(p->mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Its root is like a directory that is made: what goes into it inherits nothing of mode=,
	 * uid= and gid=. */
	if (p->dirfd < 0 || fchown(p->dirfd, geteuid(), getegid()) < 0 ||
	    fchmod(p->dirfd, 0700) < 0)
		return log_error_errno(p->ctx, -errno, "%s: %m%s", p->target, error_hint(-errno));
	return 0;
}

static int prepare_over_mount(struct tree_place *p, int fd, const struct tree_place_options *o)
{
	struct tree_mount m;
	bool memory;
	int r = tree_mount_of(p->ctx, fd, &m);

	if (r < 0)
		return r;
	memory = strcmp(m.fs_type, "tmpfs") == 0 || strcmp(m.fs_type, "hugetlbfs") == 0;
	if (memory && m.whole && !p->single) {
		bool same = o->fs_type && strcmp(o->fs_type, m.fs_type) == 0;

		/* Whose it is cannot be told: a restore killed in between, or somebody's own. */
		if (m.covers)
			pkram_log_warning(p->ctx,
					  "%s: another mount lies hidden below the one there; "
					  "umount removes them one by one",
					  p->target);
		p->mounted = true;
		r = prepare_mount(p, m.fs_type,
				  same && o->mount_options ? o->mount_options : m.options,
				  o->mount_over);
	} else {
		pkram_log_error(p->ctx, "%s: is a mount point (%s%s), where a tree cannot appear "
				"at once; unmount it, or restore elsewhere with --to", p->target,
				m.fs_type, m.whole ? "" : ", bound");
		r = -EBUSY;
	}
	tree_mount_done(&m);
	return r;
}

/* 1 when the target is the root of a mount, which is open as *ret_fd then. */
static int open_mount_point(struct tree_place *p, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct statx stx;

	fd = openat(p->parent_fd, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : log_error_errno(p->ctx, -errno, "%s: %m%s", p->target,
							     error_hint(-errno));
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
		return log_error_errno(p->ctx, -errno, "%s: %m%s", p->target, error_hint(-errno));
	if (!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	*ret_fd = TAKE_FD(fd);
	return 1;
}

static int note_times(struct tree_place *p, bool keep)
{
	struct stat st;

	if (!keep)
		return 0;
	if (fstat(p->parent_fd, &st) < 0)
		return log_error_errno(p->ctx, -errno, "%s: %m", p->parent);
	p->times[0] = st.st_atim;
	p->times[1] = st.st_mtim;
	return 0;
}

static int prepare(struct tree_place *p, const struct tree_place_options *o)
{
	_cleanup_close_ int mount_point = -1;
	enum target_state state;
	int r;

	r = open_parent(p, o->trusted);
	if (r == 0)
		r = note_times(p, o->keep_times);
	if (r == 0)
		r = check_target(p, &state);
	if (r < 0)
		return r;
	r = open_mount_point(p, &mount_point);
	if (r < 0)
		return r;
	if (r > 0)
		return prepare_over_mount(p, mount_point, o);
	if (o->mount && !o->single && o->mount_options && o->fs_type &&
	    strcmp(o->fs_type, "tmpfs") == 0)
		return prepare_mount(p, "tmpfs", o->mount_options, o->mount_over);
	return prepare_work(p);
}

static bool gives_huge(const struct tree_place *p)
{
	_cleanup_free_ char *point = NULL;
	bool huge = p->huge;

	/* A mount that was made stands in no table yet. */
	if (p->work && tree_mount_pages(p->ctx, p->dirfd, &huge, &point) < 0)
		huge = false;
	return huge;
}

static int check_room(struct tree_place *p, const struct tree_place_options *o)
{
	struct tree_room need = {
		.target = p->target, .bytes = o->need_bytes, .inodes = o->need_inodes,
		.fresh = !p->work,
	};

	if (o->huge_holes && gives_huge(p))
		need.holes = o->huge_holes;
	if (add_overflows(need.bytes, need.holes, &need.bytes))
		return -EOVERFLOW;
	return tree_room_check(p->ctx, p->dirfd, &need);
}

int tree_place_new(struct pkram_ctx *ctx, const char *target, const struct tree_place_options *o,
		   struct tree_place **ret)
{
	struct tree_place *p = malloc(sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct tree_place){
		.ctx = ctx, .force = o->force, .single = o->single,
		.parent_fd = -1, .dirfd = -1, .work_fd = -1, .mount_fd = -1,
		.times = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } },
	};
	r = split_target(p, target);
	if (r == 0)
		r = prepare(p, o);
	if (r == 0)
		r = check_room(p, o);
	if (r < 0) {
		tree_place_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

/* The work directory goes, with whatever is in it. */
static int drop_work(struct tree_place *p)
{
	int r;

	if (!p->work)
		return 0;
	r = tree_remove(p->parent_fd, p->work);
	if (r < 0) {
		errno = -r;
		pkram_log_warning(p->ctx, "%s/%s: cannot be removed: %m; the next restore there "
				  "does it, or remove it by hand",
				  p->parent, p->work);
	}
	free(p->work);
	p->work = NULL;
	return r;
}

struct tree_place *tree_place_free(struct tree_place *p)
{
	if (!p)
		return NULL;
	drop_work(p);
	close_p(&p->dirfd);
	close_p(&p->mount_fd);
	close_p(&p->work_fd);
	if (!p->appeared) {
		if (p->made_target)
			unlinkat(p->parent_fd, p->name, AT_REMOVEDIR);
		remove_parents(p);
	}
	close_p(&p->parent_fd);
	free(p->target);
	free(p->parent);
	free(p);
	return NULL;
}

int tree_place_dirfd(const struct tree_place *p)
{
	return p->dirfd;
}

uint64_t tree_place_hugetlb(const struct tree_place *p)
{
	return tree_room_hugetlb(p->dirfd);
}

bool tree_place_mounts(const struct tree_place *p)
{
	return p->mount_fd >= 0;
}

char *tree_place_small_pages(const struct tree_place *p)
{
	char *point;
	bool huge;

	if (tree_mount_pages(p->ctx, p->dirfd, &huge, &point) < 0)
		return NULL;
	if (huge)
		free(TAKE_PTR(point));
	return point;
}

/* --- appearing --- */

/*
 * What is immutable or append-only cannot be renamed: the flags are off while it is. *ret_fd is the
 * file they go back to, or -1.
 */
static int take_flags(int dirfd, const char *name, int *ret_fd, int *ret_flags)
{
	const int fixed = FS_IMMUTABLE_FL | FS_APPEND_FL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int flags, moved;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & fixed))
		return 0;
	moved = flags & ~fixed;
	if (ioctl(fd, FS_IOC_SETFLAGS, &moved) < 0)
		return -errno;
	*ret_flags = flags;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int rename_in(struct tree_place *p, int from, const char *built, enum target_state state)
{
	unsigned int flags = 0;

	if (state == TARGET_MISSING)
		flags = RENAME_NOREPLACE;
	else if (state == TARGET_TAKEN)
		flags = RENAME_EXCHANGE;
	return renameat2(from, built, p->parent_fd, p->name, flags) < 0 ? -errno : 0;
}

/* The only name in the root of a single file's tree; malloc'ed. */
static int single_name(struct tree_place *p, char **ret)
{
	int fd = openat(p->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ char *name = NULL;
	struct dirent *e;
	int n = 0;

	if (!d) {
		close_p(&fd);
		return -errno;
	}
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!n++)
			name = strdup(e->d_name);
	}
	closedir(d);
	if (n != 1) {
		pkram_log_error(p->ctx, "%s: the saved tree should be one file and has %d",
				p->target, n);
		return -EBADMSG;
	}
	if (!name)
		return -ENOMEM;
	*ret = TAKE_PTR(name);
	return 0;
}

static int appear_renamed(struct tree_place *p, enum target_state state)
{
	_cleanup_free_ char *single = NULL;
	_cleanup_close_ int flagged = -1;
	const char *built = BUILT;
	int from = p->work_fd, flags = 0, r = 0;

	if (p->single) {
		r = single_name(p, &single);
		if (r < 0)
			return r;
		built = single;
		from = p->dirfd;
	}
	r = take_flags(from, built, &flagged, &flags);
	HOOK("appear");
	if (r == 0)
		r = rename_in(p, from, built, state);
	if (r < 0)
		return log_error_errno(p->ctx, r, "%s: the restored tree cannot be put there: %m",
				       p->target);
	HOOK("appear");
	p->appeared = true;
	if (flagged >= 0 && ioctl(flagged, FS_IOC_SETFLAGS, &flags) < 0)
		pkram_log_warning(p->ctx, "%s: cannot set its inode flags (chattr) again: %m",
				  p->target);
	HOOK("appear");
	/* With the old one in it, if there was one. What stays is only told. */
	drop_work(p);
	return 0;
}

static int appear_mounted(struct tree_place *p, enum target_state state)
{
	const struct tree_point point = { .dirfd = p->parent_fd,
					  .name = p->name,
					  .path = p->target };
	enum tree_attach how = TREE_ATTACH_NEW;
	int r;

	if (p->mounted) {
		how = state == TARGET_TAKEN ? TREE_ATTACH_REPLACE : TREE_ATTACH_COVER;
	} else if (state == TARGET_MISSING) {
		if (mkdirat(p->parent_fd, p->name, 0755) < 0)
			return log_error_errno(p->ctx, -errno, "%s: %m%s", p->target,
					       error_hint(-errno));
		p->made_target = true;
	} else if (state == TARGET_TAKEN) {
		pkram_log_warning(p->ctx, "%s: what is in it stays, hidden below the new mount",
				  p->target);
	}
	r = tree_mount_attach(p->ctx, p->mount_fd, p->read_only, &point, how);
	if (r == 0)
		p->appeared = true;
	return r;
}

int tree_place_appear(struct tree_place *p)
{
	enum target_state state;
	int r = check_target(p, &state);

	if (r < 0)
		return r;
	r = p->work ? appear_renamed(p, state) : appear_mounted(p, state);
	if (r == 0 && futimens(p->parent_fd, p->times) < 0)
		pkram_log_warning(p->ctx, "%s: cannot set its times again: %m", p->parent);
	return r;
}
