/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Byte streams in PKRAM's words: prepare, write, finish or discard; prepare, read, finish.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "machine.h"
#include "op-aside.h"
#include "tree.h"

/* What a stream of unknown length reserves at most before it has come. */
#define AHEAD_MAX (256 * MIB)
/* Of a short one, no more pages are made than it fills. */
#define POPULATE_FROM (64 * KIB)

struct pkram_stream {
	struct pkram_region *region;
	struct op_yield yield;
	struct store_writer *writer;	/* save */
	struct store_reader *reader;	/* load */
	bool tree;			/* the bytes are an EROFS image */
	bool failed;
	uint64_t expected;		/* save: bytes at the end, UINT64_MAX: any */
	struct op_digest *digest;	/* save: what they have to hash to, NULL: anything */
	uint8_t *bounce;
	uint64_t began;			/* CLOCK_BOOTTIME, for the account of a jump */
	uint64_t position;
	uint64_t capacity;		/* save: reserved bytes */
	uint64_t total;			/* save: bytes that are to come, 0: not known */
	unsigned int threads;		/* at most at work at once */
	uint8_t *window; /* save: where the current window is filled; load: what it holds */
	size_t room;			/* save: bytes that fit there */
	size_t fill;			/* bytes in it */
	bool populated;			/* save: all pages of `bounce` are there */
	size_t taken;			/* load: of those, given */
	struct op_aside aside;		/* another thread, and the window that it is at: */
	uint64_t aside_index;
	uint8_t *aside_bytes;
	size_t aside_len;
};

static struct pkram_stream *stream_free(struct pkram_stream *s)
{
	if (!s)
		return NULL;
	store_writer_discard(s->writer);
	store_reader_close(s->reader);
	op_digest_free(s->digest);
	free(s->bounce);
	free(s);
	return NULL;
}

