/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything asked of the machine: /proc, /sys, modules, signatures. All paths go through the
 * context's sysroot, so that tests run on recorded machines.
 */
#pragma once

#include <dirent.h>

#include "ctx.h"

struct stat;
struct work_cpus;

/* --- files of the machine (machine.c) --- */

/* Opens `path` ("/proc/cmdline") below the sysroot; does not wait at a pipe. */
int machine_open(struct pkram_ctx *ctx, const char *path, int flags);
/* The same where it will be written: no link leads out of the sysroot. */
int machine_open_inside(struct pkram_ctx *ctx, const char *path, int flags);
/* Opens a directory to list it. */
int machine_open_dir(struct pkram_ctx *ctx, const char *path, DIR **ret);
/*
 * Reads a small file whole, without its last newline; NUL-terminated, `ret_len` may be NULL.
 * -EOPNOTSUPP: it is no plain file.
 */
int machine_read(struct pkram_ctx *ctx, const char *path, char **ret_text, size_t *ret_len);
/*
 * The same of a file of settings, with its last newline; no link leads out of the sysroot. -ENOENT:
 * there is none; other failures are logged, -EUCLEAN where it is no text (a device, a pipe, NUL
 * bytes in it).
 */
int machine_read_text(struct pkram_ctx *ctx, const char *path, char **ret_text);
int machine_read_u64(struct pkram_ctx *ctx, const char *path, uint64_t *ret);
bool machine_exists(struct pkram_ctx *ctx, const char *path);
/*
 * Puts a file with this text in the place of what is there, whole or not at all, with the mode and
 * owner of the old one; a symbolic link is followed, but not out of the sysroot. text NULL: takes
 * it away.
 */
int machine_replace(struct pkram_ctx *ctx, const char *path, const char *text);
/* So that a name in it lasts. Of any path, outside of the sysroot, too. */
int machine_sync_parent(const char *path);
/* For all to read, whatever the umask. 1: made; 0: it is there already. */
int machine_mkdir(struct pkram_ctx *ctx, const char *path);
/* One that is not empty stays. */
int machine_rmdir(struct pkram_ctx *ctx, const char *path);
/* Below the sysroot, for calls that want a path; the result is malloc'ed. */
char *machine_path(struct pkram_ctx *ctx, const char *path);

/* --- this boot (machine-boot.c) --- */

int machine_boot_id(struct pkram_ctx *ctx, uint8_t ret_id[16]);
/* The running kernel's command line. */
int machine_cmdline(struct pkram_ctx *ctx, char **ret_line);
/* A kdump kernel: /proc/vmcore is there. */
bool machine_is_kdump(struct pkram_ctx *ctx);
/* Started by kexec, as far as the machine can tell (x86: bootloader_type; elsewhere true). */
bool machine_came_by_kexec(struct pkram_ctx *ctx);
/* Where whatever started this kernel put its initrd; size 0: none, or not known. */
void machine_initrd(struct pkram_ctx *ctx, uint64_t *ret_start, uint64_t *ret_size);
/*
 * MemAvailable, and what the tightest memory.max of this process's cgroups leaves (page cache
 * counts as left, as in MemAvailable; UINT64_MAX: no limit); bytes.
 */
int machine_memory(struct pkram_ctx *ctx, uint64_t *ret_available, uint64_t *ret_cgroup_left);
/* All that the kernel has; bytes, 0: not known. */
uint64_t machine_memory_total(struct pkram_ctx *ctx);
/* Free pages of the pool of this page size that nobody has reserved; bytes. */
int machine_hugepages_free(struct pkram_ctx *ctx, uint64_t page_size, uint64_t *ret_free);
/* Bytes of a page that huge= can give a tmpfs; 0: it changes nothing on this machine. */
uint64_t machine_tmpfs_huge_page(struct pkram_ctx *ctx);

/* --- clocks (machine-clock.c) --- */

/* CLOCK_REALTIME in ns. */
int64_t machine_now(void);
/* CLOCK_BOOTTIME in ns. */
uint64_t machine_uptime(void);
/*
 * This moment. tsc: the time stamp counter, where it is known to run on evenly whatever the CPU
 * does, and so across kexec; else 0.
 */
struct machine_stamp {
	uint64_t uptime, tsc;
};
struct machine_stamp machine_stamp(struct pkram_ctx *ctx);
/*
 * Its frequency; 0: not known. Measured against CLOCK_MONOTONIC_RAW, which takes 10 ms: CPUID's
 * leaves 0x15 and 0x16 are empty or rounded on most machines, and the kernel shows its own number
 * nowhere.
 */
