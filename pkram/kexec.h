/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The jump: the next command line, the proof that it keeps the regions, the choice of a kernel,
 * loading it, jumping. Works on what it is told; policy (which nodes, which record) is
 * op-kexec.c's.
 */
#pragma once

#include "ctx.h"
#include "kexec-unpack.h"

struct machine_area;
struct machine_ranges;

/* --- command lines (kexec-cmdline.c) --- */

/* Of a command line without its NUL: x86's COMMAND_LINE_SIZE is 2048. */
#define KEXEC_LINE_BYTES 2047u
/* Of it, what " pkram.jump=" and its 32 digits take. */
#define KEXEC_JUMP_BYTES 44u

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
/* Whether the word's value is a list, with commas, that has the item; '-' stands for '_'. */
bool kexec_word_lists(const struct kexec_word *w, const char *item);
/* Finds the first word that reads exactly so, quotes and all; ret may be NULL. */
bool kexec_line_find(const char *line, const char *raw, size_t len, struct kexec_word *ret);
/* Whether any word of that name does. */
bool kexec_line_lists(const char *line, const char *name, const char *item);

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

/* --- what else the next kernel reads (kexec-effective.c) --- */

/*
 * The line that the kernel reads when it is given `line`: a kernel may be built with words of its
 * own. `config_text` is its configuration (/boot/config-VERSION); NULL: not known, nothing is
 * added. -E2BIG past 2047 bytes.
 */
int kexec_effective_line(struct pkram_ctx *ctx, const char *config_text, const char *line,
			 char **ret);
/*
 * Whether a boot configuration behind the initrd ("#BOOTCONFIG") adds words that reach for memory,
 * or keep drivers away, where the kernel reads it: the line says so, or the kernel is built to.
 * -EUCLEAN, logged, then.
 * initrd and config_text may be NULL.
 */
int kexec_check_bootconfig(struct pkram_ctx *ctx, const char *initrd, const char *config_text,
			   const char *line);

/* --- reservations (kexec-memmap.c, kexec-kaslr.c, kexec-reservation.c) --- */

enum kexec_memmap_kind {
	KEXEC_MEMMAP_PMEM = '!',
	KEXEC_MEMMAP_RESERVED = '$',
	KEXEC_MEMMAP_ACPI = '#',
	KEXEC_MEMMAP_RAM = '@',
	KEXEC_MEMMAP_CONVERT = '%',
	KEXEC_MEMMAP_LIMIT = 0
};

/* What the types of '%' name. */
#define KEXEC_E820_RAM 1u
#define KEXEC_E820_SOFT_RESERVED 0xefffffffu

struct kexec_memmap {
	enum kexec_memmap_kind kind;
	uint64_t start, size;
	uint32_t old_type, new_type;	/* of '%' */
	bool by_mem;	/* a limit by mem=, and not by memmap= */
	const char *word;	/* on the line, that says so; not of one that was made up */
	size_t word_len;
};

struct kexec_memmaps {
	struct kexec_memmap *v;
	size_t n;
	unsigned int words;	/* separate memmap= words */
	bool exactmap; /* memmap=exactmap: the entries before it, and the firmware's, are gone */
};

/*
 * As the kernel parses them; mem= is an entry of kind LIMIT, too. A malformed entry is -EINVAL,
 * logged with the word.
 */
int kexec_memmaps_parse(struct pkram_ctx *ctx, const char *line, struct kexec_memmaps *ret);
/* The same without a message; -EINVAL: *ret_bad is the malformed word. */
int kexec_memmaps_read(const char *line, struct kexec_memmaps *ret, struct kexec_word *ret_bad);
void kexec_memmaps_done(struct kexec_memmaps *m);
/* Whether one of them is of the same kind and range. */
bool kexec_memmaps_have(const struct kexec_memmaps *m, const struct kexec_memmap *e);

/* The one that makes such a region of RAM. */
struct kexec_memmap kexec_memmap_reserving(char kind, uint64_t start, uint64_t size);
/* "memmap=1G!4G" */
#define KEXEC_MEMMAP_TEXT 96
void kexec_memmap_word(const struct kexec_memmap *m, char buf[static KEXEC_MEMMAP_TEXT]);

/*
 * Calls fn for each range that a word other than memmap= and mem= names by its address
 * (crashkernel=, cma=, ramoops.mem_address= ...), until it returns non-zero, which is the result.
 * size 0: not told.
 */
