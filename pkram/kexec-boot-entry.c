/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boot entries, files of the Boot Loader Specification: systemd-boot shows them, and some GRUBs do.
 */
#include "kexec-boot.h"
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>

static void entry_done(struct boot_entry *e)
{
	free(e->id);
	free(e->file);
	free(e->sort_key);
	free(e->version);
	free(e->kernel);
	free(e->program);
	free(e->initrd);
	free(e->options);
	*e = (struct boot_entry){ 0 };
}

void boot_entries_done(struct boot_entries *e)
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

/* The CPUs got it when the firmware started this system, and keep it. */
static bool is_microcode(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return fnmatch("*-ucode.img", name, 0) == 0 || fnmatch("microcode*", name, 0) == 0;
}

/* Several on one line are GRUB's way, and so are variables, which a plain boot leaves empty. */
static int entry_add_initrds(struct pkram_ctx *ctx, struct boot_entry *e, const char *root,
			     char *value)
{
	char *save = NULL;

	for (char *v = strtok_r(value, " \t", &save); v; v = strtok_r(NULL, " \t", &save)) {
		int r;

		if (*v == '$' || is_microcode(v))
			continue;
		e->initrds++;
		r = entry_set(&e->initrd, entry_path(ctx, root, v));
		if (r < 0)
			return r;
	}
	return 0;
}

/* They may stand on several lines. */
static int entry_add_options(struct boot_entry *e, const char *value)
{
	char *all;

	if (asprintf(&all, "%s%s%s", e->options ? e->options : "", e->options ? " " : "", value) <
	    0)
		all = NULL;
	return entry_set(&e->options, all);
}

static int entry_add(struct pkram_ctx *ctx, struct boot_entry *e, const char *root, const char *key,
		     char *value)
{
	if (strcmp(key, "sort-key") == 0)
		return entry_set(&e->sort_key, strdup(value));
	if (strcmp(key, "version") == 0)
		return entry_set(&e->version, strdup(value));
	if (strcmp(key, "linux") == 0)
		return entry_set(&e->kernel, entry_path(ctx, root, value));
	if (strcmp(key, "uki") == 0 || strcmp(key, "efi") == 0)
		return entry_set(&e->program, entry_path(ctx, root, value));
	if (strcmp(key, "options") == 0)
		return entry_add_options(e, value);
	return strcmp(key, "initrd") == 0 ? entry_add_initrds(ctx, e, root, value) : 0;
}

/* "key value" lines. */
static int entry_parse(struct pkram_ctx *ctx, struct boot_entry *e, const char *root, char *text)
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
static void cut_boot_counter(struct boot_entry *e)
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

static int entry_read(struct pkram_ctx *ctx, const char *root, const char *path,
		      struct boot_entry *e)
{
	_cleanup_free_ char *text = NULL;

	return machine_read(ctx, path, &text, NULL) < 0 ? 0 : entry_parse(ctx, e, root, text);
}

/* With the stub that the firmware starts it by, or in a unified kernel image. */
static bool is_linux(struct pkram_ctx *ctx, const char *path)
{
	struct kexec_image image;

	return kexec_image_read(ctx, path, &image) == 0 &&
	       (image.kind == KEXEC_IMAGE_BZIMAGE || image.kind == KEXEC_IMAGE_UNIFIED);
}

/*
 * A unified kernel image has a command line inside; any other program is started as it is. An entry
 * whose program is not there is not shown.
 */
static int entry_take_program(struct pkram_ctx *ctx, struct boot_entry *e)
{
	_cleanup_(entry_done) struct boot_entry inside = { 0 };
	int r;

	if (e->kernel || !e->program || !machine_exists(ctx, e->program))
		return 0;
	r = boot_unified_read(ctx, e->program, &inside);
	e->foreign = !is_linux(ctx, e->program);
	e->kernel = TAKE_PTR(e->program);
	if (!e->options)
		e->options = TAKE_PTR(inside.options);
	return r;
}

