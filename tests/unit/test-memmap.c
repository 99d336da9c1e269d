/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memmap= words: as they are read, as they are judged, and the judgement against a model of both
 * of the kernel's readers on random maps and lines.
 */
#include "kexec.h"
#include "model.h"
#include "sysroot.h"

#include <inttypes.h>

/* --- reading --- */

static void test_parse(void **state)
{
	static const struct {
		const char *line;
		int r;
		unsigned int words;
		size_t n;
		struct kexec_memmap v[3];
	} cases[] = {
		{ "ro quiet", 0, 0, 0, { { 0 } } },
		{ "memmap=1G!4G", 0, 1, 1, { { '!', 4 * GIB, GIB } } },
		{ "memmap=0x40000000!0x100000000", 0, 1, 1, { { '!', 4 * GIB, GIB } } },
		{ "memmap=1073741824!4294967296", 0, 1, 1, { { '!', 4 * GIB, GIB } } },
		{ "memmap=010000000000!4096m", 0, 1, 1, { { '!', 4 * GIB, GIB } } },
		{ "memmap=1048576k$0X100000K", 0, 1, 1, { { '$', GIB, GIB } } },
		{ "memmap=1t#1p", 0, 1, 1, { { '#', GIB << 20, GIB << 10 } } },
		{ "memmap=1G@4G,512M!5G",
		  0,
		  1,
		  2,
		  { { '@', 4 * GIB, GIB }, { '!', 5 * GIB, 512 * MIB } } },
		{ "memmap=\"1G!4G\"", 0, 1, 1, { { '!', 4 * GIB, GIB } } },
		{ "\"memmap=1G!4G\"", 0, 1, 1, { { '!', 4 * GIB, GIB } } },
		{ "memmap=1G%4G-1+0xefffffff", 0, 1, 1, { { '%', 4 * GIB, GIB, 1, 0xefffffff } } },
		{ "memmap=1G%4G+2", 0, 1, 1, { { '%', 4 * GIB, GIB, 0, 2 } } },
		{ "memmap=1G%4G", 0, 1, 1, { { '%', 4 * GIB, GIB } } },
		{ "memmap=2G", 0, 1, 1, { { KEXEC_MEMMAP_LIMIT, 0, 2 * GIB } } },
		{ "mem=2G memmap=1G!4G",
		  0,
		  1,
		  2,
		  { { 0, 0, 2 * GIB, .by_mem = true }, { '!', 4 * GIB, GIB } } },
		{ "mem=nopentium mem=0 mem mem= memmap", 0, 0, 0, { { 0 } } },
		{ "memmap=1G!4G memmap=1G!4G",
		  0,
		  2,
		  2,
		  { { '!', 4 * GIB, GIB }, { '!', 4 * GIB, GIB } } },
		{ "xmemmap=1G!4G foo.memmap=1G!4G mem-map=1G memmapx=1G", 0, 0, 0, { { 0 } } },
		{ "a=\"b memmap=1G!4G\"", 0, 0, 0, { { 0 } } },
		{ "ro -- memmap=1G!4G", 0, 0, 0, { { 0 } } },
		{ "memmap=1G!4G memmap=exactmap", 0, 2, 0, { { 0 } } },
		{ "memmap=exactmap memmap=1G!4G", 0, 2, 1, { { '!', 4 * GIB, GIB } } },
		{ "memmap=1G!4G,exactmap,1G!8G", 0, 1, 1, { { '!', 8 * GIB, GIB } } },
		{ "memmap=", -EINVAL },
		{ "memmap=1G!", -EINVAL },
		{ "memmap=!4G", -EINVAL },
		{ "memmap=G!4G", -EINVAL },
		{ "memmap=1G!4Gx", -EINVAL },
		{ "memmap=1G!4G,", -EINVAL },
		{ "memmap=08!4G", -EINVAL },
		{ "memmap=0x!4G", -EINVAL },
		{ "memmap=0!4G", -EINVAL },
		{ "memmap=1G!4G!5G", -EINVAL },
		{ "memmap=1GB!4G", -EINVAL },
		{ "memmap=-1G!4G", -EINVAL },
		{ "memmap=1G\"!4G\"", -EINVAL },
		{ "memmap=\"1G !4G\"", -EINVAL },
		{ "memmap=99999999999999999999!4G", -EINVAL },
		{ "memmap=16E!4G", -EINVAL },
		{ "memmap=1G!0xffffffffffffffff", -EINVAL },
		{ "memmap=1G%4G-x", -EINVAL },
		{ "memmap=1G%4G-1+0x1efffffff", -EINVAL },
		{ "memmap=1G%4G-2+2", -EINVAL },
		{ "memmap=nopentium", -EINVAL },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kexec_memmaps m = { 0 };

		sysroot_forget(s);
		assert_int_equal(kexec_memmaps_parse(s->ctx, cases[i].line, &m), cases[i].r);
		assert_int_equal(cases[i].r < 0, sysroot_logged(s, "not understood"));
		assert_int_equal(m.words, cases[i].words);
		assert_int_equal(m.n, cases[i].n);
		for (size_t j = 0; j < m.n; j++) {
			assert_true(kexec_line_find(cases[i].line, m.v[j].word, m.v[j].word_len,
						    NULL));
			m.v[j].word = NULL;
			m.v[j].word_len = 0;
			assert_memory_equal(&m.v[j], &cases[i].v[j], sizeof(m.v[j]));
		}
		kexec_memmaps_done(&m);
	}
}

