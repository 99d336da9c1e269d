/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restoring trees: every tree of the call is built out of sight from verified windows; when all are
 * whole, they appear one after the other.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "machine.h"
#include "op-huge.h"
#include "op-image.h"
#include "work.h"

struct restore_tree {
	struct store_reader *reader;
	struct op_image *image;
	struct tree_view *view;
	struct tree_place *place;
	char *target;
	uint8_t *damaged;	/* one byte per window */
	uint64_t left_out;	/* files that salvage could not take */
	uint64_t began, built;	/* CLOCK_BOOTTIME, for the account of a jump */
	bool appeared;
	bool nested; /* its target lies in another tree's: built when that one is there */
	size_t trusted;		/* of the target: what no tree of the region had a hand in */
};

struct restore {
	struct pkram_region *region;
	uint64_t flags;
	const char *to;
	const char *mount_options; /* that override the saved ones */
	bool named;		/* the trees were asked for by name */
	struct restore_tree *trees;
	size_t n;
	uint64_t bytes;
	uint64_t nodes, files;	/* that have appeared */
	unsigned int threads;
	_Atomic uint64_t done;	/* bytes that were read */
	_Atomic uint64_t passed; /* and with those that need not be: the progress */
	bool missing;		/* something was left out */
	bool mounted;		/* a tree is a mount of its own */
	struct op_huge huge;
};

/* One tree being filled. */
struct fill {
	struct restore *restore;
	struct restore_tree *tree;
	struct tree_restore *work;
	uint8_t **bounce;
	uint64_t pieces, share;		/* all of them; those of one thread */
	unsigned int threads;
};

static void tree_done(struct restore_tree *t)
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
	for (size_t i = 0; i < r->n; i++)
		tree_done(&r->trees[i]);
	free(r->trees);
	op_huge_end(&r->huge);
}

/* --- which trees --- */

/* Of what an earlier boot saved; --salvage takes the intact part of it all the same. */
static bool whole_or_nothing(const struct restore *r)
{
	return r->flags & PKRAM_RESTORE_STALE && !(r->flags & PKRAM_RESTORE_SALVAGE);
}

static int select_named(struct restore *r, const char *const *names, size_t n)
{
	struct pkram_ctx *ctx = r->region->ctx;

	r->trees = calloc(n, sizeof(*r->trees));
	if (!r->trees)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct store_reader *reader;
		const struct store_node *node;
		int k;

		k = op_serve(r->region, names[i], r->flags & PKRAM_RESTORE_STALE, &reader);
		if (k == -EBADMSG && whole_or_nothing(r))
			k = op_not_survived(r->region, names[i], NULL);
		if (k < 0)
			return k;
		node = store_reader_node(reader);
		if (node->kind != PKRAM_NODE_KIND_TREE) {
			store_reader_close(reader);
			return log_error_errno(ctx, -EINVAL,
					       "%s: is a stream, not a tree; use 'pkram get'",
					       names[i]);
		}
		if (r->flags & PKRAM_RESTORE_ONCE && op_restored(r->region, node)) {
			pkram_log_info(ctx, "%s: restored in this boot already", names[i]);
			store_reader_close(reader);
			continue;
		}
		r->trees[r->n++].reader = reader;
	}
	return 0;
}

/*
 * Without names: every tree that is fresh; stale ones are named, and are the result when there is
 * no other. A node that cannot even be told is no part of any set: the others do not wait for it.
 */
