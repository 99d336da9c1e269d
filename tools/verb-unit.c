/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram unit - what the units of systemd run: restore at boot, save at shutdown, arm the jump last;
 * and what the initramfs runs.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "options.h"
#include "report.h"
#include "unit.h"

static void items_free_p(void *p)
{
	free(*(void **)p);
}

/* --- restore --- */

static void warn_of_links(const struct unit *u)
{
	char target[PATH_MAX];

	for (size_t i = 0; i < u->paths.n; i++)
		if (realpath(u->paths.v[i], target) && strcmp(target, u->paths.v[i]) != 0)
			say_error("%s: a link leads to %s, which systemd may unmount before it is "
				  "saved: name that instead", u->paths.v[i], target);
}

static int run_restore(struct cmd *cmd, const struct unit *u)
{
	int code = unit_restore(cmd, u, NULL), r;

	/* It was told to end: systemd runs no ExecStop= of a unit that never got to run. */
	if (interrupted())
		return code;
	warn_of_links(u);
	/* Whatever came of that: what the service makes now is saved in the end. */
	r = unit_promise(cmd, u);
	if (r < 0)
		say_error("/run/pkram: %s", strerror(-r));
	return r < 0 ? EXIT_FAILED : code;
}

/* --- in the initramfs --- */

/* As long as a unit may take: a machine that does not come up is worse than a cold service. */
#define EARLY_SECONDS (15 * 60)

static int early_unit(struct cmd *cmd, const char *name, const char *root)
{
	struct unit u;
	int code = EXIT_NOTHING, r = unit_read(cmd, name, NULL, &u);

	if (r < 0)
		return EXIT_USAGE;
	if (u.early && unit_can_be_early(&u, root))
		code = unit_restore(cmd, &u, root);
	unit_done(&u);
	return code;
}

/* What goes wrong with one unit is no reason to leave the others out. */
static int early(struct cmd *cmd, const char *root)
{
	struct string_list names = { 0 };
	int code = EXIT_NOTHING, r = unit_names(cmd, &names);

	/* Whatever it hangs in; the trees are mounted whole or not at all. */
	alarm(EARLY_SECONDS);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		int k = early_unit(cmd, names.v[i], root);

		if (k != EXIT_NOTHING && (code == EXIT_NOTHING || code == EXIT_DONE))
			code = k;
	}
	string_list_free(&names);
	return r < 0 ? exit_code(r) : code;
}

static int early_files(struct cmd *cmd)
{
	struct string_list files = { 0 }, broken = { 0 };
	int code, r = unit_early_files(cmd, &files, &broken);

	for (size_t i = 0; i < files.n; i++)
		puts(files.v[i]);
	code = files.n ? EXIT_DONE : broken.n ? EXIT_USAGE : EXIT_NOTHING;
	string_list_free(&files);
	string_list_free(&broken);
	return r < 0 ? exit_code(r) : code;
}

/* --- save --- */

/* How many are there; the others are in `gone`. */
static size_t present(const struct unit *u, struct pkram_save_item *items, const char **gone)
{
	struct stat st;
	size_t n = 0;

	for (size_t i = 0; i < u->paths.n; i++) {
		if (lstat(u->paths.v[i], &st) == 0 || errno != ENOENT) {
			items[n++] = (struct pkram_save_item){ .path = u->paths.v[i],
							       .name = u->paths.v[i] };
			continue;
		}
		say_info("%s: is not there, and not saved", u->paths.v[i]);
		gone[i - n] = u->paths.v[i];
	}
	return n;
}

/* What this boot saved of them earlier would come back beside what is newer. */
static int remove_older(struct pkram_region *region, const char **names, size_t n)
{
	_cleanup_node_list_ struct pkram_node_list *list = NULL;
	int r = n ? pkram_node_list_new(region, &list) : 0;
	size_t older = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct pkram_node *node = pkram_node_list_find(list, names[i]);

		if (!node || node->freshness != PKRAM_FRESH_THIS_BOOT)
			continue;
		say_info("%s: what was saved of it earlier in this boot is removed", names[i]);
		names[older++] = names[i];
	}
	return r < 0 ? r : pkram_node_remove(region, names, older, 0);
}

