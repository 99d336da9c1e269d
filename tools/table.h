/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables whose columns the user may choose. A kind of row has one array of columns, which serves
 * the table, -o, the help and the keys of JSON.
 */
#pragma once

#include "json.h"
#include "text.h"
#include "verb.h"

enum column_type {
	COLUMN_STRING,
	COLUMN_NUMBER,	/* a count or an id */
	COLUMN_SIZE,	/* bytes: for people with a unit */
	COLUMN_TIME,	/* ns since 1970 */
	COLUMN_AGE,	/* the same, for people */
	COLUMN_BOOL,
	COLUMN_SENTENCE, /* a string that may be broken into lines on a terminal */
};

struct column {
	const char *name;	/* in upper case, as in the heading; NULL ends the array */
	const char *key;	/* of JSON */
	const char *help;
	enum column_type type;
	bool usual;		/* shown unless -o says otherwise */
};

#define COLUMNS_MAX 32

/* Which columns to show, in which order. */
struct column_list {
	const struct column *all;
	size_t index[COLUMNS_MAX];
	size_t n;
};

void columns_all(const struct column *all, struct column_list *ret);
void columns_usual(const struct column *all, struct column_list *ret);
/* "name,size", in any case. -EINVAL: unknown, or too many. */
int columns_parse(const struct column *all, const char *names, struct column_list *ret);
/* Behind a verb's options: what -o takes. */
void print_columns_help(FILE *f, const struct column *all);
/* Two columns may show one value in two ways; an object has a key once. */
bool column_is_repeated(const struct column_list *list, size_t i);

/* The text of one cell, for people; "" where there is nothing to say. Raw bytes are escaped. */
typedef const char *(*cell_fn)(const void *arg, size_t row, size_t column,
			       char buf[static TEXT_MAX]);

int table_print(const struct column_list *list, size_t rows, bool headings, cell_fn cell,
		const void *arg);
