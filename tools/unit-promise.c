/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What units that run have promised to save on the way into a jump: a file for each of them, with
 * its region or nothing and its paths, a NUL behind each.
 */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_DIR "/run/pkram"
#define PROMISES RUN_DIR "/units"

/* Below --sysroot. */
static void run_path(const struct cmd *cmd, const char *path, const char *more,
		     char ret[static PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s%s%s", cmd->sysroot ? cmd->sysroot : "", path, more);
}

static int make_dir(const struct cmd *cmd, const char *path)
{
	char full[PATH_MAX];

	run_path(cmd, path, "", full);
	return mkdir(full, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static void put_string(FILE *f, const char *s)
{
	fwrite(s, strlen(s) + 1, 1, f);
}

int unit_promise(const struct cmd *cmd, const struct unit *u)
{
	char path[PATH_MAX], temp[PATH_MAX];
	int r = make_dir(cmd, RUN_DIR);
	FILE *f;

	if (r == 0)
		r = make_dir(cmd, PROMISES);
	if (r < 0)
		return r;
	run_path(cmd, PROMISES "/", u->name, path);
	run_path(cmd, PROMISES "/.", u->name, temp);
	f = fopen(temp, "we");
	if (!f)
		return -errno;
	put_string(f, u->region ? u->region : "");
	for (size_t i = 0; i < u->paths.n; i++)
		put_string(f, u->paths.v[i]);
	if (fclose(f) != 0 || rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temp);
	return r;
}

void unit_keep_promise(const struct cmd *cmd, const struct unit *u)
{
	char path[PATH_MAX];

	run_path(cmd, PROMISES "/", u->name, path);
	unlink(path);
}

void promises_free(struct promises *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free((char *)p->v[i].path);
		free((char *)p->v[i].region);
	}
	free(p->v);
	*p = (struct promises){ 0 };
}

static int add_promise(struct promises *p, const char *path, const char *region)
{
	struct pkram_later *v = realloc(p->v, (p->n + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	p->v = v;
	v[p->n] = (struct pkram_later){ .path = strdup(path),
					.region = *region ? strdup(region) : NULL };
	p->n++;
	return v[p->n - 1].path && (!*region || v[p->n - 1].region) ? 0 : -ENOMEM;
}

static int add_promises(const struct cmd *cmd, const char *name, struct promises *ret)
{
	char path[PATH_MAX], *line = NULL, *region = NULL;
	size_t cap = 0, region_cap = 0;
	int r = 0;
	FILE *f;

	run_path(cmd, PROMISES "/", name, path);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	if (getdelim(&region, &region_cap, '\0', f) > 0)
		while (r == 0 && getdelim(&line, &cap, '\0', f) > 0)
			r = add_promise(ret, line, region);
	free(region);
	free(line);
	fclose(f);
	return r;
}

int unit_promises(const struct cmd *cmd, struct promises *ret)
{
	struct promises all = { 0 };
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir;
	int r;

	run_path(cmd, PROMISES, "", path);
	r = unit_open_list(path, &dir);
	if (!dir)
		return r;
	while (r == 0 && (e = readdir(dir)))
		if (*e->d_name != '.')
			r = add_promises(cmd, e->d_name, &all);
	closedir(dir);
	if (r < 0)
		promises_free(&all);
	else
		*ret = all;
	return r;
}

bool unit_promised(const struct cmd *cmd, const char *name)
{
	char path[PATH_MAX];

	run_path(cmd, PROMISES "/", name, path);
	return access(path, F_OK) == 0;
}
