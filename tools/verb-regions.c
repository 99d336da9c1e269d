/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram regions - the memory of this machine that could hold a region, a line each.
 */
#include <inttypes.h>
#include <string.h>

#include "memory.h"
#include "options.h"
#include "report.h"
#include "table.h"

static struct {
	const char *columns;
	bool bytes;
	bool no_headings;
} opt;

static const struct option_row options[] = {
	{ "output", 'o', "COLUMNS", "show these, e.g. device,range,state,hint", OPTION_STRING,
	  &opt.columns },
	{ "bytes", 'b', NULL, "print sizes in bytes", OPTION_BOOL, &opt.bytes },
	{ "noheadings", 'n', NULL, "leave the headings out", OPTION_BOOL, &opt.no_headings },
	{ NULL },
};

enum {
	KIND, DEVICE, RANGE, SIZE, USABLE, NODE, MODE, STATE, RESERVED_BY, HINT, ALIGN, SPEC,
	DETAIL, UUID, GENERATION, CONTAINER, NODES, FREE, N_COLUMNS,
};

static const struct column columns[] = {
	[KIND] = { "KIND", "kind", "what kind of memory it is", COLUMN_STRING, true },
	[DEVICE] = { "DEVICE", "device", "the device, or the file", COLUMN_STRING, true },
	[RANGE] = { "RANGE", "start", "physical addresses, from the first to the last byte",
		    COLUMN_STRING, true },
	[SIZE] = { "SIZE", "size", "bytes of it", COLUMN_SIZE, true },
	[USABLE] = { "USABLE", "usable", "of those, for a container", COLUMN_SIZE, true },
	[NODE] = { "NODE", "node", "the closest NUMA node", COLUMN_NUMBER, true },
	[MODE] = { "MODE", "mode", "how it can be reached", COLUMN_STRING, true },
	[STATE] = { "STATE", "state", "what is in it, or who has it", COLUMN_STRING, true },
	[RESERVED_BY] = { "RESERVED-BY", "reserved_by", "word of the command line, or firmware",
			  COLUMN_STRING, true },
	[HINT] = { "HINT", "hint", "what to do next", COLUMN_SENTENCE, true },
	[ALIGN] = { "ALIGN", "align", "bytes of a page of its mappings", COLUMN_SIZE },
	[SPEC] = { "SPEC", "spec", "what -r takes", COLUMN_STRING },
	[DETAIL] = { "DETAIL", "detail", "more of the state", COLUMN_STRING },
	[UUID] = { "UUID", "uuid", "of the container", COLUMN_STRING },
	[GENERATION] = { "GENERATION", "generation", "of the container", COLUMN_NUMBER },
	[CONTAINER] = { "CONTAINER", "container", "bytes of the container", COLUMN_SIZE },
	[NODES] = { "NODES", "nodes", "in the container", COLUMN_NUMBER },
	[FREE] = { "FREE", "free", "bytes of the container in no node", COLUMN_SIZE },
	[N_COLUMNS] = { NULL },
};
_Static_assert(N_COLUMNS <= COLUMNS_MAX, "a list of columns holds all of them");

static void print_columns(FILE *f)
{
	print_columns_help(f, columns);
}

static bool is_known(size_t column, const struct pkram_memory *m)
{
	switch (column) {
	case RANGE:
		return m->phys && m->size;
	case SIZE:
		return m->size;
	case USABLE:
		return m->usable;
	case ALIGN:
		return m->align;
	case NODE:
		return m->node >= 0;
	case UUID:
	case GENERATION:
	case CONTAINER:
	case NODES:
	case FREE:
		return m->state == PKRAM_MEMORY_CONTAINER;
	default:
		return true;
	}
}

static uint64_t number_of(size_t column, const struct pkram_memory *m)
{
	switch (column) {
	case SIZE:
		return m->size;
	case USABLE:
		return m->usable;
	case NODE:
		return (uint64_t)m->node;
	case ALIGN:
		return m->align;
	case GENERATION:
		return m->generation;
	case CONTAINER:
		return m->container_size;
	case NODES:
		return m->nodes;
	case FREE:
		return m->free;
	}
	return 0;
}

