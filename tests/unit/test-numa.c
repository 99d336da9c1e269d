/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory nodes: what is known of them, which CPUs follow from it for each thread, and that the
 * caller has its own ones again afterwards.
 */
#include "sysroot.h"
#include "work-place.h"
#include "work.h"

#include <sched.h>

static struct work_cpus cpus_of(const char *list)
{
	struct work_cpus set = { 0 };

	for (; *list; list++)
		CPU_SET_S((size_t)(*list - '0'), sizeof(set), set.bits);
	return set;
}

static bool same(const struct work_cpus *a, const struct work_cpus *b)
{
	return CPU_EQUAL_S(sizeof(*a), a->bits, b->bits);
}

/* --- what the machine tells --- */

static void test_recorded(void **state)
{
	static const struct {
		const char *path, *cpus;
		int node;
	} want[] = { { "/dev/dax1.0", "23", 1 }, { "/dev/pmem0", "01", 0 } };
	struct machine_device *devices;
	struct pkram_ctx *ctx;
	size_t n;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(pkram_set_sysroot(ctx, TEST_SYSROOT "/two-nodes"), 0);
	assert_int_equal(machine_devices(ctx, &devices, &n), 0);
	assert_int_equal(n, ARRAY_SIZE(want));
	for (size_t i = 0; i < n; i++) {
		struct work_cpus got, cpus = cpus_of(want[i].cpus);

		assert_string_equal(devices[i].path, want[i].path);
		assert_int_equal(devices[i].node, want[i].node);
		assert_int_equal(machine_node_cpus(ctx, devices[i].node, &got), 0);
		assert_true(same(&got, &cpus));
	}
	free(devices);

	assert_int_equal(pkram_set_sysroot(ctx, TEST_SYSROOT "/pmem-raw"), 0);
	assert_int_equal(machine_devices(ctx, &devices, &n), 0);
	assert_int_equal(devices[0].node, -1);
	free(devices);
	pkram_unref(ctx);
}

static int ask_node(struct sysroot *s, const char *has_cpu, const char *cpulist,
		    struct work_cpus *ret)
{
	sysroot_text(s, "/sys/devices/system/node/has_cpu", has_cpu);
	sysroot_text(s, "/sys/devices/system/node/node1/cpulist", cpulist);
	return machine_node_cpus(s->ctx, 1, ret);
}

static void test_lists(void **state)
{
	static const char *const bad[] = { "x\n", "1-\n", "-1\n", "3-1\n", "1,,2\n", "1 2\n",
					   "8192\n", "0-99999999999\n" };
	struct work_cpus got, want = cpus_of("0235");
	struct sysroot *s = *state;

	assert_int_equal(machine_node_cpus(s->ctx, 1, &got), -ENOENT);
	assert_int_equal(ask_node(s, "0-1\n", "0,2-3,5\n", &got), 0);
	assert_true(same(&got, &want));
	assert_int_equal(ask_node(s, "1,63\n", "0-8191\n", &got), 0);
	assert_int_equal(CPU_COUNT_S(sizeof(got), got.bits), 8192);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ask_node(s, "0-1\n", bad[i], &got), -EINVAL);
	assert_int_equal(CPU_COUNT_S(sizeof(got), got.bits), 8192);

	/* One node; a node without CPUs; no node. */
	assert_int_equal(ask_node(s, "1\n", "0-3\n", &got), -ENODATA);
	assert_int_equal(ask_node(s, "0,2\n", "\n", &got), -ENODATA);
	assert_int_equal(machine_node_cpus(s->ctx, -1, &got), -ENODATA);
	assert_int_equal(machine_node_cpus(s->ctx, 1 << 20, &got), -ENODATA);
}

static void assert_area(const struct machine_area *a, uint64_t start, uint64_t end, int node)
{
	assert_int_equal(a->start, start);
	assert_int_equal(a->end, end);
	assert_int_equal(a->node, node);
}

