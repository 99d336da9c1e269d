/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes, sizes and times as text.
 */
#include "text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#define NS_PER_S INT64_C(1000000000)

size_t utf8_length(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (u[0] < 0x80)
		return u[0] != 0;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		n = 2;
	else if ((u[0] & 0xf0) == 0xe0)
		n = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		n = 4;
	else
		return 0;
	/* The second byte alone rules out longer forms, surrogates, and what lies past U+10FFFF. */
	if (u[0] == 0xe0)
		low = 0xa0;
	else if (u[0] == 0xed)
		high = 0x9f;
	else if (u[0] == 0xf0)
		low = 0x90;
	else if (u[0] == 0xf4)
		high = 0x8f;
	if (u[1] < low || u[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Bytes of the character at s that may go to a terminal as they are; 0: the first byte must not. */
static size_t printable_length(const char *s, size_t left)
{
	mbstate_t state = { 0 };
	wchar_t wc;
	size_t n;

	n = mbrtowc(&wc, s, left, &state);
	if (n == 0 || n == (size_t)-1 || n == (size_t)-2 || !iswprint((wint_t)wc))
		return 0;
	return n;
}

static void put_part(FILE *f, const char *s, size_t left, bool has_escapes)
{
	for (size_t n; left; s += n, left -= n) {
		n = !has_escapes && s[0] == '\\' && s[1] == 'x' ? 0 : printable_length(s, left);
		if (n) {
			fwrite(s, 1, n, f);
		} else {
			fprintf(f, "\\x%02x", (unsigned char)*s);
			n = 1;
		}
	}
}

void put_escaped(FILE *f, const char *s)
{
	put_part(f, s, strlen(s), false);
}

void put_printable(FILE *f, const char *s)
{
	put_part(f, s, strlen(s), true);
}

void put_escaped_lines(FILE *f, const char *prefix, const char *s)
{
	bool begins = true;

	while (*s) {
		size_t len = strcspn(s, "\n\t");

		if (begins)
			fputs(prefix, f);
		put_part(f, s, len, false);
		s += len;
		begins = *s == '\n';
		if (*s)
			fputc(*s++, f);
	}
}

const char *human_size(char buf[static TEXT_MAX], uint64_t bytes, bool shortly)
{
	static const char units[] = "BKMGTPE";
	uint64_t tenths = 0;
	unsigned int u = 0;

	while (bytes >> (10 * u) >= 1024 && u < 6)
		u++;
	if (u) {
		/* Tenths, rounded: computed from the next smaller unit, which cannot overflow. */
		uint64_t small = bytes >> (10 * (u - 1));

		tenths = (small * 10 + 512) / 1024;
		if (tenths >= 10240 && u < 6) {
			tenths = 10;
			u++;
		}
	}
	if (u == 0 && shortly)
		snprintf(buf, TEXT_MAX, "%juB", (uintmax_t)bytes);
	else if (u == 0)
		snprintf(buf, TEXT_MAX, "%ju byte%s", (uintmax_t)bytes, plural(bytes));
	else
		snprintf(buf, TEXT_MAX, shortly ? "%ju.%ju%c" : "%ju.%ju %ciB",
			 (uintmax_t)(tenths / 10), (uintmax_t)(tenths % 10), units[u]);
	return buf;
}

const char *human_rate(char buf[static TEXT_MAX], uint64_t bytes, uint64_t ns)
{
	double rate = ns ? (double)bytes / ((double)ns / 1e9) : 0;

	if (rate >= 1e8)
		snprintf(buf, TEXT_MAX, "%.1f GB/s", rate / 1e9);
	else
		snprintf(buf, TEXT_MAX, "%.1f MB/s", rate / 1e6);
	return buf;
}

const char *human_age(char buf[static TEXT_MAX], int64_t then_ns)
{
	struct timespec now;
	int64_t s;

	clock_gettime(CLOCK_REALTIME, &now);
	s = now.tv_sec - then_ns / NS_PER_S;
	if (s < 0)
		s = 0;
	if (s < 120)
		snprintf(buf, TEXT_MAX, "%jds", (intmax_t)s);
	else if (s < 120 * 60)
		snprintf(buf, TEXT_MAX, "%jdm", (intmax_t)(s / 60));
	else if (s < 48 * 3600)
		snprintf(buf, TEXT_MAX, "%jdh", (intmax_t)(s / 3600));
	else
		snprintf(buf, TEXT_MAX, "%jdd", (intmax_t)(s / 86400));
	return buf;
}

/* Seconds, rounded down also before 1970, and the rest. */
static time_t split_time(int64_t ns, long *ret_rest)
{
	int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		s--;
		rest += NS_PER_S;
	}
	*ret_rest = (long)rest;
	return (time_t)s;
}

const char *local_time(char buf[static TEXT_MAX], int64_t ns)
{
	struct tm tm;
	long rest;
	time_t t = split_time(ns, &rest);

	if (!localtime_r(&t, &tm) || !strftime(buf, TEXT_MAX, "%F %T", &tm))
		snprintf(buf, TEXT_MAX, "@%jd", (intmax_t)t);
	return buf;
}

const char *utc_time(char buf[static TEXT_MAX], int64_t ns)
{
	struct tm tm;
	long rest;
	time_t t = split_time(ns, &rest);
	size_t n;

	if (!gmtime_r(&t, &tm) || !(n = strftime(buf, TEXT_MAX - 16, "%FT%T", &tm)))
		n = (size_t)snprintf(buf, TEXT_MAX - 16, "@%jd", (intmax_t)t);
	snprintf(buf + n, TEXT_MAX - n, ".%09ldZ", rest);
	return buf;
}

int parse_size(const char *s, uint64_t *ret)
{
	static const char units[] = "KMGT";
	uint64_t v = 0;
	const char *unit;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	if (*s) {
		unit = strchr(units, *s >= 'a' ? *s - 'a' + 'A' : *s);
		if (!unit || (s[1] && strcasecmp(s + 1, "iB") != 0))
			return -EINVAL;
		if (__builtin_mul_overflow(v, UINT64_C(1) << (10 * (unit - units + 1)), &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

/* Microseconds of the unit whose name has `len` bytes, none: a second; 0: there is no such unit. */
static uint64_t unit_usec(const char *s, size_t len)
{
	static const struct {
		const char *names;	/* each between spaces */
		uint64_t usec;
	} units[] = {
		{ " us usec \u00b5s ", 1 },
		{ " ms msec ", 1000 },
		{ "  s sec second seconds ", 1000000 },
		{ " m min minute minutes ", UINT64_C(60) * 1000000 },
		{ " h hr hour hours ", UINT64_C(3600) * 1000000 },
		{ " d day days ", UINT64_C(86400) * 1000000 },
		{ " w week weeks ", UINT64_C(7) * 86400 * 1000000 },
		{ " M month months ", UINT64_C(2629800) * 1000000 },
		{ " y year years ", UINT64_C(31557600) * 1000000 },
	};
	char name[16];

	if (len > sizeof(name) - 3)
		return 0;
	snprintf(name, sizeof(name), " %.*s ", (int)len, s);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strstr(units[i].names, name))
			return units[i].usec;
	return 0;
}

bool is_time_span(const char *s)
{
	static const char digits[] = "0123456789", blank[] = " \t";
	uint64_t sum = 0, v, usec;
	size_t whole, part, unit;

	if (strcmp(s, "infinity") == 0)
		return true;
	if (!*s)
		return false;
	for (; *s; s += unit + strspn(s + unit, blank)) {
		v = 0;
		whole = strspn(s, digits);
		for (size_t i = 0; i < whole; i++)
			if (__builtin_mul_overflow(v, 10, &v) ||
			    __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
				return false;
		s += whole;
		part = *s == '.' ? strspn(s + 1, digits) : 0;
		if (*s == '.' ? !part : !whole)
			return false;
		s += part ? part + 1 : 0;
		/* Not 1.2.3; "1 .2" and "1s.2" are two numbers. */
		if (*s == '.')
			return false;
		s += strspn(s, blank);
		unit = strcspn(s, "0123456789. \t");
		usec = unit_usec(s, unit);
		/* The part behind the point is less than one more. */
		if (!usec || v > INT64_MAX || __builtin_mul_overflow(v + !!part, usec, &v) ||
		    __builtin_add_overflow(sum, v, &sum))
			return false;
	}
	return true;
}
