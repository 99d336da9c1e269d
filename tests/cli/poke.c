/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * poke - spoils a container on purpose, for the cases of bad input.
 *
 *	poke FILE flip PLACE[+OFFSET]...	invert bytes, once all are found
 *	poke FILE where PLACE[+OFFSET]		prints the place
 *	poke FILE set FIELD VALUE		of the newest superblock, which is sealed again
 *	poke FILE arm ID BOOT SECONDS		as a boot would have left it that was about to jump
 *						so long ago; ID and BOOT are 32 hex digits
 *
 * PLACE is new (the newest superblock), old (the other one), rows (the newest catalog), or, with
 * the node's name after a colon, block, copy, data, mirror: what rows of that kind say.
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
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "pkram-format.h"

static uint8_t *map;
static size_t size;

static struct pkram_superblock *slot(unsigned int i)
{
	return (struct pkram_superblock *)(map + i * PKRAM_SLOT_SIZE);
}

static uint64_t seal_of(struct pkram_superblock sb)
{
	uint64_t h;

	sb.seal = 0;
	h = XXH3_64bits(&sb, sizeof(sb));
	return h ? h : 1;
}

static unsigned int newest(void)
{
	unsigned int best = 2;

	for (unsigned int i = 0; i < 2; i++)
		if (le64toh(slot(i)->seal) == seal_of(*slot(i)) &&
		    (best == 2 || le64toh(slot(i)->generation) > le64toh(slot(best)->generation)))
			best = i;
	if (best == 2)
		errx(1, "no superblock is sealed");
	return best;
}

static struct pkram_row *rows(void)
{
	return (struct pkram_row *)(map + newest() * PKRAM_SLOT_SIZE + PKRAM_BLOCK);
}

/* Rows of one kind are the pieces of one space, in their order. */
static uint64_t row_offset(const char *name, uint32_t kind, uint64_t off)
{
	uint64_t n = le64toh(slot(newest())->rows), hash = XXH3_64bits(name, strlen(name)), id = 0;
	struct pkram_row *r = rows();

	for (uint64_t i = 0; i < n; i++)
		if (le32toh(r[i].kind) == PKRAM_ROW_NODE && le64toh(r[i].name_hash) == hash)
			id = le64toh(r[i].id);
	for (uint64_t i = 0; i < n; i++) {
		if (le64toh(r[i].id) != id || le32toh(r[i].kind) != kind)
			continue;
		if (off < le64toh(r[i].len))
			return le64toh(r[i].off) + off;
		off -= le64toh(r[i].len);
	}
	errx(1, "%s: no such row", name);
}

static uint64_t find_place(char *word)
{
	static const struct {
		const char *name;
		uint32_t kind;
	} kinds[] = {
		{ "block", PKRAM_ROW_NODE }, { "copy", PKRAM_ROW_COPY }, { "data", PKRAM_ROW_DATA },
		{ "mirror", PKRAM_ROW_MIRROR },
	};
	char *plus = strrchr(word, '+'), *colon;
	uint64_t off = 0;

	if (plus) {
		off = strtoull(plus + 1, NULL, 0);
		*plus = 0;
	}
	if (strcmp(word, "new") == 0)
		return newest() * PKRAM_SLOT_SIZE + off;
	if (strcmp(word, "old") == 0)
		return (1 - newest()) * PKRAM_SLOT_SIZE + off;
	if (strcmp(word, "rows") == 0)
		return newest() * PKRAM_SLOT_SIZE + PKRAM_BLOCK + off;
	colon = strchr(word, ':');
	for (size_t i = 0; colon && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(word, kinds[i].name, (size_t)(colon - word)) == 0)
			return row_offset(colon + 1, kinds[i].kind, off);
	errx(1, "%s: no such place", word);
}

static void set(const char *field, uint64_t value)
{
	static const struct {
		const char *name;
		size_t off, width;
	} fields[] = {
		{ "magic", offsetof(struct pkram_superblock, magic), 8 },
		{ "version", offsetof(struct pkram_superblock, version), 4 },
		{ "compat", offsetof(struct pkram_superblock, feature_compat), 4 },
		{ "ro", offsetof(struct pkram_superblock, feature_ro), 4 },
		{ "incompat", offsetof(struct pkram_superblock, feature_incompat), 4 },
		{ "size", offsetof(struct pkram_superblock, size), 8 },
		{ "phys", offsetof(struct pkram_superblock, phys), 8 },
		{ "rows", offsetof(struct pkram_superblock, rows), 8 },
		{ "account", offsetof(struct pkram_superblock, account.next.id), 8 },
	};
	struct pkram_superblock *sb = slot(newest());
	uint64_t v = htole64(value);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(field, fields[i].name) != 0)
			continue;
		memcpy((uint8_t *)sb + fields[i].off, &v, fields[i].width);
		sb->seal = htole64(seal_of(*sb));
		return;
	}
	errx(1, "%s: no such field", field);
}

static void hex16(const char *text, uint8_t ret[16])
{
	for (size_t i = 0; i < 16; i++)
		if (sscanf(text + 2 * i, "%2hhx", &ret[i]) != 1)
			errx(1, "%s: not 32 hex digits", text);
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void arm(const char *id, const char *boot, uint64_t ns)
{
	struct pkram_superblock *sb = slot(newest());
	struct pkram_jump *j = &sb->jump;

	memset(j, 0, sizeof(*j));
	memset(&sb->account.next, 0, sizeof(sb->account.next));
	hex16(id, j->id);
	hex16(boot, j->old_boot);
	hex16(id, sb->account.next.id);
	j->state = htole32(PKRAM_JUMP_ARMED);
	j->staged_at = htole64(now(CLOCK_REALTIME) - ns - 1000000);
	j->armed_at = htole64(now(CLOCK_REALTIME) - ns);
	sb->account.next.staged = htole64(now(CLOCK_BOOTTIME) - 1000000);
	sb->account.next.armed = htole64(now(CLOCK_BOOTTIME));
	sb->seal = htole64(seal_of(*sb));
}

int main(int argc, char **argv)
{
	uint64_t at[16];
	struct stat st;
	int fd, n = argc - 3;

	if (n < 1 || n > 16)
		errx(2, "usage: poke FILE flip|where PLACE, poke FILE set FIELD VALUE");
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", argv[1]);
	size = (size_t)st.st_size;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s", argv[1]);
	if (strcmp(argv[2], "set") == 0 && argc == 5) {
		set(argv[3], strtoull(argv[4], NULL, 0));
		return 0;
	}
	if (strcmp(argv[2], "arm") == 0 && argc == 6) {
		arm(argv[3], argv[4], strtoull(argv[5], NULL, 0) * 1000000000);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		at[i] = find_place(argv[3 + i]);
		if (at[i] >= size)
			errx(1, "%s: past the end", argv[3 + i]);
	}
	for (int i = 0; i < n; i++) {
		if (strcmp(argv[2], "flip") == 0)
			map[at[i]] ^= 0xff;
		else
			printf("%ju\n", (uintmax_t)at[i]);
	}
	return 0;
}
