/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is recognised before a container is written over it, and which devices count as in use.
 */
#include "machine.h"
#include "pkram-format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIZE (16 * MIB)

/* A device of SIZE bytes in a sparse memfd. */
struct fixture {
	struct pkram_ctx *ctx;
	int fd;
	uint64_t read_bytes;
	int fail;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(pkram_new(&f->ctx), 0);
	f->fd = memfd_create("device", 0); /* no CLOEXEC: mkfs gets it as /dev/fd/N */
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, SIZE), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	pkram_unref(f->ctx);
	free(f);
	return 0;
}

static int read_device(void *arg, uint64_t off, size_t len, void *buf)
{
	struct fixture *f = arg;

	assert_true(IS_ALIGNED(off, 4096) && IS_ALIGNED(len, 4096));
	assert_true(IS_ALIGNED((uintptr_t)buf, 4096));
	if (f->fail)
		return f->fail;
	f->read_bytes += len;
	return pread(f->fd, buf, len, (off_t)off) == (ssize_t)len ? 0 : -EIO;
}

static void put(struct fixture *f, uint64_t off, const void *bytes, size_t len)
{
	assert_int_equal(pwrite(f->fd, bytes, len, (off_t)off), len);
}

/* NULL: nothing. */
static void assert_type(struct fixture *f, const char *want)
{
	_cleanup_free_ char *type = NULL;

	f->read_bytes = 0;
	assert_int_equal(machine_signature(f->ctx, SIZE, read_device, f, &type), 0);
	assert_int_equal(f->read_bytes, 2 * MIB);
	if (!want) {
		if (type)
			fail_msg("taken for %s", type);
		return;
	}
	assert_non_null(type);
	assert_string_equal(type, want);
}

static void make(struct fixture *f, const char *command, const char *want)
{
	int name = (int)strcspn(command, " ");
	char line[256], tool[64];

	snprintf(tool, sizeof(tool), "command -v %.*s >/dev/null", name, command);
	if (system(tool) != 0) {
		print_message("needs %.*s\n", name, command);
		skip();
	}
	snprintf(line, sizeof(line), "%s /proc/%d/fd/%d >/dev/null 2>&1", command, getpid(), f->fd);
	assert_int_equal(system(line), 0);
	assert_type(f, want);
}

static void test_ext4(void **state)
{
	make(*state, "mkfs.ext4 -F -q", "ext4");
}

static void test_swap(void **state)
{
	make(*state, "mkswap", "swap");
}

static uint32_t crc32(uint32_t crc, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

static void test_gpt(void **state)
{
	struct fixture *f = *state;
	uint8_t mbr[512] = {
		[446 + 4] = 0xee, [446 + 8] = 1, [446 + 12] = 0xff, [510] = 0x55, 0xaa,
	};
	struct {
		char magic[8];
		uint32_t revision, length, crc, zero;
		uint64_t self, other, first, last;
		uint8_t guid[16];
		uint64_t entries;
		uint32_t n, size, entries_crc;
	} __attribute__((packed)) gpt = {
		.magic = "EFI PART", .revision = 0x10000, .length = 92, .self = 1,
		.other = SIZE / 512 - 1, .first = 34, .last = SIZE / 512 - 34,
		.guid = { 1, 2, 3 }, .entries = 2, .n = 128, .size = 128,
	};
	_cleanup_free_ uint8_t *entries = calloc(128, 128);

	gpt.entries_crc = ~crc32(~0u, entries, 128 * 128);
	gpt.crc = ~crc32(~0u, (const uint8_t *)&gpt, 92);
	put(f, 0, mbr, sizeof(mbr));
	put(f, 512, &gpt, sizeof(gpt));
	assert_type(f, "gpt");
}

static void test_lvm(void **state)
{
	/* LABELONE in sector 1, with its number, its CRC, and the type */
	static const char label[32] = "LABELONE\1\0\0\0\0\0\0\0\0\0\0\0\40\0\0\0LVM2 001";
	struct fixture *f = *state;
	uint8_t sector[512] = { 0 };
	uint32_t crc;

	memcpy(sector, label, sizeof(label));
	memset(sector + 32, 'a', 32);
	crc = crc32(0xf597a6cf, sector + 20, sizeof(sector) - 20);
	memcpy(sector + 16, &crc, sizeof(crc));
	put(f, 512, sector, sizeof(sector));
	assert_type(f, "LVM2_member");
}

/* Metadata 1.0 lies 8 KiB before the end, where only the tail is looked at. */
static void test_raid_tail(void **state)
{
	static const uint8_t magic[] = { 0xfc, 0x4e, 0x2b, 0xa9, 1, 0, 0, 0 };
	struct fixture *f = *state;
	uint64_t off = SIZE - 8192, sector = off / 512;

	put(f, off, magic, sizeof(magic));
	put(f, off + 144, &sector, sizeof(sector)); /* super_offset */
	assert_type(f, "linux_raid_member");
}

static void test_random(void **state)
{
	_cleanup_free_ uint8_t *buf = malloc(MIB);
	struct fixture *f = *state;

	assert_type(f, NULL);
	for (uint64_t off = 0; off < SIZE; off += MIB) {
		for (size_t n = 0; n < MIB; n += 256)
			assert_int_equal(getrandom(buf + n, 256, 0), 256);
		put(f, off, buf, MIB);
	}
	put(f, 510, "\0\0", 2); /* one in 65536 runs would look like a boot sector */
	assert_type(f, NULL);
}

/* Two sealed slots as of the format; at 0 and, on raw pmem, at 2 MiB. */
static void test_container(void **state)
{
	struct fixture *f = *state;
	struct pkram_superblock sb = {
		.version = PKRAM_FORMAT_VERSION, .generation = 1, .size = SIZE, .next_id = 1,
		.seal = 0x1122334455667788,
	};

	memcpy(sb.magic, PKRAM_SB_MAGIC, sizeof(sb.magic));
	memset(sb.uuid, 0xa5, sizeof(sb.uuid));
	memset(sb.key, 0x5a, sizeof(sb.key));
	put(f, 0, &sb, sizeof(sb));
	put(f, PKRAM_SLOT_SIZE, &sb, sizeof(sb));
	assert_type(f, NULL);
}

static void test_small_and_failing(void **state)
{
	struct fixture *f = *state;
	char *type = NULL;

	assert_int_equal(machine_signature(f->ctx, 4096, read_device, f, &type), 0);
	assert_null(type);
	assert_int_equal(machine_signature(f->ctx, MIB + 4096, read_device, f, &type), 0);
	assert_null(type);
	f->fail = -EIO;
	assert_int_equal(machine_signature(f->ctx, SIZE, read_device, f, &type), -EIO);
	assert_null(type);
}

static char last[512];

static void keep_log(void *userdata, int priority, const char *msg)
{
	(void)userdata;
	(void)priority;
	snprintf(last, sizeof(last), "%s", msg);
}

/* In a mount namespace of its own; mounts the loop device and asks. */
static int with_mount(struct fixture *f, const char *loop, dev_t rdev)
{
	int claim;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/mnt", "tmpfs", 0, NULL) < 0 || mkdir("/mnt/a b", 0755) < 0 ||
	    mount(loop, "/mnt/a b", "ext4", MS_RDONLY, NULL) < 0)
		return 77;
	if (machine_device_unused(f->ctx, loop, rdev, true, &claim) != -EBUSY ||
	    !strstr(last, "/mnt/a b;"))
		return 1;
	/* Elsewhere the mount is not seen, but the kernel knows. */
	pkram_set_sysroot(f->ctx, "/nonexistent");
	if (machine_device_unused(f->ctx, loop, rdev, true, &claim) != -EBUSY ||
	    !strstr(last, loop))
		return 2;
	return 0;
}

