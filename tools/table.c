/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <libsmartcols.h>
#include <string.h>
#include <strings.h>

void columns_all(const struct column *all, struct column_list *ret)
{
	*ret = (struct column_list){ .all = all };
	while (all[ret->n].name && ret->n < COLUMNS_MAX) {
		ret->index[ret->n] = ret->n;
		ret->n++;
	}
}

void columns_usual(const struct column *all, struct column_list *ret)
{
	*ret = (struct column_list){ .all = all };
	for (size_t i = 0; all[i].name && i < COLUMNS_MAX; i++)
		if (all[i].usual)
			ret->index[ret->n++] = i;
}

static int column_find(const struct column *all, const char *name, size_t len)
{
	for (size_t i = 0; all[i].name; i++)
		if (strlen(all[i].name) == len && strncasecmp(all[i].name, name, len) == 0)
			return (int)i;
	return -ENOENT;
}

int columns_parse(const struct column *all, const char *names, struct column_list *ret)
{
	size_t len;
	int r;

	*ret = (struct column_list){ .all = all };
	for (;; names += len + 1) {
		len = strcspn(names, ",");
		r = column_find(all, names, len);
		if (r < 0 || ret->n == COLUMNS_MAX)
			return -EINVAL;
		ret->index[ret->n++] = (size_t)r;
		if (!names[len])
			return 0;
	}
}

void print_columns_help(FILE *f, const struct column *all)
{
	size_t usual = 0;

	for (size_t i = 0; all[i].name; i++)
		usual += all[i].usual;
	fprintf(f, "\nColumns; the first %zu are the usual ones:\n", usual);
	for (size_t i = 0; all[i].name; i++)
		fprintf(f, "  %-12s%s\n", all[i].name, all[i].help);
}

bool column_is_repeated(const struct column_list *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(list->all[list->index[k]].key, list->all[list->index[i]].key) == 0)
			return true;
	return false;
}

static void table_unref_p(struct libscols_table **p)
{
	scols_unref_table(*p);
}

static int flags_of(enum column_type type)
{
	switch (type) {
	case COLUMN_SIZE:
	case COLUMN_NUMBER:
	case COLUMN_AGE:
		return SCOLS_FL_RIGHT;
	case COLUMN_SENTENCE:
		return SCOLS_FL_WRAP;
	default:
		return 0;
	}
}

static int add_columns(struct libscols_table *table, const struct column_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct column *c = &list->all[list->index[i]];

		if (!scols_table_new_column(table, c->name, 0, flags_of(c->type)))
			return -ENOMEM;
	}
	return 0;
}

static int add_line(struct libscols_table *table, const struct column_list *list, size_t row,
		    cell_fn cell, const void *arg)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char buf[TEXT_MAX];
	int r = line ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = scols_line_set_data(line, i, cell(arg, row, list->index[i], buf));
	return r;
}

int table_print(const struct column_list *list, size_t rows, bool headings, cell_fn cell,
		const void *arg)
{
	_cleanup_(table_unref_p) struct libscols_table *table = scols_new_table();
	int r;

	if (!table)
		return -ENOMEM;
	scols_table_enable_noheadings(table, !headings);
	r = add_columns(table, list);
	for (size_t i = 0; r == 0 && i < rows; i++)
		r = add_line(table, list, i, cell, arg);
	return r < 0 ? r : scols_print_table(table);
}
