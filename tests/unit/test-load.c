/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading and jumping, with programs of our own first in PATH: what they are called with, and what
 * comes of their failures.
 */
#include "kexec-bounds.h"
#include "kexec-run.h"
#include "kexec.h"
#include "sysroot.h"

#include <signal.h>
#include <sys/resource.h>

static struct kexec_kernel kernel = { "/boot/vmlinuz", "/boot/initrd", "6.1" };

static int load(struct sysroot *s, const struct kexec_kernel *k, const char *line)
{
	return kexec_load(s->ctx, k, line, KEXEC_METHOD_FILE, NULL, 0);
}

static void test_load(void **state)
{
	struct sysroot *s = *state;
	struct kexec_kernel none = { "/boot/vmlinuz", NULL, "6.1" };
	_cleanup_free_ char *want = NULL;

	assert_false(kexec_loaded(s->ctx));
	/* Nothing of the line is for a shell. */
	assert_int_equal(load(s, &kernel, "ro a=\"b c\" $(touch x) 'y' *"), 0);
	assert_true(kexec_loaded(s->ctx));
	assert_true(asprintf(&want,
			     "kexec\n-s\n-l\n%s/boot/vmlinuz\n"
			     "--command-line=ro a=\"b c\" $(touch x) 'y' *\n"
			     "--initrd=%s/boot/initrd", s->dir, s->dir) >= 0);
	sysroot_called(s, want);
	/* Another one that was there goes first. */
	assert_int_equal(load(s, &none, ""), 0);
	free(want);
	assert_true(asprintf(&want,
			     "kexec\n-s\n-u\nkexec\n-s\n-l\n%s/boot/vmlinuz\n--command-line=",
			     s->dir) >= 0);
	sysroot_called(s, want);
	assert_int_equal(kexec_unload(s->ctx), 0);
	sysroot_called(s, "kexec\n-s\n-u");
	assert_false(kexec_loaded(s->ctx));
}

static void test_load_fails(void **state)
{
	struct sysroot *s = *state;

	sysroot_text(s, "/fail", "");
	assert_int_equal(load(s, &kernel, "ro"), -EIO);
	assert_true(sysroot_logged(s, "failed (7): kexec_file_load failed: Key was rejected\n"));
	assert_int_equal(kexec_unload(s->ctx), -EIO);
	sysroot_remove(s, "/fail");
	sysroot_text(s, "/die", "");
	assert_int_equal(load(s, &kernel, "ro"), -EIO);
	assert_true(sysroot_logged(s, "killed by signal 9"));
	sysroot_remove(s, "/die");
	/* Success is what the kernel shows, not what the program says. */
	sysroot_text(s, "/broken", "");
	assert_int_equal(load(s, &kernel, "ro"), -EIO);
	assert_true(sysroot_logged(s, "shows no kernel"));
	sysroot_text(s, "/sys/kernel/kexec_loaded", "1\n");
	assert_int_equal(kexec_unload(s->ctx), -EIO);
	assert_true(sysroot_logged(s, "still shows a kernel"));
	assert_int_equal(load(s, &kernel, "ro"), -EIO);
}

/* --- bounded --- */

static const char iomem[] = "00001000-0009fbff : System RAM\n"
			    "00100000-3fffffff : System RAM\n"
			    "  01000000-01ffffff : Kernel code\n"
			    "100000000-10fffffff : System RAM\n"
			    "110000000-11fffffff : Persistent Memory (legacy)\n";

static const struct kexec_keep region = { "pmem:/dev/pmem0", 0x110000000, 0x10000000, '!' };

static const char segments[] = "kernel: 0x7f\nkexec_load: entry = 0x3fff7 flags = 0x3e0000\n"
			       "nr_segments = 2\n"
			       "segment[0].buf   = 0x55d\nsegment[0].bufsz = 0x70a0\n"
			       "segment[0].mem   = 0x100000\nsegment[0].memsz = 0xb000\n"
			       "segment[1].buf   = 0x7f4\nsegment[1].bufsz = 0x1000\n"
			       "segment[1].mem   = 0x30000000\nsegment[1].memsz = 0x10000000\n";

