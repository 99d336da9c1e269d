/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a region may lie: chosen cases, and every proposal on random machines against a model that
 * knows memory as single units.
 */
#include "kexec.h"
#include "sysroot.h"

#define UNIT KEXEC_PLAN_ALIGN
#define PMEM_PAGES (16 * MIB)
#define DAX_PAGES (4 * MIB)

/* --- machines made up --- */

struct machine {
	struct machine_range firmware[32], iomem[64];
	struct machine_ranges maps[2];
	struct kexec_plan_machine m;
};

static void add_range(struct machine_ranges *m, uint64_t start, uint64_t end, unsigned int depth,
		      const char *name)
{
	m->v[m->n++] = (struct machine_range){ start, end - 1, depth, (char *)name };
}

static void add_firmware(struct machine *x, uint64_t start, uint64_t end, const char *name)
{
	add_range(&x->maps[0], start, end, 0, name);
}

static void add_iomem(struct machine *x, uint64_t start, uint64_t end, unsigned int depth,
		      const char *name)
{
	add_range(&x->maps[1], start, end, depth, name);
}

static void machine_begin(struct machine *x, const char *line)
{
	*x = (struct machine){ 0 };
	x->maps[0].v = x->firmware;
	x->maps[1].v = x->iomem;
	x->m = (struct kexec_plan_machine){ .firmware = &x->maps[0], .iomem = &x->maps[1],
					    .line = line, .boot_room = 256 * MIB };
}

/* 3 GiB below 4 GiB, and RAM from there to `top`. */
static void machine_pc(struct machine *x, uint64_t top, const char *line)
{
	static const char ram[] = "System RAM";

	machine_begin(x, line);
	add_firmware(x, 0, 0x9fc00, ram);
	add_firmware(x, 0x9fc00, 0xa0000, "Reserved");
	add_firmware(x, MIB, 3 * GIB - MIB, ram);
	add_firmware(x, 3 * GIB - MIB, 3 * GIB, "ACPI Tables");
	add_iomem(x, MIB, 3 * GIB - MIB, 0, ram);
	add_iomem(x, 3 * GIB - MIB, 3 * GIB, 0, "ACPI Tables");
	if (top > 4 * GIB) {
		add_firmware(x, 4 * GIB, top, ram);
		add_iomem(x, 4 * GIB, top, 0, ram);
	}
}

/* --- chosen cases --- */

