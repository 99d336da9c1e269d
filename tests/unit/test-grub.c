/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GRUB's settings, and the words that a kernel gets of its configuration.
 */
#include "kexec.h"
#include "sysroot.h"

/* What GRUB 2.06 itself (grub-emu) made of them; quotes around spaces are its loader's. */
static void test_words(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "" },
		{ "  a\t b ", "a b" },
		{ "memmap=64K\\$0x18 a", "memmap=64K$0x18 a" },
		{ "memmap=64K$0x18 a", "memmap=64Kx18 a" },
		{ "memmap=64K$1G", "memmap=64KG" },
		{ "memmap=64K$16G", "memmap=64KG" },
		{ "memmap=1G!4G a%b a=b a*b ~ [x]", "memmap=1G!4G a%b a=b a*b ~ [x]" },
		{ "\"memmap=64K\\$1G\" \"memmap=64K$1G\"", "memmap=64K$1G memmap=64KG" },
		{ "'memmap=64K$1G'", "memmap=64K$1G" },
		{ "\"a\\xb\" a\\xb", "a\\\\xb axb" },
		{ "'a\\x41'", "a\\x41" },
		{ "'a\\b' \"a\\\\b\" a\\\\b", "a\\\\b a\\\\b a\\\\b" },
		{ "\"a\\\"b\" \"a'b\"", "a\\\"b a\\'b" },
		{ "a\"b c\"d\\ e f", "\"ab cd e\" f" },
		{ "memmap=\"1G!4G\" \"memmap=1G!4G\"", "memmap=1G!4G memmap=1G!4G" },
		{ "${none}x$none $none y", "x y" },
		{ "a$?b c$#d e$@f g$*h", "ab cd ef gh" },
		{ "${1}a ${@}b ${_x1}c $_x1 d", "a b c d" },
		{ "a#b #c d", "a#b" },
		{ "a ; b", "a" },
		{ "a}b", "a" },
		{ "a \"b\nc\" d\ne", "a b\nc d" },
		{ "a \\\nb c\\\nd\ne", "a b cd" },
		{ "a \"b c", "a \"b c\"" },
		{ "a \\", "a \\\\" },
		{ "a $", "a $" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *words = NULL;
		const char *text = cases[i].text;

		assert_int_equal(kexec_grub_words(&text, &words), 0);
		assert_string_equal(words, cases[i].words);
	}
}

static void expect_variable(struct sysroot *s, const char *word, const char *want)
{
	const char *name = NULL;
	int r = kexec_grub_variable(s->ctx, word, &name);

	assert_int_equal(r, want ? 0 : -ENODATA);
	if (want)
		assert_string_equal(name, want);
}

static void expect_line(struct sysroot *s, const char *want)
{
	_cleanup_free_ char *line = NULL;

	assert_int_equal(kexec_grub_settings_line(s->ctx, &line), 0);
	assert_string_equal(line, want);
}

#define SETTINGS "/etc/default/grub"
#define FIRST "GRUB_CMDLINE_LINUX"
#define SECOND "GRUB_CMDLINE_LINUX_DEFAULT"

static void test_settings(void **state)
{
	struct sysroot *s = *state;
	_cleanup_free_ char *line = NULL;

	assert_int_equal(kexec_grub_settings_line(s->ctx, &line), -ENODATA);
	sysroot_text(s, SETTINGS, FIRST "=\"a b\\\\\\$c \\$e\"\n" SECOND "='quiet memmap=1G!4G'\n");
	/* The shell takes one backslash, GRUB the other; without it, GRUB takes the word. */
	expect_variable(s, "b$c", FIRST);
	expect_variable(s, "$e", NULL);
	expect_variable(s, "memmap=1G!4G", SECOND);
	expect_variable(s, "memmap=1G", NULL);
	expect_line(s, "a b$c quiet memmap=1G!4G");
	sysroot_text(s, SETTINGS, FIRST "=\"memmap=64K\\$0x186 memmap=64K\\\\\\$0x187\"\n");
	expect_line(s, "memmap=64Kx186 memmap=64K$0x187");
	sysroot_text(s, SETTINGS, SECOND "=d\n");
	expect_line(s, "d");
	/* As bash has it. */
	sysroot_text(s, SETTINGS, FIRST "=a\nX=b\n" FIRST "+=\" $X memmap=1G!4G\"\n"
				  SECOND "+='c'\nexport " SECOND "+=d\n");
	expect_line(s, "a b memmap=1G!4G cd");
}

