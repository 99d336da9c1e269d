/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any part of the image: its front is copied from the buffers, file data is read straight into the
 * caller's memory, or lent from a mapping of the file. A file that lies in one range is opened,
 * read and closed in one go. A larger one is shared by the fills that it spans: opened by the
 * first, closed by the last, so that its lease holds for the whole copy. Ranges are claimed in
 * ascending order, so about two such files per thread are open at a time. Of a file that went in
 * parts while the tree was scanned (tree-early.c), its first or its last bytes are left: they are
 * read as if it were alone.
 *
 * A mapping saves the copy that pread makes, but ends in SIGBUS where a file shrinks, and may show
 * bytes that change. Under a lease neither can be: who wants to write or to truncate waits for a
 * second at least, and that somebody waits is seen. So only leased files are mapped, only of tmpfs
 * (others may fail to read), only those without holes, which a read would fill, and only on huge
 * pages: to enter pages of 4 KiB one by one costs more than the copy.
 */
#include "tree-save.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>

/* Below, a mapping costs more than it saves. */
#define MAPPED_SIZE (2 * PKRAM_HUGE)

/* One call of tree_image_fill(). */
struct fill {
	struct tree_image *img;
	uint64_t off, end;
	uint8_t *buf;
	struct tree_dir_ref dir;	/* files of a directory lie side by side */
};

static uint64_t run_start(const struct tree_run *run)
{
	return (uint64_t)run->blk * TREE_BLOCK;
}

static uint64_t run_end(const struct tree_run *run)
{
	return run_start(run) + (uint64_t)run->blocks * TREE_BLOCK;
}

