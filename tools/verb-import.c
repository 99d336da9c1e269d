/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram import - the nodes of an exported file into the region, all or none.
 */
#include "options.h"
#include "report.h"

static uint64_t flags;

static const struct option_row options[] = {
	{ "force", 'f', NULL, "in place of the nodes that are there", OPTION_FLAG, &flags,
	  PKRAM_IMPORT_FORCE },
	{ NULL },
};

static int run_import(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	struct pkram_transfer t;
	int r = check_file_word(cmd, argv[0]);

	(void)argc;
	if (r != EXIT_DONE)
		return r;
	r = open_region(cmd, &region);
	if (r < 0)
		return exit_code(r);
	progress_begin();
	catch_signals(-1);
	r = pkram_import(region, argv[0], flags, &t);
	progress_end();
	if (r == 0)
		print_summary(cmd, &(struct summary){
			.did = "imported", .trees = true, .nodes = t.nodes, .files = t.files,
			.bytes = t.bytes, .ns = t.ns, .threads = t.threads });
	return exit_code(r);
}

const struct verb verb_import = {
	.name = "import",
	.args = "FILE",
	.help = "copy the nodes of an exported file into the region",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.run = run_import,
};
