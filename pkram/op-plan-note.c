/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes of what was added to a boot loader's settings.
 */
#include "op-plan.h"

#define ARROW " -> "

char *op_plan_note(const struct kexec_plan *p)
{
	char *note;

	return asprintf(&note, "%s%s%s", p->extends ? p->extends : "", p->extends ? ARROW : "",
			p->word) < 0 ? NULL : note;
}

int op_plan_take_note(const char *note, size_t len, struct op_plan_words *w)
{
	const char *arrow = memmem(note, len, ARROW, strlen(ARROW));
	const char *word = arrow ? arrow + strlen(ARROW) : note;
	struct op_plan_word one;
	int r = array_grow(&w->v, &w->cap, w->n + 1, sizeof(*w->v));

	if (r < 0)
		return r;
	one.old = arrow ? strndup(note, (size_t)(arrow - note)) : NULL;
	one.word = strndup(word, len - (size_t)(word - note));
	w->v[w->n++] = one;
	return (arrow && !one.old) || !one.word ? -ENOMEM : 0;
}

void op_plan_words_done(struct op_plan_words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->v[i].old);
		free(w->v[i].word);
	}
	free(w->v);
}
