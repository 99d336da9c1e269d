/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram - memory preserved over kexec, from userspace
 *
 * Results: 0 or a count on success, a negative errno on failure; ret_* outputs are then untouched.
 *
 *	-EBADMSG		damaged data		-ENODATA	no container here
 *	-EPROTONOSUPPORT	unknown feature		-ENOSPC		does not fit
 *	-EBUSY			held by another		-ESTALE		not saved for this boot
 *	-ENOENT			no such node		-EEXIST		there already
 *	-EOPNOTSUPP		cannot be carried	-EINVAL		a wrong argument
 *	-ENAMETOOLONG		name over 255 bytes	-ECANCELED	the callback said so
 *	-EUCLEAN		not safe to jump	-EROFS		read-only, or a kdump kernel
 *	-ENOTUNIQ		which region?		-ENXIO		region moved or shrunk
 *	-E2BIG			command line too long	-ENOTRECOVERABLE  neither new nor old state
 *
 * Other errnos are the system's. What went wrong, with which object, has then gone through the log
 * callback, where it was found and once; -ENOMEM, -ECANCELED and misuse of a stream say it alone.
 * The messages are those of the command and speak of its verbs and options: where they say --force,
 * the flag of that name is meant.
 *
 * Arguments: pointers are not NULL unless their comment says so; all functions that release accept
 * NULL. Strings are bytes up to a NUL, in no encoding. Nothing passed in is used after the call,
 * apart from callbacks and their userdata. Option structs start with their own size; one of a newer
 * pkram.h will do when all that this library does not know of it is zero, else it is -EINVAL, as
 * unknown flags are. Sizes are bytes, points in time ns since 1970.
 *
 * Lifetimes: a region keeps its context. Streams are released before their region is closed. Lists
 * stand alone.
 *
 * Threads: a region may be used by several threads at once, a stream and a list by one at a time.
 * A context is set up before others use it; only its references may be counted by any thread.
 * Different contexts are independent. Calls that copy start threads of their own
 * (pkram_set_threads), with all signals but SIGBUS blocked, and have ended them when they return.
 * The caller is one of them: its affinity is narrowed meanwhile, also in callbacks, and is as it
 * was afterwards.
 *
 * Since: 0.1 for all of it.
 */
#ifndef PKRAM_H
#define PKRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pkram_ctx;
struct pkram_region;
struct pkram_stream;
struct pkram_node_list;
struct pkram_memory_list;

/* --- context ------------------------------------------------------------------------------- */

/* As syslog(3) numbers them. */
enum {
	PKRAM_LOG_ERROR = 3,
	PKRAM_LOG_WARNING = 4,
	PKRAM_LOG_INFO = 6,
	PKRAM_LOG_DEBUG = 7,
};

/*
 * Callbacks come from the calling thread or one that the call started, and never two at a time for
 * one context. They must not call this library with that context or what was made from it.
 */

/*
 * @msg: one line, valid during the call. A newline in a name shows as \x0a, and a backslash before
 * an x as \x5c; its other bytes are as they are and may mean something to a terminal.
 */
typedef void (*pkram_log_fn)(void *userdata, int priority, const char *msg);

/**
 * struct pkram_progress - how far a copying call has come
 * @what: "save", "restore", "verify" (each node anew), "put" and "get" (the _fd calls),
 *	"compare" (staging, each tree anew), "export" or "import"; static
 * @done, @total: bytes; @total is 0 where it is not known. Threads overtake each other: a later
 *	report may have a smaller @done
 * @files, @total_files: inodes, where they are what takes the time: while a tree is scanned (each
 *	anew, and how many come is not known), and while files without data are made; else 0
 */
struct pkram_progress {
	const char *what;
	uint64_t done;
	uint64_t total;
	uint64_t files;
	uint64_t total_files;
};

/* A negative return cancels the call: -ECANCELED, nothing committed, no tree half there. */
typedef int (*pkram_progress_fn)(void *userdata, const struct pkram_progress *p);

/* Makes a context: log to nowhere, no progress, as many threads as suit. */
int pkram_new(struct pkram_ctx **ret_ctx);
/* Takes a reference. Returns @ctx, which may be NULL. */
struct pkram_ctx *pkram_ref(struct pkram_ctx *ctx);
/* Ends the context with its last reference. Returns NULL. */
struct pkram_ctx *pkram_unref(struct pkram_ctx *ctx);

/* Messages of @priority and more urgent ones go to @fn. NULL: nowhere. */
void pkram_set_log_fn(struct pkram_ctx *ctx, pkram_log_fn fn, void *userdata, int priority);
/* @fn: NULL for none. */
void pkram_set_progress_fn(struct pkram_ctx *ctx, pkram_progress_fn fn, void *userdata);
/* @threads: at most so many; 0: one for each CPU, and two where the region is not mapped. */
void pkram_set_threads(struct pkram_ctx *ctx, unsigned int threads);
/* Looks at a recorded machine below @path (tests). NULL or "": at this one. */
int pkram_set_sysroot(struct pkram_ctx *ctx, const char *path);

/* Neither string is NULL or has space around it; @line: from 1. Non-zero ends the reading. */
typedef int (*pkram_conf_fn)(void *userdata, unsigned int line, const char *key,
			     const char *value);

/*
 * Reads a file of the form that pkram.conf(5) describes, and calls @fn for each line that sets
 * something.
 * Returns 0, what @fn returned, -ENOENT (not logged), or -EINVAL for another line.
 */
int pkram_conf_read(struct pkram_ctx *ctx, const char *path, pkram_conf_fn fn, void *userdata);

/* --- regions ------------------------------------------------------------------------------- */

enum pkram_open_flags {
	PKRAM_OPEN_READ_ONLY = 1 << 0,	/* change nothing, not even claim a jump */
};