/* --- judging --- */

static void test_check(void **state)
{
	static const struct kexec_keep pmem = { "pmem:/dev/pmem0", 4 * GIB, GIB, '!' };
	static const struct kexec_keep soft = { "devdax:/dev/dax0.0", 4 * GIB, GIB, '%' };
	static const struct kexec_keep low = { "devdax:/dev/dax0.0", 512 * MIB, GIB, '%' };
	static const struct kexec_keep firmware = { "pmem:/dev/pmem0", 4 * GIB, GIB, 0 };
	static const struct {
		const struct kexec_keep *keep;
		const char *line;
		const char *says;	/* NULL: safe */
	} cases[] = {
		{ &pmem, "ro memmap=1G!4G quiet", NULL },
		{ &pmem, "memmap=0x40000000!4096M", NULL },
		{ &pmem, "memmap=512M!2G,1G!4G,1G!8G", NULL },
		{ &pmem, "\"memmap=1G!4G\"", NULL },
		{ &pmem, "memmap=1G!4G ramoops.mem_address=4095M ramoops.mem_size=0x100000", NULL },
		{ &pmem, "memmap=1G!4G trace_instance=a@4095M:1M trace_instance=b@5G:1M", NULL },
		{ &pmem, "memmap=1G!4G console=ttyS0,115200n8 earlycon=uart,mmio32,0xfe000000,1",
		  NULL },
		{ &pmem, "memmap=1G!4G phram=a,4095M,1M slram=a,4094M,4096M,b,5G,+1M", NULL },
		{ &pmem, "memmap=1G!4G memmap=1G!4G", NULL },
		{ &pmem, "mem=2G memmap=1G!4G", NULL },
		{ &pmem, "memmap=1G!4G mem=2G", NULL },
		{ &pmem, "memmap=1G!4G mem=6G", NULL },
		{ &pmem, "memmap=exactmap memmap=639K@0 memmap=2G@1M memmap=1G!4G", NULL },
		{ &pmem, "memmap=exactmap,64K@64K,128M@1M memmap=1G!4G nokaslr", NULL },
		{ &pmem, "memmap=1G!4G mem=128M", NULL },
		{ &pmem, "memmap=1G!4G memmap=64K$64K", NULL },
		{ &pmem, "memmap=1G!4G crashkernel=256M crashkernel=128M@1G cma=64M", NULL },
		{ &pmem, "memmap=1G!4G hugepagesz=1G root=ssh://me@4G.example", NULL },
		{ &pmem, "memmap=1G!4G nokaslr memmap=1M$1G memmap=1M$2G memmap=1M$3G memmap=1M$6G",
		  NULL },
		{ &pmem, "memmap=1G!4G,1M$1G,1M$2G,1M$3G,1M$6G", NULL },

		{ &pmem, "ro",
		  "no word on the next command line reserves its memory: add memmap=1G!4G to the "
		  "line: pkram kexec --append 'memmap=1G!4G'" },
		{ &pmem, "ro -- memmap=1G!4G", "no word on" },
		{ &pmem, "xmemmap=1G!4G", "no word on" },
		{ &pmem, "foo.memmap=1G!4G", "no word on" },
		{ &pmem, "a=\"b memmap=1G!4G\"", "no word on" },
		{ &pmem, "memmap=1G!4G memmap=exactmap", "no word after memmap=exactmap on" },
		{ &pmem, "memmap=1G!8G", "reserves memmap=1G!8G, its memory is memmap=1G!4G" },
		{ &pmem, "memmap=512M!4G",
		  "memmap=512M!4G on the next command line is smaller than its memory" },
		{ &pmem, "memmap=2G!4G", "is larger than" },
		{ &pmem, "memmap=1G!4608M",
		  "memmap=1G!4608M on the next command line is moved against" },
		{ &pmem, "memmap=1G$4G", "memmap=1G$4G on the next command line lies over" },
		{ &pmem, "memmap=1G!4G memmap=512M!4G", "memmap=512M!4G" },
		{ &pmem, "memmap=1G!4G memmap=1M$4600M", "memmap=1M$4600M" },
		{ &pmem, "memmap=1G!4G memmap=8G@1M", "memmap=8G@1M" },
		{ &pmem, "memmap=1G!4G mem=4608M", "mem=4608M on the next command line cuts" },
		{ &pmem, "memmap=1G!4G memmap=4608M",
		  "memmap=4608M on the next command line cuts" },
		{ &pmem, "memmap=1G!4Gx", "memmap=1G!4Gx: not understood" },
		{ &pmem, "memmap=1G!4G crashkernel=256M@4352M", "crashkernel=256M@4352M" },
		{ &pmem, "memmap=1G!4G crashkernel=1G-:512M@3840M", "crashkernel" },
		{ &pmem, "memmap=1G!4G cma=64M@5100M", "cma" },
		{ &pmem, "memmap=1G!4G ramoops.mem_address=0x110000000", "ramoops" },
		{ &pmem, "memmap=1G!4G ramoops.mem-address=0x110000000", "ramoops" },
		{ &pmem, "memmap=1G!4G phram=a,4G,1M", "phram" },
		{ &pmem, "memmap=1G!4G trace_instance=a^x@4095M:2M,sched", "trace_instance" },
		{ &pmem, "memmap=1G!4G trace_instance=a@0x110000000:1M", "trace_instance" },
		{ &pmem, "memmap=1G!4G crashkernel=1G-8G:64M@4G", "crashkernel" },
		{ &pmem, "memmap=1G!4G earlycon=uart8250,mmio32,0x100000000", "earlycon" },
		{ &pmem, "memmap=1G!4G console=uart,mmio,0x13fffffff,115200n8", "console" },
		/* From below into it; what is not told goes on. */
		{ &pmem, "memmap=1G!4G ramoops.mem_address=4095M ramoops.mem_size=0x400000",
		  "ramoops" },
		{ &pmem, "memmap=1G!4G phram.phram=a,4095M,4M", "phram" },
		{ &pmem, "memmap=1G!4G phram=a,4095M", "phram" },
		{ &pmem, "memmap=1G!4G slram=a,4095M,+4M", "slram" },
		{ &pmem, "memmap=1G!4G slram=b,1M,2M,a,4095M,4097M", "slram" },
		{ &pmem, "memmap=1G!4G efi_fake_mem=1G@8G:0x40000", "efi_fake_mem" },
		{ &pmem, "memmap=1M$1G memmap=1M$2G memmap=1M$3G memmap=1M$6G memmap=1G!4G",
		  "5 memmap= words" },
		{ &pmem, "memmap=1G!4G memmap=1M$1G memmap=1M$2G memmap=1M$3G memmap=1M$6G",
		  "5 memmap= words" },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G", "not among the 4 first" },
		{ &pmem, "mem=0 memmap=1G!4G", "place itself at random" },
		{ &pmem, "memmap=exactmap,1G!4G", "place itself at random" },
		{ &pmem, "memmap=1G!4G -- nokaslr memmap=x", NULL },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G a=\"b nokaslr c\"", NULL },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G -- nokaslr", NULL },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G ro\xa0nokaslr", "at random" },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G nokaslr=1", "at random" },

		{ &pmem, "memmap=exactmap memmap=1G!4G", "no memory below 1 MiB" },
		{ &pmem, "memmap=exactmap memmap=2G@1M memmap=1G!4G", "no memory below 1 MiB" },
		{ &pmem, "memmap=exactmap memmap=639K@0 memmap=64M@1M memmap=1G!4G",
		  "too little memory to start" },
		{ &pmem, "memmap=exactmap memmap=639K@0 memmap=2G@1M memmap=2G$1M memmap=1G!4G",
		  "too little memory to start" },
		{ &pmem, "memmap=1G!4G mem=64M", "mem=64M on the next command line leaves" },
		{ &pmem, "memmap=1G!4G memmap=64M", "memmap=64M on the next command line leaves" },
		{ &pmem, "memmap=1G!4G memmap=640K$0", "too little memory below 1 MiB" },
		{ &pmem, "memmap=1G!4G memmap=512M!08G", "not understood" },
		{ &pmem, "memmap=1G!4G memmap=1G%1G-1+1", "memmap=1G%1G-1+1: not understood" },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G \"nokaslr\"", "at random" },

		{ &soft, "memmap=1G%4G-1+0xefffffff", NULL },
		{ &soft, "memmap=1G%4G+0xefffffff", NULL },
		{ &soft, "memmap=1G%4G-1+0xefffffff mem=8G", NULL },
		{ &soft, "memmap=1G!4G", "lies over" },
		{ &soft, "memmap=1G%4G-1+2", "has other types than" },
		{ &soft, "memmap=1G%4G-2+0xefffffff", "has other types than" },
		{ &soft, "ro", "pkram kexec --append 'memmap=1G%4G-1+0xefffffff'" },
		{ &soft, "memmap=1G%4G-1+0xefffffff mem=2G",
		  "mem=2G on the next command line cuts" },
		{ &soft, "memmap=exactmap memmap=2G@1M memmap=1G%4G-1+0xefffffff", "exactmap" },
		{ &soft, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G%4G-1+0xefffffff", "at random" },
		{ &low, "memmap=1G%512M-1+0xefffffff", "from its own size up" },
		{ &low, "memmap=1G%512M-1+0xefffffff nokaslr", NULL },

		{ &firmware, "ro", NULL },
		{ &firmware, "mem=2G memmap=1G!8G", NULL },
		{ &firmware, "memmap=1G!4G", "which the firmware describes" },
		{ &firmware, "memmap=1M$4600M", "which the firmware describes" },
		{ &firmware, "memmap=exactmap memmap=2G@1M", "memmap=exactmap" },
		{ &firmware, "efi=debug,nosoftreserve", "nosoftreserve" },
	};
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int want = cases[i].says ? -EUCLEAN : 0;

		sysroot_forget(s);
		if (kexec_check_reservations(s->ctx, cases[i].line, cases[i].keep, 1) != want)
			fail_msg("%s: %s", cases[i].line, s->log ? s->log : "accepted");
		if (cases[i].says && !sysroot_logged(s, cases[i].says))
			fail_msg("%s: said %s", cases[i].line, s->log);
		assert_int_equal(!cases[i].says, !s->log);
	}
}

