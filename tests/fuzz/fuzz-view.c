/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a byte, how many holes; those; an EROFS image. What the view makes of the image is then
 * asked for as restore asks.
 */
#include <endian.h>

#include "fuzz.h"
#include "tree-erofs.h"
#include "tree-view.h"

struct image {
	const uint8_t *bytes;
	size_t size;
};

static int image_read(void *arg, uint64_t off, size_t len, void *buf)
{
	const struct image *img = arg;

	/* A view asks for nothing outside. */
	if (!range_ok(off, len, img->size))
		abort();
	memcpy(buf, img->bytes + off, len);
	return 0;
}

static int see_path(void *arg, const char *path)
{
	*(size_t *)arg += strlen(path);
	return 0;
}

struct extents {
	const struct tree_view *v;
	uint64_t image_size;
};

static int see_extent(void *arg, const struct view_extent *e)
{
	const struct extents *x = arg;

	if (!range_ok(e->image, e->len, x->image_size) || e->file >= x->v->n_files ||
	    !range_ok(e->off, e->len, x->v->files[e->file].size))
		abort();
	return 0;
}

/* What tree-view.h promises to whoever reads the arrays. */
static void see(const struct tree_view *v, uint64_t image_size)
{
	struct extents x = { .v = v, .image_size = image_size };
	struct tree_view_info info;
	size_t sum = 0;

	tree_view_info(v, &info);
	for (uint32_t i = 0; i < v->n_files; i++) {
		const struct view_file *f = &v->files[i];

		if ((i && f->parent >= i) || f->mtime_nsec >= 1000000000 ||
		    f->xattrs + (size_t)f->n_xattrs > v->n_refs)
			abort();
		sum += strlen(view_text(v, f->name));
		if (S_ISLNK(f->mode))
			sum += strlen(view_text(v, f->target));
		for (uint32_t k = 0; k < f->n_xattrs; k++) {
			const struct view_xattr *xattr = &v->xattrs[v->xattr_refs[f->xattrs + k]];

			if (!range_ok(xattr->value, xattr->len, v->values.len))
				abort();
			sum += strlen(view_text(v, xattr->name));
		}
	}
	for (size_t i = 0; i < v->n_links; i++) {
		if (v->links[i].file >= v->n_files || v->links[i].parent >= v->n_files)
			abort();
		sum += strlen(view_text(v, v->links[i].name));
	}
	view_extents_at(v, 0, UINT64_MAX, see_extent, &x);
	tree_view_files_at(v, 0, UINT64_MAX, see_path, &sum);
	tree_view_files_at(v, 5000, 1, see_path, &sum);
}

/* Only a fuzzer that knows the polynomial would come past it. */
static uint8_t *without_checksum(const uint8_t *data, size_t size)
{
	struct erofs_super super;
	uint8_t *bytes = malloc(MAX(size, (size_t)1));

	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	if (size < EROFS_SUPER_OFFSET + sizeof(super))
		return bytes;
	memcpy(&super, bytes + EROFS_SUPER_OFFSET, sizeof(super));
	super.feature_compat &= ~htole32(EROFS_COMPAT_SB_CHKSUM);
	memcpy(bytes + EROFS_SUPER_OFFSET, &super, sizeof(super));
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkram_ctx *ctx = fuzz_ctx();
	_cleanup_free_ uint8_t *bytes = NULL;
	struct pkram_hole holes[4];
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image img;
	uint8_t n;

	fuzz_take(&data, &size, &n, 1);
	n %= ARRAY_SIZE(holes) + 1;
	fuzz_take(&data, &size, holes, n * sizeof(*holes));
	bytes = without_checksum(data, size);
	img = (struct image){ .bytes = bytes, .size = size };
	in = (struct tree_input){ .size = size, .read = image_read, .arg = &img };
	if (tree_view_new(ctx, &in, holes, n, &v) == 0)
		see(v, size);
	tree_view_free(v);
	pkram_unref(ctx);
	return 0;
}
