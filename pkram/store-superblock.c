/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two slots: superblock and catalog as bytes.
 */
#include <sys/random.h>

#include "hash.h"
#include "store-internal.h"

uint64_t superblock_seal(const struct pkram_superblock *sb)
{
	struct pkram_superblock t = *sb;
	uint64_t h;

	t.seal = 0;
	h = XXH3_64bits(&t, sizeof(t));
	return h ? h : 1;
}

static uint64_t slot_offset(unsigned int slot)
{
	return (uint64_t)slot * PKRAM_SLOT_SIZE;
}

int slots_read(struct region *r, struct slot ret[2])
{
	_io_aligned_ struct pkram_superblock sb;

	for (unsigned int i = 0; i < 2; i++) {
		int k;

		k = read_bytes(r, slot_offset(i), sizeof(sb), &sb);
		if (k == -EBADMSG)
			memset(&sb, 0, sizeof(sb));
		else if (k < 0)
			return k;
		ret[i].sb = sb;
		if (k == -EBADMSG)
			ret[i].state = SLOT_DAMAGED;
		else if (memcmp(sb.magic, PKRAM_SB_MAGIC, sizeof(sb.magic)) != 0)
			ret[i].state = SLOT_EMPTY;
		else if (sb.seal == 0)
			ret[i].state = SLOT_UNSEALED;
		else if (le64toh(sb.seal) == superblock_seal(&sb))
			ret[i].state = SLOT_VALID;
		else
			ret[i].state = SLOT_DAMAGED;
	}
	return 0;
}

int superblock_check(struct region *r, const struct pkram_superblock *sb)
{
	uint32_t incompat = le32toh(sb->feature_incompat) & ~PKRAM_FEATURE_INCOMPAT_KNOWN;
	uint64_t size = le64toh(sb->size), phys = le64toh(sb->phys);

	if (le32toh(sb->version) != PKRAM_FORMAT_VERSION || incompat)
		return log_error_errno(r->ctx, -EPROTONOSUPPORT,
				       "%s: the container has format %u, features 0x%x, which this "
				       "pkram does not know; "
				       "use the pkram that made it",
				       r->spec, le32toh(sb->version), incompat);
	if (size < PKRAM_MIN_SIZE || size > PKRAM_MAX_SIZE || !IS_ALIGNED(size, PKRAM_BLOCK) ||
	    le64toh(sb->next_id) == 0 || le64toh(sb->next_id) > PKRAM_ID_MAX ||
	    le64toh(sb->rows) > PKRAM_ROWS_MAX)
		return -EBADMSG;
	if (size > r->size && !region_survives(r))
		return log_error_errno(r->ctx, -ENXIO,
				       "%s: the file was cut: its container was made with %ju "
				       "bytes, %ju are here; take a whole copy of it",
				       r->spec, (uintmax_t)size, (uintmax_t)r->size);
	if (size > r->size)
		return log_error_errno(r->ctx, -ENXIO,
				       "%s: the region has shrunk: the container was made with %ju "
				       "bytes, %ju are here; "
				       "boot with the reservation that it was made with",
				       r->spec, (uintmax_t)size, (uintmax_t)r->size);
	if (phys && r->phys && phys != r->phys)
		return log_error_errno(r->ctx, -ENXIO,
			"%s: the region has moved: the container was made at 0x%jx, this is 0x%jx; "
			"boot with the reservation that it was made with", r->spec, (uintmax_t)phys,
			(uintmax_t)r->phys);
	/* Nothing of it is to be changed, not even what reading would note down. */
	if (le32toh(sb->feature_ro) & ~PKRAM_FEATURE_RO_KNOWN)
		r->read_only = true;
	return 0;
}

static int slot_unseal(struct region *r, unsigned int slot)
{
	_io_aligned_ struct pkram_superblock sb;
	int k;

	k = read_bytes(r, slot_offset(slot), sizeof(sb), &sb);
	if (k == -EBADMSG)
		/* Writing may mend what cannot be read. */
		memset(&sb, 0, sizeof(sb));
	else if (k < 0)
		return k;
	else if (sb.seal == 0)
		return 0;
	sb.seal = 0;
	return region_seal_block(r, slot_offset(slot), &sb);
}

int slot_write(struct region *r, unsigned int slot, struct pkram_superblock *sb,
	       const struct catalog *c)
{
	size_t bytes = c->n * sizeof(struct pkram_row),
	       padded = ALIGN_UP(bytes, (size_t)PKRAM_BLOCK);
	_cleanup_free_ uint8_t *buf = NULL;
	int k;

	if (c->n > PKRAM_ROWS_MAX)
		return log_error_errno(r->ctx, -ENOSPC,
			"%s: the catalog is full (%zu pieces); remove nodes first", r->spec, c->n);
	/* One buffer: the rows, then the superblock. */
	buf = io_buffer_new(padded + sizeof(*sb));
	if (!buf)
		return -ENOMEM;
	if (bytes)
		memcpy(buf, c->rows, bytes);
	memset(buf + bytes, 0, padded - bytes);

	sb->rows = htole64(c->n);
	sb->catalog_hash = htole64(XXH3_64bits(buf, bytes));
	sb->seal = htole64(superblock_seal(sb));
	memcpy(buf + padded, sb, sizeof(*sb));

	/* Without this, a kill after the next line would leave an old seal over a new catalog. */
	k = slot_unseal(r, slot);
	if (k < 0)
		return k;
	HOOK("publish-unsealed");
	if (padded) {
		k = region_write(r, slot_offset(slot) + PKRAM_BLOCK, padded, buf);
		if (k < 0)
			return k;
	}
	region_persist(r);
	HOOK("publish-body");
	return region_seal_block(r, slot_offset(slot), buf + padded);
}

