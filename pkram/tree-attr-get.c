/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Xattrs and inode flags of one inode, encoded as its EROFS xattr area.
 */
#include "tree-save.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

/* How a filesystem stores a file, not what the file is: left out without a word. */
#define FLAGS_OF_STORAGE                                                                           \
	((uint32_t)(FS_SECRM_FL | FS_UNRM_FL | FS_COMPR_FL | FS_DIRTY_FL | FS_COMPRBLK_FL |        \
		    FS_NOCOMP_FL | FS_ENCRYPT_FL | FS_INDEX_FL | FS_JOURNAL_DATA_FL |              \
		    FS_NOTAIL_FL | FS_TOPDIR_FL | FS_HUGE_FILE_FL | FS_EXTENT_FL | FS_VERITY_FL |  \
		    FS_EA_INODE_FL | FS_EOFBLOCKS_FL | FS_NOCOW_FL | FS_DAX_FL | FS_INLINE_DATA_FL))

static const struct {
	const char *prefix;
	enum erofs_xattr_index index;
	bool whole;			/* the prefix is the name */
} prefixes[] = {
	{ "user.", EROFS_XATTR_USER, false },
	{ "trusted.", EROFS_XATTR_TRUSTED, false },
	{ "security.", EROFS_XATTR_SECURITY, false },
	{ "system.posix_acl_access", EROFS_XATTR_ACL_ACCESS, true },
	{ "system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT, true },
};

/* An inode to ask: open, or by a path that follows no link in its last part. */
struct subject {
	struct tree_look *look;
	int fd;
	char path[sizeof("/proc/self/fd/") + 11 + EROFS_NAME_MAX + 1];
};

static ssize_t list_xattrs(const struct subject *s, char *buf, size_t size)
{
	return s->fd >= 0 ? flistxattr(s->fd, buf, size) : llistxattr(s->path, buf, size);
}

static ssize_t get_xattr(const struct subject *s, const char *name, void *buf, size_t size)
{
	return s->fd >= 0 ? fgetxattr(s->fd, name, buf, size)
			  : lgetxattr(s->path, name, buf, size);
}

/* Kept until it is emitted, where losses are said in the order of the tree. */
static int lose(const struct subject *s, const char *text)
{
	int64_t at = tree_buf_add(&s->look->losses, strlen(text) + 1, 1);

	if (at < 0)
		return (int)at;
	memcpy(s->look->losses.p + at, text, strlen(text));
	return 0;
}

static int lose_xattr(const struct subject *s, const char *name, const char *why)
{
	char text[EROFS_NAME_MAX + 128];

	snprintf(text, sizeof(text), "xattr %s %s", name, why);
	return lose(s, text);
}

static int add_entry(const struct subject *s, enum erofs_xattr_index index, const char *name,
		     const void *value, size_t size)
{
	size_t name_len = strlen(name), header = sizeof(struct erofs_xattr_header);
	size_t len = ALIGN_UP(sizeof(struct erofs_xattr_entry) + name_len + size, 4);
	struct tree_buf *area = &s->look->xattrs;
	struct erofs_xattr_entry *e;
	int64_t at;

	if (area->len == 0) {
		at = tree_buf_add(area, header, 1);
		if (at < 0)
			return (int)at;
	}
	if (area->len + len > EROFS_XATTR_AREA(EROFS_XATTR_ICOUNT_MAX))
		return lose_xattr(s, name, "does not fit: an inode carries 256 KiB of xattrs");
	at = tree_buf_add(area, len, 1);
	if (at < 0)
		return (int)at;
	e = (struct erofs_xattr_entry *)(area->p + at);
	e->name_len = (uint8_t)name_len;
	e->name_index = (uint8_t)index;
	e->value_size = htole16((uint16_t)size);
	memcpy(e + 1, name, name_len);
	memcpy((uint8_t *)(e + 1) + name_len, value, size);
	return 0;
}

static int add_xattr(const struct subject *s, const char *name)
{
	size_t i, skip = 0;
	_cleanup_free_ char *value = NULL;
	ssize_t size;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		skip = strlen(prefixes[i].prefix);
		if (prefixes[i].whole ? strcmp(name, prefixes[i].prefix) == 0
				      : strncmp(name, prefixes[i].prefix, skip) == 0)
			break;
	}
	if (i == ARRAY_SIZE(prefixes))
		return lose_xattr(s, name, "is of a kind that cannot be carried");
	if (strcmp(name, EROFS_PKRAM_FLAGS_XATTR) == 0)
		return lose_xattr(s, name, "has the name under which inode flags are kept");
	value = malloc(XATTR_SIZE_MAX);
	if (!value)
		return -ENOMEM;
	size = get_xattr(s, name, value, XATTR_SIZE_MAX);
	if (size < 0) {
		/* Removed meanwhile: the ctime shows it. */
		if (errno == ENODATA)
			return 0;
		if (errno != E2BIG && errno != ERANGE)
			return -errno;
	}
	if (size < 0 || size > EROFS_XATTR_VALUE_MAX)
		return lose_xattr(s, name, "is larger than 65535 bytes");
	return add_entry(s, prefixes[i].index, name + skip, value, (size_t)size);
}

static int add_flags(const struct subject *s)
{
	/* The kernel writes an int, whatever the request's number says. */
	unsigned int flags = 0, other;
	pkram_le32 value;
	char text[64];
	int r;

	if (s->fd < 0 || ioctl(s->fd, FS_IOC_GETFLAGS, &flags) < 0)
		return 0;
	other = flags & ~(EROFS_PKRAM_FLAGS | FLAGS_OF_STORAGE);
	if (other) {
		snprintf(text, sizeof(text), "inode flags 0x%x cannot be carried", other);
		r = lose(s, text);
		if (r < 0)
			return r;
	}
	flags &= EROFS_PKRAM_FLAGS;
	if (!flags)
		return 0;
	value = htole32(flags);
	return add_entry(s, EROFS_XATTR_TRUSTED, EROFS_PKRAM_FLAGS_NAME, &value, sizeof(value));
}

int tree_attr_get(struct tree_look *l)
{
	struct subject s = { .look = l, .fd = l->file.fd };
	/* Most inodes have few xattrs or none; the kernel clears as much as it is offered. */
	char small[256], *list = small;
	_cleanup_free_ char *large = NULL;
	ssize_t len;
	int r;

	if (s.fd < 0)
		snprintf(s.path, sizeof(s.path), "/proc/self/fd/%d/%s", l->dirfd, l->name);
	r = add_flags(&s);
	if (r < 0)
		return r;
	len = list_xattrs(&s, small, sizeof(small));
	if (len < 0 && errno == ERANGE) {
		list = large = malloc(XATTR_LIST_MAX);
		if (!large)
			return -ENOMEM;
		len = list_xattrs(&s, large, XATTR_LIST_MAX);
	}
	if (len < 0) {
		if (errno == ENOTSUP)
			return 0;
		if (errno == E2BIG || errno == ERANGE)
			return lose(&s, "more than 64 KiB of xattr names cannot be carried");
		return -errno;
	}
	for (char *p = list; p < list + len; p += strlen(p) + 1) {
		r = add_xattr(&s, p);
		if (r < 0)
			return r;
	}
	return 0;
}
