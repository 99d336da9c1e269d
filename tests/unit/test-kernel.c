/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which kernel is loaded: the order of versions, image headers, and boot loaders' defaults.
 */
#include "kexec.h"
#include "sysroot.h"

#define EFIVAR "/sys/firmware/efi/efivars/%s-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

static void test_order(void **state)
{
	/* Each is older than the next one. */
	static const char *const versions[] = {
		"5.10.0-9",
		"5.10.0-10",
		"6.1.0-9-amd64",
		"6.1.0-10-amd64",
		"6.1.0-10-cloud-amd64",
		"6.1.9",
		"6.1.10",
		"6.12.0-rc1",
		"6.12.0-rc2",
		"6.12.0-rc10",
		"6.12.0",
		"6.12.0+deb13-amd64",
		"6.12.0-1-amd64",
		"6.12.3~bpo12+1",
		"6.12.3",
		"6.12.3+deb13",
		"6.12.48+deb13-amd64",
		"6.12.117+deb12-cloud-amd64",
		"6.13.0.git5",
		"6.13.0_pre1",
		"6.13.0",
		"7.3.1",
		"10.0",
		"18446744073709551616.1",
		"18446744073709551617",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		for (size_t j = 0; j < ARRAY_SIZE(versions); j++) {
			int d = kexec_version_compare(versions[i], versions[j]);

			if (i < j ? d >= 0 : i > j ? d <= 0 : d != 0)
				fail_msg("%s, %s: %d", versions[i], versions[j], d);
		}
	assert_int_equal(kexec_version_compare("6.01", "6.1"), 0);
	assert_int_equal(kexec_version_compare("", ""), 0);
}

static void put_boot(struct sysroot *s, const char *version)
{
	char path[128];

	snprintf(path, sizeof(path), "/boot/vmlinuz-%s", version);
	sysroot_kernel(s, path, version);
	snprintf(path, sizeof(path), "/boot/initrd.img-%s", version);
	sysroot_text(s, path, "initrd");
}

static void put_efivar(struct sysroot *s, const char *name, const char *text)
{
	uint8_t raw[256] = { 6 };
	char path[128];
	size_t n = 4;

	for (; *text; text++, n += 2)
		raw[n] = (uint8_t)*text;
	snprintf(path, sizeof(path), EFIVAR, name);
	sysroot_write(s, path, raw, n + 2);
}

static void expect(struct sysroot *s, const char *kernel, const char *initrd,
		   const char *want_kernel, const char *want_initrd, const char *want_version)
{
	struct kexec_kernel k = { 0 };
	int r = kexec_kernel_choose(s->ctx, kernel, initrd, &k);

	if (r < 0)
		fail_msg("%d: %s", r, s->log);
	assert_string_equal(k.kernel, want_kernel);
	assert_int_equal(!k.initrd, !want_initrd);
	if (want_initrd)
		assert_string_equal(k.initrd, want_initrd);
	assert_string_equal(k.version, want_version);
	kexec_kernel_done(&k);
}

static void expect_boot(struct sysroot *s, const char *version)
{
	char kernel[128], initrd[128];

	snprintf(kernel, sizeof(kernel), "/boot/vmlinuz-%s", version);
	snprintf(initrd, sizeof(initrd), "/boot/initrd.img-%s", version);
	expect(s, NULL, NULL, kernel, initrd, version);
}

static void test_newest(void **state)
{
	struct sysroot *s = *state;
	struct kexec_kernel k = { 0 };

	assert_int_equal(kexec_kernel_choose(s->ctx, NULL, NULL, &k), -ENOENT);
	assert_true(sysroot_logged(s, "--kernel"));
	sysroot_text(s, "/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n");
	put_boot(s, "6.1.0-9-amd64");
	put_boot(s, "6.1.0-10-amd64");
	expect_boot(s, "6.1.0-10-amd64");
	assert_true(sysroot_logged(s, "running kernel 6.1.0-9-amd64, next kernel 6.1.0-10-amd64"));
	put_boot(s, "9.9.0-rescue");
	put_boot(s, "9.9.0.old");
	put_boot(s, "9.9.0.dpkg-tmp");
	put_boot(s, "9.9.0.dpkg-new");
	put_boot(s, "9.9.0~");
	put_boot(s, "0-rescue-0123456789abcdef");
	sysroot_text(s, "/boot/vmlinuz-9.9.9.d/file", "a directory is no kernel");
	expect_boot(s, "6.1.0-10-amd64");
	put_boot(s, "6.12.0-rc1");
	expect_boot(s, "6.12.0-rc1");
	put_boot(s, "6.12.0");
	expect_boot(s, "6.12.0");
}

static void test_plain_vmlinuz(void **state)
{
	struct sysroot *s = *state;

	sysroot_kernel(s, "/vmlinuz", "6.5");
	expect(s, NULL, NULL, "/vmlinuz", NULL, "6.5");
	sysroot_text(s, "/initrd.img", "x");
	expect(s, NULL, NULL, "/vmlinuz", "/initrd.img", "6.5");
}

static void test_named(void **state)
{
	struct sysroot *s = *state;
	struct kexec_kernel k = { 0 };

	put_boot(s, "6.1");
	sysroot_kernel(s, "/k/bzImage", "6.7-mine");
	expect(s, "/k/bzImage", NULL, "/k/bzImage", NULL, "6.7-mine");
	sysroot_text(s, "/k/initramfs-6.7-mine.img", "x");
	expect(s, "/k/bzImage", NULL, "/k/bzImage", "/k/initramfs-6.7-mine.img", "6.7-mine");
	expect(s, "/k/bzImage", "", "/k/bzImage", NULL, "6.7-mine");
	expect(s, "/k/bzImage", "/boot/initrd.img-6.1", "/k/bzImage", "/boot/initrd.img-6.1",
	       "6.7-mine");
	expect(s, NULL, "", "/boot/vmlinuz-6.1", NULL, "6.1");
	sysroot_kernel(s, "/k/vmlinuz-linux", "6.9-arch");
	sysroot_text(s, "/k/initramfs-linux.img", "x");
	expect(s, "/k/vmlinuz-linux", NULL, "/k/vmlinuz-linux", "/k/initramfs-linux.img",
	       "6.9-arch");
	assert_int_equal(kexec_kernel_choose(s->ctx, "/k/none", NULL, &k), -ENOENT);
	assert_true(sysroot_logged(s, "kernel /k/none"));
	assert_int_equal(kexec_kernel_choose(s->ctx, "/k", NULL, &k), -EINVAL);
	assert_int_equal(kexec_kernel_choose(s->ctx, NULL, "/k/none.img", &k), -ENOENT);
	assert_true(sysroot_logged(s, "initrd /k/none.img"));
	assert_null(k.kernel);
}

/* From the directory that the caller is in, as it is there; by a link's own name. */
static void test_relative(void **state)
{
	struct sysroot *s = *state;
	_cleanup_close_ int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *link = sysroot_path(s, "/dev/shm/vmlinuz-6.8");

	sysroot_kernel(s, "/dev/shm/k", "6.7");
	sysroot_text(s, "/dev/shm/i", "x");
	sysroot_text(s, "/dev/shm/initrd.img-6.8", "x");
	assert_int_equal(symlink("k", link), 0);
	assert_int_equal(chdir("/dev/shm"), 0);
	expect(s, "k", "i", "/dev/shm/k", "/dev/shm/i", "6.7");
	expect(s, "./vmlinuz-6.8", NULL, "/dev/shm/./vmlinuz-6.8", "/dev/shm/./initrd.img-6.8",
	       "6.7");
	assert_int_equal(chdir("/"), 0);
	expect(s, "dev/shm/k", "dev/shm/i", "/dev/shm/k", "/dev/shm/i", "6.7");
	assert_int_equal(fchdir(here), 0);
}

static void test_headers(void **state)
{
	struct sysroot *s = *state;
	uint8_t image[2560] = { 0 };

	/* Not an x86 image, or a short one: the name stands for the version. */
	sysroot_text(s, "/k/Image", "MZ");
	expect(s, "/k/Image", NULL, "/k/Image", NULL, "Image");
	sysroot_text(s, "/k/vmlinuz-6.6-arm64", "");
	expect(s, "/k/vmlinuz-6.6-arm64", NULL, "/k/vmlinuz-6.6-arm64", NULL, "6.6-arm64");
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	memset(image + 0x210, 'A', sizeof(image) - 0x210);
	for (unsigned int off = 0; off <= 0xffff; off += 101) {
		image[0x20e] = (uint8_t)off;
		image[0x20f] = (uint8_t)(off >> 8);
		sysroot_write(s, "/k/vmlinuz-1", image, sizeof(image));
		/* Outside of setup, at its end, without an end: never anything but the name. */
		expect(s, "/k/vmlinuz-1", NULL, "/k/vmlinuz-1", NULL, "1");
		sysroot_forget(s);
	}
	image[0x20e] = 0x80;
	image[0x20f] = 0x03;
	memcpy(image + 0x580, "1.2.3\0", 6);
	sysroot_write(s, "/k/vmlinuz-1", image, sizeof(image));
	expect(s, "/k/vmlinuz-1", NULL, "/k/vmlinuz-1", NULL, "1.2.3");
	memcpy(image + 0x580, "1.\x1b[3\0", 6);
	sysroot_write(s, "/k/vmlinuz-1", image, sizeof(image));
	expect(s, "/k/vmlinuz-1", NULL, "/k/vmlinuz-1", NULL, "1");
}

static void test_grub(void **state)
{
	struct sysroot *s = *state;

	put_boot(s, "6.1.0-9-amd64");
	put_boot(s, "6.1.0-91-amd64");
	put_boot(s, "6.12.5-amd64");
	sysroot_text(s, "/boot/grub/grub.cfg", "set default=0\n");
	expect_boot(s, "6.12.5-amd64");
	sysroot_text(s, "/etc/default/grub", "#GRUB_DEFAULT=9\nGRUB_DEFAULT=0\nGRUB_DEFAULT_X=1\n");
	expect_boot(s, "6.12.5-amd64");
	sysroot_text(
		s, "/etc/default/grub",
		"GRUB_DEFAULT=\"gnulinux-advanced-ab12>gnulinux-6.1.0-9-amd64-advanced-ab12\"\n");
	expect_boot(s, "6.1.0-9-amd64");
	sysroot_text(
		s, "/etc/default/grub",
		"GRUB_DEFAULT='Advanced options for Debian>Debian, with Linux 6.1.0-91-amd64'\n");
	expect_boot(s, "6.1.0-91-amd64");
	sysroot_text(s, "/etc/default/grub.d/50-x.cfg", "GRUB_DEFAULT=saved\n");
	sysroot_text(s, "/etc/default/grub.d/60-x.bak", "GRUB_DEFAULT=0\n");
	expect_boot(s, "6.12.5-amd64");
	sysroot_text(
		s, "/boot/grub/grubenv",
		"# GRUB Environment Block\nsaved_entry=gnulinux-6.1.0-9-amd64-advanced-ab12\n####");
	expect_boot(s, "6.1.0-9-amd64");
	sysroot_text(s, "/boot/grub/grubenv",
		     "saved_entry=gnulinux-simple-ab12\nnext_entry=\n####");
	expect_boot(s, "6.12.5-amd64");
	sysroot_text(s, "/boot/grub/grubenv", "saved_entry=0\nnext_entry=x 6.1.0-91-amd64\n####");
	expect_boot(s, "6.1.0-91-amd64");
	/* The one that is put first. */
	sysroot_text(s, "/boot/grub/grubenv", "");
	sysroot_text(s, "/etc/default/grub", "GRUB_TOP_LEVEL=/boot/vmlinuz-6.1.0-9-amd64\n");
	expect_boot(s, "6.1.0-9-amd64");
	sysroot_text(s, "/etc/default/grub", "GRUB_TOP_LEVEL=/boot/vmlinuz-gone\n");
	expect_boot(s, "6.12.5-amd64");
	/* What cannot be told is said. */
	sysroot_forget(s);
	sysroot_text(s, "/boot/grub/grubenv", "saved_entry=1>2\n####");
	expect_boot(s, "6.12.5-amd64");
	assert_true(sysroot_logged(s, "GRUB is set to start \"1>2\""));
	sysroot_text(s, "/boot/grub/grubenv",
		     "saved_entry=gnulinux-5.10.0-1-amd64-advanced-ab12\n");
	expect_boot(s, "6.12.5-amd64");
}

static void test_systemd_boot(void **state)
{
	struct sysroot *s = *state;
	struct kexec_kernel k = { 0 };

	put_boot(s, "9.9.9");
	sysroot_kernel(s, "/efi/mid/6.1.0/linux", "6.1.0");
	sysroot_kernel(s, "/efi/mid/6.9.0/linux", "6.9.0");
	sysroot_kernel(s, "/efi/mid/6.10.0/linux", "6.10.0");
	sysroot_text(s, "/efi/mid/6.9.0/initrd", "x");
	sysroot_text(
		s, "/efi/loader/entries/mid-6.1.0.conf",
		"title Debian\nversion 6.1.0\nlinux /mid/6.1.0/linux\noptions root=/dev/vda\n");
	sysroot_text(s, "/efi/loader/entries/mid-6.9.0+2-1.conf",
		     "version\t6.9.0\nlinux\t/mid/6.9.0/linux \ninitrd /mid/6.9.0/initrd\n");
	sysroot_text(s, "/efi/loader/entries/mid-6.10.0+0-3.conf",
		     "version 6.10.0\nlinux /mid/6.10.0/linux\n");
	sysroot_text(s, "/efi/loader/entries/uki.conf", "efi /EFI/Linux/x.efi\n");
	/*
	 * No other loader: the entries are what is used. The one that has failed too often comes
	 * last.
	 */
	expect(s, NULL, NULL, "/efi/mid/6.9.0/linux", "/efi/mid/6.9.0/initrd", "6.9.0");
	/* With GRUB, nothing says that they are. */
	sysroot_text(s, "/boot/grub/grub.cfg", "");
	expect(s, NULL, NULL, "/boot/vmlinuz-9.9.9", "/boot/initrd.img-9.9.9", "9.9.9");
	put_efivar(s, "LoaderInfo", "systemd-boot 252");
	expect(s, NULL, NULL, "/efi/mid/6.9.0/linux", "/efi/mid/6.9.0/initrd", "6.9.0");
	sysroot_text(s, "/efi/loader/loader.conf", "timeout 3\ndefault mid-6.1*\n");
	expect(s, NULL, NULL, "/efi/mid/6.1.0/linux", NULL, "6.1.0");
	put_efivar(s, "LoaderEntryDefault", "mid-6.9.0.conf");
	expect(s, NULL, NULL, "/efi/mid/6.9.0/linux", "/efi/mid/6.9.0/initrd", "6.9.0");
	put_efivar(s, "LoaderEntryOneShot", "mid-6.10.0.conf");
	expect(s, NULL, NULL, "/efi/mid/6.10.0/linux", NULL, "6.10.0");
	put_efivar(s, "LoaderEntryOneShot", "@saved");
	put_efivar(s, "LoaderEntryLastBooted", "mid-6.1.0.conf");
	expect(s, NULL, NULL, "/efi/mid/6.1.0/linux", NULL, "6.1.0");
	sysroot_forget(s);
	put_efivar(s, "LoaderEntryOneShot", "windows.conf");
	expect(s, NULL, NULL, "/boot/vmlinuz-9.9.9", "/boot/initrd.img-9.9.9", "9.9.9");
	assert_true(sysroot_logged(s, "systemd-boot is set to start \"windows.conf\""));
	/* An entry that cannot be loaded as it is. */
	put_efivar(s, "LoaderEntryOneShot", "two.conf");
	sysroot_text(s, "/efi/loader/entries/two.conf",
		     "linux /mid/6.1.0/linux\ninitrd /a\ninitrd /b\n");
	assert_int_equal(kexec_kernel_choose(s->ctx, NULL, NULL, &k), -EOPNOTSUPP);
	sysroot_text(s, "/efi/loader/entries/two.conf", "linux /gone\n");
	assert_int_equal(kexec_kernel_choose(s->ctx, NULL, NULL, &k), -ENOENT);
	put_efivar(s, "LoaderInfo", "GRUB 2.12");
	expect(s, NULL, NULL, "/boot/vmlinuz-9.9.9", "/boot/initrd.img-9.9.9", "9.9.9");
}

/* Of the initrds of an entry, those that are for the CPUs alone need not be loaded again. */
static void test_microcode(void **state)
{
	static const char entry[] = "/boot/loader/entries/arch.conf";
	struct sysroot *s = *state;
	struct kexec_kernel k = { 0 };

	sysroot_kernel(s, "/boot/vmlinuz-linux", "6.9-arch");
	sysroot_text(s, "/boot/initramfs-linux.img", "x");
	sysroot_text(s, entry, "linux /vmlinuz-linux\ninitrd /intel-ucode.img\n"
			       "initrd /amd-ucode.img\ninitrd /initramfs-linux.img\n");
	expect(s, NULL, NULL, "/boot/vmlinuz-linux", "/boot/initramfs-linux.img", "6.9-arch");
	sysroot_text(s, entry, "linux /vmlinuz-linux\n"
			       "initrd /initramfs-linux.img /mid/6.9/microcode-intel.cpio\n");
	expect(s, NULL, NULL, "/boot/vmlinuz-linux", "/boot/initramfs-linux.img", "6.9-arch");
	/* What is left is for the caller to choose from. */
	sysroot_text(s, entry, "linux /vmlinuz-linux\ninitrd /ucode.img\n"
			       "initrd /initramfs-linux.img\n");
	assert_int_equal(kexec_kernel_choose(s->ctx, NULL, NULL, &k), -EOPNOTSUPP);
	assert_true(sysroot_logged(s, "has 2 initrds"));
	expect(s, NULL, "/boot/initramfs-linux.img", "/boot/vmlinuz-linux",
	       "/boot/initramfs-linux.img", "6.9-arch");
	expect(s, NULL, "", "/boot/vmlinuz-linux", NULL, "6.9-arch");
}

/* A unified kernel image, as far as its loader and pkram look into it. */
static void put_unified(struct sysroot *s, const char *path, const char *osrel,
			const char *cmdline)
{
	const struct {
		const char *name, *text;
	} sections[] = { { ".linux", "" }, { ".osrel", osrel }, { ".cmdline", cmdline } };
	uint8_t pe[4096] = { 'M', 'Z', [0x3c] = 0x80 };

	memcpy(pe + 0x80, "PE\0\0\x64\x86\x03", 7);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		uint8_t *p = pe + 0x98 + 40 * i;
		size_t len = strlen(sections[i].text);

		memcpy(p, sections[i].name, strlen(sections[i].name));
		p[8] = (uint8_t)len;
		p[17] = 2;	/* filled up to 512 bytes */
		p[21] = (uint8_t)(2 + 2 * i);
		memcpy(pe + 512 * (1 + i), sections[i].text, len);
	}
	sysroot_write(s, path, pe, sizeof(pe));
}

