/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holes. EROFS can leave out whole chunks of a file; how large a chunk is, the file says. Small
 * chunks make a large map, large chunks fill many holes: each file gets the size that costs least.
 * Holes that are finer than the file's chunks are kept beside the image, so that restore makes them
 * again.
 */
#include "tree-save.h"

#include <endian.h>
#include <unistd.h>

/* The map is stored twice, and stands in memory while saving. */
#define MAP_WEIGHT 3
/* A map of so many entries serves any file: larger ones get larger chunks. */
#define MAP_ENTRIES_MAX (UINT64_C(1) << 28)
/* Holes on hugetlbfs are multiples of this. */
#define HUGETLB_PIECE (64 * KIB)

static int add_segment(struct tree_segments *seg, uint64_t off, uint64_t end)
{
	int r;

	off = ALIGN_DOWN(off, TREE_BLOCK);
	end = ALIGN_UP(end, (uint64_t)TREE_BLOCK);
	if (seg->n && off <= seg->s[seg->n - 1].end) {
		seg->s[seg->n - 1].end = end;
		return 0;
	}
	r = array_grow(&seg->s, &seg->cap, seg->n + 1, sizeof(*seg->s));
	if (r < 0)
		return r;
	seg->s[seg->n++] = (struct tree_segment){ off, end };
	return 0;
}

