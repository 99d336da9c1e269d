/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memmap= words: as they are read, as they are judged, and the judgement against a model of both
 * of the kernel's readers on random lines.
 */
#include "kexec.h"
#include "sysroot.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>

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
		{ "mem=2G memmap=1G!4G", 0, 1, 2, { { 0, 0, 2 * GIB }, { '!', 4 * GIB, GIB } } },
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
		for (size_t j = 0; j < m.n; j++)
			assert_memory_equal(&m.v[j], &cases[i].v[j], sizeof(m.v[j]));
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
		{ &pmem, "memmap=1G!4G memmap=1G!4G", NULL },
		{ &pmem, "mem=2G memmap=1G!4G", NULL },
		{ &pmem, "memmap=1G!4G mem=2G", NULL },
		{ &pmem, "memmap=1G!4G mem=6G", NULL },
		{ &pmem, "memmap=exactmap memmap=2G@1M memmap=1G!4G", NULL },
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
		{ &pmem, "memmap=1G!4G memmap=4608M", "cuts" },
		{ &pmem, "memmap=1G!4Gx", "memmap=1G!4Gx: not understood" },
		{ &pmem, "memmap=1G!4G crashkernel=256M@4352M", "crashkernel=256M@4352M" },
		{ &pmem, "memmap=1G!4G crashkernel=1G-:512M@3840M", "crashkernel" },
		{ &pmem, "memmap=1G!4G cma=64M@5100M", "cma" },
		{ &pmem, "memmap=1G!4G ramoops.mem_address=0x110000000", "ramoops" },
		{ &pmem, "memmap=1G!4G ramoops.mem-address=0x110000000", "ramoops" },
		{ &pmem, "memmap=1G!4G phram=a,4G,1M", "phram" },
		{ &pmem, "memmap=1G!4G efi_fake_mem=1G@8G:0x40000", "efi_fake_mem" },
		{ &pmem, "memmap=1M$1G memmap=1M$2G memmap=1M$3G memmap=1M$6G memmap=1G!4G",
		  "5 memmap= words" },
		{ &pmem, "memmap=1G!4G memmap=1M$1G memmap=1M$2G memmap=1M$3G memmap=1M$6G",
		  "5 memmap= words" },
		{ &pmem, "memmap=1M$1G,1M$2G,1M$3G,1M$6G memmap=1G!4G", "not among the 4 first" },
		{ &pmem, "mem=0 memmap=1G!4G", "place itself at random" },
		{ &pmem, "memmap=exactmap,1G!4G", "place itself at random" },
		{ &pmem, "memmap=1G!4G -- nokaslr memmap=x", NULL },
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

/* --- a model of the kernel --- */

/*
 * Memory in units of 64 MiB; the firmware has RAM in [1, UNITS). The map is a list of entries;
 * where they overlap the highest type counts, and any end of an entry cuts persistent memory in
 * two.
 */
#define UNIT (64 * MIB)
#define UNITS 160
#define RAM 1u
#define PRAM 12u
#define SOFT 0xefffffffu

struct model {
	struct { uint64_t start, end; uint32_t type; } e[256];
	int n;
	bool landing[UNITS];	/* where KASLR may put the kernel */
};

static void model_add(struct model *m, uint64_t start, uint64_t end, uint32_t type)
{
	assert_true(m->n < 256);
	if (start < end) {
		m->e[m->n].start = start;
		m->e[m->n].end = end;
		m->e[m->n++].type = type;
	}
}

/* Takes [start, end) of the type away, or gives it another type. */
static void model_change(struct model *m, uint64_t start, uint64_t end, uint32_t from, uint32_t to)
{
	int n = m->n;

	for (int i = 0; i < n; i++) {
		uint64_t a = m->e[i].start, b = m->e[i].end, lo = a > start ? a : start,
			 hi = b < end ? b : end;

		if ((from && m->e[i].type != from) || lo >= hi)
			continue;
		m->e[i].end = lo;
		model_add(m, hi, b, m->e[i].type);
		if (to)
			model_add(m, lo, hi, to);
	}
}

static uint64_t model_size(char **p)
{
	static const char units[] = "kmgt";
	uint64_t v = strtoull(*p, p, 0);
	const char *u = **p ? strchr(units, tolower((unsigned char)**p)) : NULL;

	if (u) {
		v <<= 10 * (u - units + 1);
		++*p;
	}
	return v;
}

static void model_entry(struct model *m, char *p)
{
	uint64_t size, start;
	uint32_t from = 0, to = 0;
	char op;

	if (strncmp(p, "exactmap", 8) == 0) {
		m->n = 0;
		return;
	}
	size = model_size(&p);
	op = *p;
	if (op)
		p++;
	start = op ? model_size(&p) : 0;
	if (op == '%') {
		if (*p == '-')
			from = (uint32_t)strtoul(p + 1, &p, 0);
		if (*p == '+')
			to = (uint32_t)strtoul(p + 1, &p, 0);
		if (!from && to)
			model_add(m, start, start + size, to);
		else
			model_change(m, start, start + size, from, to);
	} else if (op) {
		model_add(m, start, start + size,
			  op == '!'   ? PRAM
			  : op == '$' ? 2
			  : op == '#' ? 3
				      : RAM);
	} else {
		model_change(m, size, UINT64_MAX, RAM, 0);
	}
}