static void expect_line(struct sysroot *s, const char *line)
{
	char *got = NULL;

	assert_int_equal(kexec_boot_line(s->ctx, &got), line ? 0 : -ENODATA);
	if (line)
		assert_string_equal(got, line);
	free(got);
}

static int expect_file(void *arg, const char *path)
{
	const char ***next = arg;

	assert_string_equal(path, **next);
	return *++*next ? 0 : 1;
}

static void test_unified(void **state)
{
	static const char *files[] = { "/efi/loader/entries/deb-6.1.conf", NULL };
	const char **next = files;
	struct sysroot *s = *state;

	sysroot_kernel(s, "/efi/6.1/linux", "6.1.0");
	sysroot_text(s, "/efi/loader/entries/deb-6.1.conf",
		     "sort-key debian\nversion 6.1.0\nlinux /6.1/linux\noptions ro one\n");
	put_unified(s, "/efi/EFI/Linux/deb-6.12.efi",
		    "NAME=\"Debian\"\nVERSION_ID=\"13\"\nID=debian\n", "ro two\n");
	sysroot_text(s, "/efi/EFI/Linux/other.efi", "MZ");
	/* In the menu, which goes by what is inside of it. */
	sysroot_forget(s);
	expect(s, NULL, NULL, "/efi/EFI/Linux/deb-6.12.efi", NULL, "6.12.efi");
	assert_false(sysroot_logged(s, "no initrd of its version"));
	expect_line(s, "ro two");
	assert_int_equal(kexec_boot_entry_files(s->ctx, false, expect_file, &next), 1);
	put_unified(s, "/efi/EFI/Linux/deb-6.12.efi", "ID=debian\nVERSION_ID=5\n", "ro two");
	expect_line(s, "ro one");
	/* By name, with what has been counted left out. */
	sysroot_text(s, "/efi/loader/loader.conf", "default x*.efi\n");
	put_unified(s, "/efi/EFI/Linux/x+3-1.efi", "", "");
	expect(s, NULL, NULL, "/efi/EFI/Linux/x+3-1.efi", NULL, "1.efi");
	/* GRUB does not show them. */
	put_unified(s, "/boot/EFI/Linux/deb-6.13.efi", "ID=debian\nVERSION_ID=14\n", "ro two\n");
	sysroot_kernel(s, "/boot/vmlinuz-6.1.0", "6.1.0");
	sysroot_text(s, "/boot/loader/entries/deb-6.1.conf", "linux /vmlinuz-6.1.0\n");
	sysroot_text(s, "/boot/grub2/grub.cfg", "\tblscfg\n");
	sysroot_text(s, "/etc/default/grub", "GRUB_DEFAULT=saved\n");
	expect(s, NULL, NULL, "/boot/vmlinuz-6.1.0", NULL, "6.1.0");
	sysroot_remove(s, "/boot/EFI/Linux/deb-6.13.efi");
	sysroot_remove(s, "/boot/loader/entries/deb-6.1.conf");
	/* One that ends too early, or says that it holds what it does not. */
	sysroot_remove(s, "/boot/grub2/grub.cfg");
	sysroot_write(s, "/efi/EFI/Linux/x+3-1.efi", "MZ", 2);
	sysroot_text(s, "/efi/loader/loader.conf", "");
	expect_line(s, "ro one");
}

