/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a container: refuses what is recognised, says what it found, and only then writes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"
#include "op.h"

struct init {
	bool force;
	bool known;	/* what is written over was found, and said */
	int claim;	/* of a block device: nobody mounts it until it is written; else -1 */
	const char *from;	/* what named it, behind its name */
};

static void init_done(struct init *init)
{
	close_p(&init->claim);
}

/* Returns how many there are; one that is being written has no name yet. */
static size_t join_names(const struct store_node *nodes, size_t n, char *buf, size_t size)
{
	size_t at = 0, named = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (!*nodes[i].name || named++ > 4 || at >= size)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%.60s", named > 1 ? ", " : "",
				       named > 4 ? "..." : nodes[i].name);
	}
	return named;
}

/* What the old container is, for people; its nodes where they can be read. */
static int describe_container(struct store *s, char *buf, size_t size)
{
	struct store_node *nodes = NULL;
	char names[320] = "";
	size_t n = 0, named;
	int k;

	k = store_nodes(s, &nodes, &n);
	if (k < 0)
		return k;
	named = join_names(nodes, n, names, sizeof(names));
	store_nodes_free(nodes, n);
	snprintf(buf, size, "a container with %zu node%s%s%s", named, plural(named),
		 named ? ": " : "", names);
	return 0;
}

/* -EEXIST for an old container unless forced. */
static int check_container(struct pkram_ctx *ctx, const char *spec, struct init *init)
{
	char what[400] = "a container that this pkram cannot read";
	struct pkram_ctx *quiet;
	struct store *s = NULL;
	struct region *r;
	int k;

	/* One line says it all: why an old container cannot be read is not the matter here. */
	k = ctx_quiet(ctx, &quiet);
	if (k < 0)
		return k;
	k = region_open(quiet, spec, true, &r);
	if (k >= 0)
		k = store_open(r, &s);
	if (k >= 0)
		k = describe_container(s, what, sizeof(what));
	store_close(s);
	pkram_unref(quiet);
	if (k == -ENODATA)
		return 0;
	if (k < 0 && k != -EBADMSG && k != -EPROTONOSUPPORT && k != -ENXIO)
		return log_error_errno(ctx, k, "%s: cannot look for a container: %m", spec);
	init->known = true;
	if (!init->force)
		return log_error_errno(ctx, -EEXIST,
				       "%s: holds %s; 'pkram init --force' replaces it", spec,
				       what);
	pkram_log_warning(ctx, "%s: replacing %s", spec, what);
	return 0;
}

static int check_signature(struct region *r, struct init *init)
{
	_cleanup_free_ char *type = NULL;
	int k;

	k = op_signature(r, &type);
	/* Said already. What is there is written over by force, whatever it is. */
	if (k == -EOPNOTSUPP)
		return init->force ? 0 : k;
	if (k < 0)
		return log_error_errno(r->ctx, k, "%s: cannot look for signatures: %m", r->spec);
	if (!type)
		return 0;
	init->known = true;
	if (!init->force)
		return log_error_errno(r->ctx, -EEXIST,
				       "%s: holds %s; 'pkram init --force' writes over it",
				       r->spec, type);
	pkram_log_warning(r->ctx, "%s: writing over %s", r->spec, type);
	return 0;
}

/* The next data at or behind @at; -ENXIO: only holes. Who cannot tell has none. */
static int64_t find_data(int fd, int64_t at)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	return data >= 0 ? data : errno == EINVAL ? at : -errno;
}

/* Whether any byte of a file is not zero. */
static int file_has_content(int fd)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(MIB);
	int64_t at = 0;

	if (!buf)
		return -ENOMEM;
	while ((at = find_data(fd, at)) >= 0) {
		ssize_t n = pread(fd, buf, MIB, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0 && !all_zero(buf, (size_t)n))
			return 1;
		at += MAX(n, 0);
	}
	return at == -ENXIO ? 0 : (int)at;
}

/* Unlike reserved memory, somebody's file holds nothing by chance. */
static int check_file(struct pkram_ctx *ctx, const char *path, struct init *init)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int k = fd < 0 ? -errno : file_has_content(fd);

	if (k < 0)
		return log_error_errno(ctx, k, "%s: cannot be looked at: %m", path);
	if (k == 0)
		return 0;
	init->known = true;
	if (!init->force)
		return log_error_errno(ctx, -EEXIST,
				       "%s: is not zero, and nothing known; 'pkram init --force' "
				       "writes over it", path);
	pkram_log_warning(ctx, "%s: writing over what is in it, which is nothing known", path);
	return 0;
}

/* Reserved memory holds whatever was there before: worth a line, not a refusal. */
static int mention_content(struct region *r)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(MIB);
	const uint64_t at[] = { 0, ALIGN_DOWN(r->size - MIB, (uint64_t)PKRAM_BLOCK) };

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		int k = region_read(r, at[i], MIB, buf);

		if (k < 0)
			return k;
		if (all_zero(buf, MIB))
			continue;
		pkram_log_info(r->ctx,
			       "%s: is not zero and nothing known; written over, as is normal for "
			       "reserved memory",
			       r->spec);
		break;
	}
	return 0;
}

static int check_unused(struct pkram_ctx *ctx, struct region *r, struct init *init)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	return machine_device_unused(ctx, r->path, st.st_rdev, S_ISBLK(st.st_mode), &init->claim);
}

