/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of recorded machines (tests/sysroot).
 */
#include "sysroot.h"
#include "region.h"

#include <sys/sysmacros.h>

static int setup(void **state)
{
	struct pkram_ctx *ctx;

	assert_int_equal(pkram_new(&ctx), 0);
	*state = ctx;
	return 0;
}

static int teardown(void **state)
{
	pkram_unref(*state);
	return 0;
}

static void look_at(struct pkram_ctx *ctx, const char *machine)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", TEST_SYSROOT, machine);
	assert_int_equal(pkram_set_sysroot(ctx, path), 0);
}

static void assert_device(const struct machine_device *got, const struct machine_device *want)
{
	assert_int_equal(got->kind, want->kind);
	assert_string_equal(got->path, want->path);
	assert_int_equal(got->phys, want->phys);
	assert_int_equal(got->size, want->size);
	assert_int_equal(got->res_phys, want->res_phys);
	assert_int_equal(got->res_size, want->res_size);
	assert_int_equal(got->legacy, want->legacy);
	assert_int_equal(got->soft_reserved, want->soft_reserved);
	assert_int_equal(got->system_ram, want->system_ram);
	assert_int_equal(got->fsdax, want->fsdax);
	assert_int_equal(got->align, want->align);
	assert_string_equal(got->nd_name, want->nd_name);
	assert_string_equal(got->nd_region, *want->nd_name ? "region0" : "");
	assert_true(got->bound);
}

static const struct {
	const char *machine;
	unsigned int major;	/* minor 0 */
	struct machine_device want;
} machines[] = {
	{ "pmem-raw", 259, {
		.kind = MACHINE_DEVICE_PMEM, .path = "/dev/pmem0", .phys = GIB, .size = 512 * MIB,
		.res_phys = GIB, .res_size = 512 * MIB, .legacy = true,
		.nd_name = "namespace0.0" } },
	{ "pmem-devdax", 253, {
		.kind = MACHINE_DEVICE_DEVDAX, .path = "/dev/dax0.0", .phys = GIB + 2 * MIB,
		.size = 510 * MIB, .res_phys = GIB, .res_size = 512 * MIB, .legacy = true,
		.align = 2 * MIB, .nd_name = "dax0.0" } },
	{ "pmem-lent", 253, {
		.kind = MACHINE_DEVICE_DEVDAX, .path = "/dev/dax0.0", .phys = GIB + 2 * MIB,
		.size = 510 * MIB, .res_phys = GIB, .res_size = 512 * MIB, .legacy = true,
		.system_ram = true, .align = 2 * MIB, .nd_name = "dax0.0" } },
	{ "nfit-raw", 259, {
		.kind = MACHINE_DEVICE_PMEM, .path = "/dev/pmem0", .phys = 4 * GIB,
		.size = 256 * MIB, .res_phys = 4 * GIB, .res_size = 256 * MIB,
		.nd_name = "namespace0.0" } },
	{ "nfit-fsdax", 259, {
		.kind = MACHINE_DEVICE_PMEM, .path = "/dev/pmem0", .phys = 4 * GIB + 6 * MIB,
		.size = 250 * MIB, .res_phys = 4 * GIB, .res_size = 256 * MIB, .fsdax = true,
		.align = 2 * MIB, .nd_name = "pfn0.0" } },
	{ "soft-reserved", 253, {
		.kind = MACHINE_DEVICE_DEVDAX, .path = "/dev/dax0.0", .phys = GIB,
		.size = 512 * MIB, .res_phys = GIB, .res_size = 512 * MIB,
		.soft_reserved = true, .align = 2 * MIB } },
};

static void test_list(void **state)
{
	struct pkram_ctx *ctx = *state;

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		_cleanup_free_ struct machine_device *devices = NULL;
		size_t n;

		look_at(ctx, machines[i].machine);
		assert_int_equal(machine_devices(ctx, &devices, &n), 0);
		assert_int_equal(n, 1); /* partitions and seeds are none */
		assert_device(&devices[0], &machines[i].want);
	}
}

