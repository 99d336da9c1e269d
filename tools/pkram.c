/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram - the command. Finds the verb, parses, runs it, sees to it that what was printed got out.
 */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "options.h"
#include "report.h"

#define VERB(name) extern const struct verb verb_##name;
#include "verb-list.h"
#undef VERB

#define VERB(name) &verb_##name,
const struct verb *const verbs[] = {
#include "verb-list.h"
	NULL,
};
#undef VERB

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

int open_region(struct cmd *cmd, struct pkram_region **ret_region)
{
	return pkram_region_open(cmd->ctx, cmd->region, 0, ret_region);
}

/* Writable where possible: the first opening after a jump records that it arrived. */
int open_region_to_look(struct cmd *cmd, struct pkram_region **ret_region)
{
	bool forbidden;
	int r;

	messages_hold();
	r = open_region(cmd, ret_region);
	forbidden = r == -EACCES || r == -EPERM || r == -EROFS;
	messages_release(!forbidden);
	if (!forbidden)
		return r;
	return pkram_region_open(cmd->ctx, cmd->region, PKRAM_OPEN_READ_ONLY, ret_region);
}

/*
 * A closed stdin, stdout or stderr would otherwise be the next file that is opened: the region.
 * What stands in for it can only fail to be read or written.
 */
static void occupy_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(EXIT_FAILED);
}

/* A full disk shows only now. A reader that went away (| head) needs no words. */
static int flush_stdout(int code)
{
	int r;

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	r = errno;
	if (r != EPIPE)
		say_error("standard output: %s", r ? strerror(r) : "write error");
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

static int setup(struct cmd *cmd)
{
	int r = pkram_new(&cmd->ctx);

	if (r < 0)
		return r;
	report_connect(cmd);
	pkram_set_threads(cmd->ctx, cmd->threads);
	return cmd->sysroot ? pkram_set_sysroot(cmd->ctx, cmd->sysroot) : 0;
}

static int check_words(const struct cmd *cmd, int argc, char **argv)
{
	const struct verb *verb = cmd->verb;

	if (argc < verb->min_args)
		return usage_error(cmd, "%s is missing", verb->args);
	if (verb->max_args != ARGS_ANY && argc > verb->max_args)
		return usage_error(cmd, "'%s' is one argument too many", argv[verb->max_args]);
	for (int i = 0; verb->flags & VERB_NAMES && i < argc; i++)
		if (!*argv[i])
			return usage_error(cmd, "an empty word is no NAME");
	if (cmd->json && verb->flags & VERB_NO_JSON)
		return usage_error(cmd, "--json has no meaning here");
	if (cmd->quiet && cmd->verbose)
		return usage_error(cmd, "-q and -v exclude each other");
	return EXIT_DONE;
}

/*
 * Files stay open while others are looked at: as many as may be, each is opened once. Not for all
 * verbs: what they start gets the limit, too, and some shell scripts close, or select() on, all
 * that might be open. posix_spawn() has no way to set it back for the child alone.
 */
static void raise_open_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int run_verb(struct cmd *cmd, int argc, char **argv)
{
	int first = parse_options(cmd, cmd->verb->options, false, argc, argv), r;

	if (first < 0)
		return EXIT_USAGE;
	if (cmd->help) {
		print_verb_help(cmd, cmd->verb, stdout);
		return EXIT_DONE;
	}
	r = check_words(cmd, argc - first, argv + first);
	if (r != EXIT_DONE)
		return r;
	if (cmd->verb->flags & VERB_MANY_FILES)
		raise_open_files();
	r = setup(cmd);
	return r < 0 ? exit_code(r) : cmd->verb->run(cmd, argc - first, argv + first);
}

static int run(struct cmd *cmd, int argc, char **argv)
{
	int first = parse_options(cmd, NULL, true, argc, argv), r;
	const struct verb *guess;

	if (first < 0)
		return EXIT_USAGE;
	if (cmd->version) {
		puts("pkram " PKRAM_VERSION);
		return EXIT_DONE;
	}
	if (first < argc) {
		cmd->verb = verb_find(argv[first]);
		if (cmd->verb)
			return run_verb(cmd, argc - first, argv + first);
		if (strcmp(argv[first], "status") == 0)
			return usage_error(cmd, "no verb 'status': 'pkram' alone says where things "
					   "stand");
		guess = verb_guess(argv[first]);
		if (guess)
			return usage_error(cmd, "no verb '%s', perhaps '%s'", argv[first],
					   guess->name);
		return usage_error(cmd, "no verb '%s'", argv[first]);
	}
	if (cmd->help) {
		print_help(cmd, stdout);
		return EXIT_DONE;
	}
	r = setup(cmd);
	return r < 0 ? exit_code(r) : run_status(cmd);
}

int main(int argc, char **argv)
{
	struct cmd cmd = { 0 };
	int code;

	occupy_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	/* A limit of file sizes is an error like any other, and nothing half done stays. */
	signal(SIGXFSZ, SIG_IGN);
	/* Of leases: ignored, it need not be turned into another signal for each file. */
	signal(SIGIO, SIG_IGN);
	catch_bus_errors();
	/* Not LC_NUMERIC: JSON and messages have a point in their numbers. */
	setlocale(LC_CTYPE, "");
	/* libkmod reads its settings, and complains of them, before it can be told to whom. */
	setenv("KMOD_LOG", "0", 0);
	/* One write a line: in the kernel's log each is a message of its own. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	code = flush_stdout(run(&cmd, argc, argv));
	pkram_unref(cmd.ctx);
	return code;
}