/* A directory with the files of entries, all with the same ending. */
struct place {
	const char *dir, *tail;
	bool unified;
};

static int add_entry(struct pkram_ctx *ctx, const char *root, const struct place *at,
		     const char *name, bool programs, struct boot_entries *all)
{
	_cleanup_(entry_done) struct boot_entry e = { 0 };
	size_t len = strlen(name), tail = strlen(at->tail);
	_cleanup_free_ char *path = NULL;
	int r;

	if (len <= tail || strcasecmp(name + len - tail, at->tail) != 0)
		return 0;
	e.id = strndup(name, len - tail);
	if (!e.id || asprintf(&path, "%s%s/%s", root, at->dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	cut_boot_counter(&e);
	r = at->unified ? boot_unified_read(ctx, path, &e) : entry_read(ctx, root, path, &e);
	if (r == 0 && programs)
		r = entry_take_program(ctx, &e);
	if (r < 0 || !e.kernel)
		return r;
	r = array_grow(&all->v, &all->cap, all->n + 1, sizeof(*all->v));
	if (r < 0)
		return r;
	e.tail = at->tail;
	if (!at->unified)
		e.file = TAKE_PTR(path);
	all->v[all->n++] = e;
	e = (struct boot_entry){ 0 };
	return 0;
}

static int entries_read_dir(struct pkram_ctx *ctx, const char *root, const struct place *at,
			    bool programs, struct boot_entries *all)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	int r = 0;

	snprintf(path, sizeof(path), "%s%s", root, at->dir);
	if (machine_open_dir(ctx, path, &dir) < 0)
		return 0;
	while (r == 0 && (d = readdir(dir)))
		r = add_entry(ctx, root, at, d->d_name, programs, all);
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
	const struct boot_entry *a = pa, *b = pb;
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

int boot_entries_read(struct pkram_ctx *ctx, bool systemd, struct boot_entries *all)
{
	static const char *const roots[] = { "/boot", "/efi", "/boot/efi" };
	static const struct place files = { "/loader/entries", ".conf", false };
	static const struct place images = { "/EFI/Linux", ".efi", true };

	for (size_t i = 0; i < (systemd ? ARRAY_SIZE(roots) : 1); i++) {
		int r = entries_read_dir(ctx, roots[i], &files, systemd, all);

		if (r == 0 && systemd)
			r = entries_read_dir(ctx, roots[i], &images, systemd, all);
		if (r < 0)
			return r;
	}
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), menu_order);
	return 0;
}

/* The first entry, in menu order, whose id matches. */
struct boot_entry *boot_entries_find(struct boot_entries *all, const char *pattern)
{
	for (size_t i = 0; i < all->n; i++) {
		char with_suffix[300];

		snprintf(with_suffix, sizeof(with_suffix), "%s%s", all->v[i].id, all->v[i].tail);
		if (fnmatch(pattern, all->v[i].id, 0) == 0 || fnmatch(pattern, with_suffix, 0) == 0)
			return &all->v[i];
	}
	return NULL;
}

int boot_take_entry(struct pkram_ctx *ctx, struct boot_entry *e, struct kexec_kernel *ret)
{
	pkram_log_info(ctx, "boot entry %s", e->id);
	ret->kernel = TAKE_PTR(e->kernel);
	ret->initrd = TAKE_PTR(e->initrd);
	ret->initrds = e->initrds;
	ret->options = TAKE_PTR(e->options);
	if (!machine_exists(ctx, ret->kernel)) {
		pkram_log_refusal(ctx, "name one with --kernel",
				  "boot entry %s names %s, which is not there", e->id, ret->kernel);
		return -ENOENT;
	}
	return 0;
}

int boot_cannot_tell(struct pkram_ctx *ctx, const char *loader, const char *wanted)
{
	pkram_log_warning(ctx,
			  "%s is set to start \"%s\", in which no kernel is known: taking the "
			  "newest one; --kernel names another",
			  loader, wanted);
	return -ENXIO;
}