/*
 * Opens the container in a region.
 * @spec: devdax:/dev/daxX.Y, pmem:/dev/pmemN, file:PATH, a bare path (its type decides), or NULL:
 *	PKRAM_REGION of the environment, else "region =" of /etc/pkram.conf, else the one region of
 *	this machine that holds a container
 * @flags: enum pkram_open_flags
 *
 * Loads nd_e820, nd_pmem, dax_pmem and device_dax where the kernel shows reserved memory without a
 * device. The first opening in a new kernel claims an armed jump, unless it is read-only; in a
 * kdump kernel every opening is.
 * -ENODATA: nothing there; -EBADMSG: damaged beyond recovery; -EPROTONOSUPPORT: made by a newer
 * pkram; -ENOTUNIQ: several regions hold containers and @spec is NULL; -ENXIO: moved or shrunk.
 */
int pkram_region_open(struct pkram_ctx *ctx, const char *spec, uint64_t flags,
		      struct pkram_region **ret_region);
/* Releases the region and its locks. Returns NULL. */
struct pkram_region *pkram_region_close(struct pkram_region *region);

enum pkram_init_flags {
	PKRAM_INIT_FORCE = 1 << 0,	/* write over what was found */
};

/**
 * struct pkram_init_options
 * @struct_size: sizeof(struct pkram_init_options)
 * @flags: enum pkram_init_flags
 * @size: bytes of a file: region, which is made or grown with all its blocks, a multiple of 4096;
 *	0: the file's present size. Other regions: must be 0
 */
struct pkram_init_options {
	size_t struct_size;
	uint64_t flags;
	uint64_t size;
};

/*
 * Writes an empty container over a region, which is not opened by that.
 * @spec: as for pkram_region_open, but never searched for
 * @opts: NULL for all zero
 *
 * -EEXIST: it holds something recognised (a container, a signature known to libblkid) and is not
 * forced; -EBUSY: in use, which is never forced; -EROFS: this is a kdump kernel; -EDESTADDRREQ: no
 * region is named; -EINVAL: of a file, less than 8 MiB, no multiple of 4096, or less than it has
 * already; -ENOSPC: of another region, less than 8 MiB.
 */
int pkram_region_init(struct pkram_ctx *ctx, const char *spec,
		      const struct pkram_init_options *opts);

enum pkram_jump_status {
	PKRAM_JUMP_STATUS_NONE,
	PKRAM_JUMP_STATUS_STAGED,	/* a kernel is loaded by this boot */
	PKRAM_JUMP_STATUS_ARMED,	/* this boot was about to jump */
	PKRAM_JUMP_STATUS_ARRIVED,	/* this boot came by that jump */
	PKRAM_JUMP_STATUS_PAST,		/* the record is of other boots */
};

/**
 * struct pkram_region_info - a container as it was when the call returned
 * Strings belong to the region: valid until it is closed.
 */
struct pkram_region_info {
	const char *spec;		/* canonical: scheme:path */
	char uuid[37];			/* of the container: a new one with each init */
	uint64_t generation;		/* counts changes */
	uint64_t phys;			/* physical address of the container; 0 for file: */
	uint64_t size;			/* bytes of the container */
	uint64_t payload;		/* of those, for nodes */
	uint64_t free;			/* of those, in no node */
	uint64_t largest_free;		/* the largest run of it */
	uint64_t nodes;			/* committed ones */
	uint64_t writers;		/* nodes being written */
	bool read_only;			/* asked for, a kdump kernel, or a newer container */
	bool recovered;			/* rebuilt from the node blocks; the next change mends it */
	enum pkram_jump_status jump;
	int64_t jump_at;		/* when staged, armed or claimed; 0: none */
};

int pkram_region_get_info(struct pkram_region *region, struct pkram_region_info *ret_info);

/* --- memory that could hold a region ------------------------------------------------------- */

enum pkram_memory_kind {
	PKRAM_MEMORY_LEGACY_PMEM = 1,	/* e820 type 12: memmap=nn!ss, or the firmware says so */
	PKRAM_MEMORY_NVDIMM = 2,	/* persistent memory of the hardware or a hypervisor */
	PKRAM_MEMORY_SOFT_RESERVED = 3,	/* memmap=nn%ss, or the firmware says so */
	PKRAM_MEMORY_RAMDAX = 4,	/* e820 type 12 as an NVDIMM with labels */
	PKRAM_MEMORY_DEVMEM = 5,	/* memmap=nn$ss: /dev/mem alone reaches it */
	PKRAM_MEMORY_FILE = 6,
	PKRAM_MEMORY_OTHER = 7,		/* another block device or devdax */
};

enum pkram_memory_mode {
	PKRAM_MODE_NONE,		/* no device shows it */
	PKRAM_MODE_RAW,			/* block device, all of the memory */
	PKRAM_MODE_FSDAX,		/* block device behind its map of pages */
	PKRAM_MODE_SECTOR,		/* block device that moves its sectors about (btt) */
	PKRAM_MODE_DEVDAX,		/* character device to be mapped */
	PKRAM_MODE_SYSTEM_RAM,		/* ordinary memory, for the time being */
};

enum pkram_memory_state {
	PKRAM_MEMORY_EMPTY,		/* nothing is recognised in it */
	PKRAM_MEMORY_CONTAINER,
	PKRAM_MEMORY_UNREADABLE,	/* a container: damaged, newer than this pkram, or moved */
	PKRAM_MEMORY_FOREIGN,		/* something that libblkid knows */
	PKRAM_MEMORY_BUSY,		/* mounted, part of another device, ... */
	PKRAM_MEMORY_LENT,		/* in the kernel's hands as ordinary memory */
	PKRAM_MEMORY_NO_DRIVER,		/* nothing shows what it holds yet */
	PKRAM_MEMORY_UNKNOWN,		/* it could not be looked at */
};

