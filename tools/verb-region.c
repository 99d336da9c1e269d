/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram region convert - show the memory of a region as the other kind of device.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "memory.h"
#include "options.h"
#include "report.h"
#include "text.h"

static struct {
	const char *to;
	bool yes;
} opt;

static const struct option_row options[] = {
	{ "to", 't', "MODE", "raw or devdax", OPTION_STRING, &opt.to },
	{ "yes", 'y', NULL, "do not ask", OPTION_BOOL, &opt.yes },
	{ NULL },
};

static int parse_mode(const char *name, enum pkram_memory_mode *ret)
{
	static const enum pkram_memory_mode modes[] = { PKRAM_MODE_RAW, PKRAM_MODE_DEVDAX };

	for (size_t i = 0; name && i < ARRAY_SIZE(modes); i++)
		if (strcmp(name, memory_mode_name(modes[i])) == 0) {
			*ret = modes[i];
			return 0;
		}
	return -EINVAL;
}

static void print_plan(const struct pkram_conversion *c)
{
	char size[TEXT_MAX], before[TEXT_MAX], after[TEXT_MAX];
	bool raw = c->to == PKRAM_MODE_RAW;

	printf("Memory     legacy pmem, %s at %#" PRIx64 "\n", human_size(size, c->size, false),
	       c->phys);
	printf("Device     %s (%s) goes, %s comes\n", c->device, memory_mode_name(c->from),
	       raw ? "/dev/pmemN (raw)" : "/dev/daxN.M (devdax, pages of 2 MiB, map in RAM)");
	if (c->container)
		printf("Content    container %s, %ju node%s, generation %ju: stays where it is\n",
		       c->uuid, (uintmax_t)c->nodes, plural(c->nodes),
		       (uintmax_t)c->generation);
	else
		puts("Content    nothing that is known");
	printf("Usable     %s, then %s\n", human_size(before, c->usable, false),
	       human_size(after, c->new_usable, false));
	printf("Written    4096 bytes at byte 4096 of the memory, which is in no container: "
	       "libnvdimm's\n           mark of a devdax %s\n", raw ? "goes" : "comes");
	fflush(stdout);
}

static void print_json(const struct cmd *cmd, const struct pkram_conversion *c, bool converted)
{
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	json_string(&j, "verb", cmd->verb->name);
	json_bool(&j, "converted", converted);
	json_string(&j, "from", memory_mode_name(c->from));
	json_string(&j, "to", memory_mode_name(c->to));
	json_string(&j, "device", c->device);
	if (*c->new_device)
		json_string(&j, "new_device", c->new_device);
	if (c->size) {
		json_number(&j, "start", c->phys);
		json_number(&j, "size", c->size);
		json_number(&j, "usable", c->usable);
		json_number(&j, "new_usable", c->new_usable);
	}
	if (c->container) {
		json_string(&j, "uuid", c->uuid);
		json_number(&j, "generation", c->generation);
		json_number(&j, "nodes", c->nodes);
	}
	json_end(&j, '}');
}

/* Nobody is there to be asked: no. */
static bool ask(const struct pkram_conversion *c)
{
	char answer[16];

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fprintf(stderr, "Convert %s? [y/N] ", c->device);
	fflush(stderr);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

static int run_convert(struct cmd *cmd, const char *device, enum pkram_memory_mode to)
{
	struct pkram_conversion c;
	int r;

	r = pkram_region_convert(cmd->ctx, device, to, PKRAM_CONVERT_PLAN_ONLY, &c);
	if (r == -EALREADY) {
		c = (struct pkram_conversion){ .from = to, .to = to };
		snprintf(c.device, sizeof(c.device), "%s", device);
		if (cmd->json)
			print_json(cmd, &c, false);
		say_info("%s is %s already", device, opt.to);
		return EXIT_DONE;
	}
	if (r < 0)
		return exit_code(r);
	if (!cmd->json)
		print_plan(&c);
	if (!opt.yes && (cmd->json || !ask(&c))) {
		if (cmd->json)
			print_json(cmd, &c, false);
		say_info("nothing was changed; --yes converts without asking");
		return EXIT_NOTHING;
	}
	r = pkram_region_convert(cmd->ctx, device, to, 0, &c);
	if (r < 0)
		return exit_code(r);
	if (cmd->json)
		print_json(cmd, &c, true);
	else
		say_info("%s is %s now%s", c.device, c.new_device,
			 c.container ? "; its container was found again" : "");
	return EXIT_DONE;
}

static int run_region(struct cmd *cmd, int argc, char **argv)
{
	enum pkram_memory_mode to;

	if (strcmp(argv[0], "convert") != 0)
		return usage_error(cmd, "no action '%s'", argv[0]);
	if (argc == 2 && cmd->region && strcmp(cmd->region, argv[1]) != 0)
		return usage_error(cmd, "-r and DEVICE name two regions");
	if (argc < 2 && !cmd->region)
		return usage_error(cmd, "DEVICE is missing");
	if (parse_mode(opt.to, &to) < 0)
		return opt.to ? usage_error(cmd, "--to: '%s' is neither raw nor devdax", opt.to) :
				usage_error(cmd, "--to raw or --to devdax is missing");
	return run_convert(cmd, argc == 2 ? argv[1] : cmd->region, to);
}

const struct verb verb_region = {
	.name = "region",
	.args = "convert --to MODE [DEVICE]",
	.help = "convert a region's device, raw or devdax",
	.min_args = 1,
	.max_args = 2,
	.options = options,
	.run = run_region,
};
