/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All memory of the machine that could hold a region: what sysfs shows as devices; what
 * /proc/iomem calls reserved for them while no driver has come; what memmap= keeps from everybody;
 * and the region that somebody named, if it is none of these.
 */
#include <inttypes.h>
#include <sys/stat.h>

#include "machine.h"
#include "op.h"
#include "op-memory.h"

static void row_done(struct pkram_memory *m)
{
	const char *strings[] = { m->device, m->spec, m->detail, m->reserved_by, m->hint };

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free((char *)strings[i]);
}

struct pkram_memory_list *pkram_memory_list_free(struct pkram_memory_list *list)
{
	if (!list)
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		row_done(&list->v[i]);
	free(list->v);
	free(list);
	return NULL;
}

size_t pkram_memory_list_count(const struct pkram_memory_list *list)
{
	return list->n;
}

const struct pkram_memory *pkram_memory_list_get(const struct pkram_memory_list *list,
						 size_t index)
{
	return index < list->n ? &list->v[index] : NULL;
}

/* A row with copies of all strings ("" for NULL). */
static int add(struct pkram_memory_list *list, const struct pkram_memory *row)
{
	const char **strings[5];
	struct pkram_memory copy = *row;
	bool ok = true;
	int k;

	k = array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v));
	if (k < 0)
		return k;
	strings[0] = &copy.device;
	strings[1] = &copy.spec;
	strings[2] = &copy.detail;
	strings[3] = &copy.reserved_by;
	strings[4] = &copy.hint;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		*strings[i] = strdup(*strings[i] ? *strings[i] : "");
		ok = ok && *strings[i];
	}
	if (!ok) {
		row_done(&copy);
		return -ENOMEM;
	}
	list->v[list->n++] = copy;
	return 0;
}

/* --- what all rows need to know --- */

struct survey {
	struct pkram_ctx *ctx;
	struct pkram_memory_list *list;
	struct pkram_ctx *quiet;
	struct machine_device *devices;
	size_t n_devices;
	struct machine_ranges iomem, firmware;
	struct op_words words;
	bool hidden;	/* addresses are for root alone */
};

static void survey_done(struct survey *s)
{
	free(s->devices);
	machine_ranges_done(&s->iomem);
	machine_ranges_done(&s->firmware);
	op_words_done(&s->words);
	pkram_unref(s->quiet);
	pkram_memory_list_free(s->list);
}

static int survey_begin(struct survey *s)
{
	_cleanup_free_ char *line = NULL;
	int k;

	s->list = calloc(1, sizeof(*s->list));
	if (!s->list)
		return -ENOMEM;
	k = ctx_quiet(s->ctx, &s->quiet);
	if (k == 0)
		k = machine_devices(s->ctx, &s->devices, &s->n_devices);
	if (k < 0)
		return k;
	k = machine_iomem(s->ctx, &s->iomem);
	s->hidden = k == -EPERM;
	if (s->hidden)
		pkram_log_warning(s->ctx, "addresses and contents are shown to root alone: what "
				  "lies where is told as far as others may see it");
	else if (k < 0)
		return k;
	k = machine_firmware_map(s->quiet, &s->firmware);
	if (k < 0)
		pkram_log_debug(s->ctx, "the firmware's memory map cannot be read: %s",
				strerror(-k));
	k = machine_cmdline(s->ctx, &line);
	return k < 0 ? k : op_words_find(s->quiet, line, &s->words);
}

/* What is known of the row decides what else can be said. */
static int finish(struct survey *s, struct pkram_memory *m, const char *why_no_driver)
{
	_cleanup_free_ char *words = NULL, *hint = NULL;
	int k;

	k = op_words_reserving(&s->words, &s->firmware, m, &words);
	if (k < 0)
		return k;
	m->reserved_by = words;
	if (m->kind == PKRAM_MEMORY_LEGACY_PMEM && s->firmware.n && m->phys && m->size &&
	    !machine_ranges_cover(&s->firmware, m->phys, m->size))
		hint = strdup("the firmware's map has no memory there, or not all of it; pkram "
			      "plan SIZE finds some");
	else
		hint = op_memory_hint(m, why_no_driver);
	if (!hint)
		return -ENOMEM;
	m->hint = hint;
	return add(s->list, m);
}

/* --- devices --- */

static enum pkram_memory_kind kind_of(const struct machine_device *d)
{
	if (d->ramdax)
		return PKRAM_MEMORY_RAMDAX;
	if (d->legacy)
		return PKRAM_MEMORY_LEGACY_PMEM;
	if (d->soft_reserved)
		return PKRAM_MEMORY_SOFT_RESERVED;
	return *d->nd_region ? PKRAM_MEMORY_NVDIMM : PKRAM_MEMORY_OTHER;
}

enum pkram_memory_mode op_device_mode(const struct machine_device *d)
{
	if (d->kind == MACHINE_DEVICE_PMEM)
		return d->fsdax ? PKRAM_MODE_FSDAX : PKRAM_MODE_RAW;
	return d->system_ram ? PKRAM_MODE_SYSTEM_RAM : PKRAM_MODE_DEVDAX;
}

