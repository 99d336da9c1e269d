/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of the next kernel: its image's header, its modules, its configuration, and what is
 * found in initrds of all shapes.
 */
#include "kexec.h"
#include "sysroot.h"

/* --- cpio --- */

static void cpio_add(FILE *f, const char *path, const char *text)
{
	size_t n = strlen(path) + 1, len = strlen(text);

	fprintf(f, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, 0100644, 0, 0,
		1, 0, (unsigned int)len, 0, 0, 0, 0, (unsigned int)n, 0);
	fwrite(path, n, 1, f);
	for (size_t i = (110 + n) % 4; i % 4; i++)
		fputc(0, f);
	fwrite(text, len, 1, f);
	for (size_t i = len % 4; i % 4; i++)
		fputc(0, f);
}

static void cpio_end(FILE *f, size_t zeros)
{
	cpio_add(f, "TRAILER!!!", "");
	for (size_t i = 0; i < zeros; i++)
		fputc(0, f);
}

/* What the compressed part of a usual initrd holds, as two archives. */
static void put_main(FILE *f)
{
	cpio_add(f, "./usr/lib/modules/6.1/kernel/drivers/nvdimm/nd_e820.ko", "x");
	cpio_add(f, "usr/lib/modules/6.1/kernel/drivers/dax/device-dax.ko.zst", "y");
	cpio_add(f, "usr/lib/modules/6.1/modules.builtin", "kernel/drivers/nvdimm/nd_pmem.ko\n");
	cpio_end(f, 3);
	cpio_add(f, "./init", "#!");
	cpio_add(f, "usr/sbin/pkram", "ELF");
	cpio_add(f, "usr/lib/x86_64-linux-gnu/libkmod.so.2", "");
	cpio_add(f, "./etc/pkram.d/x.conf", "early = yes\n");
	cpio_add(f, "etc/modprobe.d/a.conf", "# blacklist one\n \tblacklist\tnd-two \r\n"
					     "install three /bin/false");
	cpio_add(f, "usr/lib/modprobe.d/b.conf", "install four /sbin/modprobe four\n"
						 "options blacklist five\nblacklist\nsix\n");
	cpio_add(f, "etc/modprobe.d/c.conf~", "blacklist seven\n");
	cpio_add(f, "big", "0123456789012345678901234567890123456789");
	cpio_end(f, 512);
}

/* An initrd: microcode in an archive of its own, then the main part through the filter. */
static void put_initrd(struct sysroot *s, const char *filter)
{
	_cleanup_free_ char *command = NULL, *path = sysroot_path(s, "/initrd");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	cpio_add(f, "kernel/x86/microcode/GenuineIntel.bin", "microcode");
	cpio_end(f, 700);
	fclose(f);
	assert_true(asprintf(&command, "%s >>%s", filter, path) >= 0);
	f = popen(command, "w");
	assert_non_null(f);
	put_main(f);
	assert_int_equal(pclose(f), 0);
}

static const char *const filters[] = { "cat", "gzip -1", "xz -1 --check=crc32", "bzip2", "lzma -1",
				       "zstd -q", "lz4 -lq" };

static bool have(const char *filter)
{
	char which[64];

	snprintf(which, sizeof(which), "which %.*s >/dev/null", (int)strcspn(filter, " "), filter);
	return system(which) == 0;
}

static int look(struct sysroot *s, const char *path, const char *version,
		struct kexec_initrd *ret)
{
	return kexec_initrd_read(s->ctx, path, version, 64 * MIB, ret);
}

static void test_initrd(void **state)
{
	static const char *const welcome[] = { "one", "nd_tw", "four", "five", "six", "seven" };
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };

		if (!have(filters[i]))
			continue;
		put_initrd(s, filters[i]);
		assert_int_equal(look(s, "/initrd", "6.1", &initrd), 0);
		assert_true(initrd.has_pkram);
		assert_true(initrd.has_libkmod);
		assert_false(initrd.other_version);
		assert_int_equal(kexec_modules_find(&initrd.modules, "nd_e820"),
				 KEXEC_MODULE_LOADABLE);
		assert_int_equal(kexec_modules_find(&initrd.modules, "device_dax"),
				 KEXEC_MODULE_LOADABLE);
		assert_int_equal(kexec_modules_find(&initrd.modules, "nd_pmem"),
				 KEXEC_MODULE_BUILTIN);
		assert_int_equal(kexec_modules_find(&initrd.modules, "dax_pmem"),
				 KEXEC_MODULE_ABSENT);
		assert_int_equal(kexec_modules_find(&initrd.modules, "nd_e82"),
				 KEXEC_MODULE_ABSENT);
		assert_string_equal(kexec_initrd_conf(&initrd, "/etc/pkram.d/x.conf"),
				    "early = yes\n");
		assert_null(kexec_initrd_conf(&initrd, "/etc/pkram.conf"));
		assert_true(kexec_initrd_keeps_away(&initrd, "nd_two"));
		assert_true(kexec_initrd_keeps_away(&initrd, "three"));
		for (size_t k = 0; k < ARRAY_SIZE(welcome); k++)
			assert_false(kexec_initrd_keeps_away(&initrd, welcome[k]));
		kexec_initrd_done(&initrd);
		assert_int_equal(look(s, "/initrd", "6.12", &initrd), 0);
		assert_true(initrd.other_version);
	}
}

