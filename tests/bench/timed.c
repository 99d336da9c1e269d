/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command and appends its sample (see print_sample()) to a file: wall time from before the
 * fork to its end, faults of it and all its children, peak RSS of the largest of them, and the most
 * anonymous memory that the command itself was seen with: looked at every 10 ms, which costs it
 * nothing that could be measured. Ends as the command ended.
 *
 *	timed FILE COMMAND [ARG...]
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* In KiB; 0 of one that is gone. */
static long anonymous(pid_t pid)
{
	unsigned long size, resident, shared;
	char path[64];
	int n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fscanf(f, "%lu %lu %lu", &size, &resident, &shared);
	fclose(f);
	return n == 3 && resident > shared ? (long)(resident - shared) * (getpagesize() / 1024) : 0;
}

static int wait_watching(pid_t pid, struct rusage *ru, long *peak)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int status = 0;
	sigset_t child;
	pid_t got;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while ((got = wait4(pid, &status, WNOHANG, ru)) == 0) {
		long anon = anonymous(pid);

		if (anon > *peak)
			*peak = anon;
		/* The end of the command ends the pause. */
		sigtimedwait(&child, NULL, &pause);
	}
	if (got < 0)
		err(1, "cannot wait");
	return status;
}

int main(int argc, char **argv)
{
	struct rusage ru;
	double start, seconds;
	long anon = 0;
	sigset_t child, before;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3)
		errx(1, "usage: timed FILE COMMAND [ARG...]");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	start = now();
	pid = fork();
	if (pid < 0)
		err(1, "cannot fork");
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execvp(argv[2], argv + 2);
		err(127, "cannot run %s", argv[2]);
	}
	status = wait_watching(pid, &ru, &anon);
	seconds = now() - start;
	if (!WIFEXITED(status))
		errx(1, "%s ended by signal %d", argv[2], WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	f = fopen(argv[1], "ae");
	if (!f)
		err(1, "cannot open %s", argv[1]);
	print_sample(seconds, &ru, anon, f);
	if (fclose(f) != 0)
		err(1, "cannot write %s", argv[1]);
	return 0;
}
