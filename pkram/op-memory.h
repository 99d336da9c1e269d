/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inner header of the list of memory: the words that reserve it, and what to do with it.
 */
#pragma once

#include "kexec.h"
#include "machine.h"
#include "op.h"

struct pkram_memory_list {
	struct pkram_memory *v;
	size_t n, cap;
};

/* --- words of the command line (op-words.c) --- */

/* A range of a memmap= word, which may have several. */
struct op_word {
	enum kexec_memmap_kind kind;
	uint64_t start, size;
	char *text;		/* the whole word */
};

struct op_words {
	struct op_word *v;
	size_t n, cap;
};

/* A word that is not understood reserves nothing. */
int op_words_find(struct pkram_ctx *ctx, const char *line, struct op_words *ret);
void op_words_done(struct op_words *words);
/* The memory that words of one kind name, by address, what overlaps or touches as one. No text. */
int op_words_join(const struct op_words *words, enum kexec_memmap_kind kind, struct op_word **ret,
		  size_t *ret_n);
/*
 * The words that make this memory what it is, with blanks between; "firmware" where the firmware
 * itself calls it so; "" for neither.
 */
int op_words_reserving(const struct op_words *words, const struct machine_ranges *firmware,
		       const struct pkram_memory *m, char **ret);

/* --- what comes next (op-hint.c) --- */

/*
 * One thing to do with it. `nd`: what libnvdimm calls the memory, where its driver made no device
 * of it. NULL: out of memory.
 */
char *op_memory_hint(const struct pkram_memory *m, const char *nd);

enum pkram_memory_mode op_device_mode(const struct machine_device *d);
