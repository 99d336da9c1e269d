/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verified windows of one tree become files.
 */
#include "op-restore.h"
#include "work.h"

/* One tree being filled. */
struct fill {
	struct restore *restore;
	struct restore_tree *tree;
	struct tree_restore *work;
	uint8_t **bounce;
	uint64_t pieces, share;		/* all of them; those of one thread */
	unsigned int threads;
};

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

int restore_fill(struct restore *r, struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);
	struct fill f = { .restore = r, .tree = t };
	struct pkram_progress so_far = { .what = "restore", .total = r->bytes };
	struct tree_restore_options o = {
		.salvage = r->flags & PKRAM_RESTORE_SALVAGE,
		.hugetlb = tree_place_hugetlb(t->place),
	};
	int k;

	f.pieces = piece_count(n);
	f.threads = o.threads = region_threads(store_region(r->region->store), f.pieces);
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
	so_far.done = r->passed;
	if (k >= 0)
		k = tree_restore_finish(f.work, &so_far);
	t->left_out = tree_restore_left_out(f.work);
	work_buffers_free(f.bounce);
	tree_restore_free(f.work);
	return k;
}