static void test_several_keeps(void **state)
{
	static const struct kexec_keep keep[] = { { "A", 4 * GIB, GIB, '!' },
						  { "B", 8 * GIB, GIB, '!' },
						  { "C", 16 * GIB, GIB, 0 } };
	struct sysroot *s = *state;

	assert_int_equal(kexec_check_reservations(s->ctx, "memmap=1G!4G,1G!8G", keep, 3), 0);
	assert_int_equal(kexec_check_reservations(s->ctx, "memmap=1G!4G memmap=1G!8G", keep, 3), 0);
	assert_null(s->log);
	/* Every reason is said. */
	assert_int_equal(kexec_check_reservations(s->ctx, "memmap=1G!16G", keep, 3), -EUCLEAN);
	assert_true(sysroot_logged(s, "A: ") && sysroot_logged(s, "B: ") &&
		    sysroot_logged(s, "C: "));
	sysroot_forget(s);
	assert_int_equal(kexec_check_reservations(s->ctx, "memmap=foo", NULL, 0), -EUCLEAN);
	assert_int_equal(kexec_check_reservations(s->ctx, "ro", NULL, 0), 0);
}

static void test_length(void **state)
{
	static const struct kexec_keep keep = { "A", 4 * GIB, GIB, '!' };
	struct sysroot *s = *state;
	char line[KEXEC_LINE_BYTES + 2];

	snprintf(line, sizeof(line), "memmap=1G!4G %0*d", (int)(KEXEC_LINE_BYTES - 13), 0);
	assert_int_equal(strlen(line), KEXEC_LINE_BYTES);
	assert_int_equal(kexec_check_reservations(s->ctx, line, &keep, 1), 0);
	strcat(line, "0");
	assert_int_equal(kexec_check_reservations(s->ctx, line, &keep, 1), -EUCLEAN);
	assert_true(sysroot_logged(s, "2048 bytes, the kernel has room for 2047"));
}