static uint64_t device_usable(const struct machine_device *d)
{
	uint64_t head = d->kind == MACHINE_DEVICE_PMEM ? PKRAM_PMEM_BASE : 0;

	return d->size > head ? ALIGN_DOWN(d->size - head, (uint64_t)PKRAM_BLOCK) : 0;
}

static void fill_in(struct pkram_memory *m, const struct op_look *look)
{
	m->state = look->state;
	m->detail = look->detail;
	m->usable = look->usable ? look->usable : m->usable;
	if (m->state != PKRAM_MEMORY_CONTAINER)
		return;
	op_uuid_text(look->info.uuid, m->uuid);
	m->generation = look->info.generation;
	m->container_size = look->info.size;
	m->free = look->info.free;
	m->nodes = look->info.nodes;
}

static int look_at_device(struct survey *s, const struct machine_device *d, const char *spec,
			  struct op_look *look)
{
	*look = (struct op_look){ .state = PKRAM_MEMORY_UNKNOWN };
	if (d->system_ram) {
		look->state = PKRAM_MEMORY_LENT;
	} else if (!d->bound) {
		look->state = PKRAM_MEMORY_NO_DRIVER;
	} else if (*s->ctx->sysroot) {
		/* The devices of this machine are not those of the recorded one. */
		look->detail = strdup("a recorded machine has no devices to look into");
		return look->detail ? 0 : -ENOMEM;
	} else {
		return op_look(s->ctx, spec, look);
	}
	return 0;
}

static int add_device(struct survey *s, const struct machine_device *d)
{
	bool whole = d->legacy && !d->ramdax; /* the reserved memory is the device's */
	struct pkram_memory m = {
		.kind = kind_of(d), .mode = op_device_mode(d), .device = d->path,
		.phys = whole ? d->res_phys : d->phys, .size = whole ? d->res_size : d->size,
		.usable = device_usable(d), .align = d->align, .node = d->node,
	};
	char spec[sizeof(d->path) + 8];
	struct op_look look;
	int k;

	snprintf(spec, sizeof(spec), "%s:%s",
		 d->kind == MACHINE_DEVICE_PMEM ? "pmem" : "devdax", d->path);
	if (!d->system_ram)
		m.spec = spec;
	k = look_at_device(s, d, spec, &look);
	if (k < 0)
		return k;
	fill_in(&m, &look);
	k = finish(s, &m, NULL);
	op_look_done(&look);
	return k;
}

/* --- memory without a device --- */

static bool has_device(const struct survey *s, uint64_t start, uint64_t len)
{
	for (size_t i = 0; i < s->n_devices; i++) {
		const struct machine_device *d = &s->devices[i];

		if (ranges_overlap(d->res_phys, d->res_size, start, len) ||
		    ranges_overlap(d->phys, d->size, start, len))
			return true;
	}
	return false;
}

static int add_bare(struct survey *s, enum pkram_memory_kind kind, uint64_t start, uint64_t size)
{
	struct pkram_memory m = { .kind = kind, .state = PKRAM_MEMORY_NO_DRIVER, .phys = start,
				  .size = size, .node = -1 };
	char why[96] = "";
	struct machine_nd nd;

	if (kind == PKRAM_MEMORY_LEGACY_PMEM || kind == PKRAM_MEMORY_NVDIMM)
		m.usable = size > PKRAM_PMEM_BASE ? size - PKRAM_PMEM_BASE : 0;
	else if (kind == PKRAM_MEMORY_SOFT_RESERVED)
		m.usable = size;
	/* Its driver has come, and made no device of it. */
	if (machine_nd_at(s->ctx, start, &nd) == 0) {
		if (strncmp(nd.holder, "btt", 3) == 0)
			m.mode = PKRAM_MODE_SECTOR;
		snprintf(why, sizeof(why), "%s", *nd.ns ? nd.ns : nd.region);
	}
	return finish(s, &m, *why ? why : NULL);
}