static int select_all(struct restore *r)
{
	struct pkram_ctx *ctx = r->region->ctx;
	struct pkram_node_list *list;
	size_t stale = 0, old = 0;
	uint64_t lost = 0;
	char age[48];
	int k;

	k = pkram_node_list_new(r->region, &list);
	if (k < 0)
		return k;
	r->trees = calloc(MAX(pkram_node_list_count(list), (size_t)1), sizeof(*r->trees));
	k = r->trees ? 0 : -ENOMEM;
	for (size_t i = 0; k >= 0 && i < pkram_node_list_count(list); i++) {
		const struct pkram_node *n = pkram_node_list_get(list, i);
		struct store_reader *reader;

		if (n->damaged) {
			pkram_log_error(ctx,
					"node %" PRIu64
					": both copies of its block are damaged: left "
					"out, whatever it was",
					n->id);
			r->missing = true;
			lost = n->id;
			continue;
		}
		if (n->writing || n->kind != PKRAM_KIND_TREE ||
		    (r->flags & PKRAM_RESTORE_ONCE && n->restored))
			continue;
		if (!*n->source && !r->to) {
			pkram_log_info(
				ctx,
				"%s: left alone: it has no path of its own (put --tree); --to says "
				"where",
				n->name);
			continue;
		}
		if (n->freshness == PKRAM_FRESH_STALE && !(r->flags & PKRAM_RESTORE_STALE)) {
			pkram_log_warning(
				ctx,
				"%s: left alone: saved %s by an earlier boot (kernel %s); "
				"--stale takes it all the same",
				n->name, op_age(n->saved_at, age), n->kernel);
			stale++;
			continue;
		}
		old += n->freshness == PKRAM_FRESH_STALE;
		k = op_serve(r->region, n->name, r->flags & PKRAM_RESTORE_STALE, &reader);
		if (k >= 0)
			r->trees[r->n++].reader = reader;
	}
	pkram_node_list_free(list);
	/* What cannot be told may be of their set, and of the same loss. */
	if (k >= 0 && lost && whole_or_nothing(r) && (old || !r->n)) {
		snprintf(age, sizeof(age), "node %" PRIu64, lost);
		return op_not_survived(r->region, age, NULL);
	}
	if (k >= 0 && !r->n && stale)
		return -ESTALE;
	return k;
}

/* --- where to --- */

/*
 * Without what a path can do without, or a tree inside another one could not be told. The source is
 * what a region says: it may name a place, never climb out of --to.
 */
static int plain_path(const char *path, char **ret)
{
	char *plain = malloc(strlen(path) + 2), *end = plain;

	if (!plain)
		return -ENOMEM;
	if (*path == '/')
		*end++ = '/';
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			free(plain);
			return -EBADMSG;
		}
		if (len != 1 || path[0] != '.') {
			if (end > plain && end[-1] != '/')
				*end++ = '/';
			end = mempcpy(end, path, len);
		}
		path += len;
	}
	*end = '\0';
	*ret = plain;
	return 0;
}