/* The kernel reads words that it was built with; its decompressor does not. */
static void test_two_lines(void **state)
{
	static const struct kexec_keep keep = { "A", 4 * GIB, GIB, '!' };
	struct sysroot *s = *state;

	assert_int_equal(kexec_check_lines(s->ctx, "memmap=1G!4G", "quiet memmap=1G!4G", &keep, 1),
			 0);
	assert_int_equal(kexec_check_lines(s->ctx, "nokaslr", "memmap=1G!4G nokaslr", &keep, 1), 0);
	assert_null(s->log);
	assert_int_equal(kexec_check_lines(s->ctx, "ro", "memmap=1G!4G nokaslr ro", &keep, 1),
			 -EUCLEAN);
	assert_true(sysroot_logged(s, "place itself at random"));
	assert_int_equal(kexec_check_lines(s->ctx, "memmap=1G!4G", "quiet", &keep, 1), -EUCLEAN);
	assert_true(sysroot_logged(s, "no word on"));
}

/* --- against a model of the kernel, on random maps and lines --- */

#define UNIT (16 * MIB)
#define TOP (512 * MIB)	/* RAM up to here at least, where no entry with a start reaches */
#define ROUNDS 100000

static uint64_t pick(unsigned int *seed, uint64_t n)
{
	return (uint64_t)rand_r(seed) % n;
}

