/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzz target without a fuzzer: over its corpus, and over mutations of it that are the same
 *every time. So every build, with every compiler, fuzzes a little.
 *
 *	replay MUTATIONS FILE-OR-DIRECTORY...	MUTATIONS: of each file
 */
#include <err.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"

#define ROOM 4096u	/* by which a mutation may grow */

static unsigned long mutations;
static unsigned long runs;

static uint64_t next_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Numbers at which arithmetic goes wrong. */
static uint64_t odd_number(uint64_t *state)
{
	static const uint64_t numbers[] = { 0, 1, UINT8_MAX, 4095, 4096, INT16_MAX, UINT16_MAX,
					    1 << 20, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX,
					    UINT64_MAX - 4095 };
	uint64_t r = next_random(state);

	return numbers[r % ARRAY_SIZE(numbers)] + (r >> 32) % 3 - 1;
}

static void mutate_once(uint8_t *bytes, size_t *size, size_t cap, uint64_t *state)
{
	uint64_t r = next_random(state), number = odd_number(state);
	size_t at = *size ? (r >> 8) % *size : 0, n = *size - at, len = 1u << (r >> 40) % 4;

	switch (r % 8) {
	case 0:
		if (n)
			bytes[at] ^= (uint8_t)(1u << (r >> 48) % 8);
		break;
	case 1:
		if (n)
			bytes[at] = (uint8_t)(r >> 48);
		break;
	case 2: case 3: case 4:
		/* Fields stand where they are aligned. */
		at = ALIGN_DOWN(at, len);
		memcpy(bytes + at, &number, MIN(len, *size - at));
		break;
	case 5:
		number = next_random(state) % (*size + 1);
		n = MIN(MIN(n, (size_t)256), *size - number);
		memmove(bytes + at, bytes + number, n);
		break;
	case 6:
		*size = at;
		break;
	default:
		n = MIN((size_t)(number % ROOM), cap - *size);
		memset(bytes + *size, (int)(r >> 48), n);
		*size += n;
	}
}

/* The target gets exactly the bytes it may read. */
static void run(const uint8_t *bytes, size_t size)
{
	uint8_t *exact = malloc(MAX(size, (size_t)1));

	if (!exact)
		err(1, "malloc");
	memcpy(exact, bytes, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	runs++;
}

static void run_file(const char *path, size_t size)
{
	size_t cap = size + ROOM;
	uint8_t *seed = malloc(cap), *bytes = malloc(cap);
	FILE *f = fopen(path, "rb");
	uint64_t state = size;

	if (!seed || !bytes || !f || fread(seed, 1, size, f) != size)
		err(1, "%s", path);
	fclose(f);
	run(seed, size);
	for (unsigned long i = 0; i < mutations; i++) {
		uint64_t times = next_random(&state) % 5 + 1;
		size_t now = size;

		memcpy(bytes, seed, size);
		while (times--)
			mutate_once(bytes, &now, cap, &state);
		run(bytes, now);
	}
	free(seed);
	free(bytes);
}

int main(int argc, char **argv)
{
	FTSENT *e;
	FTS *fts;

	if (argc < 3)
		errx(2, "usage: %s MUTATIONS FILE-OR-DIRECTORY...", argv[0]);
	mutations = strtoul(argv[1], NULL, 10);
	fts = fts_open(argv + 2, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (fts && (e = fts_read(fts)))
		if (e->fts_info == FTS_F)
			run_file(e->fts_path, (size_t)e->fts_statp->st_size);
		else if (e->fts_info == FTS_NS || e->fts_info == FTS_ERR)
			errx(1, "%s: %s", e->fts_path, strerror(e->fts_errno));
	if (!fts || !runs)
		errx(1, "nothing to replay");
	fts_close(fts);
	printf("%lu runs\n", runs);
	return 0;
}
