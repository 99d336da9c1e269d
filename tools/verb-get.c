/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram get - a node's bytes to standard output.
 */
#include <unistd.h>

#include "options.h"
#include "report.h"

static uint64_t flags;

static const struct option_row options[] = {
	{ "stale", 0, NULL, "also a node that was not saved for this boot", OPTION_FLAG, &flags,
	  PKRAM_LOAD_STALE },
	{ NULL },
};

static int get(struct cmd *cmd, const char *name)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	struct pkram_stream *stream;
	int r;

	r = open_region_to_look(cmd, &region);
	if (r == 0)
		r = pkram_prepare_load(region, name, flags, &stream);
	if (r < 0)
		return r;
	r = pkram_read_to_fd(stream, STDOUT_FILENO);
	pkram_finish_load(stream);
	return r;
}

static int run_get(struct cmd *cmd, int argc, char **argv)
{
	int r;

	(void)argc;
	if (isatty(STDOUT_FILENO))
		return usage_error(cmd, "standard output is a terminal, not a pipe or a file");
	progress_begin();
	r = get(cmd, argv[0]);
	progress_end();
	/* The reader has seen enough. */
	return r == -EPIPE ? EXIT_FAILED : exit_code(r);
}

const struct verb verb_get = {
	.name = "get",
	.args = "NAME",
	.help = "write a node's bytes to standard output",
	.min_args = 1,
	.max_args = 1,
	.flags = VERB_NO_JSON | VERB_NAMES,
	.options = options,
	.run = run_get,
};