static void test_memory(void **state)
{
	struct sysroot *s = *state;
	struct machine_area *a = NULL;
	size_t n = 77;

	/* No nodes; one; blocks that nobody tells the size of. */
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), 0);
	assert_int_equal(n, 0);
	sysroot_text(s, "/sys/devices/system/node/has_memory", "1\n");
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), 0);
	assert_int_equal(n, 1);
	assert_area(&a[0], 0, UINT64_MAX, 1);
	free(a);
	sysroot_text(s, "/sys/devices/system/node/has_memory", "0,2\n");
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), 0);
	assert_int_equal(n, 0);

	/* Block 9 is shared. */
	sysroot_text(s, "/sys/devices/system/memory/block_size_bytes", "8000000\n");
	sysroot_text(s, "/sys/devices/system/node/node0/memory0", "");
	sysroot_text(s, "/sys/devices/system/node/node0/memory1", "");
	sysroot_text(s, "/sys/devices/system/node/node0/memory10", "");
	sysroot_text(s, "/sys/devices/system/node/node0/memory9", "");
	sysroot_text(s, "/sys/devices/system/node/node0/memory_side_cache", "");
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), -ENOENT);
	sysroot_text(s, "/sys/devices/system/node/node2/memory9", "");
	sysroot_text(s, "/sys/devices/system/node/node2/memory11", "");
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), 0);
	assert_int_equal(n, 3);
	assert_area(&a[0], 0, 256 * MIB, 0);
	assert_area(&a[1], 1280 * MIB, 1408 * MIB, 0);
	assert_area(&a[2], 1408 * MIB, 1536 * MIB, 2);
	free(a);
	sysroot_text(s, "/sys/devices/system/memory/block_size_bytes", "much\n");
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), -EINVAL);

	assert_int_equal(pkram_set_sysroot(s->ctx, TEST_SYSROOT "/server-1t-two-nodes"), 0);
	assert_int_equal(machine_node_memory(s->ctx, &a, &n), 0);
	assert_int_equal(n, 3);
	assert_area(&a[0], 0, 2 * GIB, 0);
	assert_area(&a[1], 4 * GIB, 514 * GIB, 0);
	assert_area(&a[2], 514 * GIB, 1026 * GIB, 1);
	free(a);
}

/* --- what follows from it --- */

/* Every CPU has one owner, and every worker a CPU: worker 0 the one that it is on. */
static void check_shares(const struct work_place *p, const struct work_cpus *all)
{
	struct work_cpus sum = { 0 }, share, both;

	for (unsigned int i = 0; i < p->dealt; i++) {
		work_place_deal(p, i, &share);
		assert_true(CPU_COUNT_S(sizeof(share), share.bits) > 0);
		CPU_AND_S(sizeof(both), both.bits, sum.bits, share.bits);
		assert_int_equal(CPU_COUNT_S(sizeof(both), both.bits), 0);
		CPU_OR_S(sizeof(sum), sum.bits, sum.bits, share.bits);
		if (i == 0 && CPU_ISSET_S(p->first, sizeof(*all), all->bits))
			assert_true(CPU_ISSET_S(p->first, sizeof(share), share.bits));
	}
	assert_true(!p->dealt || same(&sum, all));
}

