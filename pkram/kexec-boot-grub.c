/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What GRUB is set to start, as far as its default names a boot entry or the version of a kernel.
 * grub.cfg is a program of its own and is not asked; where the default cannot be told, that is
 * said, and the newest kernel stands in.
 */
#include "kexec-boot.h"
#include "machine.h"

#include <ctype.h>

static char *setting_of(struct pkram_ctx *ctx, const char *path, const char *name)
{
	_cleanup_free_ char *text = NULL;

	return machine_read(ctx, path, &text, NULL) < 0 ? NULL : boot_setting(text, name);
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
		r = boot_cannot_tell(ctx, "GRUB", want);
	else if (asprintf(&ret->kernel, "/boot/vmlinuz-%s", best) < 0) {
		ret->kernel = NULL;
		r = -ENOMEM;
	}
	kexec_versions_free(versions);
	return r;
}

/*
 * The first entry of GRUB's menu is the newest kernel, unless it was told to put another one there,
 * or the first boot entry where it shows those.
 */
static int grub_first(struct pkram_ctx *ctx, struct boot_entries *all, struct kexec_kernel *ret)
{
	_cleanup_free_ char *top = NULL;

	if (all->n)
		return boot_take_entry(ctx, &all->v[0], ret);
	top = kexec_grub_setting(ctx, "GRUB_TOP_LEVEL");
	if (!top || !*top || !machine_exists(ctx, top))
		return -ENODATA;
	ret->kernel = TAKE_PTR(top);
	return 0;
}

int boot_grub_default(struct pkram_ctx *ctx, struct boot_entries *all, struct kexec_kernel *ret)
{
	_cleanup_free_ char *want = grubenv(ctx, "next_entry");
	struct boot_entry *e;

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
	e = boot_entries_find(all, want);
	return e ? boot_take_entry(ctx, e, ret) : grub_by_version(ctx, want, ret);
}

/* --- the options of an entry --- */

/* "$name" or "${name}", and nothing else; malloc'ed, NULL: it is something else. */
static char *variable_name(const char *word, size_t len)
{
	bool brace = len > 3 && word[1] == '{' && word[len - 1] == '}';
	const char *name = word + 1 + brace, *end = word + len - brace;

	if (*word != '$' || name == end)
		return NULL;
	for (const char *p = name; p < end; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return NULL;
	return strndup(name, (size_t)(end - name));
}

/* What the environment block lacks, grub.cfg sets instead; what neither has is empty. */
static char *variable_value(struct pkram_ctx *ctx, const char *name)
{
	char *value = grubenv(ctx, name);

	return value ? value : kexec_grub_sets(ctx, name);
}

int boot_grub_options(struct pkram_ctx *ctx, const char *options, char **ret)
{
	_cleanup_free_ char *line = NULL;
	size_t size, len;
	FILE *f = open_memstream(&line, &size);

	if (!f)
		return -ENOMEM;
	for (const char *p = options; *(p += strspn(p, " \t")); p += len) {
		_cleanup_free_ char *name = NULL, *value = NULL;

		len = strcspn(p, " \t");
		name = variable_name(p, len);
		value = name ? variable_value(ctx, name) : strndup(p, len);
		if (value && *value)
			fprintf(f, "%s%s", ftell(f) > 0 ? " " : "", value);
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	*ret = TAKE_PTR(line);
	return 0;
}