int slot_read_catalog(struct region *r, unsigned int slot, const struct pkram_superblock *sb,
		      struct catalog *ret)
{
	uint64_t n = le64toh(sb->rows);
	size_t bytes, padded;
	struct catalog c = {};
	int k;

	if (n > PKRAM_ROWS_MAX)
		return -EBADMSG;
	bytes = n * sizeof(struct pkram_row);
	padded = ALIGN_UP(bytes, (size_t)PKRAM_BLOCK);
	/* At least one block, so that the rows are never NULL. */
	c.rows = io_buffer_new(MAX(padded, (size_t)PKRAM_BLOCK));
	if (!c.rows)
		return -ENOMEM;
	c.n = n;
	c.cap = MAX(padded, (size_t)PKRAM_BLOCK) / sizeof(struct pkram_row);
	if (padded) {
		k = read_bytes(r, slot_offset(slot) + PKRAM_BLOCK, padded, c.rows);
		if (k < 0)
			goto fail;
	}
	k = -EBADMSG;
	if (XXH3_64bits(c.rows, bytes) != le64toh(sb->catalog_hash))
		goto fail;
	k = catalog_check(&c, le64toh(sb->size), le64toh(sb->next_id));
	if (k < 0)
		goto fail;
	catalog_done(ret);
	*ret = c;
	return 0;
fail:
	catalog_done(&c);
	return k;
}

/* An empty slot still says that it is one: without its magic it is damaged. */
static int slot_clear(struct region *r, unsigned int slot)
{
	struct pkram_superblock sb = {};
	int k;

	memcpy(sb.magic, PKRAM_SB_MAGIC, sizeof(sb.magic));
	k = region_zero(r, slot_offset(slot), PKRAM_SLOT_SIZE);
	return k < 0 ? k : region_seal_block(r, slot_offset(slot), &sb);
}

static int format_locked(struct region *r)
{
	static const struct catalog empty = {};
	struct pkram_superblock sb = {
		.version = htole32(PKRAM_FORMAT_VERSION),
		.size = htole64(MIN(ALIGN_DOWN(r->size, PKRAM_BLOCK), PKRAM_MAX_SIZE)),
		.phys = htole64(r->phys),
		.next_id = htole64(1),
	};
	uint64_t generation = 0;
	unsigned int old = 1;
	struct slot slots[2];
	int k;

	memcpy(sb.magic, PKRAM_SB_MAGIC, sizeof(sb.magic));
	if (getrandom(sb.uuid, sizeof(sb.uuid), 0) != sizeof(sb.uuid) ||
	    getrandom(sb.key, sizeof(sb.key), 0) != sizeof(sb.key))
		return log_error_errno(r->ctx, -EIO, "%s: no random numbers: %m", r->spec);
	/* As a random (version 4) uuid is marked. */
	sb.uuid[6] = (uint8_t)((sb.uuid[6] & 0x0f) | 0x40);
	sb.uuid[8] = (uint8_t)((sb.uuid[8] & 0x3f) | 0x80);

	/* By the locks alone: of a container that is damaged no catalog tells. */
	if (region_locked(r, PKRAM_LOCK_NODE, PKRAM_ID_MAX, REGION_LOCK_EXCLUSIVE))
		return log_error_errno(
			r->ctx, -EBUSY,
			"%s: a node of the container is being written or read; try again later",
			r->spec);
	k = slots_read(r, slots);
	if (k < 0)
		return k;
	for (unsigned int i = 0; i < 2; i++) {
		if (slots[i].state != SLOT_VALID || le64toh(slots[i].sb.generation) == UINT64_MAX)
			continue;
		if (le64toh(slots[i].sb.generation) >= generation) {
			generation = le64toh(slots[i].sb.generation);
			old = i;
		}
	}
	/* An old container stays whole in its slot until the new one is sealed in the other. */
	sb.generation = htole64(generation + 1);
	k = slot_write(r, !old, &sb, &empty);
	if (k < 0)
		return k;
	HOOK("init-sealed");
	return slot_clear(r, old);
}

int catalog_lock(struct region *r, enum region_lock how)
{
	int k = region_lock(r, PKRAM_LOCK_CATALOG, how, true);

	return k < 0 ? log_error_errno(r->ctx, k, "%s: cannot be locked: %m", r->spec) : 0;
}

int store_format(struct region *r)
{
	int k;

	if (r->size < PKRAM_MIN_SIZE)
		return log_error_errno(r->ctx, -ENOSPC,
			"%s: %ju bytes are too few for a container; it needs %u", r->spec,
			(uintmax_t)r->size, PKRAM_MIN_SIZE);
	k = catalog_lock(r, REGION_LOCK_EXCLUSIVE);
	if (k < 0)
		return k;
	k = format_locked(r);
	region_lock(r, PKRAM_LOCK_CATALOG, REGION_UNLOCK, false);
	return k;
}
