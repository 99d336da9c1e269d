/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unified kernel images, EFI programs with a kernel, its initrd and its command line in them:
 * systemd-boot shows them among the boot entries.
 */
#include "kexec-boot.h"

#include <ctype.h>

/* NAME=value of an os-release; malloc'ed, NULL: it is not there. */
static char *os_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *l = text; *l; l = strchrnul(l, '\n'), l += *l == '\n') {
		const char *v = l + len + 1;
		size_t n;

		if (strncmp(l, name, len) != 0 || l[len] != '=')
			continue;
		n = strcspn(v, "\n");
		while (n && isspace((unsigned char)v[n - 1]))
			n--;
		if (n > 1 && (*v == '"' || *v == '\'') && v[n - 1] == *v) {
			v++;
			n -= 2;
		}
		if (n)
			return strndup(v, n);
	}
	return NULL;
}

static char *first_of(const char *text, const char *const names[], size_t n)
{
	char *value = NULL;

	for (size_t i = 0; i < n && !value; i++)
		value = os_value(text, names[i]);
	return value;
}

/* Blanks of any kind become one. */
static void tidy(char *line)
{
	char *to = line;

	for (const char *p = line; *p; p++)
		if (!isspace((unsigned char)*p))
			*to++ = *p;
		else if (to > line && to[-1] != ' ')
			*to++ = ' ';
	while (to > line && to[-1] == ' ')
		to--;
	*to = '\0';
}

int boot_unified_read(struct pkram_ctx *ctx, const char *path, struct boot_entry *e)
{
	static const char *const keys[] = { "IMAGE_ID", "ID" };
	static const char *const versions[] = { "IMAGE_VERSION", "VERSION", "VERSION_ID",
						"BUILD_ID" };
	_cleanup_free_ char *os = NULL;
	struct kexec_image image;
	int r = kexec_image_read(ctx, path, &image);

	if (r < 0 || image.kind != KEXEC_IMAGE_UNIFIED)
		return 0;
	r = kexec_image_text(ctx, path, ".osrel", &os);
	if (r == -ENOMEM)
		return r;
	if (r == 0) {
		e->sort_key = first_of(os, keys, ARRAY_SIZE(keys));
		e->version = first_of(os, versions, ARRAY_SIZE(versions));
	}
	r = kexec_image_text(ctx, path, ".cmdline", &e->options);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		tidy(e->options);
	e->kernel = strdup(path);
	return e->kernel ? 0 : -ENOMEM;
}
