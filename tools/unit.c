/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free((char *)list->v[i]);
	free(list->v);
	*list = (struct string_list){ 0 };
}

int string_list_add(struct string_list *list, const char *word)
{
	const char **v = realloc(list->v, (list->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	v[list->n] = strdup(word);
	return v[list->n] ? (int)++list->n : -ENOMEM;
}

int unit_open_list(const char *path, DIR **ret)
{
	int r;

	*ret = opendir(path);
	if (*ret || errno == ENOENT)
		return 0;
	r = -errno;
	say_error("%s: %s", path, strerror(-r));
	return r;
}

int unit_open_region(struct cmd *cmd, const struct unit *u, struct pkram_region **ret)
{
	if (u->threads && !cmd->threads)
		pkram_set_threads(cmd->ctx, u->threads);
	return pkram_region_open(cmd->ctx, cmd->region ? cmd->region : u->region, 0, ret);
}

/* Those of these units, by their whole names, that run, and so have promised something, or not. */
static int choose_units(const struct cmd *cmd, const struct string_list *names, bool runs,
			struct string_list *ret)
{
	char unit[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < names->n; i++) {
		if (unit_promised(cmd, names->v[i]) != runs)
			continue;
		snprintf(unit, sizeof(unit), "pkram@%s.service", names->v[i]);
		r = string_list_add(ret, unit);
	}
	return r < 0 ? r : 0;
}

static int unit_idle(struct cmd *cmd, struct string_list *ret)
{
	struct string_list names = { 0 };
	int r = unit_names(cmd, &names);

	if (r == 0)
		r = choose_units(cmd, &names, false, ret);
	string_list_free(&names);
	return r;
}

int unit_jump_read(struct cmd *cmd, bool stops, struct unit_jump *ret,
		   struct pkram_stage_options *o)
{
	struct string_list broken = { 0 };
	int r = 0;

	*ret = (struct unit_jump){ 0 };
	if (stops)
		r = unit_promises(cmd, &ret->saved_later);
	if (r == 0 && stops)
		r = unit_idle(cmd, &ret->idle);
	if (r == 0)
		r = unit_early_files(cmd, &ret->early, &broken);
	if (r == 0 && stops)
		r = choose_units(cmd, &broken, true, &ret->broken);
	string_list_free(&broken);
	o->saved_later = ret->saved_later.v;
	o->n_saved_later = ret->saved_later.n;
	o->idle = ret->idle.v;
	o->n_idle = ret->idle.n;
	o->early = ret->early.v;
	o->n_early = ret->early.n;
	o->broken = ret->broken.v;
	o->n_broken = ret->broken.n;
	return r;
}