/* A memmap= word makes a device of any addresses, also of such that no memory answers to. */
static int check_exists(struct pkram_ctx *ctx, struct region *r)
{
	_cleanup_(machine_ranges_done) struct machine_ranges map = { 0 };
	struct machine_device d;
	struct stat st;
	int k;

	if (fstat(r->fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) ||
	    machine_device_of(ctx, st.st_rdev, S_ISBLK(st.st_mode), &d) < 0 || !d.legacy ||
	    !d.res_phys || !d.res_size)
		return 0;
	k = machine_firmware_map(ctx, &map);
	if (k < 0 && k != -ENOENT)
		return k;
	if (k == -ENOENT || machine_ranges_cover(&map, d.res_phys, d.res_size))
		return 0;
	pkram_log_refusal(ctx, "'pkram plan SIZE' finds some to reserve",
			  "%s: the firmware's map has no memory at %#" PRIx64 ", or not all of "
			  "its %" PRIu64 " MiB",
			  r->spec, d.res_phys, d.res_size / MIB);
	return -ENXIO;
}

/* The file behind a file: spec or a bare path that is no device; NULL for everything else. */
static const char *file_of(const char *spec)
{
	const char *path;
	const struct region_ops *ops = region_parse_spec(spec, &path);
	struct stat st;

	if (ops && ops != &region_ops_file)
		return NULL;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) ? NULL : path;
}

/* Looks at what is there, changing nothing. */
static int check_content(struct pkram_ctx *ctx, const char *spec, struct init *init)
{
	struct region *r;
	int k;

	k = region_open_from(ctx, spec, init->from, true, &r);
	if (k < 0)
		return k;
	k = check_unused(ctx, r, init);
	if (k >= 0)
		k = check_exists(ctx, r);
	if (k >= 0 && r->size >= PKRAM_MIN_SIZE)
		k = check_container(ctx, spec, init);
	if (k >= 0)
		k = check_signature(r, init);
	region_close(r);
	return k;
}

static int check_size(struct pkram_ctx *ctx, const char *what, uint64_t size, int error)
{
	if (size >= PKRAM_MIN_SIZE)
		return 0;
	return log_error_errno(ctx, error,
			       "%s: %" PRIu64 " bytes are too few for a container; it needs %u",
			       what, size, PKRAM_MIN_SIZE);
}

static int choose_size(struct pkram_ctx *ctx, const char *path, const char *from, bool exists,
		       uint64_t present, uint64_t *size)
{
	int k;

	*size = *size ? *size : present;
	if (!*size)
		return log_error_errno(ctx, exists ? -EINVAL : -ENOENT,
				       "%s%s: %s; give it a size with --size", path, from,
				       exists ? "is empty" : "does not exist");
	k = check_size(ctx, path, *size, -EINVAL);
	if (k < 0 || *size != present || IS_ALIGNED(present, (uint64_t)PKRAM_BLOCK))
		return k;
	return log_error_errno(ctx, -EINVAL,
			       "%s has %" PRIu64 " bytes, and a region's size is a multiple of %u; "
			       "give it a larger one with --size",
			       path, present, PKRAM_BLOCK);
}

/* Makes or grows the file, after what is in it was looked at. */
static int prepare_file(struct pkram_ctx *ctx, const char *path, const char *spec, uint64_t size,
			struct init *init)
{
	struct stat st = { 0 };
	bool exists = stat(path, &st) == 0;
	int k = 0;

	if (!exists && errno != ENOENT)
		return log_error_errno(ctx, -errno, "%s%s: %m", path, init->from);
	/* Less than a block holds no signature. */
	if (st.st_size >= (off_t)PKRAM_BLOCK)
		k = check_content(ctx, spec, init);
	if (k >= 0 && exists && !init->known)
		k = check_file(ctx, path, init);
	if (k < 0)
		return k;
	k = choose_size(ctx, path, init->from, exists, (uint64_t)st.st_size, &size);
	/* Blocks up front: a store into a mapped hole of a full file system would kill the process.
	 */
	return k < 0 ? k : region_file_create(ctx, path, size);
}

static int init_opened(struct region *r, const struct init *init)
{
	int k = check_size(r->ctx, r->spec, r->size, -ENOSPC);

	if (k >= 0 && !init->known)
		k = mention_content(r);
	return k < 0 ? k : store_format(r);
}

int pkram_region_init(struct pkram_ctx *ctx, const char *spec,
		      const struct pkram_init_options *opts)
{
	static const struct pkram_init_options none = { .struct_size = sizeof(none) };
	_cleanup_free_ char *resolved = NULL;
	_cleanup_(init_done) struct init init = { .claim = -1 };
	const char *path;
	struct region *r;
	int k;

	opts = opts ? opts : &none;
	k = op_check_options(ctx, "init", opts, sizeof(*opts));
	if (k >= 0)
		k = op_check_flags(ctx, "init", opts->flags, PKRAM_INIT_FORCE);
	if (k >= 0)
		k = op_check_kernel(ctx);
	if (k >= 0)
		k = op_resolve_spec(ctx, spec, false, &resolved, &init.from);
	if (k < 0)
		return k;
	init.force = opts->flags & PKRAM_INIT_FORCE;
	path = file_of(resolved);
	if (path)
		k = prepare_file(ctx, path, resolved, opts->size, &init);
	else if (opts->size)
		k = log_error_errno(ctx, -EINVAL, "%s%s: only a file takes a size", resolved,
				    init.from);
	else
		k = check_content(ctx, resolved, &init);
	if (k < 0)
		return k;
	k = region_open_from(ctx, resolved, init.from, false, &r);
	if (k < 0)
		return k;
	k = init_opened(r, &init);
	region_close(r);
	return k;
}