static void test_places(void **state)
{
	static const struct {
		uint64_t top, size;
		char kind;
		const char *line;
		enum kexec_plan_limit limit;
		const char *word, *extends;
	} cases[] = {
		{ 16 * GIB, 2 * GIB, '!', "ro", 0, "memmap=2G!4G", NULL },
		{ 16 * GIB, 512 * MIB, '!', "ro -- single", 0, "memmap=512M!4G", NULL },
		{ 16 * GIB, 2 * GIB, '%', "ro", 0, "memmap=2G%4G-1+0xefffffff", NULL },
		/* Not lower than its size. */
		{ 20 * GIB, 6 * GIB, '%', "ro", 0, "memmap=6G%6G-1+0xefffffff", NULL },
		{ 16 * GIB, 9 * GIB, '%', "ro", KEXEC_PLAN_CONVERT, "memmap=8G%8G-1+0xefffffff",
		  NULL },
		/* What is there already. */
		{ 16 * GIB, 2 * GIB, '!', "memmap=1G!4G", 0, "memmap=2G!5G", NULL },
		{ 16 * GIB, 2 * GIB, '!', "memmap=1M$5G,16M@7G", 0, "memmap=2G!8G", NULL },
		{ 16 * GIB, 2 * GIB, '!', "crashkernel=256M@5G", 0, "memmap=2G!6G", NULL },
		{ 16 * GIB, 2 * GIB, '!', "ramoops.mem_address=0x150000000", 0, "memmap=2G!6G",
		  NULL },
		{ 16 * GIB, 2 * GIB, '!', "phram=a,4000M,1G", 0, "memmap=2G!5G", NULL },
		{ 16 * GIB, 1 * GIB, '!', "mem=4608M", 0, "memmap=1G!5G", NULL },
		{ 16 * GIB, 1 * GIB, '%', "mem=6G", 0, "memmap=1G%4G-1+0xefffffff", NULL },
		{ 16 * GIB, 3 * GIB, '%', "mem=6G", KEXEC_PLAN_TAKEN, "memmap=2G%4G-1+0xefffffff",
		  NULL },
		/* Where 1 GiB steps do not fit, smaller ones may. */
		{ 5 * GIB + 200 * MIB, GIB, '!', "memmap=128M!4G", 0, "memmap=1G!4224M", NULL },
		{ 5 * GIB + 100 * MIB, GIB, '!', "memmap=16M!4G", 0, "memmap=1G!4112M", NULL },
		/* Nothing above 4 GiB: between the boot loader's kernel and the top. */
		{ 0, GIB, '!', "ro", 0, "memmap=1G!1G", NULL },
		{ 0, 2 * GIB, '!', "ro", KEXEC_PLAN_BOOT, "memmap=1776M!1G", NULL },
		{ 5 * GIB, 1536 * MIB, '!', "ro", 0, "memmap=1536M!1G", NULL },
		/* Too large. */
		{ 16 * GIB, 20 * GIB, '!', "ro", KEXEC_PLAN_FIRMWARE, "memmap=12G!4G", NULL },
		{ 16 * GIB, 12 * GIB, '!', "memmap=1G!8G", KEXEC_PLAN_TAKEN, "memmap=7G!9G", NULL },
		/* Words and ranges: four are avoided. */
		{ 32 * GIB, GIB, '!', "memmap=1M$9G memmap=1M$10G memmap=1M$11G memmap=1M$12G", 0,
		  "memmap=1M$12G,1G!4G", "memmap=1M$12G" },
		{ 32 * GIB, GIB, '!', "memmap=1M$9G,1M$10G,1M$11G,1M$12G", 0,
		  "memmap=1M$9G,1M$10G,1M$11G,1M$12G,1G!4G", "memmap=1M$9G,1M$10G,1M$11G,1M$12G" },
		{ 32 * GIB, GIB, '!',
		  "a memmap=1M$9G,1M$10G memmap=\"1M$11G,1M$12G\" memmap=1G!13G b", 0,
		  "memmap=\"1M$11G,1M$12G,1G!4G\"", "memmap=\"1M$11G,1M$12G\"" },
		{ 32 * GIB, GIB, '!',
		  "nokaslr memmap=1M$9G memmap=1M$10G memmap=1M$11G memmap=1M$12G", 0,
		  "memmap=1M$12G,1G!4G", "memmap=1M$12G" },
		{ 32 * GIB, GIB, '!', "nokaslr memmap=1M$9G memmap=1M$10G memmap=1M$11G", 0,
		  "memmap=1G!4G", NULL },
		{ 32 * GIB, GIB, '!',
		  "memmap=1M$9G,1M$10G,1M$11G,1M$12G,1M$13G memmap=1M$14G memmap=1M$15G "
		  "memmap=1M$16G", 0, "memmap=1M$16G,1G!4G", "memmap=1M$16G" },
		{ 32 * GIB, GIB, '!',
		  "memmap=1M$9G memmap=1M$10G memmap=1M$11G memmap=1G%12G-1+0xefffffff", 0,
		  "memmap=1G%12G-1+0xefffffff,1G!4G", "memmap=1G%12G-1+0xefffffff" },
		/* Too many already: nothing is read behind the list that goes on. */
		{ 32 * GIB, GIB, '!',
		  "memmap=1M$9G memmap=1M$10G memmap=1M$11G memmap=1M$12G memmap=1M$13G", 0,
		  "memmap=1M$12G,1G!4G", "memmap=1M$12G" },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kexec_plan_wish wish = { .size = cases[i].size, .kind = cases[i].kind,
						.node = -1, .pages_per_gib = PMEM_PAGES };
		struct kexec_plan p = { 0 };
		struct machine x;
		int r;

		machine_pc(&x, cases[i].top, cases[i].line);
		r = kexec_plan(s->ctx, &x.m, &wish, &p);
		if (r < 0)
			fail_msg("%s: %d: %s", cases[i].line, r, s->log);
		if (!p.word || strcmp(p.word, cases[i].word) != 0 || p.limit != cases[i].limit)
			fail_msg("%zu: %s: %s (%d), not %s (%d)", i, cases[i].line, p.word,
				 p.limit, cases[i].word, cases[i].limit);
		assert_int_equal(!p.extends, !cases[i].extends);
		if (p.extends)
			assert_string_equal(p.extends, cases[i].extends);
		kexec_plan_done(&p);
	}
	assert_null(s->log);
}

