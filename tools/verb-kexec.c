/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram kexec - prove that the next kernel keeps the region, load it, jump.
 */
#include "json.h"
#include "options.h"
#include "report.h"
#include "unit.h"

static struct {
	struct pkram_stage_options stage;
	struct pkram_jump_options jump;
	struct string_list leave_behind;
	struct unit_jump units;
	const char *method;
	bool trust_times;
	bool verify;
	bool load_only;
	bool cancel;
} opt = {
	.stage.struct_size = sizeof(opt.stage),
	.jump.struct_size = sizeof(opt.jump),
};

static const struct option_row options[] = {
	{ "kernel", 'k', "K", "start kernel K, not the one a reboot starts", OPTION_STRING,
	  &opt.stage.kernel },
	{ "initrd", 'i', "I", "its initrd; '' for none", OPTION_STRING, &opt.stage.initrd },
	{ "append", 'a', "WORDS", "add to the running command line", OPTION_STRING,
	  &opt.stage.append },
	{ "command-line", 0, "LINE", "use this command line instead", OPTION_STRING,
	  &opt.stage.command_line },
	{ "method", 'm', "HOW", "load by file, load or auto (which takes file)", OPTION_STRING,
	  &opt.method },
	{ "load-only", 'l', NULL, "check and load, do not jump", OPTION_BOOL, &opt.load_only },
	{ "cancel", 'c', NULL, "unload the kernel, forget the jump", OPTION_BOOL, &opt.cancel },
	{ "leave-behind", 0, "NAME", "jump though its source changed; repeatable", OPTION_LIST,
	  &opt.leave_behind },
	{ "trust-times", 0, NULL, "do not read the sources again", OPTION_BOOL, &opt.trust_times },
	{ "verify", 0, NULL, "read what is saved against its checksums", OPTION_BOOL,
	  &opt.verify },
	{ "no-systemd", 0, NULL, "jump with 'kexec -e' at once", OPTION_FLAG, &opt.jump.flags,
	  PKRAM_JUMP_NO_SYSTEMD },
	{ NULL },
};

static int check_options(const struct cmd *cmd)
{
	const struct pkram_stage_options *s = &opt.stage;

	if (opt.method && parse_method(opt.method, &opt.stage.method) < 0)
		return usage_error(cmd, "--method: '%s' is not file, load or auto", opt.method);
	if (opt.cancel && (opt.load_only || opt.method || s->kernel || s->initrd || s->append ||
			   s->command_line || opt.trust_times || opt.verify || opt.jump.flags ||
			   opt.leave_behind.n))
		return usage_error(cmd, "--cancel goes alone");
	if (s->append && s->command_line)
		return usage_error(cmd, "--append and --command-line exclude each other");
	return EXIT_DONE;
}

static void print_done(const struct cmd *cmd)
{
	struct json j = { .f = stdout };

	if (cmd->json) {
		json_begin(&j, NULL, '{');
		json_string(&j, "verb", cmd->verb->name);
		json_bool(&j, "staged", !opt.cancel);
		json_bool(&j, "jumping", !opt.cancel && !opt.load_only);
		json_end(&j, '}');
		/* A jump with kexec -e leaves no later moment. */
		fflush(stdout);
	} else if (opt.cancel) {
		say_info("no jump is staged any more");
	} else if (opt.load_only) {
		say_info("the jump is staged: 'pkram kexec' goes, 'pkram kexec --cancel' does not");
	} else {
		say_info("jumping");
	}
}

/* Whether to go with the kernel that is staged already: nothing that asks for another one was said.
 */
static int staged_already(struct pkram_region *region, bool *ret)
{
	const struct pkram_stage_options *s = &opt.stage;
	struct pkram_region_info info;
	int r = pkram_region_get_info(region, &info);

	if (r == 0)
		*ret = !opt.load_only && !opt.verify && !opt.method && !s->kernel &&
		       !s->initrd && !s->append && !s->command_line &&
		       (info.jump == PKRAM_JUMP_STATUS_STAGED ||
			info.jump == PKRAM_JUMP_STATUS_ARMED);
	return r;
}

static int prepare(struct cmd *cmd, struct pkram_region *region)
{
	bool staged = false;
	int r;

	if (opt.cancel)
		return pkram_stage_cancel(region);
	opt.stage.leave_behind = opt.jump.leave_behind = opt.leave_behind.v;
	opt.stage.n_leave_behind = opt.jump.n_leave_behind = opt.leave_behind.n;
	/* 'kexec -e' stops no unit. */
	r = unit_jump_read(cmd, !(opt.jump.flags & PKRAM_JUMP_NO_SYSTEMD), &opt.units, &opt.stage);
	if (r < 0)
		return r;
	opt.jump.saved_later = opt.stage.saved_later;
	opt.jump.n_saved_later = opt.stage.n_saved_later;
	opt.stage.flags = (opt.trust_times ? PKRAM_STAGE_TRUST_TIMES : 0) |
			  (opt.verify ? PKRAM_STAGE_VERIFY : 0) |
			  (opt.jump.flags & PKRAM_JUMP_NO_SYSTEMD ? PKRAM_STAGE_NO_SYSTEMD : 0);
	opt.jump.flags |= opt.trust_times ? PKRAM_JUMP_TRUST_TIMES : 0;
	r = staged_already(region, &staged);
	if (r < 0)
		return r;
	if (staged) {
		say_info("with what was staged, loaded anew; --kernel, --append or --cancel change "
			 "that");
		return 0;
	}
	/* The sources are not read twice in a row. */
	opt.jump.flags |= PKRAM_JUMP_TRUST_TIMES;
	return pkram_stage(region, &opt.stage);
}

static int run_kexec(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	int r = check_options(cmd);

	(void)argc;
	(void)argv;
	if (r != EXIT_DONE)
		return r;
	r = open_region(cmd, &region);
	if (r == 0)
		r = prepare(cmd, region);
	if (r < 0)
		return exit_code(r);
	print_done(cmd);
	if (!opt.cancel && !opt.load_only)
		r = pkram_jump(region, &opt.jump);
	return exit_code(r);
}

const struct verb verb_kexec = {
	.name = "kexec",
	.args = "",
	.help = "start the next kernel, once it is sure to keep the region",
	.flags = VERB_MANY_FILES,
	.options = options,
	.run = run_kexec,
};
