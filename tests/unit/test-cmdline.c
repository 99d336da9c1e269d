/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines: how they are cut, and what the next one is.
 */
#include "kexec.h"
#include "sysroot.h"

#define ID "00112233445566778899aabbccddeeff"
#define OTHER_ID "ffeeddccbbaa99887766554433221100"

static void test_words(void **state)
{
	static const struct {
		const char *line;
		struct {
			const char *name, *value;
		} words[6];
		const char *rest;
	} cases[] = {
		{ "", { { NULL } }, "" },
		{ "  quiet\tro\n", { { "quiet", NULL }, { "ro", NULL } }, "" },
		{ "a=1 b=", { { "a", "1" }, { "b", "" } }, "" },
		{ "a=b=c", { { "a", "b=c" } }, "" },
		{ "a=\"x y\" z", { { "a", "x y" }, { "z", NULL } }, "" },
		{ "\"a=x y\" z", { { "a", "x y" }, { "z", NULL } }, "" },
		{ "\"a b\" z", { { "a b", NULL }, { "z", NULL } }, "" },
		{ "a=x\" \"y z", { { "a", "x\" \"y" }, { "z", NULL } }, "" },
		{ "a=\"x\"y", { { "a", "x\"y" } }, "" },
		{ "a\"=x\"", { { "a\"", "x\"" } }, "" },
		{ "a=\"", { { "a", "" } }, "" },
		{ "\"", { { "", NULL } }, "" },
		{ "=x y", { { "=x", NULL }, { "y", NULL } }, "" },
		{ "a\xa0" "b", { { "a", NULL }, { "b", NULL } }, "" },
		{ "a -- b", { { "a", NULL } }, " -- b" },
		{ "a \"--\" b", { { "a", NULL } }, " \"--\" b" },
		{ "a --=1 --b", { { "a", NULL }, { "--", "1" }, { "--b", NULL } }, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *p = cases[i].line;
		struct kexec_word w;
		size_t n = 0;

		for (; kexec_param_next(&p, &w); n++) {
			const char *name = cases[i].words[n].name, *value = cases[i].words[n].value;

			assert_non_null(name);
			assert_true(kexec_word_named(&w, name));
			assert_int_equal(!value, !w.value);
			if (value)
				assert_int_equal(w.value_len, strlen(value));
			if (value)
				assert_memory_equal(w.value, value, w.value_len);
		}
		assert_null(cases[i].words[n].name);
		if (*cases[i].rest)
			assert_string_equal(p, cases[i].rest);
	}
}

static void test_compose(void **state)
{
	static const struct {
		const char *running, *given, *append, *id, *want;
	} cases[] = {
		{ "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda ro", NULL, NULL, ID,
		  "root=/dev/vda ro pkram.jump=" ID },
		{ "ro  quiet\n", NULL, NULL, NULL, "ro quiet" },
		{ "", NULL, NULL, NULL, "" },
		{ "", NULL, NULL, ID, "pkram.jump=" ID },
		{ "ro pkram.jump=" OTHER_ID " quiet pkram.jump=" OTHER_ID, NULL, NULL, ID,
		  "ro quiet pkram.jump=" ID },
		{ "ro initrd=\\EFI\\debian\\initrd.img initrd=/x", NULL, NULL, NULL, "ro" },
		{ "ro -- single BOOT_IMAGE=x", NULL, "memmap=1G!4G", ID,
		  "ro memmap=1G!4G pkram.jump=" ID " -- single BOOT_IMAGE=x" },
		{ "ro -- one", NULL, "a -- two", ID, "ro a pkram.jump=" ID " -- one two" },
		{ "ro", NULL, "a -- two", NULL, "ro a -- two" },
		{ "ro --", NULL, NULL, ID, "ro pkram.jump=" ID " --" },
		{ "dyndbg=\"file a.c +p\" \"memmap=1G!4G\"", NULL, "x=\"y  z\"", ID,
		  "dyndbg=\"file a.c +p\" \"memmap=1G!4G\" x=\"y  z\" pkram.jump=" ID },
		{ "ro", "BOOT_IMAGE=mine initrd=7 rw", NULL, ID,
		  "BOOT_IMAGE=mine initrd=7 rw pkram.jump=" ID },
		{ "ro", "", NULL, NULL, "" },
		{ "xBOOT_IMAGE=1 BOOT_IMAGE foo.pkram.jump=2", NULL, NULL, NULL,
		  "xBOOT_IMAGE=1 BOOT_IMAGE foo.pkram.jump=2" },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *line = NULL;

		sysroot_text(s, "/proc/cmdline", cases[i].running);
		assert_int_equal(kexec_command_line(s->ctx, cases[i].given, cases[i].append,
						    cases[i].id, &line),
				 0);
		assert_string_equal(line, cases[i].want);
	}
}

static void test_open_quote(void **state)
{
	struct sysroot *s = *state;
	char *line = NULL;

	sysroot_text(s, "/proc/cmdline", "ro a=\"b c");
	assert_int_equal(kexec_command_line(s->ctx, NULL, NULL, ID, &line), -EINVAL);
	assert_true(sysroot_logged(s, "a=\"b c"));
	sysroot_text(s, "/proc/cmdline", "ro");
	assert_int_equal(kexec_command_line(s->ctx, NULL, "\"x y", ID, &line), -EINVAL);
	assert_null(line);
}

static void test_length(void **state)
{
	struct sysroot *s = *state;
	char *line = NULL, text[2049];

	sysroot_text(s, "/proc/cmdline", "ro");
	memset(text, 'x', sizeof(text));
	text[2047] = '\0';
	assert_int_equal(kexec_command_line(s->ctx, text, NULL, NULL, &line), 0);
	assert_int_equal(strlen(line), 2047);
	free(line);
	line = NULL;
	text[2047] = 'x';
	text[2048] = '\0';
	assert_int_equal(kexec_command_line(s->ctx, text, NULL, NULL, &line), -E2BIG);
	assert_true(sysroot_logged(s, "2048 bytes"));
	/* Our own word counts. */
	text[2047 - strlen(" pkram.jump=" ID) + 1] = '\0';
	assert_int_equal(kexec_command_line(s->ctx, text, NULL, ID, &line), -E2BIG);
	assert_null(line);
}

static void test_jump_id(void **state)
{
	static const uint8_t want[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	static const struct {
		const char *line;
		int r;
	} cases[] = {
		{ "ro pkram.jump=" ID, 0 },
		{ "pkram.jump=" OTHER_ID " pkram.jump=" ID " ro", 0 },
		{ "pkram.jump=00112233445566778899AABBCCDDEEFF", 0 },
		{ "\"pkram.jump=" ID "\"", 0 },
		{ "ro", -ENODATA },
		{ "ro -- pkram.jump=" ID, -ENODATA },
		{ "xpkram.jump=" ID, -ENODATA },
		{ "pkram.jump", -ENODATA },
		{ "pkram.jump=" ID "0", -ENODATA },
		{ "pkram.jump=0011223344556677", -ENODATA },
		{ "pkram.jump=" ID " pkram.jump=g0112233445566778899aabbccddeeff", -ENODATA },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t id[16], untouched[16];

		memset(id, 0x5a, sizeof(id));
		memset(untouched, 0x5a, sizeof(untouched));
		sysroot_text(s, "/proc/cmdline", cases[i].line);
		assert_int_equal(kexec_jump_id(s->ctx, id), cases[i].r);
		assert_memory_equal(id, cases[i].r == 0 ? want : untouched, sizeof(id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup_teardown(test_compose, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_open_quote, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_length, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_jump_id, sysroot_setup, sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
