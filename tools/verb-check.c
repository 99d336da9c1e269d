/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram check - all that speaks for and against the jump, and what to do about it.
 */
#include <libsmartcols.h>

#include "json.h"
#include "options.h"
#include "report.h"
#include "unit.h"

static struct {
	struct pkram_stage_options stage;
	struct string_list leave_behind;
	struct unit_jump units;
	const char *method;
	bool no_verify;
} opt = { .stage.struct_size = sizeof(opt.stage), .stage.flags = PKRAM_STAGE_VERIFY };

static const struct option_row options[] = {
	{ "kernel", 'k', "K", "check for kernel K, not the one a reboot starts", OPTION_STRING,
	  &opt.stage.kernel },
	{ "initrd", 'i', "I", "its initrd; '' for none", OPTION_STRING, &opt.stage.initrd },
	{ "append", 'a', "WORDS", "add to the running command line", OPTION_STRING,
	  &opt.stage.append },
	{ "command-line", 0, "LINE", "use this command line instead", OPTION_STRING,
	  &opt.stage.command_line },
	{ "method", 'm', "HOW", "load by file, load or auto (which takes file)", OPTION_STRING,
	  &opt.method },
	{ "leave-behind", 0, "NAME", "its source may have changed; repeatable", OPTION_LIST,
	  &opt.leave_behind },
	{ "trust-times", 0, NULL, "do not read the sources again", OPTION_FLAG, &opt.stage.flags,
	  PKRAM_STAGE_TRUST_TIMES },
	{ "no-verify", 0, NULL, "do not read what is saved", OPTION_BOOL, &opt.no_verify },
	{ NULL },
};

static const char *result_name(enum pkram_check_result result)
{
	switch (result) {
	case PKRAM_CHECK_OK:
		return "ok";
	case PKRAM_CHECK_SKIPPED:
		return "skipped";
	case PKRAM_CHECK_WARNING:
		return "warning";
	case PKRAM_CHECK_FAILS:
		break;
	}
	return "fails";
}

/* --- for programs --- */

static void check_json(const struct pkram_check *check, struct json *j)
{
	json_begin(j, NULL, '{');
	json_string(j, "name", check->name);
	json_string(j, "result", result_name(check->result));
	json_begin(j, "findings", '[');
	for (size_t i = 0; i < check->n_findings; i++) {
		const struct pkram_check_finding *f = &check->findings[i];

		json_begin(j, NULL, '{');
		json_string(j, "result", result_name(f->result));
		json_string(j, "reason", f->reason);
		if (*f->remedy)
			json_string(j, "remedy", f->remedy);
		json_end(j, '}');
	}
	json_end(j, ']');
	json_end(j, '}');
}

static void print_json(const struct pkram_check_list *list)
{
	const struct pkram_check *check;
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	json_bool(&j, "safe", pkram_check_list_safe(list));
	json_begin(&j, "checks", '[');
	for (size_t i = 0; (check = pkram_check_list_get(list, i)); i++)
		check_json(check, &j);
	json_end(&j, ']');
	json_end(&j, '}');
}

/* --- for people --- */

static void table_unref_p(struct libscols_table **p)
{
	scols_unref_table(*p);
}

static int add_line(struct libscols_table *table, const char *name, const char *result,
		    const char *text)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const char *const cells[] = { name, result, text };
	int r = line ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(cells); i++)
		r = scols_line_set_data(line, i, cells[i]);
	return r;
}

static int add_remedy(struct libscols_table *table, const char *remedy)
{
	char *text;
	int r;

	if (asprintf(&text, "  -> %s", remedy) < 0)
		return -ENOMEM;
	r = add_line(table, "", "", text);
	free(text);
	return r;
}

/* What is fine has one line; where something is wrong, only that is shown. */
static int add_check(struct libscols_table *table, const struct pkram_check *check)
{
	size_t shown = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < check->n_findings; i++) {
		const struct pkram_check_finding *f = &check->findings[i];

		if (f->result == PKRAM_CHECK_OK && (check->result != PKRAM_CHECK_OK || shown))
			continue;
		r = add_line(table, shown++ ? "" : check->name, result_name(f->result), f->reason);
		if (r == 0 && *f->remedy)
			r = add_remedy(table, f->remedy);
	}
	return r == 0 && !shown ? add_line(table, check->name, result_name(check->result), "") : r;
}

static int print_table(const struct pkram_check_list *list)
{
	_cleanup_(table_unref_p) struct libscols_table *table = scols_new_table();
	const struct pkram_check *check;
	int r = 0;

	if (!table || !scols_table_new_column(table, "CHECK", 0, 0) ||
	    !scols_table_new_column(table, "RESULT", 0, 0) ||
	    !scols_table_new_column(table, "REASON", 0, SCOLS_FL_WRAP))
		return -ENOMEM;
	for (size_t i = 0; r == 0 && (check = pkram_check_list_get(list, i)); i++)
		r = add_check(table, check);
	return r < 0 ? r : scols_print_table(table);
}

/* --- the verb --- */

static int judge(const struct pkram_check_list *list)
{
	const struct pkram_check *check;
	size_t count[PKRAM_CHECK_FAILS + 1] = { 0 };

	for (size_t i = 0; (check = pkram_check_list_get(list, i)); i++)
		count[check->result]++;
	if (!pkram_check_list_safe(list)) {
		say_error("the jump is not safe: %zu check%s", count[PKRAM_CHECK_FAILS],
			  count[PKRAM_CHECK_FAILS] == 1 ? " fails" : "s fail");
		return EXIT_FAILED;
	}
	if (count[PKRAM_CHECK_WARNING])
		say_info("the jump is safe; %zu check%s", count[PKRAM_CHECK_WARNING],
			 count[PKRAM_CHECK_WARNING] == 1 ? " warns" : "s warn");
	else
		say_info("the jump is safe");
	return EXIT_DONE;
}

static void list_free_p(struct pkram_check_list **p)
{
	pkram_check_list_free(*p);
}

static int run_check(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_(list_free_p) struct pkram_check_list *list = NULL;
	int r;

	(void)argc;
	(void)argv;
	if (opt.stage.append && opt.stage.command_line)
		return usage_error(cmd, "--append and --command-line exclude each other");
	if (opt.method && parse_method(opt.method, &opt.stage.method) < 0)
		return usage_error(cmd, "--method: '%s' is not file, load or auto", opt.method);
	opt.stage.leave_behind = opt.leave_behind.v;
	opt.stage.n_leave_behind = opt.leave_behind.n;
	if (opt.no_verify)
		opt.stage.flags &= ~(uint64_t)PKRAM_STAGE_VERIFY;
	r = unit_jump_read(cmd, true, &opt.units, &opt.stage);
	if (r == 0)
		r = open_region_to_look(cmd, &region);
	if (r < 0)
		return exit_code(r);
	catch_signals(-1);
	progress_begin();
	r = pkram_check(region, &opt.stage, &list);
	progress_end();
	if (r == 0 && cmd->json)
		print_json(list);
	else if (r == 0)
		r = print_table(list);
	return r < 0 ? exit_code(r) : judge(list);
}

const struct verb verb_check = {
	.name = "check",
	.args = "",
	.help = "say whether the jump is safe, and what to do if not",
	.flags = VERB_MANY_FILES,
	.options = options,
	.run = run_check,
};
