/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands that make GRUB's own files of its settings.
 */
#include "machine.h"
#include "op-plan.h"

void op_plan_command_done(struct op_plan_command *cmd)
{
	free(cmd->program);
	for (size_t i = 0; i < OP_PLAN_ARGS; i++)
		free(cmd->argv[i]);
}

/* On a recorded machine no program may reach for the real one. */
static int check_program(struct pkram_ctx *ctx, const char *program)
{
	_cleanup_free_ char *root = NULL, *real = NULL;
	size_t len;

	if (!*ctx->sysroot)
		return 0;
	root = realpath(ctx->sysroot, NULL);
	real = realpath(program, NULL);
	len = root ? strlen(root) : 0;
	if (root && real && strncmp(real, root, len) == 0 && real[len] == '/')
		return 0;
	pkram_log_error(ctx, "%s lies outside of --sysroot and is not run", program);
	return -EOPNOTSUPP;
}

/* -ENOENT where there is no such program. */
static int add_command(struct pkram_plan_change *c, bool needed, const char *const args[])
{
	struct op_plan_command cmd = { .program = kexec_find_program(args[0]), .needed = needed };
	int r = cmd.program ? check_program(c->ctx, cmd.program) : -ENOENT;

	for (size_t i = 0; args[i] && r == 0; i++)
		if (!(cmd.argv[i] = strdup(args[i])))
			r = -ENOMEM;
	if (r == 0)
		r = array_grow(&c->commands, &c->commands_cap, c->n_commands + 1,
			       sizeof(*c->commands));
	if (r < 0)
		op_plan_command_done(&cmd);
	else
		c->commands[c->n_commands++] = cmd;
	return r;
}

static int grub_commands(struct pkram_plan_change *c, bool needed)
{
	static const struct {
		const char *program, *config;
	} ways[] = {
		{ "update-grub", NULL },
		{ "grub-mkconfig", "/boot/grub/grub.cfg" },
		{ "grub2-mkconfig", "/boot/grub2/grub.cfg" },
	};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(ways) && r == -ENOENT; i++) {
		_cleanup_free_ char *config = NULL;
		const char *args[] = { ways[i].program, NULL, NULL, NULL };

		if (ways[i].config) {
			config = machine_path(c->ctx, ways[i].config);
			if (!config)
				return -ENOMEM;
			args[1] = "-o";
			args[2] = config;
		}
		r = add_command(c, needed, args);
	}
	if (r == -ENOENT && needed)
		pkram_log_error(c->ctx, "no update-grub, grub-mkconfig or grub2-mkconfig program");
	return r;
}

int op_plan_commands(struct pkram_plan_change *c)
{
	bool needed = c->loader == KEXEC_LOADER_GRUB;
	int r;

	/* Where it was used before, it may be gone, or half of it; entries are edited. */
	if (!needed && (!kexec_boot_has_grub(c->ctx) || kexec_boot_grub_entries(c->ctx)))
		return 0;
	r = grub_commands(c, needed);
	return needed || r == -ENOMEM ? r : 0;
}

int op_plan_run(struct pkram_plan_change *c)
{
	int r = 0;

	for (size_t i = 0; i < c->n_commands && r == 0; i++) {
		const struct op_plan_command *cmd = &c->commands[i];

		r = kexec_run(c->ctx, cmd->program, cmd->argv);
		if (r == 0 || r == -ENOMEM || cmd->needed)
			continue;
		pkram_log_warning(c->ctx, "%s is not of the boot loader that starts this machine "
				  "now, so that goes on without it", cmd->argv[0]);
		r = 0;
	}
	return r;
}
