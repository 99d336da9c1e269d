/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram rm - remove nodes, all that are named or none.
 */
#include "json.h"
#include "options.h"
#include "report.h"

static uint64_t flags;

static const struct option_row options[] = {
	{ "wipe", 'w', NULL, "overwrite their bytes as well", OPTION_FLAG, &flags,
	  PKRAM_REMOVE_WIPE },
	{ NULL },
};

static int run_rm(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	struct json j = { .f = stdout };
	int r;

	r = open_region(cmd, &region);
	if (r == 0)
		r = pkram_node_remove(region, (const char *const *)argv, (size_t)argc, flags);
	if (r < 0 || !cmd->json)
		return exit_code(r);
	json_begin(&j, NULL, '{');
	json_string(&j, "verb", cmd->verb->name);
	json_begin(&j, "removed", '[');
	for (int i = 0; i < argc; i++)
		json_string(&j, NULL, argv[i]);
	json_end(&j, ']');
	json_end(&j, '}');
	return EXIT_DONE;
}

const struct verb verb_rm = {
	.name = "rm",
	.args = "NAME...",
	.help = "remove nodes, all that are named or none",
	.min_args = 1,
	.max_args = ARGS_ANY,
	.flags = VERB_NAMES,
	.options = options,
	.run = run_rm,
};