static int stream_new(struct pkram_region *region, struct pkram_stream **ret)
{
	struct pkram_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->region = region;
	s->expected = UINT64_MAX;
	s->threads = 1;
	s->began = machine_uptime();
	/* Where the region is mapped, most windows lie there. */
	s->populated = !store_region(region->store)->map;
	s->bounce = s->populated ? large_buffer_new(PKRAM_WINDOW) : io_buffer_new(PKRAM_WINDOW);
	if (!s->bounce) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

/* For a call that copies all there is, between two descriptors' ends. */
static void want_aside(struct pkram_stream *s)
{
	struct region *r = store_region(s->region->store);

	s->aside = (struct op_aside){
		.ctx = r->ctx, .wanted = !r->map && r->ctx->threads != 1,
	};
}

static void swap_bounce(struct pkram_stream *s)
{
	uint8_t *bounce = s->bounce;

	s->bounce = s->aside.bounce;
	s->aside.bounce = bounce;
}

/* --- save --- */

int pkram_prepare_save(struct pkram_region *region, const char *name, uint64_t flags,
		       struct pkram_stream **ret_stream)
{
	struct pkram_stream *s;
	int k;

	k = op_check_flags(region->ctx, "put", flags, PKRAM_PUT_TREE | PKRAM_PUT_KEEP_OLD);
	if (k < 0)
		return k;
	k = stream_new(region, &s);
	if (k < 0)
		return k;
	s->tree = flags & PKRAM_PUT_TREE;
	s->yield = (struct op_yield){ .region = region, .keep_old = flags & PKRAM_PUT_KEEP_OLD };
	k = store_writer_open(region->store, name,
			      s->tree ? PKRAM_NODE_KIND_TREE : PKRAM_NODE_KIND_STREAM, &s->writer);
	if (k < 0) {
		stream_free(s);
		return k;
	}
	*ret_stream = s;
	return 0;
}

static int check_untouched(const struct pkram_stream *s)
{
	return !s->writer || s->failed || s->position ? -EINVAL : 0;
}

int pkram_expect_bytes(struct pkram_stream *stream, uint64_t bytes)
{
	int k = check_untouched(stream);

	if (k >= 0)
		stream->expected = bytes;
	return k;
}

int pkram_expect_sha256(struct pkram_stream *stream, const char *hex)
{
	struct op_digest *digest;
	int k = check_untouched(stream);

	if (k >= 0)
		k = op_digest_new(stream->region->ctx, hex, &digest);
	if (k < 0)
		return k;
	op_digest_free(stream->digest);
	stream->digest = digest;
	return 0;
}

static void window_begin(struct pkram_stream *s)
{
	uint64_t left = s->capacity > s->position ? s->capacity - s->position : 0;

	s->fill = 0;
	s->room = (size_t)MIN(left, (uint64_t)PKRAM_WINDOW);
	s->window = s->bounce;
	if (s->room)
		s->window = store_writer_window(s->writer, s->position / PKRAM_WINDOW, s->room,
						s->bounce);
	if (s->window == s->bounce)
		s->room = PKRAM_WINDOW;
}

/*
 * Where the next bytes go: to their place where it is reserved, else to the bounce buffer until it
 * is known how many they are, so that no stream reserves more than it needs at its end. What comes
 * behind a place that is full goes where it has to be if the rest is moved there, too; mostly
 * nothing comes, and nothing is moved.
 */
static uint8_t *next_place(struct pkram_stream *s, size_t *ret_len)
{
	if (!s->window)
		window_begin(s);
	if (s->fill == s->room) {
		*ret_len = PKRAM_WINDOW - s->fill;
		return s->bounce + s->fill;
	}
	*ret_len = s->room - s->fill;
	return s->window + s->fill;
}

static void move_to_bounce(struct pkram_stream *s)
{
	memcpy(s->bounce, s->window, s->fill);
	s->window = s->bounce;
	s->room = PKRAM_WINDOW;
}

/* A long stream gets the pages of the bounce buffer by one call instead of a fault for each. */
static void populate_bounce(struct pkram_stream *s)
{
	size_t at = ALIGN_UP(s->fill, (size_t)IO_ALIGN);

	if (s->populated || s->window != s->bounce || s->fill < POPULATE_FROM)
		return;
	(void)!madvise(s->bounce + at, PKRAM_WINDOW - at, MADV_POPULATE_WRITE);
	s->populated = true;
}

static int grow(struct pkram_stream *s, uint64_t size, uint64_t ahead)
{
	int k = store_writer_grow(s->writer, size, ahead, op_yield, &s->yield, &s->capacity);

	return op_yield_end(&s->yield, k);
}

static int put_aside(void *arg)
{
	struct pkram_stream *s = arg;

	return store_writer_put(s->writer, s->aside_index, s->aside_len, s->aside_bytes);
}

static int window_end(struct pkram_stream *s)
{
	uint64_t index = (s->position - s->fill) / PKRAM_WINDOW;
	int k = op_aside_finish(&s->aside);

	if (k >= 0 && s->position > s->capacity)
		/* As much again as there is: few changes for a long stream, little lost to a short
		 * one. */
		k = grow(s, s->position,
			 s->fill == PKRAM_WINDOW ? MIN(s->position, (uint64_t)AHEAD_MAX) : 0);
	if (k < 0)
		return k;
	if (s->fill == PKRAM_WINDOW && op_aside_ready(&s->aside)) {
		s->aside_index = index;
		s->aside_len = s->fill;
		s->aside_bytes = s->window;
		swap_bounce(s);
		op_aside_start(&s->aside, put_aside, s);
		s->threads = 2;
	} else {
		k = store_writer_put(s->writer, index, s->fill, s->window);
	}
	s->window = NULL;
	s->fill = 0;
	return k;
}

static int too_many(const struct pkram_stream *s)
{
	return log_error_errno(s->region->ctx, -EIO,
			       "the input has more than %" PRIu64
			       " byte%s, as were expected; nothing was saved", s->expected,
			       plural(s->expected));
}

static int other_length(const struct pkram_stream *s, uint64_t bytes)
{
	return log_error_errno(s->region->ctx, -EIO,
			       "the input has %" PRIu64 " byte%s, expected were %" PRIu64
			       "; nothing was saved", bytes, plural(bytes), s->expected);
}

static int append_done(struct pkram_stream *s, size_t n)
{
	if (n > s->expected - s->position)
		return too_many(s);
	if (s->fill == s->room)
		move_to_bounce(s);
	if (s->digest)
		op_digest_add(s->digest, s->window + s->fill, n);
	s->fill += n;
	s->position += n;
	populate_bounce(s);
	return s->fill == PKRAM_WINDOW ? window_end(s) : 0;
}

/* What failed once has a gap: it must not be written on, nor committed. */
static int check_writable(const struct pkram_stream *s)
{
	return !s->writer || s->failed ? -EINVAL : 0;
}

int pkram_write(struct pkram_stream *stream, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	int k = check_writable(stream);

	while (len && k >= 0) {
		size_t piece;
		uint8_t *to = next_place(stream, &piece);

		piece = MIN(len, piece);
		memcpy(to, p, piece);
		p += piece;
		len -= piece;
		k = append_done(stream, piece);
	}
	if (k < 0)
		stream->failed = true;
	return k;
}

/* After a read or write failed: whether to try again. A descriptor that does not block is waited
 * for. */
static bool try_again(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (errno == EAGAIN && poll(&p, 1, -1) >= 0)
		return true;
	/* Of poll(), too: it is not restarted behind any handler. */
	return errno == EINTR;
}

static ssize_t read_some(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len);
	while (n < 0 && try_again(fd, POLLIN));
	return n < 0 ? -errno : n;
}