typedef int (*kexec_reach_fn)(void *arg, const struct kexec_word *w, uint64_t start, uint64_t size);
int kexec_words_reach(const char *line, kexec_reach_fn fn, void *arg);

/* Whether the kernel stays where it was loaded: nokaslr, or a list of more than four ranges. */
bool kexec_kaslr_off(const char *line);

/* Memory that must come back as the same kind at the same place. */
struct kexec_keep {
	const char *what;	/* for messages: "pmem:/dev/pmem0" */
	uint64_t phys, size;	/* of the reserved memory */
	char kind;		/* '!' or '%' ; 0: needs no word (firmware describes it) */
};

/*
 * Whether the line reserves exactly what must be kept, and a kernel comes up with it. What is kept
 * must lie where the firmware's map has one kind of memory. Every reason against it is logged with
 * its remedy; -EUCLEAN then.
 */
int kexec_check_reservations(struct pkram_ctx *ctx, const char *line, const struct kexec_keep *keep,
			     size_t n);
/*
 * The same where the kernel reads more (kexec_effective_line) than the line that it is given: its
 * decompressor reads that one only.
 */
int kexec_check_lines(struct pkram_ctx *ctx, const char *given, const char *read,
		      const struct kexec_keep *keep, size_t n);

/* What kernels before 4.13 do beyond that; config NULL: not known. Failures as above. */
int kexec_check_old_kernel(struct pkram_ctx *ctx, const char *version, const char *config,
			   const char *given, const struct kexec_keep *keep, size_t n);

/* --- planning a reservation (kexec-plan.c) --- */

struct kexec_plan_machine {
	const struct machine_ranges *firmware, *iomem;
	const struct machine_area *nodes;	/* which memory is whose; n_nodes 0: not known */
	size_t n_nodes;
	const char *line;	/* that the word is to be added to */
	const char *settings;	/* whose words can be changed; NULL: all of the line's */
	uint64_t boot_room;	/* what firmware and boot loader may use at the top of RAM */
	bool boots_high;	/* they use memory above 4 GiB, too (UEFI) */
	uint64_t initrd, initrd_size;	/* where it was put at this boot; 0: not known */
};

struct kexec_plan_wish {
	uint64_t size;		/* a multiple of KEXEC_PLAN_ALIGN */
	char kind;		/* '!' or '%' */
	int node;		/* -1: any */
	uint64_t pages_per_gib;	/* bytes of ordinary RAM that a GiB of the region costs */
};

/* Why a region is smaller than wished: the first of these that leaves too little in one piece. */
enum kexec_plan_limit {
	KEXEC_PLAN_FITS,
	KEXEC_PLAN_FIRMWARE,	/* usable ranges of the firmware's map */
	KEXEC_PLAN_BOOT,	/* what the boot loader uses */
	KEXEC_PLAN_TAKEN,	/* reservations, crashkernel= */
	KEXEC_PLAN_NODE,	/* the node's memory */
	KEXEC_PLAN_CONVERT,	/* '%' starts no lower than its size */
	KEXEC_PLAN_SYSTEM,	/* what the system needs to start */
};

#define KEXEC_PLAN_ALIGN (16 * MIB)

/* Struct pages of a GiB: 64 bytes for each page; of devdax, once for each 2 MiB. */
#define KEXEC_PLAN_PAGES_PMEM (16 * MIB)
#define KEXEC_PLAN_PAGES_DEVDAX (4 * MIB)

struct kexec_plan {
	enum kexec_plan_limit limit;
	uint64_t start, size;	/* size 0: there is no place at all, and all else is not set */
	uint64_t pages;		/* bytes of ordinary RAM for its struct pages */
	uint64_t ram, left;	/* of the system, now, and at the next boot with the region */
	int node;		/* -1: not known */
	bool spans;		/* it lies on several nodes */
	bool kaslr_off;		/* the kernel's place is no longer chosen at random */
	char *word;		/* the memmap= word to be added */
	char *extends;		/* the one of the line that it takes the place of; NULL: none */
	char *line;		/* with it */
};

/*
 * The lowest place above 4 GiB (below it only where there is none) for the region, or for the
 * largest part of it. Reads nothing but its arguments. -EUCLEAN (logged): no line can have it;
 * -EOPNOTSUPP (logged): memmap=exactmap.
 */
int kexec_plan(struct pkram_ctx *ctx, const struct kexec_plan_machine *m,
	       const struct kexec_plan_wish *wish, struct kexec_plan *ret);