/* Which files there are to it, and in which order. */
static void test_dropins(void **state)
{
	static const char add[] = FIRST "=\"$" FIRST " %s\"\n";
	static const char *const files[] = { "90.cfg", "10.cfg", "B.cfg", "a.cfg", ".cfg",
					     ".50.cfg", "50.cfg~", "50", "50.cfg.dpkg-old" };
	struct sysroot *s = *state;
	_cleanup_free_ char *dir = sysroot_path(s, SETTINGS ".d/no.cfg"), *line = NULL;

	sysroot_text(s, SETTINGS, FIRST "=x\n");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[64], text[64];

		snprintf(path, sizeof(path), SETTINGS ".d/%s", files[i]);
		snprintf(text, sizeof(text), add, files[i]);
		sysroot_text(s, path, text);
	}
	assert_int_equal(symlink("nowhere", dir), 0);
	assert_true(kexec_grub_reads_dropins(s->ctx));
	expect_line(s, "x 10.cfg 90.cfg B.cfg a.cfg");
	/* What grub-mkconfig does counts, and not that there is a directory. */
	sysroot_text(s, "/usr/bin/grub-mkconfig", ". ${sysconfdir}/default/grub\n");
	assert_false(kexec_grub_reads_dropins(s->ctx));
	expect_line(s, "x");
	sysroot_text(s, "/usr/sbin/grub-mkconfig", "for x in ${sysconfdir}/default/grub.d/*.cfg\n");
	assert_true(kexec_grub_reads_dropins(s->ctx));
	expect_line(s, "x 10.cfg 90.cfg B.cfg a.cfg");
	/* One that cannot be read may say anything. */
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(mkfifo(dir, 0600), 0);
	sysroot_forget(s);
	assert_int_equal(kexec_grub_settings_line(s->ctx, &line), -EUCLEAN);
	assert_true(sysroot_logged(s, "/etc/default/grub.d/no.cfg: not a file of text"));
}

/* Lines that are more than assignments; those of a planned change are understood. */
static void test_lines(void **state)
{
	struct sysroot *s = *state;
	_cleanup_free_ char *replacing = NULL, *text = NULL;

	assert_int_equal(kexec_grub_replacing(FIRST, "memmap=64K\\$1G", "memmap=64K\\$1G,1G!4G",
					      &replacing), 0);
	assert_true(asprintf(&text, FIRST "='a memmap=64K\\$1G b'\n%s\n", replacing) > 0);
	sysroot_text(s, SETTINGS, text);
	expect_line(s, "a memmap=64K$1G,1G!4G b");
	free(TAKE_PTR(text));
	assert_true(asprintf(&text, FIRST "='a memmap=64K\\$1G,2G b'\n%s\n", replacing) > 0);
	sysroot_text(s, SETTINGS, text);
	expect_line(s, "a memmap=64K$1G,2G b");
	sysroot_text(s, SETTINGS,
		     FIRST "=a\n[ -e /x ] && { " FIRST "=\"$" FIRST " memmap=1G!4G\"; }\n");
	expect_variable(s, "memmap=1G!4G", FIRST);
	sysroot_text(s, SETTINGS, FIRST "=a\n[ -e /x ] && " FIRST "+=' memmap=1G!8G'\n");
	expect_variable(s, "memmap=1G!8G", FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup_teardown(test_settings, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_dropins, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_lines, sysroot_setup, sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
