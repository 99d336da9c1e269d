/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The account of a jump: which clock ties two kernels together, what a container may say, and more
 * restored nodes than it tells of.
 */
#include "jump.h"
#include "op.h"
#include "sysroot.h"

#include <endian.h>

#define S UINT64_C(1000000000)
#define CLOCKSOURCES "/sys/devices/system/clocksource/clocksource0/available_clocksource"
#define KHZ 2000000

static const uint8_t jump_id[16] = { 1, 2, 3 }, old_boot[16] = { 9 };

/* --- clocks --- */

/* Armed 100 s after the old kernel's start; the new one started 3 s later and claimed after 5 s. */
static struct store_info landed(void)
{
	struct store_info i = {
		.arrival = { .state = htole32(PKRAM_JUMP_CLAIMED),
			     .staged_at = htole64(1999 * S), .armed_at = htole64(2000 * S),
			     .claimed_at = htole64(2009 * S) },
		.account.last = { .staged = htole64(99 * S), .armed = htole64(100 * S),
				  .claimed = htole64(5 * S), .tsc_khz = htole64(KHZ),
				  .armed_tsc = htole64(UINT64_C(1000000)),
				  .claimed_tsc = htole64(1000000 + 8 * S / 1000000 * KHZ) },
	};

	memcpy(i.arrival.id, jump_id, 16);
	memcpy(i.account.last.id, jump_id, 16);
	return i;
}

static void expect_wall(const struct store_info *i, uint64_t gap)
{
	struct jump_timeline l = jump_timeline(i);

	assert_int_equal(l.clock, PKRAM_CLOCK_WALL);
	assert_int_equal(l.gap, gap);
	assert_int_equal(l.uncertainty, S);
	assert_int_equal(l.tsc_khz, 0);
}

static void test_tsc(void **state)
{
	struct store_info i = landed();
	struct jump_timeline l = jump_timeline(&i);

	(void)state;
	assert_true(l.known);
	assert_int_equal(l.clock, PKRAM_CLOCK_TSC);
	assert_int_equal(l.gap, 8 * S);
	assert_int_equal(l.tsc_khz, KHZ);
	assert_in_range(l.uncertainty, 1, S / 1000);
	assert_int_equal(l.staged, 99 * S);
	assert_int_equal(l.armed, 100 * S);
	assert_int_equal(l.claimed, 5 * S);

	/* Within its error, the kernel starts with the jump. */
	i.account.last.claimed = htole64(8 * S + S / 1000);
	l = jump_timeline(&i);
	assert_int_equal(l.clock, PKRAM_CLOCK_TSC);
	assert_int_equal(l.gap, 8 * S + S / 1000);
}

static void test_wall(void **state)
{
	struct store_info i = landed();

	(void)state;
	i.account.last.armed_tsc = 0;
	expect_wall(&i, 9 * S);
	i = landed();
	i.account.last.claimed_tsc = 0;
	expect_wall(&i, 9 * S);
	/* A counter that began anew: behind, or too young for the kernel. */
	i.account.last.claimed_tsc = htole64(500000);
	expect_wall(&i, 9 * S);
	i.account.last.claimed_tsc = htole64(1000000 + 4 * S / 1000000 * KHZ);
	expect_wall(&i, 9 * S);
	for (int bit = 0; bit < 10; bit++) {
		i = landed();
		i.account.last.tsc_khz = htole64(bit);
		expect_wall(&i, 9 * S);
	}
	i.account.last.tsc_khz = htole64(UINT64_MAX);
	expect_wall(&i, 9 * S);
	/* The kernel did not start before the jump, whatever the clocks say. */
	i.arrival.claimed_at = htole64(2001 * S);
	expect_wall(&i, 5 * S);
	i.arrival.claimed_at = htole64(1 * S);
	expect_wall(&i, 5 * S);
	i.arrival.claimed_at = htole64(UINT64_C(1) << 63);
	expect_wall(&i, 5 * S);
}

static void test_void(void **state)
{
	struct store_info i = landed();

	(void)state;
	i.account.last.id[15] = 1;
	assert_false(jump_timeline(&i).known);
	expect_wall(&i, 9 * S);
	i = landed();
	i.account.last.armed = 0;
	assert_false(jump_timeline(&i).known);
	i = landed();
	i.account.last.claimed = htole64(UINT64_MAX);
	assert_false(jump_timeline(&i).known);
	expect_wall(&i, 9 * S);
	i = landed();
	i.arrival.state = htole32(PKRAM_JUMP_ARMED);
	assert_false(jump_timeline(&i).known);
}

