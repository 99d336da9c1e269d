/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of the containers: that it survives, and that the next kernel keeps it.
 */
#include "op-check.h"

#include <inttypes.h>

/* --- region --- */

/* Whether the firmware itself calls all of the memory so: then the next kernel does, too. */
static bool firmware_describes(const struct machine_ranges *map, const struct machine_device *d,
			       const char *type)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->v[i].name, type) == 0 && map->v[i].start <= d->res_phys &&
		    map->v[i].end >= d->res_phys + (d->res_size - 1))
			return true;
	return false;
}

/* Memory of another kind than these two is the firmware's (NFIT). */
static char keep_kind(const struct machine_ranges *map, const struct machine_device *d)
{
	if (d->legacy)
		return firmware_describes(map, d, "Persistent Memory (legacy)") ? 0 : '!';
	if (d->soft_reserved)
		return firmware_describes(map, d, "Soft Reserved") ? 0 : '%';
	return 0;
}

static int note_memory(struct check *c, const struct container *at,
		       const struct machine_ranges *map, struct kexec_keep *ret)
{
	const struct machine_device *d = &at->device;

	if (!d->res_phys || !d->res_size) {
		pkram_log_refusal(c->ctx, "run as root",
				  "%s: cannot tell the address of its memory", at->spec);
		return -EUCLEAN;
	}
	*ret = (struct kexec_keep){ .what = at->spec, .phys = d->res_phys, .size = d->res_size,
				    .kind = keep_kind(map, d) };
	check_note(c, "%s: %" PRIu64 " MiB at %#" PRIx64 "%s", at->spec, d->res_size / MIB,
		   d->res_phys, ret->kind ? "" : ", described by the firmware");
	return 0;
}

int check_region(struct check *c)
{
	_cleanup_(machine_ranges_done) struct machine_ranges map = { 0 };
	int k = containers_find(&c->look, &c->all), bad = 0;

	if (k >= 0)
		k = containers_need_own(&c->look, &c->all);
	if (k >= 0 && strchr(store_region(c->look.store)->spec, '\n')) {
		pkram_log_refusal(c->ctx, "name it without", "the region's name has a newline");
		k = -EUCLEAN;
	}
	if (k < 0)
		return k;
	/* Where the firmware's map is not shown, nothing is described by it. */
	k = machine_firmware_map(c->ctx, &map);
	if (k < 0 && k != -ENOENT)
		return k;
	c->keep = calloc(c->all.n, sizeof(*c->keep));
	if (!c->keep)
		return -ENOMEM;
	for (size_t i = 0; i < c->all.n; i++) {
		k = note_memory(c, &c->all.v[i], &map, &c->keep[i]);
		bad = k < 0 ? k : bad;
	}
	return bad;
}

/* --- reservation --- */

/*
 * AMD's encryption of memory, by a key that stays until the firmware's reset. A kernel that is not
 * known is taken for one that does what its line says.
 */
static bool can_encrypt(const char *config)
{
	return !config || kexec_config_get(config, "CONFIG_AMD_MEM_ENCRYPT") == 'y';
}

static bool has_value(const struct kexec_word *w, const char *value)
{
	return w->value_len == strlen(value) && memcmp(w->value, value, w->value_len) == 0;
}

static bool encrypts(const char *line, const char *config)
{
	static const char option[] = "CONFIG_AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT";
	bool by_default = config && kexec_config_get(config, option) == 'y', on = by_default;
	struct kexec_word w;

	while (kexec_param_next(&line, &w))
		if (w.value && kexec_word_named(&w, "mem_encrypt"))
			on = has_value(&w, "on") || (by_default && !has_value(&w, "off"));
	return on && can_encrypt(config);
}

/* Of the first CPU, as all are alike; the key has the newline before it, and the tab behind it. */
static bool cpu_has(const char *cpuinfo, const char *key, const char *word)
{
	const char *at = strstr(cpuinfo, key);
	_cleanup_free_ char *line = at ? strndup(at + 1, strcspn(at + 1, "\n")) : NULL;

	return at && (!line || kexec_line_find(line, word, strlen(word), NULL));
}

/*
 * Whether the CPU is such that this kernel enciphers, or that another one may. The flag is there
 * where this one does; where it does not, Linux hides it from 5.18 on, and only the vendor tells.
 */
static bool cpu_encrypts(struct pkram_ctx *ctx, bool now)
{
	_cleanup_free_ char *text = NULL;

	if (machine_read(ctx, "/proc/cpuinfo", &text, NULL) < 0)
		return true;
	return now ? cpu_has(text, "\nflags\t", "sme") :
		     cpu_has(text, "\nvendor_id\t", "AuthenticAMD") ||
		     cpu_has(text, "\nvendor_id\t", "HygonGenuine");
}

static int check_encryption(struct check *c)
{
	_cleanup_free_ char *running = NULL;
	bool now, then = encrypts(c->read, c->config);
	int k = machine_cmdline(c->ctx, &running);

	if (k < 0)
		return k;
	now = encrypts(running, c->running_config);
	if (now == then || !cpu_encrypts(c->ctx, now))
		return 0;
	pkram_log_refusal(c->ctx,
			  then ? "pkram kexec --append mem_encrypt=off" :
			  can_encrypt(c->config) ? "pkram kexec --append mem_encrypt=on" :
			  "name one that is built with CONFIG_AMD_MEM_ENCRYPT with --kernel",
			  "%s kernel alone enciphers memory (mem_encrypt=on, or its default): the "
			  "next one would read the memory %s", now ? "this" : "the next",
			  now ? "without deciphering it" : "deciphered, which it is not to be");
	return -EUCLEAN;
}