/* --- the firmware's map --- */

struct firmware {
	struct model_range v[32];
	int n;
};

static void put_range(struct firmware *f, uint64_t start, uint64_t end, uint32_t type)
{
	f->v[f->n++] = (struct model_range){ start, end, type };
}

/* RAM with a hole, a reserved piece and pieces of any kind behind it. */
static void make_firmware(unsigned int *seed, struct firmware *f)
{
	static const uint32_t types[] = { MODEL_RAM, MODEL_RAM, MODEL_RAM, MODEL_RESERVED,
					  MODEL_ACPI };
	uint64_t at = TOP + (1 + pick(seed, 60)) * UNIT;

	f->n = 0;
	put_range(f, 0, 0x9fc00, MODEL_RAM);
	put_range(f, 0x9fc00, 0xa0000, MODEL_RESERVED);
	put_range(f, MIB, at, MODEL_RAM);
	for (uint64_t i = pick(seed, 6); i; i--) {
		uint64_t start = at + pick(seed, 3) * pick(seed, 20) * UNIT;

		at = start + (1 + pick(seed, 60)) * UNIT - pick(seed, 2) * 128 * KIB;
		put_range(f, start, at, types[pick(seed, ARRAY_SIZE(types))]);
	}
}

/* Inside one range of RAM. */
static struct kexec_keep make_keep(unsigned int *seed, const struct firmware *f)
{
	const struct model_range *r;
	uint64_t start, room, size;

