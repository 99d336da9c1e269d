/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the next kernel reads besides the line: words of its own, and a boot configuration.
 */
#include "kexec.h"
#include "sysroot.h"

#include <endian.h>

#define X86 "CONFIG_X86_64=y\nCONFIG_CMDLINE_BOOL=y\n"

static void test_effective_line(void **state)
{
	static const struct {
		const char *config, *line, *want;
	} cases[] = {
		{ NULL, "ro quiet", "ro quiet" },
		{ "", "ro quiet", "ro quiet" },
		{ "# CONFIG_CMDLINE_BOOL is not set\n", "ro", "ro" },
		{ "# CONFIG_CMDLINE_BOOL is not set\nCONFIG_CMDLINE=\"x\"\n", "ro", "ro" },
		{ X86 "CONFIG_CMDLINE=\"\"\n", "ro", "ro" },
		{ X86 "CONFIG_CMDLINE=\"memmap=1G!4G nokaslr\"\n", "ro",
		  "memmap=1G!4G nokaslr ro" },
		{ X86 "CONFIG_CMDLINE=\"quiet\"\n# CONFIG_CMDLINE_OVERRIDE is not set\n", "ro",
		  "quiet ro" },
		{ X86 "CONFIG_CMDLINE=\"quiet\"\n", "", "quiet" },
		{ X86 "CONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_OVERRIDE=y\n", "ro", "quiet" },
		{ X86 "CONFIG_CMDLINE=\"\"\nCONFIG_CMDLINE_OVERRIDE=y\n", "ro", "" },
		{ X86 "CONFIG_CMDLINE=\"a=\\\"b \\\\c\\\" d\"\n", "ro", "a=\"b \\c\" d ro" },
		{ X86 "CONFIG_CMDLINE=\"open\nCONFIG_X=\"y\"\n", "ro", "open ro" },
		{ X86 "CONFIG_CMDLINE=\"quiet\"", "ro", "quiet ro" },
		{ X86 "XCONFIG_CMDLINE=\"a\"\nCONFIG_CMDLINE2=\"b\"\n", "ro", "ro" },
		{ "CONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_EXTEND=y\n", "ro", "ro quiet" },
		{ "CONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_EXTEND=y\n", "", "quiet" },
		{ "CONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_FORCE=y\n", "ro", "quiet" },
		{ "CONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_FROM_BOOTLOADER=y\n", "ro", "ro" },
		{ "CONFIG_CMDLINE=\"quiet\"\nCONFIG_CMDLINE_FROM_BOOTLOADER=y\n", "", "quiet" },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *line = NULL;

		assert_int_equal(kexec_effective_line(s->ctx, cases[i].config, cases[i].line,
						      &line),
				 0);
		assert_string_equal(line, cases[i].want);
	}
	assert_null(s->log);
}

static void test_effective_length(void **state)
{
	static const char config[] = X86 "CONFIG_CMDLINE=\"quiet\"\n";
	struct sysroot *s = *state;
	char text[KEXEC_LINE_BYTES + 1], *line = NULL;

	memset(text, 'x', sizeof(text));
	text[KEXEC_LINE_BYTES - strlen("quiet ")] = '\0';
	assert_int_equal(kexec_effective_line(s->ctx, config, text, &line), 0);
	assert_int_equal(strlen(line), KEXEC_LINE_BYTES);
	free(line);
	line = NULL;
	strcat(text, "x");
	assert_int_equal(kexec_effective_line(s->ctx, config, text, &line), -E2BIG);
	assert_null(line);
	assert_true(sysroot_logged(s, "built with (quiet) have 2048 bytes"));
}

/* --- boot configurations --- */

#define BOOT_CONFIG "CONFIG_BOOT_CONFIG=y\n"

static void test_bootconfig(void **state)
{
	static const struct {
		const char *text, *config, *line;
		const char *says;	/* NULL: nothing */
	} cases[] = {
		{ "kernel.memmap = \"1G!4G\"", NULL, "bootconfig", "'memmap'" },
		{ "kernel.memmap = \"1G!4G\"", BOOT_CONFIG, "ro bootconfig", "'memmap'" },
		{ "kernel.memmap = \"1G!4G\"", BOOT_CONFIG, "bootconfig=1", "'memmap'" },
		{ "kernel { ramoops { mem-address = 0x100000000 } }", NULL, "bootconfig",
		  "'mem_address'" },
		{ "kernel.mem=2G", NULL, "bootconfig", "'mem'" },
		{ "kernel.module-blacklist = nd_pmem", NULL, "bootconfig", "'module_blacklist'" },
		{ "kernel.phram.phram = a,4G,1M", NULL, "bootconfig", "'phram'" },
		{ "kernel.mem=2G", BOOT_CONFIG "CONFIG_BOOT_CONFIG_FORCE=y\n", "ro", "'mem'" },

		{ "kernel.memmap = \"1G!4G\"", BOOT_CONFIG, "ro", NULL },
		{ "kernel.memmap = \"1G!4G\"", BOOT_CONFIG, "ro -- bootconfig", NULL },
		{ "kernel.memmap = \"1G!4G\"", "# CONFIG_BOOT_CONFIG is not set\n", "bootconfig",
		  NULL },
		{ "ftrace.event.x.enable\nkernel.memmapx = 1\nkernel.memory = 2", NULL,
		  "bootconfig", NULL },
		{ "", NULL, "bootconfig", NULL },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t padding = 0; padding < 4; padding++) {
			sysroot_forget(s);
			sysroot_bootconfig(s, "/boot/initrd", cases[i].text, 0, padding);
			assert_int_equal(kexec_check_bootconfig(s->ctx, "/boot/initrd",
								cases[i].config, cases[i].line),
					 cases[i].says ? -EUCLEAN : 0);
			assert_int_equal(!cases[i].says, !s->log);
			assert_true(!cases[i].says || sysroot_logged(s, cases[i].says));
		}
	}
}

/* What the kernel passes over, and what cannot be read. */
static void test_no_bootconfig(void **state)
{
	static const char reaching[] = "kernel.memmap=1G!4G";
	static const char huge[] = "\xff\xff\xff\xff\x00\x00\x00\x00#BOOTCONFIG\n";
	struct sysroot *s = *state;

	sysroot_bootconfig(s, "/boot/initrd", reaching, 1, 0);
	assert_int_equal(kexec_check_bootconfig(s->ctx, "/boot/initrd", NULL, "bootconfig"), 0);
	sysroot_bootconfig(s, "/boot/initrd", reaching, 0, 4);
	assert_int_equal(kexec_check_bootconfig(s->ctx, "/boot/initrd", NULL, "bootconfig"), 0);
	sysroot_write(s, "/boot/initrd", huge, sizeof(huge) - 1);
	assert_int_equal(kexec_check_bootconfig(s->ctx, "/boot/initrd", NULL, "bootconfig"), 0);
	sysroot_text(s, "/boot/initrd", "short");
	assert_int_equal(kexec_check_bootconfig(s->ctx, "/boot/initrd", NULL, "bootconfig"), 0);
	assert_int_equal(kexec_check_bootconfig(s->ctx, NULL, NULL, "bootconfig"), 0);
	assert_null(s->log);
	assert_int_equal(kexec_check_bootconfig(s->ctx, "/boot/none", NULL, "bootconfig"), -ENOENT);
	assert_true(sysroot_logged(s, "initrd /boot/none: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_effective_line, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_effective_length, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_bootconfig, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_no_bootconfig, sysroot_setup,
						sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
