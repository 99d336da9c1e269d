/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram report - where the time of the last jump went.
 */
#include <libsmartcols.h>

#include "column.h"
#include "options.h"
#include "prometheus.h"
#include "report.h"

static struct {
	struct optional_string prometheus;
	bool no_headings;
	bool verify;
} opt;

static const struct option_row options[] = {
	{ "noheadings", 'n', NULL, "print the phases alone, without headings", OPTION_BOOL,
	  &opt.no_headings },
	{ "prometheus", 0, "FILE", "print metrics, or write them to FILE", OPTION_OPTIONAL,
	  &opt.prometheus },
	{ "verify", 0, NULL, "read every checksum for the metrics", OPTION_BOOL, &opt.verify },
	{ NULL },
};

static const char *const phase_names[] = {
	[PKRAM_PHASE_SAVE] = "save", [PKRAM_PHASE_STAGE] = "stage", [PKRAM_PHASE_DOWN] = "down",
	[PKRAM_PHASE_BOOT] = "boot", [PKRAM_PHASE_WAIT] = "wait",
	[PKRAM_PHASE_RESTORE] = "restore",
};

static bool has_node(const struct pkram_phase *p)
{
	return p->kind == PKRAM_PHASE_SAVE || p->kind == PKRAM_PHASE_RESTORE;
}

/* What takes no time has none to show. */
static bool has_time(const struct pkram_phase *p)
{
	return p->ns || (!has_node(p) && p->kind != PKRAM_PHASE_STAGE);
}

/* --- for people --- */

enum { COL_PHASE, COL_NODE, COL_START, COL_TIME, COL_SIZE, COL_RATE, N_COLS };

static void table_unref_p(struct libscols_table **p)
{
	scols_unref_table(*p);
}

static const char *seconds(char buf[static TEXT_MAX], uint64_t ns)
{
	uint64_t ms = ns / 1000000 + (ns % 1000000 >= 500000);

	snprintf(buf, TEXT_MAX, "%ju.%03ju", (uintmax_t)(ms / 1000), (uintmax_t)(ms % 1000));
	return buf;
}

static const char *offset(char buf[static TEXT_MAX + 1], int64_t ns)
{
	buf[0] = ns < 0 ? '-' : '+';
	seconds(buf + 1, ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns);
	return buf;
}

static const char *node_text(const struct pkram_phase *p, char buf[static TEXT_MAX])
{
	if (!has_node(p) || *p->name)
		return p->name;
	snprintf(buf, TEXT_MAX, "(node %ju, gone)", (uintmax_t)p->id);
	return buf;
}

static int add_line(struct libscols_table *table, const struct pkram_phase *p)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char node[TEXT_MAX], start[TEXT_MAX + 1], time[TEXT_MAX], size[TEXT_MAX], rate[TEXT_MAX];
	const char *text[N_COLS] = {
		[COL_PHASE] = phase_names[p->kind], [COL_NODE] = node_text(p, node),
		[COL_START] = offset(start, p->start), [COL_TIME] = "", [COL_SIZE] = "",
		[COL_RATE] = "",
	};
	int r = line ? 0 : -ENOMEM;

	if (has_time(p))
		text[COL_TIME] = seconds(time, p->ns);
	if (has_node(p))
		text[COL_SIZE] = human_size(size, p->bytes, true);
	if (has_node(p) && p->ns)
		text[COL_RATE] = human_rate(rate, p->moved, p->ns);
	for (size_t i = 0; i < N_COLS && r == 0; i++)
		r = scols_line_set_data(line, i, text[i]);
	return r;
}

static int print_table(const struct pkram_report *report)
{
	static const char *const names[] = { "PHASE", "NODE", "START", "TIME", "SIZE", "RATE" };
	_cleanup_(table_unref_p) struct libscols_table *table = scols_new_table();
	int r = table ? 0 : -ENOMEM;

	if (r == 0)
		scols_table_enable_noheadings(table, opt.no_headings);
	for (size_t i = 0; i < N_COLS && r == 0; i++)
		if (!scols_table_new_column(table, names[i], 0,
					    i >= COL_START ? SCOLS_FL_RIGHT : 0))
			r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < pkram_report_count(report); i++)
		r = add_line(table, pkram_report_get(report, i));
	return r < 0 ? r : scols_print_table(table);
}

