/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed bytes and initrds, by libarchive.
 */
#include "kexec-unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include "library.h"

/* --- the library --- */

#define SYMBOLS(X)                                                                                 \
	X(archive_read_new)                                                                        \
	X(archive_read_free)                                                                       \
	X(archive_read_support_format_raw)                                                         \
	X(archive_read_support_format_cpio)                                                        \
	X(archive_read_open_memory)                                                                \
	X(archive_read_open)                                                                       \
	X(archive_read_next_header)                                                                \
	X(archive_read_data_block)                                                                 \
	X(archive_read_data)                                                                       \
	X(archive_filter_bytes)                                                                    \
	X(archive_filter_code)                                                                     \
	X(archive_format)                                                                          \
	X(archive_errno)                                                                           \
	X(archive_error_string)                                                                    \
	X(archive_entry_pathname)                                                                  \
	X(archive_entry_size)

LIBRARY(archive_library, "libarchive.so.13", "archive",
	"looking into the initrd of the next kernel", "recommended", SYMBOLS)

/* --- what a kernel unpacks: by the first two bytes, without a look at the rest --- */

static const struct packing {
	uint8_t magic[2];
	const char *option, *filter;
} packings[] = {
	{ { 0x1f, 0x8b }, "CONFIG_RD_GZIP", "archive_read_support_filter_gzip" },
	{ { 0x1f, 0x9e }, "CONFIG_RD_GZIP", "archive_read_support_filter_gzip" },
	{ { 0x42, 0x5a }, "CONFIG_RD_BZIP2", "archive_read_support_filter_bzip2" },
	{ { 0x5d, 0x00 }, "CONFIG_RD_LZMA", "archive_read_support_filter_lzma" },
	{ { 0xfd, 0x37 }, "CONFIG_RD_XZ", "archive_read_support_filter_xz" },
	{ { 0x89, 0x4c }, "CONFIG_RD_LZO", "archive_read_support_filter_lzop" },
	{ { 0x02, 0x21 }, "CONFIG_RD_LZ4", "archive_read_support_filter_lz4" },
	{ { 0x28, 0xb5 }, "CONFIG_RD_ZSTD", "archive_read_support_filter_zstd" },
};

const char *kexec_packing_option(unsigned int packing)
{
	return packing < ARRAY_SIZE(packings) ? packings[packing].option : NULL;
}

static const struct packing *find_packing(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(packings); i++)
		if (len >= sizeof(packings[i].magic) &&
		    memcmp(bytes, packings[i].magic, sizeof(packings[i].magic)) == 0)
			return &packings[i];
	return NULL;
}

/*
 * Reads what is packed so, or bytes as they are. ARCHIVE_WARN: libarchive would run a program for
 * that, which is left alone.
 */
static int open_raw(const struct archive_library *l, const struct packing *p, const uint8_t *bytes,
		    size_t len, struct archive **ret)
{
	int (*filter)(struct archive *a) = NULL;
	struct archive_entry *e;
	int k = ARCHIVE_OK;

	*ret = l->archive_read_new();
	if (!*ret)
		return ARCHIVE_FATAL;
	if (p)
		filter = (__typeof__(filter))dlsym(l->handle, p->filter);
	if (p)
		k = filter ? filter(*ret) : ARCHIVE_WARN;
	if (k == ARCHIVE_WARN)
		return k;
	if (k != ARCHIVE_OK || l->archive_read_support_format_raw(*ret) != ARCHIVE_OK ||
	    l->archive_read_open_memory(*ret, bytes, len) != ARCHIVE_OK ||
	    l->archive_read_next_header(*ret, &e) < ARCHIVE_WARN)
		return ARCHIVE_FATAL;
	return ARCHIVE_OK;
}

/* --- one stream --- */

static int read_all(const struct archive_library *l, struct archive *a, size_t max, char **ret,
		    size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		const void *block;
		la_int64_t off;
		size_t n;
		int r = l->archive_read_data_block(a, &block, &n, &off);

		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return -EBADMSG;
		if (n > max - len)
			return -EFBIG;
		r = array_grow(&text, &cap, len + n + 1, 1);
		if (r < 0)
			return r;
		memcpy(text + len, block, n);
		len += n;
	}
	if (!text)
		return -EBADMSG;
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

