/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees: between a directory of files and an EROFS image. Knows nothing of where images are kept.
 *
 * Save: tree_image_scan() reads the tree's metadata (and content of small files, for those who want
 * it at once) and lays the whole image out: every position is known. tree_image_fill() gives any
 * part of it, from any thread, in any order.
 * Restore: tree_view_new() validates an image's metadata once into an immutable view; nothing above
 * it ever looks at raw EROFS records. tree_restore_*() builds the tree from verified bytes in any
 * order.
 */
#pragma once

#include "ctx.h"
#include "pkram-format.h"

#define TREE_BLOCK 4096u

/* --- save (tree-save.h says which file does what) --- */

struct tree_image;

/*
 * The open directories of images that are there at a time, together no more than a process may
 * have. Outlives them.
 */
struct tree_dirs;
int tree_dirs_new(struct tree_dirs **ret);
struct tree_dirs *tree_dirs_free(struct tree_dirs *dirs);

struct tree_scan_options {
	bool live;		/* name what is not quiet, but go on */
	bool allow_lossy;	/* name what cannot be carried, but go on without it */
	bool cross_mounts;
	struct tree_dirs *dirs;	/* NULL: the image has its own */
};

/*
 * Takes parts of the image while the tree is still being scanned: whole windows of its data,
 * counted from where the data starts. What is not given, and may be all, is asked for with
 * tree_image_fill().
 */
struct tree_sink {
	/* Whether there is room for the first `size` bytes of data: 1; 0 ends the giving. */
	int (*room)(void *arg, uint64_t size);
	/* Window `index` of PKRAM_WINDOW bytes, which are gone afterwards. From any thread. */
	int (*put)(void *arg, uint64_t index, const void *bytes);
	void *arg;
};

/* Opens `path`: a directory or one non-directory. */
int tree_image_new(struct pkram_ctx *ctx, const char *path, const struct tree_scan_options *o,
		   struct tree_image **ret);
/* Scans the tree and lays out its image; once. Everything refused is logged. `sink` may be NULL. */
int tree_image_scan(struct tree_image *img, const struct tree_sink *sink);
struct tree_image *tree_image_free(struct tree_image *img);
DEFINE_CLEANUP(struct tree_image *, tree_image_free)

struct tree_image_info {
	uint64_t size;		/* of the image; a multiple of TREE_BLOCK */
	uint64_t meta_size;	/* of its front: superblock, inodes, xattrs, directories */
	uint64_t files;		/* inodes */
	uint64_t data;		/* bytes of file data without holes */
	uint64_t fingerprint;	/* of what was scanned: paths, sizes, times */
	const struct pkram_hole *holes;
	uint64_t n_holes;
	bool single;
	const char *source;	/* absolute path */
	const char *fs_type;	/* "tmpfs", ... */
	const char *mount_options; /* of a mount point: comma list as the mount call takes it; else
				      NULL */
};

/* Before the scan only `source` and `single`, `fs_type` and `mount_options` are known. */
void tree_image_info(const struct tree_image *img, struct tree_image_info *ret);

/*
 * Writes bytes [off, off + len) of the image to buf: metadata, file data read from the sources,
 * zeroes. Callers cut at PKRAM_WINDOW. Threads may call at once with different ranges. A source
 * that is not quiet is logged with the pids and remembered (its bytes are zero-filled where they
 * are missing).
 */
int tree_image_fill(struct tree_image *img, uint64_t off, size_t len, void *buf);

/*
 * The same without a copy: bytes of the image as they lie in a source. 1; 0: they do not, or might
 * change, so tree_image_fill() has to be used. What was lent goes back to tree_image_take_back(),
 * which says whether the bytes were those of the image all the time; if not, a copy of them is
 * worth nothing, and they have to be filled. From any thread.
 */
struct tree_loan {
	const void *bytes;
	uint32_t source;
	size_t len;
};

int tree_image_lend(struct tree_image *img, uint64_t off, size_t len, struct tree_loan *ret);
bool tree_image_take_back(struct tree_image *img, const struct tree_loan *loan);

/*
 * Call when all is filled: looks at the sources again. -EBUSY when any was not quiet, unless live.
 * *ret_live: something was not quiet.
 */
int tree_image_finish(struct tree_image *img, bool *ret_live);

/*
 * Compares a source with what was saved of it: 0 the same and without writers, -EBUSY writers
 * (logged), -ESTALE changed, -ENOENT gone.
 */
int tree_source_check(struct pkram_ctx *ctx, const char *path, uint64_t fingerprint);

/* --- the view of an image (tree-view.c) --- */

struct tree_view;

/* Where an image's bytes come from; verified by whoever gives them. */
struct tree_input {
	uint64_t size;
	int (*read)(void *arg, uint64_t off, size_t len, void *buf);
	void *arg;
};

/*
 * Validates an image (of pkram or of mkfs.erofs) into a view. -EBADMSG: not a sound image, logged;
 * -EOPNOTSUPP: a feature that is not served (compression, other block sizes, fragments, devices),
 * logged.
 */
