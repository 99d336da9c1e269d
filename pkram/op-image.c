/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op-image.h"

#include "work.h"

struct op_image {
	struct store_reader *reader;
	uint8_t *front;		/* the first `front_len` bytes */
	uint64_t front_len;
	uint8_t *bounce;	/* the window that was read last, for images of other makers */
	const uint8_t *window;
	uint64_t index;
	size_t len;
	uint8_t **workers;
};

struct op_image *op_image_close(struct op_image *img)
{
	if (!img)
		return NULL;
	work_buffers_free(img->workers);
	free(img->front);
	free(img->bounce);
	free(img);
	return NULL;
}

static int load_window(void *arg, unsigned int worker, uint64_t index)
{
	struct op_image *img = arg;
	const void *bytes;
	size_t len;
	int k;

	k = store_reader_window(img->reader, index, img->workers[worker], &bytes, &len);
	if (k < 0)
		return k;
	memcpy(img->front + window_offset(store_reader_node(img->reader)->mirrored, index), bytes,
	       len);
	return 0;
}

static int load_front(struct pkram_ctx *ctx, struct op_image *img)
{
	const struct store_node *n = store_reader_node(img->reader);
	uint64_t windows = window_front(n->mirrored);
	unsigned int threads = region_threads(store_reader_region(img->reader), windows);
	int k;

	img->bounce = io_buffer_new(PKRAM_WINDOW);
	img->workers = work_buffers_new(threads, PKRAM_WINDOW);
	if (!img->bounce || !img->workers)
		return -ENOMEM;
	if (!windows)
		return 0;
	/* A front that does not fit in memory cannot be restored there either. */
	img->front = malloc(windows * PKRAM_WINDOW);
	if (!img->front)
		return -ENOMEM;
	img->front_len = MIN(n->mirrored, n->size);
	k = work_run(ctx, threads, store_reader_region(img->reader)->near, windows, load_window,
		     img);
	if (k == -EBADMSG)
		pkram_log_error(ctx, "%s: both copies of the tree's metadata are damaged", n->name);
	return k;
}

int op_image_open(struct pkram_ctx *ctx, struct store_reader *reader, struct op_image **ret)
{
	struct op_image *img = calloc(1, sizeof(*img));
	int k;

	if (!img)
		return -ENOMEM;
	img->reader = reader;
	img->index = UINT64_MAX;
	k = load_front(ctx, img);
	if (k < 0) {
		op_image_close(img);
		return k;
	}
	*ret = img;
	return 0;
}

static int image_read(void *arg, uint64_t off, size_t len, void *buf)
{
	struct op_image *img = arg;
	uint64_t mirrored = store_reader_node(img->reader)->mirrored;
	size_t done = 0;

	if (!range_ok(off, len, store_reader_node(img->reader)->size))
		return -EBADMSG;
	while (done < len) {
		uint64_t at = off + done, index = window_index(mirrored, at);
		size_t skip = at - window_offset(mirrored, index), piece;

		if (at < img->front_len) {
			piece = MIN((uint64_t)(len - done), img->front_len - at);
			memcpy((uint8_t *)buf + done, img->front + at, piece);
			done += piece;
			continue;
		}
		if (img->index != index) {
			const void *bytes;
			int k;

			img->index = UINT64_MAX;
			k = store_reader_window(img->reader, index, img->bounce, &bytes, &img->len);
			if (k < 0)
				return k;
			img->window = bytes;
			img->index = index;
		}
		piece = MIN(len - done, img->len - skip);
		memcpy((uint8_t *)buf + done, img->window + skip, piece);
		done += piece;
	}
	return 0;
}

struct tree_input op_image_input(struct op_image *img)
{
	return (struct tree_input){ .size = store_reader_node(img->reader)->size,
				    .read = image_read,
				    .arg = img };
}
