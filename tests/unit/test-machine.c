/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this boot says about itself, on machines made up here and on the real one.
 */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct fixture {
	struct pkram_ctx *ctx;
	char dir[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(pkram_new(&f->ctx), 0);
	strcpy(f->dir, "/tmp/pkram-machine-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(pkram_set_sysroot(f->ctx, f->dir), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	pkram_unref(f->ctx);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

/* Writes a file of the made-up machine, with the directories on the way to it. */
static void put(struct fixture *f, const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", f->dir, path);
	for (char *p = full + strlen(f->dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *text = NULL;
	uint64_t v = 7;
	size_t len;

	put(f, "/proc/cmdline", "quiet memmap=1G!1G\n");
	put(f, "/sys/hex", "0x40000000\n");
	put(f, "/sys/word", "max\n");
	put(f, "/sys/tail", "12 34\n");
	put(f, "/sys/empty", "");
	assert_int_equal(machine_cmdline(f->ctx, &text), 0);
	assert_string_equal(text, "quiet memmap=1G!1G");
	assert_int_equal(machine_read_u64(f->ctx, "/sys/word", &v), -EINVAL);
	assert_int_equal(machine_read_u64(f->ctx, "/sys/tail", &v), -EINVAL);
	assert_int_equal(machine_read_u64(f->ctx, "/sys/empty", &v), -EINVAL);
	assert_int_equal(machine_read_u64(f->ctx, "/sys/nothing", &v), -ENOENT);
	assert_int_equal(v, 7);
	assert_int_equal(machine_read_u64(f->ctx, "/sys/hex", &v), 0);
	assert_int_equal(v, GIB);
	free(TAKE_PTR(text));
	assert_int_equal(machine_read(f->ctx, "/sys/empty", &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	assert_true(machine_exists(f->ctx, "/sys/hex"));
	assert_false(machine_exists(f->ctx, "/sys/nothing"));
}

static void assert_file(struct fixture *f, const char *path, const char *text, mode_t mode)
{
	_cleanup_free_ char *full = machine_path(f->ctx, path), *now = NULL;
	struct stat st;

	assert_int_equal(machine_read(f->ctx, path, &now, NULL), 0);
	assert_string_equal(now, text);
	assert_int_equal(stat(full, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void test_replace(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *full = machine_path(f->ctx, "/etc/file");

	assert_int_equal(machine_replace(f->ctx, "/etc/file", "x"), -ENOENT);
	put(f, "/etc/file", "old");
	assert_int_equal(chmod(full, 0751), 0);
	assert_int_equal(machine_replace(f->ctx, "/etc/file", "new\ntext"), 0);
	assert_file(f, "/etc/file", "new\ntext", 0751);
	assert_int_equal(machine_replace(f->ctx, "/etc/other", ""), 0);
	assert_file(f, "/etc/other", "", 0644);
	assert_int_equal(machine_replace(f->ctx, "/etc/other", NULL), 0);
	assert_int_equal(machine_replace(f->ctx, "/etc/other", NULL), 0);
	/* Nothing else is left there. */
	assert_int_equal(unlink(full), 0);
	*strrchr(full, '/') = '\0';
	assert_int_equal(rmdir(full), 0);
}

/* What is no file of text is neither waited for nor read without end. */
static void test_no_text(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *pipe = machine_path(f->ctx, "/etc/pipe"),
			    *zero = machine_path(f->ctx, "/etc/zero"), *text = NULL;

	put(f, "/etc/file", "a\n\n");
	assert_int_equal(machine_read_text(f->ctx, "/etc/file", &text), 0);
	assert_string_equal(text, "a\n\n");
	free(TAKE_PTR(text));
	assert_int_equal(machine_read_text(f->ctx, "/etc/none", &text), -ENOENT);
	assert_int_equal(machine_read_text(f->ctx, "/etc", &text), -EUCLEAN);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(machine_read_text(f->ctx, "/etc/pipe", &text), -EUCLEAN);
	assert_int_equal(machine_read(f->ctx, "/etc/pipe", &text, NULL), -EOPNOTSUPP);
	put(f, "/etc/zero", "");
	assert_int_equal(truncate(zero, 1), 0);
	assert_int_equal(machine_read_text(f->ctx, "/etc/zero", &text), -EUCLEAN);
	assert_int_equal(truncate(zero, INT64_C(1) << 40), 0);
	assert_int_equal(machine_read_text(f->ctx, "/etc/zero", &text), -EFBIG);
	assert_null(text);
	pkram_set_sysroot(f->ctx, "");
	assert_int_equal(machine_read_text(f->ctx, "/dev/zero", &text), -EUCLEAN);
}

/* Links, of directories and files, stay on the recorded machine. */
static void test_replace_links(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *etc = machine_path(f->ctx, "/etc"), *other = NULL;
	char outside[] = "/tmp/pkram-outside-XXXXXX", path[64];

	assert_non_null(mkdtemp(outside));
	assert_int_equal(symlink(outside, etc), 0);
	assert_int_equal(machine_replace(f->ctx, "/etc/file", "x"), -ENOENT);
	assert_int_equal(machine_mkdir(f->ctx, "/etc/dir"), -ENOENT);
	assert_int_equal(machine_open_inside(f->ctx, "/etc", O_RDONLY), -ENOENT);
	assert_int_equal(rmdir(outside), 0);
	/* The same directory, seen from inside. */
	snprintf(path, sizeof(path), "%s/seed", outside);
	put(f, path, "");
	assert_int_equal(machine_replace(f->ctx, "/etc/file", "x"), 0);
	assert_int_equal(machine_mkdir(f->ctx, "/etc/dir"), 1);
	assert_int_equal(machine_mkdir(f->ctx, "/etc/dir"), 0);
	assert_int_equal(machine_rmdir(f->ctx, "/etc"), 0);
	assert_int_equal(machine_rmdir(f->ctx, "/etc/dir"), 0);
	assert_int_equal(machine_rmdir(f->ctx, "/etc/dir"), 0);
	assert_int_equal(machine_mkdir(f->ctx, "/etc/dir"), 1);
	assert_int_equal(access(outside, F_OK), -1);
	other = machine_path(f->ctx, "/other");
	assert_int_equal(symlink("../../../etc/file", other), 0);
	assert_int_equal(machine_replace(f->ctx, "/other", "y"), 0);
	snprintf(path, sizeof(path), "%s/file", outside);
	assert_file(f, path, "y", 0644);
	assert_int_equal(machine_replace(f->ctx, "/other", NULL), 0);
	assert_int_equal(machine_open_inside(f->ctx, "/other", O_RDONLY), -ENOENT);
	assert_false(machine_exists(f->ctx, path));
}

static void test_initrd(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *full = machine_path(f->ctx, "/sys/kernel/boot_params/data");
	uint64_t start = 7, size = 7;
	uint8_t params[4096] = { 0 };
	int fd;

	machine_initrd(f->ctx, &start, &size);
	assert_int_equal(start, 0);
	assert_int_equal(size, 0);
	params[0xc0] = 2;	/* the halves of 0x2_7654_3210 */
	memcpy(params + 0x218, "\x10\x32\x54\x76", 4);
	memcpy(params + 0x21c, "\x00\x10\x20\x00", 4);
	put(f, "/sys/kernel/boot_params/data", "");
	fd = open(full, O_WRONLY);
	assert_int_equal(write(fd, params, 0x21f), 0x21f);
	machine_initrd(f->ctx, &start, &size);
	assert_int_equal(size, 0);
	assert_int_equal(pwrite(fd, params, sizeof(params), 0), sizeof(params));
	close(fd);
	machine_initrd(f->ctx, &start, &size);
	assert_int_equal(start, 0x276543210);
	assert_int_equal(size, 0x201000);
}

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static void test_boot_id(void **state)
{
	static const uint8_t want[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					  0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
	static const char *const bad[] = {
		"", "01234567-89ab-cdef-fedc-ba987654321\n",
		"01234567-89ab-cdef-fedc-ba98765432100\n",
		"0123456-789ab-cdef-fedc-ba9876543210\n", "01234567-89ab-cdef-fedc-ba987654321g\n",
		"0123456789abcdeffedcba9876543210abcd\n",
	};
	struct fixture *f = *state;
	uint8_t id[16] = { 0 }, zero[16] = { 0 }, again[16];

	assert_int_equal(machine_boot_id(f->ctx, id), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(f, BOOT_ID, bad[i]);
		assert_int_equal(machine_boot_id(f->ctx, id), -EINVAL);
		assert_memory_equal(id, zero, 16);
	}
	put(f, BOOT_ID, "01234567-89ab-cdef-fedc-ba9876543210\n");
	assert_int_equal(machine_boot_id(f->ctx, id), 0);
	assert_memory_equal(id, want, 16);

	pkram_set_sysroot(f->ctx, NULL);
	assert_int_equal(machine_boot_id(f->ctx, id), 0);
	assert_int_equal(machine_boot_id(f->ctx, again), 0);
	assert_memory_equal(id, again, 16);
	assert_memory_not_equal(id, zero, 16);
}

static void test_how_started(void **state)
{
	static const char loader[] = "/proc/sys/kernel/bootloader_type";
	struct fixture *f = *state;

	assert_true(machine_came_by_kexec(f->ctx)); /* not x86: cannot tell */
	put(f, loader, "176\n");
	assert_false(machine_came_by_kexec(f->ctx));
	put(f, loader, "208\n");
	assert_true(machine_came_by_kexec(f->ctx));
	put(f, loader, "rubbish\n");
	assert_false(machine_came_by_kexec(f->ctx));
	assert_false(machine_is_kdump(f->ctx));
	put(f, "/proc/vmcore", "");
	assert_true(machine_is_kdump(f->ctx));
}

static void assert_memory(struct fixture *f, uint64_t available, uint64_t left)
{
	uint64_t a = 1, l = 1;

	assert_int_equal(machine_memory(f->ctx, &a, &l), 0);
	assert_int_equal(a, available);
	assert_int_equal(l, left);
}

static void test_memory(void **state)
{
	struct fixture *f = *state;
	uint64_t a = 1, l = 1;

	assert_int_equal(machine_memory(f->ctx, &a, &l), -ENOENT);
	assert_int_equal(a, 1);
	put(f, "/proc/meminfo", "MemTotal:  4000 kB\nMemFree:  10 kB\nMemAvailable:    2000 kB\n");
	assert_memory(f, 2000 * KIB, UINT64_MAX); /* no cgroups */
	put(f, "/proc/self/cgroup", "0::/a/b\n");
	assert_memory(f, 2000 * KIB, UINT64_MAX); /* no limits */
	put(f, "/sys/fs/cgroup/a/b/memory.max", "max\n");
	put(f, "/sys/fs/cgroup/a/b/memory.current", "4096\n");
	assert_memory(f, 2000 * KIB, UINT64_MAX);
	/* A parent's limit holds, too, and the tightest counts. */
	put(f, "/sys/fs/cgroup/a/memory.max", "1000000\n");
	put(f, "/sys/fs/cgroup/a/memory.current", "600000\n");
	assert_memory(f, 2000 * KIB, 400000);
	put(f, "/sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 1000\nactive_file 100\n");
	assert_memory(f, 2000 * KIB, 401100);
	put(f, "/sys/fs/cgroup/a/b/memory.max", "5000\n");
	assert_memory(f, 2000 * KIB, 904);
	put(f, "/sys/fs/cgroup/a/b/memory.max", "1000\n");
	assert_memory(f, 2000 * KIB, 0);
	/* In a cgroup namespace the root may have a limit; one's own group may lie outside. */
	put(f, "/sys/fs/cgroup/memory.max", "50000\n");
	put(f, "/sys/fs/cgroup/memory.current", "20000\n");
	put(f, "/proc/self/cgroup", "1:name=systemd:/x\n0::/../../a/b\n");
	assert_memory(f, 2000 * KIB, 30000);
}

static void test_memory_here(void **state)
{
	struct fixture *f = *state;
	uint64_t available = 0, left = 0;

	pkram_set_sysroot(f->ctx, NULL);
	assert_int_equal(machine_memory(f->ctx, &available, &left), 0);
	assert_true(available > MIB);
	assert_true(left > 0);
	assert_true(machine_now() > INT64_C(1700000000) * 1000000000);
}

static void test_hugepages(void **state)
{
	struct fixture *f = *state;
	uint64_t bytes = 5;

	put(f, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "10\n");
	put(f, "/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "3\n");
	assert_int_equal(machine_hugepages_free(f->ctx, GIB, &bytes), -ENOENT);
	assert_int_equal(bytes, 5);
	assert_int_equal(machine_hugepages_free(f->ctx, 2 * MIB, &bytes), 0);
	assert_int_equal(bytes, 14 * MIB);
}

static void test_tmpfs_huge_page(void **state)
{
	static const char shmem[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	static const char size[] = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
	struct fixture *f = *state;

	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 0); /* not built in */
	put(f, size, "2097152\n");
	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 0); /* for anonymous memory only */
	put(f, shmem, "always within_size advise [never] deny force\n");
	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 2 * MIB);
	put(f, shmem, "always [within_size] advise never deny force\n");
	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 2 * MIB);
	put(f, shmem, "always within_size advise never [deny] force\n");
	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 0);
	put(f, shmem, "always within_size advise never deny [force]\n");
	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 0);
	put(f, shmem, "[always] within_size advise never deny force\n");
	put(f, size, "rubbish\n");
	assert_int_equal(machine_tmpfs_huge_page(f->ctx), 0);
}

static int find_point(void *arg, const struct machine_mount *m)
{
	return strcmp(m->point, arg) == 0 && m->parent == 21 ? (int)minor(m->dev) : 0;
}

static void test_mounts(void **state)
{
	static const char table[] =
		"21 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
		"35 21 0:31 / /dev/shm/a\\040b rw,nosuid,nodev shared:9 master:2 - tmpfs  "
		"rw,seclabel,size=1024k,mode=1777,mpol=bind:0,inode64\n"
		"36 21 0:32 / /ro ro,noexec,idmapped - tmpfs x\\040y rw,size=4k\n"
		"37 21 0:33 / /c rw - tmpfs x rw,context=\"a:s0:c1,ro,c2\",size=4k";
	_cleanup_free_ char *type = NULL, *options = NULL;
	char point[] = "/dev/shm/a b";

	(void)state;
	assert_true(machine_mount_has("ro,huge=always", "huge=always"));
	assert_true(machine_mount_has("ro,huge=always", "ro"));
	assert_false(machine_mount_has("rox,xro,huge=always", "ro"));
	assert_false(machine_mount_has("rw,huge=always", "huge"));
	assert_int_equal(machine_mount_find(table, 35, &type, &options), 0);
	assert_string_equal(type, "tmpfs");
	assert_string_equal(options, "rw,nosuid,nodev,size=1024k,mode=1777,mpol=bind:0,inode64");
	free(TAKE_PTR(type));
	free(TAKE_PTR(options));
	assert_int_equal(machine_mount_find(table, 36, &type, &options), 0);
	assert_string_equal(options, "ro,noexec,size=4k");
	free(TAKE_PTR(type));
	free(TAKE_PTR(options));
	assert_int_equal(machine_mount_find(table, 37, &type, &options), 0);
	assert_string_equal(options, "rw,context=\"a:s0:c1,ro,c2\",size=4k");
	assert_int_equal(machine_mount_find(table, 3, &type, &options), -ENOENT);
	assert_int_equal(machine_mount_find("7 1 0:1 / /x rw - tmpfs", 7, &type, &options),
			 -EBADMSG);
	assert_int_equal(machine_mount_find("7 1 0 / /x rw - tmpfs x rw", 7, &type, &options),
			 -EBADMSG);
	assert_int_equal(machine_mounts(table, find_point, point), 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boot_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initrd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_how_started, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_here, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hugepages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tmpfs_huge_page, setup, teardown),
		cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