static int load_method(struct sysroot *s, enum kexec_method method)
{
	return kexec_load(s->ctx, &kernel, "ro", method, &region, 1);
}

static void test_bounded(void **state)
{
	_cleanup_free_ char *want = NULL, *both = NULL;
	struct sysroot *s = *state;

	sysroot_text(s, "/proc/iomem", iomem);
	sysroot_text(s, "/segments", segments);
	assert_true(asprintf(&want,
			     "kexec\n-c\n-d\n-l\n%s/boot/vmlinuz\n--mem-min=0x100000\n"
			     "--mem-max=0x3fffffff\n--command-line=ro\n--initrd=%s/boot/initrd",
			     s->dir, s->dir) >= 0);
	assert_int_equal(load_method(s, KEXEC_METHOD_LOAD), 0);
	sysroot_called(s, want);
	assert_true(kexec_loaded(s->ctx));
	assert_int_equal(kexec_unload(s->ctx), 0);
	sysroot_called(s, "kexec\n-s\n-u");
	/* Where there is no other way, and only there. */
	sysroot_text(s, "/nofile", "");
	assert_int_equal(load_method(s, KEXEC_METHOD_FILE), -EIO);
	assert_true(sysroot_logged(s, "Function not implemented"));
	sysroot_remove(s, "/calls");
	sysroot_forget(s);
	assert_int_equal(load_method(s, KEXEC_METHOD_AUTO), 0);
	assert_false(sysroot_logged(s, "Function not implemented"));
	assert_true(asprintf(&both,
			     "kexec\n-s\n-l\n%s/boot/vmlinuz\n--command-line=ro\n"
			     "--initrd=%s/boot/initrd\n%s", s->dir, s->dir, want) >= 0);
	sysroot_called(s, both);
	assert_int_equal(kexec_unload(s->ctx), 0);
	sysroot_called(s, "kexec\n-s\n-u\nkexec\n-c\n-u");
	assert_false(kexec_loaded(s->ctx));
	/* A refusal is none of a missing way. */
	sysroot_remove(s, "/nofile");
	sysroot_text(s, "/fail", "");
	assert_int_equal(load_method(s, KEXEC_METHOD_AUTO), -EIO);
	assert_true(sysroot_logged(s, "Key was rejected"));
}

/* What kexec says that it did is believed only when it is whole and right; else it is unloaded. */
static void test_segments(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} changes[] = {
		{ "segment[1].mem   = 0x30000000", "segment[1].mem   = 0x110000000", "into pmem:" },
		{ "segment[1].mem   = 0x30000000", "segment[1].mem   = 0x108000000", "into pmem:" },
		{ "segment[1].mem   = 0x30000000", "segment[1].mem   = 0x100000000", "outside" },
		{ "segment[1].mem   = 0x30000000", "segment[1].mem   = 0x30001000", "outside" },
		{ "segment[0].mem   = 0x100000", "segment[0].mem   = 0x3000", "outside" },
		{ "segment[1].memsz = 0x10000000", "segment[1].memsz = 0x0", "cannot be" },
		{ "segment[1].memsz = 0x10000000", "segment[1].memsz = 0xffffffffffffffff",
		  "cannot be" },
		{ "segment[1].memsz", "segment[2].memsz", "does not say" },
		{ "segment[1].memsz", "segment[99].memsz", "does not say" },
		{ "segment[1].mem ", "segment[0].mem ", "does not say" },
		{ "nr_segments = 2", "nr_segments = 3", "does not say" },
		{ "nr_segments = 2", "nr_segments = 1", "does not say" },
		{ "nr_segments = 2", "", "does not say" },
		{ "nr_segments = 2", "nr_segments = 2\nnr_segments = 2", "does not say" },
	};
	struct sysroot *s = *state;

	sysroot_text(s, "/proc/iomem", iomem);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *at = strstr(segments, changes[i].from);
		_cleanup_free_ char *text = NULL;

		assert_true(asprintf(&text, "%.*s%s%s", (int)(at - segments), segments,
				     changes[i].to, at + strlen(changes[i].from)) >= 0);
		sysroot_text(s, "/segments", text);
		sysroot_forget(s);
		if (load_method(s, KEXEC_METHOD_LOAD) != -EUCLEAN ||
		    !sysroot_logged(s, changes[i].says))
			fail_msg("%zu: %s: %s", i, changes[i].to, s->log);
		assert_false(kexec_loaded(s->ctx));
	}
}