static void test_by_number(void **state)
{
	struct pkram_ctx *ctx = *state;

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		bool block = machines[i].want.kind == MACHINE_DEVICE_PMEM;
		dev_t rdev = makedev(machines[i].major, 0);
		_cleanup_free_ char *node = NULL;
		struct machine_device d;

		look_at(ctx, machines[i].machine);
		assert_int_equal(machine_device_of(ctx, rdev, block, &d), 0);
		assert_device(&d, &machines[i].want);
		assert_int_equal(machine_device_of(ctx, rdev, !block, &d), -ENODEV);
		assert_int_equal(machine_device_of(ctx, makedev(7, 0), true, &d), -ENODEV);
		assert_int_equal(machine_device_node(ctx, rdev, block, &node), 0);
		assert_string_equal(node, machines[i].want.path);
	}
}

static void test_partition(void **state)
{
	struct pkram_ctx *ctx = *state;
	_cleanup_free_ char *node = NULL;
	struct machine_device d;

	look_at(ctx, "nfit-fsdax");
	assert_int_equal(machine_device_of(ctx, makedev(259, 1), true, &d), -ENODEV);
	assert_int_equal(machine_device_node(ctx, makedev(259, 1), true, &node), 0);
	assert_string_equal(node, "/dev/pmem0p1");
}

/* Labels behind the memory, two devices in it: the word is for all of that. */
static void test_ramdax(void **state)
{
	static const char bus[] = "/sys/devices/platform/ramdax.0/ndbus0/";
	static const char *const files[][2] = {
		{ "provider", "ramdax\n" },
		{ "region0/resource", "0x40000000\n" },
		{ "region0/size", "536739840\n" },
		{ "region0/namespace0.1/resource", "0x50000000\n" },
		{ "region0/namespace0.1/block/pmem0.1/size", "524288\n" },
		{ "region0/namespace0.1/block/pmem0.1/uevent", "DEVNAME=pmem0.1\n" },
	};
	struct sysroot *s = *state;
	_cleanup_free_ struct machine_device *d = NULL;
	_cleanup_free_ char *link = sysroot_path(s, "/sys/class/block/pmem0.1");
	char path[128];
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s%s", bus, files[i][0]);
		sysroot_text(s, path, files[i][1]);
	}
	sysroot_text(s, "/sys/class/block/none", "");
	snprintf(path, sizeof(path), "../..%sregion0/namespace0.1/block/pmem0.1",
		 bus + strlen("/sys"));
	assert_int_equal(symlink(path, link), 0);
	sysroot_text(s, "/proc/iomem", "40000000-5fffffff : Persistent Memory (legacy)\n");
	assert_int_equal(machine_devices(s->ctx, &d, &n), 0);
	assert_int_equal(n, 1);
	assert_true(d->ramdax && d->legacy);
	assert_int_equal(d->phys, 0x50000000);
	assert_int_equal(d->size, 256 * MIB);
	assert_int_equal(d->res_phys, GIB);
	assert_int_equal(d->res_size, 512 * MIB);
}

static void test_none(void **state)
{
	struct pkram_ctx *ctx = *state;
	_cleanup_free_ struct machine_device *devices = NULL;
	_cleanup_free_ char *node = NULL;
	size_t n = 1;

	look_at(ctx, "no-such-machine");
	assert_int_equal(machine_devices(ctx, &devices, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(machine_device_node(ctx, makedev(259, 0), true, &node), -ENODEV);
	assert_null(node);
}

static unsigned int lines;

static void count_lines(void *userdata, int priority, const char *msg)
{
	(void)priority;
	lines += strstr(msg, userdata) != NULL;
}

static void test_unused(void **state)
{
	struct pkram_ctx *ctx = *state;
	int claim;

	pkram_set_log_fn(ctx, count_lines, "/dev/dax0.0", PKRAM_LOG_INFO);
	look_at(ctx, "pmem-devdax");
	assert_int_equal(machine_device_unused(ctx, "/dev/dax0.0", makedev(253, 0), false, &claim),
			 0);
	assert_int_equal(claim, -1);
	look_at(ctx, "pmem-lent");
	lines = 0;
	assert_int_equal(machine_device_unused(ctx, "/dev/dax0.0", makedev(253, 0), false, &claim),
			 -EBUSY);
	assert_int_equal(lines, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partition, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ramdax, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unused, setup, teardown),
	};

	return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