/**
 * struct pkram_memory - a piece of memory that could hold a region, or does
 * Strings belong to the list and are never NULL; what is not known is 0 or "".
 */
struct pkram_memory {
	enum pkram_memory_kind kind;
	enum pkram_memory_mode mode;
	enum pkram_memory_state state;
	const char *device;		/* path in /dev, or of the file */
	const char *spec;		/* for pkram_region_open; "" while it cannot be one */
	const char *detail;		/* of the state: "ext4", "is mounted at /srv; ...", why */
	const char *reserved_by;	/* words of the command line, or "firmware" */
	const char *hint;		/* what to do next */
	uint64_t phys;			/* physical address of the reserved memory */
	uint64_t size;			/* bytes of it */
	uint64_t usable;		/* of those, for a container */
	uint64_t align;			/* of its mappings */
	int node;			/* closest NUMA node in use; -1: not known */
	char uuid[37];			/* of the container, as the next ones */
	uint64_t generation;
	uint64_t container_size;
	uint64_t free;
	uint64_t nodes;
};

/*
 * Lists all of them, by address, files last; changes nothing, and loads no driver. Needs no
 * container and no region. Who is not root gets what can be told, and a warning.
 * @spec: a file or device to be listed as well; NULL: that of the environment or the configuration,
 *	if there is one
 */
int pkram_memory_list_new(struct pkram_ctx *ctx, const char *spec,
			  struct pkram_memory_list **ret_list);
/* Releases the list and its strings. Returns NULL. */
struct pkram_memory_list *pkram_memory_list_free(struct pkram_memory_list *list);
size_t pkram_memory_list_count(const struct pkram_memory_list *list);
/* NULL past the end. What it points to belongs to the list. */
const struct pkram_memory *pkram_memory_list_get(const struct pkram_memory_list *list,
						 size_t index);

enum pkram_convert_flags {
	PKRAM_CONVERT_PLAN_ONLY = 1 << 0,	/* say what would be done, and do nothing */
};

/**
 * struct pkram_conversion - what a conversion does, or did
 */
struct pkram_conversion {
	enum pkram_memory_mode from;
	enum pkram_memory_mode to;
	char device[64];		/* that goes */
	char new_device[64];		/* that came; "" while only planned */
	uint64_t phys;			/* physical address and bytes of the reserved memory */
	uint64_t size;
	uint64_t usable;		/* bytes for a container before, and after */
	uint64_t new_usable;
	bool container;			/* there is one, and the next ones tell which */
	char uuid[37];
	uint64_t generation;
	uint64_t nodes;
};

/*
 * Makes the other device of legacy pmem: a raw block device (PKRAM_MODE_RAW) or a devdax of 2 MiB
 * pages whose map lies in RAM (PKRAM_MODE_DEVDAX). A container survives it, is found again, with
 * the same uuid and generation, before this returns 0. After a failure the old device is back.
 * @device: its path or spec
 * @to: PKRAM_MODE_RAW or PKRAM_MODE_DEVDAX
 * @flags: enum pkram_convert_flags
 *
 * -EALREADY (not logged): it is that; -EEXIST: it holds something else than a container that can be
 * read; -EBUSY: in use; -EOPNOTSUPP: other memory, or a place where a container would not be found
 * again; -ENOTRECOVERABLE: failed, and so did going back (logged with the remedy).
 */
int pkram_region_convert(struct pkram_ctx *ctx, const char *device, enum pkram_memory_mode to,
			 uint64_t flags, struct pkram_conversion *ret_conversion);

/* --- nodes --------------------------------------------------------------------------------- */

enum pkram_kind {
	PKRAM_KIND_TREE = 1,
	PKRAM_KIND_STREAM = 2,
};

enum pkram_freshness {
	PKRAM_FRESH_THIS_BOOT,	/* saved by the running kernel */
	PKRAM_FRESH_JUMPED,	/* saved by the kernel that jumped here */
	PKRAM_FRESH_STALE,	/* anything else: served only when asked for */
};

/*
 * Strings belong to the list and are never NULL. Of a node that is damaged or being written, only
 * @id, @stored and that are known: the rest is 0 or "", the freshness PKRAM_FRESH_STALE.
 */
struct pkram_node {
	const char *name;
	enum pkram_kind kind;
	enum pkram_freshness freshness;
	bool restored;			/* in this boot */
	bool damaged;			/* neither copy of the node block can be read */
	bool live;			/* its source was not quiet (PKRAM_SAVE_LIVE) */
	bool single;			/* tree of one file */
	bool writing;			/* not committed yet */
	uint64_t id;
	uint64_t generation;		/* nodes of one generation are a set */
	uint64_t size;			/* bytes of the stream or image */
	uint64_t stored;		/* bytes of the region, with copies and checksums */
	uint64_t files;			/* of a tree: inodes */
	uint64_t data;			/* of a tree: bytes of file data without holes */
	uint64_t extents;		/* pieces of the region that it lies in */
	int64_t saved_at;
	uint64_t save_ns;		/* that the save of its set took; 0: not known */
	uint8_t boot_id[16];		/* of the kernel that saved it */
	uint64_t content_hash;		/* of the window checksums: equal for equal bytes */
	const char *kernel;		/* uname -r; "" where unknown, as the next ones */
	const char *host;		/* uname -n */
	const char *source;		/* of a tree: its absolute path */
	const char *fs_type;		/* of the source */
	const char *mount_options;	/* of a source that was a mount point */
};

/* A snapshot of the nodes, by name. To be freed by the caller, also after the region is closed. */
int pkram_node_list_new(struct pkram_region *region, struct pkram_node_list **ret_list);
/* Releases the list and its strings. Returns NULL. */
struct pkram_node_list *pkram_node_list_free(struct pkram_node_list *list);
size_t pkram_node_list_count(const struct pkram_node_list *list);
/* NULL past the end. What it points to belongs to the list. */
const struct pkram_node *pkram_node_list_get(const struct pkram_node_list *list, size_t index);
/* The node of that name, also when it is damaged; NULL when there is none. */
const struct pkram_node *pkram_node_list_find(const struct pkram_node_list *list,
					      const char *name);