static void test_bounds(void **state)
{
	static const struct {
		const char *iomem;
		uint64_t phys, size, min, max;	/* max 0: none */
	} cases[] = {
		/* The largest piece, on either side of a region that a map calls RAM. */
		{ "00100000-7fffffff : System RAM\n", GIB, 256 * MIB, MIB, GIB - 1 },
		{ "00100000-7fffffff : System RAM\n", 256 * MIB, 256 * MIB, 512 * MIB,
		  2 * GIB - 1 },
		/* It starts low enough for the part that must be below 2 GiB. */
		{ "00100000-1fffffff : System RAM\n100000000-8ffffffff : System RAM\n", GIB, MIB,
		  MIB, 512 * MIB - 1 },
		/* Pieces that touch are one; what lies between others is none. */
		{ "00100000-0fffffff : System RAM\n10000000-1fffffff : System RAM\n"
		  "20000000-2fffffff : Reserved\n30000000-3fffffff : System RAM\n",
		  GIB, MIB, MIB, 512 * MIB - 1 },
		{ "00001000-0009fbff : System RAM\n100000000-8ffffffff : System RAM\n", GIB, MIB,
		  0, 0 },
		{ "00100000-3fffffff : System RAM\n", 0, GIB, 0, 0 },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kexec_keep keep = { "r", cases[i].phys, cases[i].size, '!' };
		_cleanup_(machine_ranges_done) struct machine_ranges ranges = { 0 };
		struct kexec_bounds b = { 0 };
		int r;

		sysroot_text(s, "/proc/iomem", cases[i].iomem);
		assert_int_equal(machine_iomem(s->ctx, &ranges), 0);
		r = kexec_bounds_find(&ranges, &keep, 1, &b);
		if (r != (cases[i].max ? 0 : -ENOSPC) || b.min != cases[i].min ||
		    b.max != cases[i].max)
			fail_msg("%zu: %d, %#lx-%#lx", i, r, (unsigned long)b.min,
				 (unsigned long)b.max);
	}
	sysroot_text(s, "/proc/iomem", "00000000-00000000 : System RAM\n");
	assert_int_equal(load_method(s, KEXEC_METHOD_LOAD), -EPERM);
	sysroot_called(s, "");
}