uint64_t machine_tsc_khz(struct pkram_ctx *ctx);

/* --- mounts (machine-mounts.c) --- */

/* The fields are unescaped; a path may hold any byte. */
struct machine_mount {
	uint64_t id;
	uint64_t parent;	/* the mount that this one stands on */
	dev_t dev;
	char *root;		/* directory of the filesystem that is mounted here */
	char *point;
	char *flags;		/* of the mount: ro, nosuid, ... */
	char *type;
	char *options;		/* of the filesystem: size=, ... */
};

/*
 * Calls fn for each line of a table like /proc/self/mountinfo until it returns non-zero, which is
 * the result. A line that is none ends it with -EBADMSG.
 */
int machine_mounts(const char *table, int (*fn)(void *arg, const struct machine_mount *m),
		   void *arg);
/*
 * Bytes of the first option of a comma list. It goes on behind a comma in quotes
 * (context="...:c1,c2"), and behind one before a digit: a list of nodes (mpol=bind:0,2).
 */
size_t machine_mount_option(const char *list);
/* Cuts it off, and goes on to the next. NULL: there is none. */
char *machine_mount_cut(char **list);
/* Whether a comma list has the option, spelt so ("ro", "huge=always"). */
bool machine_mount_has(const char *options, const char *option);
/* Type and options (flags and filesystem's as one list that mounts the same again) of a mount. */
int machine_mount_find(const char *table, uint64_t id, char **ret_type, char **ret_options);

/* --- who uses a file (machine-users.c) --- */

/*
 * Looks through /proc for processes with the file (dev, ino) open for writing or mapped shared and
 * writable, other than this process. Calls fn for each pid with its command name; returns the
 * count.
 */
int machine_file_writers(struct pkram_ctx *ctx, dev_t dev, ino_t ino,
			 void (*fn)(void *arg, pid_t pid, const char *comm), void *arg);
/* The same for whoever has it open or mapped in any way, or another node of the same device. */
int machine_file_users(struct pkram_ctx *ctx, const struct stat *st,
		       void (*fn)(void *arg, pid_t pid, const char *comm), void *arg);
/* Writers of many files in one pass over /proc, from a sorted array of (dev, ino). */
struct machine_file {
	dev_t dev;
	ino_t ino;
};
int machine_files_writers(struct pkram_ctx *ctx, const struct machine_file *files, size_t n,
			  void (*fn)(void *arg, size_t file, pid_t pid, const char *comm),
			  void *arg);

/* --- memory that can hold a region (machine-devices.c) --- */

enum machine_device_kind { MACHINE_DEVICE_PMEM, MACHINE_DEVICE_DEVDAX };

struct machine_device {
	enum machine_device_kind kind;
	char path[64];		/* /dev/pmem0, /dev/dax0.0 */
	uint64_t phys, size;	/* of the bytes that the device shows; phys 0: unknown */
	uint64_t res_phys,
		res_size;       /* of the memory reserved for it (the nd region, Soft Reserved) */
	bool legacy;		/* e820 type 12 (memmap=nn!ss or firmware), not NFIT */
	bool soft_reserved;	/* dax_hmem */
	bool ramdax;		/* with that: it has labels, and any number of devices */
	bool fsdax;		/* a pmem with its map of pages in front */
	bool system_ram;	/* lent to the kernel (kmem) */
	bool bound;		/* a driver holds it: it can be opened */
	uint64_t align;		/* of its mappings; 0: not mapped, or not known */
	char nd_name[32];	/* of the libnvdimm device around it: namespace0.0; "": none */
	char nd_region[32];	/* region0 */
	int node;		/* the closest memory node that is in use, -1: not known */
};

/* All pmem block devices and devdax devices from sysfs; malloc'ed array. */
int machine_devices(struct pkram_ctx *ctx, struct machine_device **ret, size_t *ret_n);
/* The device behind an open block or character device. -ENODEV: something else. */
int machine_device_of(struct pkram_ctx *ctx, dev_t rdev, bool block, struct machine_device *ret);
/* Its one node in /dev ("/dev/pmem0"), from sysfs's uevent; malloc'ed. */
int machine_device_node(struct pkram_ctx *ctx, dev_t rdev, bool block, char **ret_path);
/*
 * Loads nd_e820, nfit, nd_pmem, dax_pmem, dax_hmem, device_dax where /proc/iomem shows reserved
 * memory that has no device yet, and binds to device_dax what no driver holds.
 */
int machine_load_modules(struct pkram_ctx *ctx);
/* Whether modprobe's configuration keeps the module from being loaded by an alias. */
bool machine_module_blacklisted(struct pkram_ctx *ctx, const char *name);

