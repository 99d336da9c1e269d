/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be said of a node: one table that serves the columns of ls, the lines of info and the
 * keys of both as JSON.
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
};

struct column {
	const char *name;	/* in upper case, as in the heading */
	const char *key;	/* of JSON */
	const char *help;
	enum column_type type;
	bool usual;		/* shown by ls unless -o says otherwise */
};

extern const struct column columns[];

#define COLUMNS_MAX 32

/* Which columns to show, in which order. */
struct column_list {
	size_t index[COLUMNS_MAX];
	size_t n;
};

void columns_all(struct column_list *ret);
void columns_usual(struct column_list *ret);
/* "name,size", in any case. -EINVAL: unknown, or too many. */
int columns_parse(const char *names, struct column_list *ret);

/* For people; strings may be raw bytes, which tables escape. "" where there is nothing to say. */
const char *column_text(size_t index, const struct pkram_node *node, bool raw_sizes,
			char buf[static TEXT_MAX]);
/* An object; what is not known of the node is left out. */
void node_json(const struct column_list *list, const char *key, const struct pkram_node *node,
	       struct json *j);

/* "fresh", "stale", "restored", "damaged" or "writing"; ",live" is added to the first three. */
const char *node_state(const struct pkram_node *node);
/* "staged", "armed", "arrived", "past" or "none". */
const char *jump_name(enum pkram_jump_status status);
void region_json(const struct pkram_region_info *info, struct json *j);
