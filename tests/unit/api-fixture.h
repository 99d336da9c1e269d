/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the public interface share: a region on tmpfs, a source, a place to restore to,
 * and callbacks that keep what they are told.
 */
#pragma once

#include <pkram.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIB (1u << 20)
#define REGION_SIZE (64 * MIB)

/* What no call has given: outputs are untouched on failure. */
#define UNTOUCHED ((void *)0x5a5a)

struct fixture {
	struct pkram_ctx *ctx;
	struct pkram_region *region;
	char dir[64];
	char file[96];		/* of the region */
	char spec[112];
	char tree[96];		/* a source */
	char out[96];		/* where trees are restored below */
	char log[512];		/* the last message */
	int log_priority;
	unsigned int messages;
	unsigned int reports;	/* of progress */
	int progress_result;
	struct pkram_progress last;
	uint64_t most;		/* that was done, as threads tell it */
};

static inline void keep_log(void *userdata, int priority, const char *msg)
{
	struct fixture *f = userdata;

	f->log_priority = priority;
	snprintf(f->log, sizeof(f->log), "%s", msg);
	f->messages++;
}

static inline int keep_progress(void *userdata, const struct pkram_progress *p)
{
	struct fixture *f = userdata;

	f->last = *p;
	f->most = p->done > f->most ? p->done : f->most;
	f->reports++;
	return f->progress_result;
}

static inline void make_file(const char *dir, const char *name, const void *bytes, size_t len)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static inline int setup(void **state)
{
	const struct pkram_init_options init = { .struct_size = sizeof(init), .size = REGION_SIZE };
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/dev/shm/pkram-api-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/region", f->dir);
	snprintf(f->spec, sizeof(f->spec), "file:%s", f->file);
	snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	snprintf(f->out, sizeof(f->out), "%s/out", f->dir);
	assert_int_equal(mkdir(f->tree, 0750), 0);
	assert_int_equal(mkdir(f->out, 0755), 0);
	assert_int_equal(pkram_new(&f->ctx), 0);
	pkram_set_log_fn(f->ctx, keep_log, f, PKRAM_LOG_WARNING);
	pkram_set_threads(f->ctx, 2);
	assert_int_equal(pkram_region_init(f->ctx, f->spec, &init), 0);
	assert_int_equal(pkram_region_open(f->ctx, f->spec, 0, &f->region), 0);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	pkram_region_close(f->region);
	pkram_unref(f->ctx);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

/* A failure is told in exactly one line of priority "error", which names what it is about. */
#define assert_fails(f, call, error, word)                                                         \
	do {                                                                                       \
		(f)->messages = 0;                                                                 \
		assert_int_equal(call, error);                                                     \
		assert_int_equal((f)->messages, 1);                                                \
		assert_int_equal((f)->log_priority, PKRAM_LOG_ERROR);                              \
		assert_non_null(strstr((f)->log, word));                                           \
	} while (0)

static inline void fill(uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
}

/* Writes bytes that the seed tells, in odd pieces. Used by threads: results, no asserts. */
static inline int put(struct pkram_region *region, const char *name, size_t len, uint32_t seed)
{
	uint8_t *bytes = malloc(len + 1);
	struct pkram_stream *s;
	int r = pkram_prepare_save(region, name, 0, &s);

	fill(bytes, len, seed);
	for (size_t at = 0; r == 0 && at < len;) {
		size_t piece = len - at < 77777 ? len - at : 77777;

		r = pkram_write(s, bytes + at, piece);
		at += piece;
		if (r == 0 && pkram_stream_position(s) != at)
			r = -EIO;
		if (r < 0)
			pkram_discard_save(s);
	}
	free(bytes);
	return r < 0 ? r : pkram_finish_save(s);
}

/* 1: the node holds those bytes; 0: others. */
static inline int holds(struct pkram_region *region, const char *name, size_t len, uint32_t seed)
{
	uint8_t *want = malloc(len + 1), *got = malloc(len + 1);
	struct pkram_stream *s;
	size_t at = 0;
	ssize_t n = 0;
	int r = pkram_prepare_load(region, name, 0, &s);

	fill(want, len, seed);
	if (r == 0) {
		while (at <= len && (n = pkram_read(s, got + at, len + 1 - at)) > 0)
			at += (size_t)n;
		if (pkram_stream_position(s) != at)
			n = -EIO;
		r = pkram_finish_load(s);
	}
	if (r == 0)
		r = n < 0 ? (int)n : at == len && memcmp(want, got, len) == 0;
	free(want);
	free(got);
	return r;
}

static inline int temp_fd(const struct fixture *f, size_t len, uint32_t seed)
{
	uint8_t *bytes = malloc(len);
	int fd = open(f->dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	fill(bytes, len, seed);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	free(bytes);
	return fd;
}
