/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bare pkram: where things stand, and what comes next.
 */
#include <string.h>

#include "column.h"
#include "report.h"
#include "unit.h"

struct tally {
	uint64_t trees, streams;
	uint64_t fresh, restored, stale, damaged, writing;
	uint64_t jumped_trees, jumped_streams;	/* came by the jump, not restored yet */
	uint64_t here;				/* saved by this boot */
	uint64_t later;				/* paths that units save on the way down */
	uint64_t stored;
};

static void count_node(const struct pkram_node *n, struct tally *ret)
{
	bool tree = n->kind == PKRAM_KIND_TREE;

	*(tree ? &ret->trees : &ret->streams) += 1;
	if (n->freshness == PKRAM_FRESH_THIS_BOOT)
		ret->here++;
	if (n->restored) {
		ret->restored++;
		return;
	}
	*(n->freshness == PKRAM_FRESH_STALE ? &ret->stale : &ret->fresh) += 1;
	if (n->freshness == PKRAM_FRESH_JUMPED)
		*(tree ? &ret->jumped_trees : &ret->jumped_streams) += 1;
}

static void count(const struct pkram_node_list *nodes, struct tally *ret)
{
	const struct pkram_node *n;

	for (size_t i = 0; (n = pkram_node_list_get(nodes, i)); i++) {
		ret->stored += n->stored;
		if (n->damaged)
			ret->damaged++;
		else if (n->writing)
			ret->writing++;
		else
			count_node(n, ret);
	}
}

/* What most users want to do next, as a command. */
static const char *next_step(const struct pkram_region_info *info, const struct tally *t)
{
	if (t->damaged)
		return "pkram verify";
	if (info->jump == PKRAM_JUMP_STATUS_STAGED)
		return "pkram kexec, or pkram kexec --cancel";
	/* Before the next jump, which would make them stale. */
	if (t->jumped_trees)
		return "pkram restore";
	if (t->jumped_streams)
		return "pkram get NAME";
	if ((t->here || t->later) && strncmp(info->spec, "file:", 5) == 0)
		return "none: a file: region survives no jump (pkram(8))";
	if (t->here || t->later)
		return "pkram kexec";
	if (t->stale && !t->restored)
		return "pkram save PATH, or pkram restore --stale";
	return "pkram save PATH";
}

static void print_states(const struct tally *t)
{
	const struct {
		uint64_t n;
		const char *name;
	} states[] = {
		{ t->fresh, "fresh" }, { t->restored, "restored" }, { t->stale, "stale" },
		{ t->damaged, "damaged" }, { t->writing, "being written" },
	};
	const char *sep = "";

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (!states[i].n)
			continue;
		printf("%s%ju %s", sep, (uintmax_t)states[i].n, states[i].name);
		sep = ", ";
	}
	putchar('\n');
}

static void print_text(const struct pkram_region_info *info, const struct tally *t)
{
	char size[TEXT_MAX], stored[TEXT_MAX], free_space[TEXT_MAX], when[TEXT_MAX];
	uint64_t nodes = t->trees + t->streams + t->damaged + t->writing;

	printf("Region     ");
	put_escaped(stdout, info->spec);
	printf(", %s%s%s\n", human_size(size, info->size, false),
	       info->read_only ? ", read-only" : "",
	       info->recovered ? ", recovered from its node blocks" : "");
	printf("Nodes      %ju tree%s, %ju stream%s: %s; %s free\n", (uintmax_t)t->trees,
	       plural(t->trees), (uintmax_t)t->streams, plural(t->streams),
	       human_size(stored, t->stored, false), human_size(free_space, info->free, false));
	if (nodes) {
		printf("State      ");
		print_states(t);
	}
	printf("Jump       %s", jump_name(info->jump));
	if (info->jump != PKRAM_JUMP_STATUS_NONE)
		printf(", %s", local_time(when, info->jump_at));
	printf("\nNext step  %s\n", next_step(info, t));
}

static void print_json(const struct pkram_region_info *info, const struct tally *t)
{
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	region_json(info, &j);
	json_number(&j, "trees", t->trees);
	json_number(&j, "streams", t->streams);
	json_number(&j, "stored", t->stored);
	json_number(&j, "fresh", t->fresh);
	json_number(&j, "restored", t->restored);
	json_number(&j, "stale", t->stale);
	json_number(&j, "damaged", t->damaged);
	json_number(&j, "writing", t->writing);
	json_string(&j, "next", next_step(info, t));
	json_end(&j, '}');
}

static void memory_free_p(struct pkram_memory_list **p)
{
	pkram_memory_list_free(*p);
}

/* Without a container: make one where there is room for it. What else to do was said before. */
static void say_next(struct cmd *cmd)
{
	_cleanup_(memory_free_p) struct pkram_memory_list *list = NULL;
	const struct pkram_memory *m;
	int r;

	if (cmd->region) {
		say_info("next step: pkram init %s", cmd->region);
		return;
	}
	messages_hold();
	r = pkram_memory_list_new(cmd->ctx, NULL, &list);
	messages_release(false);
	for (size_t i = 0; r == 0 && (m = pkram_memory_list_get(list, i)); i++)
		if (m->state == PKRAM_MEMORY_EMPTY && *m->spec) {
			say_info("next step: pkram init %s", m->spec);
			return;
		}
}

int run_status(struct cmd *cmd)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_node_list_ struct pkram_node_list *nodes = NULL;
	struct pkram_region_info info;
	struct promises later = { 0 };
	struct tally tally = { 0 };
	int r;

	r = open_region_to_look(cmd, &region);
	if (r == 0)
		r = pkram_region_get_info(region, &info);
	if (r == 0)
		r = pkram_node_list_new(region, &nodes);
	if (r == 0)
		r = unit_promises(cmd, &later);
	tally.later = later.n;
	promises_free(&later);
	if (r == -ENODATA) {
		exit_code(r);
		say_next(cmd);
		return EXIT_FAILED;
	}
	if (r < 0)
		return exit_code(r);
	count(nodes, &tally);
	if (cmd->json)
		print_json(&info, &tally);
	else
		print_text(&info, &tally);
	return EXIT_DONE;
}
