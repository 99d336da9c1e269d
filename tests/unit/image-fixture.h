/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of saving share: a directory in memory, the collected log, and filling whole
 * images.
 */
#pragma once

#include "tree-fixture.h"

#include <sys/wait.h>

#include "tree-save.h"
#include "work.h"

struct fixture {
	struct pkram_ctx *ctx;
	char dir[64], src[96], image[96];
	char log[65536];
};

static inline void collect_log(void *userdata, int priority, const char *message)
{
	struct fixture *f = userdata;

	(void)priority;
	strncat(f->log, message, sizeof(f->log) - strlen(f->log) - 2);
	strcat(f->log, "\n");
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/dev/shm/pkram-tree-XXXXXX");
	if (!mkdtemp(f->dir)) {
		strcpy(f->dir, "/tmp/pkram-tree-XXXXXX");
		assert_non_null(mkdtemp(f->dir));
	}
	snprintf(f->src, sizeof(f->src), "%s/src", f->dir);
	snprintf(f->image, sizeof(f->image), "%s/image", f->dir);
	assert_int_equal(pkram_new(&f->ctx), 0);
	pkram_set_log_fn(f->ctx, collect_log, f, PKRAM_LOG_INFO);
	fixture_seed = 1;
	fixture_n_pairs = 0;
	*state = f;
	return 0;
}

static inline int run(const char *command, const char *arg)
{
	char text[512];

	snprintf(text, sizeof(text), command, arg);
	return system(text);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	run("chattr -R -ia %s 2>/dev/null", f->dir);
	assert_int_equal(run("rm -rf %s", f->dir), 0);
	pkram_unref(f->ctx);
	free(f);
	return 0;
}

/* Opens and scans a tree; */
static inline int scan_image(struct pkram_ctx *ctx, const char *path,
			     const struct tree_scan_options *o, struct tree_image **ret)
{
	struct tree_image *img = NULL;
	int r = tree_image_new(ctx, path, o, &img);

	if (r == 0)
		r = tree_image_scan(img, NULL);
	if (r == 0)
		*ret = img;
	else
		tree_image_free(img);
	return r;
}

static inline int src_dir(const struct fixture *f)
{
	must(mkdir(f->src, 0755));
	return (int)must(open(f->src, O_RDONLY | O_DIRECTORY));
}

struct fill_all {
	struct tree_image *img;
	uint64_t size, step;
	uint8_t *bytes;
};

static inline int fill_one(void *arg, unsigned int worker, uint64_t i)
{
	struct fill_all *fill = arg;
	uint64_t off = i * fill->step;

	(void)worker;
	return tree_image_fill(fill->img, off, MIN(fill->step, fill->size - off),
			       fill->bytes + off);
}

static inline void fill_image(struct fixture *f, struct tree_image *img, uint64_t step,
			      unsigned int threads, uint8_t *bytes)
{
	struct tree_image_info info;
	struct fill_all fill = { .img = img, .step = step, .bytes = bytes };

	tree_image_info(img, &info);
	fill.size = info.size;
	assert_int_equal(work_run(f->ctx, threads, NULL, (info.size + step - 1) / step, fill_one,
				  &fill),
			 0);
}

static inline void wait_child(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}
