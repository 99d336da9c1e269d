/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram restore - nodes back to trees.
 */
#include <string.h>

#include "copy.h"
#include "options.h"
#include "report.h"

static struct pkram_restore_options opt = { .struct_size = sizeof(opt) };
static struct optional_string mount_options;

static const struct option_row options[] = {
	{ "to", 't', "DIR", "restore below DIR, not to the saved paths", OPTION_STRING, &opt.to },
	{ "force", 'f', NULL, "replace a target that is not empty", OPTION_FLAG, &opt.flags,
	  PKRAM_RESTORE_FORCE },
	{ "mount", 'm', "OPTIONS", "make the tmpfs where the source was a mount", OPTION_OPTIONAL,
	  &mount_options },
	{ "salvage", 0, NULL, "leave damaged files out instead of failing", OPTION_FLAG, &opt.flags,
	  PKRAM_RESTORE_SALVAGE },
	{ "once", 0, NULL, "only what this boot has not restored yet", OPTION_FLAG, &opt.flags,
	  PKRAM_RESTORE_ONCE },
	{ "stale", 0, NULL, "also what was not saved for this boot", OPTION_FLAG, &opt.flags,
	  PKRAM_RESTORE_STALE },
	{ NULL },
};

/* Where only root can ask the kernel, the restore says it. */
static int take_mount(struct cmd *cmd)
{
	int r;

	if (!mount_options.given)
		return 0;
	opt.flags |= PKRAM_RESTORE_MOUNT;
	opt.mount_options = mount_options.value;
	if (!opt.mount_options)
		return 0;
	if (!*opt.mount_options)
		return usage_error(cmd, "--mount: an empty word is no option of a mount");
	if (!has_good_huge(opt.mount_options))
		return usage_error(cmd, "--mount: '%s': " HUGE_WANTED, opt.mount_options);
	r = pkram_mount_check(cmd->ctx, "restore: --mount", opt.mount_options);
	if (r == -EINVAL)
		return EXIT_USAGE;
	return r < 0 && r != -EPERM ? exit_code(r) : 0;
}

/* "--mount huge=never": the value is taken for a name, which no node has. */
static bool is_value_of_mount(struct pkram_region *region, const char *word)
{
	_cleanup_node_list_ struct pkram_node_list *nodes = NULL;

	return mount_options.given && !mount_options.value && strchr(word, '=') &&
	       pkram_node_list_new(region, &nodes) == 0 && !pkram_node_list_find(nodes, word);
}

static int run_restore(struct cmd *cmd, int argc, char **argv)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	int r;

	/* An empty variable of a script must not turn into the trees' own paths. */
	if (opt.to && !*opt.to)
		return usage_error(cmd, "--to: an empty word is no directory");
	r = take_mount(cmd);
	if (r)
		return r;
	/* From a read-only copy, too: that it was restored is noted nowhere then. */
	r = opt.flags & PKRAM_RESTORE_ONCE ? open_region(cmd, &region) :
					     open_region_to_look(cmd, &region);
	if (r < 0)
		return exit_code(r);
	if (argc && is_value_of_mount(region, argv[0]))
		return usage_error(cmd, "no node named %s; as a value of --mount it is written "
				   "--mount=%s", argv[0], argv[0]);
	r = copy_restore(cmd, region, (const char *const *)argv, (size_t)argc, &opt);
	if (r == -ENODATA) {
		exit_code(r);
		return EXIT_NOTHING;
	}
	return exit_code(r);
}

const struct verb verb_restore = {
	.name = "restore",
	.args = "[NAME...]",
	.help = "restore trees, all or those named, each whole or not at all",
	.max_args = ARGS_ANY,
	.flags = VERB_NAMES | VERB_MANY_FILES,
	.options = options,
	.run = run_restore,
};