static const char *string_of(size_t column, const struct pkram_memory *m)
{
	switch (column) {
	case KIND:
		return memory_kind_name(m->kind);
	case DEVICE:
		return m->device;
	case MODE:
		return memory_mode_name(m->mode);
	case STATE:
		return memory_state_name(m->state);
	case RESERVED_BY:
		return m->reserved_by;
	case HINT:
		return m->hint;
	case SPEC:
		return m->spec;
	case DETAIL:
		return m->detail;
	case UUID:
		return m->uuid;
	}
	return "";
}

/* With what makes it worth saying: one column for people, several for programs. */
static const char *state_text(const struct pkram_memory *m, char buf[static TEXT_MAX])
{
	char free_space[TEXT_MAX];

	if (m->state == PKRAM_MEMORY_CONTAINER)
		snprintf(buf, TEXT_MAX, "container, %ju node%s, %s free", (uintmax_t)m->nodes,
			 plural(m->nodes), human_size(free_space, m->free, true));
	else if (m->state == PKRAM_MEMORY_FOREIGN)
		snprintf(buf, TEXT_MAX, "foreign, %s", m->detail);
	else if (m->state == PKRAM_MEMORY_BUSY)
		snprintf(buf, TEXT_MAX, "busy, %.*s", (int)strcspn(m->detail, ";"), m->detail);
	else
		return memory_state_name(m->state);
	return buf;
}

static const char *cell(const void *list, size_t row, size_t column, char buf[static TEXT_MAX])
{
	const struct pkram_memory *m = pkram_memory_list_get(list, row);

	if (!is_known(column, m))
		return "";
	if (column == RANGE) {
		snprintf(buf, TEXT_MAX, "%#" PRIx64 "-%#" PRIx64, m->phys, m->phys + m->size - 1);
		return buf;
	}
	if (column == STATE)
		return state_text(m, buf);
	switch (columns[column].type) {
	case COLUMN_SIZE:
		if (!opt.bytes)
			return human_size(buf, number_of(column, m), true);
		/* fallthrough */
	case COLUMN_NUMBER:
		snprintf(buf, TEXT_MAX, "%ju", (uintmax_t)number_of(column, m));
		return buf;
	default:
		return string_of(column, m);
	}
}

static void memory_json(const struct column_list *list, const struct pkram_memory *m,
			struct json *j)
{
	json_begin(j, NULL, '{');
	for (size_t i = 0; i < list->n; i++) {
		const struct column *c = &columns[list->index[i]];

		if (!is_known(list->index[i], m) || column_is_repeated(list, i))
			continue;
		if (list->index[i] == RANGE) {
			json_number(j, "start", m->phys);
			json_number(j, "end", m->phys + m->size - 1);
		} else if (c->type == COLUMN_SIZE || c->type == COLUMN_NUMBER) {
			json_number(j, c->key, number_of(list->index[i], m));
		} else {
			json_string(j, c->key, string_of(list->index[i], m));
		}
	}
	json_end(j, '}');
}

static void print_json(const struct column_list *list, const struct pkram_memory_list *memory)
{
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	json_begin(&j, "regions", '[');
	for (size_t i = 0; i < pkram_memory_list_count(memory); i++)
		memory_json(list, pkram_memory_list_get(memory, i), &j);
	json_end(&j, ']');
	json_end(&j, '}');
}

static void list_free_p(struct pkram_memory_list **p)
{
	pkram_memory_list_free(*p);
}

static int run_regions(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_(list_free_p) struct pkram_memory_list *memory = NULL;
	struct column_list list;
	int r;

	(void)argc;
	(void)argv;
	if (cmd->json)
		columns_all(columns, &list);
	else
		columns_usual(columns, &list);
	if (opt.columns && columns_parse(columns, opt.columns, &list) < 0)
		return usage_error(cmd, "--output: '%s' has an unknown column", opt.columns);
	r = pkram_memory_list_new(cmd->ctx, cmd->region, &memory);
	if (r < 0)
		return exit_code(r);
	if (cmd->json) {
		print_json(&list, memory);
		return EXIT_DONE;
	}
	if (!pkram_memory_list_count(memory)) {
		say_info("no memory of this machine is reserved; 'pkram plan SIZE' finds a place "
			 "for a region");
		return EXIT_DONE;
	}
	return exit_code(table_print(&list, pkram_memory_list_count(memory), !opt.no_headings,
				     cell, memory));
}

const struct verb verb_regions = {
	.name = "regions",
	.args = "",
	.help = "list the memory that could hold a region",
	.options = options,
	.print_more = print_columns,
	.run = run_regions,
};
