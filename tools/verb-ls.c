/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram ls - the nodes of the region, a line each.
 */
#include <libsmartcols.h>

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
	struct column_list all;

	columns_all(&all);
	fputs("\nColumns; the first seven are the usual ones:\n", f);
	for (size_t i = 0; i < all.n; i++)
		fprintf(f, "  %-10s%s\n", columns[i].name, columns[i].help);
}

static void table_unref_p(struct libscols_table **p)
{
	scols_unref_table(*p);
}

static int add_columns(struct libscols_table *table, const struct column_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct column *c = &columns[list->index[i]];
		bool right = c->type == COLUMN_SIZE || c->type == COLUMN_NUMBER ||
			     c->type == COLUMN_AGE;

		if (!scols_table_new_column(table, c->name, 0, right ? SCOLS_FL_RIGHT : 0))
			return -ENOMEM;
	}
	return 0;
}

static int add_line(struct libscols_table *table, const struct column_list *list,
		    const struct pkram_node *node)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char buf[TEXT_MAX];
	int r;

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		r = scols_line_set_data(line, i, column_text(list->index[i], node, opt.bytes, buf));
		if (r < 0)
			return r;
	}
	return 0;
}

static int print_table(const struct pkram_node_list *nodes, const struct column_list *list)
{
	_cleanup_(table_unref_p) struct libscols_table *table = scols_new_table();
	int r;

	if (!table)
		return -ENOMEM;
	scols_table_enable_noheadings(table, opt.no_headings);
	r = add_columns(table, list);
	for (size_t i = 0; r == 0 && i < pkram_node_list_count(nodes); i++)
		r = add_line(table, list, pkram_node_list_get(nodes, i));
	return r < 0 ? r : scols_print_table(table);
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
		columns_all(&list);
	else
		columns_usual(&list);
	if (opt.columns && columns_parse(opt.columns, &list) < 0)
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
	return exit_code(print_table(nodes, &list));
}

const struct verb verb_ls = {
	.name = "ls",
	.args = "",
	.help = "list the nodes of the region",
	.options = options,
	.print_more = print_columns,
	.run = run_ls,
};
