/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Physical memory: as the firmware described it to the first kernel (memmap= changes nothing of
 * that), and as the running kernel has divided it.
 */
#include "machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>

#define FIRMWARE_MAP "/sys/firmware/memmap"

static int add_range(struct machine_ranges *m, size_t *cap, uint64_t start, uint64_t end,
		     unsigned int depth, const char *name)
{
	char *copy;
	int r;

	r = array_grow(&m->v, cap, m->n + 1, sizeof(*m->v));
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	m->v[m->n++] = (struct machine_range){ .start = start, .end = end, .depth = depth,
					       .name = copy };
	return 0;
}

/* By start; what lies around another range comes before it. */
static int by_start(const void *pa, const void *pb)
{
	const struct machine_range *a = pa, *b = pb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	return a->end < b->end ? 1 : a->end > b->end ? -1 : strcmp(a->name, b->name);
}

static void sort_ranges(struct machine_ranges *m)
{
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), by_start);
}

void machine_ranges_done(struct machine_ranges *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].name);
	free(m->v);
	*m = (struct machine_ranges){ 0 };
}

/* --- the firmware's map --- */

static int read_number(struct pkram_ctx *ctx, const char *dir, const char *attr, uint64_t *ret)
{
	char path[sizeof(FIRMWARE_MAP) + 280];
	int r;

	snprintf(path, sizeof(path), FIRMWARE_MAP "/%s/%s", dir, attr);
	r = machine_read_u64(ctx, path, ret);
	return r < 0 ? log_error_errno(ctx, r, "%s: %m", path) : 0;
}

static int read_entry(struct pkram_ctx *ctx, const char *dir, struct machine_ranges *m, size_t *cap)
{
	_cleanup_free_ char *type = NULL;
	char path[sizeof(FIRMWARE_MAP) + 280];
	uint64_t start, end;
	int r;

	snprintf(path, sizeof(path), FIRMWARE_MAP "/%s/type", dir);
	r = machine_read(ctx, path, &type, NULL);
	if (r < 0)
		return log_error_errno(ctx, r, "%s: %m", path);
	r = read_number(ctx, dir, "start", &start);
	if (r == 0)
		r = read_number(ctx, dir, "end", &end);
	if (r == 0 && end < start) {
		pkram_log_error(ctx, FIRMWARE_MAP "/%s: ends before it starts", dir);
		r = -EUCLEAN;
	}
	return r < 0 ? r : add_range(m, cap, start, end, 0, type);
}

int machine_firmware_map(struct pkram_ctx *ctx, struct machine_ranges *ret)
{
	_cleanup_(machine_ranges_done) struct machine_ranges m = { 0 };
	struct dirent *e;
	size_t cap = 0;
	DIR *d;
	int r;

	r = machine_open_dir(ctx, FIRMWARE_MAP, &d);
	if (r < 0)
		return r == -ENOENT ? r : log_error_errno(ctx, r, FIRMWARE_MAP ": %m");
	/* Memory that was unplugged leaves a gap in the numbers. */
	while (r == 0 && (e = readdir(d)))
		if (*e->d_name != '.')
			r = read_entry(ctx, e->d_name, &m, &cap);
	closedir(d);
	if (r < 0)
		return r;
	sort_ranges(&m);
	*ret = m;
	m = (struct machine_ranges){ 0 };
	return 0;
}

bool machine_ranges_cover(const struct machine_ranges *m, uint64_t start, uint64_t size)
{
	uint64_t last = start + (size - 1);

	for (size_t i = 0; i < m->n && m->v[i].start <= start; i++) {
		if (m->v[i].end >= last)
			return true;
		if (m->v[i].end >= start)
			start = m->v[i].end + 1;
	}
	return false;
}

/* --- the kernel's division --- */

/* "  140000000-17fffffff : Persistent Memory (legacy)": two spaces for each range around it. */
static int read_line(struct pkram_ctx *ctx, const char *line, struct machine_ranges *m, size_t *cap)
{
	unsigned int depth = (unsigned int)strspn(line, " ") / 2;
	uint64_t start, end;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " : %n", &start, &end, &at) != 2 || !at ||
	    end < start) {
		pkram_log_error(ctx, "/proc/iomem: not understood: %s", line);
		return -EUCLEAN;
	}
	return add_range(m, cap, start, end, depth, line + at);
}

/* All ranges are [0, 0] to those who may not see them. */
static bool is_hidden(const struct machine_ranges *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].end)
			return false;
	return m->n > 0;
}

int machine_iomem(struct pkram_ctx *ctx, struct machine_ranges *ret)
{
	_cleanup_(machine_ranges_done) struct machine_ranges m = { 0 };
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t cap = 0;
	int r;

	r = machine_read(ctx, "/proc/iomem", &text, NULL);
	if (r < 0)
		return log_error_errno(ctx, r, "/proc/iomem: %m");
	for (char *l = strtok_r(text, "\n", &save); l && r == 0; l = strtok_r(NULL, "\n", &save))
		r = read_line(ctx, l, &m, &cap);
	if (r == 0 && is_hidden(&m))
		r = -EPERM;
	if (r < 0)
		return r;
	sort_ranges(&m);
	*ret = m;
	m = (struct machine_ranges){ 0 };
	return 0;
}
