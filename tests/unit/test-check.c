/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks before a jump, one by one: what each finds, and that staging refuses what fails.
 */
#include "stage-fixture.h"

static struct pkram_check_list *look(struct pkram_region *region,
				     const struct pkram_stage_options *o)
{
	struct pkram_check_list *list;

	assert_int_equal(pkram_check(region, o, &list), 0);
	return list;
}

static const struct pkram_check *row_of(const struct pkram_check_list *list, const char *name)
{
	const struct pkram_check *check;

	for (size_t i = 0; (check = pkram_check_list_get(list, i)); i++)
		if (strcmp(check->name, name) == 0)
			return check;
	fail_msg("no check %s", name);
	return NULL;
}

/* The check has that result, and, unless `reason` is NULL, a finding of it that says so. */
static void expect(const struct pkram_check_list *list, const char *name,
		   enum pkram_check_result result, const char *reason, const char *remedy)
{
	const struct pkram_check *check = row_of(list, name);
	bool found = !reason;

	for (size_t i = 0; i < check->n_findings; i++)
		found |= check->findings[i].result == result && reason &&
			 strstr(check->findings[i].reason, reason) &&
			 (!remedy || strstr(check->findings[i].remedy, remedy));
	if (check->result == result && found)
		return;
	for (size_t i = 0; i < check->n_findings; i++)
		print_message("%s: %d: %s -> %s\n", name, check->findings[i].result,
			      check->findings[i].reason, check->findings[i].remedy);
	fail_msg("%s: %d, not %d, '%s'", name, check->result, result, reason ? reason : "");
}

/* The same of a list made for it. */
static void finds(struct pkram_region *region, const struct pkram_stage_options *o,
		  const char *name, enum pkram_check_result result, const char *reason,
		  const char *remedy)
{
	struct pkram_check_list *list = look(region, o);

	expect(list, name, result, reason, remedy);
	assert_int_equal(pkram_check_list_safe(list), result != PKRAM_CHECK_FAILS);
	pkram_check_list_free(list);
}

static void test_list(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o), .command_line = "ro" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct pkram_check_list *list;

	list = look(region, NULL);
	assert_true(pkram_check_list_safe(list));
	for (size_t i = 0; i < pkram_check_list_count(list); i++)
		assert_true(pkram_check_list_get(list, i)->result != PKRAM_CHECK_SKIPPED);
	assert_null(pkram_check_list_get(list, pkram_check_list_count(list)));
	expect(list, "region", PKRAM_CHECK_OK, "pmem:/dev/pmem0: 1024 MiB at 0x100000000", "");
	expect(list, "kernel", PKRAM_CHECK_OK, "6.12.0: /boot/vmlinuz-6.12.0, initrd /boot/", "");
	pkram_check_list_free(list);
	/* The list says it, and nothing else does; and nothing is loaded. */
	assert_null(s->log);
	finds(region, &o, "reservation", PKRAM_CHECK_FAILS, "no word on the next command line",
	      NULL);
	assert_null(s->log);
	sysroot_called(s, "");
	assert_int_equal(jump_of(region).state, 0);
	pkram_check_list_free(NULL);
	pkram_region_close(region);
}

/* What another check did not find is not looked at; all else is. */
static void test_skipped(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region;
	struct pkram_check_list *list;

	assert_int_equal(pkram_region_open(s->ctx, region_file, 0, &region), 0);
	list = look(region, NULL);
	expect(list, "region", PKRAM_CHECK_FAILS, "a file does not survive the jump",
	       "save into reserved memory");
	expect(list, "reservation", PKRAM_CHECK_SKIPPED, "region comes first", NULL);
	expect(list, "kernel", PKRAM_CHECK_OK, NULL, NULL);
	assert_false(pkram_check_list_safe(list));
	pkram_check_list_free(list);
	pkram_region_close(region);
}

static void test_nodes(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	const char *const names[] = { "nobody" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s), *other = open_region(s);
	struct store_writer *w;

	put_node(region, "stream", PKRAM_NODE_KIND_STREAM, NULL, 0);
	finds(region, NULL, "nodes", PKRAM_CHECK_OK, "1 saved in this boot, 0 by an earlier one",
	      NULL);
	o.leave_behind = names;
	o.n_leave_behind = 1;
	finds(region, &o, "nodes", PKRAM_CHECK_WARNING, "names 1 nodes that are not there", NULL);
	assert_int_equal(store_writer_open(other->store, "slow", PKRAM_NODE_KIND_STREAM, &w), 0);
	finds(region, NULL, "writers", PKRAM_CHECK_FAILS, "1 node is being written",
	      "wait for the saves to end");
	store_writer_discard(w);
	pkram_region_close(other);
	pkram_region_close(region);
}

#define CHECK_TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, sysroot_teardown_programs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHECK_TEST(test_list),
		CHECK_TEST(test_skipped),
		CHECK_TEST(test_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
