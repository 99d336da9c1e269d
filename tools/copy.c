/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copy.h"

#include "report.h"

int copy_save(struct cmd *cmd, struct pkram_region *region, const struct pkram_save_item *items,
	      size_t n, const struct pkram_save_options *opts)
{
	struct pkram_transfer t;
	int r;

	progress_begin();
	catch_signals(-1);
	r = pkram_save_trees(region, items, n, opts, &t);
	progress_end();
	if (r == 0)
		print_summary(cmd, &(struct summary){
			.did = "saved", .trees = true, .nodes = t.nodes, .files = t.files,
			.bytes = t.bytes, .ns = t.ns, .threads = t.threads });
	return r;
}

int copy_restore(struct cmd *cmd, struct pkram_region *region, const char *const *names, size_t n,
		 const struct pkram_restore_options *opts)
{
	struct pkram_transfer t = { 0 };
	int r;

	progress_begin();
	catch_signals(-1);
	r = pkram_restore_trees(region, names, n, opts, &t);
	progress_end();
	/* After a salvage, some is there. */
	if (r == 0 || t.nodes)
		print_summary(cmd, &(struct summary){
			.did = "restored", .trees = true, .nodes = t.nodes, .files = t.files,
			.bytes = t.bytes, .ns = t.ns, .threads = t.threads,
			.small_pages = &t.small_pages });
	return r;
}
