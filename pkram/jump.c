/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "jump.h"

#include <endian.h>

#include "kexec.h"
#include "machine.h"

static bool same_id(const uint8_t a[16], const uint8_t b[16])
{
	return memcmp(a, b, 16) == 0;
}

/* The id alone proves nothing: a command line is often used again. */
static bool arrived_by(struct pkram_ctx *ctx, const struct pkram_jump *j)
{
	uint8_t id[16];

	return le32toh(j->state) == PKRAM_JUMP_ARMED && kexec_jump_id(ctx, id) >= 0 &&
	       same_id(id, j->id) && !machine_is_kdump(ctx) && machine_came_by_kexec(ctx);
}

static int claim(void *arg, struct store_jump *jump)
{
	struct pkram_jump *j = &jump->record;
	struct pkram_ctx *ctx = arg;
	uint8_t boot[16];
	int k;

	/* Somebody else may have been faster. */
	if (!arrived_by(ctx, j))
		return -EALREADY;
	k = machine_boot_id(ctx, boot);
	if (k < 0)
		return k;
	if (same_id(boot, j->old_boot))
		return -EALREADY;
	memcpy(j->claim_boot, boot, sizeof(boot));
	j->claimed_at = htole64((uint64_t)machine_now());
	j->state = htole32(PKRAM_JUMP_CLAIMED);
	jump_claimed(ctx, jump);
	if (jump_is_late(jump)) {
		pkram_log_debug(ctx, "the armed jump was over an hour before this kernel started: "
				     "another one ran in between");
		return -EALREADY;
	}
	return 0;
}

int jump_claim(struct store *s)
{
	struct store_info info;
	int k;

	k = store_info(s, &info);
	if (k < 0)
		return k;
	if (!arrived_by(store_ctx(s), &info.jump))
		return 0;
	k = store_arrive(s, claim, store_ctx(s));
	return k < 0 ? k == -EALREADY ? 0 : k : 1;
}

enum pkram_freshness jump_freshness(const struct pkram_jump *arrival, const uint8_t now[16],
				    const uint8_t saved[16])
{
	if (same_id(saved, now))
		return PKRAM_FRESH_THIS_BOOT;
	if (le32toh(arrival->state) == PKRAM_JUMP_CLAIMED && same_id(arrival->claim_boot, now) &&
	    same_id(arrival->old_boot, saved))
		return PKRAM_FRESH_JUMPED;
	return PKRAM_FRESH_STALE;
}

enum pkram_jump_status jump_next(const struct store_info *info, const uint8_t now[16],
				 bool loaded, int64_t *ret_at)
{
	const struct pkram_jump *j = &info->jump;
	uint32_t state = le32toh(j->state);
	bool mine = same_id(j->old_boot, now);

	/* A record of this boot is nothing without the kernel, which anybody may have unloaded. */
	if ((state != PKRAM_JUMP_STAGED && state != PKRAM_JUMP_ARMED) || (mine && !loaded))
		return PKRAM_JUMP_STATUS_NONE;
	*ret_at = (int64_t)le64toh(state == PKRAM_JUMP_ARMED ? j->armed_at : j->staged_at);
	if (!mine)
		return PKRAM_JUMP_STATUS_PAST;
	return state == PKRAM_JUMP_ARMED ? PKRAM_JUMP_STATUS_ARMED : PKRAM_JUMP_STATUS_STAGED;
}

enum pkram_jump_status jump_status(const struct store_info *info, const uint8_t now[16],
				   bool loaded, int64_t *ret_at)
{
	enum pkram_jump_status next = jump_next(info, now, loaded, ret_at);
	const struct pkram_jump *a = &info->arrival;

	if (next != PKRAM_JUMP_STATUS_NONE)
		return next;
	*ret_at = (int64_t)le64toh(a->claimed_at);
	if (le32toh(a->state) != PKRAM_JUMP_CLAIMED)
		return PKRAM_JUMP_STATUS_NONE;
	return same_id(a->claim_boot, now) ? PKRAM_JUMP_STATUS_ARRIVED : PKRAM_JUMP_STATUS_PAST;
}