int kexec_unpack(const void *bytes, size_t len, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_(archive_library_close) struct archive_library l = { NULL };
	struct archive *a;
	int r = archive_library_open(&l), k;

	if (r < 0)
		return r;
	k = open_raw(&l, find_packing(bytes, len), bytes, len, &a);
	if (k == ARCHIVE_OK)
		r = read_all(&l, a, max, ret, ret_len);
	else
		r = k == ARCHIVE_WARN ? -EOPNOTSUPP : -EBADMSG;
	l.archive_read_free(a);
	return r;
}

/* --- an initrd --- */

struct run {
	struct archive_library l;
	kexec_entry_fn fn;
	void *arg;
	uint64_t left;	/* bytes that may still be unpacked */
	bool has_init;	/* what the kernel starts: whatever is behind that does less harm */
	struct kexec_unpacked *ret;
};

/*
 * Bytes in blocks, of memory (one block) or as they are unpacked. One archive after the other is
 * read from it, each from where the last one ended.
 */
struct feed {
	struct run *u;
	struct archive *raw;	/* NULL: memory */
	const uint8_t *packed;	/* what it unpacks */
	size_t packed_len;
	const uint8_t *block;
	size_t len, used;
	uint64_t given;	/* to the archive that is being read */
	size_t archives;
	int r;		/* why there is no more, where it is not its end */
};

struct kexec_entry {
	const struct archive_library *l;
	struct archive *archive;
	struct archive_entry *entry;
};

/* The first reason counts: others follow from it. */
static int refuse(struct run *u, int r, const char *why)
{
	if (!*u->ret->why)
		snprintf(u->ret->why, sizeof(u->ret->why), "%s", why);
	return r;
}

/* What the library does not read is damaged, unless it lacks memory. */
static int unread(struct run *u, struct archive *a)
{
	const char *why = u->l.archive_error_string(a);

	return refuse(u, u->l.archive_errno(a) == ENOMEM ? -EOPNOTSUPP : -EBADMSG,
		      why ? why : "cut off");
}

/* A packed stream may be filled up with zeros, which some filters take for more of it. */
static bool ends_in_zeros(const struct feed *f)
{
	size_t at = MIN((size_t)f->u->l.archive_filter_bytes(f->raw, -1), f->packed_len);
	size_t n = MIN(f->packed_len - at, 4u);

	return n && memcmp(f->packed + at, "\0\0\0", n) == 0;
}

static int next_block(struct feed *f)
{
	const struct archive_library *l = &f->u->l;
	const void *block;
	la_int64_t off;
	int k = l->archive_read_data_block(f->raw, &block, &f->len, &off);

	if (k == ARCHIVE_EOF || (k < ARCHIVE_WARN && ends_in_zeros(f)))
		return -ENODATA;
	if (k < ARCHIVE_WARN)
		return unread(f->u, f->raw);
	if (f->len > f->u->left)
		return refuse(f->u, -EFBIG, "too large");
	f->u->left -= f->len;
	f->block = block;
	f->used = 0;
	return 0;
}

static bool feed_more(struct feed *f)
{
	while (f->used == f->len) {
		int r = f->raw && f->r == 0 ? next_block(f) : -ENODATA;

		if (r == 0)
			continue;
		if (r != -ENODATA)
			f->r = r;
		f->len = f->used = 0;
		return false;
	}
	return true;
}

static la_ssize_t feed_read(struct archive *a, void *arg, const void **ret)
{
	struct feed *f = arg;
	size_t n;

	(void)a;
	if (!feed_more(f))
		return f->r ? -1 : 0;
	*ret = f->block + f->used;
	n = f->len - f->used;
	f->used = f->len;
	f->given += n;
	return (la_ssize_t)n;
}

char *kexec_entry_text(struct kexec_entry *r, size_t max)
{
	la_int64_t size = r->l->archive_entry_size(r->entry);
	char *text;

	if (size < 0 || (uint64_t)size > max)
		return NULL;
	text = calloc((size_t)size + 1, 1);
	if (text && r->l->archive_read_data(r->archive, text, (size_t)size) != size) {
		free(text);
		return NULL;
	}
	return text;
}