enum pkram_remove_flags {
	PKRAM_REMOVE_WIPE = 1 << 0,	/* overwrite the bytes as well */
};

/*
 * Removes all of @names in one commit, or, when one is missing, none. What is being read keeps its
 * bytes until then; with PKRAM_REMOVE_WIPE it is -EBUSY.
 * @names: may be NULL where @n_names is 0: nothing to do
 * @flags: enum pkram_remove_flags
 */
int pkram_node_remove(struct pkram_region *region, const char *const *names, size_t n_names,
		      uint64_t flags);

/* What a call that copies or verifies did. */
struct pkram_transfer {
	uint64_t nodes;
	uint64_t damaged;		/* verified ones that are */
	uint64_t files;			/* of trees: inodes of all types */
	uint64_t bytes;			/* copied, or read; of trees, their images */
	uint64_t ns;			/* wall clock */
	uint64_t small_pages;		/* restored bytes that huge pages would take faster */
	unsigned int threads;		/* at most at work at once */
};

/*
 * Checks every byte of @names against its checksum, in parallel, whatever boot saved them.
 * @names: may be NULL where @n_names is 0: all nodes
 * @ret_transfer: nodes, damaged ones among them, bytes, time and threads; may be NULL; set, too,
 *	when -EBADMSG says that there are damaged ones
 *
 * -EBADMSG: damage, with all of it logged; -ENOENT: no such node.
 */
int pkram_verify(struct pkram_region *region, const char *const *names, size_t n_names,
		 struct pkram_transfer *ret_transfer);

/* --- trees --------------------------------------------------------------------------------- */

enum pkram_save_flags {
	PKRAM_SAVE_LIVE = 1 << 0,		/* commit though a source is not quiet */
	PKRAM_SAVE_ALLOW_LOSSY = 1 << 1,	/* leave out what the format cannot carry */
	PKRAM_SAVE_CROSS_MOUNTS = 1 << 2,	/* go into other mounts */
	PKRAM_SAVE_KEEP_OLD = 1 << 3,		/* no old node goes before the new one is whole */
};

/**
 * struct pkram_save_options
 * @struct_size: sizeof(struct pkram_save_options)
 * @flags: enum pkram_save_flags
 */
struct pkram_save_options {
	size_t struct_size;
	uint64_t flags;
};

/**
 * struct pkram_save_item
 * @path: of a directory or a file
 * @name: of the node, 1 to 255 bytes; NULL for the absolute path of @path
 */
struct pkram_save_item {
	const char *path;
	const char *name;
};

/*
 * Saves directories or single files, each as a node; all appear in one commit, as a set, or none.
 * Where both do not fit, the old node of a name gives up its space first, if it is restored or of
 * another boot (and not PKRAM_SAVE_KEEP_OLD): then it is gone, also when the save fails.
 * Read leases are taken on the files meanwhile: a SIGURG says that somebody waits for one.
 * @n_items: at least 1
 * @opts: NULL for all zero
 * @ret_transfer: may be NULL
 *
 * -EBUSY: a source is not quiet, with the files and pids logged, or a name is being written;
 * -EOPNOTSUPP: something cannot be carried; -ENOSPC: with the figures logged, before an old node is
 * given up; -ENAMETOOLONG: a name, or a path that serves as one, is over 255 bytes; -EINVAL: no
 * items, an empty name, or one given twice.
 */
int pkram_save_trees(struct pkram_region *region, const struct pkram_save_item *items,
		     size_t n_items, const struct pkram_save_options *opts,
		     struct pkram_transfer *ret_transfer);

enum pkram_restore_flags {
	PKRAM_RESTORE_STALE = 1 << 0,	/* whatever boot saved it, if all of it is there */
	PKRAM_RESTORE_ONCE = 1 << 1,	/* only nodes that this boot has not restored */
	PKRAM_RESTORE_FORCE = 1 << 2,	/* replace a target that is not empty */
	PKRAM_RESTORE_MOUNT = 1 << 3,	/* make the tmpfs where the source was a mount point */
	PKRAM_RESTORE_SALVAGE = 1 << 4,	/* leave damaged files out instead of failing */
};

/**
 * struct pkram_restore_options
 * @struct_size: sizeof(struct pkram_restore_options)
 * @flags: enum pkram_restore_flags
 * @to: directory to restore below, each tree at its own path there; NULL: the root
 * @mount_options: comma list as mount(8) takes it, overrides the saved options of each tmpfs that
 *	is mounted for a tree ("huge=within_size"); NULL: none
 */
struct pkram_restore_options {
	size_t struct_size;
	uint64_t flags;
	const char *to;
	const char *mount_options;
};

/*
 * Restores trees. Each appears at its target whole or not at all; of a set, all are verified before
 * the first appears. One that lies inside another one of the call, which is as new and has brought
 * it along, is left alone, with a message: it counts as restored, but not in @ret_transfer. So is
 * the older one of two for one place, where all are restored.
 * @names: may be NULL where @n_names is 0: all trees that are fresh
 * @opts: NULL for all zero
 * @ret_transfer: may be NULL; set, too, when -EBADMSG says that something was left out: files by a
 * salvage, or, of all trees, a node that cannot be told
 *
 * -ENODATA: nothing to do; -ESTALE: not saved for this boot, or, with PKRAM_RESTORE_STALE, damage
 * in what an earlier boot saved (or in what cannot tell): the memory did not survive, and nothing
 * is restored, unless it is a salvage; -ENOENT; -EEXIST: a target is there; -ENOSPC: the target is
 * too small; -EBADMSG: damage, with node, offset and files logged (with salvage: some is missing);
 * -EINVAL: a name is that of a stream, two would appear at one place, or one has no path of its own
 * and there is no @to.
 */
