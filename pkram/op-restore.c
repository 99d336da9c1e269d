/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restoring trees: every tree of the call is built out of sight from verified windows; when all are
 * whole, they appear one after the other.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "machine.h"
#include "op-restore.h"

void restore_tree_done(struct restore_tree *t)
{
	tree_place_free(t->place);
	tree_view_free(t->view);
	op_image_close(t->image);
	store_reader_close(t->reader);
	free(t->target);
	free(t->damaged);
}

static void restore_done(struct restore *r)
{
	for (size_t i = 0; i < r->n + r->n_older; i++)
		restore_tree_done(&r->trees[i]);
	free(r->trees);
	op_huge_end(&r->huge);
}

static int open_tree_view(struct restore *r, struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);
	struct pkram_ctx *ctx = r->region->ctx;
	struct tree_input in;
	int k;

	t->damaged = calloc(MAX(n->windows, (uint64_t)1), 1);
	if (!t->damaged)
		return -ENOMEM;
	k = op_image_open(ctx, t->reader, &t->image);
	if (k < 0)
		return k;
	in = op_image_input(t->image);
	k = tree_view_new(ctx, &in, n->holes, n->n_holes, &t->view);
	if (k == -EBADMSG)
		pkram_log_error(ctx, "%s: the tree's metadata is damaged; it cannot be restored",
				n->name);
	return k;
}

static int open_place(struct restore *r, struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);
	struct tree_view_info info;
	struct tree_place_options o = {
		.force = r->flags & PKRAM_RESTORE_FORCE || t->replaces,
		.mount = r->flags & PKRAM_RESTORE_MOUNT, .single = n->single,
		.keep_times = t->nested, .trusted = t->trusted, .fs_type = n->fs_type,
		.mount_options = *n->mount_options ? n->mount_options : NULL,
		.mount_over = r->mount_options,
	};

	tree_view_info(t->view, &info);
	o.need_bytes = info.pages;
	o.need_inodes = info.inodes;
	if (r->huge.page)
		o.huge_holes = tree_view_huge_holes(t->view, r->huge.page);
	return tree_place_new(r->region->ctx, t->target, &o, &t->place);
}

static int build_tree(struct restore *r, struct restore_tree *t)
{
	int k;

	t->began = machine_uptime();
	k = open_tree_view(r, t);
	if (k >= 0)
		k = open_place(r, t);
	if (k >= 0)
		k = restore_fill(r, t);
	t->built = machine_uptime();
	return k;
}

static int judge_damage(struct restore *r, const struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);

	return whole_or_nothing(r) && op_is_stale(r->region, n) ?
		       op_not_survived(r->region, n->name, n) : -EBADMSG;
}

/* Salvage goes on without a tree of which nothing is left. */
static int build_or_leave(struct restore *r, struct restore_tree *t)
{
	int k = build_tree(r, t);

	/* A single file that is left out was all of its tree. */
	if (k >= 0 && t->left_out && store_reader_node(t->reader)->single)
		k = -EBADMSG;
	if (k == -EBADMSG && !(r->flags & PKRAM_RESTORE_SALVAGE))
		return judge_damage(r, t);
	if (k != -EBADMSG)
		return k;
	t->place = tree_place_free(t->place);
	r->missing = true;
	return 0;
}

/* All is verified before the first tree appears, also what can only be built after that. */
static int check_nested(struct restore *r, struct restore_tree *t)
{
	struct pkram_transfer read = { 0 };
	int k = op_verify_reader(r->region->ctx, t->reader, &read);

	if (k != -EBADMSG)
		return k;
	t->holed = true;
	return r->flags & PKRAM_RESTORE_SALVAGE ? 0 : judge_damage(r, t);
}

/* Something at `path` below an appeared tree, reached without a symlink of it; an empty directory
 * is nothing. */
