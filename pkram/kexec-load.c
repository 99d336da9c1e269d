/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading a kernel with kexec-tools.
 *
 * By the file syscall (-s) wherever there is one: the kernel then places the image in what it knows
 * to be RAM. The other way (-c, still the default of kexec -l) places it by the firmware's map,
 * which does not know memmap=, and destroys a region at the top of RAM: so it gets bounds, and
 * what it did is looked at before the load counts (kexec-bounds.c).
 */
#include "kexec-bounds.h"
#include "kexec-run.h"
#include "kexec.h"
#include "machine.h"

#include <inttypes.h>

/* --- what the kernel allows --- */

int kexec_program(struct pkram_ctx *ctx, char **ret)
{
	*ret = kexec_find_program("kexec");
	if (*ret)
		return 0;
	pkram_log_refusal(ctx, "install kexec-tools", "no kexec program");
	return -EUCLEAN;
}

bool kexec_locked_down(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *state = NULL;

	return machine_read(ctx, "/sys/kernel/security/lockdown", &state, NULL) == 0 &&
	       !strstr(state, "[none]");
}

int kexec_possible(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *program = NULL;
	uint64_t disabled = 0;

	if (!machine_exists(ctx, "/sys/kernel/kexec_loaded")) {
		pkram_log_refusal(ctx, "boot one that has CONFIG_KEXEC_FILE",
				  "this kernel is built without kexec");
		return -EUCLEAN;
	}
	if (machine_read_u64(ctx, "/proc/sys/kernel/kexec_load_disabled", &disabled) == 0 &&
	    disabled) {
		pkram_log_refusal(ctx, "export what must survive, take it out of /etc/sysctl.d, "
				  "and reboot by firmware",
				  "kernel.kexec_load_disabled is set, and stays so in this boot");
		return -EUCLEAN;
	}
	return kexec_program(ctx, &program);
}

bool kexec_loaded(struct pkram_ctx *ctx)
{
	uint64_t loaded;

	return machine_read_u64(ctx, "/sys/kernel/kexec_loaded", &loaded) == 0 && loaded;
}

/* --- load, unload --- */

/* That there is no kexec_file_load, and not that it refused. */
static bool has_no_file_syscall(const struct kexec_told *told)
{
	return strstr(told->text, "kexec_file_load not available") ||
	       strstr(told->text, "Function not implemented");
}

/* Either way unloads what either way has loaded. */
static int run_unload(struct pkram_ctx *ctx, char *program)
{
	char *by_file[] = { "kexec", "-s", "-u", NULL }, *by_load[] = { "kexec", "-c", "-u", NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };
	int r = kexec_run_told(ctx, program, by_file, &told);

	if (r < 0)
		return r;
	r = !kexec_told_done_well(&told) && has_no_file_syscall(&told) ?
		    kexec_run(ctx, program, by_load) :
		    kexec_told_judge(ctx, program, by_file, &told);
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

/* The arguments that say what to load. */
struct what {
	char *kernel, *initrd, *line;
};

static void what_done(struct what *w)
{
	free(w->kernel);
	free(w->initrd);
	free(w->line);
}

static int what_to_load(struct pkram_ctx *ctx, const struct kexec_kernel *k, const char *line,
			struct what *ret)
{
	_cleanup_free_ char *initrd = k->initrd ? machine_path(ctx, k->initrd) : NULL;

	ret->kernel = machine_path(ctx, k->kernel);
	if (!ret->kernel || (k->initrd && !initrd))
		return -ENOMEM;
	if (initrd && asprintf(&ret->initrd, "--initrd=%s", initrd) < 0) {
		ret->initrd = NULL;
		return -ENOMEM;
	}
	if (asprintf(&ret->line, "--command-line=%s", line) < 0) {
		ret->line = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* The initrd is last: where there is none, the list ends before it. */
static int load_by_file(struct pkram_ctx *ctx, char *program, const struct what *w,
			enum kexec_method method, bool *ret_missing)
{
	char *argv[] = { "kexec", "-s", "-l", w->kernel, w->line, w->initrd, NULL };
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };
	int r = kexec_run_told(ctx, program, argv, &told);

	*ret_missing = r == 0 && method == KEXEC_METHOD_AUTO && !kexec_told_done_well(&told) &&
		       has_no_file_syscall(&told);
	return r < 0 || *ret_missing ? r : kexec_told_judge(ctx, program, argv, &told);
}

static int find_bounds(struct pkram_ctx *ctx, const struct kexec_keep *keep, size_t n,
		       struct kexec_bounds *ret)
{
	_cleanup_(machine_ranges_done) struct machine_ranges iomem = { 0 };
	int r = machine_iomem(ctx, &iomem);

	if (r == 0)
		r = kexec_bounds_find(&iomem, keep, n, ret);
	if (r == -ENOSPC)
		pkram_log_error(ctx, "no piece of RAM below 2 GiB is free of regions and large "
				     "enough for a new kernel");
	else if (r == -EPERM)
		pkram_log_error(ctx, "/proc/iomem shows its addresses to root alone");
	return r == -ENOSPC ? -EUCLEAN : r;
}

/* Unloaded again on any doubt. */
static int load_bounded(struct pkram_ctx *ctx, char *program, const struct what *w,
			const struct kexec_keep *keep, size_t n)
{
	_cleanup_(kexec_told_done) struct kexec_told told = { NULL };
	char min[40], max[40];
	char *argv[] = { "kexec", "-c", "-d", "-l", w->kernel, min, max, w->line, w->initrd, NULL };
	struct kexec_bounds bounds;
	int r = find_bounds(ctx, keep, n, &bounds);

	if (r < 0)
		return r;
	snprintf(min, sizeof(min), "--mem-min=%#" PRIx64, bounds.min);
	snprintf(max, sizeof(max), "--mem-max=%#" PRIx64, bounds.max);
	pkram_log_info(ctx, "loading by kexec_load, into memory from %#" PRIx64 " to %#" PRIx64,
		       bounds.min, bounds.max);
	r = kexec_run_told(ctx, program, argv, &told);
	if (r == 0)
		r = kexec_told_judge(ctx, program, argv, &told);
	if (r == 0)
		r = kexec_segments_check(ctx, told.text, &bounds, keep, n);
	if (r < 0 && kexec_loaded(ctx))
		run_unload(ctx, program);
	return r;
}

/*
 * What another loaded before goes first: a load that fails would leave it, with a line that
 * nobody has checked, and it would hide that ours is not there.
 */
int kexec_load(struct pkram_ctx *ctx, const struct kexec_kernel *k, const char *line,
	       enum kexec_method method, const struct kexec_keep *keep, size_t n)
{
	_cleanup_(what_done) struct what what = { NULL };
	bool bounded = method == KEXEC_METHOD_LOAD;
	_cleanup_free_ char *program = NULL;
	int r = kexec_program(ctx, &program);

	if (r == 0)
		r = what_to_load(ctx, k, line, &what);
	if (r < 0)
		return r;
	if (kexec_loaded(ctx)) {
		pkram_log_info(ctx, "another kernel is loaded: unloading it");
		r = run_unload(ctx, program);
		if (r < 0)
			return r;
	}
	if (!bounded)
		r = load_by_file(ctx, program, &what, method, &bounded);
	if (r == 0 && bounded)
		r = load_bounded(ctx, program, &what, keep, n);
	if (r < 0)
		return r;
	if (!kexec_loaded(ctx)) {
		pkram_log_error(ctx,
				"%s %s -l succeeded, and /sys/kernel/kexec_loaded shows no kernel",
				program, bounded ? "-c" : "-s");
		return -EIO;
	}
	return 0;
}