/*
 * Cuts off the next word in place. The lines of this test have quotes around whole words and
 * values only.
 */
static char *model_word(char **p)
{
	char *out, *w, *d;
	bool quote = false;

	while (**p == ' ')
		++*p;
	if (!**p)
		return NULL;
	out = w = d = *p;
	for (; *w && (quote || *w != ' '); w++) {
		if (*w == '"')
			quote = !quote;
		else
			*d++ = *w;
	}
	*p = *w ? w + 1 : w;
	*d = '\0';
	return out;
}

struct model_kaslr {
	uint64_t start[4], end[4], limit;
	int n;
	bool off, stopped;
};

static void model_kaslr_list(struct model_kaslr *k, char *list)
{
	char *next = list;

	if (k->n == 4)
		return;
	for (char *p = next; p && k->n < 4; p = next) {
		uint64_t size, start = 0;

		next = strchr(p, ',');
		if (next)
			*next++ = '\0';
		if (strncmp(p, "exactmap", 8) == 0)
			return;
		size = model_size(&p);
		if (*p == '@')
			continue;
		if (*p && strchr("#$!", *p)) {
			p++;
			start = model_size(&p);
		}
		if (start) {
			k->start[k->n] = start;
			k->end[k->n++] = start + size;
		} else if (size && size < k->limit) {
			k->limit = size;
		}
	}
	if (k->n == 4 && next)
		k->off = true;
}

static void model_read(struct model *m, const char *line)
{
	_cleanup_free_ char *one = strdup(line), *two = strdup(line);
	struct model_kaslr k = { .limit = UINT64_MAX };
	char *p = one, *w;

	memset(m, 0, sizeof(*m));
	model_add(m, UNIT, UNITS * UNIT, RAM);
	while ((w = model_word(&p)) && strcmp(w, "--") != 0) {
		if (strncmp(w, "memmap=", 7) == 0)
			for (char *e = strtok(w + 7, ","); e; e = strtok(NULL, ","))
				model_entry(m, e);
		else if (strncmp(w, "mem=", 4) == 0 && isdigit((unsigned char)w[4]) &&
			 strcmp(w, "mem=0") != 0)
			model_entry(m, w + 4);
	}
	p = two;
	while ((w = model_word(&p)) && strcmp(w, "--") != 0) {
		char *v = w + 4;

		if (strcmp(w, "nokaslr") == 0)
			k.off = true;
		else if (k.stopped)
			continue;
		else if (strncmp(w, "memmap=", 7) == 0)
			model_kaslr_list(&k, w + 7);
		else if (strcmp(w, "mem=0") == 0)
			k.stopped = true;
		else if (strncmp(w, "mem=", 4) == 0 && isdigit((unsigned char)*v)) {
			uint64_t size = model_size(&v);

			k.limit = size < k.limit ? size : k.limit;
		}
	}
	for (uint64_t u = 1; u < UNITS; u++) {
		m->landing[u] = !k.off && u * UNIT < k.limit;
		for (int i = 0; i < k.n; i++)
			if (u * UNIT < k.end[i] && k.start[i] < (u + 1) * UNIT)
				m->landing[u] = false;
	}
}

static uint32_t model_type(const struct model *m, uint64_t at)
{
	uint32_t type = 0;

	for (int i = 0; i < m->n; i++)
		if (m->e[i].start <= at && at < m->e[i].end && m->e[i].type > type)
			type = m->e[i].type;
	return type;
}

/*
 * Whether the keep comes back as one device of its kind at its place, and nothing may fall on it.
 */
static bool model_safe(const struct model *m, const struct kexec_keep *k)
{
	uint32_t type = k->kind == '!' ? PRAM : SOFT;
	uint64_t end = k->phys + k->size;
	bool starts = false, ends = false;

	for (int i = 0; i < m->n; i++) {
		starts |= m->e[i].start == k->phys || m->e[i].end == k->phys;
		ends |= m->e[i].start == end || m->e[i].end == end;
		if ((m->e[i].start > k->phys && m->e[i].start < end) ||
		    (m->e[i].end > k->phys && m->e[i].end < end))
			return false;
	}
	for (uint64_t at = k->phys; at < end; at += UNIT)
		if (model_type(m, at) != type || m->landing[at / UNIT])
			return false;
	return starts && ends;
}

static uint64_t pick(unsigned int *seed, uint64_t n)
{
	return (uint64_t)rand_r(seed) % n;
}

static size_t put_number(unsigned int *seed, char *p, size_t room, uint64_t units)
{
	static const char *const forms[] = { "%" PRIu64, "%#" PRIx64, "%#" PRIo64 };
	static const char suffix[] = "MmKk";
	size_t form = pick(seed, 3), s = pick(seed, 5);
	uint64_t v = units * UNIT >> (s < 2 ? 20 : s < 4 ? 10 : 0);
	int n = form == 0 ? snprintf(p, room, forms[0], v) :
		form == 1 ? snprintf(p, room, forms[1], v) : snprintf(p, room, forms[2], v);

	if (s < 4) {
		p[n++] = suffix[s];
		p[n] = '\0';
	}
	return (size_t)n;
}

