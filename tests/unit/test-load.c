/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading and jumping, with programs of our own first in PATH: what they are called with, and what
 * comes of their failures.
 */
#include "kexec.h"
#include "sysroot.h"

static struct kexec_kernel kernel = { "/boot/vmlinuz", "/boot/initrd", "6.1" };

static void test_load(void **state)
{
	struct sysroot *s = *state;
	struct kexec_kernel none = { "/boot/vmlinuz", NULL, "6.1" };
	_cleanup_free_ char *want = NULL;

	assert_false(kexec_loaded(s->ctx));
	/* Nothing of the line is for a shell. */
	assert_int_equal(kexec_load(s->ctx, &kernel, "ro a=\"b c\" $(touch x) 'y' *"), 0);
	assert_true(kexec_loaded(s->ctx));
	assert_true(asprintf(&want,
			     "kexec\n-s\n-l\n%s/boot/vmlinuz\n--initrd=%s/boot/initrd\n"
			     "--command-line=ro a=\"b c\" $(touch x) 'y' *", s->dir, s->dir) >= 0);
	sysroot_called(s, want);
	/* Another one that was there goes first. */
	assert_int_equal(kexec_load(s->ctx, &none, ""), 0);
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
	assert_int_equal(kexec_load(s->ctx, &kernel, "ro"), -EIO);
	assert_true(sysroot_logged(s, "failed (7): kexec_file_load failed: Key was rejected\n"));
	assert_int_equal(kexec_unload(s->ctx), -EIO);
	sysroot_remove(s, "/fail");
	sysroot_text(s, "/die", "");
	assert_int_equal(kexec_load(s->ctx, &kernel, "ro"), -EIO);
	assert_true(sysroot_logged(s, "killed by signal 9"));
	sysroot_remove(s, "/die");
	/* Success is what the kernel shows, not what the program says. */
	sysroot_text(s, "/broken", "");
	assert_int_equal(kexec_load(s->ctx, &kernel, "ro"), -EIO);
	assert_true(sysroot_logged(s, "shows no kernel"));
	sysroot_text(s, "/sys/kernel/kexec_loaded", "1\n");
	assert_int_equal(kexec_unload(s->ctx), -EIO);
	assert_true(sysroot_logged(s, "still shows a kernel"));
	assert_int_equal(kexec_load(s->ctx, &kernel, "ro"), -EIO);
}

static void test_possible(void **state)
{
	struct sysroot *s = *state;

	assert_int_equal(kexec_possible(s->ctx), 0);
	sysroot_text(s, "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	assert_int_equal(kexec_possible(s->ctx), 0);
	assert_null(s->log);
	sysroot_text(s, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_int_equal(kexec_possible(s->ctx), 0);
	assert_true(sysroot_logged(s, "signed kernel"));
	sysroot_text(s, "/proc/sys/kernel/kexec_load_limit_reboot", "-1\n");
	sysroot_text(s, "/proc/sys/kernel/kexec_load_disabled", "0\n");
	assert_int_equal(kexec_possible(s->ctx), 0);
	sysroot_text(s, "/proc/sys/kernel/kexec_load_limit_reboot", "0\n");
	assert_int_equal(kexec_possible(s->ctx), -EUCLEAN);
	assert_true(sysroot_logged(s, "kexec_load_limit_reboot"));
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
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_load, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_load_fails, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_possible, sysroot_setup_programs,
						sysroot_teardown_programs),
		cmocka_unit_test_setup_teardown(test_jump, sysroot_setup_programs,
						sysroot_teardown_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