/*
 * A pipe holds 64 KiB, and whoever is at its other end sleeps and wakes for each: it gets room for
 * a window where the kernel grants it. What is no pipe, or has more, stays as it is.
 */
static void widen_pipe(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);

	if (size > 0 && size < (int)PKRAM_WINDOW)
		(void)!fcntl(fd, F_SETPIPE_SZ, (int)PKRAM_WINDOW);
}

/*
 * What is left to read of a file; 0: not known, or it is no file. Those of the kernel are short,
 * and what they say of their size does not hold.
 */
static uint64_t left_in(int fd)
{
	struct stat st;
	off_t at;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	at = lseek(fd, 0, SEEK_CUR);
	return at >= 0 && st.st_size - at > (off_t)PKRAM_WINDOW ? (uint64_t)(st.st_size - at) : 0;
}

/*
 * What is known of how much is to come (`left`, or 0) is reserved, or refused, before anything is
 * copied, and before an old node gives way for it.
 */
static int reserve_for(struct pkram_stream *s, uint64_t left)
{
	if (s->position)
		return 0;
	if (left && s->expected != UINT64_MAX && left != s->expected)
		return left > s->expected ? too_many(s) : other_length(s, left);
	s->total = left ? left : s->expected != UINT64_MAX ? s->expected : 0;
	return s->total > PKRAM_WINDOW ? grow(s, s->total, 0) : 0;
}

/* After `got` of `left` bytes (0: not known). Whoever cancels a put may end its input, too. */
static int input_ended(const struct pkram_stream *s, uint64_t left, uint64_t got)
{
	int k = ctx_progress(s->region->ctx, "put", s->position, s->total);

	if (k < 0 || got >= left)
		return k;
	return log_error_errno(s->region->ctx, -EIO,
			       "the file was cut while it was read, from %" PRIu64 " bytes to %"
			       PRIu64 "; nothing was saved", left, got);
}

static int write_all_from(struct pkram_stream *stream, int fd)
{
	struct pkram_ctx *ctx = stream->region->ctx;
	uint64_t left = left_in(fd), start = stream->position;
	int k = reserve_for(stream, left);

	widen_pipe(fd);
	while (k >= 0) {
		size_t room;
		uint8_t *to = next_place(stream, &room);
		ssize_t n = read_some(fd, to, room);

		if (n == 0)
			return input_ended(stream, left, stream->position - start);
		if (n < 0)
			return log_error_errno(ctx, (int)n, "cannot read the stream after %" PRIu64
					       " bytes: %m", stream->position);
		k = append_done(stream, (size_t)n);
		if (k >= 0)
			k = ctx_progress(ctx, "put", stream->position, stream->total);
	}
	return k;
}