static int run_save(struct cmd *cmd, const struct unit *u)
{
	static const struct pkram_save_options opt = { .struct_size = sizeof(opt) };
	_cleanup_(items_free_p) struct pkram_save_item *items = calloc(u->paths.n, sizeof(*items));
	_cleanup_(items_free_p) const char **gone = calloc(u->paths.n, sizeof(*gone));
	_cleanup_region_ struct pkram_region *region = NULL;
	size_t n;
	int r;

	if (!items || !gone)
		return exit_code(-ENOMEM);
	/* Where nobody knows, it may be so: what is saved for nothing does no harm. */
	if (!u->always && pkram_jump_is_queued(cmd->ctx) == 0) {
		say_info("%s: the machine is not on its way into a kexec; nothing is saved",
			 u->name);
		unit_keep_promise(cmd, u);
		return EXIT_DONE;
	}
	n = present(u, items, gone);
	r = unit_open_region(cmd, u, &region);
	if (r == 0 && n)
		r = copy_save(cmd, region, items, n, &opt);
	if (r == 0)
		r = remove_older(region, gone, u->paths.n - n);
	/* Else it stays, and keeps the jump from being armed: an older node may be there. */
	if (r == 0)
		unit_keep_promise(cmd, u);
	return r == 0 && !n ? EXIT_NOTHING : exit_code(r);
}

/* --- arm --- */

/* What a unit did not get saved may be there as it was earlier in this boot. */
static int check_promises(const struct cmd *cmd)
{
	struct promises left = { 0 };
	int r = unit_promises(cmd, &left);

	for (size_t i = 0; i < left.n; i++) {
		say_error("%s: its unit did not save it", left.v[i].path);
		r = -EUCLEAN;
	}
	promises_free(&left);
	return r;
}

static int arm_staged(struct cmd *cmd, struct pkram_region *region)
{
	/* What others than units saved was compared when the jump was staged. */
	static const struct pkram_jump_options opt = { .struct_size = sizeof(opt),
						       .flags = PKRAM_JUMP_TRUST_TIMES };
	int r = check_promises(cmd);

	return r < 0 ? r : pkram_arm(region, &opt);
}

/* Whatever kept it from being armed: it is not to be made, and records of it are of no use. */
static int give_up(struct cmd *cmd, struct pkram_region *region, int r)
{
	if (pkram_stage_unload(cmd->ctx) < 0) {
		say_error("the jump is not armed, and its kernel cannot be unloaded: the next boot "
			  "restores nothing");
		return exit_code(r);
	}
	if (region)
		pkram_stage_cancel(region);
	say_error("the jump is not safe any more: its kernel is unloaded, and the next boot is a "
		  "cold one, which restores nothing");
	return exit_code(r);
}

static int arm(struct cmd *cmd)
{
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_(items_free_p) char *spec = NULL;
	int r;

	/* Ended by its time limit, it still has to give up. */
	catch_signals(-1);
	/* Where nobody knows: a jump that is armed and not made restores nothing. */
	if (pkram_jump_is_queued(cmd->ctx) == 0) {
		say_info("the machine is not on its way into a kexec; nothing is armed");
		return EXIT_DONE;
	}
	/* The region that was named when the jump was staged: a machine may have several. */
	r = pkram_staged_region(cmd->ctx, &spec);
	if (r == -ENODATA) {
		say_error("the kernel that is loaded was not staged by 'pkram kexec': the next "
			  "boot restores nothing");
		return EXIT_FAILED;
	}
	if (r == 0)
		r = pkram_region_open(cmd->ctx, spec, 0, &region);
	if (r == 0)
		r = arm_staged(cmd, region);
	if (r < 0)
		return give_up(cmd, region, r);
	say_info("the jump is armed");
	return EXIT_DONE;
}

/* --- the drop-ins of a generator, see systemd.generator(7) --- */

/* "%%" is '%', and what is behind a backslash is itself: systemd knows no \x22 there. */
static void put_mounts_for(FILE *f, const char *path)
{
	fputs("RequiresMountsFor=\"", f);
	for (; *path; path++) {
		if (*path == '%')
			putc('%', f);
		else if (*path == '"' || *path == '\\')
			putc('\\', f);
		putc(*path, f);
	}
	fputs("\"\n", f);
}

/* DIR/UNIT.d/50-pkram-NAME.conf, NULL with the reason said. */
static FILE *drop_in(const char *dir, const char *of, const char *name)
{
	char path[PATH_MAX];
	FILE *f = NULL;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s.d", dir, of) < sizeof(path) - NAME_MAX &&
	    (mkdir(path, 0755) == 0 || errno == EEXIST)) {
		snprintf(path + strlen(path), NAME_MAX, "/50-pkram-%s.conf", name);
		f = fopen(path, "we");
	}
	if (!f)
		say_error("%s: %s", path, strerror(errno));
	else
		fprintf(f, "# Of " UNIT_CONF_DIR "/%s.conf\n[Unit]\n", name);
	return f;
}

static int finish(FILE *f, const struct unit *u)
{
	bool failed = ferror(f);

	if (fclose(f) == 0 && !failed)
		return 0;
	say_error("%s: cannot write its drop-ins: %s", u->name, strerror(errno));
	return -EIO;
}