void kexec_plan_done(struct kexec_plan *p);
/*
 * A context for what speaks of a jump: it says the same to `ctx`, with what helps who plans: not
 * the options of 'pkram kexec', but the boot loader's settings. `remedy` NULL: to change that.
 */
struct kexec_plan_advice {
	struct pkram_ctx *ctx;
	const char *remedy;
};
int kexec_plan_says(struct kexec_plan_advice *advice, struct pkram_ctx **ret);
/*
 * The machine's line with the region on it, every region of `maps` (its own) still safe: sets word,
 * extends, line and kaslr_off (kexec-plan-line.c). Failures as above.
 */
int kexec_plan_line(struct pkram_ctx *ctx, const struct kexec_plan_machine *m,
		    const struct kexec_memmaps *maps, const struct kexec_memmap *region,
		    struct kexec_plan *p);

/* --- which kernel (kexec-kernel.c) --- */

struct kexec_kernel {
	char *kernel, *initrd;	/* absolute; initrd NULL where there is none */
	char *version;		/* of the kernel, from its header or name */
	char *options;		/* of the boot entry that names it; NULL: no entry does */
	unsigned int initrds;	/* of that entry: initrd is the last of them */
};

/* <0, 0, >0 by age, as package managers and boot loaders order versions (kexec-version.c). */
int kexec_version_compare(const char *a, const char *b);
/* Versions V of all /boot/vmlinuz-V, newest first; malloc'ed array of malloc'ed strings, NULL at
 * its end. */
int kexec_kernel_versions(struct pkram_ctx *ctx, char ***ret);
void kexec_versions_free(char **versions);
/* The path of the newest of them, or of one without a version. -ENOENT: there is none (logged). */
int kexec_kernel_newest(struct pkram_ctx *ctx, char **ret_kernel);
/*
 * What the boot loader is set to start (kexec-boot.c); version and, where the loader does not
 * say, initrd stay NULL. -ENODATA: the newest kernel; -ENXIO: one that is not known (logged). Where
 * pkram cannot load the boot entry, an error (logged), and what it says.
 */
int kexec_boot_default(struct pkram_ctx *ctx, struct kexec_kernel *ret);
enum kexec_loader {
	KEXEC_LOADER_UNKNOWN,
	KEXEC_LOADER_GRUB,	/* set by /etc/default/grub */
	KEXEC_LOADER_ENTRIES,	/* boot entries, and what kernel-install makes new ones of */
};

int kexec_boot_loader(struct pkram_ctx *ctx, enum kexec_loader *ret);
/* Whether it has files of its own here; it need not be what starts the machine. */
bool kexec_boot_has_grub(struct pkram_ctx *ctx);
/*
 * Whether it shows boot entries here, and has settings: to make grub.cfg or an entry anew may make
 * the command lines of entries, and of kernels to come, of these.
 */
bool kexec_boot_grub_entries(struct pkram_ctx *ctx);
/*
 * Calls fn for the file of each boot entry that the loader shows, or of any there is, in the order
 * of a menu, until that is not 0. Not of one that starts something else than Linux.
 */
int kexec_boot_entry_files(struct pkram_ctx *ctx, bool any, int (*fn)(void *arg, const char *path),
			   void *arg);
/*
 * The words that its settings have for kernels, as these will read them. -ENODATA: none, or they
 * are not known; other failures are logged.
 */
int kexec_boot_settings(struct pkram_ctx *ctx, enum kexec_loader loader, char **ret);
/*
 * The line that it gives to what it is set to start. -ENODATA: it cannot be told, or holds
 * variables of the boot loader.
 */
int kexec_boot_line(struct pkram_ctx *ctx, char **ret);
/* Whether it is set to give the word to a kernel (of boot entries: to that of the first one). */
bool kexec_boot_has_word(struct pkram_ctx *ctx, enum kexec_loader loader, const char *word);
/* --- what boot entries are made of (kexec-boot-install.c) --- */

#define KEXEC_INSTALL_FILE "/etc/kernel/cmdline"

/* The text that kernel-install takes where there is no such file. Failures are logged. */
int kexec_install_base(struct pkram_ctx *ctx, char **ret_text);
/* Whether lines that begin with '#' are words to it, as before systemd 257; true: not known. */
bool kexec_install_keeps_comments(struct pkram_ctx *ctx);
/* The line that it makes of a text, with or without such lines; malloc'ed, NULL: no memory. */
char *kexec_install_line(const char *text, bool comments);