	do {
		r = &f->v[pick(seed, (uint64_t)f->n)];
		start = ALIGN_UP(MAX(r->start, TOP), UNIT);
	} while (r->type != MODEL_RAM || start + UNIT > r->end);
	room = (r->end - start) / UNIT;
	start += pick(seed, room) * UNIT;
	room = (r->end - start) / UNIT;
	size = (1 + pick(seed, room)) * UNIT;
	return (struct kexec_keep){ "it", start, size, pick(seed, 3) ? '!' : '%' };
}

/* --- lines --- */

struct line {
	char s[4096];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) put(struct line *l, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	l->n += (size_t)vsnprintf(l->s + l->n, sizeof(l->s) - l->n, format, ap);
	va_end(ap);
	assert_true(l->n < sizeof(l->s));
}

static void put_number(unsigned int *seed, struct line *l, uint64_t v)
{
	static const char suffix[] = "KkMmGg";
	uint64_t s = pick(seed, 8), unit = s < 6 ? KIB << (s / 2 * 10) : 1;

	if (v % unit) {
		unit = 1;
		s = 6;
	}
	switch (pick(seed, 4)) {
	case 0:
		put(l, "%#" PRIx64, v / unit);
		break;
	case 1:
		put(l, "0%" PRIo64, v / unit);
		break;
	default:
		put(l, "%" PRIu64, v / unit);
	}
	if (s < 6)
		put(l, "%c", suffix[s]);
}

static void put_types(unsigned int *seed, struct line *l)
{
	static const char *const others[] = {
		"+0xefffffff", "-2+0xefffffff",	 "-1+12", "-12+1",	  "-1", "",
		"-1+1",	       "-1+0xefffffffx", "-12",	  "+4026531839",
	};

	if (pick(seed, 5))
		put(l, "-1+0xefffffff");
	else
		put(l, "%s", others[pick(seed, ARRAY_SIZE(others))]);
}

static void put_odd_entry(unsigned int *seed, struct line *l)
{
	static const char *const odd[] = { "", "x", "0", "0!1G", "-64M!1G", "64M", "!1G", "1G!",
					   "640K$0", "1G%0-2+5", "0x!1G", "09M!1G", "64M!1G!2G",
					   "1G!0xffffffffffffffff", "G", "64M!1Gx", "64M@600M" };

	put(l, "%s", odd[pick(seed, ARRAY_SIZE(odd))]);
}

static void put_exactmap(unsigned int *seed, struct line *l)
{
	put(l, "exactmap%s", pick(seed, 9) ? "" : "x");
	if (pick(seed, 8))
		put(l, ",639K@0");
	if (pick(seed, 8))
		put(l, ",511M@1M");
}

/* Mostly what is to be kept, or something beside or over it. */
static void put_entry(unsigned int *seed, struct line *l, const struct kexec_keep *k)
{
	static const char kinds[] = "!!!!$#@%%";
	uint64_t start = k->phys, size = k->size;
	char kind = k->kind;

	switch (pick(seed, 24)) {
	case 0:
		put_odd_entry(seed, l);
		return;
	case 1:
		if (pick(seed, 3) == 0) {
			put_exactmap(seed, l);
			return;
		}
		put_number(seed, l, (1 + pick(seed, 300)) * UNIT);
		return;
	case 2:
	case 3:
		start += (pick(seed, 9) - 4) * UNIT;
		break;
	case 4:
	case 5:
		size = (1 + pick(seed, 12)) * UNIT;
		break;
	case 6:
		kind = kinds[pick(seed, sizeof(kinds) - 1)];
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		start = TOP + pick(seed, 250) * UNIT;
		size = (1 + pick(seed, 12)) * UNIT;
		kind = kinds[pick(seed, sizeof(kinds) - 1)];
		break;
	}
	start = MAX(start, TOP);
	put_number(seed, l, size);
	put(l, "%c", kind);
	put_number(seed, l, start);
	if (kind == '%')
		put_types(seed, l);
}