int pkram_restore_trees(struct pkram_region *region, const char *const *names, size_t n_names,
			const struct pkram_restore_options *opts,
			struct pkram_transfer *ret_transfer);

/*
 * Whether the running kernel makes a tmpfs with these options, as struct pkram_restore_options has
 * them. It is not made.
 * @what: stands before the reason that is logged, as in "FILE:LINE: mount"
 *
 * -EINVAL: not with all of them; -EPERM, not logged: only root can ask.
 */
int pkram_mount_check(struct pkram_ctx *ctx, const char *what, const char *options);

/* --- byte streams -------------------------------------------------------------------------- */

enum pkram_put_flags {
	PKRAM_PUT_TREE = 1 << 0,	/* the bytes are an uncompressed EROFS image: a tree node */
	PKRAM_PUT_KEEP_OLD = 1 << 1,	/* as PKRAM_SAVE_KEEP_OLD */
};

enum pkram_load_flags {
	PKRAM_LOAD_STALE = 1 << 0,	/* whatever boot saved it, if all of it is there */
};

/*
 * Starts a stream node; nothing of it is seen before pkram_finish_save. An old node of that name
 * stays until then, or gives up its space as for pkram_save_trees.
 * @name: 1 to 255 bytes
 * @flags: enum pkram_put_flags
 *
 * -EBUSY: the name is being written, with the holder's pid logged; -ENAMETOOLONG: it is over 255
 * bytes; -EINVAL: it is empty.
 */
int pkram_prepare_save(struct pkram_region *region, const char *name, uint64_t flags,
		       struct pkram_stream **ret_stream);
/*
 * What the input is to be: @bytes long (UINT64_MAX: of any length again); of that SHA-256, as 64
 * hex digits. Of several calls the last one counts. What turns out to be another one is -EIO
 * (logged): from pkram_finish_save(), from what writes the first byte too many, or at once from
 * pkram_write_from_fd() of a file of another length. That call makes room for @bytes first.
 *
 * -EINVAL: something was written, or the stream failed or is read; (logged) not 64 hex digits;
 * -EOPNOTSUPP (logged): libnettle, which SHA-256 needs, is not installed.
 */
int pkram_expect_bytes(struct pkram_stream *stream, uint64_t bytes);
int pkram_expect_sha256(struct pkram_stream *stream, const char *hex);
/*
 * Appends all of @buf, which may be NULL where @len is 0. After a failure of this or the next call,
 * the stream can only be released: writing on is -EINVAL, and so is finishing it.
 */
int pkram_write(struct pkram_stream *stream, const void *buf, size_t len);
/*
 * Appends what @fd gives until its end, without a copy in between where the region is mapped. Waits
 * for a descriptor that does not block, and goes on after signals. -EIO (logged): a file of over
 * 1 MiB ended before the size that it had at the start.
 */
int pkram_write_from_fd(struct pkram_stream *stream, int fd);
/* Bytes written or read so far. */
uint64_t pkram_stream_position(const struct pkram_stream *stream);
/* How many threads were at most at work at once. */
unsigned int pkram_stream_threads(const struct pkram_stream *stream);
/*
 * Commits, replacing a node of that name, and releases the stream, also on failure: nothing is
 * committed then. -EINVAL: NULL, or a stream that failed or is read. -EBADMSG, -EOPNOTSUPP: not an
 * image that can be restored (PKRAM_PUT_TREE).
 */
int pkram_finish_save(struct pkram_stream *stream);
/* Drops what was written and releases the stream. Returns NULL. */
struct pkram_stream *pkram_discard_save(struct pkram_stream *stream);

/*
 * Opens a node (of a tree: its EROFS image) for reading. Unlike PKRAM's, loading consumes nothing.
 * The bytes stay while the stream is open, also of a node that is replaced or removed meanwhile.
 * @flags: enum pkram_load_flags
 *
 * A stale node is verified whole before a byte of it is given.
 *
 * -ENOENT; -ESTALE: not saved for this boot, with its age logged; with PKRAM_LOAD_STALE, damaged.
 */
int pkram_prepare_load(struct pkram_region *region, const char *name, uint64_t flags,
		       struct pkram_stream **ret_stream);
/*
 * Gives 1 to @len verified bytes; 0 at the end, or where @len is 0. -EBADMSG: damage; no byte of
 * the damaged window is given.
 */
ssize_t pkram_read(struct pkram_stream *stream, void *buf, size_t len);
/* Writes all that is left to @fd. -EPIPE, not logged: its reader went (mind SIGPIPE). */
int pkram_read_to_fd(struct pkram_stream *stream, int fd);
/*
 * Releases the stream, also after a failure. A stream node that was read to its end counts as
 * restored, unless the region is read-only; a warning says where this could not be noted.
 * Returns 0.
 */
int pkram_finish_load(struct pkram_stream *stream);

/* --- planning a region --------------------------------------------------------------------- */

struct pkram_plan;
struct pkram_plan_change;

enum pkram_plan_kind {
	PKRAM_PLAN_PMEM,		/* memmap=SIZE!START: a block device */
	PKRAM_PLAN_DEVDAX,		/* the same; made a devdax namespace after the reboot */
	PKRAM_PLAN_SOFT_RESERVED,	/* memmap=SIZE%START-1+0xefffffff: a devdax device */
};

enum pkram_plan_flags {
	PKRAM_PLAN_ON_NODE = 1 << 0,	/* in the memory of @node alone */
};

/**
 * struct pkram_plan_options
 * @struct_size: sizeof(struct pkram_plan_options)
 * @flags: enum pkram_plan_flags
 * @size: bytes, not 0; rounded up to 16 MiB
 * @kind: of the region
 * @node: of memory; counts with PKRAM_PLAN_ON_NODE only
 */
