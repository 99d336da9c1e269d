/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram info - all that is known of one node.
 */
#include <ctype.h>
#include <string.h>

#include "column.h"
#include "report.h"

static void print_lines(const struct column_list *list, const struct pkram_node *node)
{
	char buf[TEXT_MAX];
	const char *text;

	for (size_t i = 0; i < list->n; i++) {
		const struct column *c = &node_columns[list->index[i]];

		text = column_text(list->index[i], node, false, buf);
		if (!*text)
			continue;
		printf("%c", c->name[0]);
		for (const char *p = c->name + 1; *p; p++)
			putchar(tolower((unsigned char)*p));
		printf("%*s", 12 - (int)strlen(c->name), "");
		put_escaped(stdout, text);
		if (c->type == COLUMN_SIZE && !strchr(text, 'B'))
			printf(" (%s bytes)", column_text(list->index[i], node, true, buf));
		putchar('\n');
	}
}

static int run_info(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_node_list_ struct pkram_node_list *nodes = NULL;
	struct json j = { .f = stdout };
	const struct pkram_node *node;
	struct column_list list;
	int r;

	(void)argc;
	r = open_region_to_look(cmd, &region);
	if (r == 0)
		r = pkram_node_list_new(region, &nodes);
	if (r < 0)
		return exit_code(r);
	node = pkram_node_list_find(nodes, argv[0]);
	if (!node) {
		/* The library has the words for it. */
		r = pkram_verify(region, (const char *const *)argv, 1, NULL);
		return exit_code(r < 0 ? r : -ENOENT);
	}
	if (node->damaged) {
		say_error("%s: both copies of the node's block are damaged; 'pkram rm' gives its "
			  "space back", argv[0]);
		return exit_code(-EBADMSG);
	}
	columns_all(node_columns, &list);
	if (cmd->json) {
		json_begin(&j, NULL, '{');
		node_json(&list, "node", node, &j);
		json_end(&j, '}');
	} else {
		print_lines(&list, node);
	}
	return EXIT_DONE;
}

const struct verb verb_info = {
	.name = "info",
	.args = "NAME",
	.help = "show all that is known of one node",
	.min_args = 1,
	.max_args = 1,
	.flags = VERB_NAMES,
	.run = run_info,
};
