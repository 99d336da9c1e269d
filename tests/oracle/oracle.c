/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The oracle's command line; see usage(). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

static void usage(FILE *f)
{
	fputs("usage: oracle make [--seed N] [--small N] [--mib N] [--locked] DIR\n"
	      "       oracle list [--no-holes] [--no-xattrs] DIR\n"
	      "       oracle hash [--no-holes] [--no-xattrs] DIR\n"
	      "       oracle unlock DIR\n"
	      "\n"
	      "make    a tree with every kind of file; the same numbers give the same data\n"
	      "list    one line for each file: all that lstat, the xattrs and the data say,\n"
	      "        but not atime, ctime, inode numbers and the size of directories\n"
	      "hash    the SHA-256 of that list\n"
	      "unlock  take the append-only and immutable flags away, so that DIR can go\n", f);
}

static unsigned long long number(const char *s)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || end == s || *end) {
		fprintf(stderr, "oracle: not a number: %s\n", s);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	enum { SEED = 1, SMALL, MIB, LOCKED, NO_HOLES, NO_XATTRS };
	static const struct option options[] = {
		{ "seed", required_argument, NULL, SEED },
		{ "small", required_argument, NULL, SMALL },
		{ "mib", required_argument, NULL, MIB },
		{ "locked", no_argument, NULL, LOCKED },
		{ "no-holes", no_argument, NULL, NO_HOLES },
		{ "no-xattrs", no_argument, NULL, NO_XATTRS },
		{ }
	};
	struct make_options make = { .seed = 1, .small_files = 400, .mib = 8 };
	struct list_options list = { };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		switch (c) {
		case SEED:
			make.seed = number(optarg);
			break;
		case SMALL:
			make.small_files = number(optarg);
			break;
		case MIB:
			make.mib = number(optarg);
			break;
		case LOCKED:
			make.locked = true;
			break;
		case NO_HOLES:
			list.no_holes = true;
			break;
		case NO_XATTRS:
			list.no_xattrs = true;
			break;
		default:
			usage(stderr);
			return 2;
		}

	if (argc - optind != 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[optind], "make") == 0)
		return oracle_make(argv[optind + 1], &make);
	if (strcmp(argv[optind], "unlock") == 0)
		return oracle_unlock(argv[optind + 1]);
	list.digest = strcmp(argv[optind], "hash") == 0;
	if (list.digest || strcmp(argv[optind], "list") == 0)
		return oracle_list(argv[optind + 1], &list);
	usage(stderr);
	return 2;
}