struct pkram_plan_options {
	size_t struct_size;
	uint64_t flags;
	uint64_t size;
	enum pkram_plan_kind kind;
	unsigned int node;
};

/**
 * struct pkram_plan_info - a proposal
 * Strings belong to the plan.
 */
struct pkram_plan_info {
	enum pkram_plan_kind kind;
	uint64_t wanted;	/* bytes, rounded up */
	const char *limit;	/* why @size is less, and what would help; NULL: it is not */
	uint64_t start;		/* physical address */
	uint64_t size;		/* 0: there is no place, and nothing below @left is set */
	int node;		/* -1: not known, or several */
	uint64_t ram;		/* of the system now */
	uint64_t left;		/* with the region, and what waits for the next boot */
	uint64_t pages;		/* bytes of ordinary memory for the region's struct pages */
	bool fixed_kernel;	/* the kernel is not placed at random any more */
	const char *word;	/* of the kernel's command line */
	const char *extends;	/* the word there whose place it takes; NULL: it is added */
	const char *command_line;	/* the running one, what waits for the next boot, and it */
	const char *config;	/* file of the boot loader that would be changed; NULL: not known */
	const char *config_word;	/* as it stands there; NULL: not known */
};

/*
 * Proposes where a region could lie on this machine, and the word that reserves it: in one usable
 * range of the firmware's map, clear of what is reserved or will be by the boot loader's settings,
 * of crashkernel= and of what the boot loader uses, with a line on which every region stays safe.
 * Changes nothing. Where it does not fit, the largest that does is proposed.
 *
 * -EPERM: only root sees the memory map; -EOPNOTSUPP: not x86, or memmap=exactmap; -ENOENT: no such
 * node; -EUCLEAN: no command line can have it, or the settings cannot be read; -EINVAL: there is a
 * word that the kernel would not understand.
 */
int pkram_plan_new(struct pkram_ctx *ctx, const struct pkram_plan_options *opts,
		   struct pkram_plan **ret_plan);
/* Releases the plan. Returns NULL. */
struct pkram_plan *pkram_plan_free(struct pkram_plan *plan);
const struct pkram_plan_info *pkram_plan_get_info(const struct pkram_plan *plan);

/*
 * Prepares the change of the boot loader's settings that makes a plan true, or takes away all that
 * such changes have added, to whichever boot loader's; from boot entries, whoever put it there, as
 * those made since have it, too. Changes nothing yet.
 * @plan: NULL: take away
 *
 * -ENODATA: nothing to take away; -EOPNOTSUPP: a boot loader that is not known; -EUCLEAN: its
 * settings are not as the plan takes them to be, or no text; -E2BIG: the line gets too long.
 */
int pkram_plan_change_new(struct pkram_ctx *ctx, const struct pkram_plan *plan,
			  struct pkram_plan_change **ret_change);
/* Releases it, done or not. Returns NULL. */
struct pkram_plan_change *pkram_plan_change_free(struct pkram_plan_change *change);
/* The change as a unified diff; what is to be run after it, a command on each line. */
const char *pkram_plan_change_get_diff(const struct pkram_plan_change *change);
const char *pkram_plan_change_get_commands(const struct pkram_plan_change *change);
/*
 * Writes the files and runs the commands. When one of them fails, or does not take the word up, the
 * files are put back as they were; a command of a boot loader that does not start this machine (any
 * more) may fail, with a warning.
 *
 * -EIO: a command failed; -ESTALE: a file has changed since; -EUCLEAN: the word did not get into
 * the boot loader's own files; -E2BIG: the line there got too long.
 */
int pkram_plan_change_apply(struct pkram_plan_change *change);

/* --- copies on disk ------------------------------------------------------------------------ */

enum pkram_export_flags {
	PKRAM_EXPORT_FORCE = 1 << 0,	/* replace a file of that name */
};

/*
 * Writes all nodes to a file of mode 0600, which is a container itself: file:PATH opens it. It is
 * some MiB larger than they need, with holes where nothing lies. All is verified on the way. It is
 * made under a name of its own beside @path, synchronised, then renamed: @path is whole or not
 * there.
 * @flags: enum pkram_export_flags
 * @ret_transfer: may be NULL
 *
 * -ENODATA: there are no nodes; -EEXIST: @path is there; -ENOSPC: the file system is too small;
 * -EBADMSG: damage, with all of it logged.
 */
int pkram_export(struct pkram_region *region, const char *path, uint64_t flags,
		 struct pkram_transfer *ret_transfer);

enum pkram_import_flags {
	PKRAM_IMPORT_FORCE = 1 << 0,	/* in place of the nodes that are there when it begins */
};

/*
 * Copies all nodes of such a file, or of any file that is a container, into the region, in one
 * commit or not at all. They keep names, times, sets, and which boot saved them: most are stale.
 * All is verified on the way.
 * @flags: enum pkram_import_flags. Where old and new nodes do not fit both, the old ones give up
 *	their space first, once the file is verified: then they are gone, also when the import fails
 * @ret_transfer: may be NULL
 *
 * -ENODATA: the file has no nodes, or no container; -EEXIST: the region has some; -ENOSPC: they do
 * not fit; -EBADMSG: damage of the file, with all of it logged.
 */
int pkram_import(struct pkram_region *region, const char *path, uint64_t flags,
		 struct pkram_transfer *ret_transfer);

/* --- the jump ------------------------------------------------------------------------------ */

enum pkram_stage_flags {
	PKRAM_STAGE_NO_SYSTEMD = 1 << 0,	/* for a jump with PKRAM_JUMP_NO_SYSTEMD */
	PKRAM_STAGE_TRUST_TIMES = 1 << 1,	/* a source with old times has old bytes */
	PKRAM_STAGE_VERIFY = 1 << 2,		/* read all that is saved, against its checksums */
};

