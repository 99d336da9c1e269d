/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram ls - the nodes of the region, a line each.
 */
#include "column.h"
#include "options.h"
#include "report.h"

static struct {
	const char *columns;
	bool bytes;
	bool no_headings;
} opt;

static const struct option_row options[] = {
	{ "output", 'o', "COLUMNS", "show these, e.g. name,size,time,source", OPTION_STRING,
	  &opt.columns },
	{ "bytes", 'b', NULL, "print sizes in bytes", OPTION_BOOL, &opt.bytes },
	{ "noheadings", 'n', NULL, "leave the headings out", OPTION_BOOL, &opt.no_headings },
	{ NULL },
};

static void print_columns(FILE *f)
{
	print_columns_help(f, node_columns);
}

static const char *cell(const void *nodes, size_t row, size_t column, char buf[static TEXT_MAX])
{
	return column_text(column, pkram_node_list_get(nodes, row), opt.bytes, buf);
}

static void print_json(const struct pkram_region_info *info, const struct pkram_node_list *nodes,
		       const struct column_list *list)
{
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	region_json(info, &j);
	json_begin(&j, "nodes", '[');
	for (size_t i = 0; i < pkram_node_list_count(nodes); i++)
		node_json(list, NULL, pkram_node_list_get(nodes, i), &j);
	json_end(&j, ']');
	json_end(&j, '}');
}

static int run_ls(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_node_list_ struct pkram_node_list *nodes = NULL;
	struct pkram_region_info info;
	struct column_list list;
	int r;

	(void)argc;
	(void)argv;
	if (cmd->json)
		columns_all(node_columns, &list);
	else
		columns_usual(node_columns, &list);
	if (opt.columns && columns_parse(node_columns, opt.columns, &list) < 0)
		return usage_error(cmd, "--output: '%s' has an unknown column", opt.columns);
	r = open_region_to_look(cmd, &region);
	if (r == 0)
		r = pkram_node_list_new(region, &nodes);
	if (r == 0)
		r = pkram_region_get_info(region, &info);
	if (r < 0)
		return exit_code(r);
	if (cmd->json) {
		print_json(&info, nodes, &list);
		return EXIT_DONE;
	}
	if (info.jump == PKRAM_JUMP_STATUS_STAGED)
		say_info("a jump is staged: 'pkram kexec' goes, 'pkram kexec --cancel' does not");
	if (!pkram_node_list_count(nodes)) {
		say_info("no nodes in %s", info.spec);
		return EXIT_DONE;
	}
	return exit_code(table_print(&list, pkram_node_list_count(nodes), !opt.no_headings,
				     cell, nodes));
}

const struct verb verb_ls = {
	.name = "ls",
	.args = "",
	.help = "list the nodes of the region",
	.options = options,
	.print_more = print_columns,
	.run = run_ls,
};
