/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unified kernel images, EFI programs with a kernel, its initrd and its command line in them:
 * systemd-boot shows them among the boot entries.
 */
#include "kexec-boot.h"

#include <ctype.h>

/* The first of the names that an os-release gives a value. */
static char *first_of(const char *text, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *value = boot_setting(text, names[i]);

		if (value && *value)
			return TAKE_PTR(value);
	}
	return NULL;
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