static void test_line(void **state)
{
	struct kexec_plan_wish wish = { GIB, '!', -1, PMEM_PAGES };
	struct sysroot *s = *state;
	struct kexec_plan p;
	struct machine x;

	machine_pc(&x, 16 * GIB, "root=x quiet memmap=1M$9G -- single");
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_string_equal(p.line, "root=x quiet memmap=1M$9G memmap=1G!4G -- single");
	assert_false(p.kaslr_off);
	kexec_plan_done(&p);

	machine_pc(&x, 16 * GIB, "memmap=1M$9G,1M$10G,1M$11G,1M$12G quiet");
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_string_equal(p.line, "memmap=1M$9G,1M$10G,1M$11G,1M$12G,1G!4G quiet");
	assert_true(p.kaslr_off);
	kexec_plan_done(&p);
	assert_null(s->log);
}

/* Where no word can be made longer, a fifth one that holds with nokaslr is said to. */
static void test_fifth(void **state)
{
	struct kexec_plan_wish wish = { GIB, '!', -1, PMEM_PAGES };
	struct sysroot *s = *state;
	struct kexec_plan p;
	struct machine x;

	machine_pc(&x, 32 * GIB,
		   "nokaslr memmap=1M$9G memmap=1M$10G memmap=1M$11G memmap=1M$12G");
	x.m.settings = "";
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_string_equal(p.word, "memmap=1G!4G");
	assert_true(sysroot_logged(s, "then has 5 memmap= words: the kernel"));
	kexec_plan_done(&p);
}

static void expect_failure(struct sysroot *s, const char *line, int want, const char *says)
{
	struct kexec_plan_wish wish = { GIB, '!', -1, PMEM_PAGES };
	struct kexec_plan p = { .node = 77 };
	struct machine x;

	sysroot_forget(s);
	machine_pc(&x, 16 * GIB, line);
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), want);
	if (!sysroot_logged(s, says))
		fail_msg("%s: %s", line, s->log);
	/* It has none of them. */
	if (sysroot_logged(s, "--command-line") || sysroot_logged(s, "--append"))
		fail_msg("%s: %s", line, s->log);
	assert_int_equal(p.node, 77);
}

static void test_failures(void **state)
{
	char line[2100] = "x=";
	struct sysroot *s = *state;

	expect_failure(s, "memmap=1Gx", -EINVAL, "not understood");
	expect_failure(s, "memmap=exactmap memmap=8G@1M", -EOPNOTSUPP, "exactmap");
	expect_failure(s, "efi_fake_mem=1G@8G:0x40000", -EUCLEAN, "efi_fake_mem");
	expect_failure(s, "efi_fake_mem=1G@8G:0x40000", -EUCLEAN,
		       "change that in the boot loader's settings, reboot");
	expect_failure(s, "memmap=16M@9G memmap=16M@10G memmap=16M@11G memmap=16M@12G memmap=1M@1G",
		       -EUCLEAN, "6 memmap= words");
	expect_failure(s, "memmap=16M@9G memmap=16M@10G memmap=16M@11G memmap=16M@12G memmap=1M@1G",
		       -EUCLEAN, "set nokaslr in the boot loader's settings");
	expect_failure(s, "a=\"b", -EINVAL, "quote that is not closed");
	memset(line + 2, 'y', 2040);
	expect_failure(s, line, -E2BIG, "bytes");
	memcpy(line, "memmap=1M$9G,1M$10G,1M$11G,1M$12G x", 35);
	expect_failure(s, line, -E2BIG, "bytes");
}