/* --- what grub.cfg is made of, and what it says (kexec-grub-settings.c, ...) --- */

/*
 * A variable of /etc/default/grub and the files beside it (kexec-grub-settings.c); malloc'ed, NULL:
 * it is not set, or they cannot be read (logged).
 */
char *kexec_grub_setting(struct pkram_ctx *ctx, const char *name);
/*
 * GRUB_CMDLINE_LINUX or ..._DEFAULT, whichever is set to have the word, as the kernel sees it.
 * -ENODATA: none; other failures are logged.
 */
int kexec_grub_variable(struct pkram_ctx *ctx, const char *word, const char **ret);
/* All words of both, as they come to the kernel. Failures as above. */
int kexec_grub_settings_line(struct pkram_ctx *ctx, char **ret);
/* Whether grub-mkconfig reads /etc/default/grub.d: Debian's does, the original does not. */
bool kexec_grub_reads_dropins(struct pkram_ctx *ctx);
/*
 * The line of the settings that puts `new` in the place of `old` in a variable, both as GRUB's
 * language has them, without "'" (kexec-grub-replace.c); malloc'ed.
 */
int kexec_grub_replacing(const char *variable, const char *old, const char *new, char **ret);
/*
 * The command line that GRUB gives to the kernel at its first menu entry (kexec-grub-config.c).
 * -ENODATA: there is no grub.cfg that can be read, or no such entry in it.
 */
int kexec_grub_line(struct pkram_ctx *ctx, const char *kernel, char **ret);
bool kexec_grub_has_word(struct pkram_ctx *ctx, const char *word);
/* What it sets a variable to; malloc'ed, NULL: nothing. */
char *kexec_grub_sets(struct pkram_ctx *ctx, const char *name);
/* Whether it has the entries of /boot/loader/entries in its menu (blscfg). */
bool kexec_grub_shows_entries(struct pkram_ctx *ctx);
/*
 * The words of the first command in a text of GRUB's language, as they come to a kernel
 * (kexec-grub-words.c); *text then stands behind it. Variables are taken for empty.
 */
int kexec_grub_words(const char **text, char **ret);
/* What a plain reboot would start, or as told; initrd "" stands for none. */
int kexec_kernel_choose(struct pkram_ctx *ctx, const char *kernel, const char *initrd,
			struct kexec_kernel *ret);
void kexec_kernel_done(struct kexec_kernel *k);

/* --- its image (kexec-image.c) --- */

enum kexec_image_kind {
	KEXEC_IMAGE_UNKNOWN,
	KEXEC_IMAGE_BZIMAGE,
	KEXEC_IMAGE_UNIFIED,	/* kernel, initrd and command line in one EFI program */
	KEXEC_IMAGE_EFI,	/* another EFI program */
};

/* Of a PE header. */
#define KEXEC_MACHINE_X86 0x14c
#define KEXEC_MACHINE_X86_64 0x8664

struct kexec_image {
	enum kexec_image_kind kind;
	char version[128];	/* "" where it has none */
	uint16_t protocol;	/* of a bzImage: 0x20c is 2.12 */
	bool boots_64;		/* has a 64-bit entry and can be loaded anywhere */
	uint64_t init_size;	/* bytes of memory that it starts in, 0: unknown */
	uint64_t payload, payload_len; /* where the compressed kernel lies in the file */
	uint16_t machine;	/* of its PE header, 0: it has none */
	bool is_signed;		/* the PE header has a table of certificates */
};

int kexec_image_read(struct pkram_ctx *ctx, const char *path, struct kexec_image *ret);
/* The text of a section (".cmdline") of its PE file. -ENODATA: it has none (not logged). */
int kexec_image_text(struct pkram_ctx *ctx, const char *path, const char *section, char **ret);

/* --- its configuration (kexec-kconfig.c) --- */

/*
 * The text of the kernel's .config: beside it, in the image itself, in /boot, with its modules.
 * -ENODATA (not logged): not to be had.
 */
int kexec_config_read(struct pkram_ctx *ctx, const struct kexec_kernel *k, char **ret_text);
/* The running kernel's, without a look into its image. */
int kexec_config_running(struct pkram_ctx *ctx, char **ret_text);
/* 'y', 'm' or 'n'. */
char kexec_config_get(const char *text, const char *option);
/* Whether it says so itself ("# CONFIG_X is not set"): some configurations leave defaults out. */
bool kexec_config_denies(const char *text, const char *option);

/* --- modules (kexec-modules.c) --- */

