/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the operations share: the public handle of a region, and the policies that several of them
 * follow.
 */
#pragma once

#include "ctx.h"
#include "store.h"

struct pkram_region {
	struct pkram_ctx *ctx;
	struct store *store;
	uint8_t boot_id[16];	/* of the running kernel */
	bool read_only;
	uint8_t staged[16];	/* the jump that this handle has staged */
};

/* -EINVAL (logged) for flags outside `known`. */
int op_check_flags(struct pkram_ctx *ctx, const char *what, uint64_t flags, uint64_t known);
/*
 * -EINVAL (logged) unless a caller's option struct, which starts with its size, is of `known` bytes
 * or of a newer version whose further bytes are all zero: it asks for nothing that this library
 * does not know.
 */
int op_check_options(struct pkram_ctx *ctx, const char *what, const void *options, size_t known);

/* -EROFS (logged) in a kdump kernel: it is there to look at the crash, and what it finds stays as
 * it is. */
int op_check_kernel(struct pkram_ctx *ctx);

struct stat;

/*
 * The region that is meant: `given`, the environment, the configuration, or (discover) the only
 * one. *ret_from stands behind it in messages, as in " (from PKRAM_REGION)"; "" where it was given.
 */
int op_resolve_spec(struct pkram_ctx *ctx, const char *given, bool discover, char **ret,
		    const char **ret_from);

/* The same without looking for one; NULL where none is named. Loads nothing. */
int op_named_spec(struct pkram_ctx *ctx, const char *given, char **ret, const char **ret_from);
/* What the configuration alone names; NULL where it names none. */
int op_conf_spec(struct pkram_ctx *ctx, char **ret);
/*
 * The path that it stands for: of a device's nodes the one that counts. *ret_st: of what is there,
 * all zero where nothing is. Does not open it.
 */
int op_spec_node(struct pkram_ctx *ctx, const char *spec, char **ret, struct stat *ret_st);

/* What lies in a region, as far as it can be seen without changing anything (op-look.c). */
struct op_look {
	enum pkram_memory_state state;
	char *detail;		/* see struct pkram_memory; NULL: nothing to say */
	uint64_t usable;	/* 0: not known */
	struct store_info info;	/* of a container */
};

/* -ENOMEM alone fails: what cannot be looked at is a state, too. */
int op_look(struct pkram_ctx *ctx, const char *spec, struct op_look *ret);
void op_look_done(struct op_look *look);
/* What libblkid recognises in the whole device; NULL for nothing. */
int op_signature(struct region *r, char **ret_type);
/* 36 digits and dashes. */
void op_uuid_text(const uint8_t uuid[16], char ret[37]);

/* A node for serving: opened for reading, and -ESTALE (logged with its age) unless fresh or
 * `stale`. */
int op_serve(struct pkram_region *region, const char *name, bool stale, struct store_reader **ret);
/*
 * -ESTALE, logged: damage in what an earlier boot saved (n NULL: in what cannot even say who saved
 * it) means that its memory did not come whole to this one, and then none of it is served.
 */
int op_not_survived(struct pkram_region *region, const char *name, const struct store_node *n);
/* Whether a node is neither of this boot nor of the one that jumped here. */
bool op_is_stale(struct pkram_region *region, const struct store_node *n);
/* CLOCK_MONOTONIC in ns, for durations. */
int64_t op_clock(void);
/* "3 minutes ago", or what else is known, into buf. */
const char *op_age(int64_t saved_at, char buf[48]);
enum pkram_freshness op_freshness(const struct pkram_region *region,
				  const struct pkram_jump *arrival, const uint8_t boot_id[16]);
/* Whether the node was restored or read whole in this boot. */
bool op_restored(const struct pkram_region *region, const struct store_node *n);
/* Notes that, unless the region is read-only. It is restored also where it cannot be noted. */
void op_note_restored(struct pkram_region *region, const struct store_restored *restored, size_t n);

/*
 * Whether the old node of a name gives up its space for the new one: when it is of another boot or
 * restored already.
 */
bool op_yields(const struct pkram_region *region, const struct store_node *old);
/*
 * Such a node gives up its space for the new one. A store_yield_fn; arg is a struct op_yield.
 * Asking does not give yet, so what was granted is kept, and told by op_yield_end() with the result
 * of what asked.
 */
struct op_yield {
	struct pkram_region *region;
	bool keep_old;
	char **granted;	/* a line for each node */
	size_t n, cap;
};
bool op_yield(void *arg, const struct store_node *old);
/* Logs what went, if k is no failure. Returns k. */
int op_yield_end(struct op_yield *y, int k);

/*
 * Whether the source of a tree still is, byte for byte, what was saved of it: lays it out again and
 * compares every window's checksum. 0; -ESTALE: it differs; -EBUSY: it is not quiet; -ENOENT: gone.
 */
int op_compare_source(struct pkram_ctx *ctx, const struct store_node *n);

/* Checks one node's windows in parallel; damage is logged. `t` counts bytes and threads. */
int op_verify_reader(struct pkram_ctx *ctx, struct store_reader *reader, struct pkram_transfer *t);
/* The same of the node of that name, with the second copies of what is stored twice. */
int op_verify_name(struct pkram_ctx *ctx, struct store *store, const char *name,
		   struct pkram_transfer *t);
/*
 * What a stream has to hash to. -EINVAL (logged): not the digits of a SHA-256; -EOPNOTSUPP
 * (logged): the library for it is not installed.
 */
struct op_digest;
int op_digest_new(struct pkram_ctx *ctx, const char *hex, struct op_digest **ret);
struct op_digest *op_digest_free(struct op_digest *d);
void op_digest_add(struct op_digest *d, const void *bytes, size_t len);
/* At the end: -EIO (logged) where it is another one. */
int op_digest_check(struct op_digest *d, struct pkram_ctx *ctx);

/* Logs what a damaged range of a node's logical space means: node, offset in the region, files. */
void op_log_damage(struct pkram_ctx *ctx, struct store_reader *reader, uint64_t off, uint64_t len);
/* The same for each run of damaged windows (a byte for each window); whether there was any. */
bool op_log_damaged(struct pkram_ctx *ctx, struct store_reader *reader, const uint8_t *damaged);