int check_reservation(struct check *c)
{
	int k = kexec_check_lines(c->ctx, c->line, c->read, c->keep, c->all.n);
	int b = kexec_check_bootconfig(c->ctx, c->kernel.initrd, c->config, c->read);
	int o = !c->kernel.version ? 0 :
		kexec_check_old_kernel(c->ctx, c->kernel.version, c->config, c->line, c->keep,
				       c->all.n);
	int e = check_encryption(c);

	k = k ? k : b ? b : o ? o : e;
	if (k == 0)
		check_note(c, "the next command line keeps the memory of %zu container%s",
			   c->all.n, plural(c->all.n));
	return k;
}

/* --- firmware-map --- */

#define ALIGNMENT (16 * MIB)

/* Ranges that touch are one. */
static bool in_one_range(const struct machine_ranges *map, const struct kexec_keep *keep)
{
	uint64_t start = 0, end = 0;

	for (size_t i = 0; i < map->n; i++) {
		const struct machine_range *r = &map->v[i];

		if (strcmp(r->name, "System RAM") != 0)
			continue;
		if (!start || r->start != end + 1)
			start = r->start;
		end = r->end;
		if (start <= keep->phys && end >= keep->phys + (keep->size - 1))
			return true;
	}
	return false;
}

/* It works here, or there would be no device: another kernel may be less patient. */
int check_firmware_map(struct check *c)
{
	_cleanup_(machine_ranges_done) struct machine_ranges map = { 0 };
	static const char remedy[] = "reserve memory inside one usable range of the firmware's "
				     "map, start and size multiples of 16 MiB, and save anew";
	int k = machine_firmware_map(c->ctx, &map);

	if (k == -ENOENT) {
		check_note(c, "not shown by this kernel");
		return 0;
	}
	if (k < 0)
		return k;
	for (size_t i = 0; i < c->all.n; i++) {
		const struct kexec_keep *keep = &c->keep[i];

		if (!keep->kind)
			continue;
		if (!in_one_range(&map, keep))
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, remedy,
				       "%s: its memory is not inside one usable range of the "
				       "firmware's map: the next kernel may make no device of it",
				       keep->what);
		else if (!IS_ALIGNED(keep->phys | keep->size, ALIGNMENT))
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, remedy,
				       "%s: its memory does not start and end at a multiple of 16 "
				       "MiB: the next kernel may not be able to map it",
				       keep->what);
	}
	check_note(c, "inside usable ranges");
	return 0;
}

/* --- other-memory: what else the running line keeps --- */

static bool is_kept(const struct check *c, const struct kexec_memmap *e)
{
	for (size_t i = 0; i < c->all.n; i++)
		if (ranges_overlap(e->start, e->size, c->keep[i].phys, c->keep[i].size))
			return true;
	return false;
}

static int compare_memmaps(struct check *c, const char *running)
{
	_cleanup_(kexec_memmaps_done) struct kexec_memmaps here = { 0 }, next = { 0 };
	struct pkram_ctx *quiet;
	int k = ctx_quiet(c->ctx, &quiet);

	if (k < 0)
		return k;
	/* A word that is not understood is the reservation's affair. */
	k = kexec_memmaps_parse(quiet, running, &here);
	if (k == 0)
		k = kexec_memmaps_parse(quiet, c->read, &next);
	pkram_unref(quiet);
	for (size_t i = 0; k == 0 && i < here.n; i++) {
		const struct kexec_memmap *e = &here.v[i];

		if (e->kind == KEXEC_MEMMAP_LIMIT || e->kind == KEXEC_MEMMAP_RAM ||
		    kexec_memmaps_have(&next, e) || is_kept(c, e))
			continue;
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
			       "put its memmap= on the next line, too, if it is still needed",
			       "the %" PRIu64 " KiB at %#" PRIx64 " that the running command line "
			       "reserves (%c) are ordinary memory to the next kernel",
			       e->size / KIB, e->start, (char)e->kind);
	}
	return k == -EINVAL ? 0 : k;
}

static bool keeps_memory(const struct kexec_word *w)
{
	return (w->name_len > 8 && memcmp(w->name, "ramoops.", 8) == 0) ||
	       kexec_word_named(w, "reserve_mem") || kexec_word_named(w, "crashkernel");
}

int check_other_memory(struct check *c)
{
	_cleanup_free_ char *running = NULL;
	struct kexec_word w;
	const char *p;
	int k = machine_cmdline(c->ctx, &running);

	if (k == 0)
		k = compare_memmaps(c, running);
	if (k < 0)
		return k;
	p = running;
	while (kexec_param_next(&p, &w))
		if (keeps_memory(&w) && !kexec_line_find(c->read, w.raw, w.raw_len, NULL))
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
				       "put it there, too, if it is still needed",
				       "%.*s is on the running command line, and not on the next",
				       (int)w.raw_len, w.raw);
	check_note(c, "the next command line keeps what the running one does");
	return 0;
}
