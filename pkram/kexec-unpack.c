/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed bytes and initrds, by libarchive.
 */
#include "kexec-unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>

/* More than an initrd or a kernel unpacks to. */
#define UNPACKED_MAX (4 * GIB)

/* --- the library --- */

#define SYMBOLS(X)                                                                                 \
	X(archive_read_new)                                                                        \
	X(archive_read_free)                                                                       \
	X(archive_read_support_filter_all)                                                         \
	X(archive_read_support_format_raw)                                                         \
	X(archive_read_support_format_cpio)                                                        \
	X(archive_read_open_memory)                                                                \
	X(archive_read_open)                                                                       \
	X(archive_read_next_header)                                                                \
	X(archive_read_data_block)                                                                 \
	X(archive_read_data)                                                                       \
	X(archive_filter_bytes)                                                                    \
	X(archive_filter_code)                                                                     \
	X(archive_entry_pathname)                                                                  \
	X(archive_entry_size)

struct library {
	void *handle;
#define MEMBER(name) __typeof__(name) *name;
	SYMBOLS(MEMBER)
#undef MEMBER
};

static int library_open(struct library *l)
{
	l->handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return -EOPNOTSUPP;
#define LOAD(name)                                                                                 \
	l->name = (__typeof__(l->name))dlsym(l->handle, #name);                                    \
	if (!l->name)                                                                              \
		return -EOPNOTSUPP;
	SYMBOLS(LOAD)
#undef LOAD
	return 0;
}

static void library_close(struct library *l)
{
	if (l->handle)
		dlclose(l->handle);
}

static struct archive *open_raw(const struct library *l, const void *bytes, size_t len)
{
	struct archive *a = l->archive_read_new();
	struct archive_entry *e;

	if (!a)
		return NULL;
	if (l->archive_read_support_filter_all(a) < ARCHIVE_WARN ||
	    l->archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    l->archive_read_open_memory(a, bytes, len) != ARCHIVE_OK ||
	    l->archive_read_next_header(a, &e) < ARCHIVE_WARN) {
		l->archive_read_free(a);
		return NULL;
	}
	return a;
}

/* --- one stream --- */

static int read_all(const struct library *l, struct archive *a, size_t max, char **ret,
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
	_cleanup_(library_close) struct library l = { NULL };
	struct archive *a;
	int r = library_open(&l);

	if (r < 0)
		return r;
	a = open_raw(&l, bytes, len);
	if (!a)
		return -EBADMSG;
	r = read_all(&l, a, max, ret, ret_len);
	l.archive_read_free(a);
	return r;
}

/* --- an initrd --- */

/*
 * Bytes in blocks, of memory (one block) or as they are unpacked. One archive after the other is
 * read from it, each from where the last one ended.
 */
struct feed {
	const struct library *l;
	struct archive *raw;	/* NULL: memory */
	const uint8_t *block;
	size_t len, used;
	uint64_t given;	/* to the archive that is being read */
	uint64_t total;
	size_t archives;
};

struct kexec_entry {
	const struct library *l;
	struct archive *archive;
	struct archive_entry *entry;
};

static bool feed_more(struct feed *f)
{
	while (f->used == f->len) {
		la_int64_t off;
		const void *block;

		if (!f->raw || f->total > UNPACKED_MAX ||
		    f->l->archive_read_data_block(f->raw, &block, &f->len, &off) != ARCHIVE_OK) {
			f->len = f->used = 0;
			return false;
		}
		f->block = block;
		f->used = 0;
		f->total += f->len;
	}
	return true;
}

static la_ssize_t feed_read(struct archive *a, void *arg, const void **ret)
{
	struct feed *f = arg;
	size_t n;

	(void)a;
	if (!feed_more(f))
		return 0;
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

static int read_entries(struct kexec_entry *r, kexec_entry_fn fn, void *arg)
{
	int k = 0;

	while (k == 0) {
		int got = r->l->archive_read_next_header(r->archive, &r->entry);
		const char *path;

		if (got == ARCHIVE_EOF)
			return 0;
		if (got < ARCHIVE_WARN)
			return -EBADMSG;
		path = r->l->archive_entry_pathname(r->entry);
		if (path)
			k = fn(arg, path, r);
	}
	return k;
}

/* One cpio archive; what its reader took too much goes back to the feed. */
static int read_cpio(struct feed *f, kexec_entry_fn fn, void *arg)
{
	struct kexec_entry r = { .l = f->l, .archive = f->l->archive_read_new() };
	uint64_t rest;
	int k = -EBADMSG;

	if (!r.archive)
		return -ENOMEM;
	f->given = 0;
	if (f->l->archive_read_support_format_cpio(r.archive) == ARCHIVE_OK &&
	    f->l->archive_read_open(r.archive, f, NULL, feed_read, NULL) == ARCHIVE_OK)
		k = read_entries(&r, fn, arg);
	rest = f->given - (uint64_t)f->l->archive_filter_bytes(r.archive, 0);
	f->l->archive_read_free(r.archive);
	if (k == 0 && rest > f->len)
		return -EBADMSG;
	if (k == 0)
		f->used = f->len - rest;
	f->archives += k == 0;
	return k;
}

/* Archives with zeros between them, up to the end or to what is none: *ret_rest, or NULL. */
static int read_archives(struct feed *f, kexec_entry_fn fn, void *arg, const uint8_t **ret_rest)
{
	*ret_rest = NULL;
	while (feed_more(f)) {
		int k;

		if (f->block[f->used] == 0) {
			f->used++;
			continue;
		}
		if (f->block[f->used] != '0') {
			*ret_rest = f->block + f->used;
			return 0;
		}
		k = read_cpio(f, fn, arg);
		if (k)
			return k;
	}
	return 0;
}

/* One packed stream; *ret_used: its bytes, 0 where none begins there. */
static int read_packed(const struct library *l, const uint8_t *bytes, size_t len, kexec_entry_fn fn,
		       void *arg, size_t *ret_used)
{
	struct feed packed = { .l = l };
	const uint8_t *rest;
	int r = 0;

	*ret_used = 0;
	packed.raw = open_raw(l, bytes, len);
	if (!packed.raw)
		return -EBADMSG;
	if (l->archive_filter_code(packed.raw, 0) != ARCHIVE_FILTER_NONE) {
		r = read_archives(&packed, fn, arg, &rest);
		if (r == 0 && (rest || packed.total > UNPACKED_MAX))
			r = -EBADMSG;
		*ret_used = MIN((size_t)l->archive_filter_bytes(packed.raw, -1), len);
	}
	l->archive_read_free(packed.raw);
	return r;
}

/* As the kernel reads it: plain and packed archives in turn, with zeros between them. */
static int read_initrd(const struct library *l, const uint8_t *bytes, size_t len, kexec_entry_fn fn,
		       void *arg)
{
	bool any = false, behind_packed = false;

	for (;;) {
		struct feed plain = { .l = l, .block = bytes, .len = len };
		const uint8_t *rest;
		size_t used;
		int r = read_archives(&plain, fn, arg, &rest);

		any |= plain.archives > 0;
		if (r || !rest)
			return r ? r : any ? 0 : -ENODATA;
		len -= (size_t)(rest - bytes);
		bytes = rest;
		r = read_packed(l, bytes, len, fn, arg, &used);
		/* What a boot configuration is, too: the kernel has taken it off before. */
		if (behind_packed && !used)
			return 0;
		if (r || !used)
			return r ? r : any ? -EBADMSG : -ENODATA;
		any = behind_packed = true;
		bytes += used;
		len -= used;
	}
}

int kexec_unpack_initrd(const void *bytes, size_t len, kexec_entry_fn fn, void *arg)
{
	_cleanup_(library_close) struct library l = { NULL };
	int r = library_open(&l);

	return r == 0 ? read_initrd(&l, bytes, len, fn, arg) : r;
}
