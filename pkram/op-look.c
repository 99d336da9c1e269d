/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lies in a region, for people who have not decided on it yet. Nothing is a failure here: why
 * something cannot be seen is part of the answer.
 */
#include <sys/stat.h>

#include "machine.h"
#include "op.h"

/* The last message says why. */
static void keep_last(void *userdata, int priority, const char *msg)
{
	char **last = userdata;

	(void)priority;
	free(*last);
	*last = strdup(msg);
}

static int read_device(void *arg, uint64_t off, size_t len, void *buf)
{
	return region_read_device(arg, off, len, buf);
}

int op_signature(struct region *r, char **ret_type)
{
	return machine_signature(r->ctx, r->base + r->size, read_device, r, ret_type);
}

void op_uuid_text(const uint8_t u[16], char ret[37])
{
	for (size_t i = 0, at = 0; i < 16; i++)
		at += (size_t)sprintf(ret + at, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
}

/* 1: somebody uses the device. */
static int look_at_use(struct region *r, struct op_look *look)
{
	_cleanup_free_ char *use = NULL;
	struct stat st;
	int k;

	if (fstat(r->fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	k = machine_device_use(r->ctx, r->path, st.st_rdev, S_ISBLK(st.st_mode), &use);
	if (k < 0 || !use)
		return k;
	look->state = PKRAM_MEMORY_BUSY;
	free(look->detail);
	look->detail = TAKE_PTR(use);
	return 1;
}

static int look_for_signature(struct region *r, struct op_look *look)
{
	_cleanup_free_ char *type = NULL;
	int k;

	k = op_signature(r, &type);
	if (k < 0)
		return k;
	look->state = type ? PKRAM_MEMORY_FOREIGN : PKRAM_MEMORY_EMPTY;
	free(look->detail);
	look->detail = TAKE_PTR(type);
	return 0;
}

/* 1: there is one. */
static int look_for_container(struct pkram_ctx *ctx, const char *spec, struct op_look *look)
{
	struct store *s;
	struct region *r;
	int k;

	k = region_open(ctx, spec, true, &r);
	if (k < 0)
		return k;
	k = store_open(r, &s);
	if (k >= 0) {
		k = store_info(s, &look->info);
		store_close(s);
	}
	if (k == -ENODATA)
		return 0;
	if (k < 0 && k != -EBADMSG && k != -EPROTONOSUPPORT && k != -ENXIO)
		return k;
	look->state = k < 0 ? PKRAM_MEMORY_UNREADABLE : PKRAM_MEMORY_CONTAINER;
	if (k == 0) {
		free(look->detail);
		look->detail = NULL;
	}
	return 1;
}

static int look_at(struct pkram_ctx *ctx, const char *spec, struct op_look *look)
{
	struct region *r;
	int k;

	k = region_open(ctx, spec, true, &r);
	if (k < 0)
		return k;
	look->usable = r->size;
	k = look_at_use(r, look);
	if (k == 0 && r->size >= PKRAM_MIN_SIZE)
		k = look_for_container(ctx, spec, look);
	if (k == 0)
		k = look_for_signature(r, look);
	region_close(r);
	return k;
}

int op_look(struct pkram_ctx *ctx, const char *spec, struct op_look *ret)
{
	struct op_look look = { .state = PKRAM_MEMORY_UNKNOWN };
	struct pkram_ctx *quiet;
	bool forbidden;
	int k;

	k = ctx_quiet(ctx, &quiet);
	if (k < 0)
		return k;
	pkram_set_log_fn(quiet, keep_last, &look.detail, PKRAM_LOG_ERROR);
	k = look_at(quiet, spec, &look);
	pkram_unref(quiet);
	if (k == -ENOMEM) {
		op_look_done(&look);
		return k;
	}
	forbidden = (k == -EACCES || k == -EPERM) && geteuid() != 0;
	if (k < 0 && (forbidden || !look.detail)) {
		free(look.detail);
		look.detail = strdup(forbidden ? "root alone may look into it" : strerror(-k));
	}
	*ret = look;
	return 0;
}

void op_look_done(struct op_look *look)
{
	free(look->detail);
	look->detail = NULL;
}