/* Loads what makes devdax devices of pmem. */
void machine_load_devdax(struct pkram_ctx *ctx);
/* Until the devices that libnvdimm makes in the background are there. */
void machine_wait_for_devices(struct pkram_ctx *ctx);

/* --- namespaces of libnvdimm (machine-nd.c) --- */

struct machine_nd {
	char region[32];	/* region0 */
	char ns[32];		/* namespace0.0; "": none that has memory */
	char holder[32];	/* dax0.0, pfn0.0, btt0.0: what the namespace is part of; "": raw */
};

/* What libnvdimm has at this address. -ENOENT: nothing (its driver is not loaded). */
int machine_nd_at(struct pkram_ctx *ctx, uint64_t phys, struct machine_nd *ret);
/* What this device is made of. -ENOENT: not of libnvdimm, or sysfs does not tell. */
int machine_nd_of(struct pkram_ctx *ctx, const struct machine_device *d, struct machine_nd *ret);
/*
 * A raw namespace (the block device `node`; NULL: it has none at the moment) becomes a devdax of
 * 2 MiB pages whose map lies in RAM, and the other way round. Of the memory itself only the block
 * at 4 KiB is written: the info block. After a failure the old state is back; -ENOTRECOVERABLE
 * (logged): it is not. The device is unused, as far as the caller can tell.
 */
int machine_nd_to_devdax(struct pkram_ctx *ctx, const struct machine_nd *nd, const char *node);
int machine_nd_to_raw(struct pkram_ctx *ctx, const struct machine_nd *nd);

/* --- physical memory (machine-memory.c) --- */

struct machine_range {
	uint64_t start, end;	/* end: the last byte */
	unsigned int depth;	/* ranges that lie around it; 0: none */
	char *name;		/* "System RAM", "Persistent Memory (legacy)", "Kernel code", ... */
};

/* By start, outer ranges before those inside them. */
struct machine_ranges {
	struct machine_range *v;
	size_t n;
};

/*
 * What the firmware told, from /sys/firmware/memmap; the words of the command line change nothing
 * of it. -ENOENT (not logged): not x86, or hidden; -EUCLEAN: not understood.
 */
int machine_firmware_map(struct pkram_ctx *ctx, struct machine_ranges *ret);
/*
 * /proc/iomem with all its levels. -EPERM (not logged): its addresses are shown to root alone;
 * -EUCLEAN: not understood.
 */
int machine_iomem(struct pkram_ctx *ctx, struct machine_ranges *ret);
/* Whether every byte lies in one of them: what the firmware's map leaves out is no memory. */
bool machine_ranges_cover(const struct machine_ranges *m, uint64_t start, uint64_t size);
/* Both kinds; all zero will do, and is left behind. */
void machine_ranges_done(struct machine_ranges *m);

/* --- memory nodes (machine-numa.c) --- */

/* The CPUs of a node. -ENODATA: nothing follows from it: no other node has CPUs, or it has none. */
int machine_node_cpus(struct pkram_ctx *ctx, int node, struct work_cpus *ret);

struct machine_area {
	uint64_t start, end;	/* end: the first byte behind it */
	int node;		/* -1: not known, or several */
};

/*
 * Which memory is which node's, by start, without memory blocks that several share; malloc'ed
 * array. None where the kernel does not show it.
 */
int machine_node_memory(struct pkram_ctx *ctx, struct machine_area **ret, size_t *ret_n);

/* --- signatures (machine-signature.c) --- */

/*
 * What libblkid recognises in the first or last MiB of `size` bytes read through `read` (copied to
 * a memfd first): "ext4", "gpt", ... malloc'ed; NULL for nothing. -EOPNOTSUPP
 * (logged): libblkid is not installed; other failures are the caller's to log.
 */
int machine_signature(struct pkram_ctx *ctx, uint64_t size,
		      int (*read)(void *arg, uint64_t off, size_t len, void *buf), void *arg,
		      char **ret_type);
/*
 * What uses the device, for people ("is mounted at /srv", and what to do); NULL: nothing that the
 * kernel knows of.
 */
int machine_device_use(struct pkram_ctx *ctx, const char *path, dev_t rdev, bool block,
		       char **ret_use);
/*
 * -EBUSY with that logged. A block device stays unused for as long as *ret_claim is open: nobody
 * can mount it then; -1 for others.
 */
int machine_device_unused(struct pkram_ctx *ctx, const char *path, dev_t rdev, bool block,
			  int *ret_claim);
