/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extended attributes of an image. Values are copied, shared ones once, so that restore needs no
 * metadata any more.
 */
#include <endian.h>
#include <linux/limits.h>

#include "tree-erofs.h"
#include "tree-view.h"

static const char *const prefixes[] = {
	[EROFS_XATTR_USER] = "user.",
	[EROFS_XATTR_ACL_ACCESS] = "system.posix_acl_access",
	[EROFS_XATTR_ACL_DEFAULT] = "system.posix_acl_default",
	[EROFS_XATTR_TRUSTED] = "trusted.",
	[EROFS_XATTR_SECURITY] = "security.",
};

static int bad_xattr(struct view_build *b, uint64_t pos, const char *what)
{
	return view_bad(b, "the extended attribute at byte %llu %s", (unsigned long long)pos, what);
}

static bool name_sound(const struct erofs_xattr_entry *e, const char *name)
{
	bool acl = e->name_index == EROFS_XATTR_ACL_ACCESS ||
		   e->name_index == EROFS_XATTR_ACL_DEFAULT;

	if (e->name_index >= ARRAY_SIZE(prefixes) || !prefixes[e->name_index])
		return false;
	if (strlen(prefixes[e->name_index]) + e->name_len > XATTR_NAME_MAX)
		return false;
	return acl == !e->name_len && !memchr(name, '\0', e->name_len);
}

/* Many files have attributes of one name: it is kept once while it repeats. */
static int add_name(struct tree_view *v, const char *full, size_t len, uint64_t *ret)
{
	size_t recent = v->n_xattrs > 8 ? v->n_xattrs - 8 : 0;

	for (size_t i = v->n_xattrs; i > recent; i--) {
		if (strcmp(view_text(v, v->xattrs[i - 1].name), full) == 0) {
			*ret = v->xattrs[i - 1].name;
			return 0;
		}
	}
	return view_text_add(v, full, len, ret);
}

/* Makes an attribute of the entry at pos, of which `avail` bytes may be used. */
static int read_entry(struct view_build *b, uint64_t pos, uint64_t avail, size_t *ret_xattr,
		      uint64_t *ret_len)
{
	struct tree_view *v = b->v;
	struct view_arena *values = &v->values;
	struct view_xattr x = { .value = values->len };
	char full[64 + UINT8_MAX], name[UINT8_MAX];
	struct erofs_xattr_entry e;
	int r;

	if (avail < sizeof(e))
		return bad_xattr(b, pos, "is cut off");
	r = view_read(b, pos, sizeof(e), &e);
	if (r < 0)
		return r;
	x.len = le16toh(e.value_size);
	*ret_len = sizeof(e) + e.name_len + x.len;
	if (*ret_len > avail)
		return bad_xattr(b, pos, "is cut off");
	r = view_read(b, pos + sizeof(e), e.name_len, name);
	if (r < 0)
		return r;
	if (!name_sound(&e, name))
		return bad_xattr(b, pos, "has no sound name");
	r = snprintf(full, sizeof(full), "%s%.*s", prefixes[e.name_index], (int)e.name_len, name);
	r = add_name(v, full, (size_t)r, &x.name);
	if (r == 0)
		/* An arena also where the only value is empty. */
		r = array_grow(&values->bytes, &values->cap, values->len + x.len + 1, 1);
	if (r == 0)
		r = array_grow(&v->xattrs, &v->cap_xattrs, v->n_xattrs + 1, sizeof(*v->xattrs));
	if (r == 0)
		r = view_read(b, pos + sizeof(e) + e.name_len, x.len, values->bytes + values->len);
	if (r < 0)
		return r;
	values->len += x.len;
	*ret_xattr = v->n_xattrs;
	v->xattrs[v->n_xattrs++] = x;
	return 0;
}

static int set_flags(struct view_build *b, const struct view_inode *i, const struct view_xattr *x,
		     struct view_file *f)
{
	pkram_le32 flags;

	if (x->len != sizeof(flags) || !(S_ISREG(i->mode) || S_ISDIR(i->mode)))
		return view_bad(b, "inode %llu has no sound inode flags",
				(unsigned long long)i->nid);
	memcpy(&flags, b->v->values.bytes + x->value, sizeof(flags));
	f->flags = le32toh(flags);
	if (f->flags & ~EROFS_PKRAM_FLAGS)
		return view_bad(b, "inode %llu has unknown inode flags %#x",
				(unsigned long long)i->nid, f->flags);
	return 0;
}

