/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Breaks a container on purpose, and lies with sound checksums. Knows the format by its header
 * alone, not by the library, so that the two check each other.
 *
 *	reseal FILE rows NAME			the node's rows: kind off len, one a line
 *	reseal FILE newest			the slot that holds the state: 0 or 1
 *	reseal FILE flip OFF...			turns one bit of these bytes over
 *	reseal FILE fill OFF LEN BYTE		overwrites
 *	reseal FILE sb SLOT FIELD VALUE		changes a field of a superblock (0, 1 or both) and
 *seals it reseal FILE catalog ROW FIELD VALUE	changes a row of the newest catalog, its hash and
 *its seal reseal FILE node NAME FIELD VALUE	changes both copies of a node's block, their hashes
 *and rows
 *	reseal FILE hashes NAME			where the window checksums lie: an offset for each
 *copy
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "pkram-format.h"

struct field {
	const char *name;
	size_t off, len;
};

#define FIELD(type, f) { #f, offsetof(struct type, f), sizeof(((struct type *)0)->f) }

static const struct field sb_fields[] = {
	FIELD(pkram_superblock, version), FIELD(pkram_superblock, feature_compat),
	FIELD(pkram_superblock, feature_ro), FIELD(pkram_superblock, feature_incompat),
	FIELD(pkram_superblock, generation), FIELD(pkram_superblock, size),
	FIELD(pkram_superblock, phys), FIELD(pkram_superblock, next_id),
	FIELD(pkram_superblock, rows), FIELD(pkram_superblock, catalog_hash),
	FIELD(pkram_superblock, arrival.state), FIELD(pkram_superblock, arrival.armed_at),
	FIELD(pkram_superblock, account.last.staged), FIELD(pkram_superblock, account.last.armed),
	FIELD(pkram_superblock, account.last.armed_tsc),
	FIELD(pkram_superblock, account.last.claimed),
	FIELD(pkram_superblock, account.last.claimed_tsc),
	FIELD(pkram_superblock, account.last.tsc_khz), FIELD(pkram_superblock, account.nodes),
	FIELD(pkram_superblock, account.came), FIELD(pkram_superblock, account.took),
	FIELD(pkram_superblock, account.done),
	FIELD(pkram_superblock, account.restored[0].end),
	FIELD(pkram_superblock, account.restored[0].took), { },
};

static const struct field row_fields[] = {
	FIELD(pkram_row, id), FIELD(pkram_row, off), FIELD(pkram_row, len), FIELD(pkram_row, hash),
	FIELD(pkram_row, name_hash), FIELD(pkram_row, kind), FIELD(pkram_row, flags), { },
};

static const struct field node_fields[] = {
	FIELD(pkram_node_block, version),
	FIELD(pkram_node_block, kind),
	FIELD(pkram_node_block, id),
	FIELD(pkram_node_block, length),
	FIELD(pkram_node_block, generation),
	FIELD(pkram_node_block, set_count),
	FIELD(pkram_node_block, size),
	FIELD(pkram_node_block, mirrored),
	FIELD(pkram_node_block, extents),
	FIELD(pkram_node_block, mirrors),
	FIELD(pkram_node_block, windows),
	FIELD(pkram_node_block, props_len),
	FIELD(pkram_node_block, holes_len),
	{},
};

static uint8_t *region;
static uint64_t region_size;

static uint64_t number(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 0);

	if (end == s || *end)
		errx(2, "not a number: %s", s);
	return v;
}

static void *at(uint64_t off, uint64_t len)
{
	if (len > region_size || off > region_size - len)
		errx(1, "byte %llu is outside the file", (unsigned long long)off);
	return region + off;
}

static struct pkram_superblock *superblock(unsigned int slot)
{
	return at((uint64_t)slot * PKRAM_SLOT_SIZE, sizeof(struct pkram_superblock));
}

static void seal(struct pkram_superblock *sb)
{
	uint64_t h;

	sb->seal = 0;
	h = XXH3_64bits(sb, sizeof(*sb));
	sb->seal = htole64(h ? h : 1);
}

static unsigned int newest(void)
{
	uint64_t best = 0;
	unsigned int slot = 2;

	for (unsigned int i = 0; i < 2; i++) {
		struct pkram_superblock sb = *superblock(i), t = sb;

		seal(&t);
		if (sb.seal == t.seal && le64toh(sb.generation) >= best) {
			best = le64toh(sb.generation);
			slot = i;
		}
	}
	if (slot == 2)
		errx(1, "no valid superblock");
	return slot;
}

static struct pkram_row *rows(uint64_t *ret_n)
{
	unsigned int slot = newest();

	*ret_n = le64toh(superblock(slot)->rows);
	return at(slot * (uint64_t)PKRAM_SLOT_SIZE + PKRAM_BLOCK,
		  *ret_n * sizeof(struct pkram_row));
}

