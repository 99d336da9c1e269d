/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files about GRUB share.
 */
#pragma once

#include "kexec.h"

/* --- a word in the place of another (kexec-grub-replace.c) --- */

struct grub_replacement {
	char *variable, *old, *new;
};

/* Whether the line is what kexec_grub_replacing() writes. */
bool grub_replaces(const char *line, size_t len, struct grub_replacement *ret);
void grub_replacement_done(struct grub_replacement *r);
/* What it makes of the variable's value; malloc'ed. */
int grub_replace(const struct grub_replacement *r, const char *value, char **ret);

/* --- variables that a script sets (kexec-grub-shell.c) --- */

struct grub_variable {
	char *name, *value;
};

struct grub_variables {
	struct grub_variable *v;
	size_t n, cap;
	const char *loosely;	/* lines that may set this one add all that they say; NULL: none */
};

int grub_take_text(struct grub_variables *s, const char *text);
/* Its value, malloc'ed; NULL: it is not set. */
char *grub_take_value(struct grub_variables *s, const char *name);
void grub_variables_done(struct grub_variables *s);