static int make_loop(struct fixture *f, char path[32])
{
	struct loop_config cfg = { .fd = (unsigned int)f->fd };
	_cleanup_close_ int control = -1, loop = -1;

	control = geteuid() == 0 ? open("/dev/loop-control", O_RDWR | O_CLOEXEC) : -1;
	if (control < 0) {
		print_message("needs root and /dev/loop-control\n");
		skip();
	}
	for (int tries = 0; tries < 16; tries++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		assert_true(n >= 0);
		snprintf(path, 32, "/dev/loop%d", n);
		close_p(&loop);
		loop = open(path, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &cfg) == 0)
			return TAKE_FD(loop);
	}
	fail_msg("no loop device");
	return -1;
}

static void test_in_use(void **state)
{
	struct fixture *f = *state;
	char path[32];
	_cleanup_close_ int loop = make_loop(f, path);
	struct stat st;
	int status, claim;
	pid_t pid;

	make(f, "mkfs.ext4 -F -q", "ext4");
	assert_int_equal(fstat(loop, &st), 0);
	pkram_set_log_fn(f->ctx, keep_log, NULL, PKRAM_LOG_INFO);
	assert_int_equal(machine_device_unused(f->ctx, path, st.st_rdev, true, &claim), 0);
	/* Who found it unused keeps it so. */
	assert_int_equal(open(path, O_RDONLY | O_EXCL | O_CLOEXEC), -1);
	assert_int_equal(errno, EBUSY);
	close_p(&claim);
	pid = fork();
	if (pid == 0)
		_exit(with_mount(f, path, st.st_rdev));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ioctl(loop, LOOP_CLR_FD, 0), 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("needs to mount ext4\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Right before init writes, nobody else may take the device. */
static void try_to_take(void *userdata, int priority, const char *msg)
{
	char path[32];

	(void)priority;
	if (sscanf(msg, "pmem:%31[^:]: is not zero", path) != 1 || !strstr(msg, "written over"))
		return;
	*(int *)userdata = open(path, O_RDONLY | O_EXCL | O_CLOEXEC) < 0 ? errno : 0;
}

static void test_init_claims(void **state)
{
	static const char text[] = "nothing known";
	struct fixture *f = *state;
	char path[32];
	_cleanup_close_ int loop = make_loop(f, path);
	int error = -1, k;

	put(f, PKRAM_PMEM_BASE, text, sizeof(text));
	pkram_set_log_fn(f->ctx, try_to_take, &error, PKRAM_LOG_INFO);
	k = pkram_region_init(f->ctx, path, NULL);
	assert_int_equal(ioctl(loop, LOOP_CLR_FD, 0), 0);
	assert_int_equal(k, 0);
	assert_int_equal(error, EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ext4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gpt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lvm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raid_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_container, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_and_failing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_init_claims, setup, teardown),
	};

	return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
