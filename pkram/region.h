/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A region: bytes that survive, reached by offset and length from the start of the container. Knows
 * devices and mappings, nothing of what the bytes mean.
 */
#pragma once

#include "ctx.h"

struct region;
struct stat;
struct work_cpus;

/*
 * One row per kind of region. Offsets are relative to the container. Argument order is (off, len).
 * A mapped region sets region->map and leaves read and write to the mapping.
 */
struct region_ops {
	const char *scheme;	/* what stands before ':' */
	/* Fills fd, base, size, phys, node and map for region->path. */
	int (*open)(struct region *r);
	/* Bounce I/O; off and len multiples of 4096, buf aligned to 4096. NULL where mapped. */
	int (*read)(struct region *r, uint64_t off, size_t len, void *buf);
	int (*write)(struct region *r, uint64_t off, size_t len, const void *buf);
};

struct region {
	struct pkram_ctx *ctx;
	const struct region_ops *ops;
	char *spec;		/* canonical, scheme:path */
	char *path;
	int fd;			/* for locks, always; for I/O where not mapped */
	bool read_only;
	uint64_t base;		/* of the container in the device */
	uint64_t size;		/* bytes from there on that can hold a container */
	uint64_t phys;		/* physical address of the container, 0: unknown or none */
	uint8_t *map;		/* of the container, NULL where not mapped */
	uint64_t map_len;
	int node;		/* the memory node that it lies on, -1: not known */
	struct work_cpus *near;	/* the CPUs there, NULL: all CPUs are alike */
};

extern const struct region_ops region_ops_devdax, region_ops_pmem, region_ops_file;
/*
 * The same files, but not mapped, for copies on a disk, whose free space may be holes: a full disk
 * and a bad sector are errors there, and no SIGBUS. By region_new(), and for files with holes.
 */
extern const struct region_ops region_ops_file_io;

/* Whether the bytes can be there after a jump. */
static inline bool region_survives(const struct region *r)
{
	return strcmp(r->ops->scheme, region_ops_file.scheme) != 0;
}

/* The kind that a spec names, and the path behind it; NULL for a bare path, whose file tells. */
const struct region_ops *region_parse_spec(const char *spec, const char **ret_path);
/*
 * -EINVAL (logged): no path is in it, or a scheme that is none. Looks at nothing else.
 * @from: behind the spec in messages, where nobody has just typed it; "" for nothing
 */
int region_check_spec(struct pkram_ctx *ctx, const char *spec, const char *from);
/*
 * Opens the bytes of `spec` (scheme:path or a bare path). The path is resolved to the one device
 * node of its device first, because locks taken on two nodes of one device do not meet.
 */
int region_open(struct pkram_ctx *ctx, const char *spec, bool read_only, struct region **ret);
int region_open_from(struct pkram_ctx *ctx, const char *spec, const char *from, bool read_only,
		     struct region **ret);
/* Opens the path by this row, whatever lies there (tests bring rows of their own). */
int region_new(struct pkram_ctx *ctx, const struct region_ops *ops, const char *path,
	       bool read_only, struct region **ret);
struct region *region_close(struct region *r);
DEFINE_CLEANUP(struct region *, region_close)

/* For rows. Opens r->path, which has to be of this file type, with the region's access. */
int region_open_fd(struct region *r, mode_t type, int flags, struct stat *ret_st);
/* For rows. Maps [base, base + size) of the fd. */
int region_map(struct region *r);
/* For rows that are not mapped: `read` and `write` by calls on the fd. */
int region_pread(struct region *r, uint64_t off, size_t len, void *buf);
int region_pwrite(struct region *r, uint64_t off, size_t len, const void *buf);

/* Makes a file: region of `size` bytes with its blocks allocated; an existing file may only grow.
 */
int region_file_create(struct pkram_ctx *ctx, const char *path, uint64_t size);

/*
 * off and len multiples of 4096, buf aligned to 4096; inside [0, size), else -ERANGE. -EIO, logged:
 * what is there cannot be read; no signal, also where the region is mapped.
 */
int region_read(struct region *r, uint64_t off, size_t len, void *buf);
/* Long stretches of mapped regions are best written in steps of this: the next one is fetched. */
#define REGION_STEP (16 * KIB)
int region_write(struct region *r, uint64_t off, size_t len, const void *buf);
int region_zero(struct region *r, uint64_t off, uint64_t len);
/* Reads the device, what lies in front of the container too: off counts from its first byte. */
int region_read_device(struct region *r, uint64_t off, size_t len, void *buf);
/* The mapped bytes, NULL where the region is not mapped. */
static inline uint8_t *region_ptr(struct region *r, uint64_t off)
{
	return r->map ? r->map + off : NULL;
}
/*
 * Threads to use for `items` pieces of work on it: as ctx_threads(), but two for each CPU where it
 * is not mapped, as those that wait for the device leave theirs to others.
 */
unsigned int region_threads(const struct region *r, uint64_t items);
/*
 * Brings the pages of a mapped range in by one call, which costs less than a fault for each. What
 * cannot be brought in is left to the faults.
 */
void region_prepare(struct region *r, uint64_t off, uint64_t len, bool write);
/* What was stored through region_ptr() is ordered before what is stored next. */
void region_persist(struct region *r);
/*
 * Writes a block whose last 8 bytes are its seal: cleared first, body next, seal last. After a
 * crash in between the seal is 0, or old body and old seal are whole.
 */
int region_seal_block(struct region *r, uint64_t off, const void *block4k);

/*
 * Exclusive and shared locks on bytes of the region's file, by open file description.
 * -EAGAIN: another holds it (wait == false).
 */
enum region_lock { REGION_UNLOCK, REGION_LOCK_SHARED, REGION_LOCK_EXCLUSIVE };
int region_lock(struct region *r, uint64_t byte, enum region_lock how, bool wait);
/*
 * Whether another opening holds one of these bytes so that this lock would have to wait. Works on a
 * read-only region.
 */
bool region_locked(struct region *r, uint64_t byte, uint64_t len, enum region_lock how);