static enum pkram_memory_kind kind_of_range(const char *name)
{
	static const struct {
		const char *name;
		enum pkram_memory_kind kind;
	} kinds[] = {
		{ "Persistent Memory (legacy)", PKRAM_MEMORY_LEGACY_PMEM },
		{ "Persistent Memory", PKRAM_MEMORY_NVDIMM },
		{ "Soft Reserved", PKRAM_MEMORY_SOFT_RESERVED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return 0;
}

static int add_ranges(struct survey *s)
{
	int k = 0;

	for (size_t i = 0; i < s->iomem.n && k == 0; i++) {
		const struct machine_range *r = &s->iomem.v[i];
		enum pkram_memory_kind kind = kind_of_range(r->name);
		uint64_t size = r->end - r->start + 1;

		/* All of the address space is no memory. */
		if (kind && size && !has_device(s, r->start, size))
			k = add_bare(s, kind, r->start, size);
	}
	return k;
}

static bool is_firmware_ram(const struct survey *s, uint64_t start, uint64_t size)
{
	for (size_t i = 0; i < s->firmware.n; i++) {
		const struct machine_range *r = &s->firmware.v[i];

		if (strcmp(r->name, "System RAM") == 0 && r->start <= start && r->end >= start &&
		    size - 1 <= r->end - start)
			return true;
	}
	return !s->firmware.n;
}

/* RAM that was taken from the kernel, if it is large enough to be meant for something. */
static int add_kept_ram(struct survey *s, uint64_t start, uint64_t size)
{
	return size >= PKRAM_MIN_SIZE && is_firmware_ram(s, start, size) ?
		add_bare(s, PKRAM_MEMORY_DEVMEM, start, size) : 0;
}

/* Of what memmap=nn$ss asks for, what has come about. */
static int add_reserved(struct survey *s, const struct op_word *w)
{
	int k = 0;

	if (s->hidden)
		return add_kept_ram(s, w->start, w->size);
	for (size_t i = 0; i < s->iomem.n && k == 0; i++) {
		const struct machine_range *r = &s->iomem.v[i];
		uint64_t start = MAX(r->start, w->start), last = w->start + (w->size - 1);

		last = MIN(r->end, last);
		if (strcmp(r->name, "Reserved") == 0 && start <= last)
			k = add_kept_ram(s, start, last - start + 1);
	}
	return k;
}

/* Who sees no addresses knows what the command line asked for. */
static bool is_wanted(const struct survey *s, const struct op_word *w)
{
	if (!s->hidden)
		return false;
	for (size_t i = 0; i < s->n_devices; i++)
		if (w->kind == KEXEC_MEMMAP_PMEM ? s->devices[i].legacy :
						   s->devices[i].soft_reserved)
			return false;
	return true;
}

static int add_word(struct survey *s, const struct op_word *w)
{
	if (w->kind == KEXEC_MEMMAP_RESERVED)
		return add_reserved(s, w);
	if (!is_wanted(s, w))
		return 0;
	return add_bare(s, w->kind == KEXEC_MEMMAP_PMEM ? PKRAM_MEMORY_LEGACY_PMEM :
							  PKRAM_MEMORY_SOFT_RESERVED,
			w->start, w->size);
}

static int add_words(struct survey *s)
{
	static const enum kexec_memmap_kind kinds[] = {
		KEXEC_MEMMAP_RESERVED, KEXEC_MEMMAP_PMEM, KEXEC_MEMMAP_CONVERT,
	};
	int k = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && k == 0; i++) {
		_cleanup_free_ struct op_word *v = NULL;
		size_t n = 0;

		k = op_words_join(&s->words, kinds[i], &v, &n);
		for (size_t w = 0; w < n && k == 0; w++)
			k = add_word(s, &v[w]);
	}
	return k;
}

static int by_address(const void *pa, const void *pb)
{
	const struct pkram_memory *a = pa, *b = pb;

	if (a->phys != b->phys)
		return a->phys < b->phys ? -1 : 1;
	return strverscmp(a->device, b->device);
}

/* --- the region that is named --- */

static bool is_listed(const struct survey *s, const char *device)
{
	for (size_t i = 0; i < s->list->n; i++)
		if (strcmp(s->list->v[i].device, device) == 0)
			return true;
	return false;
}

static int add_named(struct survey *s, const char *given)
{
	_cleanup_free_ char *spec = NULL, *path = NULL;
	struct pkram_memory m = { .kind = PKRAM_MEMORY_OTHER, .node = -1 };
	const struct region_ops *ops;
	const char *from = "", *named;
	struct op_look look;
	struct stat st;
	int k;

	k = op_named_spec(s->ctx, given, &spec, &from);
	if (k >= 0 && spec)
		k = op_spec_node(s->ctx, spec, &path, &st);
	if (k < 0 || !spec || is_listed(s, path))
		return k;
	ops = region_parse_spec(spec, &named);
	if (st.st_mode ? S_ISREG(st.st_mode) : !ops || ops == &region_ops_file)
		m.kind = PKRAM_MEMORY_FILE;
	k = op_look(s->ctx, spec, &look);
	if (k < 0)
		return k;
	if (S_ISBLK(st.st_mode))
		m.mode = PKRAM_MODE_RAW;
	m.device = path;
	m.spec = spec;
	m.size = m.kind == PKRAM_MEMORY_FILE ? (uint64_t)st.st_size : look.usable;
	fill_in(&m, &look);
	k = finish(s, &m, NULL);
	op_look_done(&look);
	return k;
}

int pkram_memory_list_new(struct pkram_ctx *ctx, const char *spec,
			  struct pkram_memory_list **ret_list)
{
	struct survey s = { .ctx = ctx };
	int k;

	k = survey_begin(&s);
	for (size_t i = 0; i < s.n_devices && k == 0; i++)
		k = add_device(&s, &s.devices[i]);
	if (k == 0)
		k = add_ranges(&s);
	if (k == 0)
		k = add_words(&s);
	if (k == 0 && s.list->n)
		qsort(s.list->v, s.list->n, sizeof(*s.list->v), by_address);
	if (k == 0)
		k = add_named(&s, spec);
	if (k == 0)
		*ret_list = TAKE_PTR(s.list);
	survey_done(&s);
	return k;
}
