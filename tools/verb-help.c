/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram help - the help of the command, or the manual page of a verb.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "report.h"

extern char **environ;

/* Whether man(1) did it. Without @loud, nothing of it is seen. */
static bool man(const char *const argv[], bool loud)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status, r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return false;
	for (int fd = STDOUT_FILENO; !loud && fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return false;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Where there is no man, or the page is not installed: the short help says the most of it. */
static int open_page(struct cmd *cmd, const struct verb *verb)
{
	char *page;
	bool there;

	if (asprintf(&page, "pkram-%s", verb->name) < 0)
		return exit_code(-ENOMEM);
	fflush(stdout);
	there = man((const char *[]){ "man", "-w", "8", page, NULL }, false);
	if (there)
		there = man((const char *[]){ "man", "8", page, NULL }, true);
	if (!there)
		print_verb_help(cmd, verb, stdout);
	free(page);
	return EXIT_DONE;
}

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
	return open_page(cmd, verb);
}

const struct verb verb_help = {
	.name = "help",
	.args = "[VERB]",
	.help = "print this help, or open the manual page of a verb",
	.max_args = 1,
	.flags = VERB_NO_JSON,
	.run = run_help,
};
