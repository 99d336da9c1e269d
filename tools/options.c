/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines, by getopt_long over tables that also make the help.
 */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "text.h"

enum {
	MAX_OPTIONS = 40,
	FIRST_LONG = 256,	/* above every letter */
	HELP_COLUMN = 28,
};

/* Both tables as getopt_long wants them. */
struct option_set {
	const struct option_row *rows[MAX_OPTIONS];
	struct option longs[MAX_OPTIONS + 1];
	char letters[3 * MAX_OPTIONS + 3];
	int n;
};

const struct option_row *global_options(struct cmd *cmd)
{
	static struct option_row rows[] = {
		{ "region", 'r', "REGION", "devdax:PATH, pmem:PATH, file:PATH or PATH",
		  OPTION_STRING },
		{ "json", 0, NULL, "print results as JSON", OPTION_BOOL },
		{ "threads", 0, "N", "copy with at most N threads", OPTION_THREADS },
		{ "quiet", 'q', NULL, "print warnings and errors only", OPTION_BOOL },
		{ "verbose", 'v', NULL, "say more about what is done", OPTION_BOOL },
		{ "help", 'h', NULL, "print this help", OPTION_BOOL },
		{ "version", 0, NULL, "print the version", OPTION_BOOL },
		{ "sysroot", 0, "DIR", NULL, OPTION_STRING },
		{ NULL },
	};
	void *const into[] = { &cmd->region, &cmd->json, &cmd->threads, &cmd->quiet, &cmd->verbose,
			       &cmd->help, &cmd->version, &cmd->sysroot };

	for (size_t i = 0; i < ARRAY_SIZE(into); i++)
		rows[i].into = into[i];
	return rows;
}

static void add_rows(struct option_set *set, const struct option_row *rows)
{
	char *l = set->letters + strlen(set->letters);

	for (; rows && rows->name && set->n < MAX_OPTIONS; rows++, set->n++) {
		int has_arg = rows->kind == OPTION_OPTIONAL ? optional_argument :
			      rows->arg ? required_argument : no_argument;

		set->rows[set->n] = rows;
		set->longs[set->n] = (struct option){
			.name = rows->name, .has_arg = has_arg, .val = FIRST_LONG + set->n,
		};
		if (!rows->letter)
			continue;
		*l++ = (char)rows->letter;
		/* One colon for an argument, two for one that may be missing. */
		for (int i = 0; i < has_arg; i++)
			*l++ = ':';
	}
	*l = 0;
}

static const struct option_row *find_row(const struct option_set *set, int c)
{
	if (c >= FIRST_LONG)
		return c - FIRST_LONG < set->n ? set->rows[c - FIRST_LONG] : NULL;
	for (int i = 0; i < set->n; i++)
		if (set->rows[i]->letter && set->rows[i]->letter == c)
			return set->rows[i];
	return NULL;
}

