/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which boot loader this machine has, and what it would start.
 */
#include "kexec-boot.h"
#include "machine.h"

#include <ctype.h>

static bool has_grub(struct pkram_ctx *ctx)
{
	return machine_exists(ctx, "/boot/grub/grub.cfg") ||
	       machine_exists(ctx, "/boot/grub2/grub.cfg");
}

static bool is_systemd_boot(const char *loader, bool grub, const struct boot_entries *all)
{
	return loader ? strncmp(loader, "systemd-boot", 12) == 0 : !grub && all->n;
}

int kexec_boot_default(struct pkram_ctx *ctx, struct kexec_kernel *ret)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	_cleanup_free_ char *loader = boot_efi_var(ctx, BOOT_EFI_VAR("LoaderInfo"));
	bool grub = has_grub(ctx);
	int r;

	r = boot_entries_read(ctx, &all);
	if (r < 0)
		return r;
	if (is_systemd_boot(loader, grub, &all))
		return boot_systemd_default(ctx, &all, ret);
	return grub ? boot_grub_default(ctx, &all, ret) : -ENODATA;
}

int kexec_boot_loader(struct pkram_ctx *ctx, enum kexec_loader *ret)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };
	_cleanup_free_ char *loader = boot_efi_var(ctx, BOOT_EFI_VAR("LoaderInfo"));
	bool grub = has_grub(ctx) || machine_exists(ctx, "/etc/default/grub");
	int r;

	r = boot_entries_read(ctx, &all);
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

bool kexec_boot_has(struct pkram_ctx *ctx, enum kexec_loader loader)
{
	_cleanup_(boot_entries_done) struct boot_entries all = { 0 };

	if (loader == KEXEC_LOADER_GRUB)
		return has_grub(ctx);
	return loader == KEXEC_LOADER_ENTRIES && boot_entries_read(ctx, &all) == 0 && all.n;
}

/* --- the command line that it is set to give --- */

/* "${kernelopts}", and to GRUB "$1", too: what they stand for is the boot loader's. */
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
	int r = kexec_boot_default(ctx, &k);

	if (r == -ENODATA)
		r = kexec_kernel_newest(ctx, &k.kernel);
	if (r == -ENOMEM)
		return r;
	if (!k.options)
		return r < 0 ? -ENODATA : kexec_grub_line(ctx, k.kernel, ret);
	if (has_variable(k.options, has_grub(ctx)))
		return -ENODATA;
	*ret = TAKE_PTR(k.options);
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

	if (loader == KEXEC_LOADER_GRUB)
		return kexec_grub_has_word(ctx, word);
	return loader == KEXEC_LOADER_ENTRIES && boot_entries_read(ctx, &all) == 0 && all.n &&
	       all.v[0].options &&
	       kexec_line_find(all.v[0].options, word, strlen(word), NULL);
}