static int add_file(void *arg, const char *path)
{
	char *names = arg;

	strcat(names, strrchr(path, '/'));
	return 0;
}

/* What the firmware starts, named by entries. */
static void test_program_entries(void **state)
{
	struct sysroot *s = *state;
	char names[128] = "";

	sysroot_kernel(s, "/efi/6.1/linux", "6.1.0");
	sysroot_text(s, "/efi/loader/entries/a.conf",
		     "sort-key debian\nversion 6.1.0\nlinux /6.1/linux\noptions ro one\n");
	put_unified(s, "/efi/x/6.12.efi", "ID=zzz\nVERSION_ID=1\n", "ro two");
	sysroot_text(s, "/efi/loader/entries/b.conf",
		     "sort-key debian\nversion 6.12.0\nuki /x/6.12.efi\n");
	expect(s, NULL, NULL, "/efi/x/6.12.efi", NULL, "6.12.efi");
	expect_line(s, "ro two");
	sysroot_text(s, "/efi/loader/entries/b.conf", "sort-key debian\nversion 6.12.0\n"
		     "efi /x/6.12.efi\noptions ro three\n");
	expect_line(s, "ro three");
	/* Some other program is not taken for the next entry's kernel. */
	sysroot_text(s, "/efi/shellx64.efi", "MZ");
	sysroot_text(s, "/efi/loader/entries/shell.conf", "efi /shellx64.efi\n");
	sysroot_text(s, "/efi/loader/loader.conf", "default shell.conf\n");
	expect(s, NULL, NULL, "/efi/shellx64.efi", NULL, "shellx64.efi");
	/* Options are a kernel's where the program is one; the first entry has none. */
	sysroot_text(s, "/efi/loader/entries/shell.conf",
		     "sort-key a\nefi /shellx64.efi\noptions -nostartup\n");
	sysroot_text(s, "/efi/loader/entries/stub.conf",
		     "sort-key b\nefi /6.1/linux\noptions ro four\n");
	assert_int_equal(kexec_boot_entry_files(s->ctx, false, add_file, names), 0);
	assert_string_equal(names, "/stub.conf/b.conf/a.conf");
	assert_true(kexec_boot_has_word(s->ctx, KEXEC_LOADER_ENTRIES, "four"));
	assert_false(kexec_boot_has_word(s->ctx, KEXEC_LOADER_ENTRIES, "-nostartup"));
	/* GRUB shows entries with a kernel. */
	sysroot_kernel(s, "/boot/mine", "6.2.0");
	sysroot_text(s, "/boot/loader/entries/c.conf", "linux /mine\n");
	sysroot_text(s, "/boot/loader/entries/d.conf", "efi /shellx64.efi\n");
	sysroot_text(s, "/boot/grub2/grub.cfg", "blscfg\n");
	expect(s, NULL, NULL, "/boot/mine", NULL, "6.2.0");
}