static int append(struct string_list *list, const char *s)
{
	const char **v = realloc(list->v, (list->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	list->v[list->n++] = s;
	return 0;
}

static int take_size(const struct cmd *cmd, const struct option_row *row, const char *arg,
		     uint64_t *ret)
{
	uint64_t v;
	int r = parse_size(arg, &v);

	if (r == 0 && (v || row->kind == OPTION_BYTES)) {
		*ret = v;
		return 0;
	}
	usage_error(cmd, "--%s: '%s' is %s (digits, then K, M, G or T)", row->name, arg,
		    r == -ERANGE ? "too large" : r < 0 ? "not a size" : "too small");
	return -EINVAL;
}

int parse_threads(const char *word, unsigned int *ret)
{
	uint64_t v;

	/* A zero in front is octal to some, and nothing to others. */
	if (*word == '0' || word[strspn(word, "0123456789")] || parse_size(word, &v) < 0 ||
	    v > MAX_THREADS)
		return -EINVAL;
	*ret = (unsigned int)v;
	return 0;
}

static int take_threads(const struct cmd *cmd, const char *arg, unsigned int *ret)
{
	int r = parse_threads(arg, ret);

	if (r < 0)
		usage_error(cmd, "--threads: '%s' is not " THREADS_WANTED, arg);
	return r;
}

static int take(const struct cmd *cmd, const struct option_row *row, const char *arg)
{
	struct optional_string *string;
	struct optional_bytes *bytes;

	switch (row->kind) {
	case OPTION_BOOL:
		*(bool *)row->into = true;
		return 0;
	case OPTION_FLAG:
		*(uint64_t *)row->into |= row->flag;
		return 0;
	case OPTION_STRING:
		*(const char **)row->into = arg;
		return 0;
	case OPTION_OPTIONAL:
		string = row->into;
		*string = (struct optional_string){ .value = arg, .given = true };
		return 0;
	case OPTION_LIST:
		return append(row->into, arg);
	case OPTION_SIZE:
		return take_size(cmd, row, arg, row->into);
	case OPTION_BYTES:
		bytes = row->into;
		bytes->given = true;
		return take_size(cmd, row, arg, &bytes->value);
	case OPTION_THREADS:
		return take_threads(cmd, arg, row->into);
	}
	return -EINVAL;
}

/* What it may be short for, as in "--verbose or --version"; "" where that is one, or nothing. */
static const char *candidates(const struct option_set *set, const char *word, char ret[static 256])
{
	size_t len = strcspn(word, "=");
	const char *sep = "";
	int n = 0;

	ret[0] = '\0';
	if (strncmp(word, "--", 2) != 0)
		return ret;
	for (int i = 0; i < set->n; i++) {
		if (strncmp(set->longs[i].name, word + 2, len - 2) != 0)
			continue;
		snprintf(ret + strlen(ret), 256 - strlen(ret), "%s--%s", sep, set->longs[i].name);
		sep = " or ";
		n++;
	}
	return n > 1 ? ret : "";
}

/* getopt_long leaves little behind to say what was wrong: the word itself tells. */
static int refuse(const struct cmd *cmd, const struct option_set *set, int c, const char *word)
{
	const struct option_row *row = find_row(set, optopt);
	char several[256];

	if (c == ':' && row)
		usage_error(cmd, "--%s needs %s", row->name, row->arg);
	else if (row && optopt >= FIRST_LONG)
		usage_error(cmd, "--%s takes no value", row->name);
	else if (optopt && optopt < FIRST_LONG)
		usage_error(cmd, "no option '-%c'", optopt);
	else if (*candidates(set, word, several))
		usage_error(cmd, "'%s' may be %s", word, several);
	else
		usage_error(cmd, "no option '%s'", word);
	return -EINVAL;
}

int parse_options(struct cmd *cmd, const struct option_row *own, bool stop, int argc, char **argv)
{
	struct option_set set = { .letters = "" };
	int c, r, word;

	/* '+': end at the first word; ':': tell a missing argument from an unknown option. */
	strcpy(set.letters, stop ? "+:" : ":");
	add_rows(&set, global_options(cmd));
	add_rows(&set, own);
	opterr = 0;
	optind = 0;
	for (;;) {
		word = optind ? optind : 1;
		c = getopt_long(argc, argv, set.letters, set.longs, NULL);
		if (c == -1)
			return optind;
		if (c == '?' || c == ':')
			return refuse(cmd, &set, c, argv[optind > 1 ? optind - 1 : word]);
		r = take(cmd, find_row(&set, c), optarg);
		if (r < 0)
			return r;
	}
}

bool has_good_huge(const char *list)
{
	static const char *const good[] = {
		"huge=always", "huge=within_size", "huge=advise", "huge=never",
	};

	for (;;) {
		size_t len = strcspn(list, ","), i = 0;

		while (i < ARRAY_SIZE(good) &&
		       (strlen(good[i]) != len || strncmp(list, good[i], len) != 0))
			i++;
		if (i == ARRAY_SIZE(good) && strncmp(list, "huge=", strlen("huge=")) == 0)
			return false;
		if (!list[len])
			return true;
		list += len + 1;
	}
}

int parse_method(const char *word, enum pkram_stage_method *ret)
{
	static const char *const names[] = {
		[PKRAM_STAGE_METHOD_AUTO] = "auto",
		[PKRAM_STAGE_METHOD_FILE] = "file",
		[PKRAM_STAGE_METHOD_LOAD] = "load",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(word, names[i]) == 0) {
			*ret = (enum pkram_stage_method)i;
			return 0;
		}
	return -EINVAL;
}

int usage_error(const struct cmd *cmd, const char *fmt, ...)
{
	char *msg;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	va_end(ap);
	if (cmd->verb)
		say_error("%s: %s; see 'pkram %s --help'", cmd->verb->name,
			  msg ? msg : "wrong usage", cmd->verb->name);
	else
		say_error("%s; see 'pkram --help'", msg ? msg : "wrong usage");
	free(msg);
	return EXIT_USAGE;
}

int check_file_word(const struct cmd *cmd, const char *word)
{
	if (!*word)
		return usage_error(cmd, "an empty word is no FILE");
	if (strcmp(word, "-") == 0)
		return usage_error(cmd, "FILE has holes and is read in any order: it cannot be a "
				   "stream (./- is a file of that name)");
	return EXIT_DONE;
}

static void print_options(const struct option_row *rows, FILE *f)
{
	char left[64];

	for (; rows->name; rows++) {
		if (!rows->help)
			continue;
		snprintf(left, sizeof(left), "  %c%c%c --%s%s%s%s", rows->letter ? '-' : ' ',
			 rows->letter ? rows->letter : ' ', rows->letter ? ',' : ' ', rows->name,
			 !rows->arg ? "" : rows->kind == OPTION_OPTIONAL ? "[=" : " ",
			 rows->arg ? rows->arg : "", rows->kind == OPTION_OPTIONAL ? "]" : "");
		fprintf(f, "%-*s%s\n", HELP_COLUMN, left, rows->help);
	}
}

void print_help(struct cmd *cmd, FILE *f)
{
	fputs("Usage: pkram [OPTION...] VERB [OPTION...] [ARGUMENT...]\n\n"
	      "Keeps tmpfs trees and byte streams in reserved memory across kexec.\n"
	      "Without a verb: says where things stand and what comes next.\n\nVerbs:\n", f);
	for (size_t i = 0; verbs[i]; i++)
		fprintf(f, "  %-10s%s\n", verbs[i]->name, verbs[i]->help);
	fputs("\nOptions, before or after the verb:\n", f);
	print_options(global_options(cmd), f);
	fputs("\nExit codes: 0 done, 1 failed, 2 usage, 3 nothing to do or stale,\n"
	      "4 damaged data found. See also 'pkram VERB --help' and pkram(8).\n", f);
}

void print_verb_help(struct cmd *cmd, const struct verb *verb, FILE *f)
{
	fprintf(f, "Usage: pkram %s [OPTION...]%s%s\n", verb->name, *verb->args ? " " : "",
		verb->args);
	if (verb->other_use)
		fprintf(f, "       pkram %s %s\n", verb->name, verb->other_use);
	fprintf(f, "\n%c%s.\n", verb->help[0] - 'a' + 'A', verb->help + 1);
	if (verb->options) {
		fputs("\nOptions:\n", f);
		print_options(verb->options, f);
	}
	if (verb->print_more)
		verb->print_more(f);
	fputs("\nOptions of every verb:\n", f);
	print_options(global_options(cmd), f);
	fprintf(f, "\nSee also pkram-%s(8).\n", verb->name);
}

/* Edits (a byte put in, left out, or changed) that make one word the other. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[32], n = (unsigned int)strlen(b);

	if (n >= ARRAY_SIZE(row))
		return UINT_MAX;
	for (unsigned int i = 0; i <= n; i++)
		row[i] = i;
	for (unsigned int k = 1; *a; a++, k++) {
		unsigned int diagonal = row[0], cost;

		row[0] = k;
		for (unsigned int i = 1; i <= n; i++) {
			cost = diagonal + (*a != b[i - 1]);
			diagonal = row[i];
			if (row[i] + 1 < cost)
				cost = row[i] + 1;
			if (row[i - 1] + 1 < cost)
				cost = row[i - 1] + 1;
			row[i] = cost;
		}
	}
	return row[n];
}

/* What other tools call it. */
static const char *other_word(const char *word)
{
	static const char *const words[][2] = {
		{ "list", "ls" }, { "show", "info" }, { "remove", "rm" }, { "delete", "rm" },
		{ "create", "init" }, { "format", "init" }, { "store", "put" }, { "dump", "get" },
		{ "load", "restore" }, { "jump", "kexec" }, { "reboot", "kexec" },
		{ "devices", "regions" }, { "reserve", "plan" }, { "fsck", "verify" },
		{ "scrub", "verify" }, { "convert", "region" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i][0]) == 0)
			return words[i][1];
	return word;
}

const struct verb *verb_guess(const char *word)
{
	const struct verb *best = NULL;
	unsigned int least = 3, d;

	word = other_word(word);
	for (size_t i = 0; verbs[i]; i++) {
		d = distance(word, verbs[i]->name);
		if (d < least && d < strlen(verbs[i]->name)) {
			least = d;
			best = verbs[i];
		}
	}
	return best;
}
