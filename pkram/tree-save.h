/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of a tree image that is being saved. The image's front is built in two growing buffers
 * while the tree is scanned; beside it stand one source per inode (what to compare the file with,
 * later) and one run per piece of file data: about 150 bytes a file plus its name, however deep or
 * wide the tree.
 *
 *	tree-image.c	from its start to its end
 *	tree-scan.c	walks the tree
 *	tree-look.c	one entry: all that is asked of the filesystem
 *	tree-closer.c	descriptors that are closed together
 *	tree-attr-get.c	xattrs and inode flags of one inode
 *	tree-links.c	inodes with several names
 *	tree-early.c	windows of small files, while the tree is scanned
 *	tree-holes.c	hole maps, and the chunk size that costs least
 *	tree-entry.c	an entry that was looked at becomes a part of the image
 *	tree-emit.c	EROFS records into the buffers; the layout of the data
 *	tree-source.c	descriptors of the source's directories; paths for messages
 *	tree-quiet.c	is a source what it was, and does nobody write to it
 *	tree-fill.c	any part of the image, when it is laid out
 */
#pragma once

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "hash.h"
#include "tree-closer.h"
#include "tree-erofs.h"
#include "tree.h"

struct work_pool;

struct tree_buf {
	uint8_t *p;
	size_t len, cap;
};

enum {
	SOURCE_UNCHECKED = 1 << 0,	/* not of this tree: a made up root, another mount */
	SOURCE_SPARSE = 1 << 1,		/* has holes: @blocks tells when one was filled */
	SOURCE_HUGE = 1 << 2,		/* of a filesystem that gives it huge pages */
	SOURCE_PARTED = 1 << 3,		/* a part of it may have gone early: see @content */
};

/* An inode of the source. Its size, mode and mtime are those of the EROFS inode @nid. */
struct tree_source {
	uint64_t nid;
	uint64_t ino;
	int64_t ctime_sec;
	uint64_t name;			/* offset in the directory zone; the upper 8 bits: length */
	uint32_t ctime_nsec;
	uint32_t parent;		/* index of the directory's source */
	uint32_t dev;			/* index into devs */
	uint16_t flags;			/* fixed by the scan */
	bool named;			/* said to be not quiet; once is enough; under the lock */
	union {
		struct {
			uint32_t blocks; /* low bits of st_blocks */
			uint32_t slot;	/* of a directory: where in struct tree_dirs, if at all */
		};
		uint64_t content;	/* its hash: tree_file_hash() */
	};
};

/*
 * @blocks of the image (until it is laid out: of its data) from @blk hold the bytes of @source from
 * @off. Sorted by @blk.
 */
struct tree_run {
	uint64_t off;
	uint32_t blk;
	uint32_t blocks;
	uint32_t source;
};

struct tree_dev {
	dev_t dev;
	uint64_t fs_magic;
};

/* A borrowed descriptor of a directory; zero-initialise with fd -1. */
struct tree_dir_ref {
	int fd;
	int slot;			/* -1: not from the cache */
	uint32_t source;
};

#define TREE_DIR_REF_NONE ((struct tree_dir_ref){ .fd = -1, .slot = -1 })

/* A regular file being copied. */
struct tree_file {
	uint32_t source;
	uint32_t dir;			/* with @name: where it is, before its source knows that */
	const char *name;		/* NULL: its source knows */
	int fd;
	bool leased;
	const uint8_t *map;		/* all of it, or NULL */
	uint64_t size;			/* of the map */
	uint32_t users;			/* in the table of open files: fills at work on it */
	uint64_t left;			/* ... bytes of its runs that are still to be filled */
};

struct tree_segment {
	uint64_t off, end;		/* multiples of TREE_BLOCK, also behind the file's end */
};

struct tree_segments {
	struct tree_segment *s;
	size_t n, cap;
};

/* Content up to this size is read while a file is open for the first look ... */
#define TREE_LOOK_BYTES (16 * KIB)
/* ... and a file of up to this size stays open until its content is in its place. */
#define TREE_KEEP_BYTES (16 * MIB)

/* An entry to look at, and what was found. The buffers serve one entry after the other. */
struct tree_look {
	const char *name;
	int dirfd;
	unsigned char d_type;

