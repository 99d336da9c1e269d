/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines: the options that every verb takes, a verb's own, and the help that describes both.
 */
#pragma once

#include "verb.h"

/* The options that every verb takes; their values go to `cmd`. */
const struct option_row *global_options(struct cmd *cmd);

/*
 * Parses the options in argv[1..] by both tables (`own` may be NULL). With `stop`, the first word
 * that is no option ends them; otherwise words are moved behind the options. Returns the index of
 * the first word, or -EINVAL with the fault printed.
 */
int parse_options(struct cmd *cmd, const struct option_row *own, bool stop, int argc, char **argv);

/* Prints "pkram: VERB: MESSAGE; see ..." and returns EXIT_USAGE. */
int usage_error(const struct cmd *cmd, const char *fmt, ...) _printf_(2, 3);

void print_help(struct cmd *cmd, FILE *f);
void print_verb_help(struct cmd *cmd, const struct verb *verb, FILE *f);

/* "file", "load" or "auto". -EINVAL. */
int parse_method(const char *word, enum pkram_stage_method *ret);

/* The verb that looks most like the word; NULL when none does. */
const struct verb *verb_guess(const char *word);