static void test_system(void **state)
{
	struct kexec_plan_wish wish = { 10 * GIB, '!', -1, PMEM_PAGES };
	struct sysroot *s = *state;
	struct kexec_plan p;
	struct machine x;

	/* 400 MiB below 4 GiB: the rest cannot all be taken. */
	machine_begin(&x, "ro");
	add_firmware(&x, MIB, 401 * MIB, "System RAM");
	add_firmware(&x, 4 * GIB, 8 * GIB, "System RAM");
	add_iomem(&x, MIB, 401 * MIB, 0, "System RAM");
	add_iomem(&x, 4 * GIB, 8 * GIB, 0, "System RAM");
	wish.size = 4 * GIB;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.limit, KEXEC_PLAN_SYSTEM);
	assert_int_equal(p.ram, 4 * GIB + 400 * MIB);
	assert_true(p.left >= 512 * MIB && p.left < 512 * MIB + 2 * UNIT);
	assert_int_equal(p.left, p.ram - p.size - p.pages);
	assert_int_equal(p.pages, p.size / 64);
	kexec_plan_done(&p);

	/* What a word takes that does not run yet is the system's no more. */
	x.m.line = "ro memmap=3G!4G";
	wish.size = GIB;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.limit, KEXEC_PLAN_SYSTEM);
	assert_int_equal(p.start, 7 * GIB);
	assert_int_equal(p.left, p.ram - 3 * (GIB + PMEM_PAGES) - p.size - p.pages);
	assert_true(p.left >= 512 * MIB && p.left < 512 * MIB + 2 * UNIT);
	kexec_plan_done(&p);

	/* Each byte once, whoever names it again; other kinds have other pages, or none. */
	x.m.line = "ro memmap=1G!4G memmap=1G!4G memmap=1G%5G-1+0xefffffff memmap=512M$6G";
	wish.size = 512 * MIB;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.left, p.ram - 2 * GIB - 512 * MIB - PMEM_PAGES - DAX_PAGES - p.size -
				 p.pages);
	kexec_plan_done(&p);
	wish.size = 4 * GIB;

	/* What mem= hides is nobody's: the system pays for its pages alone. */
	x.m.line = "mem=4G";
	x.maps[1].n = 0;
	add_iomem(&x, MIB, 401 * MIB, 0, "System RAM");
	add_iomem(&x, 600 * MIB, 1200 * MIB, 0, "System RAM");
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.limit, KEXEC_PLAN_FITS);
	assert_int_equal(p.left, p.ram - 64 * MIB);
	kexec_plan_done(&p);

	/* No place at all. */
	machine_begin(&x, "ro");
	add_firmware(&x, MIB, 1000 * MIB, "System RAM");
	add_iomem(&x, MIB, 1000 * MIB, 0, "System RAM");
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.size, 0);
	assert_int_equal(p.limit, KEXEC_PLAN_FIRMWARE);
	assert_null(p.word);
	kexec_plan_done(&p);
	assert_null(s->log);
}

static void test_boot(void **state)
{
	struct kexec_plan_wish wish = { 12 * GIB, '!', -1, PMEM_PAGES };
	struct sysroot *s = *state;
	struct kexec_plan p;
	struct machine x;

	/* The firmware gives out memory from the top. */
	machine_pc(&x, 16 * GIB, "ro");
	x.m.boots_high = true;
	x.m.boot_room = 512 * MIB;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.limit, KEXEC_PLAN_BOOT);
	assert_string_equal(p.word, "memmap=11776M!4G");
	kexec_plan_done(&p);

	/* Not where the initrd was, and may grow to. */
	wish.size = GIB;
	x.m.initrd = 5 * GIB;
	x.m.initrd_size = 100 * MIB;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_string_equal(p.word, "memmap=1G!6G");
	kexec_plan_done(&p);
	assert_null(s->log);
}