/* The kernel takes two formats, and passes over nothing that stands between two files. */
static int check_header(struct run *u, struct archive *a, int got)
{
	int format = u->l.archive_format(a);

	if (got < ARCHIVE_WARN)
		return unread(u, a);
	if (format != ARCHIVE_FORMAT_CPIO_SVR4_NOCRC && format != ARCHIVE_FORMAT_CPIO_SVR4_CRC)
		return refuse(u, -EBADMSG, "a cpio archive of another format than newc");
	if (got == ARCHIVE_WARN && u->l.archive_errno(a) == 0)
		return refuse(u, -EBADMSG, u->l.archive_error_string(a));
	return 0;
}

static int read_entries(struct run *u, struct kexec_entry *r)
{
	int k = 0;

	while (k == 0) {
		int got = u->l.archive_read_next_header(r->archive, &r->entry);
		const char *path;

		if (got == ARCHIVE_EOF)
			return 0;
		k = check_header(u, r->archive, got);
		path = k == 0 ? u->l.archive_entry_pathname(r->entry) : NULL;
		if (!path)
			continue;
		u->has_init |= strcmp(path + strspn(path, "./"), "init") == 0;
		k = u->fn(u->arg, path, r);
	}
	return k;
}

/* One cpio archive; what its reader took too much goes back to the feed. */
static int read_cpio(struct feed *f)
{
	struct run *u = f->u;
	struct kexec_entry r = { .l = &u->l, .archive = u->l.archive_read_new() };
	uint64_t rest;
	int k;

	if (!r.archive)
		return -ENOMEM;
	f->given = 0;
	if (u->l.archive_read_support_format_cpio(r.archive) == ARCHIVE_OK &&
	    u->l.archive_read_open(r.archive, f, NULL, feed_read, NULL) == ARCHIVE_OK)
		k = read_entries(u, &r);
	else
		k = unread(u, r.archive);
	rest = f->given - (uint64_t)u->l.archive_filter_bytes(r.archive, 0);
	u->l.archive_read_free(r.archive);
	if (k == 0 && rest > f->len)
		k = refuse(u, -EBADMSG, "cut off");
	if (k == 0)
		f->used = f->len - rest;
	f->archives += k == 0;
	return k;
}

/* Archives with zeros between them, up to the end or to what is none: *ret_rest, or NULL. */
static int read_archives(struct feed *f, const uint8_t **ret_rest)
{
	*ret_rest = NULL;
	while (feed_more(f)) {
		int k;

		while (f->used < f->len && f->block[f->used] == 0)
			f->used++;
		if (f->used == f->len)
			continue;
		if (f->block[f->used] != '0') {
			*ret_rest = f->block + f->used;
			return 0;
		}
		k = read_cpio(f);
		if (k)
			return f->r ? f->r : k;
	}
	return f->r;
}

/*
 * Where a stream ends. These readers take what is behind it for more of it, and lose its last bytes
 * over that.
 */
static size_t zstd_len(const struct run *u, const uint8_t *bytes, size_t len)
{
	size_t (*size)(const void *bytes, size_t len), used = 0;
	unsigned int (*is_error)(size_t code);

	size = (__typeof__(size))dlsym(u->l.handle, "ZSTD_findFrameCompressedSize");
	is_error = (__typeof__(is_error))dlsym(u->l.handle, "ZSTD_isError");
	while (size && is_error && len - used > 4 && memcmp(bytes + used, bytes, 4) == 0) {
		size_t n = size(bytes + used, len - used);

		if (is_error(n))
			return len;
		used += n;
	}
	return used ? used : len;
}

/* Its end is told by two letters, and by what begins behind them. */
static size_t xz_len(const uint8_t *bytes, size_t len)
{
	static const char *const begins[] = { "070701", "070702", "\xfd" "7zXZ" };
	const uint8_t *p = bytes, *end = bytes + len, *next;

	while ((p = memmem(p, (size_t)(end - p), "YZ", 2))) {
		p += 2;
		for (next = p; next < end && !*next;)
			next++;
		if (next == end)
			return (size_t)(p - bytes);
		for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
			if ((size_t)(end - next) >= 6 &&
			    memcmp(next, begins[i], strlen(begins[i])) == 0)
				return (size_t)(p - bytes);
	}
	return len;
}

