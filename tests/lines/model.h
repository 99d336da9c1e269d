/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of what an x86 kernel makes of the firmware's memory map and a command line. It is
 * written apart from pkram's own reading, and the other way round: that one looks whether words are
 * right, this one makes the whole map and looks at it. Its facts are those of the boots in golden/.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	MODEL_RAM = 1,
	MODEL_RESERVED = 2,
	MODEL_ACPI = 3,
	MODEL_PMEM = 12,	/* "Persistent Memory (legacy)" */
};
#define MODEL_SOFT 0xefffffffu

#define MODEL_RANGES 2048
#define MODEL_AVOIDED 4

/* [start, end) */
struct model_range {
	uint64_t start, end;
	uint32_t type;
};

/* An entry of a memmap= word, or a mem= word, as the kernel takes it. */
struct model_entry {
	uint64_t start, size;
	char op;		/* '\0': a limit */
	uint32_t from, to;	/* of '%' */
};

struct model {
	struct model_range map[MODEL_RANGES];	/* sorted; a device for each range that is one */
	int n;
	bool boots;
	/* The decompressor's reading: where it may put the kernel at random. */
	bool stays;
	uint64_t ceiling;
	struct model_range avoided[MODEL_AVOIDED];
	int n_avoided;
	/* What was read, for who wants to know why. */
	struct model_entry entries[MODEL_RANGES];
	int n_entries;
	int words;
	bool exactmap;
	bool odd;	/* an entry that is not what its author meant */
	bool at;	/* a word of another name has a '@', as those do that ask for memory */
};

void model_read(struct model *m, const struct model_range *firmware, int n, const char *line);
/* Whether exactly this range comes back, as one of its type. */
bool model_has(const struct model *m, uint64_t start, uint64_t size, uint32_t type);
/* Whether the kernel may be put into the range. */
bool model_may_land(const struct model *m, uint64_t start, uint64_t size);