static size_t put_entry(unsigned int *seed, char *p, size_t room, const struct kexec_keep *keep,
			size_t n_keep)
{
	static const char kinds[] = "!!!!!$#@%%";
	bool right = pick(seed, 3) != 0;
	const struct kexec_keep *k = &keep[pick(seed, n_keep)];
	uint64_t start = right ? k->phys / UNIT : 1 + pick(seed, 80),
		 size = right ? k->size / UNIT : 1 + pick(seed, 12);
	char kind = right ? k->kind : kinds[pick(seed, sizeof(kinds) - 1)];
	size_t n;

	if (pick(seed, 25) == 0)
		return (size_t)snprintf(p, room, "exactmap");
	n = put_number(seed, p, room, size);
	if (pick(seed, 25) == 0)
		return n;
	p[n++] = kind;
	n += put_number(seed, p + n, room - n, start);
	if (kind == '%')
		n += (size_t)snprintf(p + n, room - n, "%s", pick(seed, 6) ? "-1+0xefffffff" :
				      pick(seed, 2) ? "+0xefffffff" : "-2+0xefffffff");
	return n;
}

static void put_line(unsigned int *seed, char *p, size_t room, const struct kexec_keep *keep,
		     size_t n_keep)
{
	static const char *const others[] = {
		"ro",      "quiet", "xmemmap=64M!1G", "foo.memmap=64M!1G",
		"nokaslr", "mem=0", "mem=nopentium",  "a=\"b c\""
	};
	size_t n = 0, words = 1 + pick(seed, 7);

	*p = '\0';
	for (size_t i = 0; i < words; i++) {
		uint64_t what = pick(seed, 30), quote = pick(seed, 8);

		if (n)
			p[n++] = ' ';
		if (what < 6) {
			n += (size_t)snprintf(p + n, room - n, "%s",
					      others[pick(seed, ARRAY_SIZE(others))]);
		} else if (what == 6) {
			n += (size_t)snprintf(p + n, room - n, "mem=");
			n += put_number(seed, p + n, room - n, 1 + pick(seed, 100));
		} else if (what == 7 && pick(seed, 3) == 0) {
			n += (size_t)snprintf(p + n, room - n, "--");
		} else {
			size_t entries = 1 + (pick(seed, 3) ? 0 : pick(seed, 5));

			n += (size_t)snprintf(p + n, room - n, "%smemmap=%s",
					      quote == 0 ? "\"" : "", quote == 1 ? "\"" : "");
			for (size_t j = 0; j < entries; j++) {
				if (j)
					p[n++] = ',';
				n += put_entry(seed, p + n, room - n, keep, n_keep);
			}
			n += (size_t)snprintf(p + n, room - n, "%s", quote < 2 ? "\"" : "");
		}
	}
}

/*
 * What is accepted must be safe in the model; and most of what is safe is accepted, or the test
 * is idle.
 */
static void test_against_model(void **state)
{
	struct sysroot *s = *state;
	unsigned int first = (unsigned int)time(NULL) * 40000u, accepted = 0, safe_lines = 0;

	pkram_set_log_fn(s->ctx, NULL, NULL, 0);
	for (unsigned int i = 0; i < 40000; i++) {
		unsigned int seed = first + i;
		struct kexec_keep keep[2] = {
			{ "A", (1 + pick(&seed, 30)) * UNIT, (1 + pick(&seed, 12)) * UNIT, '!' },
			{ "B", (43 + pick(&seed, 30)) * UNIT, (1 + pick(&seed, 12)) * UNIT, '!' },
		};
		size_t n = 1 + pick(&seed, 2);
		static struct model m;
		char line[2048];
		bool safe, ok;

		for (size_t j = 0; j < n; j++)
			keep[j].kind = pick(&seed, 4) ? '!' : '%';
		put_line(&seed, line, sizeof(line), keep, n);
		ok = kexec_check_reservations(s->ctx, line, keep, n) == 0;
		model_read(&m, line);
		safe = model_safe(&m, &keep[0]) && (n == 1 || model_safe(&m, &keep[1]));
		if (ok && !safe)
			fail_msg("seed %u: accepted, but not safe: %s (%c %" PRIu64 "M+%" PRIu64
				 "M, %c %" PRIu64 "M+%" PRIu64 "M, %zu)",
				 first + i, line, keep[0].kind, keep[0].phys / MIB,
				 keep[0].size / MIB, keep[1].kind, keep[1].phys / MIB,
				 keep[1].size / MIB, n);
		accepted += ok;
		safe_lines += safe;
	}
	print_message("seed %u: %u of 40000 lines accepted, %u safe\n", first, accepted,
		      safe_lines);
	assert_true(accepted > 2000);
	assert_true(accepted * 10 > safe_lines * 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parse, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_check, sysroot_setup, sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_several_keeps, sysroot_setup,
						sysroot_teardown),
		cmocka_unit_test_setup_teardown(test_against_model, sysroot_setup,
						sysroot_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
