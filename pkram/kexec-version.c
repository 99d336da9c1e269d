/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of kernel versions: numbers by value, '~' before the end of the string, letters
 * before other signs. A pre-release ("-rc1") comes before its release, which neither
 * strverscmp(3) nor plain package order gives.
 */
#include "kexec.h"

#include <ctype.h>

static bool is_digit(char c)
{
	return isdigit((unsigned char)c);
}

/* The separator of a pre-release counts as '~'. */
static bool starts_prerelease(const char *p)
{
	static const char *const words[] = { "rc", "pre", "test", "git", "old", "trunk" };

	if (*p != '-' && *p != '.' && *p != '_')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(p + 1, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static int rank(const char *p)
{
	if (*p == '~' || starts_prerelease(p))
		return -1;
	if (!*p || is_digit(*p))
		return 0;
	return isalpha((unsigned char)*p) ? (unsigned char)*p : (unsigned char)*p + 256;
}

static int compare_numbers(const char **a, const char **b)
{
	size_t la, lb;
	int d;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	la = strspn(*a, "0123456789");
	lb = strspn(*b, "0123456789");
	d = la != lb ? (la < lb ? -1 : 1) : memcmp(*a, *b, la);
	*a += la;
	*b += lb;
	return d;
}

int kexec_version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		int d;

		while ((*a && !is_digit(*a)) || (*b && !is_digit(*b))) {
			d = rank(a) - rank(b);
			if (d)
				return d;
			a++;
			b++;
		}
		d = compare_numbers(&a, &b);
		if (d)
			return d;
	}
	return 0;
}
