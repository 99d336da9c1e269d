/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list - what a region holds, and what of it is meant for this boot
 *
 *	cc list.c -o list $(pkg-config --cflags --libs libpkram)
 *	./list [REGION]
 *
 * Opens the region read-only: looking changes nothing.
 */
#include <inttypes.h>
#include <pkram.h>
#include <stdio.h>
#include <string.h>

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
	fputs("list: ", stderr);
	print_plain(stderr, msg);
}

static const char *state(const struct pkram_node *n)
{
	if (n->damaged)
		return "damaged";
	if (n->writing)
		return "being written";
	if (n->restored)
		return "restored";
	switch (n->freshness) {
	case PKRAM_FRESH_THIS_BOOT:
		return "of this boot";
	case PKRAM_FRESH_JUMPED:
		return "came by the jump";
	default:
		return "stale";
	}
}

static int list(struct pkram_region *region)
{
	struct pkram_region_info info;
	struct pkram_node_list *nodes;
	const struct pkram_node *n;
	int r;

	r = pkram_region_get_info(region, &info);
	if (r < 0)
		return r;
	r = pkram_node_list_new(region, &nodes);
	if (r < 0)
		return r;
	printf("%" PRIu64 " of %" PRIu64 " bytes are free in ", info.free, info.payload);
	print_plain(stdout, info.spec);
	for (size_t i = 0; (n = pkram_node_list_get(nodes, i)); i++) {
		printf("%-6s %14" PRIu64 "  %-16s  ",
		       n->kind == PKRAM_KIND_TREE ? "tree" : "stream", n->size, state(n));
		print_plain(stdout, n->name);
	}
	pkram_node_list_free(nodes);
	return 0;
}

int main(int argc, char **argv)
{
	struct pkram_region *region = NULL;
	struct pkram_ctx *ctx = NULL;
	int r;

	r = pkram_new(&ctx);
	if (r == 0) {
		pkram_set_log_fn(ctx, print_message, NULL, PKRAM_LOG_WARNING);
		/* NULL: the only region of this machine that holds a container. */
		r = pkram_region_open(ctx, argc > 1 ? argv[1] : NULL, PKRAM_OPEN_READ_ONLY,
				      &region);
	}
	if (r == 0)
		r = list(region);
	pkram_region_close(region);
	pkram_unref(ctx);
	if (r < 0)
		fprintf(stderr, "list: %s\n", strerror(-r));
	return r < 0;
}
