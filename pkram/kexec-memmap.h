/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inner to the reservations: the pieces of a line's words, and what the decompressor makes of them.
 */
#pragma once

#include "kexec.h"

struct span {
	const char *p;
	size_t len;
};

/*
 * A number with its prefix (0x, 0) and K, M, G, T, P or E behind it; the span goes on behind that.
 * Where the kernel would wrap or take nothing for 0: false.
 */
bool span_take_size(struct span *s, uint64_t *ret);
/* The next entry of a comma list; an empty one counts, as the kernel splits. */
bool span_next_entry(struct span *list, struct span *ret);
bool span_is_exactmap(const struct span *s);
/* One entry of a memmap= word, apart from exactmap. */
bool span_parse_memmap(struct span s, struct kexec_memmap *ret);

#define KASLR_RANGES 4u

/* Where the kernel's decompressor may put the kernel at random (kexec-kaslr.c). */
struct kexec_kaslr {
	struct kexec_memmap avoid[KASLR_RANGES];
	unsigned int n;
	unsigned int words;	/* separate memmap= words on the line */
	uint64_t limit;		/* it goes no higher */
	bool nokaslr;		/* the word is there */
	bool off;		/* the kernel stays where kexec put it */
};

struct kexec_kaslr kexec_kaslr_read(const char *line);
bool kexec_kaslr_avoids(const struct kexec_kaslr *k, const struct kexec_keep *keep);
