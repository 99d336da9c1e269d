/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files about boot loaders share: boot entries, and what each loader is set to start.
 */
#pragma once

#include "kexec.h"

/* The last NAME=value line of a text, less quotes; malloc'ed, NULL: there is none. */
char *boot_setting(const char *text, const char *name);

/* --- boot entries of the Boot Loader Specification (kexec-boot-entry.c) --- */

struct boot_entry {
	char *id;		/* file name less its tail and the boot counter */
	const char *tail;	/* ".conf", or ".efi" of a unified kernel image */
	char *file;		/* its text; NULL: that image */
	char *sort_key, *version, *kernel, *initrd, *options;
	char *program;		/* of the firmware, where it names no kernel */
	unsigned int initrds;	/* of which initrd is the last one; without the CPUs' microcode */
	bool spent;		/* its boot counter has run out */
	bool foreign;		/* its program is no Linux kernel: the options are not for one */
};

/* In the order of a menu. */
struct boot_entries {
	struct boot_entry *v;
	size_t n, cap;
};

/*
 * Those of /boot, which GRUB shows. `systemd`: all that systemd-boot shows: those of the EFI system
 * partition, too, and what the firmware starts: EFI programs that entries name, which are their
 * kernels then, and the unified kernel images in their place.
 */
int boot_entries_read(struct pkram_ctx *ctx, bool systemd, struct boot_entries *ret);
void boot_entries_done(struct boot_entries *e);
/* The first one whose id matches. */
struct boot_entry *boot_entries_find(struct boot_entries *all, const char *pattern);
/* Moves it to *ret. -ENOENT (logged): its kernel is not there. */
int boot_take_entry(struct pkram_ctx *ctx, struct boot_entry *e, struct kexec_kernel *ret);
/* -ENXIO, logged. */
int boot_cannot_tell(struct pkram_ctx *ctx, const char *loader, const char *wanted);

/* --- unified kernel images (kexec-boot-unified.c) --- */

/*
 * What the image at `path` says of itself: the version and sort key of its os-release, and its
 * command line. Other files stay without a kernel.
 */
int boot_unified_read(struct pkram_ctx *ctx, const char *path, struct boot_entry *e);

/* --- systemd-boot (kexec-boot-systemd.c), GRUB (kexec-boot-grub.c) --- */

#define BOOT_EFI_VAR(name) \
	"/sys/firmware/efi/efivars/" name "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

/* A variable of text; malloc'ed, NULL: it is not set. */
char *boot_efi_var(struct pkram_ctx *ctx, const char *path);

/* As kexec_boot_default(). */
int boot_systemd_default(struct pkram_ctx *ctx, struct boot_entries *all, struct kexec_kernel *ret);
int boot_grub_default(struct pkram_ctx *ctx, struct boot_entries *all, struct kexec_kernel *ret);
/* The options of an entry, with what words like $tuned_params stand for in their places. */
int boot_grub_options(struct pkram_ctx *ctx, const char *options, char **ret);