static void test_nodes(void **state)
{
	static const struct machine_area nodes[] = { { 0, 3 * GIB, 0 },
						     { 4 * GIB, 10 * GIB, 0 },
						     { 10 * GIB, 16 * GIB, 1 } };
	struct kexec_plan_wish wish = { 6 * GIB, '!', -1, PMEM_PAGES };
	struct sysroot *s = *state;
	struct kexec_plan p;
	struct machine x;

	machine_pc(&x, 16 * GIB, "memmap=1G!4G");
	x.m.nodes = nodes;
	x.m.n_nodes = ARRAY_SIZE(nodes);
	/* The lowest place would lie on both. */
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_string_equal(p.word, "memmap=6G!10G");
	assert_int_equal(p.node, 1);
	assert_false(p.spans);
	kexec_plan_done(&p);

	wish.node = 0;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.limit, KEXEC_PLAN_NODE);
	assert_string_equal(p.word, "memmap=5G!5G");
	assert_int_equal(p.node, 0);
	kexec_plan_done(&p);

	wish.node = -1;
	wish.size = 8 * GIB;
	assert_int_equal(kexec_plan(s->ctx, &x.m, &wish, &p), 0);
	assert_int_equal(p.limit, KEXEC_PLAN_FITS);
	assert_string_equal(p.word, "memmap=8G!5G");
	assert_int_equal(p.node, -1);
	assert_true(p.spans);
	kexec_plan_done(&p);
	assert_null(s->log);
}

/* --- the model --- */

/* Units of 16 MiB; what touches one that is not free is no place. */
#define UNITS 1280

struct model {
	int usable[UNITS];	/* the firmware's range that has all of it; 0: none */
	bool used[UNITS];
	uint64_t ram;
};

static void model_use(struct model *m, uint64_t start, uint64_t end)
{
	for (uint64_t u = 0; u < UNITS; u++)
		if (u * UNIT < end && start < (u + 1) * UNIT)
			m->used[u] = true;
}

static uint64_t pick(unsigned int *seed, uint64_t n)
{
	return (uint64_t)rand_r(seed) % n;
}

static void random_firmware(unsigned int *seed, struct machine *x, struct model *m)
{
	uint64_t at = UNIT * (1 + pick(seed, 3)) - (pick(seed, 2) ? 0 : 4096);
	int id = 0;

	while (at < UNITS * UNIT) {
		uint64_t end = at + UNIT * (1 + pick(seed, 700)) - (pick(seed, 2) ? 0 : 65536);
		bool ram = pick(seed, 4) != 0;

		if (at < 4 * GIB)
			end = MIN(end, 4 * GIB - UNIT * pick(seed, 40));
		end = MIN(end, UNITS * UNIT);
		if (end <= at)
			break;
		add_firmware(x, at, end, ram ? "System RAM" : "Reserved");
		add_iomem(x, at, end, 0, ram ? "System RAM" : "Reserved");
		if (ram)
			m->ram += end - at;
		id++;
		for (uint64_t u = 0; ram && u < UNITS; u++)
			if (u * UNIT >= at && (u + 1) * UNIT <= end)
				m->usable[u] = id;
		at = end < 4 * GIB && end > 3 * GIB ? 4 * GIB : end + UNIT * pick(seed, 3);
	}
}