	int error;			/* it could not be looked at */
	struct statx st;
	uint64_t fs_magic;
	uint32_t dev;			/* index into devs, when it is emitted */
	bool foreign;			/* root of another mount: not gone into */
	bool writer;			/* somebody has it open for writing */
	bool busy;			/* ... and holds a lease on it: it cannot be opened */
	bool sparse;			/* @segments have holes between them */
	bool read;			/* @bytes are its content */
	bool keep;			/* @file stays open: until the content is in its place, or
					 * as the directory's descriptor */
	bool parted;			/* some of it may have gone, the rest comes later */
	uint64_t content;		/* ... and a hash of all */
	struct tree_file file;
	int64_t before;			/* tree_clock_now() */
	int64_t since;			/* before the lease was asked for */
	const char *what;		/* it is not quiet, and why */
	struct tree_segments segments;	/* of a regular file that was not read */
	struct tree_buf xattrs;		/* as they stand in the image */
	struct tree_buf losses;		/* texts, each with its NUL */
	uint8_t *bytes;			/* content, or a symlink's target: among those of all */
	size_t len;
};

#define NEAR_DEVS 4

/* Entries that are looked at together. */
struct tree_looks {
	struct tree_image *img;
	struct tree_look *v;
	size_t n;
	size_t ready;			/* looks that were ever used */
	uint8_t *bytes;			/* of all, TREE_LOOK_BYTES each, taken as they are needed */
	atomic_size_t taken;
	struct tree_dev near[NEAR_DEVS]; /* where they are likely to lie */
	size_t n_near;
	unsigned int may_keep, may_keep_dirs;
	atomic_uint kept, kept_dirs;	/* files that stay open, directories that will be listed */
};

/* Bytes [start, end) of the data are the content of one file, or come later. */
struct tree_early_piece {
	uint64_t start, end;
	struct tree_look *look;		/* NULL: later */
};

struct tree_early {
	const struct tree_sink *sink;	/* NULL: nothing is given any more */
	struct tree_early_piece *pieces; /* of what is being looked at; sorted */
	size_t n_pieces, cap_pieces;
	/* The last window, of which all bytes up to @end are there; NULL: not all. */
	struct tree_early_part {
		uint8_t *bytes;
		uint64_t end;
	} part;
	uint8_t *buffers;		/* of a window each: */
	uint8_t *held, *spare;		/* for the last window, and for the one after it */
	uint8_t *bounce;		/* one per worker */
};

struct tree_link {
	uint64_t ino;
	uint32_t dev;
	uint32_t source;		/* TREE_NO_SOURCE: empty slot */
};

struct tree_links {
	struct tree_link *links;
	size_t n, cap;
};

struct tree_image {
	struct pkram_ctx *ctx;
	struct tree_scan_options opts;
	bool single;
	bool probe;			/* of tree_source_check(): look for all writers */
	char *path;			/* absolute, without links */
	char *base;			/* of root_fd; "" for the root of all */
	char *fs_type;
	char *mount_options;
	int root_fd;			/* the root directory; of a single file: its directory */

	struct tree_buf inodes;		/* the image from 0: superblock, inodes */
	struct tree_buf dirs;		/* directory blocks, long symlinks */
	uint64_t dirs_off;		/* where they lie in the image */
	uint64_t meta_size, size, data;
	uint64_t blocks;		/* of data */
	uint64_t fingerprint;
	bool chunked;			/* some file is CHUNK_BASED */

	struct tree_source *sources;
	size_t n_sources, cap_sources;
	struct tree_run *runs;
	size_t n_runs, cap_runs;
	struct tree_dev *devs;
	size_t n_devs, cap_devs;
	struct pkram_hole *holes;
	size_t n_holes, cap_holes;
	struct tree_dirs *open_dirs, *own_dirs;
	struct tree_early early;
	_Atomic uint64_t given;		/* bytes of data that went while it was scanned */
	struct closer closer;		/* of what was looked at */
	bool sigio_harmless;

	atomic_bool restless;		/* something changed while it was waited for */
	pthread_mutex_t lock;		/* for all below */
	uint64_t not_quiet;
	uint64_t losses;
	uint32_t *unleased;		/* sources whose writers only /proc can tell */
	size_t n_unleased, cap_unleased;
	struct tree_file *files;	/* that several fills share */
	size_t n_files, cap_files;
};

/* At most so many files are named in messages of one kind. */
#define TREE_NAMED_MAX 20

/* --- tree-scan.c --- */

/* Walks the tree from root_fd and emits the image's front, all but addresses. */
int tree_scan(struct tree_image *img);
/* Says how far it has come. */
int tree_scan_progress(struct tree_image *img);

/* --- tree-emit.c --- */

/* Appends @len zero bytes at a multiple of @align; the offset or a negative errno. */
int64_t tree_buf_add(struct tree_buf *buf, size_t len, size_t align);

