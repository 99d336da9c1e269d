/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The jump itself, by systemd where it runs: services stop and filesystems are unmounted first.
 */
#include "kexec-run.h"
#include "kexec.h"
#include "machine.h"

#include <stdlib.h>

/* Says no where there is no systemd to be asked. */
static bool systemctl(struct pkram_ctx *ctx, char *const argv[], struct kexec_told *ret)
{
	_cleanup_free_ char *program = NULL;

	if (!machine_exists(ctx, SYSTEMD_DIR))
		return false;
	program = kexec_find_program("systemctl");
	return program && kexec_run_told(ctx, program, argv, ret) == 0;
}

bool kexec_service_there(struct pkram_ctx *ctx)
{
	char *argv[] = { "systemctl", "show", "--property=LoadState", "--value", KEXEC_SERVICE,
			 NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };

	return systemctl(ctx, argv, &told) && kexec_told_done_well(&told) &&
	       strncmp(told.text, "loaded", strlen("loaded")) == 0;
}

bool kexec_service_start(struct pkram_ctx *ctx)
{
	char *argv[] = { "systemctl", "--quiet", "start", KEXEC_SERVICE, NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };

	return systemctl(ctx, argv, &told) && kexec_told_done_well(&told);
}

bool kexec_service_runs(struct pkram_ctx *ctx)
{
	char *argv[] = { "systemctl", "--quiet", "is-active", KEXEC_SERVICE, NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };

	return systemctl(ctx, argv, &told) && kexec_told_done_well(&told);
}

static int no_systemctl(struct pkram_ctx *ctx)
{
	pkram_log_error(ctx,
			"systemd runs, but there is no systemctl program: use --no-systemd");
	return -ENOENT;
}

/* The number of its job, which can only be one that starts it; empty or 0 where there is none. */
int kexec_queued(struct pkram_ctx *ctx)
{
	char *argv[] = { "systemctl", "show", "--property=Job", "--value", "kexec.target", NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };
	_cleanup_free_ char *program = NULL;
	int r;

	if (!machine_exists(ctx, SYSTEMD_DIR))
		return 0;
	program = kexec_find_program("systemctl");
	r = program ? kexec_run_told(ctx, program, argv, &told) : no_systemctl(ctx);
	if (r == 0)
		r = kexec_told_judge(ctx, program, argv, &told);
	return r < 0 ? r : strtoul(told.text, NULL, 10) > 0;
}

/* It may be ended, with the session that it runs in, before it hears that the jump is under way. */
static int jump_by_systemd(struct pkram_ctx *ctx, const char *program)
{
	char *argv[] = { "systemctl", "kexec", NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };
	int r = kexec_run_told(ctx, program, argv, &told);

	if (r < 0 || (!kexec_told_done_well(&told) && kexec_queued(ctx) > 0))
		return r;
	return kexec_told_judge(ctx, program, argv, &told);
}

int kexec_jump(struct pkram_ctx *ctx, bool no_systemd)
{
	_cleanup_free_ char *program = NULL;
	char *by_kexec[] = { "kexec", "-e", NULL };
	int r;

	if (!no_systemd && machine_exists(ctx, SYSTEMD_DIR)) {
		program = kexec_find_program("systemctl");
		return program ? jump_by_systemd(ctx, program) : no_systemctl(ctx);
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
