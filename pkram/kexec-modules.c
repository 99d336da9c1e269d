/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The modules that the next kernel will find: in /lib/modules and in its initrd.
 */
#include "kexec.h"
#include "machine.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mman.h>

/* modules.builtin of a kernel that has everything in it has some 100 KiB. */
#define BUILTIN_MAX (8 * MIB)
#define CONF_MAX (64 * KIB)

static char same_char(char c)
{
	return c == '-' ? '_' : c;
}

static bool is_module(const char *word, size_t len, const char *name)
{
	if (len != strlen(name))
		return false;
	for (size_t i = 0; i < len; i++)
		if (same_char(word[i]) != same_char(name[i]))
			return false;
	return true;
}

/* "kernel/drivers/nvdimm/nd_e820.ko.xz", up to what ends a line or a path, is nd_e820. */
static bool names_module(const char *path, size_t len, const char *name)
{
	const char *slash = memrchr(path, '/', len), *at = slash ? slash + 1 : path;
	size_t n = strlen(name);

	return (size_t)(path + len - at) >= n + 3 && strncmp(at + n, ".ko", 3) == 0 &&
	       is_module(at, n, name);
}

static const char *find_line(const char *text, const char *name)
{
	for (const char *l = text; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
		if (names_module(l, strcspn(l, ":\n"), name))
			return l;
	return NULL;
}

enum kexec_module kexec_modules_find(const struct kexec_modules *m, const char *name)
{
	return find_line(m->builtin, name) ? KEXEC_MODULE_BUILTIN :
	       find_line(m->loadable, name) ? KEXEC_MODULE_LOADABLE : KEXEC_MODULE_ABSENT;
}

bool kexec_modules_needs(const struct kexec_modules *m, const char *name, const char **at,
			 char ret[static KEXEC_MODULE_NAME])
{
	const char *p = *at, *end;
	size_t n;

	if (!p) {
		p = find_line(m->loadable, name);
		if (!p)
			return false;
		p += strcspn(p, ":\n");
		p += *p == ':';
	}
	p += strspn(p, " ");
	end = p + strcspn(p, " \n");
	if (p == end)
		return false;
	*at = end;
	for (const char *c = p; c < end; c++)
		if (*c == '/')
			p = c + 1;
	n = MIN(strcspn(p, ".: \n"), KEXEC_MODULE_NAME - 1u);
	for (size_t i = 0; i < n; i++)
		ret[i] = same_char(p[i]);
	ret[n] = '\0';
	return true;
}

void kexec_modules_done(struct kexec_modules *m)
{
	free(m->loadable);
	free(m->builtin);
	*m = (struct kexec_modules){ 0 };
}

int kexec_modules_read(struct pkram_ctx *ctx, const char *version, struct kexec_modules *ret)
{
	_cleanup_(kexec_modules_done) struct kexec_modules m = { 0 };
	char dep[320], builtin[320];
	int r;

	snprintf(dep, sizeof(dep), "/lib/modules/%.255s/modules.dep", version);
	snprintf(builtin, sizeof(builtin), "/lib/modules/%.255s/modules.builtin", version);
	r = machine_read_text(ctx, dep, &m.loadable);
	if (r < 0)
		return r;
	r = machine_read_text(ctx, builtin, &m.builtin);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = m;
	m = (struct kexec_modules){ 0 };
	return 0;
}

/* --- in an initrd --- */

struct look {
	const char *version;
	struct kexec_initrd *initrd;
	FILE *loadable, *modprobe;
	bool ours, others;	/* modules of that version, of another one */
};

/* Behind "lib/modules/" of a path; NULL elsewhere. */
static const char *below_modules(const char *path)
{
	static const char *const heads[] = { "lib/modules/", "usr/lib/modules/" };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		if (strncmp(path, heads[i], strlen(heads[i])) == 0)
			return path + strlen(heads[i]);
	return NULL;
}

static bool is_pkram(const char *path)
{
	static const char *const paths[] = { "sbin/pkram", "usr/sbin/pkram", "bin/pkram",
					     "usr/bin/pkram" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (strcmp(path, paths[i]) == 0)
			return true;
	return false;
}

static bool is_libkmod(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && strcmp(name, "/libkmod.so.2") == 0;
}

static bool is_conf(const char *path)
{
	return strcmp(path, "etc/pkram.conf") == 0 || strncmp(path, "etc/pkram.d/", 12) == 0;
}

/* Which of them hides which by its name is left open. */
static bool is_modprobe(const char *path)
{
	static const char *const patterns[] = {
		"etc/modprobe.d/*.conf", "run/modprobe.d/*.conf", "lib/modprobe.d/*.conf",
		"usr/lib/modprobe.d/*.conf", "usr/local/lib/modprobe.d/*.conf",
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		if (fnmatch(patterns[i], path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

static void add_modprobe(struct look *l, struct kexec_entry *entry)
{
	_cleanup_free_ char *text = kexec_entry_text(entry, CONF_MAX);

	if (text)
		fprintf(l->modprobe, "%s\n", text);
}

static int add_conf(struct kexec_initrd *i, const char *path, struct kexec_entry *entry)
{
	struct kexec_conf *confs = reallocarray(i->confs, i->n_confs + 1, sizeof(*confs));
	struct kexec_conf c;

	if (!confs)
		return -ENOMEM;
	i->confs = confs;
	if (asprintf(&c.path, "/%s", path) < 0)
		return -ENOMEM;
	c.text = kexec_entry_text(entry, CONF_MAX);
	confs[i->n_confs++] = c;
	return 0;
}

static int look_at(void *arg, const char *path, struct kexec_entry *entry)
{
	struct look *l = arg;
	size_t n = strlen(l->version);
	const char *below;
	bool module;

	path += strspn(path, "./");
	below = below_modules(path);
	l->initrd->has_pkram |= is_pkram(path);
	l->initrd->has_libkmod |= is_libkmod(path);
	if (is_conf(path))
		return add_conf(l->initrd, path, entry);
	if (is_modprobe(path))
		add_modprobe(l, entry);
	if (!below || !strchr(below, '/'))
		return 0;
	module = strstr(below, ".ko") != NULL;
	if (strncmp(below, l->version, n) != 0 || below[n] != '/') {
		l->others |= module;
		return 0;
	}
	l->ours |= module;
	if (module && !strchr(path, '\n'))
		fprintf(l->loadable, "%s\n", path);
	if (strcmp(below + n, "/modules.builtin") == 0 && !l->initrd->modules.builtin)
		l->initrd->modules.builtin = kexec_entry_text(entry, BUILTIN_MAX);
	return 0;
}

static int look_through(const void *bytes, size_t len, uint64_t max, const char *version,
			struct kexec_initrd *initrd)
{
	struct look l = { .version = version, .initrd = initrd };
	size_t size, modprobe_size;
	int r;

	l.loadable = open_memstream(&initrd->modules.loadable, &size);
	if (!l.loadable)
		return -ENOMEM;
	l.modprobe = open_memstream(&initrd->modprobe, &modprobe_size);
	r = l.modprobe ? kexec_unpack_initrd(bytes, len, max, look_at, &l, &initrd->unpacked) :
			 -ENOMEM;
	if (l.modprobe && fclose(l.modprobe) != 0 && r == 0)
		r = -ENOMEM;
	if (fclose(l.loadable) != 0 && r == 0)
		r = -ENOMEM;
	initrd->other_version = l.others && !l.ours;
	return r;
}

int kexec_initrd_read(struct pkram_ctx *ctx, const char *path, const char *version, uint64_t max,
		      struct kexec_initrd *ret)
{
	_cleanup_close_ int fd = machine_open(ctx, path, O_RDONLY);
	_cleanup_(kexec_initrd_done) struct kexec_initrd initrd = { { 0 } };
	size_t len;
	void *map;
	int r;

	if (fd < 0)
		return fd;
	r = kexec_initrd_size(fd, &len);
	if (r < 0)
		return r;
	if (!len)
		return -ENODATA;
	map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r = look_through(map, len, max, version, &initrd);
	munmap(map, len);
	if (r < 0) {
		ret->unpacked = initrd.unpacked;
		return r;
	}
	*ret = initrd;
	initrd = (struct kexec_initrd){ { 0 } };
	return 0;
}

void kexec_initrd_done(struct kexec_initrd *i)
{
	kexec_modules_done(&i->modules);
	free(i->modprobe);
	for (size_t k = 0; k < i->n_confs; k++) {
		free(i->confs[k].path);
		free(i->confs[k].text);
	}
	free(i->confs);
	*i = (struct kexec_initrd){ { 0 } };
}

const char *kexec_initrd_conf(const struct kexec_initrd *i, const char *path)
{
	for (size_t k = 0; k < i->n_confs; k++)
		if (strcmp(i->confs[k].path, path) == 0)
			return i->confs[k].text;
	return NULL;
}

/* The length of the word that *p is moved to. */
static size_t next_word(const char **p)
{
	*p += strspn(*p, " \t");
	return strcspn(*p, " \t\r\n");
}

/* "blacklist NAME", or an install command that only says no. */
static bool line_keeps_away(const char *line, const char *name)
{
	size_t len = next_word(&line), n;
	const char *word = line + len, *rest, *end;

	n = next_word(&word);
	rest = word + n;
	end = strchrnul(rest, '\n');
	if (!is_module(word, n, name))
		return false;
	if (len == strlen("blacklist") && memcmp(line, "blacklist", len) == 0)
		return true;
	return len == strlen("install") && memcmp(line, "install", len) == 0 &&
	       (memmem(rest, (size_t)(end - rest), "/false", strlen("/false")) ||
		memmem(rest, (size_t)(end - rest), "/true", strlen("/true")));
}

bool kexec_initrd_keeps_away(const struct kexec_initrd *i, const char *name)
{
	for (const char *l = i->modprobe; l && *l; l = strchrnul(l, '\n'), l += *l == '\n')
		if (line_keeps_away(l, name))
			return true;
	return false;
}
