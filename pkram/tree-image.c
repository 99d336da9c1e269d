/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tree image from its start to its end: opens the source, has it scanned and laid out, and
 * answers what is asked of it. Comparing a source with what was saved of it is a scan without an
 * image.
 */
#include "tree-save.h"

#include <fcntl.h>

#include "machine.h"
#include "tree-mount.h"

/* Sets fs_type, and mount_options of a mount point in memory. */
static int find_mount(struct tree_image *img, const struct statx *root)
{
	_cleanup_free_ char *table = NULL, *type = NULL, *options = NULL;
	int r;

	r = tree_mounts_read(img->ctx, &table);
	if (r < 0)
		return r;
	r = machine_mount_find(table, root->stx_mnt_id, &type, &options);
	if (r < 0)
		return log_error_errno(img->ctx, r, "%s: its mount cannot be found in "
				       "/proc/self/mountinfo: %m", img->path);
	/* Only what lives in memory is mounted anew by restore. */
	if ((root->stx_attributes & STATX_ATTR_MOUNT_ROOT) && !img->single &&
	    (strcmp(type, "tmpfs") == 0 || strcmp(type, "hugetlbfs") == 0))
		img->mount_options = TAKE_PTR(options);
	img->fs_type = TAKE_PTR(type);
	return 0;
}

static int open_root(struct tree_image *img, const char *path)
{
	_cleanup_free_ char *dir = NULL;
	struct statx st;
	size_t base;
	int r;

	img->path = realpath(path, NULL);
	if (!img->path)
		return log_error_errno(img->ctx, -errno, "%s: %m%s", path, error_hint(-errno));
	r = tree_statx(AT_FDCWD, img->path, &st);
	if (r < 0)
		return log_error_errno(img->ctx, r, "%s: %m", img->path);
	img->single = !S_ISDIR(st.stx_mode);
	base = img->single ? (size_t)(strrchr(img->path, '/') - img->path) : strlen(img->path);
	img->base = strndup(img->path, img->single || base > 1 ? base : 0);
	if (!img->base)
		return -ENOMEM;
	img->root_fd = tree_open(AT_FDCWD, *img->base ? img->base : "/", O_DIRECTORY);
	if (img->root_fd < 0)
		return log_error_errno(img->ctx, img->root_fd, "%s: cannot be opened: %m%s",
				       img->path, error_hint(img->root_fd));
	r = tree_statx(img->root_fd, "", &st);
	return r < 0 ? r : find_mount(img, &st);
}

int tree_image_new(struct pkram_ctx *ctx, const char *path, const struct tree_scan_options *o,
		   struct tree_image **ret)
{
	_cleanup_(tree_image_free_p) struct tree_image *img = calloc(1, sizeof(*img));
	int r;

	if (!img)
		return -ENOMEM;
	img->ctx = pkram_ref(ctx);
	img->opts = *o;
	img->root_fd = -1;
	img->sigio_harmless = tree_sigio_harmless();
	pthread_mutex_init(&img->lock, NULL);
	img->open_dirs = o->dirs;
	r = o->dirs ? 0 : tree_dirs_new(&img->own_dirs);
	if (r < 0)
		return r;
	if (!o->dirs)
		img->open_dirs = img->own_dirs;
	r = open_root(img, path);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(img);
	return 0;
}

int tree_image_scan(struct tree_image *img, const struct tree_sink *sink)
{
	int r;

	img->early.sink = sink;
	r = tree_scan(img);
	if (r < 0)
		return r;
	if (img->losses > TREE_NAMED_MAX)
		pkram_log_warning(img->ctx, "%s: %llu more thing%s below cannot be carried",
				  img->path, (unsigned long long)img->losses - TREE_NAMED_MAX,
				  plural(img->losses - TREE_NAMED_MAX));
	if (img->losses && !img->opts.allow_lossy)
		return -EOPNOTSUPP;
	if (img->not_quiet && !img->opts.live) {
		tree_named_end(img);
		return -EBUSY;
	}
	return tree_emit_finish(img);
}

int tree_source_check(struct pkram_ctx *ctx, const char *path, uint64_t fingerprint)
{
	const struct tree_scan_options o = { .allow_lossy = true, .cross_mounts = fingerprint & 1 };
	_cleanup_(tree_image_free_p) struct tree_image *img = NULL;
	int r;

	r = tree_image_new(ctx, path, &o, &img);
	if (r < 0)
		return r;
	img->probe = true;
	r = tree_scan(img);
	if (r == 0)
		r = tree_check_unleased(img);
	if (r < 0)
		return r;
	tree_named_end(img);
	if (img->not_quiet)
		return -EBUSY;
	return img->fingerprint == fingerprint ? 0 : -ESTALE;
}

struct tree_image *tree_image_free(struct tree_image *img)
{
	if (!img)
		return NULL;
	for (size_t i = 0; i < img->n_files; i++)
		tree_file_drop(&img->files[i]);
	if (img->open_dirs)
		tree_dirs_forget(img);
	tree_dirs_free(img->own_dirs);
	pthread_mutex_destroy(&img->lock);
	if (img->root_fd >= 0)
		close(img->root_fd);
	free(img->files);
	free(img->unleased);
	free(img->holes);
	free(img->devs);
	free(img->runs);
	free(img->sources);
	free(img->dirs.p);
	free(img->inodes.p);
	free(img->mount_options);
	free(img->fs_type);
	free(img->base);
	free(img->path);
	pkram_unref(img->ctx);
	free(img);
	return NULL;
}

void tree_image_info(const struct tree_image *img, struct tree_image_info *ret)
{
	*ret = (struct tree_image_info){
		.size = img->size, .meta_size = img->meta_size, .files = img->n_sources,
		.data = img->data, .fingerprint = img->fingerprint, .holes = img->holes,
		.n_holes = img->n_holes, .single = img->single, .source = img->path,
		.fs_type = img->fs_type, .mount_options = img->mount_options,
	};
}
