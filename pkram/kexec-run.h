/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs whose words are worth reading.
 */
#pragma once

#include "ctx.h"

/* How a program ended, and what it printed. */
struct kexec_told {
	char *text;	/* both streams, NUL-terminated */
	size_t len;
	int status;	/* as waitpid(2) gives it */
};

/* Runs it to its end, whatever that is. A failure is that it did not run (logged). */
int kexec_run_told(struct pkram_ctx *ctx, const char *program, char *const argv[],
		   struct kexec_told *ret);
bool kexec_told_done_well(const struct kexec_told *told);
/* -EIO, with its last line logged, unless it ended well. */
int kexec_told_judge(struct pkram_ctx *ctx, const char *program, char *const argv[],
		     const struct kexec_told *told);
void kexec_told_done(struct kexec_told *told);

/* kexec of kexec-tools, malloc'ed. -EUCLEAN (logged): not installed. */
int kexec_program(struct pkram_ctx *ctx, char **ret);
