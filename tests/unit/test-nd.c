/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reconfiguring namespaces on a recorded machine: its files keep what was written to them and do
 * nothing, so that each step, and each step of going back, can be made to fail.
 */
#include "sysroot.h"

#define ND "/sys/bus/nd/devices/"
#define DRIVERS "/sys/bus/nd/drivers/"
#define HEAD 16384u

static const struct machine_nd raw = { .region = "region0", .ns = "namespace0.0" };
static const struct machine_nd devdax = { .region = "region0", .ns = "namespace0.0",
					  .holder = "dax0.0" };

/* Where no file is, a write fails. */
static int setup_machine(void **state)
{
	static const char *const empty[] = {
		ND "namespace0.0/driver/unbind", ND "namespace0.0/force_raw",
		ND "namespace0.0/block/pmem0/size", ND "dax0.0/driver/unbind", ND "dax0.0/mode",
		ND "dax0.0/align", ND "dax0.0/uuid", ND "dax0.0/namespace",
		DRIVERS "nd_pmem/bind", DRIVERS "dax_pmem/bind",
	};
	uint8_t head[HEAD];
	struct sysroot *s;
	int r = sysroot_setup(state);

	s = *state;
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		sysroot_text(s, empty[i], "");
	sysroot_text(s, ND "region0/resource", "0x40000000\n");
	sysroot_text(s, ND "region0/dax_seed", "dax0.0\n");
	sysroot_text(s, ND "namespace0.0/size", "536870912\n");
	sysroot_text(s, ND "namespace0.0/holder", "\n");
	sysroot_text(s, ND "namespace0.1/size", "0\n");
	for (size_t i = 0; i < sizeof(head); i++)
		head[i] = (uint8_t)(i / 64 + 1);
	sysroot_write(s, "/dev/pmem0", head, sizeof(head));
	return r;
}

static void assert_file(struct sysroot *s, const char *path, const char *want)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(machine_read(s->ctx, path, &text, NULL), 0);
	assert_string_equal(text, want);
}

/* What was written last: a file keeps the rest of what was longer before. */
static void assert_begins(struct sysroot *s, const char *path, const char *want)
{
	_cleanup_free_ char *full = sysroot_path(s, path);
	char buf[64] = "";
	FILE *f = fopen(full, "re");

	assert_non_null(f);
	assert_true(fread(buf, 1, sizeof(buf) - 1, f) > 0);
	fclose(f);
	assert_memory_equal(buf, want, strlen(want));
}

/* Only the info block may have changed, and to zero. */
static void assert_memory(struct sysroot *s, bool cleared)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	assert_int_equal(machine_read(s->ctx, "/dev/pmem0", &bytes, &len), 0);
	assert_int_equal(len, HEAD);
	for (size_t i = 0; i < len; i++)
		if (cleared && i >= 4096 && i < 8192)
			assert_int_equal(bytes[i], 0);
		else
			assert_int_equal((uint8_t)bytes[i], (uint8_t)(i / 64 + 1));
}

static void test_at(void **state)
{
	struct sysroot *s = *state;
	struct machine_nd nd;

	assert_int_equal(machine_nd_at(s->ctx, 0x40000000, &nd), 0);
	assert_string_equal(nd.region, "region0");
	assert_string_equal(nd.ns, "namespace0.0");
	assert_string_equal(nd.holder, "");
	assert_int_equal(machine_nd_at(s->ctx, 0x80000000, &nd), -ENOENT);
	assert_int_equal(machine_nd_at(s->ctx, 0, &nd), -ENOENT);
	sysroot_text(s, ND "namespace0.0/holder", "btt0.0\n");
	assert_int_equal(machine_nd_at(s->ctx, 0x40000000, &nd), 0);
	assert_string_equal(nd.holder, "btt0.0");
	sysroot_text(s, ND "namespace0.0/size", "0\n");
	assert_int_equal(machine_nd_at(s->ctx, 0x40000000, &nd), 0);
	assert_string_equal(nd.ns, "");
}

static void test_of(void **state)
{
	struct sysroot *s = *state;
	struct machine_device d = { .kind = MACHINE_DEVICE_PMEM, .nd_name = "namespace0.0",
				    .nd_region = "region0" };
	struct machine_nd nd;

	assert_int_equal(machine_nd_of(s->ctx, &d, &nd), 0);
	assert_string_equal(nd.ns, "namespace0.0");
	assert_string_equal(nd.holder, "");
	d.kind = MACHINE_DEVICE_DEVDAX;
	strcpy(d.nd_name, "dax0.0");
	assert_int_equal(machine_nd_of(s->ctx, &d, &nd), -ENOENT); /* holds none */
	sysroot_text(s, ND "dax0.0/namespace", "../../etc\n");
	assert_int_equal(machine_nd_of(s->ctx, &d, &nd), -ENOENT);
	sysroot_text(s, ND "dax0.0/namespace", "namespace0.0\n");
	assert_int_equal(machine_nd_of(s->ctx, &d, &nd), 0);
	assert_string_equal(nd.ns, "namespace0.0");
	assert_string_equal(nd.holder, "dax0.0");
	d.nd_region[0] = '\0';
	assert_int_equal(machine_nd_of(s->ctx, &d, &nd), -ENOENT);
}