/* What no kernel unpacks although it looks right; NULL: nothing is known against it. */
static const char *against(const uint8_t *bytes, size_t len)
{
	/* The lower half of the eighth byte is the kind of its checksums: none, or CRC32. */
	if (bytes[0] == 0xfd && len > 7 && (bytes[7] & 0xf) > 1)
		return "packed by xz with checksums that no kernel reads: use --check=crc32";
	/* Longer than what a stream of any kind begins with. */
	return len < 32 ? "cut off" : NULL;
}

static size_t stream_len(const struct run *u, const uint8_t *bytes, size_t len)
{
	switch (*bytes) {
	case 0x28:
		return zstd_len(u, bytes, len);
	case 0xfd:
		return xz_len(bytes, len);
	default:
		return len;
	}
}

/* One packed stream; *ret_used: its bytes. */
static int read_packed(struct run *u, const struct packing *p, const uint8_t *bytes, size_t len,
		       size_t *ret_used)
{
	struct feed f = { .u = u, .packed = bytes };
	const char *why = against(bytes, len);
	const uint8_t *rest = NULL;
	int k, r;

	if (why)
		return refuse(u, -EBADMSG, why);
	u->ret->packings |= 1u << (p - packings);
	f.packed_len = stream_len(u, bytes, len);
	k = open_raw(&u->l, p, bytes, f.packed_len, &f.raw);
	if (!f.raw)
		return -ENOMEM;
	if (k == ARCHIVE_WARN || u->l.archive_filter_code(f.raw, 0) == ARCHIVE_FILTER_NONE)
		r = refuse(u, -EOPNOTSUPP, "packed in a way that libarchive does not read here");
	else if (k != ARCHIVE_OK)
		r = unread(u, f.raw);
	else if (u->l.archive_filter_code(f.raw, 1) != ARCHIVE_FILTER_NONE)
		r = refuse(u, -EBADMSG, "packed twice");
	else
		r = read_archives(&f, &rest);
	if (r == 0 && (rest || !f.archives))
		r = refuse(u, -EBADMSG, "what is packed is no cpio archive");
	*ret_used = MIN((size_t)u->l.archive_filter_bytes(f.raw, -1), f.packed_len);
	u->l.archive_read_free(f.raw);
	return r;
}

/* As the kernel reads it: plain and packed archives in turn, with zeros between them. */
static int read_initrd(struct run *u, const uint8_t *bytes, size_t len)
{
	bool any = false;

	for (;;) {
		struct feed plain = { .u = u, .block = bytes, .len = len };
		const struct packing *p;
		const uint8_t *rest;
		size_t used;
		int r = read_archives(&plain, &rest);

		any |= plain.archives > 0;
		if (r || !rest)
			return r ? r : any ? 0 : -ENODATA;
		len -= (size_t)(rest - bytes);
		bytes = rest;
		p = find_packing(bytes, len);
		/* The kernel complains, and has read all that it needs. */
		if (!p && u->has_init)
			return 0;
		if (!p)
			return any ? refuse(u, -EBADMSG, "what is behind its archives is none") :
				     -ENODATA;
		r = read_packed(u, p, bytes, len, &used);
		if (r)
			return r;
		any = true;
		bytes += used;
		len -= used;
	}
}

int kexec_unpack_initrd(const void *bytes, size_t len, uint64_t max, kexec_entry_fn fn, void *arg,
			struct kexec_unpacked *ret)
{
	struct run u = { .fn = fn, .arg = arg, .left = max, .ret = ret };
	int r = archive_library_open(&u.l);

	*ret = (struct kexec_unpacked){ 0 };
	r = r < 0 ? refuse(&u, r, "libarchive is not installed") : read_initrd(&u, bytes, len);
	archive_library_close(&u.l);
	return r;
}
