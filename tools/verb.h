/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verbs of the command share. A verb is one file, verb-NAME.c, that defines struct verb
 * verb_NAME, and one word in the list of tools/meson.build; help, usage errors and the order of the
 * help come from there. A verb fills its options, calls the library, prints.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pkram.h"

/* The interface of scripts: never renumbered. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOTHING = 3,	/* nothing to do, or only what is stale */
	EXIT_DAMAGED = 4,
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

/* What the options that every verb takes said. */
struct cmd {
	struct pkram_ctx *ctx;
	const struct verb *verb;	/* NULL: none was given */
	const char *region;		/* NULL: the library finds it */
	const char *sysroot;
	unsigned int threads;
	bool json;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
};

struct string_list {
	const char **v;
	size_t n;
};

enum option_kind {
	OPTION_BOOL,	/* bool */
	OPTION_FLAG,	/* uint64_t, or'ed with the row's flag */
	OPTION_STRING,	/* const char * */
	OPTION_OPTIONAL, /* struct optional_string: --name or --name=ARG */
	OPTION_LIST,	/* struct string_list, one more with each use */
	OPTION_SIZE,	/* uint64_t, with K, M, G, T; 0 is refused */
	OPTION_BYTES,	/* struct optional_bytes: as SIZE, and 0 is one */
	OPTION_THREADS,	/* unsigned int */
};

struct optional_string {
	const char *value;	/* NULL: --name alone */
	bool given;
};

struct optional_bytes {
	uint64_t value;
	bool given;
};

struct option_row {
	const char *name;	/* NULL ends the table */
	int letter;		/* 0: none */
	const char *arg;	/* what the help calls its argument; NULL: takes none */
	const char *help;	/* NULL: hidden */
	enum option_kind kind;
	void *into;
	uint64_t flag;
};

#define ARGS_ANY (-1)

enum verb_flags {
	VERB_NO_JSON = 1 << 0,	/* its stdout is data already */
	VERB_NAMES = 1 << 1,	/* its words are names of nodes */
	VERB_MANY_FILES = 1 << 2, /* goes through trees, and starts no scripts of others */
};

struct verb {
	const char *name;
	const char *args;	/* as the usage line shows them */
	const char *other_use;	/* a second usage line, behind the verb; NULL: none */
	const char *help;	/* one line, starts with a verb */
	int min_args;
	int max_args;
	unsigned int flags;
	const struct option_row *options;
	void (*print_more)(FILE *f);	/* of the help, behind the options */
	int (*run)(struct cmd *cmd, int argc, char **argv);	/* returns an exit code */
};

/* All verbs, in the order of the help; ends with NULL. */
extern const struct verb *const verbs[];
const struct verb *verb_find(const char *name);

/* Opens the region that the options name, or the library finds. The library logs why it cannot. */
int open_region(struct cmd *cmd, struct pkram_region **ret_region);
/* The same for verbs that change nothing: who may not write may look. */
int open_region_to_look(struct cmd *cmd, struct pkram_region **ret_region);

static inline void region_close_p(struct pkram_region **p)
{
	pkram_region_close(*p);
}

static inline void node_list_free_p(struct pkram_node_list **p)
{
	pkram_node_list_free(*p);
}

#define _cleanup_region_ _cleanup_(region_close_p)
#define _cleanup_node_list_ _cleanup_(node_list_free_p)

/* What bare `pkram` does: says where things stand. */
int run_status(struct cmd *cmd);