static void put_other_word(unsigned int *seed, struct line *l)
{
	static const char *const others[] = {
		"ro",	      "quiet",	       "xmemmap=64M!1G", "foo.memmap=64M!1G",
		"nokaslr",    "mem=0",	       "mem=nopentium",	 "a=\"b c\"",
		"\"nokaslr\"", "a=\"b nokaslr c\"", "nokaslr=1",  "memmap",
		"mem",	      "mem=x",	       "mem=2Gx",	 "\"a b\"",
		"=memmap=64M!1G", "a\"b=\"c d", "crashkernel=64M@1G", "ro\xa0nokaslr",
		"\"",
	};

	put(l, "%s", others[pick(seed, ARRAY_SIZE(others))]);
}

static void put_memmap_word(unsigned int *seed, struct line *l, const struct kexec_keep *k)
{
	uint64_t entries = pick(seed, 3) ? 1 : 1 + pick(seed, 6), quote = pick(seed, 10);

	put(l, "%smemmap=%s", quote == 0 ? "\"" : "", quote == 1 ? "\"" : "");
	for (uint64_t i = 0; i < entries; i++) {
		if (i)
			put(l, ",");
		put_entry(seed, l, k);
	}
	put(l, "%s", quote < 2 ? "\"" : "");
}

static void make_line(unsigned int *seed, struct line *l, const struct kexec_keep *k)
{
	static const char *const blanks[] = { " ", " ", " ", "  ", "\t", "\xa0", "\n" };
	uint64_t words = 1 + pick(seed, 6);

	l->n = 0;
	l->s[0] = '\0';
	if (pick(seed, 200) == 0)
		put(l, "%0*d ", (int)(1900 + pick(seed, 200)), 0);
	for (uint64_t i = 0; i < words; i++) {
		uint64_t what = pick(seed, 30);

		if (i)
			put(l, "%s", blanks[pick(seed, ARRAY_SIZE(blanks))]);
		if (what < 7)
			put_other_word(seed, l);
		else if (what == 7 && pick(seed, 3) == 0)
			put(l, "--");
		else if (what == 8) {
			put(l, "mem=");
			put_number(seed, l, (1 + pick(seed, 300)) * UNIT);
		} else {
			put_memmap_word(seed, l, k);
		}
	}
}

/* --- why a line that is safe may be refused --- */

static bool is_the_word(const struct model_entry *e, const struct kexec_keep *k)
{
	return e->op == k->kind && e->start == k->phys && e->size == k->size &&
	       (e->op != '%' || (e->from <= MODEL_RAM && e->to == MODEL_SOFT));
}

/* A limit may come before or behind what it would hurt; less than this is taken for too little. */
static bool limit_counts(const struct model_entry *e, const struct kexec_keep *k)
{
	return e->size < 128 * MIB ||
	       (e->size < k->phys + k->size && (k->kind == '%' || e->size > k->phys));
}

static const char *excuse(const struct model *m, const struct kexec_keep *k)
{
	if (m->odd)
		return "an entry is not what its author meant";
	if (m->words > MODEL_AVOIDED && !m->stays)
		return "more words than the kernel avoids";
	if (m->exactmap)
		return "exactmap";
	if (m->at)
		return "another word reaches for memory";
	for (int i = 0; i < m->n_entries; i++) {
		const struct model_entry *e = &m->entries[i];

		if (e->op ? !is_the_word(e, k) &&
			    ranges_overlap(e->start, e->size, k->phys, k->size) :
			    limit_counts(e, k))
			return "another entry reaches for the region";
		if (e->op && e->op != '@' && e->start <= 64 * KIB)
			return "an entry takes memory below 1 MiB";
	}
	return NULL;
}

/* --- one line --- */

struct tally {
	unsigned int accepted, safe;
};

