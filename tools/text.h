/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes, sizes and times as text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TEXT_MAX = 64 };

/* Bytes of the UTF-8 character at s, strictly; 0 where there is none. */
size_t utf8_length(const char *s);

/*
 * Writes s so that a terminal obeys none of it: what is not printable in the locale becomes \xNN,
 * byte by byte, and a backslash before an x becomes \x5c, so that the escapes can be undone.
 */
void put_escaped(FILE *f, const char *s);
/* The same of what has such escapes already, as the library's messages have. */
void put_printable(FILE *f, const char *s);
/* The same of lines, with the prefix before each of them; their ends and tabs stay. */
void put_escaped_lines(FILE *f, const char *prefix, const char *s);

/* Of a noun that n stands before. */
static inline const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* "1.5G" (short) or "1.5 GiB". */
const char *human_size(char buf[static TEXT_MAX], uint64_t bytes, bool shortly);
/* "1.6 GB/s" */
const char *human_rate(char buf[static TEXT_MAX], uint64_t bytes, uint64_t ns);
/* "12s", "3m", "5h", "2d"; nothing after the present is older than "0s". */
const char *human_age(char buf[static TEXT_MAX], int64_t then_ns);
/* "2026-11-22 10:11:12" in the local zone. */
const char *local_time(char buf[static TEXT_MAX], int64_t ns);
/* "2026-11-22T10:11:12.123456789Z" */
const char *utc_time(char buf[static TEXT_MAX], int64_t ns);

/* "16", "4K", "10GiB"; units are powers of 1024. -EINVAL, -ERANGE. */
int parse_size(const char *s, uint64_t *ret);

/* What systemd.time(7) calls a time span, as in "5min 30s", or "infinity". */
bool is_time_span(const char *s);
