/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What planning and the change of boot loaders' settings share.
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

/*
 * The command line that a region is planned for: the running one with what the boot loader's
 * settings say of memory that does not run yet (op-plan-next.c). ret_settings: what they say; NULL:
 * not known.
 */
int op_plan_next(struct pkram_ctx *ctx, enum kexec_loader loader, char **ret_line,
		 char **ret_settings);
/* How two texts differ, as `diff -u` says it; NULL: no such file. */
int op_plan_diff(FILE *f, const char *path, const char *old, const char *new);

/* --- changes (op-plan-change.c) --- */

#define OP_PLAN_ARGS 3

struct op_plan_command {
	char *program;
	char *argv[OP_PLAN_ARGS + 1];
	bool needed;	/* what its boot loader starts is what counts */
};

struct op_plan_file {
	char *path;
	char *old, *new;	/* NULL: no file */
	bool own_dir;		/* its directory is there for it alone */
};

struct pkram_plan_change {
	struct pkram_ctx *ctx;
	enum kexec_loader loader;	/* that starts this machine */
	struct op_plan_file **files;	/* in the order in which they are written */
	size_t n_files, files_cap;
	char *word;			/* that must arrive; NULL: none */
	char *diff, *text;
	struct op_plan_command *commands;
	size_t n_commands, commands_cap;
};

/* One more file of the change; failures are logged. */
int op_plan_open(struct pkram_plan_change *c, const char *path, struct op_plan_file **ret);
/* The last one is none, after all. */
void op_plan_leave(struct pkram_plan_change *c);

/* Those that make GRUB's own files anew (op-plan-command.c). */
int op_plan_commands(struct pkram_plan_change *c);
int op_plan_run(struct pkram_plan_change *c);
void op_plan_command_done(struct op_plan_command *cmd);

/* --- what was added, and how it is noted (op-plan-note.c) --- */

/* A word that an earlier change added, or put in the place of another one (`old`). */
struct op_plan_word {
	char *old;	/* NULL: added */
	char *word;
};

/* In the order in which they were added. */
struct op_plan_words {
	struct op_plan_word *v;
	size_t n, cap;
};

void op_plan_words_done(struct op_plan_words *w);
/* The text of a note: "WORD" or "OLD -> WORD"; malloc'ed, NULL: no memory. */
char *op_plan_note(const struct kexec_plan *p);
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

/* --- either loader's files (op-plan-grub.c, op-plan-entry.c) --- */

/* Open the files and fill in what they will be; those of which nothing changes are left. */
int op_plan_grub_add(struct pkram_plan_change *c, const struct kexec_plan *p);
int op_plan_grub_remove(struct pkram_plan_change *c);
int op_plan_entry_add(struct pkram_plan_change *c, const struct kexec_plan *p);
int op_plan_entry_remove(struct pkram_plan_change *c);

const char *op_plan_grub_file(struct pkram_ctx *ctx);
/* A word as GRUB's own language wants it; malloc'ed. */
int op_plan_grub_form(const char *word, char **ret);
