/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading a kernel with kexec-tools, and jumping.
 *
 * Always by the file syscall (-s): the kernel then places the image in what it knows to be RAM.
 * The other way (-c, still the default of kexec -l) places it by the firmware's map, which does
 * not know memmap=, and destroys a region at the top of RAM.
 */
#include "kexec.h"
#include "machine.h"

#include <ctype.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

/* --- programs --- */

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

/* Reads to the end, whatever comes; keeps the last line that says something. */
static void read_last_line(int fd, char *last, size_t size)
{
	char line[512];
	size_t n = 0;
	FILE *f = fdopen(fd, "r");

	*last = '\0';
	if (!f) {
		close(fd);
		return;
	}
	for (int c; (c = getc(f)) != EOF;) {
		if (c != '\n') {
			if (n < sizeof(line) - 1)
				line[n++] = isprint(c) ? (char)c : ' ';
			continue;
		}
		line[n] = '\0';
		if (n)
			snprintf(last, size, "%s", line);
		n = 0;
	}
	line[n] = '\0';
	if (n)
		snprintf(last, size, "%s", line);
	fclose(f);
}

static int spawn(const char *program, char *const argv[], int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t fa;
	int r = posix_spawn_file_actions_init(&fa);

	if (r)
		return -r;
	r = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&fa, out, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&fa, out, 2);
	if (!r)
		r = posix_spawn(ret_pid, program, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return -r;
}

int kexec_run(struct pkram_ctx *ctx, const char *program, char *const argv[])
{
	char last[512];
	int fds[2], status, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = spawn(program, argv, fds[1], &pid);
	close(fds[1]);
	if (r < 0) {
		close(fds[0]);
		return log_error_errno(ctx, r, "%s: %m", program);
	}
	read_last_line(fds[0], last, sizeof(last));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		pkram_log_error(ctx, "%s%s%s: killed by signal %d", program, argv[1] ? " " : "",
				argv[1] ? argv[1] : "", WTERMSIG(status));
	else
		pkram_log_error(ctx, "%s%s%s failed (%d)%s%s", program, argv[1] ? " " : "",
				argv[1] ? argv[1] : "", WEXITSTATUS(status), *last ? ": " : "",
				last);
	return -EIO;
}

/* -EUCLEAN where kexec-tools are missing. */
static int kexec_program(struct pkram_ctx *ctx, char **ret)
{
	*ret = kexec_find_program("kexec");
	if (*ret)
		return 0;
	pkram_log_error(ctx, "no kexec program: install kexec-tools");
	return -EUCLEAN;
}

/* --- what the kernel allows --- */

int kexec_possible(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *program = NULL, *lockdown = NULL, *limit = NULL;
	uint64_t disabled = 0;

	if (!machine_exists(ctx, "/sys/kernel/kexec_loaded")) {
		pkram_log_error(ctx, "this kernel is built without kexec");
		return -EUCLEAN;
	}
	if (machine_read_u64(ctx, "/proc/sys/kernel/kexec_load_disabled", &disabled) == 0 &&
	    disabled) {
		pkram_log_error(
			ctx,
			"kernel.kexec_load_disabled is set, until the next reboot by firmware");
		return -EUCLEAN;
	}
	if (machine_read(ctx, "/proc/sys/kernel/kexec_load_limit_reboot", &limit, NULL) == 0 &&
	    strcmp(limit, "0") == 0) {
		pkram_log_error(ctx, "kernel.kexec_load_limit_reboot is used up, until the next "
				     "reboot by firmware");
		return -EUCLEAN;
	}
	if (machine_read(ctx, "/sys/kernel/security/lockdown", &lockdown, NULL) == 0 &&
	    !strstr(lockdown, "[none]"))
		pkram_log_info(ctx, "the kernel is locked down (%s): it loads only a signed kernel",
			       lockdown);
	return kexec_program(ctx, &program);
}

bool kexec_loaded(struct pkram_ctx *ctx)
{
	uint64_t loaded;

	return machine_read_u64(ctx, "/sys/kernel/kexec_loaded", &loaded) == 0 && loaded;
}

/* --- load, unload, jump --- */

static int run_unload(struct pkram_ctx *ctx, char *program)
{
	char *argv[] = { "kexec", "-s", "-u", NULL };
	int r = kexec_run(ctx, program, argv);

	if (r < 0)
		return r;
	if (kexec_loaded(ctx)) {
		pkram_log_error(
			ctx,
			"%s -s -u succeeded, and /sys/kernel/kexec_loaded still shows a kernel",
			program);
		return -EIO;
	}
	return 0;
}

int kexec_unload(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *program = NULL;
	int r = kexec_program(ctx, &program);

	return r < 0 ? r : run_unload(ctx, program);
}

static int run_load(struct pkram_ctx *ctx, char *program, const struct kexec_kernel *k,
		    const char *line)
{
	_cleanup_free_ char *kernel = machine_path(ctx, k->kernel), *initrd = NULL;
	_cleanup_free_ char *initrd_arg = NULL, *line_arg = NULL;
	char *argv[7] = { "kexec", "-s", "-l", kernel };
	int n = 4;

	if (!kernel)
		return -ENOMEM;
	if (k->initrd) {
		initrd = machine_path(ctx, k->initrd);
		if (!initrd || asprintf(&initrd_arg, "--initrd=%s", initrd) < 0) {
			initrd_arg = NULL;
			return -ENOMEM;
		}
		argv[n++] = initrd_arg;
	}
	if (asprintf(&line_arg, "--command-line=%s", line) < 0) {
		line_arg = NULL;
		return -ENOMEM;
	}
	argv[n] = line_arg;
	return kexec_run(ctx, program, argv);
}

/*
 * What another loaded before goes first: a load that fails would leave it, with a line that
 * nobody has checked, and it would hide that ours is not there.
 */
int kexec_load(struct pkram_ctx *ctx, const struct kexec_kernel *k, const char *line)
{
	_cleanup_free_ char *program = NULL;
	int r = kexec_program(ctx, &program);

	if (r < 0)
		return r;
	if (kexec_loaded(ctx)) {
		pkram_log_info(ctx, "another kernel is loaded: unloading it");
		r = run_unload(ctx, program);
		if (r < 0)
			return r;
	}
	r = run_load(ctx, program, k, line);
	if (r < 0)
		return r;
	if (!kexec_loaded(ctx)) {
		pkram_log_error(ctx,
				"%s -s -l succeeded, and /sys/kernel/kexec_loaded shows no kernel",
				program);
		return -EIO;
	}
	return 0;
}

int kexec_jump(struct pkram_ctx *ctx, bool no_systemd)
{
	_cleanup_free_ char *program = NULL;
	char *by_systemd[] = { "systemctl", "kexec", NULL }, *by_kexec[] = { "kexec", "-e", NULL };
	int r;

	if (!no_systemd && machine_exists(ctx, "/run/systemd/system")) {
		program = kexec_find_program("systemctl");
		if (program)
			return kexec_run(ctx, program, by_systemd);
		pkram_log_error(
			ctx, "systemd runs, but there is no systemctl program: use --no-systemd");
		return -ENOENT;
	}
	r = kexec_program(ctx, &program);
	if (r < 0)
		return r;
	sync();
	r = kexec_run(ctx, program, by_kexec);
	if (r < 0)
		return r;
	pkram_log_error(ctx, "%s -e came back", program);
	return -EIO;
}