/* Reservations of the line: `words` memmap= words, a crashkernel=. */
static void random_line(unsigned int *seed, struct machine *x, struct model *m, char *p,
			size_t room)
{
	static const char kinds[] = "!!$$#@%";
	uint64_t words = pick(seed, 5), size, start;
	size_t n = (size_t)snprintf(p, room, "ro%s", pick(seed, 6) ? "" : " nokaslr");

	for (uint64_t i = 0; i < words; i++) {
		uint64_t entries = 1 + (pick(seed, 3) ? 0 : pick(seed, 4));

		n += (size_t)snprintf(p + n, room - n, " memmap=%s", pick(seed, 8) ? "" : "\"");
		for (uint64_t j = 0; j < entries; j++) {
			char kind = kinds[pick(seed, sizeof(kinds) - 1)];

			start = 1 + pick(seed, UNITS - 40);
			size = 1 + pick(seed, 30);
			n += (size_t)snprintf(p + n, room - n, "%s%juM%c%#jx%s", j ? "," : "",
					      (uintmax_t)(size * 16), kind,
					      (uintmax_t)(start * UNIT),
					      kind == '%' ? "-1+0xefffffff" : "");
			model_use(m, start * UNIT, (start + size) * UNIT);
		}
		if (p[n - 1] != '"' && strrchr(p, ' ')[8] == '"')
			p[n++] = '"';
		p[n] = '\0';
	}
	start = pick(seed, UNITS);
	if (pick(seed, 3) == 0) {
		snprintf(p + n, room - n, " crashkernel=256M@%juM", (uintmax_t)(start * 16));
		model_use(m, start * UNIT, (start + 16) * UNIT);
	}
	/* One that found its place by itself. */
	start = pick(seed, UNITS - 20) * UNIT + 4096;
	if (pick(seed, 2)) {
		add_iomem(x, start, start + 100 * MIB, 1, "Crash kernel");
		model_use(m, start, start + 100 * MIB);
	}
	start = pick(seed, UNITS - 20) * UNIT;
	add_iomem(x, start, start + 50 * MIB, 1, "Kernel code");
}

static void random_machine(unsigned int *seed, struct machine *x, struct model *m, char *line,
			   size_t room, struct machine_area nodes[2])
{
	uint64_t top[2] = { 0 };

	machine_begin(x, line);
	*m = (struct model){ 0 };
	random_firmware(seed, x, m);
	random_line(seed, x, m, line, room);
	x->m.boots_high = pick(seed, 2);
	x->m.boot_room = pick(seed, 40) * UNIT;
	model_use(m, 0, GIB);
	for (size_t i = 0; i < x->maps[0].n; i++) {
		const struct machine_range *r = &x->firmware[i];

		if (*r->name == 'S')
			top[r->start >= 4 * GIB] = r->end + 1;
	}
	if (top[0] && x->m.boot_room)
		model_use(m, top[0] - MIN(top[0], x->m.boot_room), top[0]);
	if (top[1] && x->m.boots_high && x->m.boot_room)
		model_use(m, MAX(4 * GIB, top[1] - x->m.boot_room), top[1]);
	if (pick(seed, 3) == 0) {
		x->m.initrd = (8 + pick(seed, UNITS)) * UNIT;
		x->m.initrd_size = (1 + pick(seed, 8)) * UNIT;
		model_use(m, x->m.initrd - x->m.initrd_size, x->m.initrd + 2 * x->m.initrd_size);
	}
	nodes[0] = (struct machine_area){ 0, (100 + pick(seed, 1000)) * UNIT, 0 };
	nodes[1] = (struct machine_area){ nodes[0].end, UINT64_MAX, 1 };
	if (pick(seed, 2)) {
		x->m.nodes = nodes;
		x->m.n_nodes = 2;
	}
}

static bool model_free(const struct machine *x, const struct model *m,
		       const struct kexec_plan_wish *w, uint64_t start, uint64_t n)
{
	uint64_t end = (start + n) * UNIT;

	if (start + n > UNITS || (w->kind == '%' && start < n) ||
	    (start * UNIT < 4 * GIB && end > 4 * GIB))
		return false;
	for (uint64_t u = start; u < start + n; u++)
		if (m->used[u] || !m->usable[u] || m->usable[u] != m->usable[start])
			return false;
	if (w->node >= 0 && (start * UNIT < x->m.nodes[w->node].start ||
			     end > x->m.nodes[w->node].end))
		return false;
	return m->ram >= 512 * MIB + n * UNIT + n * (w->pages_per_gib / 64);
}

