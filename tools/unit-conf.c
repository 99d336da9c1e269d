/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of a unit, /etc/pkram.d/NAME.conf: pkram.conf(5). Half of what it says goes to systemd:
 * no value may mean anything else there.
 */
#include "unit.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "text.h"

/* What is longer names no node, and could not be saved in the end. */
#define NODE_NAME_MAX 255

struct reading {
	struct pkram_ctx *ctx;
	struct unit *u;
	const char *path;
	unsigned int line;
	unsigned int seen;	/* a bit for each key of the table */
};

static int bad_value(const struct reading *r, const char *key, const char *wanted)
{
	say_error("%s:%u: %s must be %s", r->path, r->line, key, wanted);
	return -EINVAL;
}

static int set_word(const char **word, const char *value)
{
	free((char *)*word);
	*word = strdup(value);
	return *word ? 0 : -ENOMEM;
}

/* As systemd reads it and `pkram save` names it; false: "." or ".." is in it. */
static bool tidy_path(const char *path, char ret[static PATH_MAX])
{
	size_t len = 0, n;

	ret[0] = '\0';
	for (path += strspn(path, "/"); *path; path += n, path += strspn(path, "/")) {
		n = strcspn(path, "/");
		if (strspn(path, ".") == n && n <= 2)
			return false;
		if (n >= PATH_MAX - len - 1)
			return false;
		len += (size_t)snprintf(ret + len, PATH_MAX - len, "/%.*s", (int)n, path);
	}
	if (!len)
		strcpy(ret, "/");
	return true;
}

/* systemd reads no drop-in on behind what is not; a carriage return ends a line for it, too. */
static bool is_plain_text(const char *s)
{
	for (size_t n; *s; s += n) {
		n = utf8_length(s);
		if (!n || iscntrl((unsigned char)*s))
			return false;
	}
	return true;
}

static int set_path(const struct reading *r, const char *key, const char *value)
{
	char path[PATH_MAX];
	int k;

	if (*value != '/' || !is_plain_text(value) || !tidy_path(value, path) ||
	    strlen(path) > NODE_NAME_MAX)
		return bad_value(r, key, "an absolute path in UTF-8, of at most 255 bytes, "
				 "without . and ..");
	for (size_t i = 0; i < r->u->paths.n; i++) {
		if (strcmp(r->u->paths.v[i], path) == 0) {
			say_error("%s:%u: path %s is given twice", r->path, r->line, path);
			return -EINVAL;
		}
	}
	k = string_list_add(&r->u->paths, path);
	return k < 0 ? k : 0;
}

/* As systemd has it: what else a name holds would be read as something else in a drop-in. */
static bool is_unit_name(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789:-_.\\@";

	return *name && *name != '.' && !name[strspn(name, chars)];
}

/*
 * The name becomes that of a directory of drop-ins. Sockets, mounts and the like start before any
 * service can: systemd would leave something out of the boot to get out of that circle.
 */
static int set_service(const struct reading *r, const char *key, const char *value)
{
	const char *dot = strrchr(value, '.');
	int k;

	if (!dot || strcmp(dot, ".service") != 0 || !is_unit_name(value))
		return bad_value(r, key, "the whole name of a service, as in memcached.service");
	k = string_list_add(&r->u->services, value);
	return k < 0 ? k : 0;
}

static int set_region(const struct reading *r, const char *key, const char *value)
{
	return *value ? set_word(&r->u->region, value) :
			bad_value(r, key, "a name, as in pmem:/dev/pmem0");
}

static int set_threads(const struct reading *r, const char *key, const char *value)
{
	return parse_threads(value, &r->u->threads) == 0 ? 0 : bad_value(r, key, THREADS_WANTED);
}

/* Where only root can ask the kernel, it is asked when root mounts. */
static int check_mount(const struct reading *r, const char *key, const char *value)
{
	char what[PATH_MAX + 32];
	int k;

	if (!has_good_huge(value))
		return bad_value(r, key, "options of a tmpfs: " HUGE_WANTED);
	snprintf(what, sizeof(what), "%s:%u: %s", r->path, r->line, key);
	k = pkram_mount_check(r->ctx, what, value);
	return k == -EPERM ? 0 : k;
}

static int set_mount(const struct reading *r, const char *key, const char *value)
{
	struct unit *u = r->u;
	int k;

	if (!*value)
		return bad_value(r, key, "yes, no, or options of a tmpfs");
	u->mount = strcmp(value, "no") != 0;
	if (!u->mount || strcmp(value, "yes") == 0)
		return 0;
	k = check_mount(r, key, value);
	return k < 0 ? k : set_word(&u->mount_options, value);
}