/* Words of an entry that GRUB has in its environment, or sets. */
static void test_grub_variables(void **state)
{
	static const char entry[] = "/boot/loader/entries/a.conf", env[] = "/boot/grub2/grubenv";
	struct sysroot *s = *state;

	sysroot_kernel(s, "/boot/vmlinuz-6.1", "6.1");
	sysroot_text(s, entry, "linux /vmlinuz-6.1\noptions  ro memmap=1G!4G $tuned_params\n");
	sysroot_text(s, "/boot/grub2/grub.cfg", "set tuned_paramsx=a\nblscfg\n");
	expect_line(s, "ro memmap=1G!4G");
	sysroot_text(s, env, "tuned_params=isolcpus=1 b\n####");
	expect_line(s, "ro memmap=1G!4G isolcpus=1 b");
	/* As older ones have it: all of the line. */
	sysroot_text(s, entry, "linux /vmlinuz-6.1\noptions $kernelopts ${tuned_params} c\n");
	sysroot_text(s, "/boot/grub2/grub.cfg",
		     "blscfg\nif [ -z \"${kernelopts}\" ]; then\n"
		     "  set kernelopts=\"root=x ro \"\nfi\nset tuned_params=\"d\"\n");
	expect_line(s, "root=x ro  isolcpus=1 b c");
	sysroot_text(s, env, "kernelopts=root=y memmap=1G!4G\n");
	expect_line(s, "root=y memmap=1G!4G d c");
	/* What is more than that. */
	sysroot_text(s, env, "kernelopts=root=y $more\n");
	expect_line(s, NULL);
	sysroot_text(s, entry, "linux /vmlinuz-6.1\noptions ro x=$tuned_params\n");
	expect_line(s, NULL);
}