static int give(struct view_build *b, const struct view_inode *i, size_t xattr, struct view_file *f)
{
	struct tree_view *v = b->v;
	const struct view_xattr *x = &v->xattrs[xattr];
	int r;

	if (strcmp(view_text(v, x->name), EROFS_PKRAM_FLAGS_XATTR) == 0)
		return set_flags(b, i, x, f);
	if (v->n_refs >= UINT32_MAX || xattr >= UINT32_MAX)
		return view_bad(b, "it has more extended attributes than pkram can hold");
	r = array_grow(&v->xattr_refs, &v->cap_refs, v->n_refs + 1, sizeof(*v->xattr_refs));
	if (r < 0)
		return r;
	v->xattr_refs[v->n_refs++] = (uint32_t)xattr;
	f->n_xattrs++;
	return 0;
}

struct shared {
	uint32_t id;
	uint32_t xattr;		/* + 1; 0: free slot */
};

static struct shared *shared_slot(const struct view_build *b, uint32_t id)
{
	size_t mask = b->shared_cap - 1;
	size_t at = (id * UINT32_C(2654435761)) & mask;

	while (b->shared[at].xattr && b->shared[at].id != id)
		at = (at + 1) & mask;
	return &b->shared[at];
}

static int shared_room(struct view_build *b)
{
	struct shared *old = b->shared;
	size_t cap = b->shared_cap;

	if (b->n_shared < cap / 2)
		return 0;
	b->shared_cap = cap ? cap * 2 : 64;
	b->shared = calloc(b->shared_cap, sizeof(*old));
	if (!b->shared) {
		b->shared = old;
		b->shared_cap = cap;
		return -ENOMEM;
	}
	for (size_t i = 0; i < cap; i++)
		if (old[i].xattr)
			*shared_slot(b, old[i].id) = old[i];
	free(old);
	return 0;
}

static int read_shared(struct view_build *b, uint32_t id, size_t *ret_xattr)
{
	uint64_t pos = b->super.xattr_base + (uint64_t)id * 4, len;
	struct shared *slot;
	int r;

	r = shared_room(b);
	if (r < 0)
		return r;
	slot = shared_slot(b, id);
	if (!slot->xattr) {
		if (pos > b->in->size)
			return bad_xattr(b, pos, "lies outside the image");
		r = read_entry(b, pos, b->in->size - pos, ret_xattr, &len);
		if (r == 0)
			r = view_meta(b, pos, len);
		if (r < 0)
			return r;
		*slot = (struct shared){ .id = id, .xattr = (uint32_t)*ret_xattr + 1 };
		b->n_shared++;
	}
	*ret_xattr = slot->xattr - 1;
	return 0;
}

/* The area was accounted for with its inode. */
int view_xattrs_read(struct view_build *b, const struct view_inode *i, struct view_file *f)
{
	uint64_t pos = i->pos + i->core;
	struct erofs_xattr_header h;
	size_t xattr;
	int r;

	f->xattrs = (uint32_t)b->v->n_refs;
	if (!i->xattr_icount)
		return 0;
	r = view_read(b, pos, sizeof(h), &h);
	if (r < 0)
		return r;
	pos += sizeof(h);
	if (h.shared_count * sizeof(pkram_le32) > i->body - pos)
		return bad_xattr(b, pos, "is cut off");
	for (unsigned int k = 0; k < h.shared_count; k++, pos += sizeof(pkram_le32)) {
		pkram_le32 id;

		r = view_read(b, pos, sizeof(id), &id);
		if (r == 0)
			r = read_shared(b, le32toh(id), &xattr);
		if (r == 0)
			r = give(b, i, xattr, f);
		if (r < 0)
			return r;
	}
	while (pos < i->body) {
		uint64_t len;

		r = read_entry(b, pos, i->body - pos, &xattr, &len);
		if (r == 0)
			r = give(b, i, xattr, f);
		if (r < 0)
			return r;
		pos = ALIGN_UP(pos + len, UINT64_C(4));
	}
	return 0;
}