static void print_clock(const struct pkram_report_info *i)
{
	char text[TEXT_MAX];

	if (i->clock == PKRAM_CLOCK_TSC)
		printf("Clock      TSC, %ju.%03ju MHz, invariant\n",
		       (uintmax_t)(i->tsc_khz / 1000), (uintmax_t)(i->tsc_khz % 1000));
	else
		printf("Clock      wall clocks: what was in the new kernel is uncertain by %s s\n",
		       seconds(text, i->uncertainty));
}

static void print_summary_lines(const struct pkram_report_info *i)
{
	char when[TEXT_MAX], all[TEXT_MAX], down[TEXT_MAX], boot[TEXT_MAX], wait[TEXT_MAX],
		restore[TEXT_MAX];

	printf("Jump       %s%s\n", local_time(when, i->jumped_at),
	       i->jump == PKRAM_JUMP_STATUS_PAST ?
		       "; the machine was started otherwise since" : "");
	if (i->next != PKRAM_JUMP_STATUS_NONE)
		printf("Next jump  %s %s\n",
		       i->next == PKRAM_JUMP_STATUS_PAST ?
			       "of an earlier boot, has not arrived:" : jump_name(i->next),
		       local_time(when, i->next_at));
	print_clock(i);
	printf("Downtime   %s s: %s down, ", seconds(all, i->downtime), seconds(down, i->down));
	if (i->kernel_at)
		printf("%s boot, %s wait, %s restore\n", seconds(boot, i->boot),
		       seconds(wait, i->wait), seconds(restore, i->restore));
	else
		puts("with the new kernel's boot; of what came later nothing is known");
	printf("Nodes      %ju came by it, %ju restored", (uintmax_t)i->nodes,
	       (uintmax_t)i->restored);
	if (i->untold)
		printf(" (%ju of them not listed)", (uintmax_t)i->untold);
	if (i->gone)
		printf(", %ju gone since", (uintmax_t)i->gone);
	puts("\n");
}

/* --- for programs --- */

static void json_offset(struct json *j, const char *key, int64_t ns)
{
	if (ns < 0)
		json_negative_seconds(j, key, 0 - (uint64_t)ns);
	else
		json_seconds(j, key, (uint64_t)ns);
}

static void phase_json(struct json *j, const struct pkram_phase *p)
{
	json_begin(j, NULL, '{');
	json_string(j, "phase", phase_names[p->kind]);
	if (has_node(p)) {
		json_string(j, "node", p->name);
		json_number(j, "id", p->id);
		json_number(j, "bytes", p->bytes);
		json_number(j, "moved", p->moved);
	}
	json_offset(j, "start", p->start);
	if (has_time(p))
		json_seconds(j, "seconds", p->ns);
	json_end(j, '}');
}

static void time_json(struct json *j, const char *key, int64_t ns)
{
	char text[TEXT_MAX];

	if (ns)
		json_string(j, key, utc_time(text, ns));
}

static void print_json(const struct pkram_report *report)
{
	const struct pkram_report_info *i = pkram_report_get_info(report);
	struct json j = { .f = stdout };
	char id[33];

	for (size_t b = 0; b < sizeof(i->id); b++)
		snprintf(id + 2 * b, 3, "%02x", i->id[b]);
	json_begin(&j, NULL, '{');
	json_begin(&j, "jump", '{');
	json_string(&j, "id", id);
	json_string(&j, "state", jump_name(i->jump));
	time_json(&j, "staged", i->staged_at);
	time_json(&j, "jumped", i->jumped_at);
	time_json(&j, "kernel", i->kernel_at);
	time_json(&j, "available", i->available_at);
	json_end(&j, '}');
	json_string(&j, "next", jump_name(i->next));
	time_json(&j, "next_time", i->next_at);
	json_string(&j, "clock", i->clock == PKRAM_CLOCK_TSC ? "tsc" : "wall");
	if (i->clock == PKRAM_CLOCK_TSC)
		json_number(&j, "tsc_khz", i->tsc_khz);
	json_seconds(&j, "uncertainty", i->uncertainty);
	json_seconds(&j, "downtime", i->downtime);
	json_seconds(&j, "down", i->down);
	if (i->kernel_at) {
		json_seconds(&j, "boot", i->boot);
		json_seconds(&j, "wait", i->wait);
		json_seconds(&j, "restore", i->restore);
	}
	json_number(&j, "nodes", i->nodes);
	json_number(&j, "gone", i->gone);
	json_number(&j, "restored", i->restored);
	json_number(&j, "untold", i->untold);
	json_begin(&j, "phases", '[');
	for (size_t n = 0; n < pkram_report_count(report); n++)
		phase_json(&j, pkram_report_get(report, n));
	json_end(&j, ']');
	json_end(&j, '}');
}

