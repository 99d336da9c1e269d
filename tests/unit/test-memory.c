/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Physical memory, as the firmware's map and /proc/iomem tell of it.
 */
#include "sysroot.h"

static void put_entry(struct sysroot *s, const char *n, const char *start, const char *end,
		      const char *type)
{
	static const char *const attrs[] = { "start", "end", "type" };
	const char *const values[] = { start, end, type };
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%s/%s", n, attrs[i]);
		sysroot_text(s, path, values[i]);
	}
}

static void assert_range(const struct machine_range *m, uint64_t start, uint64_t end,
			 unsigned int depth, const char *name)
{
	assert_int_equal(m->start, start);
	assert_int_equal(m->end, end);
	assert_int_equal(m->depth, depth);
	assert_string_equal(m->name, name);
}

static void test_firmware(void **state)
{
	struct sysroot *s = *state;
	struct machine_ranges m = { 0 };

	assert_int_equal(machine_firmware_map(s->ctx, &m), -ENOENT);
	assert_null(s->log);
	/* Not in order, and with a gap. */
	put_entry(s, "10", "0x0\n", "0x9fbff\n", "System RAM\n");
	put_entry(s, "2", "0x100000000\n", "0x13fffffff\n", "System RAM\n");
	put_entry(s, "1", "0x9fc00\n", "0x9ffff\n", "Reserved\n");
	put_entry(s, "3", "0xfffffffffff00000\n", "0xffffffffffffffff\n", "Unknown E820 type\n");
	assert_int_equal(machine_firmware_map(s->ctx, &m), 0);
	assert_int_equal(m.n, 4);
	assert_range(&m.v[0], 0, 0x9fbff, 0, "System RAM");
	assert_range(&m.v[1], 0x9fc00, 0x9ffff, 0, "Reserved");
	assert_range(&m.v[2], 4 * GIB, 5 * GIB - 1, 0, "System RAM");
	assert_range(&m.v[3], 0xfffffffffff00000, UINT64_MAX, 0, "Unknown E820 type");
	/* Of several kinds, to their last bytes; and no further. */
	assert_true(machine_ranges_cover(&m, 0x1000, 0x9f000));
	assert_false(machine_ranges_cover(&m, 0x1000, 0x9f001));
	assert_true(machine_ranges_cover(&m, 4 * GIB, GIB));
	assert_false(machine_ranges_cover(&m, 4 * GIB - 1, 2));
	assert_false(machine_ranges_cover(&m, 5 * GIB - 1, 2));
	assert_false(machine_ranges_cover(&m, 2 * GIB, 1));
	assert_true(machine_ranges_cover(&m, 0xfffffffffff00000, MIB));
	machine_ranges_done(&m);
	machine_ranges_done(&m);
	assert_null(s->log);
}

static void test_firmware_bad(void **state)
{
	struct sysroot *s = *state;
	struct machine_ranges m = { .n = 77 };

	put_entry(s, "0", "0x1000\n", "0xfff\n", "System RAM\n");
	assert_int_equal(machine_firmware_map(s->ctx, &m), -EUCLEAN);
	assert_true(sysroot_logged(s, "/sys/firmware/memmap/0: ends before it starts"));
	put_entry(s, "0", "0x1000\n", "all of it\n", "System RAM\n");
	assert_int_equal(machine_firmware_map(s->ctx, &m), -EINVAL);
	assert_true(sysroot_logged(s, "/sys/firmware/memmap/0/end: "));
	put_entry(s, "0", "0x1000\n", "0x1fff\n", "System RAM\n");
	sysroot_remove(s, "/sys/firmware/memmap/0/type");
	assert_int_equal(machine_firmware_map(s->ctx, &m), -ENOENT);
	assert_true(sysroot_logged(s, "/sys/firmware/memmap/0/type: "));
	assert_int_equal(m.n, 77);
}

static void test_iomem(void **state)
{
	struct sysroot *s = *state;
	struct machine_ranges m = { 0 };

	assert_int_equal(machine_iomem(s->ctx, &m), -ENOENT);
	assert_true(sysroot_logged(s, "/proc/iomem: No such file"));
	sysroot_forget(s);
	sysroot_text(s, "/proc/iomem",
		     "00000000-00000fff : Reserved\n"
		     "00001000-0009fbff : System RAM\n"
		     "100000000-13fffffff : System RAM\n"
		     "  100000000-101ffffff : Kernel code\n"
		     "  110000000-11fffffff : Crash kernel\n"
		     "140000000-17fffffff : Persistent Memory (legacy)\n"
		     "  140000000-17fffffff : dax0.0\n"
		     "    140000000-17fffffff : a : b\n");
	assert_int_equal(machine_iomem(s->ctx, &m), 0);
	assert_int_equal(m.n, 8);
	assert_range(&m.v[0], 0, 0xfff, 0, "Reserved");
	assert_range(&m.v[2], 4 * GIB, 5 * GIB - 1, 0, "System RAM");
	assert_range(&m.v[3], 4 * GIB, 0x101ffffff, 1, "Kernel code");
	assert_range(&m.v[4], 0x110000000, 0x11fffffff, 1, "Crash kernel");
	assert_range(&m.v[5], 5 * GIB, 6 * GIB - 1, 0, "Persistent Memory (legacy)");
	assert_range(&m.v[7], 5 * GIB, 6 * GIB - 1, 2, "a : b");
	machine_ranges_done(&m);
	assert_null(s->log);

	sysroot_text(s, "/proc/iomem", "");
	assert_int_equal(machine_iomem(s->ctx, &m), 0);
	assert_int_equal(m.n, 0);
}

static void test_iomem_bad(void **state)
{
	static const char *const bad[] = {
		"00001000 : System RAM\n",
		"2000-1000 : System RAM\n",
		"1000-2000\n",
		"0-1 : a\nSystem RAM\n",
	};
	struct sysroot *s = *state;
	struct machine_ranges m = { .n = 77 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		sysroot_forget(s);
		sysroot_text(s, "/proc/iomem", bad[i]);
		assert_int_equal(machine_iomem(s->ctx, &m), -EUCLEAN);
		assert_true(sysroot_logged(s, "/proc/iomem: not understood: "));
	}
	/* What others than root see. */
	sysroot_forget(s);
	sysroot_text(s, "/proc/iomem",
		     "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n"
		     "  00000000-00000000 : Kernel code\n");
	assert_int_equal(machine_iomem(s->ctx, &m), -EPERM);
	assert_null(s->log);
	assert_int_equal(m.n, 77);
}

/* A real machine: whatever it shows is in order, and inner ranges lie in outer ones. */
static void test_here(void **state)
{
	struct machine_ranges m = { 0 };
	struct pkram_ctx *ctx;
	int r;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	r = machine_iomem(ctx, &m);
	assert_true(r == 0 || r == -EPERM || r == -ENOENT);
	for (size_t i = 1; i < m.n; i++) {
		assert_true(m.v[i - 1].start <= m.v[i].start);
		assert_true(m.v[i].depth <= m.v[i - 1].depth + 1);
		if (m.v[i].depth > m.v[i - 1].depth)
			assert_true(m.v[i].end <= m.v[i - 1].end);
	}
	machine_ranges_done(&m);
	r = machine_firmware_map(ctx, &m);
	assert_true(r == 0 || r == -ENOENT);
	for (size_t i = 1; i < m.n; i++)
		assert_true(m.v[i - 1].start <= m.v[i].start);
	machine_ranges_done(&m);
	pkram_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_firmware, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_firmware_bad, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_iomem, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_iomem_bad, sysroot_setup, sysroot_teardown),
		cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
