/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the boot loader would start: boot entries (Boot Loader Specification) chosen by
 * systemd-boot, and GRUB's default as far as it names an entry or a kernel version. grub.cfg is a
 * program of its own and is not read; where the default cannot be told, that is said, and the
 * newest kernel stands in.
 */
#include "kexec.h"
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>

#define LOADER_VAR(name) "/sys/firmware/efi/efivars/" name "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

/* --- boot entries --- */

struct entry {
	char *id;		/* file name less ".conf" and the boot counter */
	char *sort_key, *version, *kernel, *initrd, *options;
	unsigned int initrds;
	bool spent;		/* its boot counter has run out */
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

static void entry_done(struct entry *e)
{
	free(e->id);
	free(e->sort_key);
	free(e->version);
	free(e->kernel);
	free(e->initrd);
	free(e->options);
	*e = (struct entry){ 0 };
}

static void entries_done(struct entries *e)
{
	for (size_t i = 0; i < e->n; i++)
		entry_done(&e->v[i]);
	free(e->v);
}

/* Paths of an entry start at the partition that holds it; some systems write them from the root. */
static char *entry_path(struct pkram_ctx *ctx, const char *root, const char *path)
{
	char *full;

	if (asprintf(&full, "%s%s%s", root, *path == '/' ? "" : "/", path) < 0)
		return NULL;
	if (machine_exists(ctx, full) || !machine_exists(ctx, path))
		return full;
	free(full);
	return strdup(path);
}

static int entry_set(char **field, char *value)
{
	free(*field);
	*field = value;
	return value ? 0 : -ENOMEM;
}

/* Several on one line are GRUB's way, and so are variables, which a plain boot leaves empty. */
static int entry_add_initrds(struct pkram_ctx *ctx, struct entry *e, const char *root, char *value)
{
	char *save = NULL;

	for (char *v = strtok_r(value, " \t", &save); v; v = strtok_r(NULL, " \t", &save)) {
		int r;

		if (*v == '$')
			continue;
		e->initrds++;
		r = entry_set(&e->initrd, entry_path(ctx, root, v));
		if (r < 0)
			return r;
	}
	return 0;
}

/* They may stand on several lines. */
static int entry_add_options(struct entry *e, const char *value)
{
	char *all;

	if (asprintf(&all, "%s%s%s", e->options ? e->options : "", e->options ? " " : "", value) <
	    0)
		all = NULL;
	return entry_set(&e->options, all);
}

static int entry_add(struct pkram_ctx *ctx, struct entry *e, const char *root, const char *key,
		     char *value)
{
	if (strcmp(key, "sort-key") == 0)
		return entry_set(&e->sort_key, strdup(value));
	if (strcmp(key, "version") == 0)
		return entry_set(&e->version, strdup(value));
	if (strcmp(key, "linux") == 0)
		return entry_set(&e->kernel, entry_path(ctx, root, value));
	if (strcmp(key, "options") == 0)
		return entry_add_options(e, value);
	return strcmp(key, "initrd") == 0 ? entry_add_initrds(ctx, e, root, value) : 0;
}

/* "key value" lines. */
static int entry_parse(struct pkram_ctx *ctx, struct entry *e, const char *root, char *text)
{
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *key = l + strspn(l, " \t"), *value = key + strcspn(key, " \t"), *end;
		int r;

		if (*key == '#' || !*value)
			continue;
		*value++ = '\0';
		value += strspn(value, " \t");
		end = value + strlen(value);
		while (end > value && isspace((unsigned char)end[-1]))
			*--end = '\0';
		r = entry_add(ctx, e, root, key, value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "name+LEFT-DONE" and "name+LEFT": tries left and done. */
static void cut_boot_counter(struct entry *e)
{
	char *plus = strrchr(e->id, '+'), *end;

	if (!plus || !isdigit((unsigned char)plus[1]))
		return;
	end = plus + 1 + strspn(plus + 1, "0123456789");
	if (*end == '-')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end)
		return;
	e->spent = strtoul(plus + 1, NULL, 10) == 0;
	*plus = '\0';
}

static int entry_read(struct pkram_ctx *ctx, const char *root, const char *name,
		      struct entries *all)
{
	_cleanup_(entry_done) struct entry e = { 0 };
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t len = strlen(name);
	int r;

	if (len <= 5 || strcmp(name + len - 5, ".conf") != 0)
		return 0;
	if (asprintf(&path, "%s/loader/entries/%s", root, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (machine_read(ctx, path, &text, NULL) < 0)
		return 0;
	e.id = strndup(name, len - 5);
	if (!e.id)
		return -ENOMEM;
	cut_boot_counter(&e);
	r = entry_parse(ctx, &e, root, text);
	if (r < 0 || !e.kernel)
		return r;
	r = array_grow(&all->v, &all->cap, all->n + 1, sizeof(*all->v));
	if (r < 0)
		return r;
	all->v[all->n++] = e;
	e = (struct entry){ 0 };
	return 0;
}

static int entries_read_dir(struct pkram_ctx *ctx, const char *root, struct entries *all)
{
	char path[64];
	struct dirent *d;
	int fd, r = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/loader/entries", root);
	fd = machine_open(ctx, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (d = readdir(dir)))
		r = entry_read(ctx, root, d->d_name, all);
	closedir(dir);
	return r;
}

static int compare_strings(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* The order of a menu: spent ones last, sort keys before none, then the newest version first. */
static int menu_order(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int d;

	if (a->spent != b->spent)
		return a->spent - b->spent;
	if (!a->sort_key != !b->sort_key)
		return !a->sort_key - !b->sort_key;
	d = compare_strings(a->sort_key, b->sort_key);
	if (d == 0 && a->sort_key)
		d = kexec_version_compare(b->version ? b->version : "",
					  a->version ? a->version : "");
	return d ? d : kexec_version_compare(b->id, a->id);
}

static int entries_read(struct pkram_ctx *ctx, struct entries *all)
{
	static const char *const roots[] = { "/efi", "/boot/efi", "/boot" };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		int r = entries_read_dir(ctx, roots[i], all);

		if (r < 0)
			return r;
	}
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), menu_order);
	return 0;
}

/* The first entry, in menu order, whose id matches. */
static struct entry *entries_find(struct entries *all, const char *pattern)
{
	for (size_t i = 0; i < all->n; i++) {
		char with_suffix[300];

		snprintf(with_suffix, sizeof(with_suffix), "%s.conf", all->v[i].id);
		if (fnmatch(pattern, all->v[i].id, 0) == 0 || fnmatch(pattern, with_suffix, 0) == 0)
			return &all->v[i];
	}
	return NULL;
}

static int take_entry(struct pkram_ctx *ctx, struct entry *e, struct kexec_kernel *ret)
{
	pkram_log_info(ctx, "boot entry %s", e->id);
	ret->kernel = TAKE_PTR(e->kernel);
	ret->initrd = TAKE_PTR(e->initrd);
	ret->options = TAKE_PTR(e->options);
	if (!machine_exists(ctx, ret->kernel)) {
		pkram_log_error(
			ctx, "boot entry %s names %s, which is not there: name one with --kernel",
			e->id, ret->kernel);
		return -ENOENT;
	}
	if (e->initrds > 1) {
		pkram_log_error(ctx,
				"boot entry %s has %u initrds, and one can be loaded: join them "
				"into a file and give it with --kernel %s --initrd FILE",
				e->id, e->initrds, ret->kernel);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int cannot_tell(struct pkram_ctx *ctx, const char *loader, const char *wanted)
{
	pkram_log_warning(ctx,
			  "%s is set to start \"%s\", in which no kernel is known: taking the "
			  "newest one; --kernel names another",
			  loader, wanted);
	return -ENXIO;
}

/* --- systemd-boot --- */

/*
 * An EFI variable of text: 4 bytes of attributes, then UTF-16, of which ASCII is all that ids
 * hold.
 */
static char *loader_var(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_free_ char *raw = NULL;
	size_t len, n = 0;

	if (machine_read(ctx, path, &raw, &len) < 0)
		return NULL;
	for (size_t i = 4; i + 1 < len && (raw[i] || raw[i + 1]); i += 2) {
		if (raw[i + 1])
			return NULL;
		raw[n++] = raw[i];
	}
	raw[n] = '\0';
	return n ? TAKE_PTR(raw) : NULL;
}

/* "default PATTERN" of loader.conf. */
static char *loader_conf_default(struct pkram_ctx *ctx)
{
	static const char *const paths[] = { "/efi/loader/loader.conf",
					     "/boot/efi/loader/loader.conf",
					     "/boot/loader/loader.conf" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *text = NULL;
		char *save = NULL;

		if (machine_read(ctx, paths[i], &text, NULL) < 0)
			continue;
		for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			size_t key = strcspn(l, " \t");

			if (key != strlen("default") || strncmp(l, "default", key) != 0)
				continue;
			l += key + strspn(l + key, " \t");
			l[strcspn(l, " \t\r")] = '\0';
			return *l ? strdup(l) : NULL;
		}
	}
	return NULL;
}

/* One-shot before set by bootctl before loader.conf before the first of the menu. */
static int systemd_boot_default(struct pkram_ctx *ctx, struct entries *all,
				struct kexec_kernel *ret)
{
	_cleanup_free_ char *want = loader_var(ctx, LOADER_VAR("LoaderEntryOneShot"));
	struct entry *e;

	if (!want)
		want = loader_var(ctx, LOADER_VAR("LoaderEntryDefault"));
	if (!want)
		want = loader_conf_default(ctx);
	if (want && strcmp(want, "@saved") == 0) {
		free(want);
		want = loader_var(ctx, LOADER_VAR("LoaderEntryLastBooted"));
	}
	if (!want && !all->n)
		return -ENODATA;
	e = want ? entries_find(all, want) : &all->v[0];
	return e ? take_entry(ctx, e, ret) : cannot_tell(ctx, "systemd-boot", want);
}

/* --- GRUB --- */

/* The last NAME=value line, less quotes. */
static char *setting(const char *text, const char *name)
{
	size_t len = strlen(name);
	char *value = NULL;

	for (const char *l = text; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
		const char *v = l + strspn(l, " \t");
		size_t n;

		if (strncmp(v, name, len) != 0 || v[len] != '=')
			continue;
		v += len + 1;
		n = strcspn(v, "\n");
		while (n && isspace((unsigned char)v[n - 1]))
			n--;
		if (n > 1 && (*v == '"' || *v == '\'') && v[n - 1] == *v) {
			v++;
			n -= 2;
		}
		free(value);
		value = strndup(v, n);
	}
	return value;
}

static char *setting_of(struct pkram_ctx *ctx, const char *path, const char *name)
{
	_cleanup_free_ char *text = NULL;

	return machine_read(ctx, path, &text, NULL) < 0 ? NULL : setting(text, name);
}

static char *grubenv(struct pkram_ctx *ctx, const char *name)
{
	char *value = setting_of(ctx, "/boot/grub/grubenv", name);

	return value ? value : setting_of(ctx, "/boot/grub2/grubenv", name);
}

static bool is_version_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '+' || c == '~' || c == '_';
}

/* Whether the version stands in the text by itself: "6.1.0-9" does not in "6.1.0-91". */
static bool names_version(const char *text, const char *version)
{
	size_t len = strlen(version);

	for (const char *p = strstr(text, version); p; p = strstr(p + 1, version))
		if ((p == text || !is_version_char(p[-1])) && !is_version_char(p[len]))
			return true;
	return false;
}

/* The longest version that a menu title or id names. */
static int grub_by_version(struct pkram_ctx *ctx, const char *want, struct kexec_kernel *ret)
{
	char **versions = NULL;
	const char *best = NULL;
	int r = kexec_kernel_versions(ctx, &versions);

	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	for (char **v = versions; *v; v++)
		if (names_version(want, *v) && (!best || strlen(*v) > strlen(best)))
			best = *v;
	if (!best)
		r = cannot_tell(ctx, "GRUB", want);
	else if (asprintf(&ret->kernel, "/boot/vmlinuz-%s", best) < 0) {
		ret->kernel = NULL;
		r = -ENOMEM;
	}
	kexec_versions_free(versions);
	return r;
}

/*
 * The first entry of GRUB's menu is the newest kernel, or the first boot entry where it shows
 * those.
 */
static int grub_first(struct pkram_ctx *ctx, struct entries *all, struct kexec_kernel *ret)
{
	if (all->n && machine_exists(ctx, "/boot/grub2/grub.cfg"))
		return take_entry(ctx, &all->v[0], ret);
	return -ENODATA;
}

static int grub_boot_default(struct pkram_ctx *ctx, struct entries *all, struct kexec_kernel *ret)
{
	_cleanup_free_ char *want = grubenv(ctx, "next_entry");
	struct entry *e;

	if (!want || !*want) {
		free(want);
		want = kexec_grub_setting(ctx, "GRUB_DEFAULT");
	}
	if (want && strcmp(want, "saved") == 0) {
		free(want);
		want = grubenv(ctx, "saved_entry");
	}
	if (!want || !*want || strcmp(want, "0") == 0 || strncmp(want, "gnulinux-simple", 15) == 0)
		return grub_first(ctx, all, ret);
	e = entries_find(all, want);
	return e ? take_entry(ctx, e, ret) : grub_by_version(ctx, want, ret);
}

/* --- which loader --- */

static bool has_grub(struct pkram_ctx *ctx)
{
	return machine_exists(ctx, "/boot/grub/grub.cfg") ||
	       machine_exists(ctx, "/boot/grub2/grub.cfg");
}

static bool is_systemd_boot(const char *loader, bool grub, const struct entries *all)
{
	return loader ? strncmp(loader, "systemd-boot", 12) == 0 : !grub && all->n;
}

int kexec_boot_default(struct pkram_ctx *ctx, struct kexec_kernel *ret)
{
	_cleanup_(entries_done) struct entries all = { 0 };
	_cleanup_free_ char *loader = loader_var(ctx, LOADER_VAR("LoaderInfo"));
	bool grub = has_grub(ctx);
	int r;

	r = entries_read(ctx, &all);
	if (r < 0)
		return r;
	if (is_systemd_boot(loader, grub, &all))
		return systemd_boot_default(ctx, &all, ret);
	return grub ? grub_boot_default(ctx, &all, ret) : -ENODATA;
}

int kexec_boot_loader(struct pkram_ctx *ctx, enum kexec_loader *ret)
{
	_cleanup_(entries_done) struct entries all = { 0 };
	_cleanup_free_ char *loader = loader_var(ctx, LOADER_VAR("LoaderInfo"));
	bool grub = has_grub(ctx) || machine_exists(ctx, "/etc/default/grub");
	int r;

	r = entries_read(ctx, &all);
	if (r < 0)
		return r;
	/* Also where GRUB shows boot entries: they are made by kernel-install there. */
	if (is_systemd_boot(loader, grub, &all) ||
	    (all.n && machine_exists(ctx, "/boot/grub2/grub.cfg")))
		*ret = KEXEC_LOADER_ENTRIES;
	else
		*ret = grub ? KEXEC_LOADER_GRUB : KEXEC_LOADER_UNKNOWN;
	return 0;
}

/* --- the command line that it is set to give --- */

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		if ((p == text || isspace((unsigned char)p[-1])) &&
		    (!p[len] || isspace((unsigned char)p[len])))
			return true;
	return false;
}

/* Whether a "linux" command of grub.cfg has the word; its text is not looked at further. */
static bool grub_has_word(struct pkram_ctx *ctx, const char *word)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (machine_read(ctx, "/boot/grub/grub.cfg", &text, NULL) < 0 &&
	    machine_read(ctx, "/boot/grub2/grub.cfg", &text, NULL) < 0)
		return false;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		l += strspn(l, " \t");
		if (strncmp(l, "linux", 5) == 0 && has_word(l, word))
			return true;
	}
	return false;
}

bool kexec_boot_has_word(struct pkram_ctx *ctx, enum kexec_loader loader, const char *word)
{
	_cleanup_(entries_done) struct entries all = { 0 };

	if (loader == KEXEC_LOADER_GRUB)
		return grub_has_word(ctx, word);
	return loader == KEXEC_LOADER_ENTRIES && entries_read(ctx, &all) == 0 && all.n &&
	       all.v[0].options && has_word(all.v[0].options, word);
}
