/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which boot loader this machine has, and what it would start.
 */
#include "kexec-boot.h"
#include "machine.h"

#include <ctype.h>

char *boot_setting(const char *text, const char *name)
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

bool kexec_boot_has_grub(struct pkram_ctx *ctx)
{
	return machine_exists(ctx, "/boot/grub/grub.cfg") ||
	       machine_exists(ctx, "/boot/grub2/grub.cfg");
}

/* Which entries the machine's loader shows; `grub`: where nothing else tells, it is GRUB. */
static int read_entries(struct pkram_ctx *ctx, bool grub, struct boot_entries *ret,
			bool *ret_systemd)
{
	_cleanup_free_ char *loader = boot_efi_var(ctx, BOOT_EFI_VAR("LoaderInfo"));
	bool systemd = loader ? strncmp(loader, "systemd-boot", 12) == 0 : !grub;
	int r = systemd || kexec_grub_shows_entries(ctx) ? boot_entries_read(ctx, systemd, ret) : 0;

	*ret_systemd = systemd && (loader || ret->n);
	return r;
}

int kexec_boot_default(struct pkram_ctx *ctx, struct kexec_kernel *ret)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	bool grub = kexec_boot_has_grub(ctx), systemd;
	int r;

	r = read_entries(ctx, grub, &all, &systemd);
	if (r < 0)
		return r;
	if (systemd)
		return boot_systemd_default(ctx, &all, ret);
	return grub ? boot_grub_default(ctx, &all, ret) : -ENODATA;
}

bool kexec_boot_grub_entries(struct pkram_ctx *ctx)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	bool systemd;

	return read_entries(ctx, kexec_boot_has_grub(ctx), &all, &systemd) == 0 &&
	       !systemd && all.n && machine_exists(ctx, "/etc/default/grub");
}

int kexec_boot_loader(struct pkram_ctx *ctx, enum kexec_loader *ret)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	bool grub = kexec_boot_has_grub(ctx) || machine_exists(ctx, "/etc/default/grub"), systemd;
	int r;

	r = read_entries(ctx, grub, &all, &systemd);
	if (r < 0)
		return r;
	if (systemd || all.n)
		*ret = KEXEC_LOADER_ENTRIES;
	else
		*ret = grub ? KEXEC_LOADER_GRUB : KEXEC_LOADER_UNKNOWN;
	return 0;
}

int kexec_boot_entry_files(struct pkram_ctx *ctx, bool any, int (*fn)(void *arg, const char *path),
			   void *arg)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	bool systemd;
	int r = any ? boot_entries_read(ctx, true, &all) :
		      read_entries(ctx, kexec_boot_has_grub(ctx), &all, &systemd);

	for (size_t i = 0; i < all.n && r == 0; i++)
		if (all.v[i].file && !all.v[i].foreign)
			r = fn(arg, all.v[i].file);
	return r;
}

/* --- the command line that it is set to give --- */

/* "x${y}", and to GRUB "$1", too: what they stand for is the boot loader's. */
static bool has_variable(const char *line, bool grub)
{
	for (const char *p = strchr(line, '$'); p; p = strchr(p + 1, '$'))
		if (p[1] == '{' || p[1] == '_' || isalpha((unsigned char)p[1]) ||
		    (grub && isdigit((unsigned char)p[1])))
			return true;
	return false;
}

int kexec_boot_line(struct pkram_ctx *ctx, char **ret)
{
	_cleanup_(kexec_kernel_done) struct kexec_kernel k = { 0 };
	_cleanup_free_ char *line = NULL;
	bool grub = kexec_boot_has_grub(ctx);
	int r = kexec_boot_default(ctx, &k);

	if (r == -ENODATA)
		r = kexec_kernel_newest(ctx, &k.kernel);
	if (r == -ENOMEM)
		return r;
	if (!k.options)
		return r < 0 ? -ENODATA : kexec_grub_line(ctx, k.kernel, ret);
	r = grub ? boot_grub_options(ctx, k.options, &line) : 0;
	if (r < 0)
		return r;
	if (!grub)
		line = TAKE_PTR(k.options);
	if (has_variable(line, grub))
		return -ENODATA;
	*ret = TAKE_PTR(line);
	return 0;
}

int kexec_boot_settings(struct pkram_ctx *ctx, enum kexec_loader loader, char **ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (loader == KEXEC_LOADER_GRUB)
		return kexec_grub_settings_line(ctx, ret);
	if (loader != KEXEC_LOADER_ENTRIES)
		return -ENODATA;
	r = machine_read_text(ctx, KEXEC_INSTALL_FILE, &text);
	if (r == -ENOENT)
		r = kexec_install_base(ctx, &text);
	if (r < 0)
		return r;
	*ret = kexec_install_line(text, false);
	return *ret ? 0 : -ENOMEM;
}

bool kexec_boot_has_word(struct pkram_ctx *ctx, enum kexec_loader loader, const char *word)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	bool systemd;
	size_t i = 0;

	if (loader == KEXEC_LOADER_GRUB)
		return kexec_grub_has_word(ctx, word);
	if (loader != KEXEC_LOADER_ENTRIES ||
	    read_entries(ctx, kexec_boot_has_grub(ctx), &all, &systemd) < 0)
		return false;
	while (i < all.n && all.v[i].foreign)
		i++;
	return i < all.n && all.v[i].options &&
	       kexec_line_find(all.v[i].options, word, strlen(word), NULL);
}