static void seal_catalog(void)
{
	struct pkram_superblock *sb = superblock(newest());
	uint64_t n;
	struct pkram_row *r = rows(&n);

	sb->catalog_hash = htole64(XXH3_64bits(r, n * sizeof(*r)));
	seal(sb);
}

static struct pkram_row *head_of(const char *name)
{
	uint64_t n, hash = XXH3_64bits(name, strlen(name));
	struct pkram_row *r = rows(&n);

	for (uint64_t i = 0; i < n; i++)
		if (le32toh(r[i].kind) == PKRAM_ROW_NODE && le64toh(r[i].name_hash) == hash)
			return &r[i];
	errx(1, "no node %s", name);
}

static void set_field(void *base, const struct field *fields, const char *name, uint64_t value)
{
	pkram_le64 v = htole64(value);

	for (const struct field *f = fields; f->name; f++)
		if (strcmp(f->name, name) == 0) {
			memcpy((uint8_t *)base + f->off, &v, f->len);
			return;
		}
	errx(2, "no field %s", name);
}

static void print_rows(const char *name)
{
	static const char *const kinds[] = { "?",    "node", "writer", "orphan",
					     "copy", "data", "mirror" };
	pkram_le64 id = head_of(name)->id;
	uint64_t n;
	const struct pkram_row *r = rows(&n);

	for (uint64_t i = 0; i < n; i++)
		if (r[i].id == id && le32toh(r[i].kind) < sizeof(kinds) / sizeof(*kinds))
			printf("%s %llu %llu\n", kinds[le32toh(r[i].kind)],
			       (unsigned long long)le64toh(r[i].off),
			       (unsigned long long)le64toh(r[i].len));
}

typedef void (*copy_fn)(struct pkram_row *head, struct pkram_node_block *b, char **args);

/* Calls fn for both copies of a node's block. */
static void each_copy(const char *name, copy_fn fn, char **args)
{
	struct pkram_row *head = head_of(name);
	uint64_t n;
	struct pkram_row *r = rows(&n);

	for (uint64_t i = 0; i < n; i++)
		if (r[i].id == head->id && (le32toh(r[i].kind) == PKRAM_ROW_NODE ||
					    le32toh(r[i].kind) == PKRAM_ROW_COPY))
			fn(head, at(le64toh(r[i].off), le64toh(r[i].len)), args);
}

static void print_hashes(struct pkram_row *head, struct pkram_node_block *b, char **args)
{
	uint8_t *p = (uint8_t *)(b + 1) + (le64toh(b->extents) + le64toh(b->mirrors)) *
					  sizeof(struct pkram_extent);

	(void)head;
	(void)args;
	printf("%zu\n", (size_t)(p - region));
}

static void change_node(struct pkram_row *head, struct pkram_node_block *b, char **args)
{
	pkram_le64 self = b->self, other = b->other;

	set_field(b, node_fields, args[0], number(args[1]));
	b->self = b->other = b->hash = 0;
	head->hash = htole64(XXH3_64bits(b, le64toh(head->len)));
	b->hash = head->hash;
	b->self = self;
	b->other = other;
}

static int run(const char *verb, char **args, int n)
{
	if (strcmp(verb, "rows") == 0 && n == 1) {
		print_rows(args[0]);
	} else if (strcmp(verb, "newest") == 0 && n == 0) {
		printf("%u\n", newest());
	} else if (strcmp(verb, "flip") == 0 && n >= 1) {
		for (int i = 0; i < n; i++)
			*(uint8_t *)at(number(args[i]), 1) ^= 0x10;
	} else if (strcmp(verb, "fill") == 0 && n == 3) {
		memset(at(number(args[0]), number(args[1])), (int)number(args[2]), number(args[1]));
	} else if (strcmp(verb, "sb") == 0 && n == 3) {
		for (unsigned int i = 0; i < 2; i++) {
			if (strcmp(args[0], "both") != 0 && number(args[0]) != i)
				continue;
			set_field(superblock(i), sb_fields, args[1], number(args[2]));
			seal(superblock(i));
		}
	} else if (strcmp(verb, "catalog") == 0 && n == 3) {
		uint64_t count, index = number(args[0]);
		struct pkram_row *r = rows(&count);

		if (index >= count)
			errx(1, "no row %s", args[0]);
		set_field(&r[index], row_fields, args[1], number(args[2]));
		seal_catalog();
	} else if (strcmp(verb, "node") == 0 && n == 3) {
		each_copy(args[0], change_node, args + 1);
		seal_catalog();
	} else if (strcmp(verb, "hashes") == 0 && n == 1) {
		each_copy(args[0], print_hashes, NULL);
	} else {
		errx(2, "usage: see the head of reseal.c");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	if (argc < 3)
		errx(2, "usage: see the head of reseal.c");
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", argv[1]);
	region_size = (uint64_t)st.st_size;
	region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (region == MAP_FAILED)
		err(1, "%s", argv[1]);
	return run(argv[2], argv + 3, argc - 3);
}