/* Whether [off, end) of a file reads like a hole: 1 or 0. */
static int reads_empty(int fd, uint64_t off, uint64_t end)
{
	uint8_t buf[HUGETLB_PIECE];

	while (off < end) {
		ssize_t n = pread(fd, buf, (size_t)MIN(end - off, sizeof(buf)), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (!all_zero(buf, (size_t)n))
			return 0;
		off += (uint64_t)n;
	}
	return 1;
}

/*
 * hugetlbfs has no SEEK_DATA, and nothing tells which of its pages are there without making them. A
 * page of zeroes reads like a hole, so it is saved as one.
 */
static int map_hugetlb(int fd, uint64_t size, uint64_t blocks, struct tree_segments *seg)
{
	bool full = blocks >= size / 512;

	if (blocks == 0)
		return 0;
	if (full)
		return add_segment(seg, 0, size);
	for (uint64_t off = 0; off < size; off += HUGETLB_PIECE) {
		uint64_t end = MIN(size, off + HUGETLB_PIECE);
		int r = reads_empty(fd, off, end);

		if (r == 0)
			r = add_segment(seg, off, end);
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_holes_map(int fd, uint64_t size, bool hugetlb, uint64_t blocks, struct tree_segments *seg)
{
	uint64_t at = 0;

	seg->n = 0;
	if (hugetlb)
		return map_hugetlb(fd, size, blocks, seg);
	while (at < size) {
		/* The usual file has its first hole at its end: one call. */
		off_t end = lseek(fd, (off_t)at, SEEK_HOLE), off;
		int r;

		if (end < 0)
			return errno == ENXIO ? 0 : -errno;
		if ((uint64_t)end > at) {
			r = add_segment(seg, at, MIN((uint64_t)end, size));
			if (r < 0)
				return r;
		}
		if ((uint64_t)end >= size)
			break;
		off = lseek(fd, end, SEEK_DATA);
		if (off < 0)
			return errno == ENXIO ? 0 : -errno;
		if (off < end)
			return -EIO;
		at = (uint64_t)off;
	}
	return 0;
}

/* Bytes that chunks of this size take in the image. */
static uint64_t filled(const struct tree_segments *seg, uint64_t size, uint64_t chunk)
{
	uint64_t sum = 0, done = 0, end = ALIGN_UP(size, (uint64_t)TREE_BLOCK);

	for (size_t i = 0; i < seg->n; i++) {
		uint64_t from = MAX(ALIGN_DOWN(seg->s[i].off, chunk), done);
		uint64_t to = MIN(ALIGN_UP(seg->s[i].end, chunk), end);

		if (to > from) {
			sum += to - from;
			done = to;
		}
	}
	return sum;
}

unsigned int tree_holes_chunk_bits(const struct tree_segments *seg, uint64_t size)
{
	uint64_t least = UINT64_MAX;
	unsigned int best = EROFS_CHUNK_BITS_MASK;

	for (unsigned int bits = 0; bits <= EROFS_CHUNK_BITS_MASK; bits++) {
		uint64_t chunk = (uint64_t)TREE_BLOCK << bits, entries = size / chunk + 1, cost;

		if (entries > MAP_ENTRIES_MAX)
			continue;
		cost = MAP_WEIGHT * 4 * entries + filled(seg, size, chunk);
		if (cost < least) {
			least = cost;
			best = bits;
		}
		if (chunk >= size)
			break;
	}
	return best;
}

static int add_hole(struct tree_image *img, uint64_t nid, uint64_t off, uint64_t end)
{
	struct pkram_hole *last = img->n_holes ? &img->holes[img->n_holes - 1] : NULL;
	int r;

	if (end <= off)
		return 0;
	if (last && last->nid == htole64(nid) && le64toh(last->off) + le64toh(last->len) == off) {
		last->len = htole64(le64toh(last->len) + end - off);
		return 0;
	}
	r = array_grow(&img->holes, &img->cap_holes, img->n_holes + 1, sizeof(*img->holes));
	if (r < 0)
		return r;
	img->holes[img->n_holes++] = (struct pkram_hole){
		.nid = htole64(nid), .off = htole64(off), .len = htole64(end - off),
	};
	return 0;
}

int tree_holes_emit(struct tree_image *img, uint64_t nid, const struct tree_segments *seg,
		    uint64_t size, unsigned int bits)
{
	uint64_t chunk = (uint64_t)TREE_BLOCK << bits, entries = size / chunk + (size % chunk != 0);
	pkram_le32 *map = tree_emit_tail(img, nid);
	uint64_t end = 0;	/* of the last chunk with data */
	uint64_t hole = 0;	/* where the present one starts */

	memset(map, 0xff, entries * sizeof(*map));
	for (size_t i = 0; i <= seg->n; i++) {
		bool last = i == seg->n;
		uint64_t off = last ? size : seg->s[i].off;
		uint64_t from = last ? size : MAX(ALIGN_DOWN(off, chunk), end);
		int r;

		/* Of the hole before this data, what lies in chunks that are stored. */
		r = add_hole(img, nid, hole, MIN(end, off));
		if (r == 0 && !last)
			r = add_hole(img, nid, MAX(hole, from), off);
		if (r < 0)
			return r;
		if (last)
			break;
		hole = seg->s[i].end;
		end = MIN(ALIGN_UP(hole, chunk), size);
		for (uint64_t c = from / chunk; c * chunk < end; c++)
			map[c] = 0;
	}
	return 0;
}

/* The first of a file's holes that are kept beside the image. */
static size_t find_hole(const struct tree_image *img, uint64_t nid)
{
	size_t low = 0, high = img->n_holes;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (le64toh(img->holes[mid].nid) < nid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int tree_holes_empty(const struct tree_image *img, const struct tree_file *file)
{
	uint64_t nid = img->sources[file->source].nid;
	const struct erofs_inode *inode = tree_inode(img, nid);
	uint64_t size = le64toh(inode->size), chunk = tree_chunk_size(inode), len;
	const pkram_le32 *map = tree_emit_tail(img, nid);
	int r = 1;

	for (uint64_t off = 0; off < size && r > 0; off += len, map++) {
		len = MIN(chunk, size - off);
		if (*map == htole32(EROFS_NULL_ADDR))
			r = reads_empty(file->fd, off, off + len);
	}
	for (size_t i = find_hole(img, nid); i < img->n_holes && r > 0; i++) {
		const struct pkram_hole *h = &img->holes[i];

		if (le64toh(h->nid) != nid)
			break;
		r = reads_empty(file->fd, le64toh(h->off), le64toh(h->off) + le64toh(h->len));
	}
	return r;
}