enum pkram_stage_method {
	PKRAM_STAGE_METHOD_AUTO,	/* as FILE; as LOAD where the kernel has only that */
	PKRAM_STAGE_METHOD_FILE,	/* kexec_file_load: the kernel places the new one */
	PKRAM_STAGE_METHOD_LOAD,	/* kexec_load, into memory that is clear of all regions */
};

/**
 * struct pkram_later - a tree that somebody saves before the machine jumps, as the units of systemd
 *	do when it goes down
 * @path: absolute; its node bears it as its name
 * @region: where to; NULL: what pkram_region_open finds without being told
 */
struct pkram_later {
	const char *path;
	const char *region;
};

/**
 * struct pkram_stage_options
 * @struct_size: sizeof(struct pkram_stage_options)
 * @flags: enum pkram_stage_flags
 * @kernel, @initrd: paths; NULL: what a plain reboot would start
 * @append: words added to the running command line; NULL: none
 * @command_line: the whole of it instead; NULL: the running one. Not both
 * @leave_behind: names of nodes whose source may have changed since they were saved
 * @n_leave_behind: how many; 0: @leave_behind may be NULL
 * @method: how the kernel is loaded
 * @saved_later: trees that are saved before the machine jumps: their sources are not compared yet,
 *	but they must have room; a path that stands there twice speaks against the jump
 * @n_saved_later: how many; 0: @saved_later may be NULL
 * @early: files in /etc that the initrd is to hold as they are now, with pkram itself, because
 *	something is restored there; other files of units that it holds are warned of
 * @n_early: how many; 0: @early may be NULL
 * @idle: units of systemd that are to save something and do not run, by their whole names: it is
 *	warned that they will save nothing
 * @n_idle: how many; 0: @idle may be NULL
 * @broken: such units that run, but have an error in their files, which keeps them from saving:
 *	they speak against the jump
 * @n_broken: how many; 0: @broken may be NULL
 */
struct pkram_stage_options {
	size_t struct_size;
	uint64_t flags;
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *command_line;
	const char *const *leave_behind;
	size_t n_leave_behind;
	enum pkram_stage_method method;
	const struct pkram_later *saved_later;
	size_t n_saved_later;
	const char *const *early;
	size_t n_early;
	const char *const *idle;
	size_t n_idle;
	const char *const *broken;
	size_t n_broken;
};

enum pkram_check_result {
	PKRAM_CHECK_OK,
	PKRAM_CHECK_SKIPPED,	/* not looked at: it needs what another check did not find */
	PKRAM_CHECK_WARNING,	/* not against the jump */
	PKRAM_CHECK_FAILS,
};

/**
 * struct pkram_check_finding - one thing that a check found
 * @reason: what is so
 * @remedy: what to do about it; "" where there is nothing to do, or to be done
 */
struct pkram_check_finding {
	enum pkram_check_result result;
	const char *reason;
	const char *remedy;
};

/**
 * struct pkram_check - one check and all that it found
 * @name: "reservation", "sources", ... (pkram-check(8) lists them); stays the same
 * @result: of its gravest finding
 * @findings: @n_findings of them, in no order
 * Strings belong to the list.
 */
struct pkram_check {
	const char *name;
	enum pkram_check_result result;
	const struct pkram_check_finding *findings;
	size_t n_findings;
};

struct pkram_check_list;

/*
 * Makes all the checks that pkram_stage makes, and loads nothing.
 * @opts: what would be staged; NULL for all zero
 * @ret_list: all checks, in an order worth reading. To be freed by the caller, also after the
 *	region is closed
 *
 * 0 says that the list was made, not that the jump is safe.
 */
int pkram_check(struct pkram_region *region, const struct pkram_stage_options *opts,
		struct pkram_check_list **ret_list);
/* Releases the list and its strings. Returns NULL. */
struct pkram_check_list *pkram_check_list_free(struct pkram_check_list *list);
size_t pkram_check_list_count(const struct pkram_check_list *list);
/* NULL past the end. What it points to belongs to the list. */
const struct pkram_check *pkram_check_list_get(const struct pkram_check_list *list, size_t index);
/* Whether none fails. */
bool pkram_check_list_safe(const struct pkram_check_list *list);

/*
 * Proves, by the checks of pkram_check, that the next kernel keeps the region (@region, and every
 * other container of this machine)
 * and that no tree's source holds anything newer than what was saved in this boot: their bytes are
 * read and compared, because stores through a mapping change no time on tmpfs (with
 * PKRAM_STAGE_TRUST_TIMES only times, sizes and writers are looked at). Then loads that kernel with
 * its command line and records the jump as staged, in every container.
 * @opts: NULL for all zero
 *
 * -EUCLEAN: not safe, with each reason logged; nothing was loaded then.
 */
int pkram_stage(struct pkram_region *region, const struct pkram_stage_options *opts);
/* Unloads the kernel and takes the jump records back. Nothing staged: nothing to do. */
int pkram_stage_cancel(struct pkram_region *region);
/*
 * Unloads the kernel alone, where no region can be opened: without it the records, which stay, make
 * nothing fresh.
 */
int pkram_stage_unload(struct pkram_ctx *ctx);

enum pkram_jump_flags {
	PKRAM_JUMP_NO_SYSTEMD = 1 << 0,		/* kexec -e even where systemd runs */
	PKRAM_JUMP_TRUST_TIMES = 1 << 1,	/* as PKRAM_STAGE_TRUST_TIMES */
};

/**
 * struct pkram_jump_options
 * @struct_size: sizeof(struct pkram_jump_options)
 * @flags: enum pkram_jump_flags
 * @leave_behind, @n_leave_behind, @saved_later, @n_saved_later: as in struct pkram_stage_options
 */
