/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What planning and the change of the boot loader's settings share: the words that were added to
 * them before, and how they stand there.
 */
#pragma once

#include "kexec.h"
#include "op.h"

struct pkram_plan {
	struct pkram_plan_info info;
	struct kexec_plan plan;
	char *limit;
	char *config, *config_word;
	enum kexec_loader loader;
};

/* A word that an earlier change added, or put in the place of another one (`old`). */
struct op_plan_word {
	char *old;	/* NULL: added */
	char *word;
};

struct op_plan_words {
	struct op_plan_word *v;
	size_t n, cap;
	bool created;	/* the file is there for them alone (boot entries) */
};

/* In the order in which they were added. */
int op_plan_words(struct pkram_ctx *ctx, enum kexec_loader loader, struct op_plan_words *ret);
void op_plan_words_done(struct op_plan_words *w);
/* The file that a change edits, and the word as it stands there; malloc'ed. */
int op_plan_config(struct pkram_ctx *ctx, enum kexec_loader loader, const char *word,
		   char **ret_file, char **ret_word);

/* How two texts differ, as `diff -u` says it; NULL: no such file. malloc'ed. */
int op_plan_diff(const char *path, const char *old, const char *new, char **ret);

/* --- changes --- */

#define OP_PLAN_ENTRY_FILE "/etc/kernel/cmdline"
#define OP_PLAN_ENTRY_NOTES "/etc/kernel/cmdline.pkram"
#define OP_PLAN_ARGS 5

struct op_plan_command {
	char *program;
	char *argv[OP_PLAN_ARGS + 1];
};

struct pkram_plan_change {
	struct pkram_ctx *ctx;
	enum kexec_loader loader;
	const char *path, *notes_path;	/* notes_path NULL: they are in the file itself */
	char *old, *new;		/* NULL: no file */
	bool own_dir;			/* its directory is there for it alone */
	char *old_notes, *new_notes;
	char *word;			/* that must arrive; NULL: none */
	char *diff, *text;
	struct op_plan_command *commands;
	size_t n_commands, cap;
};

/* With its last newline; NULL where there is no file. Failures are logged. */
int op_plan_read_text(struct pkram_ctx *ctx, const char *path, char **ret);

/* Notes are "WORD" or "OLD -> WORD". */
#define OP_PLAN_ARROW " -> "
int op_plan_take_note(const char *note, size_t len, struct op_plan_words *w);

static inline const char *op_plan_next_line(const char *line)
{
	line = strchrnul(line, '\n');
	return line + (*line == '\n');
}

static inline size_t op_plan_line_length(const char *line)
{
	return strcspn(line, "\n");
}

/* What the notes in a text tell (op-plan-grub.c, op-plan-entry.c); NULL: of none. */
int op_plan_grub_words(const char *text, struct op_plan_words *w);
int op_plan_entry_words(const char *text, struct op_plan_words *w);
/* Fill in what the file will be (and the notes). */
int op_plan_grub_add(struct pkram_plan_change *c, const struct kexec_plan *p);
int op_plan_grub_remove(struct pkram_plan_change *c);
int op_plan_entry_add(struct pkram_plan_change *c, const struct kexec_plan *p);
int op_plan_entry_remove(struct pkram_plan_change *c, const struct op_plan_words *words);

const char *op_plan_grub_file(struct pkram_ctx *ctx);
/* A word as GRUB's own language wants it; malloc'ed. */
int op_plan_grub_form(const char *word, char **ret);
