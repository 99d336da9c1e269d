/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of recorded machines (tests/sysroot).
 */
#include "machine.h"
#include "region.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
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
}

static const struct {
	const char *machine;
	unsigned int major;	/* minor 0 */
	struct machine_device want;
} machines[] = {
	{ "pmem-raw", 259, {
		.kind = MACHINE_DEVICE_PMEM, .path = "/dev/pmem0", .phys = GIB, .size = 512 * MIB,
		.res_phys = GIB, .res_size = 512 * MIB, .legacy = true } },
	{ "pmem-devdax", 253, {
		.kind = MACHINE_DEVICE_DEVDAX, .path = "/dev/dax0.0", .phys = GIB + 2 * MIB,
		.size = 510 * MIB, .res_phys = GIB, .res_size = 512 * MIB, .legacy = true } },
	{ "pmem-lent", 253, {
		.kind = MACHINE_DEVICE_DEVDAX, .path = "/dev/dax0.0", .phys = GIB + 2 * MIB,
		.size = 510 * MIB, .res_phys = GIB, .res_size = 512 * MIB, .legacy = true,
		.system_ram = true } },
	{ "nfit-raw", 259, {
		.kind = MACHINE_DEVICE_PMEM, .path = "/dev/pmem0", .phys = 4 * GIB,
		.size = 256 * MIB, .res_phys = 4 * GIB, .res_size = 256 * MIB } },
	{ "nfit-fsdax", 259, {
		.kind = MACHINE_DEVICE_PMEM, .path = "/dev/pmem0", .phys = 4 * GIB + 6 * MIB,
		.size = 250 * MIB, .res_phys = 4 * GIB, .res_size = 256 * MIB } },
	{ "soft-reserved", 253, {
		.kind = MACHINE_DEVICE_DEVDAX, .path = "/dev/dax0.0", .phys = GIB,
		.size = 512 * MIB, .res_phys = GIB, .res_size = 512 * MIB,
		.soft_reserved = true } },
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

	pkram_set_log_fn(ctx, count_lines, "/dev/dax0.0", PKRAM_LOG_INFO);
	look_at(ctx, "pmem-devdax");
	assert_int_equal(machine_device_unused(ctx, "/dev/dax0.0", makedev(253, 0), false), 0);
	look_at(ctx, "pmem-lent");
	lines = 0;
	assert_int_equal(machine_device_unused(ctx, "/dev/dax0.0", makedev(253, 0), false), -EBUSY);
	assert_int_equal(lines, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partition, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unused, setup, teardown),
	};

	return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
