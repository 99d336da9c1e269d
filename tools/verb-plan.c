/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram plan - propose a place for a region; set it in the boot loader, or take that back.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "options.h"
#include "report.h"
#include "text.h"

#define GIB (UINT64_C(1) << 30)
#define SIZE_LIMIT (UINT64_MAX - (UINT64_C(16) << 20) + 1)

static struct {
	struct pkram_plan_options plan;
	const char *kind;
	const char *node;
	bool apply;
	bool remove;
	bool yes;
} opt = {
	.plan.struct_size = sizeof(opt.plan),
};

static const struct option_row options[] = {
	{ "kind", 'k', "KIND", "pmem (default), devdax or soft-reserved", OPTION_STRING,
	  &opt.kind },
	{ "node", 'N', "N", "in the memory of node N", OPTION_STRING, &opt.node },
	{ "apply", 0, NULL, "show the boot loader's change, ask, do it", OPTION_BOOL, &opt.apply },
	{ "remove", 0, NULL, "the same to take all of it away", OPTION_BOOL, &opt.remove },
	{ "yes", 'y', NULL, "do not ask", OPTION_BOOL, &opt.yes },
	{ NULL },
};

static const char *const kinds[] = {
	[PKRAM_PLAN_PMEM] = "pmem",
	[PKRAM_PLAN_DEVDAX] = "devdax",
	[PKRAM_PLAN_SOFT_RESERVED] = "soft-reserved",
};

/* --- options --- */

static int take_kind(const struct cmd *cmd)
{
	if (!opt.kind)
		return EXIT_DONE;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(opt.kind, kinds[i]) == 0) {
			opt.plan.kind = (enum pkram_plan_kind)i;
			return EXIT_DONE;
		}
	return usage_error(cmd, "--kind: '%s' is not pmem, devdax or soft-reserved", opt.kind);
}

static int take_node(const struct cmd *cmd)
{
	uint64_t v;

	if (!opt.node)
		return EXIT_DONE;
	if (!*opt.node || opt.node[strspn(opt.node, "0123456789")] ||
	    parse_size(opt.node, &v) < 0 || v > 1023)
		return usage_error(cmd, "--node: '%s' is not a number of a node", opt.node);
	opt.plan.node = (unsigned int)v;
	opt.plan.flags |= PKRAM_PLAN_ON_NODE;
	return EXIT_DONE;
}

static int take_size(const struct cmd *cmd, int argc, char **argv)
{
	int r;

	if (!argc)
		return usage_error(cmd, "SIZE is missing");
	r = parse_size(argv[0], &opt.plan.size);
	/* It is rounded up. */
	if (r == 0 && opt.plan.size > SIZE_LIMIT)
		r = -ERANGE;
	if (r < 0 || !opt.plan.size)
		return usage_error(cmd, "'%s' is %s (digits, then K, M, G or T)", argv[0],
				   r == -ERANGE ? "too large" : r < 0 ? "not a size" : "too small");
	return EXIT_DONE;
}

static int check_options(const struct cmd *cmd, int argc, char **argv)
{
	int r;

	if (opt.remove && (argc || opt.apply || opt.kind || opt.node))
		return usage_error(cmd, "--remove goes alone, or with --yes");
	if (opt.yes && !opt.apply && !opt.remove)
		return usage_error(cmd, "--yes goes with --apply or --remove");
	if (opt.remove)
		return EXIT_DONE;
	r = take_kind(cmd);
	if (r == EXIT_DONE)
		r = take_node(cmd);
	return r == EXIT_DONE ? take_size(cmd, argc, argv) : r;
}

/* --- the proposal --- */

static const char *steps(enum pkram_plan_kind kind)
{
	switch (kind) {
	case PKRAM_PLAN_DEVDAX:
		return "reboot; pkram region convert /dev/pmemN --to devdax; pkram init";
	case PKRAM_PLAN_SOFT_RESERVED:
		return "blacklist kmem; reboot; pkram init devdax:/dev/daxX.Y";
	default:
		return "reboot; pkram init pmem:/dev/pmemN";
	}
}

static void print_place(FILE *f, const struct pkram_plan_info *i)
{
	char a[TEXT_MAX], b[TEXT_MAX];

	fprintf(f, "Region     %s from %#jx on", human_size(a, i->size, false),
		(uintmax_t)i->start);
	if (i->start >= GIB)
		fprintf(f, " (%s)", human_size(b, i->start, false));
	if (i->node >= 0)
		fprintf(f, ", memory node %d", i->node);
	fputs("\nWord       ", f);
	put_escaped(f, i->word);
	if (i->extends) {
		fputs("\nInstead of ", f);
		put_escaped(f, i->extends);
	}
	fprintf(f, "\nCost       %s of ordinary memory for its page structures\n",
		human_size(a, i->pages, false));
	fprintf(f, "Left       %s of %s for the system\n", human_size(a, i->left, false),
		human_size(b, i->ram, false));
}

static void print_by_hand(FILE *f, const struct pkram_plan_info *i)
{
	const char *by_hand;

	if (!i->config)
		by_hand = "in the boot loader's configuration, which pkram does not know";
	else if (strcmp(i->config, "/etc/kernel/cmdline") == 0)
		by_hand = "the same with --apply, or by hand: options of the boot entries, and "
			  "/etc/kernel/cmdline";
	else
		by_hand = "the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub";
	fprintf(f, "Set it     %s\n", by_hand);
	if (i->config && strcmp(i->word, i->config_word) != 0) {
		fputs("Written    ", f);
		put_escaped(f, i->config_word);
		fputc('\n', f);
	}
}

