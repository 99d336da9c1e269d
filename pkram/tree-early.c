/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Content that goes to its place while the tree is still being scanned: a small file is opened once
 * for its attributes and its bytes. Where data lies is known as soon as it is emitted, but for the
 * length of the image's front; so windows are counted from the start of the data. Only whole
 * windows are given away, all others (in them lie parts of large or sparse files, or the last file)
 * are for tree_image_fill().
 *
 * A file that lies in windows of both kinds is read at two times, and on tmpfs a process that maps
 * it, stores and goes in between leaves no trace but other bytes. To keep it open would keep any
 * number of files open. So its lease now guards a hash of all of it, too, and that of later the
 * comparison: both parts are of a file with the same bytes.
 */
#include "tree-save.h"

#include "work.h"

/* One call of tree_early_run(). */
struct run {
	struct tree_image *img;
	uint64_t first;			/* index of the first window */
	uint64_t start, end;		/* of the data that it adds */
	bool *given;			/* one per window: it went */
	struct tree_early_part next;
};

int tree_early_add(struct tree_image *img, uint64_t blk, uint64_t blocks, struct tree_look *l)
{
	struct tree_early *e = &img->early;
	int r;

	if (!e->sink)
		return 0;
	r = array_grow(&e->pieces, &e->cap_pieces, e->n_pieces + 1, sizeof(*e->pieces));
	if (r < 0)
		return r;
	e->pieces[e->n_pieces++] = (struct tree_early_piece){
		.start = blk * TREE_BLOCK, .end = (blk + blocks) * TREE_BLOCK,
		.look = l && (l->read || l->keep) ? l : NULL,
	};
	return 0;
}