static void test_possible(void **state)
{
	struct sysroot *s = *state;

	assert_int_equal(kexec_possible(s->ctx), 0);
	assert_false(kexec_locked_down(s->ctx));
	sysroot_text(s, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	assert_false(kexec_locked_down(s->ctx));
	sysroot_text(s, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_true(kexec_locked_down(s->ctx));
	assert_int_equal(kexec_possible(s->ctx), 0);
	sysroot_text(s, "/proc/sys/kernel/kexec_load_disabled", "0\n");
	assert_int_equal(kexec_possible(s->ctx), 0);
	sysroot_text(s, "/proc/sys/kernel/kexec_load_disabled", "1\n");
	assert_int_equal(kexec_possible(s->ctx), -EUCLEAN);
	assert_true(sysroot_logged(s, "kexec_load_disabled"));
	sysroot_remove(s, "/sys/kernel/kexec_loaded");
	assert_int_equal(kexec_possible(s->ctx), -EUCLEAN);
	assert_true(sysroot_logged(s, "without kexec"));
	sysroot_called(s, "");
}

static void test_jump(void **state)
{
	struct sysroot *s = *state;

	/* No systemd: kexec -e, which should not come back. */
	assert_int_equal(kexec_jump(s->ctx, false), -EIO);
	sysroot_called(s, "kexec\n-e");
	sysroot_text(s, "/run/systemd/system/x", "");
	assert_int_equal(kexec_jump(s->ctx, false), 0);
	sysroot_called(s, "systemctl\nkexec");
	assert_int_equal(kexec_jump(s->ctx, true), -EIO);
	sysroot_called(s, "kexec\n-e");
	sysroot_text(s, "/fail", "");
	assert_int_equal(kexec_jump(s->ctx, false), -EIO);
	assert_true(sysroot_logged(s, "systemctl kexec failed (7): kexec_file_load failed"));
	/* Ended by the shutdown that it has begun. */
	sysroot_remove(s, "/fail");
	sysroot_text(s, "/die", "");
	assert_int_equal(kexec_jump(s->ctx, false), -EIO);
	assert_true(sysroot_logged(s, "systemctl kexec: killed by signal 9"));
	sysroot_text(s, "/job", "17\n");
	assert_int_equal(kexec_jump(s->ctx, false), 0);
}

/* --- any program --- */

static unsigned long long mask_of(const struct kexec_told *told, const char *name)
{
	const char *line = strstr(told->text, name);

	assert_non_null(line);
	return strtoull(line + strlen(name), NULL, 16);
}

static unsigned long long bit(int sig)
{
	return 1ULL << (sig - 1);
}

/* What the caller does with its signals is not for programs, unless nohup asked for it. */
static void test_signals(void **state)
{
	char *argv[] = { "cat", "/proc/self/status", NULL };
	const int ours[] = { SIGPIPE, SIGIO, SIGHUP };
	struct sysroot *s = *state;
	struct kexec_told told;
	sigset_t all;

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		signal(ours[i], SIG_IGN);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	assert_int_equal(kexec_run_told(s->ctx, "/bin/cat", argv, &told), 0);
	pthread_sigmask(SIG_UNBLOCK, &all, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		signal(ours[i], SIG_DFL);
	assert_true(kexec_told_done_well(&told));
	assert_int_equal(mask_of(&told, "SigBlk:"), 0);
	assert_int_equal(mask_of(&told, "SigIgn:") & (bit(SIGPIPE) | bit(SIGIO)), 0);
	assert_true(mask_of(&told, "SigIgn:") & bit(SIGHUP));
	kexec_told_done(&told);
}

/* Each failure says what failed, once. */
static void test_not_run(void **state)
{
	struct rlimit limit, few = { 0 };
	char *argv[] = { "true", NULL };
	struct sysroot *s = *state;
	struct kexec_told told;

	assert_int_equal(kexec_run_told(s->ctx, "/nonexistent", argv, &told), -ENOENT);
	assert_string_equal(s->log, "/nonexistent: No such file or directory\n");
	sysroot_forget(s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few.rlim_max = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(kexec_run_told(s->ctx, "/bin/true", argv, &told), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(s->log, "/bin/true: cannot make a pipe: Too many open files\n");
	sysroot_forget(s);
	/* Nobody waits for children then: there is none to wait for. */
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(kexec_run_told(s->ctx, "/bin/true", argv, &told), -ECHILD);
	signal(SIGCHLD, SIG_DFL);
	assert_string_equal(s->log, "/bin/true: cannot tell how it ended: No child processes\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_load, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_load_fails, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_bounded, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_segments, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_bounds, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_possible, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_jump, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_signals, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_not_run, sysroot_setup, sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