static void expect_loader(struct sysroot *s, enum kexec_loader want)
{
	enum kexec_loader loader = KEXEC_LOADER_UNKNOWN;

	assert_int_equal(kexec_boot_loader(s->ctx, &loader), 0);
	assert_int_equal(loader, want);
}

static int any_file(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	return 1;
}

static void test_grub_entries(void **state)
{
	struct sysroot *s = *state;

	sysroot_kernel(s, "/boot/vmlinuz-6.1-200.x86_64", "6.1-200.x86_64");
	sysroot_kernel(s, "/boot/vmlinuz-6.2-200.x86_64", "6.2-200.x86_64");
	sysroot_text(s, "/boot/initramfs-6.2-200.x86_64.img", "x");
	sysroot_text(s, "/boot/loader/entries/mid-6.1-200.x86_64.conf",
		     "linux /vmlinuz-6.1-200.x86_64\n");
	sysroot_text(s, "/boot/loader/entries/mid-6.2-200.x86_64.conf",
		     "linux /boot/vmlinuz-6.2-200.x86_64\ninitrd /initramfs-6.2-200.x86_64.img "
		     "$tuned_initrd\n");
	sysroot_text(s, "/boot/grub2/grub.cfg", "blscfg\n");
	sysroot_text(s, "/boot/grub2/grubenv", "saved_entry=mid-6.1-200.x86_64\n####");
	sysroot_text(s, "/etc/default/grub", "GRUB_DEFAULT=saved\n");
	expect(s, NULL, NULL, "/boot/vmlinuz-6.1-200.x86_64", NULL, "6.1-200.x86_64");
	sysroot_text(s, "/boot/grub2/grubenv", "saved_entry=0\n####");
	expect(s, NULL, NULL, "/boot/vmlinuz-6.2-200.x86_64", "/boot/initramfs-6.2-200.x86_64.img",
	       "6.2-200.x86_64");
	/* Those of another system, in what both share. */
	sysroot_kernel(s, "/boot/efi/other/linux", "9.9");
	sysroot_text(s, "/boot/efi/loader/entries/zzz-9.9.conf", "linux /other/linux\n");
	expect(s, NULL, NULL, "/boot/vmlinuz-6.2-200.x86_64", "/boot/initramfs-6.2-200.x86_64.img",
	       "6.2-200.x86_64");
	expect_loader(s, KEXEC_LOADER_ENTRIES);
	/* Left over from when it showed them. */
	sysroot_text(s, "/boot/grub2/grub.cfg", "# blscfg\ninsmod blscfg\nblscfgs\n");
	sysroot_kernel(s, "/boot/vmlinuz-6.3-200.x86_64", "6.3-200.x86_64");
	expect(s, NULL, NULL, "/boot/vmlinuz-6.3-200.x86_64", NULL, "6.3-200.x86_64");
	expect_loader(s, KEXEC_LOADER_GRUB);
	assert_int_equal(kexec_boot_entry_files(s->ctx, false, any_file, NULL), 0);
	assert_int_equal(kexec_boot_entry_files(s->ctx, true, any_file, NULL), 1);
}