/* The first run that ends behind @off. */
static size_t find_run(const struct tree_image *img, uint64_t off)
{
	size_t low = 0, high = img->n_runs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (run_end(&img->runs[mid]) <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void copy_front(const struct fill *f)
{
	const struct tree_image *img = f->img;
	const struct { const struct tree_buf *buf; uint64_t off; } parts[] = {
		{ &img->inodes, 0 }, { &img->dirs, img->dirs_off },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t from = MAX(f->off, parts[i].off);
		uint64_t to = MIN(f->end, parts[i].off + parts[i].buf->len);

		if (from < to)
			memcpy(f->buf + (from - f->off), parts[i].buf->p + (from - parts[i].off),
			       to - from);
	}
}

int tree_file_read(struct tree_image *img, const struct tree_file *file, uint64_t off, size_t len,
		   uint8_t *buf)
{
	const struct tree_source *s = &img->sources[file->source];
	uint64_t size = le64toh(tree_inode(img, s->nid)->size);
	size_t want = off < size ? (size_t)MIN((uint64_t)len, size - off) : 0, done = 0;

	while (file->fd >= 0 && done < want) {
		ssize_t n = pread(file->fd, buf + done, want - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			_cleanup_free_ char *path = tree_file_path(img, file);

			return log_error_errno(img->ctx, -errno, "%s: cannot be read: %m%s",
					       path ? path : img->path, error_hint(-errno));
		}
		if (n == 0) {
			tree_not_quiet(img, file->source, tree_file_path(img, file),
				       "shrank while it was saved");
			break;
		}
		done += (size_t)n;
	}
	memset(buf + done, 0, len - done);
	return 0;
}

int tree_file_hash(struct tree_image *img, const struct tree_file *file, uint64_t *ret)
{
	uint64_t size = le64toh(tree_inode(img, img->sources[file->source].nid)->size), hash = 0;
	uint8_t buf[TREE_LOOK_BYTES];

	for (uint64_t off = 0; off < size; off += sizeof(buf)) {
		size_t len = (size_t)MIN(size - off, sizeof(buf));
		int r = tree_file_read(img, file, off, len, buf);

		if (r < 0)
			return r;
		hash = XXH3_64bits_withSeed(buf, len, hash);
	}
	*ret = hash;
	return 0;
}

/* The part of a run that lies in the range. */
static int read_run(const struct fill *f, const struct tree_file *file, const struct tree_run *run)
{
	uint64_t from = MAX(f->off, run_start(run)), to = MIN(f->end, run_end(run));

	return tree_file_read(f->img, file, run->off + (from - run_start(run)), to - from,
			 f->buf + (from - f->off));
}

/* The runs of one source stand side by side: [*first, *end) around @run. */
static void runs_of_source(const struct tree_image *img, size_t run, size_t *first, size_t *end)
{
	uint32_t source = img->runs[run].source;

	for (*first = run; *first && img->runs[*first - 1].source == source; --*first)
		;
	for (*end = run; *end < img->n_runs && img->runs[*end].source == source; ++*end)
		;
}

static struct tree_file *find_shared(struct tree_image *img, uint32_t source)
{
	for (size_t i = 0; i < img->n_files; i++)
		if (img->files[i].source == source)
			return &img->files[i];
	return NULL;
}

static bool may_be_mapped(const struct tree_image *img, uint32_t source)
{
	const struct tree_source *s = &img->sources[source];

	return le64toh(tree_inode(img, s->nid)->size) >= MAPPED_SIZE &&
	       (s->flags & (SOURCE_HUGE | SOURCE_SPARSE)) == SOURCE_HUGE &&
	       img->devs[s->dev].fs_magic == TMPFS_MAGIC;
}

static void map_file(const struct tree_image *img, struct tree_file *file)
{
	uint64_t size = le64toh(tree_inode(img, img->sources[file->source].nid)->size);
	void *map;

	if (!file->leased || size > SIZE_MAX || !may_be_mapped(img, file->source))
		return;
	map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file->fd, 0);
	if (map == MAP_FAILED)
		return;
	file->map = map;
	file->size = size;
}

/* Adds a file to the table; when another thread was first, its file is taken. */
static int add_shared(struct fill *f, size_t run, struct tree_file *ret)
{
	struct tree_image *img = f->img;
	struct tree_file fresh, *file;
	size_t first, end;
	int r;

	r = tree_file_open(img, img->runs[run].source, &f->dir, &fresh);
	if (r < 0)
		return r;
	map_file(img, &fresh);
	runs_of_source(img, run, &first, &end);
	for (; first < end; first++)
		fresh.left += (uint64_t)img->runs[first].blocks * TREE_BLOCK;
	pthread_mutex_lock(&img->lock);
	file = find_shared(img, fresh.source);
	if (!file) {
		r = array_grow(&img->files, &img->cap_files, img->n_files + 1, sizeof(*img->files));
		if (r == 0) {
			file = &img->files[img->n_files++];
			*file = fresh;
			fresh = (struct tree_file){ .fd = -1 };
		}
	}
	if (file) {
		file->users++;
		*ret = *file;
	}
	pthread_mutex_unlock(&img->lock);
	tree_file_drop(&fresh);
	return r;
}

static int get_shared(struct fill *f, size_t run, struct tree_file *ret)
{
	struct tree_image *img = f->img;
	struct tree_file *file;

	pthread_mutex_lock(&img->lock);
	file = find_shared(img, img->runs[run].source);
	if (file) {
		file->users++;
		*ret = *file;
	}
	pthread_mutex_unlock(&img->lock);
	return file ? 0 : add_shared(f, run, ret);
}

static void put_shared(struct tree_image *img, uint32_t source, uint64_t filled)
{
	struct tree_file last = { .fd = -1 }, *file;

	pthread_mutex_lock(&img->lock);
	file = find_shared(img, source);
	file->users--;
	file->left -= MIN(filled, file->left);
	if (file->users == 0 && file->left == 0) {
		last = *file;
		*file = img->files[--img->n_files];
	}
	pthread_mutex_unlock(&img->lock);
	tree_file_close(img, &last);
}

/* The runs [first, end) of one source that lie in the range, of a file that goes beyond it. */
static int fill_shared(struct fill *f, size_t first, size_t end)
{
	uint32_t source = f->img->runs[first].source;
	struct tree_file file;
	uint64_t filled = 0;
	int r;

	r = get_shared(f, first, &file);
	if (r < 0)
		return r;
	for (size_t i = first; i < end && r == 0; i++) {
		const struct tree_run *run = &f->img->runs[i];

		r = read_run(f, &file, run);
		filled += MIN(f->end, run_end(run)) - MAX(f->off, run_start(run));
	}
	put_shared(f->img, source, filled);
	return r;
}

/* The same of a file that no other range needs open. */
static int fill_alone(struct fill *f, size_t first, size_t end)
{
	struct tree_file file;
	int r;

	r = tree_file_open(f->img, f->img->runs[first].source, &f->dir, &file);
	for (size_t i = first; i < end && r == 0; i++)
		r = read_run(f, &file, &f->img->runs[i]);
	tree_file_close(f->img, &file);
	return r;
}

static int fill_data(struct fill *f)
{
	const struct tree_image *img = f->img;
	size_t i = find_run(img, f->off);
	int r = 0;

	while (i < img->n_runs && run_start(&img->runs[i]) < f->end && r == 0) {
		uint32_t source = img->runs[i].source;
		bool whole = run_start(&img->runs[i]) >= f->off &&
			     (i == 0 || img->runs[i - 1].source != source);
		size_t end = i;

		while (end < img->n_runs && img->runs[end].source == source &&
		       run_start(&img->runs[end]) < f->end)
			end++;
		whole = whole && run_end(&img->runs[end - 1]) <= f->end &&
			(end == img->n_runs || img->runs[end].source != source);
		if (whole || img->sources[source].flags & SOURCE_PARTED)
			r = fill_alone(f, i, end);
		else
			r = fill_shared(f, i, end);
		i = end;
	}
	return r;
}

/* Between files there is padding, which no run covers. */
static void clear_gaps(const struct fill *f)
{
	const struct tree_image *img = f->img;
	uint64_t at = MAX(f->off, img->meta_size);

	for (size_t i = find_run(img, f->off); at < f->end; i++) {
		uint64_t next = i < img->n_runs ? MIN(run_start(&img->runs[i]), f->end) : f->end;

		if (next > at)
			memset(f->buf + (at - f->off), 0, next - at);
		if (i == img->n_runs)
			break;
		at = MAX(at, run_end(&img->runs[i]));
	}
}

int tree_image_fill(struct tree_image *img, uint64_t off, size_t len, void *buf)
{
	struct fill f = { .img = img, .off = off, .end = off + len, .buf = buf,
			  .dir = TREE_DIR_REF_NONE };
	int r;

	if (!range_ok(off, len, img->size))
		return -EINVAL;
	copy_front(&f);
	clear_gaps(&f);
	r = fill_data(&f);
	tree_dirs_put(img, &f.dir);
	return r;
}

/* Nobody waits for the lease: so nobody has written, and nobody will for a second. */
static bool lease_holds(int fd)
{
	return fcntl(fd, F_GETLEASE) == F_RDLCK;
}

int tree_image_lend(struct tree_image *img, uint64_t off, size_t len, struct tree_loan *ret)
{
	struct fill f = { .img = img, .off = off, .end = off + len, .dir = TREE_DIR_REF_NONE };
	size_t i = find_run(img, off);
	const struct tree_run *run = &img->runs[i];
	struct tree_file file;
	uint64_t at;
	int r;

	if (i == img->n_runs || run_start(run) > off || run_end(run) < f.end ||
	    !may_be_mapped(img, run->source))
		return 0;
	r = get_shared(&f, i, &file);
	tree_dirs_put(img, &f.dir);
	if (r < 0)
		return r;
	at = run->off + (off - run_start(run));
	/* What lies behind the end of a file in its last page is not of the file. */
	if (file.map && range_ok(at, len, file.size) && lease_holds(file.fd) &&
	    madvise((void *)(file.map + at), len, MADV_POPULATE_READ) == 0) {
		*ret = (struct tree_loan){
			.bytes = file.map + at, .source = run->source, .len = len,
		};
		return 1;
	}
	put_shared(img, run->source, 0);
	return 0;
}

bool tree_image_take_back(struct tree_image *img, const struct tree_loan *loan)
{
	bool good;

	pthread_mutex_lock(&img->lock);
	good = lease_holds(find_shared(img, loan->source)->fd);
	pthread_mutex_unlock(&img->lock);
	put_shared(img, loan->source, good ? loan->len : 0);
	return good;
}
