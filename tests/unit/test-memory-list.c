/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of memory, where it is not what the recorded machines of the command's tests show:
 * memory of the firmware, several words, no privilege, a driver that made no device.
 */
#include "sysroot.h"

#define BUS "/sys/devices/platform/e820_pmem/ndbus0/"

struct want {
	enum pkram_memory_kind kind;
	enum pkram_memory_mode mode;
	uint64_t phys, size;
	const char *reserved_by;
	const char *hint;	/* a part of it */
};

static int setup_list(void **state)
{
	unsetenv("PKRAM_REGION");
	return sysroot_setup(state);
}

static void machine(struct sysroot *s, const char *cmdline, const char *iomem)
{
	sysroot_text(s, "/proc/cmdline", cmdline);
	sysroot_text(s, "/proc/iomem", iomem);
}

static void firmware(struct sysroot *s, unsigned int i, const char *start, const char *end,
		     const char *type)
{
	const char *const files[][2] = { { "start", start }, { "end", end }, { "type", type } };
	char path[64];

	for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/%s", i, files[k][0]);
		sysroot_text(s, path, files[k][1]);
	}
}

static void assert_list(struct sysroot *s, const struct want *want, size_t n)
{
	struct pkram_memory_list *list;

	assert_int_equal(pkram_memory_list_new(s->ctx, NULL, &list), 0);
	assert_int_equal(pkram_memory_list_count(list), n);
	assert_null(pkram_memory_list_get(list, n));
	for (size_t i = 0; i < n; i++) {
		const struct pkram_memory *m = pkram_memory_list_get(list, i);

		assert_int_equal(m->kind, want[i].kind);
		assert_int_equal(m->mode, want[i].mode);
		assert_int_equal(m->phys, want[i].phys);
		assert_int_equal(m->size, want[i].size);
		assert_string_equal(m->reserved_by, want[i].reserved_by);
		assert_non_null(strstr(m->hint, want[i].hint));
		assert_string_equal(m->spec, "");
		assert_int_equal(m->node, -1);
		assert_int_equal(m->state, PKRAM_MEMORY_NO_DRIVER);
	}
	pkram_memory_list_free(list);
}

static void test_firmware(void **state)
{
	struct sysroot *s = *state;
	const struct want want[] = {
		{ PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, GIB, 256 * MIB, "firmware",
		  "nd_e820" },
		{ PKRAM_MEMORY_SOFT_RESERVED, PKRAM_MODE_NONE, 2 * GIB, GIB, "firmware",
		  "dax_hmem" },
		{ PKRAM_MEMORY_NVDIMM, PKRAM_MODE_NONE, 4 * GIB, GIB, "firmware", "nfit" },
		{ PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, 8 * GIB, GIB, "",
		  "no memory there, or not all" },
	};

	machine(s, "quiet\n",
		"40000000-4fffffff : Persistent Memory (legacy)\n"
		"80000000-bfffffff : Soft Reserved\n"
		"100000000-13fffffff : Persistent Memory\n"
		"  100000000-13fffffff : namespace0.0\n"
		"200000000-23fffffff : Persistent Memory (legacy)\n");
	firmware(s, 0, "0x40000000\n", "0x4fffffff\n", "Persistent Memory (legacy)\n");
	firmware(s, 1, "0x80000000\n", "0xffffffff\n", "Soft Reserved\n");
	/* Half of it is not all of it. */
	firmware(s, 2, "0x200000000\n", "0x21fffffff\n", "Persistent Memory (legacy)\n");
	assert_list(s, want, ARRAY_SIZE(want));
	assert_null(s->log);
}

static void test_words(void **state)
{
	struct sysroot *s = *state;
	const struct want want[] = {
		{ PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, GIB, 512 * MIB,
		  "memmap=256M!1G memmap=256M!1280M,64M!8G", "nd_e820" },
		{ PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, 8 * GIB, 64 * MIB,
		  "memmap=256M!1280M,64M!8G", "nd_e820" },
		{ PKRAM_MEMORY_DEVMEM, PKRAM_MODE_NONE, 12 * GIB, 16 * MIB, "memmap=16M$12G",
		  "'!'" },
	};

	/* The kernel joins neighbours. Words behind "--" are none, others are not for this. */
	machine(s, "memmap=256M!1G memmap=256M!1280M,64M!8G xmemmap=1G!1G memmap=oops "
		"memmap=16M$12G memmap=16M$13G memmap=1M$14G memmap=16M$15G -- memmap=1G!8G\n",
		"40000000-5fffffff : Persistent Memory (legacy)\n"
		"200000000-203ffffff : Persistent Memory (legacy)\n"
		"300000000-300ffffff : Reserved\n"
		"340000000-340ffffff : System RAM\n"	/* did not come about */
		"380000000-3800fffff : Reserved\n"	/* too small */
		"3c0000000-3c0ffffff : Reserved\n");	/* the firmware's, too */
	firmware(s, 0, "0x0\n", "0x3bfffffff\n", "System RAM\n");
	firmware(s, 1, "0x3c0000000\n", "0x3c0ffffff\n", "Reserved\n");
	assert_list(s, want, ARRAY_SIZE(want));
	assert_null(s->log);
}