static int generate_service(const char *dir, const struct unit *u, const char *service)
{
	FILE *f = drop_in(dir, service, u->name);

	if (!f)
		return -EIO;
	fprintf(f, "Wants=pkram@%s.service\nAfter=pkram@%s.service\n", u->name, u->name);
	return finish(f, u);
}

static int generate_unit(const char *dir, const struct unit *u)
{
	char of[NAME_MAX + 1];
	FILE *f;
	int r;

	snprintf(of, sizeof(of), "pkram@%s.service", u->name);
	f = drop_in(dir, of, u->name);
	if (!f)
		return -EIO;
	for (size_t i = 0; i < u->paths.n; i++)
		put_mounts_for(f, u->paths.v[i]);
	if (u->time_limit)
		fprintf(f, "[Service]\nTimeoutStartSec=%s\nTimeoutStopSec=%s\n", u->time_limit,
			u->time_limit);
	r = finish(f, u);
	for (size_t i = 0; r == 0 && i < u->services.n; i++)
		r = generate_service(dir, u, u->services.v[i]);
	return r;
}

/* One bad file is no reason to leave the others out. */
static int generate(struct cmd *cmd, const char *dir)
{
	struct string_list names = { 0 };
	int code = EXIT_DONE, r = unit_names(cmd, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct unit u;
		int k = unit_read(cmd, names.v[i], NULL, &u);

		if (k == 0) {
			k = generate_unit(dir, &u);
			unit_done(&u);
		}
		if (k < 0)
			code = k == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	string_list_free(&names);
	return r < 0 ? exit_code(r) : code;
}

/* --- the verb --- */

static int with_unit(struct cmd *cmd, char **argv,
		     int (*run)(struct cmd *cmd, const struct unit *u))
{
	struct unit u;
	int r;

	if (!*argv[0])
		return usage_error(cmd, "an empty word is no NAME");
	r = unit_read(cmd, argv[0], argv[1], &u);
	if (r < 0)
		return r == -EINVAL || r == -ENOENT ? EXIT_USAGE : exit_code(r);
	r = run(cmd, &u);
	unit_done(&u);
	return r;
}

/* Words behind the action's; those that are missing are NULL. */
static int do_restore(struct cmd *cmd, char **argv)
{
	return with_unit(cmd, argv, run_restore);
}

static int do_save(struct cmd *cmd, char **argv)
{
	return with_unit(cmd, argv, run_save);
}

static int do_arm(struct cmd *cmd, char **argv)
{
	(void)argv;
	return arm(cmd);
}

static int do_generate(struct cmd *cmd, char **argv)
{
	return *argv[0] ? generate(cmd, argv[0]) : usage_error(cmd, "an empty word is no DIR");
}

static int do_early(struct cmd *cmd, char **argv)
{
	return early(cmd, argv[0]);
}

static int do_early_files(struct cmd *cmd, char **argv)
{
	(void)argv;
	return early_files(cmd);
}

static const struct action {
	const char *name, *args;
	int min_args, max_args;
	int (*run)(struct cmd *cmd, char **argv);
} actions[] = {
	{ "restore", "NAME", 1, 2, do_restore },
	{ "save", "NAME", 1, 2, do_save },
	{ "arm", "", 0, 0, do_arm },
	{ "generate", "DIR", 1, 1, do_generate },
	{ "early", "ROOT", 1, 1, do_early },
	{ "early-files", "", 0, 0, do_early_files },
};

static int run_action(struct cmd *cmd, const struct action *a, int argc, char **argv)
{
	char *words[2] = { NULL };

	if (argc < a->min_args)
		return usage_error(cmd, "%s: %s is missing", a->name, a->args);
	if (argc > a->max_args)
		return usage_error(cmd, "%s: '%s' is one argument too many", a->name,
				   argv[a->max_args]);
	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	return a->run(cmd, words);
}

static int run_unit(struct cmd *cmd, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(argv[0], actions[i].name) == 0)
			return run_action(cmd, &actions[i], argc - 1, argv + 1);
	return usage_error(cmd, "'%s' is not restore, save, arm, generate, early or early-files",
			   argv[0]);
}

static void print_more(FILE *f)
{
	fputs("\nWhat it does:\n"
	      "  restore NAME [PATH]       what came by the jump\n"
	      "  save NAME [PATH]          on the way into a kexec\n"
	      "  arm                       the jump that is staged\n"
	      "  generate DIR              the drop-ins that tie services to their units\n"
	      "  early ROOT                restore below ROOT, in an initramfs\n"
	      "  early-files               print the files that this needs there\n", f);
}

const struct verb verb_unit = {
	.name = "unit",
	.args = "WHAT [NAME [PATH]]",
	.help = "what the units of systemd run, and the initramfs",
	.min_args = 1,
	.max_args = 3,
	.flags = VERB_NO_JSON | VERB_MANY_FILES,
	.print_more = print_more,
	.run = run_unit,
};