static void round_of(struct sysroot *s, unsigned int seed, struct tally *t)
{
	static struct model m;
	unsigned int state = seed;
	struct firmware f;
	struct kexec_keep k;
	struct line l;
	bool taken, safe;

	make_firmware(&state, &f);
	k = make_keep(&state, &f);
	make_line(&state, &l, &k);
	taken = kexec_check_reservations(s->ctx, l.s, &k, 1) == 0;
	model_read(&m, f.v, f.n, l.s);
	safe = m.boots && !model_may_land(&m, k.phys, k.size) &&
	       model_has(&m, k.phys, k.size, k.kind == '!' ? MODEL_PMEM : MODEL_SOFT);
	if (taken && !safe)
		fail_msg("seed %u: accepted, but not safe (%s): %" PRIu64 "M%c%" PRIu64 "M: %s",
			 seed, m.boots ? "it boots" : "it does not boot", k.size / MIB, k.kind,
			 k.phys / MIB, l.s);
	if (safe && !taken && !excuse(&m, &k))
		fail_msg("seed %u: refused without a reason: %" PRIu64 "M%c%" PRIu64 "M: %s", seed,
			 k.size / MIB, k.kind, k.phys / MIB, l.s);
	t->accepted += taken;
	t->safe += safe;
}

/*
 * What is accepted must be safe in the model. What is safe must be accepted, but for what is
 * refused on purpose (tests/lines/refusals); and that must be the lesser part, or the test is idle.
 * PKRAM_SEED: other lines than always.
 */
static void test_against_model(void **state)
{
	struct sysroot *s = *state;
	const char *text = getenv("PKRAM_SEED");
	unsigned int first = text ? (unsigned int)strtoul(text, NULL, 0) : 1;
	struct tally t = { 0 };

	pkram_set_log_fn(s->ctx, NULL, NULL, 0);
	for (unsigned int i = 0; i < ROUNDS; i++)
		round_of(s, first + i, &t);
	print_message("%u lines from seed %u on: %u safe, %u of them accepted\n", ROUNDS, first,
		      t.safe, t.accepted);
	assert_true(t.accepted > ROUNDS / 10);
	assert_true(t.accepted * 2 > t.safe);
}

/* Kernels that read less of the line before they place themselves. */
static void test_old_kernels(void **state)
{
	static const struct {
		const char *version, *config, *line, *why;
	} cases[] = {
		{ "4.9.0-19-amd64", NULL, "memmap=1G!4G", "reads no memmap= word" },
		{ "4.10.17", NULL, "memmap=1G!4G", "reads no memmap= word" },
		{ "4.9.0", "# CONFIG_RANDOMIZE_BASE is not set\n", "memmap=1G!4G", NULL },
		{ "4.9.0", "CONFIG_RANDOMIZE_BASE=y\n", "memmap=1G!4G", "next kernel, 4.9.0, is" },
		{ "4.9.0", NULL, "memmap=1G!4G nokaslr", NULL },
		{ "4.9.0", NULL, "memmap=1G!4G,1M$9G,1M$10G,1M$11G,1M$12G", "reads no" },
		{ "4.4.0-210-generic", NULL, "memmap=1G!4G", NULL },
		{ "4.11.12", NULL, "memmap=1G!4G", NULL },
		{ "4.12.14-120-default", NULL, "memmap=1G!4G memmap=1M$9G", "reads the last" },
		{ "4.13.0", NULL, "memmap=1G!4G memmap=1M$9G", NULL },
		{ "6.12.1", NULL, "memmap=1G!4G", NULL },
		{ "vmlinuz", NULL, "memmap=1G!4G", NULL },
	};
	struct kexec_keep high = { "a", 4 * GIB, GIB, '!' }, low = { "b", 512 * MIB, MIB, '!' };
	struct sysroot *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		sysroot_forget(s);
		r = kexec_check_old_kernel(s->ctx, cases[i].version, cases[i].config,
					   cases[i].line, &high, 1);
		if (r != (cases[i].why ? -EUCLEAN : 0) ||
		    (cases[i].why && !sysroot_logged(s, cases[i].why)))
			fail_msg("%s: %d %s", cases[i].version, r, s->log);
	}
	assert_int_equal(kexec_check_old_kernel(s->ctx, "4.4.0", NULL, "memmap=1M!512M", &low, 1),
			 -EUCLEAN);
	high.kind = 0;
	assert_int_equal(kexec_check_old_kernel(s->ctx, "4.9.0", NULL, "ro", &high, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parse, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_check, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_several_keeps, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_length, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_two_lines, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_old_kernels, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_against_model, sysroot_setup,
						sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