struct pkram_jump_options {
	size_t struct_size;
	uint64_t flags;
	const char *const *leave_behind;
	size_t n_leave_behind;
	const struct pkram_later *saved_later;
	size_t n_saved_later;
};

/*
 * The region that the staged jump was staged from, for who arms it later: it speaks for every
 * container of this machine.
 * @ret_spec: to be freed
 *
 * -ENODATA: this boot has staged none; -EUCLEAN: what is known of it is damaged.
 */
int pkram_staged_region(struct pkram_ctx *ctx, char **ret_spec);

/*
 * Arms the records of the staged jump and jumps. Where this handle has staged it, looks at writers
 * and sources once more first (who has just staged may trust times); else stages it anew, with the
 * kernel, initrd, command line and method of then, as another kernel may have been loaded since.
 * Returns a failure, disarmed again, or 0 while systemd takes the machine down. Where
 * pkram-kexec.service runs, it is left to it to arm them, by pkram_arm, once all others have
 * stopped.
 * @opts: NULL for all zero
 *
 * -EUCLEAN: nothing staged by this boot, or not safe any more, with each reason logged.
 */
int pkram_jump(struct pkram_region *region, const struct pkram_jump_options *opts);
/*
 * The same without the jump, for who is called right before the machine makes it. After a failure
 * the jump may be staged still; pkram_stage_cancel unloads it.
 */
int pkram_arm(struct pkram_region *region, const struct pkram_jump_options *opts);
/*
 * Whether systemd is taking the machine down for a kexec: 1 or 0; 0 also where it does not run. A
 * failure when it cannot be asked: it may be.
 */
int pkram_jump_is_queued(struct pkram_ctx *ctx);

/* --- the account of a jump ----------------------------------------------------------------- */

/* What ties the old kernel's clock to the new kernel's. */
enum pkram_clock {
	PKRAM_CLOCK_TSC,	/* the time stamp counter, which runs on across kexec */
	PKRAM_CLOCK_WALL,	/* a new kernel sets its own by a clock of whole seconds */
};

enum pkram_phase_kind {
	PKRAM_PHASE_SAVE,	/* of a node, by the old kernel */
	PKRAM_PHASE_STAGE,	/* the moment when the new kernel was loaded */
	PKRAM_PHASE_DOWN,	/* from pkram's last act in the old kernel to the new one's start */
	PKRAM_PHASE_BOOT,	/* from there to the first opening of the region */
	PKRAM_PHASE_WAIT,	/* from there on, while nothing was being restored */
	PKRAM_PHASE_RESTORE,	/* of a node that came by the jump, the first time */
};

/**
 * struct pkram_phase - a part of the time
 * @name: of the node; "" where there is none, or it is gone
 * @id: the node's, 0 where there is none
 * @start: ns from the jump (pkram's last act in the old kernel), negative before it
 * @ns: how long; nodes of a set are saved together, in the time of their set
 * @bytes: of the node
 * @moved: bytes of all nodes that @ns is of, for the rate
 */
struct pkram_phase {
	enum pkram_phase_kind kind;
	const char *name;
	uint64_t id;
	int64_t start;
	uint64_t ns;
	uint64_t bytes;
	uint64_t moved;
};

/**
 * struct pkram_report_info - the last jump that arrived
 * @id: of the jump
 * @jump: PKRAM_JUMP_STATUS_ARRIVED, or _PAST: the machine was started otherwise since
 * @next: PKRAM_JUMP_STATUS_STAGED or _ARMED by this boot; _PAST: by an earlier one, and it has not
 *	arrived; _NONE
 * @next_at: when it was staged or armed
 * @clock, @tsc_khz: what the times between the two kernels are measured by
 * @uncertainty: ns by which all that was in the new kernel may have been earlier or later
 * @staged_at, @jumped_at: by the old kernel's wall clock
 * @kernel_at, @available_at: by the new one's: its start (0: not known), the region's first opening
 * @down, @boot, @wait, @restore: ns by kind of phase; what is not known is in @down
 * @downtime: their sum: from the jump until the last restore that there was
 * @nodes: that came by the jump
 * @gone: of those, how many were removed or replaced since
 * @restored: that came and were restored, whether or not they are there still
 * @untold: of those, how many have no phase, because they are too many
 * @restored_bytes: of those; 0 where it is not known
 * @restored_at: when the last of them was there, by the new kernel's wall clock; 0: not known
 */
struct pkram_report_info {
	uint8_t id[16];
	enum pkram_jump_status jump;
	enum pkram_jump_status next;
	int64_t next_at;
	enum pkram_clock clock;
	uint64_t tsc_khz;
	uint64_t uncertainty;
	int64_t staged_at;
	int64_t jumped_at;
	int64_t kernel_at;
	int64_t available_at;
	uint64_t down;
	uint64_t boot;
	uint64_t wait;
	uint64_t restore;
	uint64_t downtime;
	uint64_t nodes;
	uint64_t gone;
	uint64_t restored;
	uint64_t untold;
	uint64_t restored_bytes;
	int64_t restored_at;
};

struct pkram_report;

/*
 * Where the time of the last jump went, as it stands in the container. To be freed by the caller,
 * also after the region is closed.
 *
 * -ENODATA: no jump has arrived here, with what is known logged.
 */
int pkram_report_new(struct pkram_region *region, struct pkram_report **ret_report);
/* Releases the report and its strings. Returns NULL. */
struct pkram_report *pkram_report_free(struct pkram_report *report);
/* Belongs to the report. */
const struct pkram_report_info *pkram_report_get_info(const struct pkram_report *report);
size_t pkram_report_count(const struct pkram_report *report);
/* By their start. NULL past the end. What it points to belongs to the report. */
const struct pkram_phase *pkram_report_get(const struct pkram_report *report, size_t index);

#ifdef __cplusplus
}
#endif

#endif
