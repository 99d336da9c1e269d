/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 by libnettle, for the one promise about a stream that asks for it.
 */
#include <nettle/sha2.h>

#include "library.h"
#include "op.h"

#define DIGEST_HEX (2 * SHA256_DIGEST_SIZE)

#define SYMBOLS(X)                                                                                 \
	X(nettle_sha256_init)                                                                      \
	X(nettle_sha256_update)                                                                    \
	X(nettle_sha256_digest)

LIBRARY(nettle_library, "libnettle.so.8", "sha256", "checking a stream against its SHA-256",
	"recommended", SYMBOLS)

struct op_digest {
	struct nettle_library l;
	struct sha256_ctx sha256;
	char expected[DIGEST_HEX + 1];
};

struct op_digest *op_digest_free(struct op_digest *d)
{
	if (!d)
		return NULL;
	nettle_library_close(&d->l);
	free(d);
	return NULL;
}

int op_digest_new(struct pkram_ctx *ctx, const char *hex, struct op_digest **ret)
{
	struct op_digest *d;

	if (strlen(hex) != DIGEST_HEX || strspn(hex, "0123456789abcdefABCDEF") != DIGEST_HEX)
		return log_error_errno(ctx, -EINVAL, "not %d hex digits, as a SHA-256 has: %.80s",
				       DIGEST_HEX, hex);
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	if (nettle_library_open(&d->l) < 0) {
		pkram_log_error(ctx, "no SHA-256 can be checked: %s", dlerror());
		op_digest_free(d);
		return -EOPNOTSUPP;
	}
	memcpy(d->expected, hex, sizeof(d->expected));
	d->l.nettle_sha256_init(&d->sha256);
	*ret = d;
	return 0;
}

void op_digest_add(struct op_digest *d, const void *bytes, size_t len)
{
	d->l.nettle_sha256_update(&d->sha256, len, bytes);
}

int op_digest_check(struct op_digest *d, struct pkram_ctx *ctx)
{
	uint8_t bytes[SHA256_DIGEST_SIZE];
	char hex[DIGEST_HEX + 1];

	d->l.nettle_sha256_digest(&d->sha256, sizeof(bytes), bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	if (strcasecmp(hex, d->expected) == 0)
		return 0;
	return log_error_errno(ctx, -EIO,
			       "the input has sha256 %s, expected was %s; nothing was saved", hex,
			       d->expected);
}
