/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's table of mounts. A few fields of its lines are all that is asked: no need of a
 * library that parses all tables.
 */
#include "machine.h"

#include <sys/sysmacros.h>

/* mountinfo writes space, tab, newline, backslash and # as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

size_t machine_mount_option(const char *list)
{
	bool quoted = false;
	size_t n;

	for (n = 0; list[n]; n++) {
		bool of_list = list[n + 1] >= '0' && list[n + 1] <= '9';

		if (list[n] == '"')
			quoted = !quoted;
		else if (list[n] == ',' && !quoted && !of_list)
			break;
	}
	return n;
}

char *machine_mount_cut(char **list)
{
	char *option = *list;
	size_t len;

	if (!*option)
		return NULL;
	len = machine_mount_option(option);
	*list = option + len + (option[len] == ',');
	option[len] = '\0';
	return option;
}

bool machine_mount_has(const char *options, const char *option)
{
	size_t len;

	for (const char *p = options; p && *p; p += len + (p[len] == ',')) {
		len = machine_mount_option(p);
		if (len == strlen(option) && strncmp(p, option, len) == 0)
			return true;
	}
	return false;
}

/* Adds what mount takes; "seclabel" and "idmapped" only describe. */
static void add_options(FILE *f, char *options)
{
	char *o;

	while ((o = machine_mount_cut(&options))) {
		if (!*o || strcmp(o, "rw") == 0 || strcmp(o, "ro") == 0 ||
		    strcmp(o, "seclabel") == 0 || strcmp(o, "idmapped") == 0)
			continue;
		unescape(o);
		fprintf(f, ",%s", o);
	}
}

/* A mount's own flags (nosuid, ...) and its filesystem's options (size=, ...) as one list. */
static char *join_options(char *mount, char *super)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, machine_mount_has(mount, "ro") || machine_mount_has(super, "ro") ? "ro" : "rw");
	add_options(f, mount);
	add_options(f, super);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/*
 * ID PARENT MAJOR:MINOR ROOT POINT FLAGS [TAG...] - TYPE DEVICE OPTIONS
 */
static int parse_line(char *text, struct machine_mount *ret)
{
	char *tail = strstr(text, " - "), *fields[6];
	unsigned int major, minor;

	if (!tail)
		return -EBADMSG;
	*tail = '\0';
	tail += 3;
	/* A field may be empty, so not strtok. */
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		fields[i] = strsep(&text, " ");
	*ret = (struct machine_mount){
		.root = fields[3], .point = fields[4], .flags = fields[5],
		.type = strsep(&tail, " "),
	};
	strsep(&tail, " ");
	ret->options = tail;
	if (!ret->flags || !ret->options || sscanf(fields[2], "%u:%u", &major, &minor) != 2)
		return -EBADMSG;
	ret->id = strtoull(fields[0], NULL, 10);
	ret->parent = strtoull(fields[1], NULL, 10);
	ret->dev = makedev(major, minor);
	unescape(ret->root);
	unescape(ret->point);
	unescape(ret->type);
	return 0;
}

int machine_mounts(const char *table, int (*fn)(void *arg, const struct machine_mount *l),
		   void *arg)
{
	int r = 0;

	while (r == 0 && *table) {
		size_t len = strcspn(table, "\n");
		_cleanup_free_ char *text = strndup(table, len);
		struct machine_mount line;

		if (!text)
			return -ENOMEM;
		r = parse_line(text, &line);
		if (r == 0)
			r = fn(arg, &line);
		table += len + (table[len] == '\n');
	}
	return r;
}

struct wanted {
	uint64_t id;
	char **type, **options;
};

static int take_wanted(void *arg, const struct machine_mount *l)
{
	const struct wanted *w = arg;
	_cleanup_free_ char *type = NULL;
	char *options;

	if (l->id != w->id)
		return 0;
	type = strdup(l->type);
	options = join_options(l->flags, l->options);
	if (!type || !options) {
		free(options);
		return -ENOMEM;
	}
	*w->type = TAKE_PTR(type);
	*w->options = options;
	return 1;
}

int machine_mount_find(const char *table, uint64_t id, char **ret_type, char **ret_options)
{
	struct wanted w = { .id = id, .type = ret_type, .options = ret_options };
	int r = machine_mounts(table, take_wanted, &w);

	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}
