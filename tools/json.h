/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A JSON writer. Strings are any bytes: what is not UTF-8 becomes \xNN in the string's text, as
 * does a backslash before an x (see pkram(8)), so that the output is UTF-8 and no two names look
 * alike.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *f;
	unsigned int depth;
	bool more;	/* something stands before in this object or array */
};

/* `key` is NULL inside arrays and for the outermost value. */
void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *s);
void json_number(struct json *j, const char *key, uint64_t v);
void json_seconds(struct json *j, const char *key, uint64_t ns);
/* GB/s; 0 where it took no time. */
void json_rate(struct json *j, const char *key, uint64_t bytes, uint64_t ns);
/* Of -ns. */
void json_negative_seconds(struct json *j, const char *key, uint64_t ns);
void json_bool(struct json *j, const char *key, bool v);
