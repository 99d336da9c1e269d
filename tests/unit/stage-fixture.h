/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A recorded machine with a pmem device whose bytes lie in a file, a kernel, and programs that
 * only pretend to load it.
 */
#pragma once

#include "jump.h"
#include "kexec.h"
#include "op.h"
#include "sysroot.h"

#include <endian.h>

#define BOOT_A "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
#define BOOT_B "0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b"
#define REGION_SIZE (32 * MIB)

/* --- the machine --- */

static char region_file[128];

/* A pmem device as far as the store is concerned. */
static inline int fake_open(struct region *r)
{
	struct stat st;

	r->fd = open(region_file, (r->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	assert_true(r->fd >= 0 && fstat(r->fd, &st) == 0);
	r->size = (uint64_t)st.st_size;
	r->phys = 4 * GIB;
	return region_map(r);
}

static const struct region_ops fake_pmem = { .scheme = "pmem", .open = fake_open };

static inline void put_link(struct sysroot *s, const char *path, const char *target)
{
	_cleanup_free_ char *marker = NULL, *full = sysroot_path(s, path);

	assert_true(asprintf(&marker, "%s.dir", path) >= 0);
	sysroot_text(s, marker, "");
	sysroot_remove(s, marker);
	assert_int_equal(symlink(target, full), 0);
}

/* pmemI of e820 at PHYS, 1 GiB, whose node in /dev is NODE. */
static inline void put_pmem(struct sysroot *s, unsigned int i, const char *node, const char *phys)
{
	char path[128], text[128], target[128];

	snprintf(path, sizeof(path), "/sys/devices/platform/e820_pmem/ndbus0/provider");
	sysroot_text(s, path, "e820\n");
	snprintf(path, sizeof(path), "/sys/devices/platform/e820_pmem/ndbus0/region%u/resource", i);
	sysroot_text(s, path, phys);
	snprintf(path, sizeof(path), "/sys/devices/platform/e820_pmem/ndbus0/region%u/size", i);
	sysroot_text(s, path, "1073741824\n");
	snprintf(path, sizeof(path),
		 "/sys/devices/platform/e820_pmem/ndbus0/region%u/namespace%u.0/resource", i, i);
	sysroot_text(s, path, phys);
	snprintf(path, sizeof(path),
		 "/sys/devices/platform/e820_pmem/ndbus0/region%u/namespace%u.0/block/pmem%u/size",
		 i, i, i);
	sysroot_text(s, path, "2097152\n");
	snprintf(
		path, sizeof(path),
		"/sys/devices/platform/e820_pmem/ndbus0/region%u/namespace%u.0/block/pmem%u/uevent",
		i, i, i);
	snprintf(text, sizeof(text), "DEVNAME=%s\n", node);
	sysroot_text(s, path, text);
	snprintf(path, sizeof(path), "/sys/class/block/pmem%u", i);
	snprintf(target, sizeof(target),
		 "../../devices/platform/e820_pmem/ndbus0/region%u/namespace%u.0/block/pmem%u", i,
		 i, i);
	put_link(s, path, target);
}

static inline void put_firmware(struct sysroot *s, unsigned int i, const char *start,
				const char *end, const char *type)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/start", i);
	sysroot_text(s, path, start);
	snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/end", i);
	sysroot_text(s, path, end);
	snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/type", i);
	sysroot_text(s, path, type);
}

static inline void put_boot(struct sysroot *s, const char *id, const char *cmdline,
			    const char *bootloader)
{
	sysroot_text(s, "/proc/sys/kernel/random/boot_id", id);
	sysroot_text(s, "/proc/cmdline", cmdline);
	sysroot_text(s, "/proc/sys/kernel/bootloader_type", bootloader);
}

static inline struct region *open_bytes(struct sysroot *s)
{
	struct region *r;

	assert_int_equal(region_new(s->ctx, &fake_pmem, "/dev/pmem0", false, &r), 0);
	return r;
}

/* The handle that pkram_region_open would give, claims included. */
static inline struct pkram_region *open_region(struct sysroot *s)
{
	struct pkram_region *region = calloc(1, sizeof(*region));

	assert_non_null(region);
	region->ctx = pkram_ref(s->ctx);
	assert_int_equal(machine_boot_id(s->ctx, region->boot_id), 0);
	assert_int_equal(store_open(open_bytes(s), &region->store), 0);
	assert_true(jump_claim(region->store) >= 0);
	return region;
}

static inline int stage_setup(void **state)
{
	int r = sysroot_setup_programs(state);
	struct sysroot *s = *state;
	struct region *bytes;
	int fd;

	put_pmem(s, 0, "pmem0", "0x100000000\n");
	put_firmware(s, 0, "0x0", "0x9fbff", "System RAM");
	put_firmware(s, 1, "0x100000000", "0x13fffffff", "System RAM");
	put_boot(s, BOOT_A "\n", "BOOT_IMAGE=/vmlinuz ro memmap=1G!4G\n", "176\n");
	sysroot_text(s, "/proc/sys/kernel/osrelease", "6.1.0\n");
	sysroot_kernel(s, "/boot/vmlinuz-6.12.0", "6.12.0");
	sysroot_initrd(s, "/boot/initrd.img-6.12.0");
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_X86_PMEM_LEGACY=m\n"
		     "CONFIG_BLK_DEV_PMEM=m\nCONFIG_DEV_DAX=m\nCONFIG_DEV_DAX_PMEM=m\n");
	sysroot_text(s, "/lib/modules/6.12.0/modules.dep",
		     "kernel/drivers/nvdimm/nd_e820.ko.xz: kernel/drivers/nvdimm/libnvdimm.ko.xz\n"
		     "kernel/drivers/nvdimm/nd_pmem.ko.xz:\n"
		     "kernel/drivers/dax/dax_pmem.ko.xz:\nkernel/drivers/dax/device_dax.ko.xz:\n");
	snprintf(region_file, sizeof(region_file), "%s/region", s->dir);
	fd = open(region_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)REGION_SIZE), 0);
	close(fd);
	bytes = open_bytes(s);
	assert_int_equal(store_format(bytes), 0);
	region_close(bytes);
	return r;
}

static inline void put_node(struct pkram_region *region, const char *name,
			    enum pkram_node_kind kind, const char *source, uint64_t fingerprint)
{
	_cleanup_free_ void *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_props props = { .source = source, .fingerprint = fingerprint };
	struct store_writer *w;
	struct store_need need = { .size = 4096 };
	void *p;

	assert_int_equal(store_writer_open(region->store, name, kind, &w), 0);
	need.writer = w;
	assert_int_equal(store_reserve(region->store, &need, 1, NULL, NULL), 0);
	p = store_writer_window(w, 0, 4096, bounce);
	memset(p, 7, 4096);
	assert_int_equal(store_writer_put(w, 0, 4096, p), 0);
	store_writer_set_size(w, 4096);
	assert_int_equal(store_writer_set_props(w, &props), 0);
	assert_int_equal(store_commit(region->store, &w, 1), 0);
}

static inline struct pkram_jump jump_of(struct pkram_region *region)
{
	struct store_info info;

	assert_int_equal(store_info(region->store, &info), 0);
	return info.jump;
}

static inline uint32_t state_of(struct pkram_region *region)
{
	struct pkram_jump j = jump_of(region);

	return le32toh(j.state);
}

static inline void id_text(const struct pkram_jump *j, char text[33])
{
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", j->id[i]);
}
