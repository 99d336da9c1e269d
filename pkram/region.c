/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all regions share: choosing the row, one canonical name for one memory, range checks, the
 * seal and the locks. Only here is a caller's offset judged, so the rows need not ask again.
 */
#include "region.h"
#include "machine.h"
#include "work-place.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BLOCK 4096u
#define SEAL_OFF (BLOCK - sizeof(uint64_t))
#define ZERO_CHUNK (1u << 20)

static const struct region_ops *const rows[] = {
	&region_ops_devdax,
	&region_ops_pmem,
	&region_ops_file,
};

const struct region_ops *region_parse_spec(const char *spec, const char **ret_path)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i]->scheme);

		if (strncmp(spec, rows[i]->scheme, n) == 0 && spec[n] == ':') {
			*ret_path = spec + n + 1;
			return rows[i];
		}
	}
	*ret_path = spec;
	return NULL;
}

/* A character device that is not devdax is refused by that row, with its name. */
static const struct region_ops *row_of_mode(mode_t mode)
{
	if (S_ISBLK(mode))
		return &region_ops_pmem;
	if (S_ISCHR(mode))
		return &region_ops_devdax;
	if (S_ISREG(mode))
		return &region_ops_file;
	return NULL;
}

static int canonical_path(struct pkram_ctx *ctx, const char *path, const struct stat *st,
			  char **ret_path)
{
	_cleanup_free_ char *node = NULL;
	struct stat there;
	int r;

	if (S_ISREG(st->st_mode)) {
		node = realpath(path, NULL);
		if (!node)
			return log_error_errno(ctx, -errno, "%s: cannot resolve the path: %m",
					       path);
		*ret_path = TAKE_PTR(node);
		return 0;
	}
	r = machine_device_node(ctx, st->st_rdev, S_ISBLK(st->st_mode), &node);
	if (r < 0)
		return log_error_errno(ctx, r, "%s: /sys does not know this device: %m", path);
	if (stat(node, &there) < 0)
		return log_error_errno(ctx, -errno, "%s: its device node %s: %m", path, node);
	if ((there.st_mode & S_IFMT) != (st->st_mode & S_IFMT) || there.st_rdev != st->st_rdev) {
		pkram_log_error(ctx, "%s: %s, which should be its device node, is another device",
				path, node);
		return -ENODEV;
	}
	*ret_path = TAKE_PTR(node);
	return 0;
}

#define LISTED "'pkram regions' lists what there is"

/* Of the word in front of ":/", which no path has by chance; 0: there is none. */
static size_t scheme_length(const char *spec)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789+-_";
	size_t n = strspn(spec, chars);

	return n && strncmp(spec + n, ":/", 2) == 0 ? n : 0;
}

int region_check_spec(struct pkram_ctx *ctx, const char *spec, const char *from)
{
	const char *path;

	if (!region_parse_spec(spec, &path) && scheme_length(spec))
		return log_error_errno(ctx, -EINVAL, "region %s%s: no kind of region is called "
				       "%.*s:, only devdax:, pmem: and file: are", spec, from,
				       (int)scheme_length(spec), spec);
	if (!*path)
		return log_error_errno(ctx, -EINVAL, "region \"%s\"%s names no path; " LISTED, spec,
				       from);
	return 0;
}

/* What else to do where nothing is; `ops` by the spec, NULL for a bare path. */
static const char *missing_hint(const struct region_ops *ops)
{
	if (errno != ENOENT)
		return error_hint(-errno);
	return ops == &region_ops_file ? "; 'pkram init --size N' makes it" :
					 "; " LISTED;
}

int region_open(struct pkram_ctx *ctx, const char *spec, bool read_only, struct region **ret)
{
	return region_open_from(ctx, spec, "", read_only, ret);
}

int region_open_from(struct pkram_ctx *ctx, const char *spec, const char *from, bool read_only,
		     struct region **ret)
{
	_cleanup_free_ char *canonical = NULL;
	const struct region_ops *by_type, *ops;
	const char *path;
	struct stat st;
	int r;

