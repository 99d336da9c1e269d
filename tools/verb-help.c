/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram help - the help of the command, or of a verb.
 */
#include "options.h"

static int run_help(struct cmd *cmd, int argc, char **argv)
{
	const struct verb *verb;

	if (!argc) {
		print_help(cmd, stdout);
		return EXIT_DONE;
	}
	verb = verb_find(argv[0]);
	if (!verb)
		return usage_error(cmd, "no verb '%s'", argv[0]);
	print_verb_help(cmd, verb, stdout);
	return EXIT_DONE;
}

const struct verb verb_help = {
	.name = "help",
	.args = "[VERB]",
	.help = "print this help, or that of a verb",
	.max_args = 1,
	.flags = VERB_NO_JSON,
	.run = run_help,
};