/* What modules.dep and modules.builtin say. */
struct kexec_modules {
	char *loadable, *builtin; /* paths, a line each; NULL: none */
};

enum kexec_module { KEXEC_MODULE_ABSENT, KEXEC_MODULE_LOADABLE, KEXEC_MODULE_BUILTIN };

/* Of /lib/modules/VERSION. -ENOENT: not there; other failures are logged. */
int kexec_modules_read(struct pkram_ctx *ctx, const char *version, struct kexec_modules *ret);
void kexec_modules_done(struct kexec_modules *m);
enum kexec_module kexec_modules_find(const struct kexec_modules *m, const char *name);
/* What has to be loaded before it, one after the other; *at is NULL for the first one. */
#define KEXEC_MODULE_NAME 64
bool kexec_modules_needs(const struct kexec_modules *m, const char *name, const char **at,
			 char ret[static KEXEC_MODULE_NAME]);

/* A file of pkram's configuration. */
struct kexec_conf {
	char *path;	/* "/etc/pkram.d/x.conf" */
	char *text;	/* NULL: too large for one */
};

struct kexec_initrd {
	struct kexec_modules modules; /* of `version` */
	struct kexec_conf *confs;
	size_t n_confs;
	char *modprobe;		/* all its files of modprobe.d */
	struct kexec_unpacked unpacked;
	bool has_pkram;		/* pkram itself is inside */
	bool has_libkmod;	/* ... and what it loads drivers with */
	bool other_version;	/* it has modules, and none of them of `version` */
};

/*
 * Looks into no more than `max` bytes that are packed. Failures are those of kexec_unpack_initrd(),
 * with ret->unpacked.why.
 */
int kexec_initrd_read(struct pkram_ctx *ctx, const char *path, const char *version, uint64_t max,
		      struct kexec_initrd *ret);
/* The bytes of an open initrd, without a boot configuration behind it. */
int kexec_initrd_size(int fd, size_t *ret);
void kexec_initrd_done(struct kexec_initrd *i);
/* What it holds of this file; NULL: nothing, or something that is no such text. */
const char *kexec_initrd_conf(const struct kexec_initrd *i, const char *path);
/* Whether its modprobe.d keeps the module from being loaded by an alias. */
bool kexec_initrd_keeps_away(const struct kexec_initrd *i, const char *name);

/* --- loading (kexec-load.c) --- */

/* Whether the kernel loads only what is signed. */
bool kexec_locked_down(struct pkram_ctx *ctx);
/* Whether kexec can work here: the kernel has it, allows it, the tool. -EUCLEAN with the reason
 * logged. */
int kexec_possible(struct pkram_ctx *ctx);
/* How kexec-tools load. */
enum kexec_method {
	KEXEC_METHOD_AUTO,	/* by kexec_file_load, or bounded where there is none */
	KEXEC_METHOD_FILE,	/* -s */
	KEXEC_METHOD_LOAD,	/* -c, between bounds, into memory that holds none of `keep` */
};

/* Loads, and checks /sys/kernel/kexec_loaded. */
int kexec_load(struct pkram_ctx *ctx, const struct kexec_kernel *k, const char *line,
	       enum kexec_method method, const struct kexec_keep *keep, size_t n);
int kexec_unload(struct pkram_ctx *ctx);
/* A program of PATH or the sbin directories; malloc'ed, NULL: there is none. */
char *kexec_find_program(const char *name);
/* Runs it without a shell; what it prints is for us. -EIO with its last line logged. */
int kexec_run(struct pkram_ctx *ctx, const char *program, char *const argv[]);
bool kexec_loaded(struct pkram_ctx *ctx);

/* --- jumping (kexec-jump.c) --- */

/* The unit that stops after all that save, and arms the jump then. */
#define KEXEC_SERVICE "pkram-kexec.service"

/* Is there when systemd runs. */
#define SYSTEMD_DIR "/run/systemd/system"

/*
 * False, too, where systemd does not run or has no such unit. One that is there need not run yet:
 * staging starts it.
 */
bool kexec_service_there(struct pkram_ctx *ctx);
bool kexec_service_start(struct pkram_ctx *ctx);
bool kexec_service_runs(struct pkram_ctx *ctx);
/* Whether systemd has set out to start kexec.target; a failure says that nobody knows. */
int kexec_queued(struct pkram_ctx *ctx);
/* systemctl kexec under systemd, else sync and kexec -e. */
int kexec_jump(struct pkram_ctx *ctx, bool no_systemd);
