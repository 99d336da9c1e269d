/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The jump: the next command line, the proof that it keeps the regions, the choice of a kernel,
 * loading it, jumping. Works on what it is told; policy (which nodes, which record) is
 * op-kexec.c's.
 */
#pragma once

#include "ctx.h"

/* --- command lines (kexec-cmdline.c) --- */

/* One word of a command line, cut as the kernel cuts it. The pointers lie in the line. */
struct kexec_word {
	const char *raw, *name,
		*value; /* raw: with its quotes; value: NULL where there is no '=' */
	size_t raw_len, name_len, value_len;
	bool open; /* a quote is not closed: the word runs to the end of the line */
};

/* The next kernel parameter; false at the end or before "--", where *line stays. */
bool kexec_param_next(const char **line, struct kexec_word *ret);
bool kexec_word_named(const struct kexec_word *w, const char *name);

/*
 * The next command line: `command_line` whole, else the running one less the boot loader's words
 * (BOOT_IMAGE=, initrd=), plus `append`; less old pkram.jump=, with pkram.jump=`jump_id` (32 hex
 * digits; NULL: none) before any "--". -E2BIG past 2047 bytes.
 */
int kexec_command_line(struct pkram_ctx *ctx, const char *command_line, const char *append,
		       const char *jump_id, char **ret_line);
/* The id of pkram.jump= on the running command line, before "--"; the last one counts. -ENODATA:
 * none. */
int kexec_jump_id(struct pkram_ctx *ctx, uint8_t ret_id[16]);

/* --- reservations (kexec-memmap.c) --- */

enum kexec_memmap_kind {
	KEXEC_MEMMAP_PMEM = '!',
	KEXEC_MEMMAP_RESERVED = '$',
	KEXEC_MEMMAP_ACPI = '#',
	KEXEC_MEMMAP_RAM = '@',
	KEXEC_MEMMAP_CONVERT = '%',
	KEXEC_MEMMAP_LIMIT = 0
};

struct kexec_memmap {
	enum kexec_memmap_kind kind;
	uint64_t start, size;
	uint32_t old_type, new_type;	/* of '%' */
};

struct kexec_memmaps {
	struct kexec_memmap *v;
	size_t n;
	unsigned int words;	/* separate memmap= words: KASLR avoids at most four */
	bool exactmap; /* memmap=exactmap: the entries before it, and the firmware's, are gone */
};

/*
 * As the kernel parses them; mem= is an entry of kind LIMIT, too. A malformed entry is -EINVAL,
 * logged with the word.
 */
int kexec_memmaps_parse(struct pkram_ctx *ctx, const char *line, struct kexec_memmaps *ret);
void kexec_memmaps_done(struct kexec_memmaps *m);

/* Memory that must come back as the same kind at the same place. */
struct kexec_keep {
	const char *what;	/* for messages: "pmem:/dev/pmem0" */
	uint64_t phys, size;	/* of the reserved memory */
	char kind;		/* '!' or '%' ; 0: needs no word (firmware describes it) */
};

/*
 * Whether the line reserves exactly what must be kept. Every reason against it is logged with its
 * remedy; -EUCLEAN then.
 */
int kexec_check_reservations(struct pkram_ctx *ctx, const char *line, const struct kexec_keep *keep,
			     size_t n);

/* --- which kernel (kexec-kernel.c) --- */

struct kexec_kernel {
	char *kernel, *initrd;	/* paths; initrd NULL where there is none */
	char *version;		/* of the kernel, from its header or name */
};

/* <0, 0, >0 by age, as package managers and boot loaders order versions (kexec-version.c). */
int kexec_version_compare(const char *a, const char *b);
/* Versions V of all /boot/vmlinuz-V, newest first; malloc'ed array of malloc'ed strings, NULL at
 * its end. */
int kexec_kernel_versions(struct pkram_ctx *ctx, char ***ret);
void kexec_versions_free(char **versions);
/*
 * What the boot loader is set to start (kexec-bootloader.c); version and, where the loader does not
 * say, initrd stay NULL. -ENODATA: the newest kernel, or it cannot be told (logged).
 */
int kexec_boot_default(struct pkram_ctx *ctx, struct kexec_kernel *ret);
/* What a plain reboot would start, or as told; initrd "" stands for none. */
int kexec_kernel_choose(struct pkram_ctx *ctx, const char *kernel, const char *initrd,
			struct kexec_kernel *ret);
void kexec_kernel_done(struct kexec_kernel *k);

/* --- loading and jumping (kexec-load.c) --- */

/* Whether kexec -s can work here: kexec_load_disabled, lockdown, the tool. -EUCLEAN with the reason
 * logged. */
int kexec_possible(struct pkram_ctx *ctx);
/* Loads by kexec-tools -s and checks /sys/kernel/kexec_loaded. */
int kexec_load(struct pkram_ctx *ctx, const struct kexec_kernel *k, const char *line);
int kexec_unload(struct pkram_ctx *ctx);
bool kexec_loaded(struct pkram_ctx *ctx);
/* systemctl kexec under systemd, else sync and kexec -e. */
int kexec_jump(struct pkram_ctx *ctx, bool no_systemd);