static void test_choose(void **state)
{
	static const struct {
		const char *own, *node, *near;
		unsigned int threads, bound, dealt;
	} cases[] = {
		{ "0123", "23", "23", 1, 1, 1 },
		{ "0123", "23", "23", 2, 2, 2 },
		{ "0123", "23", "23", 3, 2, 2 }, /* the third where there is room */
		{ "0123", "23", "23", 4, 0, 4 }, /* all of them have work */
		{ "0123", "23", "23", 9, 0, 0 },
		{ "012", "23", "2", 2, 1, 1 },	/* never a CPU that the caller has not */
		{ "01", "23", "", 1, 0, 0 },	/* the caller wants the other node */
		{ "01", "23", "", 2, 0, 2 },
		{ "23", "23", "23", 1, 0, 0 },	/* it is on this one anyway */
		{ "3", "0123", "3", 1, 0, 0 },
		{ "0123", "", "", 3, 0, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct work_cpus own = cpus_of(cases[i].own), node = cpus_of(cases[i].node),
				 near = cpus_of(cases[i].near);
		struct work_place p;

		work_place_choose(&p, &own, &node, cases[i].threads);
		assert_int_equal(p.bound, cases[i].bound);
		assert_int_equal(p.dealt, cases[i].dealt);
		for (p.first = 0; p.first < 5; p.first++)
			check_shares(&p, p.bound ? &near : &own);
		assert_true(same(&p.own, &own));
		assert_true(same(&p.near, &near));
	}
}

static struct work_cpus mine(void)
{
	struct work_cpus own = { 0 };

	assert_int_equal(sched_getaffinity(0, sizeof(own), own.bits), 0);
	return own;
}

static struct work_cpus last_of(const struct work_cpus *set)
{
	struct work_cpus one = { 0 };
	size_t i = 8 * sizeof(*set) - 1;

	while (!CPU_ISSET_S(i, sizeof(*set), set->bits))
		i--;
	CPU_SET_S(i, sizeof(one), one.bits);
	return one;
}

static int runs_on(void *arg, unsigned int worker, uint64_t index)
{
	const struct work_cpus *want = arg;
	struct work_cpus got = mine();

	(void)worker;
	(void)index;
	return same(&got, want) ? 0 : -EXDEV;
}

/* Every thread waits for all: each of them does one piece. */
struct meeting {
	pthread_barrier_t all;
	pthread_mutex_t lock;
	struct work_cpus taken;
};

static int takes_one(void *arg, unsigned int worker, uint64_t index)
{
	struct meeting *m = arg;
	struct work_cpus got = mine(), both;
	int r;

	(void)worker;
	(void)index;
	pthread_mutex_lock(&m->lock);
	CPU_AND_S(sizeof(both), both.bits, got.bits, m->taken.bits);
	r = CPU_COUNT_S(sizeof(got), got.bits) == 1 &&
	    CPU_COUNT_S(sizeof(both), both.bits) == 0 ? 0 : -EXDEV;
	CPU_OR_S(sizeof(both), m->taken.bits, m->taken.bits, got.bits);
	pthread_mutex_unlock(&m->lock);
	pthread_barrier_wait(&m->all);
	return r;
}

static void have_cpus_of_their_own(struct pkram_ctx *ctx, unsigned int threads)
{
	struct meeting m = { .lock = PTHREAD_MUTEX_INITIALIZER };

	assert_int_equal(pthread_barrier_init(&m.all, NULL, threads), 0);
	assert_int_equal(work_run(ctx, threads, NULL, threads, takes_one, &m), 0);
	pthread_barrier_destroy(&m.all);
}

static void test_caller(void **state)
{
	struct work_cpus own = mine(), near = last_of(&own), rest, now;
	unsigned int all = (unsigned int)CPU_COUNT_S(sizeof(own), own.bits);
	struct pkram_ctx *ctx;

	(void)state;
	if (all < 2) {
		print_message("SKIP: one CPU\n");
		skip();
	}
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(work_run(ctx, 1, &near, 3, runs_on, &near), 0);
	now = mine();
	assert_true(same(&now, &own));
	assert_int_equal(work_run(ctx, 1, NULL, 3, runs_on, &own), 0);
	assert_int_equal(work_run(ctx, all + 1, &near, 3, runs_on, &own), 0);
	have_cpus_of_their_own(ctx, all);
	now = mine();
	assert_true(same(&now, &own));

	CPU_XOR_S(sizeof(rest), rest.bits, own.bits, near.bits);
	assert_int_equal(sched_setaffinity(0, sizeof(rest), rest.bits), 0);
	assert_int_equal(work_run(ctx, 1, &near, 3, runs_on, &rest), 0);
	now = mine();
	assert_true(same(&now, &rest));
	assert_int_equal(sched_setaffinity(0, sizeof(own), own.bits), 0);
	pkram_unref(ctx);
}

/* Workers beside the caller: those for which the node has a CPU, on a machine with enough of them.
 */
struct seen {
	struct work_cpus near;
	pthread_barrier_t all;
	_Atomic unsigned int on_near;
};

static int meet(void *arg, unsigned int worker, uint64_t index)
{
	struct seen *s = arg;
	struct work_cpus got = mine(), both;

	(void)worker;
	(void)index;
	CPU_AND_S(sizeof(got), both.bits, got.bits, s->near.bits);
	if (same(&got, &both))
		atomic_fetch_add(&s->on_near, 1);
	pthread_barrier_wait(&s->all);
	return 0;
}

static void test_pool(void **state)
{
	struct work_cpus own = mine(), last;
	struct seen s = { .near = own };
	struct work_pool *pool;
	struct pkram_ctx *ctx;

	(void)state;
	if (CPU_COUNT_S(sizeof(own), own.bits) < 4) {
		print_message("SKIP: fewer than 4 CPUs\n");
		skip();
	}
	while (CPU_COUNT_S(sizeof(own), s.near.bits) > 2) {
		last = last_of(&s.near);
		CPU_XOR_S(sizeof(own), s.near.bits, s.near.bits, last.bits);
	}
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(work_pool_new(ctx, 3, &s.near, &pool), 0);
	assert_int_equal(pthread_barrier_init(&s.all, NULL, 3), 0);
	for (unsigned int round = 1; round <= 2; round++) {
		assert_int_equal(work_pool_run(pool, 3, meet, &s), 0);
		assert_int_equal(s.on_near, 2 * round);
	}
	pthread_barrier_destroy(&s.all);
	work_pool_free(pool);
	pkram_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test_setup_teardown(test_lists, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_memory, sysroot_setup, sysroot_teardown),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_caller),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
