/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram export - all nodes to a file on a disk.
 */
#include "options.h"
#include "report.h"

static uint64_t flags;

static const struct option_row options[] = {
	{ "force", 'f', NULL, "replace a file of that name", OPTION_FLAG, &flags,
	  PKRAM_EXPORT_FORCE },
	{ NULL },
};

static int run_export(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	struct pkram_transfer t;
	int r = check_file_word(cmd, argv[0]);

	(void)argc;
	if (r != EXIT_DONE)
		return r;
	r = open_region_to_look(cmd, &region);
	if (r < 0)
		return exit_code(r);
	progress_begin();
	catch_signals(-1);
	r = pkram_export(region, argv[0], flags, &t);
	progress_end();
	if (r == 0)
		print_summary(cmd, &(struct summary){
			.did = "exported", .trees = true, .nodes = t.nodes, .files = t.files,
			.bytes = t.bytes, .ns = t.ns, .threads = t.threads });
	if (r == -ENODATA) {
		exit_code(r);
		return EXIT_NOTHING;
	}
	return exit_code(r);
}

const struct verb verb_export = {
	.name = "export",
	.args = "FILE",
	.help = "write all nodes to a file, verified",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.run = run_export,
};