/* The largest size up to the wished one that has a place. */
static uint64_t model_largest(const struct machine *x, const struct model *m,
			      const struct kexec_plan_wish *w)
{
	for (uint64_t n = MIN(w->size / UNIT, (uint64_t)UNITS); n; n--)
		for (uint64_t start = 0; start + n <= UNITS; start++)
			if (model_free(x, m, w, start, n))
				return n * UNIT;
	return 0;
}

/* The line keeps the new region, and the old ones that were safe. */
static void check_line(struct sysroot *s, const char *line, const struct kexec_plan *p, char kind)
{
	struct kexec_keep keep = { "new", p->start, p->size, kind };
	struct kexec_memmaps old, now;
	struct pkram_ctx *quiet;

	assert_int_equal(ctx_quiet(s->ctx, &quiet), 0);
	if (kexec_check_reservations(s->ctx, p->line, &keep, 1) < 0)
		fail_msg("%s: %s", p->line, s->log);
	assert_int_equal(kexec_memmaps_parse(s->ctx, line, &old), 0);
	assert_int_equal(kexec_memmaps_parse(s->ctx, p->line, &now), 0);
	assert_int_equal(now.n, old.n + 1);
	for (size_t i = 0; i < old.n; i++) {
		keep = (struct kexec_keep){ "old", old.v[i].start, old.v[i].size,
					    (char)old.v[i].kind };
		if (strchr("!%", keep.kind) &&
		    kexec_check_reservations(quiet, line, &keep, 1) == 0 &&
		    kexec_check_reservations(s->ctx, p->line, &keep, 1) < 0)
			fail_msg("%s: %s", p->line, s->log);
	}
	kexec_memmaps_done(&old);
	kexec_memmaps_done(&now);
	pkram_unref(quiet);
}

static void check_one(struct sysroot *s, unsigned int seed, uint64_t *fitted)
{
	unsigned int state = seed;
	struct machine_area nodes[2];
	struct kexec_plan p = { 0 };
	struct machine x;
	struct model m;
	char line[1024];
	int r;

	random_machine(&state, &x, &m, line, sizeof(line), nodes);
	for (int i = 0; i < 4; i++) {
		struct kexec_plan_wish w = { .size = UNIT * (1 + pick(&state, 500)), .node = -1,
					     .kind = pick(&state, 3) ? '!' : '%' };

		w.pages_per_gib = pick(&state, 2) ? PMEM_PAGES : DAX_PAGES;
		if (x.m.n_nodes && pick(&state, 2))
			w.node = (int)pick(&state, 2);
		r = kexec_plan(s->ctx, &x.m, &w, &p);
		if (r < 0)
			fail_msg("seed %u: %s: %s", seed, line, s->log);
		if (p.size != model_largest(&x, &m, &w))
			fail_msg("seed %u: %s: %ju, not %ju", seed, line, (uintmax_t)p.size,
				 (uintmax_t)model_largest(&x, &m, &w));
		assert_int_equal(p.limit == KEXEC_PLAN_FITS, p.size == w.size);
		if (p.size) {
			assert_true(IS_ALIGNED(p.start, UNIT));
			if (!model_free(&x, &m, &w, p.start / UNIT, p.size / UNIT))
				fail_msg("seed %u: %s: %s is not free", seed, line, p.word);
			check_line(s, line, &p, w.kind);
		}
		*fitted += p.limit == KEXEC_PLAN_FITS;
		kexec_plan_done(&p);
	}
	assert_null(s->log);
}

static void test_random(void **state)
{
#ifdef __SANITIZE_THREAD__
	const uint64_t n = 30; /* one thread: what it shows, it shows soon */
#else
	const uint64_t n = 300;
#endif
	uint64_t fitted = 0;

	for (unsigned int seed = 1; seed <= n; seed++)
		check_one(*state, seed, &fitted);
	/* Both happen often, or nothing was shown. */
	assert_true(fitted > n && fitted < 3 * n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_places, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_line, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_fifth, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_failures, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_system, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_boot, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_nodes, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_random, sysroot_setup, sysroot_teardown),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