static int choose_target(struct restore *r, struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);
	const char *path = *n->source || !r->to ? n->source : n->name;
	_cleanup_free_ char *plain = NULL;
	int k;

	if (*path != '/' && !r->to)
		return log_error_errno(
			r->region->ctx, -EINVAL,
			"%s: has no path of its own (it came by put --tree); say where with --to",
			n->name);
	k = plain_path(path, &plain);
	if (k == -EBADMSG)
		return log_error_errno(r->region->ctx, k, "%s: its path has '..': %s", n->name,
				       path);
	if (k < 0)
		return k;
	t->trusted = r->to ? strlen(r->to) : 0;
	if (asprintf(&t->target, "%s%s%s", r->to ? r->to : "", r->to && *plain != '/' ? "/" : "",
		     plain) < 0) {
		t->target = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int target_cmp(const void *a, const void *b)
{
	const struct restore_tree *x = a, *y = b;

	return strcmp(x->target, y->target);
}

/* Of several trees around one, the outermost comes first. */
static void nest(struct restore_tree *t, const struct restore_tree *around)
{
	size_t len = strlen(around->target);

	if (strncmp(t->target, around->target, len) != 0 || t->target[len] != '/')
		return;
	t->nested = true;
	if (!t->trusted)
		t->trusted = len;
}

/* Of two trees for one place the newer one is meant, unless both were asked for by name. */
static int leave_older(struct restore *r, size_t i)
{
	const struct store_node *a = store_reader_node(r->trees[i - 1].reader);
	const struct store_node *b = store_reader_node(r->trees[i].reader);
	size_t old = a->generation < b->generation ? i - 1 : i;

	if (r->named)
		return log_error_errno(r->region->ctx, -EINVAL,
			"%s and %s would both appear at %s; name one of them", a->name, b->name,
			r->trees[i].target);
	pkram_log_info(r->region->ctx, "%s: left alone: %s has the same path and is newer",
		       store_reader_node(r->trees[old].reader)->name, old == i ? a->name : b->name);
	tree_done(&r->trees[old]);
	memmove(&r->trees[old], &r->trees[old + 1], (r->n - old - 1) * sizeof(*r->trees));
	r->n--;
	return 0;
}

/* In the order of their targets, so that what lies in another tree comes after it. */
static int order_targets(struct restore *r)
{
	qsort(r->trees, r->n, sizeof(*r->trees), target_cmp);
	for (size_t i = 1; i < r->n;) {
		int k;

		if (strcmp(r->trees[i].target, r->trees[i - 1].target) != 0) {
			i++;
			continue;
		}
		k = leave_older(r, i);
		if (k < 0)
			return k;
	}
	for (size_t i = 1; i < r->n; i++)
		for (size_t j = 0; j < i && !r->trees[i].nested; j++)
			nest(&r->trees[i], &r->trees[j]);
	return 0;
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
		.force = r->flags & PKRAM_RESTORE_FORCE, .mount = r->flags & PKRAM_RESTORE_MOUNT,
		.single = n->single, .trusted = t->trusted, .fs_type = n->fs_type,
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

/* --- filling --- */

/*
 * A piece of work is two windows, but for the front's: a tmpfs with huge pages that is given 2 MiB
 * at once need not zero first what the next write would fill, and large files start at such a pair.
 */
#define PIECE_WINDOWS 2u

static uint64_t piece_count(const struct store_node *n)
{
	uint64_t front = window_front(n->mirrored);

	return front + (n->windows - front + PIECE_WINDOWS - 1) / PIECE_WINDOWS;
}

/* The windows [*ret_first, *ret_end) of a piece. */
static void piece_windows(const struct store_node *n, uint64_t piece, uint64_t *ret_first,
			  uint64_t *ret_end)
{
	uint64_t front = window_front(n->mirrored);

	if (piece < front) {
		*ret_first = piece;
		*ret_end = piece + 1;
		return;
	}
	*ret_first = front + (piece - front) * PIECE_WINDOWS;
	*ret_end = MIN(*ret_first + PIECE_WINDOWS, n->windows);
}

/* Verified bytes that stand side by side, in the image as in memory. */
struct stretch {
	uint64_t off;
	size_t len;
	const uint8_t *bytes;
};

static int put_stretch(struct fill *f, unsigned int worker, struct stretch *s)
{
	size_t len = s->len;

	s->len = 0;
	return len ? tree_restore_put(f->work, worker, s->off, len, s->bytes) : 0;
}

/* Verifies a window and adds it to the stretch, which is put first where that does not go. */
static int take_window(struct fill *f, unsigned int worker, uint64_t index, void *bounce,
		       struct stretch *s)
{
	const struct store_node *n = store_reader_node(f->tree->reader);
	uint64_t off = window_offset(n->mirrored, index);
	size_t len = window_length(n->size, n->mirrored, index);
	const void *bytes;
	int k;

	if (!tree_restore_wants(f->work, off, len))
		return 0;
	k = store_reader_window(f->tree->reader, index, bounce, &bytes, &len);
	if (k == -EBADMSG) {
		/* Go on: all damage is to be named, and salvage wants the rest. */
		f->tree->damaged[index] = 1;
		return tree_restore_lost(f->work, off, len);
	}
	if (k < 0)
		return k;
	atomic_fetch_add(&f->restore->done, len);
	if (s->len && s->off + s->len == off && s->bytes + s->len == bytes) {
		s->len += len;
		return 0;
	}
	k = put_stretch(f, worker, s);
	*s = (struct stretch){ .off = off, .len = len, .bytes = bytes };
	return k;
}

/*
 * The kernel lets one thread at a time write to a file, or make one in a directory, and neighbours
 * are likely to be of the same: so threads work far apart, each in a share of its own. The last one
 * may be smaller: then there is no such piece.
 */
static uint64_t far_apart(const struct fill *f, uint64_t i)
{
	return i % f->threads * f->share + i / f->threads;
}

static int fill_piece(void *arg, unsigned int worker, uint64_t number)
{
	struct fill *f = arg;
	struct restore *r = f->restore;
	const struct store_node *n = store_reader_node(f->tree->reader);
	uint64_t piece = far_apart(f, number), first, end, passed = 0;
	struct stretch s = { 0 };
	int k = 0;

	if (piece >= f->pieces)
		return 0;
	piece_windows(n, piece, &first, &end);
	for (uint64_t i = first; i < end && k >= 0; i++) {
		k = take_window(f, worker, i, f->bounce[worker] + (i - first) * PKRAM_WINDOW, &s);
		passed += window_length(n->size, n->mirrored, i);
	}
	if (k >= 0)
		k = put_stretch(f, worker, &s);
	if (k < 0)
		return k;
	return ctx_progress(r->region->ctx, "restore",
			    atomic_fetch_add(&r->passed, passed) + passed, r->bytes);
}

static int fill_tree(struct restore *r, struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);
	struct fill f = { .restore = r, .tree = t };
	struct tree_restore_options o = {
		.salvage = r->flags & PKRAM_RESTORE_SALVAGE,
		.hugetlb = tree_place_hugetlb(t->place),
	};
	int k;

	f.pieces = piece_count(n);
	f.threads = o.threads = ctx_threads(r->region->ctx, f.pieces);
	f.share = (f.pieces + f.threads - 1) / f.threads;
	r->threads = MAX(r->threads, o.threads);
	k = tree_restore_new(r->region->ctx, t->view, tree_place_dirfd(t->place), &o, &f.work);
	if (k < 0)
		return k;
	f.bounce = work_buffers_new(o.threads, PIECE_WINDOWS * PKRAM_WINDOW);
	k = f.bounce ? work_run(r->region->ctx, o.threads, store_region(r->region->store)->near,
				f.share * f.threads, fill_piece, &f) : -ENOMEM;
	if (k >= 0 && op_log_damaged(r->region->ctx, t->reader, t->damaged)) {
		r->missing = true;
		if (!o.salvage)
			k = log_error_errno(r->region->ctx, -EBADMSG,
				"%s: not restored; --salvage takes what is intact", n->name);
	}
	if (k >= 0)
		k = tree_restore_finish(f.work);
	t->left_out = tree_restore_left_out(f.work);
	work_buffers_free(f.bounce);
	tree_restore_free(f.work);
	return k;
}

static int build_tree(struct restore *r, struct restore_tree *t)
{
	int k;

	t->began = machine_uptime();
	k = open_tree_view(r, t);
	if (k >= 0)
		k = open_place(r, t);
	if (k >= 0)
		k = fill_tree(r, t);
	t->built = machine_uptime();
	return k;
}

static int judge_damage(struct restore *r, const struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);

	return whole_or_nothing(r) && op_is_stale(r->region, n) ?
		       op_not_survived(r->region, n->name, n) : -EBADMSG;
}

