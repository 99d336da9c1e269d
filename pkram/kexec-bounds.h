/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where kexec_load may put the new kernel, and where it did.
 */
#pragma once

#include "ctx.h"

struct kexec_keep;
struct machine_ranges;

/* KEXEC_SEGMENT_MAX of the kernel. */
#define KEXEC_SEGMENTS 16u

struct kexec_bounds {
	uint64_t min, max; /* max: the last byte */
};

/*
 * The largest piece of RAM without any of the regions that reaches low enough. -ENOSPC (not
 * logged): there is none.
 */
int kexec_bounds_find(const struct machine_ranges *iomem, const struct kexec_keep *keep, size_t n,
		      struct kexec_bounds *ret);
/*
 * Whether the segments that `kexec -d` told of are all there, inside the bounds, and clear of the
 * regions. -EUCLEAN (logged) on any doubt.
 */
int kexec_segments_check(struct pkram_ctx *ctx, const char *told, const struct kexec_bounds *bounds,
			 const struct kexec_keep *keep, size_t n);