/* Two that were joined, each packed, the first one filled up to what its end is aligned to. */
static void test_joined_initrd(void **state)
{
	_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
	_cleanup_free_ char *command = NULL, *dir = NULL;
	struct sysroot *s = *state;

	put_initrd(s, "cat");
	dir = sysroot_path(s, "");
	assert_true(asprintf(&command,
			     "cd %s && { head -c 300 initrd | gzip -n; head -c 509 /dev/zero; "
			     "gzip <initrd; echo '#BOOTCONFIG'; } >two && mv two initrd", dir) > 0);
	assert_int_equal(system(command), 0);
	assert_int_equal(look(s, "/initrd", "6.1", &initrd), 0);
	assert_true(initrd.has_pkram);
	assert_int_equal(kexec_modules_find(&initrd.modules, "nd_e820"), KEXEC_MODULE_LOADABLE);
}

static void test_bad_initrd(void **state)
{
	_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
	struct sysroot *s = *state;

	sysroot_text(s, "/initrd", "");
	assert_int_equal(look(s, "/initrd", "6.1", &initrd), -ENODATA);
	sysroot_text(s, "/initrd", "no archive of any kind");
	assert_int_equal(look(s, "/initrd", "6.1", &initrd), -ENODATA);
	sysroot_text(s, "/initrd", "070701 of an archive, and no more");
	assert_int_equal(look(s, "/initrd", "6.1", &initrd), -EBADMSG);
	assert_int_equal(look(s, "/none", "6.1", &initrd), -ENOENT);
	sysroot_text(s, "/initrd", "07070100000001");
	assert_int_equal(look(s, "/initrd", "6.1", &initrd), -EBADMSG);
}

/* Whatever it is packed with, less than the whole of it is damaged. */
static void test_cut_initrd(void **state)
{
	_cleanup_free_ char *path = NULL;
	struct sysroot *s = *state;

	path = sysroot_path(s, "/initrd");
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		off_t first, len;
		struct stat st;

		if (!have(filters[i]))
			continue;
		put_initrd(s, "cat >/dev/null; true");
		assert_int_equal(stat(path, &st), 0);
		first = st.st_size;
		put_initrd(s, filters[i]);
		assert_int_equal(stat(path, &st), 0);
		len = st.st_size - (strcmp(filters[i], "cat") == 0 ? 512 + 8 : 1);
		for (; len > first; len -= 7) {
			_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
			int r;

			assert_int_equal(truncate(path, len), 0);
			r = look(s, "/initrd", "6.1", &initrd);
			/* Between two plain archives nothing tells. */
			if (r == 0 && i == 0 && !initrd.has_pkram)
				continue;
			if (r != -EBADMSG)
				fail_msg("%s, %ju of %ju: %d", filters[i], (uintmax_t)len,
					 (uintmax_t)st.st_size, r);
			assert_true(*initrd.unpacked.why);
		}
	}
}

/* A stream with an error in its middle; the reason is its reader's. */
static void test_damaged_initrd(void **state)
{
	_cleanup_free_ char *path = NULL;
	struct sysroot *s = *state;

	path = sysroot_path(s, "/initrd");
	for (size_t i = 1; i < ARRAY_SIZE(filters); i++) {
		_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
		_cleanup_close_ int fd = -1;
		struct stat st;

		if (!have(filters[i]))
			continue;
		put_initrd(s, filters[i]);
		fd = open(path, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8,
					st.st_size - 100), 8);
		assert_int_equal(look(s, "/initrd", "6.1", &initrd), -EBADMSG);
		assert_true(*initrd.unpacked.why);
	}
}