/* Salvage goes on without a tree of which nothing can be told. */
static int build_or_leave(struct restore *r, struct restore_tree *t)
{
	int k = build_tree(r, t);

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
static bool came_with_outer(struct restore *r, const struct restore_tree *t)
{
	uint64_t generation = store_reader_node(t->reader)->generation;

	for (size_t i = 0; i < r->n; i++) {
		const struct restore_tree *outer = &r->trees[i];
		size_t len = strlen(outer->target);

		if (!outer->appeared || strncmp(t->target, outer->target, len) != 0 ||
		    t->target[len] != '/' ||
		    store_reader_node(outer->reader)->generation < generation || 
		    !is_there(outer->target, t->target + len + 1))
			continue;
		pkram_log_info(r->region->ctx, "%s: left alone: it came with %s",
			       store_reader_node(t->reader)->name,
			       store_reader_node(outer->reader)->name);
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
	op_huge_add(&r->huge, t->view, t->place, t->target);
	return 0;
}

static int restore_run(struct restore *r)
{
	int k = 0;

	for (size_t i = 0; i < r->n && k >= 0; i++) {
		r->bytes += store_reader_node(r->trees[i].reader)->size;
		k = choose_target(r, &r->trees[i]);
	}
	if (k >= 0)
		k = order_targets(r);
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

/*
 * Also when a later tree failed: what has appeared is there. Only what is whole: of a tree that
 * lacks files, the node is still the best copy there is.
 */
static int mark_restored(struct restore *r)
{
	_cleanup_free_ struct store_restored *done = NULL;
	size_t n = 0;

	if (!r->nodes)
		return 0;
	done = calloc(r->n, sizeof(*done));
	if (!done)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		const struct restore_tree *t = &r->trees[i];

		if (t->appeared && !t->left_out)
			done[n++] = (struct store_restored){ .reader = t->reader, .end = t->built,
							     .took = t->built - t->began };
	}
	return n ? store_mark_restored(r->region->store, done, n, r->region->boot_id) : 0;
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
	return r->mount_options ? tree_mount_check(ctx, r->mount_options) : 0;
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
	int k, marked;

	k = take_options(&r, opts ? opts : &none);
	if (k < 0)
		return k;
	r.named = n_names > 0;
	op_huge_begin(region->ctx, r.mount_options, &r.huge);
	k = r.named ? select_named(&r, names, n_names) : select_all(&r);
	if (k >= 0 && !r.n && !r.missing)
		k = log_error_errno(region->ctx, -ENODATA, "nothing to restore");
	if (k >= 0)
		k = restore_run(&r);
	marked = region->read_only ? 0 : mark_restored(&r);
	k = k < 0 ? k : marked;
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