int tree_view_new(struct pkram_ctx *ctx, const struct tree_input *in,
		  const struct pkram_hole *holes, uint64_t n_holes, struct tree_view **ret);
struct tree_view *tree_view_free(struct tree_view *v);

struct tree_view_info {
	uint64_t inodes;	/* to be made */
	uint64_t data;		/* bytes to be written, without holes */
	uint64_t pages;		/* bytes of 4 KiB pages a tmpfs needs for them */
};

void tree_view_info(const struct tree_view *v, struct tree_view_info *ret);
/* Bytes of data in files that are at least one huge page long; not of those with many holes. */
uint64_t tree_view_large(const struct tree_view *v, uint64_t page);
/* Bytes of holes that would be filled by huge pages: by those that lie inside their file whole. */
uint64_t tree_view_huge_holes(const struct tree_view *v, uint64_t page);
/* Calls fn with the path of each file that has data in [off, off + len) of the image. */
int tree_view_files_at(const struct tree_view *v, uint64_t off, uint64_t len,
		       int (*fn)(void *arg, const char *path), void *arg);

/* --- restore (tree-restore.c, tree-attr.c) --- */

struct tree_restore;

struct tree_restore_options {
	bool salvage;		/* leave out files that lie in windows that never came */
	uint64_t hugetlb; /* page size of a hugetlbfs target (written through a mapping), else 0 */
	unsigned int threads;
};

/*
 * Starts building the view's root directory content inside the open, empty directory `dirfd`
 * (of a single-file image: the file, as its name in the image). The view must live longer.
 */
int tree_restore_new(struct pkram_ctx *ctx, const struct tree_view *v, int dirfd,
		     const struct tree_restore_options *o, struct tree_restore **ret);
struct tree_restore *tree_restore_free(struct tree_restore *r);

/* Bytes [off, off + len) of the image, verified: writes what of them is file data. From any thread.
 */
int tree_restore_put(struct tree_restore *r, unsigned int worker, uint64_t off, size_t len,
		     const void *bytes);
/* Salvage: this part of the image is lost; its files are left out and logged. */
int tree_restore_lost(struct tree_restore *r, uint64_t off, size_t len);
/* How many files were left out. */
uint64_t tree_restore_left_out(const struct tree_restore *r);
/* Whether any file data lies in the range (ranges without are not worth reading). */
bool tree_restore_wants(const struct tree_restore *r, uint64_t off, size_t len);
/*
 * Everything else: files without data, links, specials, then owners, modes, xattrs, times and
 * flags, the root directory's own last. so_far: what its progress starts from.
 */
int tree_restore_finish(struct tree_restore *r, const struct pkram_progress *so_far);

/* --- appearing at once (tree-place.c) --- */

/*
 * A place where a tree is built and from which it appears. Built beside the target under a lock
 * and renamed, or, on a tmpfs mount point, as a detached mount that is moved into place.
 */
struct tree_place;

struct tree_place_options {
	bool force;		/* a target that is not empty is exchanged, then removed */
	bool mount;		/* make a tmpfs with mount_options where none is mounted */
	bool single;		/* the target is a file */
	bool keep_times;	/* the directory around it was restored, too */
	/* Symlinks are followed in that many bytes of the target's path only; 0: up to its last
	 * name. */
	size_t trusted;
	const char *fs_type, *mount_options; /* of the source */
	const char *mount_over;	/* options of a new tmpfs that override those; NULL: none */
	uint64_t need_bytes, need_inodes; /* checked against what the target has, with figures */
	uint64_t huge_holes;	/* bytes needed more where it gives files huge pages */
};

/* Checks the target and its room, cleans up after killed restores, and prepares the place. */
int tree_place_new(struct pkram_ctx *ctx, const char *target, const struct tree_place_options *o,
		   struct tree_place **ret);
/*
 * Whether a tmpfs would take these options (mount_over); logs why not, behind `what`. NULL: a
 * restore asks; else -EPERM is not logged.
 */
int tree_mount_check(struct pkram_ctx *ctx, const char *what, const char *options);
/* Whether a list of options (may be NULL) sets that of `word`, to whatever value. */
bool tree_mount_overridden(const char *word, const char *list);
/* Removes what was built and did not appear. NULL is fine. */
struct tree_place *tree_place_free(struct tree_place *p);
/* The empty directory to build in. */
int tree_place_dirfd(const struct tree_place *p);
/* Page size where the target is hugetlbfs, else 0. */
uint64_t tree_place_hugetlb(const struct tree_place *p);
/* Whether the tree gets a mount of its own. */
bool tree_place_mounts(const struct tree_place *p);
/*
 * After it appeared: the mount point of the tmpfs it lies on, if that gives files that are written
 * no huge pages; malloc'ed. NULL: it is anything else.
 */
char *tree_place_small_pages(const struct tree_place *p);
/* The tree appears. */
int tree_place_appear(struct tree_place *p);