static inline struct erofs_inode *tree_inode(const struct tree_image *img, uint64_t nid)
{
	return (struct erofs_inode *)(img->inodes.p + (nid << EROFS_SLOT_BITS));
}

/* Of one that is CHUNK_BASED. */
static inline uint64_t tree_chunk_size(const struct erofs_inode *inode)
{
	return (uint64_t)EROFS_BLOCK << (le32toh(inode->u.chunk_format) & EROFS_CHUNK_BITS_MASK);
}

/* What stands behind an inode: its xattr area and its tail (symlink target or chunk map). */
struct tree_extra {
	const struct tree_buf *xattrs;
	enum erofs_layout layout;
	size_t tail;			/* bytes */
	bool whole;			/* inode, xattrs and tail must lie in one block */
};

/* Appends an inode and returns its nid; the tail is zero. */
int tree_emit_inode(struct tree_image *img, const struct statx *st, const struct tree_extra *x,
		    uint64_t *ret_nid);
/* The tail of an inode. */
void *tree_emit_tail(const struct tree_image *img, uint64_t nid);

/* An entry of the directory being emitted. */
struct tree_entry {
	size_t name;			/* offset in the name arena */
	uint64_t nid;
	uint32_t source;		/* TREE_NO_SOURCE: met under another name before */
	uint8_t len;
	uint8_t d_type;
	uint8_t file_type;		/* EROFS_FT_UNKNOWN: left out */
};

/*
 * Writes a directory's blocks from its sorted entries, and tells the sources where their names are.
 */
int tree_emit_dir(struct tree_image *img, uint64_t nid, const struct tree_entry *entries, size_t n,
		  const char *names);
/* Gives a regular file's content its place. */
int tree_emit_data(struct tree_image *img, uint32_t source, struct tree_look *l);
/* Lays out the whole: shifts all addresses, and puts the superblock in. */
int tree_emit_finish(struct tree_image *img);

/* --- tree-clock.c --- */

/* For the other two: in nanoseconds, of the clock from which files get their times. */
int64_t tree_clock_now(void);
/*
 * Whether something, looked at after @before, changed so shortly before that its next change may
 * bear the same time.
 */
bool tree_clock_recent(int64_t before, const struct statx *st);
/* Until the next change bears another time: a few ticks, or seconds on some filesystems. */
void tree_clock_wait(int64_t before, const struct statx *st);

/* --- tree-look.c --- */

/* Makes a look ready for the next entry: what stands before @error is for the caller to set. */
void tree_look_reset(struct tree_look *l);
/* Looks at an entry; says nothing. From any thread, also while other looks are emitted. */
void tree_look(struct tree_looks *looks, struct tree_look *l);
/* The same for the root of the tree. */
void tree_look_root(struct tree_looks *looks, struct tree_look *l);
void tree_look_done(struct tree_look *l);

/* --- tree-entry.c --- */

/*
 * Emits what was found in directory @dir, and says what stands against saving it so. Its inode's
 * nid and its source are returned.
 */
int tree_entry_emit(struct tree_image *img, uint32_t dir, struct tree_look *l, uint64_t *ret_nid,
		    uint32_t *ret_source);
/* Tells the file of a look whose content it is, of a source that has no name yet. */
void tree_entry_is(struct tree_look *l, uint32_t dir, uint32_t source);
/* Adds the source of an inode that was emitted. */
int tree_entry_source(struct tree_image *img, uint32_t dir, const struct tree_look *l,
		      uint64_t nid);

/* --- tree-attr-get.c --- */

/*
 * Reads xattrs and inode flags into an EROFS xattr area (empty: none). Of a file that is not open,
 * @dirfd and @name say where it is.
 */
int tree_attr_get(struct tree_look *l);

/* --- tree-links.c --- */

/* The source of an inode that was emitted already, or TREE_NO_SOURCE. */
uint32_t tree_links_find(const struct tree_links *t, uint64_t ino, uint32_t dev);
int tree_links_add(struct tree_links *t, uint64_t ino, uint32_t dev, uint32_t source);

/* --- tree-early.c --- */

static inline bool tree_early_wanted(const struct tree_image *img)
{
	return img->early.sink != NULL;
}

/* The next data of the image: @blocks from @blk are a file's content. @l: what was found of it. */
int tree_early_add(struct tree_image *img, uint64_t blk, uint64_t blocks, struct tree_look *l);
/* Gives away the windows that are whole by what was emitted of @looks; closes the kept files. */
int tree_early_run(struct work_pool *pool, struct tree_looks *looks);
void tree_early_end(struct tree_image *img);

