/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram verify - read every checksum.
 */
#include "report.h"

static int run_verify(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	struct pkram_transfer t = { 0 };
	int r;

	r = open_region_to_look(cmd, &region);
	if (r < 0)
		return exit_code(r);
	progress_begin();
	catch_signals(-1);
	r = pkram_verify(region, (const char *const *)argv, (size_t)argc, &t);
	progress_end();
	/* Damage is what a program wants to be told; people have been. */
	if (r == 0 || (cmd->json && t.damaged))
		print_summary(cmd, &(struct summary){
			.did = "verified", .nodes = t.nodes, .damaged = &t.damaged,
			.bytes = t.bytes, .ns = t.ns, .threads = t.threads });
	return exit_code(r);
}

const struct verb verb_verify = {
	.name = "verify",
	.args = "[NAME...]",
	.help = "read every checksum of all nodes, or of those named",
	.max_args = ARGS_ANY,
	.flags = VERB_NAMES,
	.run = run_verify,
};