/* An hour is too long for a jump, and so is anything above it. */
static void test_late(void **state)
{
	const struct store_info i = landed();
	struct store_jump j = { .record = i.arrival, .times = i.account.last };
	const uint64_t hour = UINT64_C(3600) * 1000 * KHZ;

	(void)state;
	assert_false(jump_is_late(&j));
	j.times.claimed_tsc = htole64(1000000 + hour);
	assert_false(jump_is_late(&j));
	j.times.claimed_tsc = htole64(1000000 + hour + 6 * S / 1000000 * KHZ);
	assert_true(jump_is_late(&j));
	j.times.claimed_tsc = htole64(1000000 + 1000 * hour);
	assert_true(jump_is_late(&j));
	/* After a month, clocks may be apart by more than an hour. */
	j.times.claimed = htole64(720 * 3600 * S);
	j.times.claimed_tsc = htole64(1000000 + 724 * hour);
	assert_false(jump_is_late(&j));
	j.times.claimed_tsc = htole64(1000000 + 730 * hour);
	assert_true(jump_is_late(&j));
	/* Nobody knows when the counter began, or of which jump this tells. */
	j.times.tsc_khz = 0;
	assert_false(jump_is_late(&j));
	j.times.tsc_khz = htole64(KHZ);
	j.times.id[0] ^= 1;
	assert_false(jump_is_late(&j));
}

/* Whether this machine's CPU has it or not: without the kernel's word it does not count. */
static void test_stamp(void **state)
{
	struct sysroot *s = *state;
	struct machine_stamp a, b;
	uint64_t khz;

	assert_int_equal(machine_stamp(s->ctx).tsc, 0);
	sysroot_text(s, CLOCKSOURCES, "kvm-clock acpi_pm tscish \n");
	assert_int_equal(machine_stamp(s->ctx).tsc, 0);
	assert_int_equal(machine_tsc_khz(s->ctx), 0);
	sysroot_text(s, CLOCKSOURCES, "kvm-clock tsc acpi_pm \n");
	a = machine_stamp(s->ctx);
	khz = machine_tsc_khz(s->ctx);
	b = machine_stamp(s->ctx);
	assert_true(b.uptime >= a.uptime + 10000000);
	assert_int_equal(!a.tsc, !khz);
	if (!khz)
		return;
	assert_in_range(khz, 1000, 100000000);
	assert_true(b.tsc > a.tsc);
	sysroot_text(s, CLOCKSOURCES, "tsc-early hpet\n");
	assert_true(machine_stamp(s->ctx).tsc > b.tsc);
}

/* --- containers --- */

struct container {
	struct sysroot *sysroot;
	struct pkram_region region;
};

static void put_node(struct container *c, const char *name, size_t size)
{
	_cleanup_free_ void *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_props props = { .began = machine_uptime() };
	struct store_writer *w;
	struct store_need need = { .size = size };
	void *p;

	assert_int_equal(store_writer_open(c->region.store, name, PKRAM_NODE_KIND_STREAM, &w), 0);
	need.writer = w;
	assert_int_equal(store_reserve(c->region.store, &need, 1, NULL, NULL), 0);
	p = store_writer_window(w, 0, size, bounce);
	memset(p, 7, size);
	assert_int_equal(store_writer_put(w, 0, size, p), 0);
	assert_int_equal(store_writer_set_props(w, &props), 0);
	assert_int_equal(store_commit(c->region.store, &w, 1), 0);
}

static void boot(struct container *c, unsigned int n)
{
	char text[40];

	snprintf(text, sizeof(text), "%08x-0000-0000-0000-000000000000\n", n << 24);
	sysroot_text(c->sysroot, "/proc/sys/kernel/random/boot_id", text);
	assert_int_equal(machine_boot_id(c->sysroot->ctx, c->region.boot_id), 0);
}

static int setup(void **state)
{
	struct container *c = calloc(1, sizeof(*c));
	struct region *bytes;
	char path[96];

	assert_int_equal(sysroot_setup((void **)&c->sysroot), 0);
	c->region.ctx = c->sysroot->ctx;
	boot(c, old_boot[0]);
	snprintf(path, sizeof(path), "%s/region", c->sysroot->dir);
	assert_int_equal(region_file_create(c->region.ctx, path, 16 * MIB), 0);
	assert_int_equal(region_open(c->region.ctx, path, false, &bytes), 0);
	assert_int_equal(store_format(bytes), 0);
	assert_int_equal(store_open(bytes, &c->region.store), 0);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct container *c = *state;

	store_close(c->region.store);
	sysroot_teardown((void **)&c->sysroot);
	free(c);
	return 0;
}

static int edit(void *arg, struct store_jump *j)
{
	struct store_info i = landed();

	memcpy(i.arrival.old_boot, old_boot, 16);
	memcpy(i.arrival.claim_boot, arg, 16);
	*j = (struct store_jump){ .record = i.arrival, .times = i.account.last };
	j->times.claimed = htole64(machine_uptime());
	j->times.claimed_tsc = htole64(1000000 + (machine_uptime() + 3 * S) / 1000000 * KHZ);
	return 0;
}

