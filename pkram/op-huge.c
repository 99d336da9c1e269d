/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op-huge.h"

#include <inttypes.h>

#include "machine.h"

/* Less is copied in a tenth of a second, whatever the pages are. */
#define WORTH_SAYING (256 * MIB)

void op_huge_begin(struct pkram_ctx *ctx, const char *mount_options, struct op_huge *h)
{
	*h = (struct op_huge){
		.page = machine_tmpfs_huge_page(ctx),
		.chosen = tree_mount_overridden("huge", mount_options),
	};
}

void op_huge_add(struct op_huge *h, const struct tree_view *view, const struct tree_place *place,
		 const char *target)
{
	_cleanup_free_ char *point = NULL;
	struct tree_view_info info;
	bool mounted = tree_place_mounts(place);
	uint64_t large;

	tree_view_info(view, &info);
	h->data += info.data;
	large = h->page && !(mounted && h->chosen) ? tree_view_large(view, h->page) : 0;
	if (large)
		point = tree_place_small_pages(place);
	if (!point)
		return;
	h->small += large;
	if (h->trees++)
		return;
	h->target = strdup(target);
	h->point = TAKE_PTR(point);
	h->mounted = mounted;
}

void op_huge_say(struct pkram_ctx *ctx, const struct op_huge *h)
{
	char others[32] = "";

	/* Where most bytes are those of small files, the whole would hardly be faster. */
	if (h->small < WORTH_SAYING || h->small < h->data / 2 || !h->target)
		return;
	if (h->trees > 1)
		snprintf(others, sizeof(others), " and %u more", h->trees - 1);
	pkram_log_info(ctx,
		       "%s%s: %" PRIu64 " MiB of large files lie on small pages; huge ones take "
		       "them 2 to 5 times as fast; for the next time: %s%s",
		       h->target, others, h->small / MIB,
		       h->mounted ? "pkram restore --mount=huge=within_size" :
				    "mount -o remount,huge=within_size ",
		       h->mounted ? "" : h->point);
}

void op_huge_end(struct op_huge *h)
{
	free(h->target);
	free(h->point);
}