/* Words over the same memory are one piece of it; what one of them adds is more of that piece. */
static void test_words_overlap(void **state)
{
	static const char line[] = "memmap=512M$4G memmap=768M$4352M memmap=512M$4G "
				   "memmap=128M$4G,64M$4608M memmap=512M$8G\n";
	static const char words[] = "memmap=512M$4G memmap=768M$4352M memmap=128M$4G,64M$4608M";
	const struct want want[] = {
		{ PKRAM_MEMORY_DEVMEM, PKRAM_MODE_NONE, 4 * GIB, GIB, words, "'!'" },
		{ PKRAM_MEMORY_DEVMEM, PKRAM_MODE_NONE, 8 * GIB, 256 * MIB, "memmap=512M$8G",
		  "'!'" },
		{ PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, 8 * GIB + 256 * MIB, 256 * MIB, "",
		  "nd_e820" },
	};
	const struct want hidden[] = {
		{ PKRAM_MEMORY_DEVMEM, PKRAM_MODE_NONE, 4 * GIB, GIB, words, "'!'" },
		{ PKRAM_MEMORY_DEVMEM, PKRAM_MODE_NONE, 8 * GIB, 512 * MIB, "memmap=512M$8G",
		  "'!'" },
	};
	struct sysroot *s = *state;

	firmware(s, 0, "0x0\n", "0x3bfffffff\n", "System RAM\n");
	/* Something else took half of the last one. */
	machine(s, line, "100000000-13fffffff : Reserved\n"
			 "200000000-20fffffff : Reserved\n"
			 "210000000-21fffffff : Persistent Memory (legacy)\n");
	assert_list(s, want, ARRAY_SIZE(want));
	machine(s, line, "00000000-00000000 : Reserved\n");
	assert_list(s, hidden, ARRAY_SIZE(hidden));
}

/* Without privilege the words are what there is to go by. */
static void test_hidden(void **state)
{
	struct sysroot *s = *state;
	const struct want want[] = {
		{ PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, GIB, 256 * MIB, "memmap=256M!1G",
		  "nd_e820" },
		{ PKRAM_MEMORY_SOFT_RESERVED, PKRAM_MODE_NONE, 4 * GIB, GIB,
		  "memmap=1G%4G-1+0xefffffff", "dax_hmem" },
	};
	_cleanup_free_ char *from = NULL;
	struct pkram_memory_list *list;
	const struct pkram_memory *m;

	machine(s, "memmap=256M!1G memmap=1G%4G-1+0xefffffff\n",
		"00000000-00000000 : Persistent Memory (legacy)\n"
		"00000000-00000000 : Soft Reserved\n");
	assert_list(s, want, ARRAY_SIZE(want));
	assert_true(sysroot_logged(s, "root alone"));

	/* A device shows its size to everybody, and that tells the word. */
	machine(s, "memmap=256M!1G memmap=512M!2G\n",
		"00000000-00000000 : Persistent Memory (legacy)\n");
	sysroot_text(s, BUS "provider", "e820\n");
	sysroot_text(s, BUS "region0/size", "536870912\n");
	sysroot_text(s, BUS "region0/namespace0.0/block/pmem0/size", "1048576\n");
	sysroot_text(s, BUS "region0/namespace0.0/block/pmem0/uevent", "DEVNAME=pmem0\n");
	sysroot_text(s, "/sys/class/block/x", "");
	from = sysroot_path(s, "/sys/class/block/pmem0");
	assert_int_equal(symlink("../../devices/platform/e820_pmem/ndbus0/region0/namespace0.0/"
				 "block/pmem0", from), 0);
	assert_int_equal(pkram_memory_list_new(s->ctx, NULL, &list), 0);
	assert_int_equal(pkram_memory_list_count(list), 1);
	m = pkram_memory_list_get(list, 0);
	assert_string_equal(m->device, "/dev/pmem0");
	assert_string_equal(m->spec, "pmem:/dev/pmem0");
	assert_string_equal(m->reserved_by, "memmap=512M!2G");
	assert_int_equal(m->phys, 0);
	assert_int_equal(m->size, 512 * MIB);
	pkram_memory_list_free(list);
}

/* The driver is there and made no device of the memory. */
static void test_no_device(void **state)
{
	struct sysroot *s = *state;
	struct want want = { PKRAM_MEMORY_LEGACY_PMEM, PKRAM_MODE_NONE, GIB, 256 * MIB,
			     "memmap=256M!1G", "ndctl enable-namespace namespace0.0" };

	machine(s, "memmap=256M!1G\n", "40000000-4fffffff : Persistent Memory (legacy)\n");
	sysroot_text(s, "/sys/bus/nd/devices/region0/resource", "0x40000000\n");
	sysroot_text(s, "/sys/bus/nd/devices/namespace0.0/size", "268435456\n");
	assert_list(s, &want, 1);
	sysroot_text(s, "/sys/bus/nd/devices/namespace0.0/holder", "btt0.0\n");
	want.mode = PKRAM_MODE_SECTOR;
	want.hint = "ndctl create-namespace -f -e namespace0.0";
	assert_list(s, &want, 1);
	sysroot_text(s, "/sys/bus/nd/devices/namespace0.0/size", "0\n");
	want.mode = PKRAM_MODE_NONE;
	want.hint = "ndctl create-namespace -r region0";
	assert_list(s, &want, 1);
}

static void test_damaged(void **state)
{
	struct sysroot *s = *state;
	struct pkram_memory_list *list = NULL;

	machine(s, "quiet\n", "no map\n");
	assert_int_equal(pkram_memory_list_new(s->ctx, NULL, &list), -EUCLEAN);
	assert_true(sysroot_logged(s, "not understood"));
	sysroot_remove(s, "/proc/iomem");
	assert_int_equal(pkram_memory_list_new(s->ctx, NULL, &list), -ENOENT);
	assert_null(list);
	assert_null(pkram_memory_list_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_firmware, setup_list, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_words, setup_list, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_words_overlap, setup_list,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_hidden, setup_list, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_no_device, setup_list, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup_list, sysroot_teardown),
	};

	return cmocka_run_group_tests_name("memory-list", tests, NULL, NULL);
}