int pkram_write_from_fd(struct pkram_stream *stream, int fd)
{
	int k = check_writable(stream), end;

	if (k < 0)
		return k;
	want_aside(stream);
	k = write_all_from(stream, fd);
	end = op_aside_end(&stream->aside);
	k = k < 0 ? k : end;
	stream->failed |= k < 0;
	return k;
}

uint64_t pkram_stream_position(const struct pkram_stream *stream)
{
	return stream->position;
}

unsigned int pkram_stream_threads(const struct pkram_stream *stream)
{
	return stream->threads;
}

static int read_back(void *arg, uint64_t off, size_t len, void *buf)
{
	return store_writer_read(arg, off, len, buf);
}

/* An image is validated before it becomes a tree: a node that cannot be restored is of no use. */
static int check_image(struct pkram_stream *s, struct store_props *props)
{
	const struct tree_input in = { .size = s->position, .read = read_back, .arg = s->writer };
	struct tree_view_info info;
	struct tree_view *view;
	int k;

	k = tree_view_new(s->region->ctx, &in, NULL, 0, &view);
	if (k < 0)
		return k;
	tree_view_info(view, &info);
	tree_view_free(view);
	props->files = info.inodes;
	props->data = info.data;
	props->foreign = true;
	return 0;
}

static int check_expected(struct pkram_stream *s)
{
	if (s->expected != UINT64_MAX && s->position != s->expected)
		return other_length(s, s->position);
	return s->digest ? op_digest_check(s->digest, s->region->ctx) : 0;
}

static int finish(struct pkram_stream *s)
{
	struct store_props props = { .began = s->began };
	int k = check_writable(s);

	if (k >= 0)
		k = check_expected(s);
	if (k >= 0 && s->fill)
		k = window_end(s);
	if (k < 0)
		return k;
	store_writer_set_size(s->writer, s->position);
	if (s->tree)
		k = check_image(s, &props);
	if (k >= 0)
		k = store_writer_set_props(s->writer, &props);
	if (k >= 0) {
		struct store_writer *w = TAKE_PTR(s->writer);

		k = store_commit(s->region->store, &w, 1);
	}
	return k;
}

int pkram_finish_save(struct pkram_stream *stream)
{
	int k = stream ? finish(stream) : -EINVAL;

	stream_free(stream);
	return k;
}

struct pkram_stream *pkram_discard_save(struct pkram_stream *stream)
{
	return stream_free(stream);
}

/* --- load --- */

/* What nobody vouches for is served whole or not at all: so it is read twice. */
static int check_survived(struct pkram_stream *s)
{
	const struct store_node *n = store_reader_node(s->reader);
	struct pkram_transfer read = { 0 };
	int k;

	if (!op_is_stale(s->region, n))
		return 0;
	k = op_verify_reader(s->region->ctx, s->reader, &read);
	return k == -EBADMSG ? op_not_survived(s->region, n->name, n) : k;
}

int pkram_prepare_load(struct pkram_region *region, const char *name, uint64_t flags,
		       struct pkram_stream **ret_stream)
{
	struct pkram_stream *s;
	int k;

	k = op_check_flags(region->ctx, "get", flags, PKRAM_LOAD_STALE);
	if (k < 0)
		return k;
	k = stream_new(region, &s);
	if (k < 0)
		return k;
	k = op_serve(region, name, flags & PKRAM_LOAD_STALE, &s->reader);
	if (k == -EBADMSG && flags & PKRAM_LOAD_STALE)
		k = op_not_survived(region, name, NULL);
	if (k >= 0 && flags & PKRAM_LOAD_STALE)
		k = check_survived(s);
	if (k < 0) {
		stream_free(s);
		return k;
	}
	*ret_stream = s;
	return 0;
}

static int read_ahead(void *arg)
{
	struct pkram_stream *s = arg;
	const void *bytes;
	int k = store_reader_window(s->reader, s->aside_index, s->aside.bounce, &bytes,
				    &s->aside_len);

	s->aside_bytes = (uint8_t *)bytes;
	return k;
}

