/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be said of a node: one table that serves the columns of ls, the lines of info and the
 * keys of both as JSON.
 */
#pragma once

#include "table.h"

extern const struct column node_columns[];

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