/* --- tree-holes.c --- */

/* Where a file has data. */
int tree_holes_map(int fd, uint64_t size, bool hugetlb, uint64_t blocks,
		   struct tree_segments *segments);
/* log2 of the chunk size in blocks that costs the least bytes. */
unsigned int tree_holes_chunk_bits(const struct tree_segments *segments, uint64_t size);
/* Fills a chunk map: 0 for data, EROFS_NULL_ADDR for holes, and keeps the finer holes. */
int tree_holes_emit(struct tree_image *img, uint64_t nid, const struct tree_segments *segments,
		    uint64_t size, unsigned int bits);
/*
 * Whether the holes of a file read like some now: 1 or 0. For hugetlbfs, where pages of zeroes are
 * holes: who stores into one changes neither times nor blocks.
 */
int tree_holes_empty(const struct tree_image *img, const struct tree_file *file);

/* --- tree-source.c --- */

/* Gives directory @source's descriptor away, to be found there by those who want it later. */
void tree_dirs_keep(struct tree_image *img, uint32_t source, int fd);
/* Closes those of an image. */
void tree_dirs_forget(struct tree_image *img);
/*
 * Borrows directory @source, giving back what @ref had before; nothing to do when it is the same.
 */
int tree_dirs_get(struct tree_image *img, uint32_t source, struct tree_dir_ref *ref);
void tree_dirs_put(struct tree_image *img, struct tree_dir_ref *ref);
/* Copies a source's name; @name has EROFS_NAME_MAX + 1 bytes. */
void tree_source_name(const struct tree_image *img, uint32_t source, char *name);
/*
 * For messages, on one line; malloc'ed, NULL when out of memory. @name: of something in @dir, or
 * NULL.
 */
char *tree_path(const struct tree_image *img, uint32_t dir, const char *name);
char *tree_source_path(const struct tree_image *img, uint32_t source);

/* --- tree-quiet.c --- */

/* Opens without waiting, without following, without a trace in atime where allowed. */
int tree_open(int dirfd, const char *name, int flags);
/* @name "": of dirfd itself. */
int tree_statx(int dirfd, const char *name, struct statx *ret_st);

enum tree_lease { LEASE_HELD, LEASE_REFUSED, LEASE_NONE };

/*
 * Asks for a read lease: refused while somebody has the file open for writing or mapped writable.
 */
enum tree_lease tree_lease(const struct tree_image *img, int fd);
/* Whether the signal of a lease may come as it is: one system call less per file. */
bool tree_sigio_harmless(void);
/* Remembers a file whose writers only /proc can tell. */
int tree_add_unleased(struct tree_image *img, uint32_t source);
/* Names the writers of those. */
int tree_check_unleased(struct tree_image *img);

#define TREE_NO_SOURCE UINT32_MAX

/*
 * Says, once per source, that something is not quiet: an error, or a warning when live. Takes
 * @path; NULL: the path of @source, which is TREE_NO_SOURCE for what has none.
 */
void tree_not_quiet(struct tree_image *img, uint32_t source, char *path, const char *what);
/* The same for a file with a writer: names the processes. */
void tree_has_writer(struct tree_image *img, uint32_t source, char *path, dev_t dev, ino_t ino);
/* Says how many were not named. */
void tree_named_end(struct tree_image *img);
/* Names something that the image cannot carry. */
void tree_loss(struct tree_image *img, uint32_t dir, const char *name, const char *what);

/*
 * Opens a regular file for copying. @ret->fd is -1 when it is gone or another one, which was said
 * then.
 * @dir: of an earlier call, or none.
 */
int tree_file_open(struct tree_image *img, uint32_t source, struct tree_dir_ref *dir,
		   struct tree_file *ret);
/* For messages, as tree_path(). */
char *tree_file_path(const struct tree_image *img, const struct tree_file *file);
/* Compares it with what was scanned, and closes it. */
void tree_file_close(struct tree_image *img, struct tree_file *file);
/* Closes it as it is. */
void tree_file_drop(struct tree_file *file);

/* --- tree-fill.c --- */

/* Reads bytes of a file; what is missing becomes zeroes. */
int tree_file_read(struct tree_image *img, const struct tree_file *file, uint64_t off, size_t len,
		   uint8_t *buf);
/* A hash of all of its content: the one of its bytes where they are TREE_LOOK_BYTES at most. */
int tree_file_hash(struct tree_image *img, const struct tree_file *file, uint64_t *ret);
