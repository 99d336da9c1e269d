/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

static void swallow(void *userdata, int priority, const char *msg)
{
	(void)userdata;
	(void)priority;
	/* One line, and a string. */
	if (strchr(msg, '\n'))
		abort();
}

struct pkram_ctx *fuzz_ctx(void)
{
	struct pkram_ctx *ctx;

	if (pkram_new(&ctx) < 0)
		abort();
	pkram_set_log_fn(ctx, swallow, NULL, PKRAM_LOG_DEBUG);
	pkram_set_threads(ctx, 1);
	return ctx;
}