static void mark(struct container *c, const char *name, uint64_t end, uint64_t took)
{
	struct store_restored r = { .end = end, .took = took };
	struct store_reader *reader;

	assert_int_equal(store_reader_open(c->region.store, name, &reader), 0);
	r.reader = reader;
	assert_int_equal(store_mark_restored(c->region.store, &r, 1, c->region.boot_id), 0);
	store_reader_close(reader);
}

static void test_many(void **state)
{
	struct container *c = *state;
	const struct pkram_report_info *i;
	struct pkram_report *r;
	const struct pkram_phase *p;
	uint64_t up, restores = 0, others = 0;
	char name[8];

	for (int n = 0; n < 100; n++) {
		snprintf(name, sizeof(name), "n%02d", n);
		put_node(c, name, 4096);
	}
	boot(c, 2);
	assert_int_equal(pkram_report_new(&c->region, &r), -ENODATA);
	assert_true(sysroot_logged(c->sysroot, "no jump has arrived here"));
	put_node(c, "here", 4096);
	assert_int_equal(store_arrive(c->region.store, edit, c->region.boot_id), 0);
	up = machine_uptime();
	for (int n = 0; n < 100; n++) {
		snprintf(name, sizeof(name), "n%02d", n);
		/* Two at a time: the second ends with the first. */
		mark(c, name, up + (uint64_t)(n / 2 + 1) * 10, 10);
		mark(c, name, up + 5 * S, 10);
	}
	mark(c, "here", up + 10, 10);

	assert_int_equal(pkram_report_new(&c->region, &r), 0);
	i = pkram_report_get_info(r);
	assert_int_equal(i->jump, PKRAM_JUMP_STATUS_ARRIVED);
	assert_int_equal(i->next, PKRAM_JUMP_STATUS_NONE);
	assert_int_equal(i->clock, PKRAM_CLOCK_TSC);
	assert_in_range(i->down, 3 * S - 2000000, 3 * S + 2000000);
	assert_int_equal(i->nodes, 100);
	assert_int_equal(i->restored, 100);
	assert_int_equal(i->untold, 100 - PKRAM_RESTORED_MAX);
	/* 48 pairs of 10 ns, and what the four others took. */
	assert_int_equal(i->restore, 48 * 10 + 40);
	assert_int_equal(i->downtime, i->down + i->boot + i->wait + i->restore);
	for (size_t n = 0; (p = pkram_report_get(r, n)); n++) {
		assert_true(!n || p->start >= pkram_report_get(r, n - 1)->start);
		restores += p->kind == PKRAM_PHASE_RESTORE;
		others += p->kind != PKRAM_PHASE_RESTORE && p->kind != PKRAM_PHASE_WAIT;
		if (p->kind == PKRAM_PHASE_SAVE)
			assert_true(p->start <= 0 && p->bytes == 4096 && p->moved == 4096);
	}
	assert_int_equal(restores, PKRAM_RESTORED_MAX);
	assert_int_equal(others, 100 + 3);
	assert_null(pkram_report_free(r));
	assert_null(pkram_report_free(NULL));

	/* What is removed has come and was restored all the same. */
	for (int n = 0; n < 99; n++) {
		const char *const names[] = { name };

		snprintf(name, sizeof(name), "n%02d", n);
		assert_int_equal(store_remove(c->region.store, names, 1, false), 0);
	}
	assert_int_equal(pkram_report_new(&c->region, &r), 0);
	i = pkram_report_get_info(r);
	assert_int_equal(i->nodes, 100);
	assert_int_equal(i->gone, 99);
	assert_int_equal(i->restored, 100);
	pkram_report_free(r);
}

static int spoil(void *arg, struct store_jump *j)
{
	edit(arg, j);
	j->times.claimed = htole64(5 * S);
	return 0;
}

/* Whatever stands there, under a sound seal. */
static void test_lies(void **state)
{
	static const uint64_t values[] = { 0, 1, S, 1 << 30, UINT64_C(1) << 59, INT64_MAX,
					   UINT64_C(1) << 63, UINT64_MAX };
	struct container *c = *state;
	struct pkram_report *r;

	put_node(c, "a", 4096);
	put_node(c, "b", 4096);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			const struct pkram_report_info *info;

			boot(c, 10 + (unsigned int)(i * ARRAY_SIZE(values) + j));
			assert_int_equal(store_arrive(c->region.store, spoil, c->region.boot_id),
					 0);
			mark(c, "a", values[i], values[j]);
			mark(c, "b", values[j], values[i]);
			assert_int_equal(pkram_report_new(&c->region, &r), 0);
			info = pkram_report_get_info(r);
			assert_int_equal(info->restored, 2);
			assert_int_equal(info->downtime, info->down + info->boot + info->wait +
								 info->restore);
			assert_true(info->downtime < UINT64_C(1) << 62);
			pkram_report_free(r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_void),
		cmocka_unit_test(test_late),
		cmocka_unit_test_setup_teardown(test_stamp, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
