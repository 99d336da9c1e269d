/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram put - standard input to a node. It appears only after a clean end of the input that is what
 * the caller said it would be.
 */
#include <nettle/sha2.h>
#include <nettle/version.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "options.h"
#include "report.h"
#include "text.h"

enum { PIECE = 1 << 20, DIGEST_HEX = 2 * SHA256_DIGEST_SIZE };

static struct {
	struct optional_bytes bytes;
	const char *sha256;
	uint64_t flags;
} opt;

static const struct option_row options[] = {
	{ "tree", 0, NULL, "the input is an EROFS image; make a tree of it", OPTION_FLAG,
	  &opt.flags, PKRAM_PUT_TREE },
	{ "expect-bytes", 0, "N", "fail unless the input has N bytes", OPTION_BYTES, &opt.bytes },
	{ "expect-sha256", 0, "HEX", "fail unless the input has this hash", OPTION_STRING,
	  &opt.sha256 },
	{ "keep-old", 0, NULL, "fail rather than drop an old node for its space", OPTION_FLAG,
	  &opt.flags, PKRAM_PUT_KEEP_OLD },
	{ NULL },
};

static void stream_discard_p(struct pkram_stream **p)
{
	pkram_discard_save(*p);
}

static void buffer_free_p(void *p)
{
	free(*(void **)p);
}

/* Whoever gave it to us may have made it one that does not block. */
static bool wait_for_input(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* Reads standard input to its end through a hash. */
static int write_hashed(struct pkram_stream *stream, struct sha256_ctx *digest)
{
	_cleanup_(buffer_free_p) void *piece = malloc(PIECE);
	ssize_t n;
	int r;

	if (!piece)
		return -ENOMEM;
	for (;;) {
		n = read(STDIN_FILENO, piece, PIECE);
		if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_input())))
			continue;
		if (n < 0) {
			r = -errno;
			say_error("standard input: %s", strerror(-r));
			return r;
		}
		if (n == 0)
			return 0;
		sha256_update(digest, (size_t)n, piece);
		r = pkram_write(stream, piece, (size_t)n);
		if (r < 0)
			return r;
	}
}

static int check_digest(struct sha256_ctx *digest)
{
	uint8_t md[SHA256_DIGEST_SIZE];
	char hex[DIGEST_HEX + 1];

#if NETTLE_VERSION_MAJOR >= 4
	sha256_digest(digest, md);
#else
	sha256_digest(digest, sizeof(md), md);
#endif
	for (size_t i = 0; i < sizeof(md); i++)
		sprintf(hex + 2 * i, "%02x", md[i]);
	if (strcasecmp(hex, opt.sha256) == 0)
		return 0;
	say_error("the input has sha256 %s, expected was %s; nothing was saved", hex, opt.sha256);
	return -EIO;
}

static int write_all(struct pkram_stream *stream)
{
	struct sha256_ctx digest;
	int r;

	if (!opt.sha256)
		return pkram_write_from_fd(stream, STDIN_FILENO);
	sha256_init(&digest);
	r = write_hashed(stream, &digest);
	/* An input that was cut off has the wrong hash, too; say the reason instead. */
	if (r < 0 || interrupted())
		return r;
	return check_digest(&digest);
}

static int check_bytes(uint64_t bytes)
{
	if (!opt.bytes.given || bytes == opt.bytes.value)
		return 0;
	say_error("the input has %ju byte%s, expected were %ju; nothing was saved",
		  (uintmax_t)bytes, plural(bytes), (uintmax_t)opt.bytes.value);
	return -EIO;
}

static int put(struct cmd *cmd, const char *name)
{
	/* In this order: what is declared last is released first. */
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_(stream_discard_p) struct pkram_stream *stream = NULL;
	struct pkram_stream *whole;
	struct summary sum = { .did = "put", .name = name, .nodes = 1, .threads = 1 };
	int r;

	r = open_region(cmd, &region);
	if (r == 0)
		r = pkram_prepare_save(region, name, opt.flags, &stream);
	if (r < 0)
		return r;
	r = write_all(stream);
	if (interrupted())
		return -ECANCELED;
	if (r < 0)
		return r;
	sum.bytes = pkram_stream_position(stream);
	r = check_bytes(sum.bytes);
	if (r < 0)
		return r;
	whole = stream;
	stream = NULL;
	r = pkram_finish_save(whole);
	sum.ns = progress_ns();
	progress_end();
	if (r == 0)
		print_summary(cmd, &sum);
	return r;
}

static int run_put(struct cmd *cmd, int argc, char **argv)
{
	int r;

	(void)argc;
	if (opt.sha256 && (strlen(opt.sha256) != DIGEST_HEX ||
			   strspn(opt.sha256, "0123456789abcdefABCDEF") != DIGEST_HEX))
		return usage_error(cmd, "--expect-sha256: not %d hex digits", DIGEST_HEX);
	if (isatty(STDIN_FILENO))
		return usage_error(cmd, "standard input is a terminal, not a pipe or a file");
	progress_begin();
	catch_signals(STDIN_FILENO);
	r = put(cmd, argv[0]);
	progress_end();
	return exit_code(r);
}

const struct verb verb_put = {
	.name = "put",
	.args = "NAME",
	.help = "save standard input as a node",
	.min_args = 1,
	.max_args = 1,
	.flags = VERB_NAMES,
	.options = options,
	.run = run_put,
};
