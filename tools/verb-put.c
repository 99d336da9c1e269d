/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram put - standard input to a node. It appears only after a clean end of the input that is what
 * the caller said it would be.
 */
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "report.h"
#include "text.h"

enum { SHA256_HEX = 64 };

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

static int expect(struct pkram_stream *stream)
{
	int r = 0;

	if (opt.bytes.given)
		r = pkram_expect_bytes(stream, opt.bytes.value);
	if (r == 0 && opt.sha256)
		r = pkram_expect_sha256(stream, opt.sha256);
	return r;
}

static int put(struct cmd *cmd, const char *name)
{
	/* In this order: what is declared last is released first. */
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_(stream_discard_p) struct pkram_stream *stream = NULL;
	struct pkram_stream *whole;
	struct summary sum = { .did = "put", .name = name, .nodes = 1 };
	int r;

	r = open_region(cmd, &region);
	if (r == 0)
		r = pkram_prepare_save(region, name, opt.flags, &stream);
	if (r < 0)
		return r;
	r = expect(stream);
	if (r == 0)
		r = pkram_write_from_fd(stream, STDIN_FILENO);
	/* What was cut off is not what was expected either; the reason counts. */
	if (interrupted())
		return -ECANCELED;
	if (r < 0)
		return r;
	sum.bytes = pkram_stream_position(stream);
	sum.threads = pkram_stream_threads(stream);
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
	if (opt.sha256 && (strlen(opt.sha256) != SHA256_HEX ||
			   strspn(opt.sha256, "0123456789abcdefABCDEF") != SHA256_HEX))
		return usage_error(cmd, "--expect-sha256: not %d hex digits", SHA256_HEX);
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
