/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the containers of this machine.
 */
#include "op-containers.h"

#include "jump.h"

bool container_there(struct pkram_ctx *ctx, const char *spec)
{
	struct region *r;
	struct store *s;
	int k;

	if (region_open(ctx, spec, true, &r) < 0)
		return false;
	k = store_open(r, &s);
	if (k >= 0)
		store_close(s);
	return k >= 0 || k == -EBADMSG || k == -EPROTONOSUPPORT || k == -ENXIO;
}

void containers_done(struct containers *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].ours)
			store_close(c->v[i].store);
		free(c->v[i].spec);
	}
	free(c->v);
}

static int containers_add(struct containers *c, const struct machine_device *d, const char *spec,
			  struct store *store, bool ours)
{
	char *copy = strdup(spec);
	int k;

	k = copy ? array_grow(&c->v, &c->cap, c->n + 1, sizeof(*c->v)) : -ENOMEM;
	if (k < 0) {
		free(copy);
		return k;
	}
	c->v[c->n++] = (struct container){ .spec = copy, .device = *d, .store = store,
					   .ours = ours };
	return 0;
}

/*
 * A container that nobody named. One that cannot be opened is no reason to lose it. One that came
 * by the last jump arrives now, as it would by being opened: the new record takes the place of the
 * old one.
 */
static int add_other(struct pkram_region *region, struct containers *c,
		     const struct machine_device *d, const char *spec)
{
	struct pkram_ctx *ctx = region->ctx;
	struct store *store = NULL;
	struct region *bytes;
	int k;

	k = region_open(ctx, spec, region->read_only, &bytes);
	if (k >= 0)
		k = store_open(bytes, &store);
	if (k < 0) {
		pkram_log_warning(ctx, "%s: its container cannot be opened; its memory is kept",
				  spec);
		return containers_add(c, d, spec, NULL, false);
	}
	k = store_region(store)->read_only ? 0 : jump_claim(store);
	if (k < 0)
		log_error_errno(ctx, k, "%s: cannot record the arrival of its nodes: %m", spec);
	else
		k = containers_add(c, d, spec, store, true);
	if (k < 0)
		store_close(store);
	return k;
}

int containers_find(struct pkram_region *region, struct containers *c)
{
	const struct region *mine = store_region(region->store);
	_cleanup_free_ struct machine_device *devices = NULL;
	struct pkram_ctx *quiet;
	size_t n = 0;
	int k;

	k = machine_devices(region->ctx, &devices, &n);
	if (k < 0)
		return log_error_errno(region->ctx, k, "cannot look for regions: %m");
	k = ctx_quiet(region->ctx, &quiet);
	if (k < 0)
		return k;
	for (size_t i = 0; i < n && k >= 0; i++) {
		const struct machine_device *d = &devices[i];
		char spec[sizeof(d->path) + 8];

		snprintf(spec, sizeof(spec), "%s:%s",
			 d->kind == MACHINE_DEVICE_PMEM ? "pmem" : "devdax", d->path);
		if (strcmp(d->path, mine->path) == 0) {
			c->has_own = true;
			k = containers_add(c, d, mine->spec, region->store, false);
		} else if (!d->system_ram && container_there(quiet, spec)) {
			k = add_other(region, c, d, spec);
		}
	}
	pkram_unref(quiet);
	return k < 0 ? k : 0;
}

int containers_need_own(struct pkram_region *region, const struct containers *c)
{
	const struct region *mine = store_region(region->store);

	if (c->has_own)
		return 0;
	if (!region_survives(mine))
		pkram_log_refusal(region->ctx, "save into reserved memory",
				  "%s: a file does not survive the jump", mine->spec);
	else
		pkram_log_error(region->ctx, "%s: the kernel does not show where its memory lies",
				mine->spec);
	return -EUCLEAN;
}
