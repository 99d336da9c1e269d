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

int check_reservation(struct check *c)
{
	int k = kexec_check_reservations(c->ctx, c->line, c->keep, c->all.n);

	if (k == 0)
		check_note(c, "the next command line keeps the memory of %zu container%s",
			   c->all.n, c->all.n == 1 ? "" : "s");
	return k;
}