static int set_early(const struct reading *r, const char *key, const char *value)
{
	r->u->early = strcmp(value, "yes") == 0;
	return r->u->early || strcmp(value, "no") == 0 ? 0 : bad_value(r, key, "yes or no");
}

/* systemd ignores what it cannot read, with a warning that nobody sees. */
static int set_time_limit(const struct reading *r, const char *key, const char *value)
{
	return is_time_span(value) ? set_word(&r->u->time_limit, value) :
				     bad_value(r, key, "a time span, as in 5min 30s");
}

static int set_save(const struct reading *r, const char *key, const char *value)
{
	r->u->always = strcmp(value, "always") == 0;
	return r->u->always || strcmp(value, "kexec") == 0 ? 0 :
							     bad_value(r, key, "kexec or always");
}

static int on_line(void *userdata, unsigned int line, const char *key, const char *value)
{
	static const struct {
		const char *key;
		int (*set)(const struct reading *r, const char *key, const char *value);
		bool many;
	} keys[] = {
		{ "path", set_path, true },
		{ "service", set_service, true },
		{ "region", set_region },
		{ "mount", set_mount },
		{ "early", set_early },
		{ "threads", set_threads },
		{ "save", set_save },
		{ "time-limit", set_time_limit },
	};
	struct reading *r = userdata;

	r->line = line;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i].key) != 0)
			continue;
		if (r->seen & 1u << i && !keys[i].many) {
			say_error("%s:%u: %s is given twice", r->path, line, key);
			return -EINVAL;
		}
		r->seen |= 1u << i;
		return keys[i].set(r, key, value);
	}
	say_error("%s:%u: unknown key '%s'; see pkram.conf(5)", r->path, line, key);
	return -EINVAL;
}

void unit_done(struct unit *u)
{
	string_list_free(&u->paths);
	string_list_free(&u->services);
	free((char *)u->region);
	free((char *)u->mount_options);
	free((char *)u->time_limit);
	*u = (struct unit){ 0 };
}

/* Else systemd finds no path behind the name, and does not start its unit. */
static bool is_escaped(const char *name)
{
	while ((name = strchr(name, '\\')))
		if (*++name != 'x' || !isxdigit(name[1]) || !isxdigit(name[2]))
			return false;
	return true;
}

static bool good_name(const char *name)
{
	return is_unit_name(name) && is_escaped(name) &&
	       strlen(name) <= NAME_MAX - strlen("pkram@.service");
}

int unit_read(struct cmd *cmd, const char *name, const char *path, struct unit *ret)
{
	struct unit u = { .name = name, .mount = true };
	char conf[PATH_MAX], tidy[PATH_MAX];
	struct reading reading = { .ctx = cmd->ctx, .u = &u, .path = conf };
	int r;

	if (!good_name(name)) {
		say_error(UNIT_CONF_DIR "/%s.conf: its name must fit into that of a unit: letters, "
			  "digits, '-', '_' and '.'", name);
		return -EINVAL;
	}
	snprintf(conf, sizeof(conf), UNIT_CONF_DIR "/%s.conf", name);
	r = pkram_conf_read(cmd->ctx, conf, on_line, &reading);
	if (r == 0 && !u.paths.n) {
		say_error("%s: it has no path: what is to be kept?", conf);
		r = -EINVAL;
	}
	if (r == 0 && u.early && !u.mount) {
		say_error("%s: early = yes needs a mount, which mount = no forbids", conf);
		r = -EINVAL;
	}
	if (r == -ENOENT && path && *path == '/' && tidy_path(path, tidy))
		r = string_list_add(&u.paths, tidy) < 0 ? -ENOMEM : 0;
	else if (r == -ENOENT)
		say_error("there is no " UNIT_CONF_DIR "/%s.conf", name);
	if (r < 0)
		unit_done(&u);
	else
		*ret = u;
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int unit_names(struct cmd *cmd, struct string_list *ret)
{
	struct string_list names = { 0 };
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir;
	int r;

	snprintf(path, sizeof(path), "%s" UNIT_CONF_DIR, cmd->sysroot ? cmd->sysroot : "");
	r = unit_open_list(path, &dir);
	if (!dir)
		return r;
	while (r >= 0 && (e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (*e->d_name == '.' || len <= 5 || strcmp(e->d_name + len - 5, ".conf") != 0)
			continue;
		e->d_name[len - 5] = '\0';
		r = string_list_add(&names, e->d_name);
	}
	closedir(dir);
	if (r < 0) {
		string_list_free(&names);
		return r;
	}
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	*ret = names;
	return 0;
}
