/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * This boot: which one it is, how it came about, and how much memory it has left.
 */
#include "machine.h"

#include <endian.h>
#include <inttypes.h>

/* What the x86 boot protocol calls a kernel that was started by kexec. */
#define BOOTLOADER_KEXEC 0xd0

#define THP "/sys/kernel/mm/transparent_hugepage"

/* 8-4-4-4-12 digits */
static bool parse_uuid(const char *text, size_t len, uint8_t ret[16])
{
	uint8_t id[16];
	size_t n = 0;

	if (len != 36)
		return false;
	for (size_t i = 0; i < len;) {
		int high, low;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i++] != '-')
				return false;
			continue;
		}
		high = hex_digit(text[i++]);
		low = hex_digit(text[i++]);
		if (high < 0 || low < 0)
			return false;
		id[n++] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, id, sizeof(id));
	return true;
}

int machine_boot_id(struct pkram_ctx *ctx, uint8_t ret_id[16])
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = machine_read(ctx, path, &text, &len);
	if (r < 0)
		return log_error_errno(ctx, r, "cannot tell this boot from others: %s: %m", path);
	if (parse_uuid(text, len, ret_id))
		return 0;
	pkram_log_error(ctx, "cannot tell this boot from others: %s holds no UUID", path);
	return -EINVAL;
}

int machine_cmdline(struct pkram_ctx *ctx, char **ret_line)
{
	int r = machine_read(ctx, "/proc/cmdline", ret_line, NULL);

	return r < 0 ? log_error_errno(ctx, r, "/proc/cmdline: %m") : 0;
}

bool machine_is_kdump(struct pkram_ctx *ctx)
{
	return machine_exists(ctx, "/proc/vmcore");
}

bool machine_came_by_kexec(struct pkram_ctx *ctx)
{
	uint64_t type;
	int r = machine_read_u64(ctx, "/proc/sys/kernel/bootloader_type", &type);

	/* Only x86 has it. Where it exists and cannot be read, firmware is the safe answer. */
	return r == -ENOENT || (r == 0 && type == BOOTLOADER_KEXEC);
}

static uint64_t le32_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* Where x86's boot protocol has them: low halves, then high ones. */
#define PARAM_EXT_IMAGE 0xc0
#define PARAM_EXT_SIZE 0xc4
#define PARAM_IMAGE 0x218
#define PARAM_SIZE 0x21c
#define PARAM_END 0x220

void machine_initrd(struct pkram_ctx *ctx, uint64_t *ret_start, uint64_t *ret_size)
{
	_cleanup_free_ char *p = NULL;
	size_t len;

	*ret_start = *ret_size = 0;
	if (machine_read(ctx, "/sys/kernel/boot_params/data", &p, &len) < 0 || len < PARAM_END)
		return;
	*ret_start = le32_at(p + PARAM_EXT_IMAGE) << 32 | le32_at(p + PARAM_IMAGE);
	*ret_size = le32_at(p + PARAM_EXT_SIZE) << 32 | le32_at(p + PARAM_SIZE);
}

/* The number behind `key` at the start of a line; 0 where there is none. */
static uint64_t value_of(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, key, n) == 0)
			return strtoull(line + n, NULL, 10);
	}
	return 0;
}

/*
 * memory.max less what is charged, except page cache: that gives way, as it does in MemAvailable.
 * UINT64_MAX where this group sets no limit.
 */
static uint64_t group_left(struct pkram_ctx *ctx, const char *dir)
{
	_cleanup_free_ char *max = NULL, *current = NULL, *stat = NULL, *stats = NULL;
	uint64_t limit, used, cache = 0;

	if (asprintf(&max, "%s/memory.max", dir) < 0)
		max = NULL;
	if (asprintf(&current, "%s/memory.current", dir) < 0)
		current = NULL;
	if (asprintf(&stat, "%s/memory.stat", dir) < 0)
		stat = NULL;
	/* "max" is no number, and the root group has no such file. */
	if (!max || !current || !stat || machine_read_u64(ctx, max, &limit) < 0 ||
	    machine_read_u64(ctx, current, &used) < 0)
		return UINT64_MAX;
	if (machine_read(ctx, stat, &stats, NULL) == 0)
		cache = value_of(stats, "active_file ") + value_of(stats, "inactive_file ");
	used -= MIN(used, cache);
	return limit > used ? limit - used : 0;
}