static bool is_there(const char *outer, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	_cleanup_close_ int base = open(outer, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct dirent *e;
	struct stat st;
	int entries = 0, dirfd;
	DIR *d;

	fd = base < 0 ? -1 : (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		return true;
	dirfd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = dirfd < 0 ? NULL : fdopendir(dirfd);
	while (d && (e = readdir(d)))
		entries++;
	if (d)
		closedir(d);
	return entries > 2;
}

/* What was a part of the tree around it, which is as new, is there by now. */
static bool came_with_outer(struct restore *r, struct restore_tree *t)
{
	uint64_t generation = store_reader_node(t->reader)->generation, around;

	for (size_t i = 0; i < r->n; i++) {
		const struct restore_tree *outer = &r->trees[i];
		size_t len = strlen(outer->target);

		if (!outer->appeared || strncmp(t->target, outer->target, len) != 0 ||
		    t->target[len] != '/' || !is_there(outer->target, t->target + len + 1))
			continue;
		/* An older part gives way, and one as new that may lack what this one has. */
		around = store_reader_node(outer->reader)->generation;
		t->replaces = around < generation ||
			      (around == generation && outer->left_out && !t->holed);
		if (t->replaces)
			continue;
		pkram_log_info(r->region->ctx, "%s: left alone: it came with %s",
			       store_reader_node(t->reader)->name,
			       store_reader_node(outer->reader)->name);
		t->came_with = outer;
		return true;
	}
	return false;
}

static int appear(struct restore *r, struct restore_tree *t)
{
	struct tree_view_info info;
	int k = tree_place_appear(t->place);

	if (k < 0)
		return k;
	tree_view_info(t->view, &info);
	t->appeared = true;
	r->nodes++;
	r->files += info.inodes - t->left_out;
	r->mounted |= tree_place_mounts(t->place);
	/* Of a tree that lacks files, nobody knows how much was written. */
	if (!t->left_out)
		op_huge_add(&r->huge, t->view, t->place, t->target);
	return 0;
}

static int restore_run(struct restore *r)
{
	int k = restore_targets(r);

	for (size_t i = 0; i < r->n; i++)
		r->bytes += store_reader_node(r->trees[i].reader)->size;
	for (size_t i = 0; i < r->n && k >= 0; i++)
		k = r->trees[i].nested ? check_nested(r, &r->trees[i])
				       : build_or_leave(r, &r->trees[i]);
	for (size_t i = 0; i < r->n && k >= 0; i++) {
		struct restore_tree *t = &r->trees[i];

		if (t->nested && came_with_outer(r, t))
			continue;
		if (t->nested)
			k = build_or_leave(r, t);
		if (k >= 0 && t->place)
			k = appear(r, t);
	}
	return k;
}

/* The tree by which a tree is there now. */
static const struct restore_tree *there_as(const struct restore *r, size_t i)
{
	const struct restore_tree *t = &r->trees[i];

	for (size_t j = 0; j < r->n && i >= r->n; j++)
		if (strcmp(r->trees[j].target, t->target) == 0)
			return there_as(r, j);
	return t->came_with ? t->came_with : t;
}

/*
 * Also when a later tree failed: what has appeared is there. Only what is whole: of a tree that
 * lacks files, the node is still the best copy there is.
 */
static void note_restored(struct restore *r)
{
	_cleanup_free_ struct store_restored *done = NULL;
	size_t n = 0;

	if (!r->nodes)
		return;
	done = calloc(r->n + r->n_older, sizeof(*done));
	for (size_t i = 0; done && i < r->n + r->n_older; i++) {
		const struct restore_tree *t = &r->trees[i], *as = there_as(r, i);

		if (as->appeared && !as->left_out)
			done[n++] = (struct store_restored){
				.reader = t->reader, .end = as->built,
				.took = as == t ? t->built - t->began : 0,
			};
	}
	op_note_restored(r->region, done, n);
}

static int take_options(struct restore *r, const struct pkram_restore_options *opts)
{
	struct pkram_ctx *ctx = r->region->ctx;
	int k;

	k = op_check_options(ctx, "restore", opts, sizeof(*opts));
	if (k >= 0)
		k = op_check_flags(ctx, "restore", opts->flags,
				   PKRAM_RESTORE_STALE | PKRAM_RESTORE_ONCE | PKRAM_RESTORE_FORCE |
				   PKRAM_RESTORE_MOUNT | PKRAM_RESTORE_SALVAGE);
	if (k >= 0)
		k = op_check_kernel(ctx);
	if (k < 0)
		return k;
	if (opts->to && !*opts->to)
		return log_error_errno(ctx, -EINVAL,
				       "restore: an empty word is no directory");
	r->flags = opts->flags;
	r->to = opts->to;
	r->mount_options = opts->mount_options;
	/* Not only when the first mount is made: other trees may have appeared by then. */
	return r->mount_options ? tree_mount_check(ctx, NULL, r->mount_options) : 0;
}

int pkram_mount_check(struct pkram_ctx *ctx, const char *what, const char *options)
{
	return tree_mount_check(ctx, what, options);
}

/* What the user may want to do otherwise next time. */
static void advise(struct restore *r)
{
	if (r->mount_options && r->nodes && !r->mounted)
		pkram_log_warning(r->region->ctx,
				  "the options of --mount were not used: no tree was restored to "
				  "a tmpfs of its own");
	op_huge_say(r->region->ctx, &r->huge);
}

int pkram_restore_trees(struct pkram_region *region, const char *const *names, size_t n_names,
			const struct pkram_restore_options *opts,
			struct pkram_transfer *ret_transfer)
{
	static const struct pkram_restore_options none = { .struct_size = sizeof(none) };
	struct restore r = { .region = region };
	int64_t start = op_clock();
	int k;

	k = take_options(&r, opts ? opts : &none);
	if (k < 0)
		return k;
	op_huge_begin(region->ctx, r.mount_options, &r.huge);
	k = restore_select(&r, names, n_names);
	if (k >= 0 && !r.n && !r.missing)
		k = log_error_errno(region->ctx, -ENODATA, "nothing to restore");
	if (k >= 0)
		k = restore_run(&r);
	note_restored(&r);
	if (k >= 0 && ret_transfer) {
		*ret_transfer = (struct pkram_transfer){ .nodes = r.nodes, .files = r.files,
							 .bytes = r.done, .threads = r.threads,
							 .small_pages = r.huge.small,
							 .ns = (uint64_t)(op_clock() - start) };
	}
	if (k >= 0)
		advise(&r);
	if (k >= 0 && r.missing)
		k = -EBADMSG;
	restore_done(&r);
	return k;
}