/* Streams that are filled up, and an archive behind them. */
static void test_filled_initrd(void **state)
{
	static const char *const behind[] = {
		"head -c 509 /dev/zero",
		"head -c 512 /dev/zero; cat plain",
		"cat plain",
		"cat packed",
		"head -c 4096 /dev/zero; cat packed",
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		for (size_t b = 0; b < ARRAY_SIZE(behind); b++) {
			_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
			_cleanup_free_ char *command = NULL, *dir = sysroot_path(s, "");
			/* A kernel would take an archive right behind lz4's for more of it. */
			bool more = strncmp(filters[i], "lz4", 3) == 0 && *behind[b] == 'c';
			int r;

			if (more || !have(filters[i]))
				continue;
			put_initrd(s, filters[i]);
			assert_true(asprintf(&command,
					     "cd %s && printf x >x && echo x | cpio --quiet -o "
					     "-H newc >plain && mv initrd packed && "
					     "{ cat packed; %s; } >initrd", dir, behind[b]) > 0);
			assert_int_equal(system(command), 0);
			r = look(s, "/initrd", "6.1", &initrd);
			if (r < 0)
				fail_msg("%s, %s: %d %s", filters[i], behind[b], r,
					 initrd.unpacked.why);
			assert_true(initrd.has_pkram);
		}
}

static void refused(struct sysroot *s, const char *make, int want, const char *why)
{
	_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
	_cleanup_free_ char *command = NULL, *dir = sysroot_path(s, "");
	int r;

	assert_true(asprintf(&command, "cd %s && echo text >x && { %s; } >initrd 2>/dev/null", dir,
			     make) > 0);
	assert_int_equal(system(command), 0);
	r = look(s, "/initrd", "6.1", &initrd);
	if (r != want || !strstr(initrd.unpacked.why, why))
		fail_msg("%s: %d %s", make, r, initrd.unpacked.why);
}

/* What libarchive reads, and no kernel does. */
static void test_refused_initrd(void **state)
{
#define NEWC "echo x | cpio --quiet -o -H newc"
	struct sysroot *s = *state;

	refused(s, "echo x | cpio --quiet -o -H odc", -EBADMSG, "newc");
	refused(s, "echo x | cpio --quiet -o -H odc | gzip", -EBADMSG, "newc");
	refused(s, "echo x | cpio --quiet -o -H bin", -ENODATA, "");
	refused(s, NEWC "; echo behind it", -EBADMSG, "behind its archives");
	refused(s, NEWC " | gzip; echo behind it", -EBADMSG, "behind its archives");
	refused(s, "touch init; ls init | cpio --quiet -o -H newc; echo behind it", 0, "");
	refused(s, NEWC " | xz --check=crc64", -EBADMSG, "--check=crc32");
	refused(s, NEWC " | gzip | gzip", -EBADMSG, "packed twice");
	refused(s, NEWC " | gzip | head -c -9", -EBADMSG, "truncated gzip input");
	refused(s, "head -c 9000 /dev/urandom >x; " NEWC " | gzip | head -c 4000", -EBADMSG,
		"truncated gzip input");
	/* By another program, if at all. */
	if (have("lzop"))
		refused(s, NEWC " | lzop -q", -EOPNOTSUPP, "does not read");
	refused(s, "seq 1000 2000 | gzip", -EBADMSG, "no cpio");
	refused(s, "printf '\\037\\235\\220abcd'", -ENODATA, "");
	refused(s, "head -c 80M /dev/zero | gzip", -EFBIG, "too large");
	refused(s, NEWC "; head -c 80M /dev/zero | gzip", -EFBIG, "too large");
	if (have("lz4"))
		refused(s, NEWC " | lz4 -q", -ENODATA, "");
}

/* A boot configuration is no part of it. */
static void test_configured_initrd(void **state)
{
	_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
	struct sysroot *s = *state;

	sysroot_bootconfig(s, "/initrd", "kernel.x = 1", 0, 0);
	assert_int_equal(look(s, "/initrd", "6.1", &initrd), 0);
}

static void test_modules(void **state)
{
	_cleanup_(kexec_modules_done) struct kexec_modules m = { 0 };
	struct sysroot *s = *state;

	assert_int_equal(kexec_modules_read(s->ctx, "6.1", &m), -ENOENT);
	sysroot_text(s, "/lib/modules/6.1/modules.dep",
		     "kernel/a/nd-e820.ko: kernel/a/libnvdimm.ko\nkernel/b/dax_pmem.ko.xz:\n");
	assert_int_equal(kexec_modules_read(s->ctx, "6.1", &m), 0);
	assert_int_equal(kexec_modules_find(&m, "nd_e820"), KEXEC_MODULE_LOADABLE);
	assert_int_equal(kexec_modules_find(&m, "dax_pmem"), KEXEC_MODULE_LOADABLE);
	assert_int_equal(kexec_modules_find(&m, "pmem"), KEXEC_MODULE_ABSENT);
	assert_int_equal(kexec_modules_find(&m, "libnvdimm"), KEXEC_MODULE_ABSENT);
}

/* --- configurations --- */

static void put_embedded(struct sysroot *s, const char *path)
{
	_cleanup_free_ char *command = NULL, *dir = sysroot_path(s, "");
	uint8_t image[8192] = { 0 };
	_cleanup_free_ char *packed = NULL;
	size_t len;

	/* A "kernel" with a configuration in it, packed twice as the real one is. */
	assert_true(asprintf(&command,
			     "cd %s && { echo code; printf IKCFG_ST; echo CONFIG_DEV_DAX=m | gzip; "
			     "printf IKCFG_ED; echo data; } | xz -c --check=crc32 >packed && "
			     "printf size >>packed", dir) >= 0);
	assert_int_equal(system(command), 0);
	assert_int_equal(machine_read(s->ctx, "/packed", &packed, &len), 0);
	sysroot_kernel(s, path, "6.9");
	{
		_cleanup_free_ char *head = NULL;
		size_t n;

		assert_int_equal(machine_read(s->ctx, path, &head, &n), 0);
		memcpy(image, head, n);
	}
	/* setup_sects is 4: the payload's offset counts from 5 sectors on. */
	image[0x249] = 0x06;
	image[0x24c] = (uint8_t)len;
	image[0x24d] = (uint8_t)(len >> 8);
	memcpy(image + 5 * 512 + 0x600, packed, len);
	sysroot_write(s, path, image, sizeof(image));
}

static void test_config(void **state)
{
	struct kexec_kernel k = { .kernel = (char *)"/k/vmlinuz-6.9", .version = (char *)"6.9" };
	struct sysroot *s = *state;
	char *text = NULL;

	sysroot_kernel(s, "/k/vmlinuz-6.9", "6.9");
	assert_int_equal(kexec_config_read(s->ctx, &k, &text), -ENODATA);
	sysroot_text(s, "/lib/modules/6.9/config", "CONFIG_A=y\n# CONFIG_B is not set\n");
	assert_int_equal(kexec_config_read(s->ctx, &k, &text), 0);
	assert_int_equal(kexec_config_get(text, "CONFIG_A"), 'y');
	assert_int_equal(kexec_config_get(text, "CONFIG_B"), 'n');
	free(text);
	sysroot_text(s, "/boot/config-6.9", "CONFIG_A=m\n");
	assert_int_equal(kexec_config_read(s->ctx, &k, &text), 0);
	assert_int_equal(kexec_config_get(text, "CONFIG_A"), 'm');
	free(text);
	/* What is in the image is its own; those may be another build's. */
	put_embedded(s, "/k/vmlinuz-6.9");
	assert_int_equal(kexec_config_read(s->ctx, &k, &text), 0);
	assert_int_equal(kexec_config_get(text, "CONFIG_DEV_DAX"), 'm');
	assert_int_equal(kexec_config_get(text, "CONFIG_A"), 'n');
	free(text);
	sysroot_text(s, "/k/config-6.9", "CONFIG_A=m\nCONFIG_AB=\"text\"\n");
	assert_int_equal(kexec_config_read(s->ctx, &k, &text), 0);
	assert_int_equal(kexec_config_get(text, "CONFIG_A"), 'm');
	assert_int_equal(kexec_config_get(text, "CONFIG_AB"), 'y');
	free(text);
}

/* As kernels have them since 5.3, and before. */
static const char *const whole[] = {
	"#\n# Automatically generated file; DO NOT EDIT.\n"
	"# Linux/x86 6.12.1 Kernel Configuration\n#\nCONFIG_A=y\n\n"
	"#\n# General setup\n#\nCONFIG_B=y\n# end of General setup\n\n"
	"#\n# Kernel hacking\n#\nCONFIG_C=m\n# end of Kernel hacking\n",
	"#\n# Automatically generated file; DO NOT EDIT.\n"
	"# Linux/x86 4.19.0 Kernel Configuration\n#\nCONFIG_A=y\n\n"
	"#\n# Kernel hacking\n#\nCONFIG_C=m\nCONFIG_B=y\n\n#\n# Library routines\n",
};

/* At whatever place it is cut off, what is behind it would be taken for not built in. */
static void test_cut_config(void **state)
{
	static const char path[] = "/boot/config-6.9";
	struct kexec_kernel k = { .kernel = (char *)"/k/vmlinuz-6.9", .version = (char *)"6.9" };
	struct sysroot *s = *state;

	sysroot_kernel(s, "/k/vmlinuz-6.9", "6.9");
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		for (size_t len = strlen(whole[i]); len > 0; len--) {
			char *text = NULL;
			int r;

			sysroot_write(s, path, whole[i], len);
			sysroot_forget(s);
			r = kexec_config_read(s->ctx, &k, &text);
			if (r != (len == strlen(whole[i]) ? 0 : -ENODATA))
				fail_msg("%zu of %zu: %d", len, strlen(whole[i]), r);
			assert_int_equal(!sysroot_logged(s, "config-6.9 is cut off"), r == 0);
			free(text);
		}
}

/* Neither waited for nor believed, and what is found elsewhere counts. */
static void test_odd_config(void **state)
{
	static const char *const odd[] = { "mkfifo", "mkdir", "ln -s /dev/zero", "ln -s /dev/tty" };
	struct kexec_kernel k = { .kernel = (char *)"/boot/vmlinuz-6.9", .version = (char *)"6.9" };
	struct sysroot *s = *state;

	sysroot_kernel(s, "/boot/vmlinuz-6.9", "6.9");
	sysroot_text(s, "/lib/modules/6.9/config", "CONFIG_A=y\n");
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		_cleanup_free_ char *command = NULL, *text = NULL;

		assert_true(asprintf(&command, "cd %s/boot && rm -rf config-6.9 && %s config-6.9",
				     s->dir, odd[i]) > 0);
		assert_int_equal(system(command), 0);
		sysroot_forget(s);
		assert_int_equal(kexec_config_read(s->ctx, &k, &text), 0);
		assert_int_equal(kexec_config_get(text, "CONFIG_A"), 'y');
		assert_true(sysroot_logged(s, "config-6.9 is cut off, or no conf") || i > 1);
	}
}