	r = region_check_spec(ctx, spec, from);
	if (r < 0)
		return r;
	ops = region_parse_spec(spec, &path);
	if (stat(path, &st) < 0)
		return log_error_errno(ctx, -errno, "region %s%s: %m%s", spec, from,
				       missing_hint(ops));
	by_type = row_of_mode(st.st_mode);
	if (!by_type) {
		pkram_log_error(ctx, "%s%s is neither a pmem nor a devdax device, nor a regular "
				"file; " LISTED, path, from);
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	}
	if (ops && ops != by_type) {
		pkram_log_error(ctx, "%s%s: %s is not for %s:, try %s:%s", spec, from, path,
				ops->scheme, by_type->scheme, path);
		return -EINVAL;
	}
	/* A copy, most likely: a store into a mapped hole of a full filesystem kills. */
	if (by_type == &region_ops_file && (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size)
		by_type = &region_ops_file_io;
	r = canonical_path(ctx, path, &st, &canonical);
	if (r < 0)
		return r;
	return region_new(ctx, by_type, canonical, read_only, ret);
}

/* Only where the work runs depends on it, so that not to know is no failure. */
static int find_near(struct region *r)
{
	struct work_cpus cpus;

	if (machine_node_cpus(r->ctx, r->node, &cpus) < 0)
		return 0;
	r->near = malloc(sizeof(*r->near));
	if (!r->near)
		return -ENOMEM;
	*r->near = cpus;
	pkram_log_debug(r->ctx, "%s lies on memory node %d, next to %d CPUs", r->spec, r->node,
			CPU_COUNT_S(sizeof(cpus), cpus.bits));
	return 0;
}

int region_new(struct pkram_ctx *ctx, const struct region_ops *ops, const char *path,
	       bool read_only, struct region **ret)
{
	_cleanup_(region_close_p) struct region *r = calloc(1, sizeof(*r));
	int k;

	if (!r)
		return -ENOMEM;
	r->fd = -1;
	r->node = -1;
	r->ctx = pkram_ref(ctx);
	r->ops = ops;
	r->read_only = read_only;
	r->path = strdup(path);
	if (!r->path || asprintf(&r->spec, "%s:%s", ops->scheme, path) < 0) {
		r->spec = NULL;
		return -ENOMEM;
	}
	k = ops->open(r);
	if (k >= 0)
		k = find_near(r);
	if (k < 0)
		return k;
	*ret = TAKE_PTR(r);
	return 0;
}

struct region *region_close(struct region *r)
{
	if (!r)
		return NULL;
	if (r->map && r->map_len)
		munmap(r->map, r->map_len);
	close_p(&r->fd);
	pkram_unref(r->ctx);
	free(r->near);
	free(r->path);
	free(r->spec);
	free(r);
	return NULL;
}

int region_open_fd(struct region *r, mode_t type, int flags, struct stat *ret_st)
{
	_cleanup_close_ int fd = -1;
	struct stat st, node;

	/* Asked before the open: opening a fifo or a tape drive would already do something. */
	if (stat(r->path, &node) < 0)
		return log_error_errno(r->ctx, -errno, "%s: %m", r->path);
	if ((node.st_mode & S_IFMT) != type) {
		pkram_log_error(r->ctx, "%s is not what a %s: region is made of", r->path,
				r->ops->scheme);
		return -EINVAL;
	}
	fd = open(r->path, flags | (r->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		int e = -errno;

		if (e == -ENXIO && type == S_IFCHR)
			return log_error_errno(r->ctx, e, "%s has no driver yet; modprobe "
					       "device_dax or daxctl reconfigure-device -m devdax",
					       r->path);
		return log_error_errno(r->ctx, e, "%s: cannot open for %s: %m%s", r->path,
				       r->read_only ? "reading" : "writing",
				       error_hint(e));
	}
	if (fstat(fd, &st) < 0)
		return log_error_errno(r->ctx, -errno, "%s: %m", r->path);
	if (st.st_mode != node.st_mode || st.st_ino != node.st_ino || st.st_dev != node.st_dev ||
	    st.st_rdev != node.st_rdev) {
		pkram_log_error(r->ctx, "%s was exchanged while it was opened; try again", r->path);
		return -ESTALE;
	}
	r->fd = TAKE_FD(fd);
	*ret_st = st;
	return 0;
}

int region_map(struct region *r)
{
	int prot = PROT_READ | (r->read_only ? 0 : PROT_WRITE);
	void *map;

	if (r->size > SIZE_MAX)
		return log_error_errno(r->ctx, -EFBIG, "%s: %m", r->path);
	map = mmap(NULL, r->size, prot, MAP_SHARED, r->fd, (off_t)r->base);
	if (map == MAP_FAILED)
		return log_error_errno(r->ctx, -errno, "%s: cannot map %llu bytes: %m", r->path,
				       (unsigned long long)r->size);
	r->map = map;
	r->map_len = r->size;
	return 0;
}

/* One message per failure: the place on the device, as a memory error's report would give it. */
static int io_failed(struct region *r, const char *what, uint64_t pos, int error)
{
	return log_error_errno(r->ctx, error, "%s: cannot %s at byte %llu: %m", r->path, what,
			       (unsigned long long)pos);
}

int region_pread(struct region *r, uint64_t off, size_t len, void *buf)
{
	uint8_t *p = buf;
	uint64_t pos = r->base + off;

	while (len) {
		ssize_t n = pread(r->fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_failed(r, "read", pos, n < 0 ? -errno : -EIO);
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int region_pwrite(struct region *r, uint64_t off, size_t len, const void *buf)
{
	const uint8_t *p = buf;
	uint64_t pos = r->base + off;

	while (len) {
		ssize_t n = pwrite(r->fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_failed(r, "write", pos, n < 0 ? -errno : -EIO);
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int check_io(const struct region *r, uint64_t off, uint64_t len)
{
	if (!IS_ALIGNED(off, BLOCK) || !IS_ALIGNED(len, BLOCK))
		return -EINVAL;
	return range_ok(off, len, r->size) ? 0 : -ERANGE;
}

static int check_write(const struct region *r, uint64_t off, uint64_t len)
{
	return r->read_only ? -EROFS : check_io(r, off, len);
}

/*
 * The kernel copies: where it cannot (an error of the memory, a file that was cut) its call fails,
 * and where a load of this process meets that, the process ends.
 */
static int read_mapped(struct region *r, uint64_t off, size_t len, void *buf)
{
	const struct iovec from = { r->map + off, len }, to = { buf, len };
	ssize_t n = process_vm_writev(getpid(), &from, 1, &to, 1, 0);

	if (n < 0 && errno != EFAULT) {
		/* No such call (CONFIG_CROSS_MEMORY_ATTACH), or it is not allowed. */
		memcpy(buf, r->map + off, len);
		return 0;
	}
	n = MAX(n, 0);
	return (size_t)n == len ? 0 : io_failed(r, "read", r->base + off + (size_t)n, -EIO);
}

int region_read(struct region *r, uint64_t off, size_t len, void *buf)
{
	int k = check_io(r, off, len);

	if (k < 0 || !len)
		return k;
	return r->map ? read_mapped(r, off, len, buf) : r->ops->read(r, off, len, buf);
}

int region_read_device(struct region *r, uint64_t off, size_t len, void *buf)
{
	if (off >= r->base)
		return region_read(r, off - r->base, len, buf);
	if (!IS_ALIGNED(off, BLOCK) || !IS_ALIGNED(len, BLOCK))
		return -EINVAL;
	if (!range_ok(off, len, r->base + r->size))
		return -ERANGE;
	/* Rows add the base modulo 2^64, which leads in front of it; what is mapped has base 0. */
	return len ? r->ops->read(r, off - r->base, len, buf) : 0;
}

/*
 * What goes into the region is not read again soon: it passes the caches by, which need not fetch
 * first what is overwritten. They fetch what is likely to be copied next instead; beyond the end of
 * the source that does nothing.
 */
static void copy_past_caches(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t done = 0;

#if defined(__x86_64__)
	if (IS_ALIGNED((uintptr_t)to | (uintptr_t)from, sizeof(__m128i))) {
		for (; len - done >= 4 * sizeof(__m128i); done += 4 * sizeof(__m128i)) {
			const __m128i *s = (const __m128i *)(const void *)(from + done);
			__m128i *d = (__m128i *)(void *)(to + done);

			_mm_prefetch((const char *)s + REGION_STEP, _MM_HINT_T1);
			_mm_stream_si128(d, _mm_load_si128(s));
			_mm_stream_si128(d + 1, _mm_load_si128(s + 1));
			_mm_stream_si128(d + 2, _mm_load_si128(s + 2));
			_mm_stream_si128(d + 3, _mm_load_si128(s + 3));
		}
	}
#endif
	memcpy(to + done, from + done, len - done);
}

int region_write(struct region *r, uint64_t off, size_t len, const void *buf)
{
	int k = check_write(r, off, len);

	if (k < 0 || !len)
		return k;
	if (!r->map)
		return r->ops->write(r, off, len, buf);
	copy_past_caches(r->map + off, buf, len);
	region_persist(r);
	return 0;
}

int region_zero(struct region *r, uint64_t off, uint64_t len)
{
	_cleanup_free_ void *zero = NULL;
	int k = check_write(r, off, len);

	if (k < 0 || !len)
		return k;
	if (r->map) {
		memset(r->map + off, 0, len);
		region_persist(r);
		return 0;
	}
	zero = io_buffer_new(ZERO_CHUNK);
	if (!zero)
		return -ENOMEM;
	memset(zero, 0, ZERO_CHUNK);
	while (len) {
		size_t n = MIN(len, (uint64_t)ZERO_CHUNK);

		k = r->ops->write(r, off, n, zero);
		if (k < 0)
			return k;
		off += n;
		len -= n;
	}
	return 0;
}

unsigned int region_threads(const struct region *r, uint64_t items)
{
	unsigned int n = ctx_threads(r->ctx, items);

	if (r->map || r->ctx->threads)
		return n;
	return (unsigned int)MIN(2 * (uint64_t)n, MAX(items, (uint64_t)1));
}

void region_prepare(struct region *r, uint64_t off, uint64_t len, bool write)
{
	if (r->map && range_ok(off, len, r->size))
		(void)!madvise(r->map + off, len, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

/*
 * The bytes have to outlive the kernel, not the power: caches stay coherent across kexec, so that
 * nothing is flushed. Only the order matters, and on x86 only of non-temporal stores.
 */
void region_persist(struct region *r)
{
	(void)r;
#if defined(__x86_64__)
	_mm_sfence();
	__asm__ volatile("" : : : "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static void seal_mapped(struct region *r, uint64_t off, const void *block)
{
	uint64_t *seal_at = (uint64_t *)(void *)(r->map + off + SEAL_OFF), seal;

	memcpy(&seal, (const uint8_t *)block + SEAL_OFF, sizeof(seal));
	__atomic_store_n(seal_at, 0, __ATOMIC_RELEASE);
	region_persist(r);
	memcpy(r->map + off, block, SEAL_OFF);
	region_persist(r);
	__atomic_store_n(seal_at, seal, __ATOMIC_RELEASE);
	region_persist(r);
}

/*
 * No signal tears a write of one block, but a jump or a panic stops the other CPUs wherever they
 * are, even in the middle of one: so the seal is cleared by a write that changes nothing else.
 */
static int seal_block_device(struct region *r, uint64_t off, const void *block)
{
	_io_aligned_ uint8_t io[BLOCK];
	uint64_t old;
	int k;

	k = r->ops->read(r, off, BLOCK, io);
	if (k < 0)
		memset(io, 0, BLOCK); /* a bad block is mended by writing it */
	memcpy(&old, io + SEAL_OFF, sizeof(old));
	if (k < 0 || old) {
		memset(io + SEAL_OFF, 0, sizeof(old));
		k = r->ops->write(r, off, BLOCK, io);
		if (k < 0)
			return k;
	}
	memcpy(io, block, BLOCK);
	return r->ops->write(r, off, BLOCK, io);
}

int region_seal_block(struct region *r, uint64_t off, const void *block4k)
{
	int k = check_write(r, off, BLOCK);

	if (k < 0)
		return k;
	if (!r->map)
		return seal_block_device(r, off, block4k);
	seal_mapped(r, off, block4k);
	return 0;
}

static const short lock_types[] = {
	[REGION_UNLOCK] = F_UNLCK,
	[REGION_LOCK_SHARED] = F_RDLCK,
	[REGION_LOCK_EXCLUSIVE] = F_WRLCK,
};

int region_lock(struct region *r, uint64_t byte, enum region_lock how, bool wait)
{
	struct flock fl = { .l_type = lock_types[how], .l_whence = SEEK_SET, .l_len = 1 };

	static_assert(sizeof(fl.l_start) == sizeof(uint64_t), "lock bytes lie beyond 2 GiB");
	if (byte > INT64_MAX)
		return -EINVAL;
	if (how == REGION_LOCK_EXCLUSIVE && r->read_only)
		return -EROFS;
	fl.l_start = (off_t)byte;
	while (fcntl(r->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &fl) < 0) {
		if (errno == EINTR && wait)
			continue;
		return errno == EACCES || errno == EAGAIN ? -EAGAIN : -errno;
	}
	return 0;
}

bool region_locked(struct region *r, uint64_t byte, uint64_t len, enum region_lock how)
{
	struct flock fl = { .l_type = lock_types[how], .l_whence = SEEK_SET,
			    .l_start = (off_t)byte, .l_len = (off_t)len };

	return fcntl(r->fd, F_OFD_GETLK, &fl) < 0 || fl.l_type != F_UNLCK;
}