static void print_text(FILE *f, const struct pkram_plan_info *i)
{
	print_place(f, i);
	if (!opt.apply)
		print_by_hand(f, i);
	fprintf(f, "Then       %s\n", steps(i->kind));
}

static void print_plan_json(const struct pkram_plan_info *i, struct json *j)
{
	json_string(j, "kind", kinds[i->kind]);
	json_bool(j, "fits", !i->limit);
	json_number(j, "wanted", i->wanted);
	if (i->limit)
		json_string(j, "limit", i->limit);
	json_number(j, "size", i->size);
	json_number(j, "ram", i->ram);
	if (!i->size)
		return;
	json_number(j, "start", i->start);
	if (i->node >= 0)
		json_number(j, "node", (uint64_t)i->node);
	json_number(j, "pages", i->pages);
	json_number(j, "left", i->left);
	json_bool(j, "fixed_kernel", i->fixed_kernel);
	json_string(j, "word", i->word);
	if (i->extends)
		json_string(j, "extends", i->extends);
	json_string(j, "command_line", i->command_line);
	if (i->config) {
		json_string(j, "config", i->config);
		json_string(j, "config_word", i->config_word);
	}
}

/* --- the change --- */

static void change_free_p(struct pkram_plan_change **p)
{
	pkram_plan_change_free(*p);
}

static void plan_free_p(struct pkram_plan **p)
{
	pkram_plan_free(*p);
}

/* Who is asked must have seen the change: with --json it is printed at the end. */
static bool can_ask(const struct cmd *cmd)
{
	return !cmd->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static bool ask(const struct cmd *cmd)
{
	char answer[16];

	if (opt.yes)
		return true;
	if (!can_ask(cmd)) {
		say_error("nothing was changed: %s; --yes does it",
			  cmd->json ? "--json asks nobody" : "there is no terminal to ask on");
		return false;
	}
	fflush(stdout);
	fputs("Do it? [y/N] ", stderr);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) && strchr("yY", *answer) && *answer)
		return true;
	say_info("nothing was changed");
	return false;
}

/* plan NULL: all is taken away. The files hold what others have written. */
static void print_change(FILE *f, const struct pkram_plan *plan, const struct pkram_plan_change *c)
{
	if (plan)
		print_text(f, pkram_plan_get_info(plan));
	put_escaped_lines(f, "", pkram_plan_change_get_diff(c));
	put_escaped_lines(f, "$ ", pkram_plan_change_get_commands(c));
}

static void show_change(const struct cmd *cmd, const struct pkram_plan *plan,
			const struct pkram_plan_change *c, struct json *j)
{
	if (cmd->json) {
		json_string(j, "diff", pkram_plan_change_get_diff(c));
		json_string(j, "commands", pkram_plan_change_get_commands(c));
		return;
	}
	print_change(stdout, plan, c);
	/* Where the question is put, too. */
	if (!opt.yes && can_ask(cmd) && !isatty(STDOUT_FILENO))
		print_change(stderr, plan, c);
}

static int run_change(const struct cmd *cmd, const struct pkram_plan *plan, struct json *j)
{
	_cleanup_(change_free_p) struct pkram_plan_change *change = NULL;
	bool sure;
	int r;

	r = pkram_plan_change_new(cmd->ctx, plan, &change);
	if (r == -ENODATA) {
		say_error("nothing was set by pkram plan: nothing to take away");
		return EXIT_NOTHING;
	}
	if (r < 0)
		return exit_code(r);
	show_change(cmd, plan, change, j);
	sure = ask(cmd);
	if (sure) {
		catch_signals(-1);
		r = pkram_plan_change_apply(change);
	}
	if (cmd->json)
		json_bool(j, "changed", sure && r == 0);
	if (r == 0 && sure)
		say_info("done; it counts from the next boot on");
	return r < 0 ? exit_code(r) : sure ? EXIT_DONE : EXIT_NOTHING;
}

static int run_apply(struct cmd *cmd, struct json *j)
{
	_cleanup_(plan_free_p) struct pkram_plan *plan = NULL;
	const struct pkram_plan_info *i;
	int r = pkram_plan_new(cmd->ctx, &opt.plan, &plan);

	if (r < 0)
		return exit_code(r);
	i = pkram_plan_get_info(plan);
	if (cmd->json)
		print_plan_json(i, j);
	else if (i->size && !opt.apply)
		print_text(stdout, i);
	if (i->limit) {
		say_error("%s", i->limit);
		return EXIT_FAILED;
	}
	return opt.apply ? run_change(cmd, plan, j) : EXIT_DONE;
}

static int run_plan(struct cmd *cmd, int argc, char **argv)
{
	struct json j = { .f = NULL };
	char *text = NULL;
	size_t len, head;
	bool told;
	int r = check_options(cmd, argc, argv);

	if (r != EXIT_DONE)
		return r;
	if (!cmd->json)
		return opt.remove ? run_change(cmd, NULL, &j) : run_apply(cmd, &j);
	j.f = open_memstream(&text, &len);
	if (!j.f)
		return exit_code(-errno);
	json_begin(&j, NULL, '{');
	json_string(&j, "verb", cmd->verb->name);
	fflush(j.f);
	head = len;
	r = opt.remove ? run_change(cmd, NULL, &j) : run_apply(cmd, &j);
	fflush(j.f);
	told = len > head;
	json_end(&j, '}');
	fclose(j.f);
	/* A failure that left nothing else to tell is told on stderr alone. */
	if (told)
		fputs(text, stdout);
	free(text);
	return r;
}

const struct verb verb_plan = {
	.name = "plan",
	.args = "SIZE",
	.other_use = "--remove [--yes]",
	.help = "propose a place for a region, set it in the boot loader",
	.max_args = 1,
	.options = options,
	.run = run_plan,
};
