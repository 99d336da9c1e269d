/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree - save directories as one set, with a line that tells how far it has come
 *
 *	cc tree.c -o tree $(pkg-config --cflags --libs libpkram)
 *	./tree DIRECTORY...
 *
 * Interrupt it, and nothing was saved: a set appears in one commit, or not at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <pkram.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Names may hold any bytes, and a terminal obeys some of them. */
static void print_plain(FILE *f, const char *s)
{
	for (; *s; s++)
		fprintf(f, *s >= ' ' && *s <= '~' ? "%c" : "\\x%02x", (unsigned char)*s);
	fputc('\n', f);
}

static void print_message(void *userdata, int priority, const char *msg)
{
	(void)userdata;
	(void)priority;
	fputs("\rtree: ", stderr);
	print_plain(stderr, msg);
}

/* A negative result cancels the save. */
static int print_progress(void *userdata, const struct pkram_progress *p)
{
	unsigned int *shown = userdata, percent = 0;

	if (p->total)
		percent = (unsigned int)(100.0 * (double)p->done / (double)p->total);
	/* Its threads may overtake each other. */
	if (percent > *shown) {
		*shown = percent;
		fprintf(stderr, "\r%s: %3u %%", p->what, percent);
	}
	return interrupted ? -1 : 0;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static int save(struct pkram_region *region, char **paths, size_t n)
{
	struct pkram_save_item *items = calloc(n, sizeof(*items));
	struct pkram_transfer t;
	int r;

	if (!items)
		return -ENOMEM;
	/* No name: each node is called like the absolute path of its directory. */
	for (size_t i = 0; i < n; i++)
		items[i].path = paths[i];
	r = pkram_save_trees(region, items, n, NULL, &t);
	free(items);
	if (r < 0)
		return r;
	printf("\rsaved %" PRIu64 " tree%s: %" PRIu64 " file%s, %.1f MB in %.3f s by %u thread%s\n",
	       t.nodes, plural(t.nodes), t.files, plural(t.files), (double)t.bytes / 1e6,
	       (double)t.ns / 1e9, t.threads, plural(t.threads));
	return 0;
}

int main(int argc, char **argv)
{
	struct pkram_region *region = NULL;
	struct pkram_ctx *ctx = NULL;
	unsigned int shown = 0;
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: tree DIRECTORY...\n");
		return 2;
	}
	signal(SIGINT, on_interrupt);
	r = pkram_new(&ctx);
	if (r == 0) {
		pkram_set_log_fn(ctx, print_message, NULL, PKRAM_LOG_WARNING);
		pkram_set_progress_fn(ctx, print_progress, &shown);
		r = pkram_region_open(ctx, NULL, 0, &region);
	}
	if (r == 0)
		r = save(region, argv + 1, (size_t)argc - 1);
	pkram_region_close(region);
	pkram_unref(ctx);
	if (r < 0)
		fprintf(stderr, "\rtree: %s\n", strerror(-r));
	return r < 0;
}
