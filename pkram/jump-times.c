/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The moments of a jump, as they come.
 */
#include <endian.h>

#include "jump.h"
#include "machine.h"

void jump_staged(struct pkram_ctx *ctx, struct store_jump *j)
{
	j->times = (struct pkram_times){
		.staged = htole64(machine_uptime()),
		.tsc_khz = htole64(machine_tsc_khz(ctx)),
	};
	memcpy(j->times.id, j->record.id, sizeof(j->times.id));
}

void jump_armed(struct pkram_ctx *ctx, struct store_jump *j)
{
	struct machine_stamp now = machine_stamp(ctx);

	j->times.armed = htole64(now.uptime);
	j->times.armed_tsc = htole64(now.tsc);
}

void jump_disarmed(struct store_jump *j)
{
	j->times.armed = j->times.armed_tsc = 0;
}

void jump_claimed(struct pkram_ctx *ctx, struct store_jump *j)
{
	struct machine_stamp now = machine_stamp(ctx);

	j->times.claimed = htole64(now.uptime);
	j->times.claimed_tsc = htole64(now.tsc);
}