/* The first piece that ends behind @off. */
static size_t find_piece(const struct tree_early *e, uint64_t off)
{
	size_t low = 0, high = e->n_pieces;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->pieces[mid].end <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Bytes [off, off + len) of a file, whose last block is filled up with zeroes. */
static int copy_piece(struct tree_image *img, const struct tree_look *l, uint64_t off, size_t len,
		      uint8_t *to)
{
	size_t have;

	if (!l->read)
		return tree_file_read(img, &l->file, off, len, to);
	have = off < l->len ? MIN(l->len - (size_t)off, len) : 0;
	memcpy(to, l->bytes + off, have);
	memset(to + have, 0, len - have);
	return 0;
}

/* Copies the part [lo, hi) of a window. 1: all of it is there; 0: some of it comes later. */
static int copy_part(struct tree_image *img, uint64_t lo, uint64_t hi, uint8_t *to)
{
	const struct tree_early *e = &img->early;
	uint64_t at = lo;

	for (size_t i = find_piece(e, lo); at < hi; i++) {
		const struct tree_early_piece *p = &e->pieces[i];
		uint64_t end = MIN(p->end, hi);
		int r;

		if (!p->look || p->start > at)
			return 0;
		r = copy_piece(img, p->look, at - p->start, (size_t)(end - at), to + (at - lo));
		if (r < 0)
			return r;
		at = end;
	}
	return 1;
}

static int fill_window(void *arg, unsigned int worker, uint64_t i)
{
	struct run *run = arg;
	struct tree_early *e = &run->img->early;
	uint64_t index = run->first + i, from = index * PKRAM_WINDOW, to = from + PKRAM_WINDOW;
	uint64_t lo = MAX(from, run->start), hi = MIN(to, run->end);
	uint8_t *bytes;
	int r;

	if (lo > from && !e->part.bytes)
		return 0;
	if (lo > from)
		bytes = e->part.bytes;
	else
		bytes = hi == to ? e->bounce + worker * PKRAM_WINDOW : e->spare;
	r = copy_part(run->img, lo, hi, bytes + (lo - from));
	if (r <= 0)
		return r;
	if (hi < to) {
		run->next.bytes = bytes;
		return 0;
	}
	r = e->sink->put(e->sink->arg, index, bytes);
	if (r < 0)
		return r;
	run->given[i] = true;
	run->img->given += PKRAM_WINDOW;
	return tree_scan_progress(run->img);
}

/* Finds the files of which not all has gone. What was begun of the last window may go or not. */
static void find_parted(const struct run *run)
{
	const struct tree_early *e = &run->img->early;

	for (size_t i = 0; i < e->n_pieces; i++) {
		const struct tree_early_piece *p = &e->pieces[i];
		size_t first = (size_t)(p->start / PKRAM_WINDOW - run->first);
		size_t last = (size_t)((p->end - 1) / PKRAM_WINDOW - run->first);

		if (p->look && first != last && memchr(run->given + first, 0, last - first + 1))
			p->look->parted = true;
	}
}

static int close_kept(void *arg, unsigned int worker, uint64_t i)
{
	struct tree_looks *looks = arg;
	struct tree_look *l = &looks->v[i];
	int r = 0;

	(void)worker;
	if (!l->keep)
		return 0;
	if (l->parted)
		r = tree_file_hash(looks->img, &l->file, &l->content);
	tree_file_close(looks->img, &l->file);
	l->keep = false;
	return r;
}

static void note_parted(const struct tree_looks *looks)
{
	for (size_t i = 0; i < looks->n; i++) {
		const struct tree_look *l = &looks->v[i];
		struct tree_source *s = &looks->img->sources[l->file.source];

		if (!l->parted)
			continue;
		s->flags |= SOURCE_PARTED;
		s->content = l->read ? XXH3_64bits(l->bytes, l->len) : l->content;
	}
}

static int make_buffers(struct tree_early *e, unsigned int threads)
{
	if (e->buffers)
		return 0;
	e->buffers = large_buffer_new((threads + 2) * PKRAM_WINDOW);
	if (!e->buffers)
		return -ENOMEM;
	e->held = e->buffers;
	e->spare = e->held + PKRAM_WINDOW;
	e->bounce = e->spare + PKRAM_WINDOW;
	return 0;
}

static int give_windows(struct tree_image *img, struct work_pool *pool)
{
	struct tree_early *e = &img->early;
	struct run run = {
		.img = img, .start = e->pieces[0].start, .end = e->pieces[e->n_pieces - 1].end,
	};
	_cleanup_free_ bool *given = NULL;
	uint64_t windows;
	int r;

	r = e->sink->room(e->sink->arg, run.end);
	if (r <= 0) {
		e->sink = NULL;
		return r;
	}
	r = make_buffers(e, work_pool_threads(pool));
	if (r < 0)
		return r;
	if (run.start != e->part.end)
		e->part.bytes = NULL;
	run.first = run.start / PKRAM_WINDOW;
	windows = (run.end - 1) / PKRAM_WINDOW - run.first + 1;
	run.given = given = calloc(windows, sizeof(*given));
	if (!given)
		return -ENOMEM;
	r = work_pool_run(pool, windows, fill_window, &run);
	find_parted(&run);
	/* The window that was begun lies in the spare buffer. */
	if (run.next.bytes == e->spare) {
		e->spare = e->held;
		e->held = run.next.bytes;
	}
	run.next.end = run.end;
	e->part = run.next;
	return r;
}

int tree_early_run(struct work_pool *pool, struct tree_looks *looks)
{
	struct tree_image *img = looks->img;
	struct tree_early *e = &img->early;
	int r = 0;

	if (e->sink && e->n_pieces)
		r = give_windows(img, pool);
	e->n_pieces = 0;
	if (r >= 0 && looks->kept)
		r = work_pool_run(pool, looks->n, close_kept, looks);
	looks->kept = 0;
	if (r >= 0)
		note_parted(looks);
	return MIN(r, 0);
}

void tree_early_end(struct tree_image *img)
{
	struct tree_early *e = &img->early;

	free(e->buffers);
	free(e->pieces);
	*e = (struct tree_early){ 0 };
}