static void test_to_devdax(void **state)
{
	struct sysroot *s = *state;
	_cleanup_free_ char *uuid = NULL;

	assert_int_equal(machine_nd_to_devdax(s->ctx, &raw, "/dev/pmem0"), 0);
	assert_null(s->log);
	assert_file(s, ND "namespace0.0/driver/unbind", "namespace0.0");
	assert_file(s, ND "dax0.0/mode", "ram");
	assert_file(s, ND "dax0.0/align", "2097152");
	assert_int_equal(machine_read(s->ctx, ND "dax0.0/uuid", &uuid, NULL), 0);
	assert_int_equal(strlen(uuid), 36);
	assert_int_equal(uuid[14], '4');
	assert_file(s, ND "dax0.0/namespace", "namespace0.0");
	assert_file(s, DRIVERS "dax_pmem/bind", "dax0.0");
	assert_file(s, DRIVERS "nd_pmem/bind", "");
	assert_memory(s, false);
}

/* Nothing has happened when there is no seed, or no device to hold. */
static void test_to_devdax_early(void **state)
{
	struct sysroot *s = *state;

	assert_true(machine_nd_to_devdax(s->ctx, &raw, "/dev/pmem9") < 0);
	sysroot_remove(s, ND "region0/dax_seed");
	assert_true(machine_nd_to_devdax(s->ctx, &raw, "/dev/pmem0") < 0);
	assert_true(sysroot_logged(s, "makes no devdax"));
	assert_file(s, ND "namespace0.0/driver/unbind", "");
}

/* Whichever step fails, the namespace is raw again, with the block that it had. */
static void test_back_to_raw(void **state)
{
	static const char *const steps[] = {
		ND "dax0.0/mode", ND "dax0.0/align", ND "dax0.0/uuid", DRIVERS "dax_pmem/bind",
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		sysroot_text(s, DRIVERS "nd_pmem/bind", "");
		sysroot_text(s, ND "dax0.0/namespace", "");
		sysroot_remove(s, steps[i]);
		assert_int_equal(machine_nd_to_devdax(s->ctx, &raw, "/dev/pmem0"), -ENOENT);
		assert_begins(s, ND "dax0.0/namespace", "\n");
		assert_file(s, ND "namespace0.0/force_raw", "0");
		assert_file(s, DRIVERS "nd_pmem/bind", "namespace0.0");
		assert_memory(s, false);
		sysroot_text(s, steps[i], "");
	}
	/* Nothing is left to go back with. */
	sysroot_remove(s, DRIVERS "dax_pmem/bind");
	sysroot_remove(s, DRIVERS "nd_pmem/bind");
	assert_int_equal(machine_nd_to_devdax(s->ctx, &raw, "/dev/pmem0"), -ENOTRECOVERABLE);
	assert_true(sysroot_logged(s, "ndctl enable-namespace namespace0.0"));
	assert_memory(s, false);
}

static void test_to_raw(void **state)
{
	struct sysroot *s = *state;

	assert_int_equal(machine_nd_to_raw(s->ctx, &devdax), 0);
	assert_null(s->log);
	assert_file(s, ND "dax0.0/driver/unbind", "dax0.0");
	assert_begins(s, ND "dax0.0/namespace", "\n");
	assert_file(s, ND "namespace0.0/force_raw", "0");
	assert_file(s, DRIVERS "nd_pmem/bind", "namespace0.0");
	assert_file(s, DRIVERS "dax_pmem/bind", "");
	assert_memory(s, true);
}

static void test_back_to_devdax(void **state)
{
	struct sysroot *s = *state;

	/* The driver finds the info block and gives the namespace to its holder. */
	sysroot_text(s, ND "namespace0.0/holder", "dax0.0\n");
	sysroot_remove(s, ND "namespace0.0/force_raw");
	assert_int_equal(machine_nd_to_raw(s->ctx, &devdax), -ENOENT);
	assert_file(s, DRIVERS "nd_pmem/bind", "namespace0.0");
	assert_memory(s, false);
	sysroot_text(s, ND "namespace0.0/force_raw", "");

	sysroot_text(s, DRIVERS "nd_pmem/bind", "");
	sysroot_remove(s, "/dev/pmem0");
	assert_int_equal(machine_nd_to_raw(s->ctx, &devdax), -ENOENT);
	assert_file(s, ND "namespace0.0/force_raw", "0");

	sysroot_remove(s, ND "dax0.0/namespace");
	assert_int_equal(machine_nd_to_raw(s->ctx, &devdax), -ENOENT);
	assert_file(s, DRIVERS "dax_pmem/bind", "dax0.0");

	/* Nobody takes it. */
	sysroot_text(s, ND "dax0.0/namespace", "");
	sysroot_text(s, ND "namespace0.0/holder", "\n");
	assert_int_equal(machine_nd_to_raw(s->ctx, &devdax), -ENOTRECOVERABLE);
	assert_true(sysroot_logged(s, "ndctl enable-namespace namespace0.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_at, setup_machine, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_of, setup_machine, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_to_devdax, setup_machine, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_to_devdax_early, setup_machine,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_back_to_raw, setup_machine, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_to_raw, setup_machine, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_back_to_devdax, setup_machine,
						sysroot_teardown),
	};

	return cmocka_run_group_tests_name("nd", tests, NULL, NULL);
}
