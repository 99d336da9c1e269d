/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fuzz target is one function; libFuzzer or replay.c calls it with bytes. It must neither crash
 * nor leak, and it keeps no state from one call to the next.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ctx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A context whose messages are formatted and go nowhere. */
struct pkram_ctx *fuzz_ctx(void);

/* Takes n bytes off the input's front; zeroes where there are fewer. */
static inline void fuzz_take(const uint8_t **data, size_t *size, void *to, size_t n)
{
	size_t have = MIN(n, *size);

	memset(to, 0, n);
	memcpy(to, *data, have);
	*data += have;
	*size -= have;
}