/* One that was read ahead, or now; and has the next one read. */
static int fetch_window(struct pkram_stream *s, uint64_t index)
{
	const void *bytes;
	int k;

	if (s->aside.at_work) {
		k = op_aside_finish(&s->aside);
		swap_bounce(s);
		s->fill = s->aside_len;
		bytes = s->aside_bytes;
	} else {
		k = store_reader_window(s->reader, index, s->bounce, &bytes, &s->fill);
	}
	if (k < 0)
		return k;
	s->window = (uint8_t *)bytes;
	if (index + 1 < store_reader_node(s->reader)->windows && op_aside_ready(&s->aside)) {
		s->aside_index = index + 1;
		op_aside_start(&s->aside, read_ahead, s);
		s->threads = 2;
	}
	return 0;
}

/* Makes sure that verified bytes are at hand; 0 at the end. */
static int load_window(struct pkram_stream *s)
{
	const struct store_node *n = store_reader_node(s->reader);
	uint64_t index = window_index(n->mirrored, s->position);
	int k;

	if (s->taken < s->fill)
		return 1;
	if (s->position >= n->size)
		return 0;
	k = fetch_window(s, index);
	if (k == -EBADMSG)
		op_log_damage(s->region->ctx, s->reader, s->position,
			      window_length(n->size, n->mirrored, index));
	if (k < 0) {
		s->fill = s->taken = 0;
		return k;
	}
	s->taken = 0;
	return 1;
}

ssize_t pkram_read(struct pkram_stream *stream, void *buf, size_t len)
{
	int k = stream->reader ? load_window(stream) : -EINVAL;
	size_t n;

	if (k <= 0)
		return k;
	n = MIN(len, stream->fill - stream->taken);
	memcpy(buf, stream->window + stream->taken, n);
	stream->taken += n;
	stream->position += n;
	return (ssize_t)n;
}

static ssize_t write_some(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = write(fd, buf, len);
	while (n < 0 && try_again(fd, POLLOUT));
	return n < 0 ? -errno : n;
}

static int read_all_to(struct pkram_stream *stream, int fd)
{
	struct pkram_ctx *ctx = stream->region->ctx;
	int k = 0;

	widen_pipe(fd);
	while (k >= 0) {
		ssize_t n;

		k = load_window(stream);
		if (k <= 0)
			break;
		n = write_some(fd, stream->window + stream->taken, stream->fill - stream->taken);
		/* A reader that has seen enough is no fault. */
		if (n == -EPIPE)
			return (int)n;
		/* Of the mapped region, which held when its checksum was asked for. */
		if (n == -EFAULT)
			return log_error_errno(ctx, -EIO, "%s: cannot be read behind byte %" PRIu64
					       ": %m", store_reader_node(stream->reader)->name,
					       stream->position);
		if (n < 0)
			return log_error_errno(ctx, (int)n, "cannot write the stream after %" PRIu64
					       " bytes: %m", stream->position);
		stream->taken += (size_t)n;
		stream->position += (uint64_t)n;
		k = ctx_progress(ctx, "get", stream->position,
				 store_reader_node(stream->reader)->size);
	}
	return k;
}

int pkram_read_to_fd(struct pkram_stream *stream, int fd)
{
	int k;

	if (!stream->reader)
		return -EINVAL;
	want_aside(stream);
	k = read_all_to(stream, fd);
	/* What was read ahead is not asked for any more. */
	(void)op_aside_end(&stream->aside);
	return k;
}

int pkram_finish_load(struct pkram_stream *stream)
{
	struct store_restored restored;
	const struct store_node *n;

	if (!stream)
		return 0;
	n = stream->reader ? store_reader_node(stream->reader) : NULL;
	/* A copy of a tree's image restores no tree. */
	if (n && n->kind == PKRAM_NODE_KIND_STREAM && stream->position == n->size) {
		restored = (struct store_restored){ .reader = stream->reader,
						    .end = machine_uptime() };
		restored.took = restored.end - stream->began;
		op_note_restored(stream->region, &restored, 1);
	}
	stream_free(stream);
	return 0;
}
