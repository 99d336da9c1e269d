/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram init - write an empty container.
 */
#include <string.h>

#include "column.h"
#include "options.h"
#include "report.h"

static struct pkram_init_options opt = { .struct_size = sizeof(opt) };

static const struct option_row options[] = {
	{ "size", 's', "N", "make a file: region of N bytes (K, M, G, T)", OPTION_SIZE, &opt.size },
	{ "force", 'f', NULL, "write over what is there; its content is lost", OPTION_FLAG,
	  &opt.flags, PKRAM_INIT_FORCE },
	{ NULL },
};

static void print_done(const struct cmd *cmd, const struct pkram_region_info *info)
{
	char size[TEXT_MAX], payload[TEXT_MAX];
	struct json j = { .f = stdout };

	if (!cmd->json) {
		say_info("made an empty container in %s: %s, %s of it for nodes", info->spec,
			 human_size(size, info->size, false),
			 human_size(payload, info->payload, false));
		return;
	}
	json_begin(&j, NULL, '{');
	json_string(&j, "verb", cmd->verb->name);
	region_json(info, &j);
	json_end(&j, '}');
}

static int run_init(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	struct pkram_region_info info;
	int r;

	if (argc && cmd->region && strcmp(cmd->region, argv[0]) != 0)
		return usage_error(cmd, "-r and REGION name two regions");
	if (argc)
		cmd->region = argv[0];
	r = pkram_region_init(cmd->ctx, cmd->region, &opt);
	if (r == -EDESTADDRREQ) {
		exit_code(r);
		return EXIT_USAGE;
	}
	if (r == 0)
		r = open_region(cmd, &region);
	if (r == 0)
		r = pkram_region_get_info(region, &info);
	if (r == 0)
		print_done(cmd, &info);
	return exit_code(r);
}

const struct verb verb_init = {
	.name = "init",
	.args = "[REGION]",
	.help = "write an empty container into a region",
	.max_args = 1,
	.options = options,
	.run = run_init,
};
