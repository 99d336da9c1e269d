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

/* Whether it can be the FILE of a container, which is no stream; says the same where it cannot. */
int check_file_word(const struct cmd *cmd, const char *word);

void print_help(struct cmd *cmd, FILE *f);
void print_verb_help(struct cmd *cmd, const struct verb *verb, FILE *f);

/* A larger number is a mistake. */
#define MAX_THREADS 4096
#define TEXT_OF_(number) #number
#define TEXT_OF(number) TEXT_OF_(number)

/* Digits, the first not 0. -EINVAL; what is wanted is called THREADS_WANTED. */
int parse_threads(const char *word, unsigned int *ret);
#define THREADS_WANTED "a number from 1 to " TEXT_OF(MAX_THREADS) ", without zeros in front"

/*
 * Options of a mount: the kernel's own words for another value of huge= say neither what it was nor
 * which ones there are. What else it does not take, it tells well enough.
 */
bool has_good_huge(const char *mount_options);
#define HUGE_WANTED "huge= is one of always, within_size, advise and never"

/* "file", "load" or "auto". -EINVAL. */
int parse_method(const char *word, enum pkram_stage_method *ret);

/* The verb that looks most like the word; NULL when none does. */
const struct verb *verb_guess(const char *word);
