/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A JSON writer.
 */
#include "json.h"

#include "text.h"

/* U+0080 to U+009F: a terminal obeys some of them. */
static bool is_c1_control(const char *s)
{
	return (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0;
}

static void put_string(FILE *f, const char *s)
{
	size_t n;

	fputc('"', f);
	for (; *s; s += n) {
		unsigned char c = (unsigned char)*s;

		n = utf8_length(s);
		if (n == 0 || (c == '\\' && s[1] == 'x')) {
			fprintf(f, "\\\\x%02x", c);
			n = 1;
		} else if (c == '"' || c == '\\') {
			fprintf(f, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			fprintf(f, "\\u%04x", c);
		} else if (n == 2 && is_c1_control(s)) {
			fprintf(f, "\\u%04x", (unsigned char)s[1]);
		} else {
			fwrite(s, 1, n, f);
		}
	}
	fputc('"', f);
}

static void start_value(struct json *j, const char *key)
{
	if (j->more)
		fputc(',', j->f);
	if (j->depth)
		fprintf(j->f, "\n%*s", (int)j->depth * 2, "");
	if (key) {
		put_string(j->f, key);
		fputs(": ", j->f);
	}
	j->more = true;
}

void json_begin(struct json *j, const char *key, char bracket)
{
	start_value(j, key);
	fputc(bracket, j->f);
	j->depth++;
	j->more = false;
}

void json_end(struct json *j, char bracket)
{
	j->depth--;
	if (j->more)
		fprintf(j->f, "\n%*s", (int)j->depth * 2, "");
	fputc(bracket, j->f);
	j->more = true;
	if (!j->depth)
		fputc('\n', j->f);
}

void json_string(struct json *j, const char *key, const char *s)
{
	start_value(j, key);
	put_string(j->f, s);
}

void json_number(struct json *j, const char *key, uint64_t v)
{
	start_value(j, key);
	fprintf(j->f, "%ju", (uintmax_t)v);
}

void json_seconds(struct json *j, const char *key, uint64_t ns)
{
	start_value(j, key);
	fprintf(j->f, "%ju.%06ju", (uintmax_t)(ns / 1000000000),
		(uintmax_t)(ns % 1000000000 / 1000));
}

void json_rate(struct json *j, const char *key, uint64_t bytes, uint64_t ns)
{
	uint64_t mb = ns ? (uint64_t)((double)bytes * 1000 / (double)ns) : 0;

	start_value(j, key);
	fprintf(j->f, "%ju.%03ju", (uintmax_t)(mb / 1000), (uintmax_t)(mb % 1000));
}

void json_negative_seconds(struct json *j, const char *key, uint64_t ns)
{
	start_value(j, key);
	fprintf(j->f, "-%ju.%06ju", (uintmax_t)(ns / 1000000000),
		(uintmax_t)(ns % 1000000000 / 1000));
}

void json_bool(struct json *j, const char *key, bool v)
{
	start_value(j, key);
	fputs(v ? "true" : "false", j->f);
}
