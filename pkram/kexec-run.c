/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running other programs: found without the caller's relative paths, started without a shell.
 */
#include "kexec-run.h"
#include "kexec.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* What is kept of what a program prints; the rest is read, and dropped. */
#define TOLD_MAX (4 * MIB)

extern char **environ;

/* Administrators' PATH may lack sbin. Relative entries are passed over: this runs as root. */
char *kexec_find_program(const char *name)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *dirs = NULL;
	char *save = NULL;

	if (asprintf(&dirs, "%s:/usr/sbin:/sbin:/usr/bin:/bin", path ? path : "") < 0) {
		dirs = NULL;
		return NULL;
	}
	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
		_cleanup_free_ char *full = NULL;
		struct stat st;

		if (*d != '/')
			continue;
		if (asprintf(&full, "%s/%s", d, name) < 0) {
			full = NULL;
			return NULL;
		}
		if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0)
			return TAKE_PTR(full);
	}
	return NULL;
}

/*
 * A shell cannot take back that a signal is ignored, so that what writes into its pipes would not
 * end with the reader. Only what pkram ignores is undone: what nohup does is meant for all.
 */
static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, ours;
	int r;

	sigemptyset(&none);
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGXFSZ);
	sigaddset(&ours, SIGIO);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (!r)
		r = posix_spawnattr_setsigdefault(attr, &ours);
	if (!r)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return r;
}

static int set_output(posix_spawn_file_actions_t *fa, int out)
{
	int r = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);

	if (!r)
		r = posix_spawn_file_actions_adddup2(fa, out, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(fa, out, 2);
	return r;
}

static int spawn(const char *program, char *const argv[], int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&fa);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (!r) {
		r = set_signals(&attr);
		if (!r)
			r = set_output(&fa, out);
		if (!r)
			r = posix_spawn(ret_pid, program, &fa, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&fa);
	return -r;
}

static int read_told(struct pkram_ctx *ctx, const char *program, int fd, struct kexec_told *told)
{
	size_t cap = 0;
	char rest[4096];

	for (;;) {
		bool full = told->len >= TOLD_MAX;
		int r = full ? 0 : array_grow(&told->text, &cap, told->len + sizeof(rest) + 1, 1);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, full ? rest : told->text + told->len, sizeof(rest));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return log_error_errno(ctx, -errno, "%s: cannot read what it says: %m",
					       program);
		if (n == 0)
			break;
		told->len += full ? 0 : (size_t)n;
	}
	told->text[told->len] = '\0';
	return 0;
}

int kexec_run_told(struct pkram_ctx *ctx, const char *program, char *const argv[],
		   struct kexec_told *ret)
{
	struct kexec_told told = { NULL };
	int fds[2], r, k;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return log_error_errno(ctx, -errno, "%s: cannot make a pipe: %m", program);
	r = spawn(program, argv, fds[1], &pid);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return log_error_errno(ctx, r, "%s: %m", program);
	}
	k = read_told(ctx, program, fds[0], &told);
	close(fds[0]);
	while ((r = waitpid(pid, &told.status, 0)) < 0 && errno == EINTR)
		;
	if (r < 0)
		r = log_error_errno(ctx, -errno, "%s: cannot tell how it ended: %m", program);
	if (r < 0 || k < 0) {
		kexec_told_done(&told);
		return r < 0 ? r : k;
	}
	*ret = told;
	return 0;
}

void kexec_told_done(struct kexec_told *told)
{
	free(told->text);
	*told = (struct kexec_told){ NULL };
}

/* The last line that says something. */
static void last_line(const struct kexec_told *told, char *last, size_t size)
{
	size_t end = told->len, n;
	const char *start;

	while (end && told->text[end - 1] == '\n')
		end--;
	start = memrchr(told->text, '\n', end);
	start = start ? start + 1 : told->text;
	n = MIN((size_t)(told->text + end - start), size - 1);
	for (size_t i = 0; i < n; i++)
		last[i] = isprint((unsigned char)start[i]) ? start[i] : ' ';
	last[n] = '\0';
}

bool kexec_told_done_well(const struct kexec_told *told)
{
	return WIFEXITED(told->status) && WEXITSTATUS(told->status) == 0;
}

int kexec_told_judge(struct pkram_ctx *ctx, const char *program, char *const argv[],
		     const struct kexec_told *told)
{
	char last[512];

	if (kexec_told_done_well(told))
		return 0;
	last_line(told, last, sizeof(last));
	if (WIFSIGNALED(told->status))
		pkram_log_error(ctx, "%s%s%s: killed by signal %d", program, argv[1] ? " " : "",
				argv[1] ? argv[1] : "", WTERMSIG(told->status));
	else
		pkram_log_error(ctx, "%s%s%s failed (%d)%s%s", program, argv[1] ? " " : "",
				argv[1] ? argv[1] : "", WEXITSTATUS(told->status),
				*last ? ": " : "", last);
	return -EIO;
}

int kexec_run(struct pkram_ctx *ctx, const char *program, char *const argv[])
{
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };
	int r = kexec_run_told(ctx, program, argv, &told);

	return r < 0 ? r : kexec_told_judge(ctx, program, argv, &told);
}
