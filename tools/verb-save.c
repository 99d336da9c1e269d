/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram save - directories and files to nodes, all of one call as a set.
 */
#include <stdlib.h>

#include "copy.h"
#include "options.h"
#include "report.h"

static struct {
	const char *name;
	struct pkram_save_options save;
} opt = { .save.struct_size = sizeof(opt.save) };

static const struct option_row options[] = {
	{ "name", 'n', "NAME", "call the node NAME, not by its absolute path", OPTION_STRING,
	  &opt.name },
	{ "live", 0, NULL, "save although a file is in use", OPTION_FLAG,
	  &opt.save.flags, PKRAM_SAVE_LIVE },
	{ "allow-lossy", 0, NULL, "leave out what cannot be kept", OPTION_FLAG, &opt.save.flags,
	  PKRAM_SAVE_ALLOW_LOSSY },
	{ "cross-mounts", 0, NULL, "go into other mounts below PATH", OPTION_FLAG,
	  &opt.save.flags, PKRAM_SAVE_CROSS_MOUNTS },
	{ "keep-old", 0, NULL, "fail rather than drop an old node for its space", OPTION_FLAG,
	  &opt.save.flags, PKRAM_SAVE_KEEP_OLD },
	{ NULL },
};

static void items_free_p(struct pkram_save_item **p)
{
	free(*p);
}

static int run_save(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_(items_free_p) struct pkram_save_item *items = NULL;
	_cleanup_region_ struct pkram_region *region = NULL;
	size_t n = (size_t)argc;
	int r;

	if (opt.name && n > 1)
		return usage_error(cmd, "--name goes with one PATH");
	if (opt.name && !*opt.name)
		return usage_error(cmd, "--name: an empty word is no name");
	/* Not even of the current directory. */
	for (size_t i = 0; i < n; i++)
		if (!*argv[i])
			return usage_error(cmd, "an empty word is no PATH");
	items = calloc(n, sizeof(*items));
	if (!items)
		return exit_code(-ENOMEM);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct pkram_save_item){ .path = argv[i], .name = opt.name };
	r = open_region(cmd, &region);
	if (r < 0)
		return exit_code(r);
	return exit_code(copy_save(cmd, region, items, n, &opt.save));
}

const struct verb verb_save = {
	.name = "save",
	.args = "PATH...",
	.help = "save directories or files, each as a node, all or none",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.flags = VERB_MANY_FILES,
	.options = options,
	.run = run_save,
};