/* --- the verb --- */

static void report_free_p(struct pkram_report **p)
{
	pkram_report_free(*p);
}

static int verify_all(struct pkram_region *region, struct metrics *m, struct pkram_transfer *t)
{
	progress_begin();
	catch_signals(-1);
	m->verify_result = pkram_verify(region, NULL, 0, t);
	progress_end();
	/* Damage is what the metrics are for; anything else says nothing of it. */
	if (m->verify_result == 0 || m->verify_result == -EBADMSG)
		m->verified = t;
	return m->verify_result;
}

/* That no jump has arrived is no failure here, and not worth a word in the log of a timer. */
static int gather(struct pkram_region *region, struct metrics *m, struct pkram_report **ret_report)
{
	int r;

	messages_hold();
	r = pkram_report_new(region, ret_report);
	messages_release(r < 0 && r != -ENODATA);
	if (r == 0)
		m->report = *ret_report;
	return r == -ENODATA ? 0 : r;
}

/* A region that cannot be opened is told by the metrics, too: that is when somebody has to know. */
static int run_prometheus(struct cmd *cmd)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_node_list_ struct pkram_node_list *nodes = NULL;
	_cleanup_(report_free_p) struct pkram_report *report = NULL;
	struct metrics m = { .spec = cmd->region ? cmd->region : "" };
	struct pkram_region_info info;
	struct pkram_transfer t;
	int r, k;

	r = open_region_to_look(cmd, &region);
	if (r == 0)
		r = pkram_region_get_info(region, &info);
	if (r == 0)
		r = pkram_node_list_new(region, &nodes);
	if (r == 0) {
		m.region = &info;
		m.nodes = nodes;
		r = gather(region, &m, &report);
	}
	if (r == 0 && opt.verify)
		r = verify_all(region, &m, &t);
	if (r == -ECANCELED)
		return exit_code(r);
	if (!opt.prometheus.value) {
		metrics_print(stdout, &m);
		return exit_code(r);
	}
	k = metrics_write(opt.prometheus.value, &m);
	return exit_code(k < 0 ? k : r);
}

static int run_report(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_(report_free_p) struct pkram_report *report = NULL;
	int r;

	(void)argc;
	(void)argv;
	if (opt.prometheus.given && cmd->json)
		return usage_error(cmd, "--prometheus and --json exclude each other");
	if (opt.prometheus.value && !*opt.prometheus.value)
		return usage_error(cmd, "--prometheus: an empty word is no FILE");
	if (opt.verify && !opt.prometheus.given)
		return usage_error(cmd, "--verify goes with --prometheus");
	if (opt.prometheus.given)
		return run_prometheus(cmd);
	r = open_region_to_look(cmd, &region);
	if (r < 0)
		return exit_code(r);
	r = pkram_report_new(region, &report);
	if (r == -ENODATA) {
		exit_code(r);
		return EXIT_NOTHING;
	}
	if (r < 0)
		return exit_code(r);
	if (cmd->json) {
		print_json(report);
		return EXIT_DONE;
	}
	if (!opt.no_headings)
		print_summary_lines(pkram_report_get_info(report));
	return exit_code(print_table(report));
}

const struct verb verb_report = {
	.name = "report",
	.args = "",
	.help = "show where the time of the last jump went",
	.options = options,
	.run = run_report,
};
