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
 * comparison: both parts are of a file with the same bytes. That is for a small file of which one
 * end comes later, and for the last one of a call, of whose end nothing is known yet. All others go
 * whole, now or later; if small ones did, too, one window that comes later would take along all
 * that follow.
 */
#include "tree-save.h"

#include "work.h"

/* To read a larger file twice more costs more than to open its small neighbours again. */
#define PARTED_BYTES (2 * MIB)

/* What becomes of a window. */
enum {
	WINDOW_LATER,			/* it has bytes that are not there */
	WINDOW_BEGUN,			/* the last one: it goes if what follows is there */
	WINDOW_GOES,
};

/* One call of tree_early_run(). */
struct run {
	struct tree_image *img;
	uint64_t first;			/* index of the first window */
	uint64_t start, end;		/* of the data that it adds */
	uint8_t *fates;			/* one per window */
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

/* Copies the part [lo, hi) of a window, of which all is there. */
static int copy_part(struct tree_image *img, uint64_t lo, uint64_t hi, uint8_t *to)
{
	const struct tree_early *e = &img->early;
	uint64_t at = lo;

	for (size_t i = find_piece(e, lo); at < hi; i++) {
		const struct tree_early_piece *p = &e->pieces[i];
		uint64_t end = MIN(p->end, hi);
		int r;

		r = copy_piece(img, p->look, at - p->start, (size_t)(end - at), to + (at - lo));
		if (r < 0)
			return r;
		at = end;
	}
	return 0;
}

static int fill_window(void *arg, unsigned int worker, uint64_t i)
{
	struct run *run = arg;
	struct tree_early *e = &run->img->early;
	uint64_t index = run->first + i, from = index * PKRAM_WINDOW, to = from + PKRAM_WINDOW;
	uint64_t lo = MAX(from, run->start), hi = MIN(to, run->end);
	uint8_t *bytes;
	int r;

	if (run->fates[i] == WINDOW_LATER)
		return 0;
	if (lo > from)
		bytes = e->part.bytes;
	else
		bytes = hi == to ? e->bounce + worker * PKRAM_WINDOW : e->spare;
	r = copy_part(run->img, lo, hi, bytes + (lo - from));
	if (r < 0)
		return r;
	if (hi < to) {
		run->next.bytes = bytes;
		return 0;
	}
	r = e->sink->put(e->sink->arg, index, bytes);
	if (r < 0)
		return r;
	run->img->given += PKRAM_WINDOW;
	return tree_scan_progress(run->img);
}

/* The windows of bytes [start, end): from *@ret on. */
static size_t windows_of(const struct run *run, uint64_t start, uint64_t end, uint8_t **ret)
{
	uint64_t first = start / PKRAM_WINDOW;

	*ret = run->fates + (first - run->first);
	return (size_t)((end - 1) / PKRAM_WINDOW - first + 1);
}

/* As far as each window's own bytes tell. */
static void find_fates(struct run *run, size_t windows)
{
	const struct tree_early *e = &run->img->early;
	uint64_t at = run->start;
	uint8_t *fates;
	size_t n;

	memset(run->fates, WINDOW_GOES, windows);
	if (run->end % PKRAM_WINDOW)
		run->fates[windows - 1] = WINDOW_BEGUN;
	if (run->start % PKRAM_WINDOW && !e->part.bytes)
		run->fates[0] = WINDOW_LATER;
	for (size_t i = 0; i < e->n_pieces; i++) {
		const struct tree_early_piece *p = &e->pieces[i];

		n = windows_of(run, at, p->end, &fates);
		if (!p->look || p->start > at)
			memset(fates, WINDOW_LATER, n);
		at = p->end;
	}
}

/* Leaves a file for later that would be read at two times for little. */
static void keep_whole(struct run *run, const struct tree_early_piece *p)
{
	uint8_t *fates;
	size_t n = windows_of(run, p->start, p->end, &fates);
	unsigned int later = (fates[0] == WINDOW_LATER) + (fates[n - 1] == WINDOW_LATER);

	if (later == 2 || (later && p->end - p->start > PARTED_BYTES))
		memset(fates, WINDOW_LATER, n);
}

/* Decides what goes, and finds the files of which a part does, or may. */
static void choose_windows(struct run *run, size_t windows)
{
	const struct tree_early *e = &run->img->early;

	find_fates(run, windows);
	/* One that is left may take its neighbour along, on either side. */
	for (size_t i = 0; i < e->n_pieces; i++)
		keep_whole(run, &e->pieces[i]);
	for (size_t i = e->n_pieces; i-- > 0;)
		keep_whole(run, &e->pieces[i]);
	for (size_t i = 0; i < e->n_pieces; i++) {
		const struct tree_early_piece *p = &e->pieces[i];
		uint8_t *fates;
		size_t n = windows_of(run, p->start, p->end, &fates);

		if (p->look)
			p->look->parted = fates[0] != fates[n - 1];
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
	_cleanup_free_ uint8_t *fates = NULL;
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
	run.fates = fates = malloc(windows);
	if (!fates)
		return -ENOMEM;
	choose_windows(&run, windows);
	r = work_pool_run(pool, windows, fill_window, &run);
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
