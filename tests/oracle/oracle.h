/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The oracle: makes file trees of every kind and says exactly what a tree holds. It shares no line
 * with pkram, so that the two cannot be wrong together.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct make_options {
	uint64_t seed;
	unsigned small_files;		/* random small files, spread over random directories */
	unsigned mib;			/* data in large files */
	bool locked;			/* append-only and immutable files too: `oracle unlock` */
};

int oracle_make(const char *dir, const struct make_options *options);

struct list_options {
	bool no_holes;			/* do not tell where the holes are */
	bool no_xattrs;
	bool digest;			/* one line for all */
};

int oracle_list(const char *dir, const struct list_options *options);
int oracle_unlock(const char *dir);

/* SHA-256 (FIPS 180-4) */
struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, char hex[65]);

#endif