/* A limit of any group from this process's own up to the root holds. */
static int cgroup_left(struct pkram_ctx *ctx, uint64_t *ret)
{
	_cleanup_free_ char *groups = NULL, *dir = NULL;
	static const char root[] = "/sys/fs/cgroup";
	uint64_t left = UINT64_MAX;
	const char *own;
	char *slash;

	if (machine_read(ctx, "/proc/self/cgroup", &groups, NULL) < 0) {
		*ret = left;
		return 0;
	}
	own = strncmp(groups, "0::", 3) == 0 ? groups + 3 : strstr(groups, "\n0::");
	if (own && *own == '\n')
		own += 4;
	/* Outside of this cgroup namespace nothing can be looked up. */
	if (!own || strncmp(own, "/..", 3) == 0)
		own = "/";
	if (asprintf(&dir, "%s%.*s", root, (int)strcspn(own, "\n"), own) < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	while ((slash = strrchr(dir, '/')) && strlen(dir) >= sizeof(root) - 1) {
		left = MIN(left, group_left(ctx, dir));
		*slash = '\0';
	}
	*ret = left;
	return 0;
}

int machine_memory(struct pkram_ctx *ctx, uint64_t *ret_available, uint64_t *ret_cgroup_left)
{
	_cleanup_free_ char *text = NULL;
	uint64_t kib, left;
	int r;

	r = machine_read(ctx, "/proc/meminfo", &text, NULL);
	if (r < 0)
		return log_error_errno(ctx, r, "/proc/meminfo: %m");
	kib = value_of(text, "MemAvailable:");
	r = cgroup_left(ctx, &left);
	if (r < 0)
		return r;
	*ret_available = kib * KIB;
	*ret_cgroup_left = left;
	return 0;
}

uint64_t machine_memory_total(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *text = NULL;

	if (machine_read(ctx, "/proc/meminfo", &text, NULL) < 0)
		return 0;
	return value_of(text, "MemTotal:") * KIB;
}

static int pool_file(struct pkram_ctx *ctx, uint64_t page_size, const char *file, uint64_t *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/%s",
		 page_size / KIB, file);
	return machine_read_u64(ctx, path, ret);
}

int machine_hugepages_free(struct pkram_ctx *ctx, uint64_t page_size, uint64_t *ret_free)
{
	uint64_t pages, reserved, bytes;
	int r;

	r = pool_file(ctx, page_size, "free_hugepages", &pages);
	if (r == 0)
		r = pool_file(ctx, page_size, "resv_hugepages", &reserved);
	if (r < 0)
		return log_error_errno(ctx, r, "no pool of huge pages of %" PRIu64 " KiB: %m",
				       page_size / KIB);
	/* A reserved page is free until its mapping touches it, but not for us. */
	if (mul_overflows(pages - MIN(pages, reserved), page_size, &bytes))
		return -EOVERFLOW;
	*ret_free = bytes;
	return 0;
}

uint64_t machine_tmpfs_huge_page(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *policy = NULL;
	uint64_t size;

	/* Missing: not built in. Of the policies, these two alone are above the mount options. */
	if (machine_read(ctx, THP "/shmem_enabled", &policy, NULL) < 0 ||
	    strstr(policy, "[deny]") || strstr(policy, "[force]") ||
	    machine_read_u64(ctx, THP "/hpage_pmd_size", &size) < 0)
		return 0;
	return size;
}