static void test_loader(void **state)
{
	struct sysroot *s = *state;

	expect_loader(s, KEXEC_LOADER_UNKNOWN);
	assert_false(kexec_boot_has_word(s->ctx, KEXEC_LOADER_UNKNOWN, "a"));
	sysroot_text(s, "/etc/default/grub", "");
	expect_loader(s, KEXEC_LOADER_GRUB);

	/* Words of "linux" commands only, and whole ones. */
	sysroot_text(s, "/boot/grub/grub.cfg",
		     "set x=memmap=2G!4G\n\tlinux\t/vmlinuz ro memmap=1G!4G,1G!8G a\n"
		     "\tinitrd /initrd memmap=1G!9G\n");
	assert_true(kexec_boot_has_word(s->ctx, KEXEC_LOADER_GRUB, "memmap=1G!4G,1G!8G"));
	assert_true(kexec_boot_has_word(s->ctx, KEXEC_LOADER_GRUB, "a"));
	assert_false(kexec_boot_has_word(s->ctx, KEXEC_LOADER_GRUB, "memmap=1G!4G"));
	assert_false(kexec_boot_has_word(s->ctx, KEXEC_LOADER_GRUB, "memmap=2G!4G"));
	assert_false(kexec_boot_has_word(s->ctx, KEXEC_LOADER_GRUB, "memmap=1G!9G"));

	/* Entries that GRUB shows; those of systemd-boot. */
	sysroot_text(s, "/boot/loader/entries/a.conf",
		     "linux /vmlinuz\noptions root=x ro\noptions memmap=1G!4G\n");
	expect_loader(s, KEXEC_LOADER_GRUB);
	sysroot_remove(s, "/boot/grub/grub.cfg");
	sysroot_text(s, "/boot/grub2/grub.cfg", "# blscfg\ninsmod blscfg\n");
	expect_loader(s, KEXEC_LOADER_GRUB);
	assert_false(kexec_boot_grub_entries(s->ctx));
	sysroot_text(s, "/boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n");
	expect_loader(s, KEXEC_LOADER_ENTRIES);
	assert_true(kexec_boot_grub_entries(s->ctx));
	assert_true(kexec_boot_has_word(s->ctx, KEXEC_LOADER_ENTRIES, "memmap=1G!4G"));
	assert_true(kexec_boot_has_word(s->ctx, KEXEC_LOADER_ENTRIES, "ro"));
	assert_false(kexec_boot_has_word(s->ctx, KEXEC_LOADER_ENTRIES, "memmap=1G!8G"));
	sysroot_remove(s, "/boot/grub2/grub.cfg");
	put_efivar(s, "LoaderInfo", "systemd-boot 252");
	expect_loader(s, KEXEC_LOADER_ENTRIES);
	sysroot_text(s, "/boot/grub2/grub.cfg", "blscfg\n");
	assert_false(kexec_boot_grub_entries(s->ctx));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test_setup_teardown(test_newest, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_plain_vmlinuz, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_named, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_relative, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_headers, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_grub, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_systemd_boot, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_microcode, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_unified, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_program_entries, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_grub_entries, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_grub_variables, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_loader, sysroot_setup, sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