/* --- images --- */

/* A PE file with one section; `certificates`: bytes in its table. */
static void put_pe(struct sysroot *s, const char *path, const char *section, uint8_t certificates)
{
	uint8_t pe[1024] = { 'M', 'Z' };

	pe[0x3c] = 0x80;
	memcpy(pe + 0x80, "PE\0\0\x64\x86\x01", 7);
	pe[0x80 + 20] = 240;
	pe[0x98] = 0x0b;
	pe[0x99] = 0x02;
	pe[0x98 + 108] = 16;
	pe[0x98 + 112 + 8 * 4 + 4] = certificates;
	snprintf((char *)pe + 0x98 + 240, 8, "%s", section);
	sysroot_write(s, path, pe, sizeof(pe));
}

static void test_image(void **state)
{
	struct sysroot *s = *state;
	struct kexec_image image;

	sysroot_kernel(s, "/k", "6.9-x");
	assert_int_equal(kexec_image_read(s->ctx, "/k", &image), 0);
	assert_int_equal(image.kind, KEXEC_IMAGE_BZIMAGE);
	assert_string_equal(image.version, "6.9-x");
	assert_true(image.boots_64);
	assert_false(image.is_signed);
	sysroot_text(s, "/k", "text");
	assert_int_equal(kexec_image_read(s->ctx, "/k", &image), 0);
	assert_int_equal(image.kind, KEXEC_IMAGE_UNKNOWN);
	put_pe(s, "/k", ".text", 0);
	assert_int_equal(kexec_image_read(s->ctx, "/k", &image), 0);
	assert_int_equal(image.kind, KEXEC_IMAGE_EFI);
	assert_int_equal(image.machine, 0x8664);
	assert_false(image.is_signed);
	put_pe(s, "/k", ".linux", 8);
	assert_int_equal(kexec_image_read(s->ctx, "/k", &image), 0);
	assert_int_equal(image.kind, KEXEC_IMAGE_UNIFIED);
	assert_true(image.is_signed);
	assert_int_equal(kexec_image_read(s->ctx, "/none", &image), -ENOENT);
}

#define INITRD_TEST(f) cmocka_unit_test_setup_teardown(f, sysroot_setup, sysroot_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		INITRD_TEST(test_initrd), INITRD_TEST(test_joined_initrd),
		INITRD_TEST(test_bad_initrd), INITRD_TEST(test_cut_initrd),
		INITRD_TEST(test_damaged_initrd), INITRD_TEST(test_filled_initrd),
		INITRD_TEST(test_refused_initrd), INITRD_TEST(test_configured_initrd),
		INITRD_TEST(test_modules),
		INITRD_TEST(test_cut_config), INITRD_TEST(test_odd_config),
		INITRD_TEST(test_config), INITRD_TEST(test_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
