/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing the boot loader's settings: what stands there and what will, as a difference to look at
 * first; then the commands that make the boot loader's own files of it, and back again if these
 * fail.
 */
#include "machine.h"
#include "op-plan.h"

/* --- files --- */

int op_plan_read_text(struct pkram_ctx *ctx, const char *path, char **ret)
{
	int r;

	*ret = NULL;
	r = machine_read_text(ctx, path, ret);
	return r == -ENOENT ? 0 : r;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* --- notes --- */

void op_plan_words_done(struct op_plan_words *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->v[i].old);
		free(w->v[i].word);
	}
	free(w->v);
}

int op_plan_take_note(const char *note, size_t len, struct op_plan_words *w)
{
	const char *arrow = memmem(note, len, OP_PLAN_ARROW, strlen(OP_PLAN_ARROW));
	const char *word = arrow ? arrow + strlen(OP_PLAN_ARROW) : note;
	struct op_plan_word one;
	int r = array_grow(&w->v, &w->cap, w->n + 1, sizeof(*w->v));

	if (r < 0)
		return r;
	one.old = arrow ? strndup(note, (size_t)(arrow - note)) : NULL;
	one.word = strndup(word, len - (size_t)(word - note));
	w->v[w->n++] = one;
	return (arrow && !one.old) || !one.word ? -ENOMEM : 0;
}

/* --- either loader --- */

static const char *notes_file(struct pkram_ctx *ctx, enum kexec_loader loader)
{
	return loader == KEXEC_LOADER_ENTRIES ? OP_PLAN_ENTRY_NOTES : op_plan_grub_file(ctx);
}

int op_plan_words(struct pkram_ctx *ctx, enum kexec_loader loader, struct op_plan_words *ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (loader == KEXEC_LOADER_UNKNOWN)
		return 0;
	r = op_plan_read_text(ctx, notes_file(ctx, loader), &text);
	if (r < 0)
		return r;
	return loader == KEXEC_LOADER_ENTRIES ? op_plan_entry_words(text, ret) :
						op_plan_grub_words(text, ret);
}

int op_plan_config(struct pkram_ctx *ctx, enum kexec_loader loader, const char *word,
		   char **ret_file, char **ret_word)
{
	bool grub = loader == KEXEC_LOADER_GRUB;
	char *file = strdup(grub ? op_plan_grub_file(ctx) : OP_PLAN_ENTRY_FILE), *form = NULL;
	int r = file ? 0 : -ENOMEM;

	if (r == 0 && grub)
		r = op_plan_grub_form(word, &form);
	else if (r == 0 && !(form = strdup(word)))
		r = -ENOMEM;
	if (r < 0) {
		free(file);
		return r;
	}
	*ret_file = file;
	*ret_word = form;
	return 0;
}

/* --- commands --- */

static void command_done(struct op_plan_command *cmd)
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
static int add_command(struct pkram_plan_change *c, const char *const args[])
{
	struct op_plan_command cmd = { .program = kexec_find_program(args[0]) };
	int r = cmd.program ? check_program(c->ctx, cmd.program) : -ENOENT;

	for (size_t i = 0; args[i] && r == 0; i++)
		if (!(cmd.argv[i] = strdup(args[i])))
			r = -ENOMEM;
	if (r == 0)
		r = array_grow(&c->commands, &c->cap, c->n_commands + 1, sizeof(*c->commands));
	if (r < 0)
		command_done(&cmd);
	else
		c->commands[c->n_commands++] = cmd;
	return r;
}

static int grub_commands(struct pkram_plan_change *c)
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
		r = add_command(c, args);
	}
	if (r == -ENOENT)
		pkram_log_error(c->ctx, "no update-grub, grub-mkconfig or grub2-mkconfig program");
	return r;
}

static int kernel_command(struct pkram_plan_change *c, const char *version)
{
	_cleanup_free_ char *image = NULL, *full = NULL;
	const char *args[] = { "kernel-install", "add", version, NULL, NULL };

	if (asprintf(&image, "/lib/modules/%s/vmlinuz", version) < 0) {
		image = NULL;
		return -ENOMEM;
	}
	if (!machine_exists(c->ctx, image)) {
		free(TAKE_PTR(image));
		if (asprintf(&image, "/boot/vmlinuz-%s", version) < 0) {
			image = NULL;
			return -ENOMEM;
		}
	}
	full = machine_path(c->ctx, image);
	if (!full)
		return -ENOMEM;
	args[3] = full;
	return add_command(c, args);
}

/* Of every kernel in /boot: one that is booted without the word would lose the region. */
static int entry_commands(struct pkram_plan_change *c)
{
	char **versions = NULL;
	int r = kexec_kernel_versions(c->ctx, &versions);

	if (r < 0 || !versions || !*versions) {
		pkram_log_error(c->ctx, "no kernels in /boot to make boot entries of");
		kexec_versions_free(versions);
		return r < 0 ? r : -ENOENT;
	}
	for (char **v = versions; *v && r == 0; v++)
		r = kernel_command(c, *v);
	kexec_versions_free(versions);
	if (r == -ENOENT)
		pkram_log_error(c->ctx, "no kernel-install program");
	return r;
}

static int describe(struct pkram_plan_change *c)
{
	size_t len;
	FILE *f;
	int r;

	r = c->loader == KEXEC_LOADER_GRUB ? grub_commands(c) : entry_commands(c);
	if (r == 0)
		r = op_plan_diff(c->path, c->old, c->new, &c->diff);
	f = r == 0 ? open_memstream(&c->text, &len) : NULL;
	if (!f)
		return r ? r : -ENOMEM;
	for (size_t i = 0; i < c->n_commands; i++)
		for (char **arg = c->commands[i].argv; *arg; arg++)
			fprintf(f, "%s%s", *arg, arg[1] ? " " : "\n");
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

/* --- preparing --- */

static int prepare_add(struct pkram_plan_change *c, const struct pkram_plan *plan)
{
	int r;

	if (!plan->plan.size || plan->plan.limit != KEXEC_PLAN_FITS) {
		pkram_log_error(c->ctx, "the region does not fit: nothing to apply");
		return -ENOSPC;
	}
	c->word = strdup(plan->plan.word);
	r = c->word ? 0 : -ENOMEM;
	if (r == 0)
		r = c->loader == KEXEC_LOADER_GRUB ? op_plan_grub_add(c, &plan->plan) :
						     op_plan_entry_add(c, &plan->plan);
	return r;
}

static int prepare_remove(struct pkram_plan_change *c)
{
	_cleanup_(op_plan_words_done) struct op_plan_words words = { 0 };
	int r = op_plan_words(c->ctx, c->loader, &words);

	if (r < 0)
		return r;
	if (!words.n)
		return -ENODATA;
	return c->loader == KEXEC_LOADER_GRUB ? op_plan_grub_remove(c) :
						op_plan_entry_remove(c, &words);
}

static int prepare(struct pkram_plan_change *c, const struct pkram_plan *plan)
{
	int r = kexec_boot_loader(c->ctx, &c->loader);

	if (r < 0)
		return r;
	if (c->loader == KEXEC_LOADER_UNKNOWN) {
		pkram_log_error(c->ctx, "neither GRUB nor boot entries of kernel-install are known "
					"here: set the command line of the boot loader by hand");
		return -EOPNOTSUPP;
	}
	c->path = c->loader == KEXEC_LOADER_GRUB ? op_plan_grub_file(c->ctx) : OP_PLAN_ENTRY_FILE;
	r = op_plan_read_text(c->ctx, c->path, &c->old);
	if (r == 0 && c->loader == KEXEC_LOADER_ENTRIES) {
		c->notes_path = OP_PLAN_ENTRY_NOTES;
		r = op_plan_read_text(c->ctx, c->notes_path, &c->old_notes);
	}
	if (r == 0)
		r = plan ? prepare_add(c, plan) : prepare_remove(c);
	return r == 0 ? describe(c) : r;
}

int pkram_plan_change_new(struct pkram_ctx *ctx, const struct pkram_plan *plan,
			  struct pkram_plan_change **ret_change)
{
	struct pkram_plan_change *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->ctx = pkram_ref(ctx);
	r = prepare(c, plan);
	if (r < 0)
		pkram_plan_change_free(c);
	else
		*ret_change = c;
	return r;
}

struct pkram_plan_change *pkram_plan_change_free(struct pkram_plan_change *change)
{
	if (!change)
		return NULL;
	for (size_t i = 0; i < change->n_commands; i++)
		command_done(&change->commands[i]);
	free(change->commands);
	free(change->old);
	free(change->new);
	free(change->old_notes);
	free(change->new_notes);
	free(change->word);
	free(change->diff);
	free(change->text);
	pkram_unref(change->ctx);
	free(change);
	return NULL;
}

const char *pkram_plan_change_get_diff(const struct pkram_plan_change *change)
{
	return change->diff;
}

const char *pkram_plan_change_get_commands(const struct pkram_plan_change *change)
{
	return change->text;
}

/* --- doing it --- */

static int put(struct pkram_plan_change *c, const char *path, const char *text)
{
	int r = machine_replace(c->ctx, path, text);

	return r < 0 ? log_error_errno(c->ctx, r, "%s: %m", path) : 0;
}

static int run_commands(struct pkram_plan_change *c)
{
	int r = 0;

	for (size_t i = 0; i < c->n_commands && r == 0; i++)
		r = kexec_run(c->ctx, c->commands[i].program, c->commands[i].argv);
	return r;
}

/* Notes of what is not there yet do no harm; words without notes could not be taken back. */
static int write_files(struct pkram_plan_change *c)
{
	bool adds = c->word != NULL;
	int r = 0;

	if (c->notes_path && adds)
		r = put(c, c->notes_path, c->new_notes);
	if (r == 0)
		r = put(c, c->path, c->new);
	if (r == 0 && c->notes_path && !adds)
		r = put(c, c->notes_path, c->new_notes);
	return r;
}

static void put_back(struct pkram_plan_change *c, bool again)
{
	int r = put(c, c->path, c->old);

	if (c->notes_path && r == 0)
		r = put(c, c->notes_path, c->old_notes);
	if (r == 0)
		pkram_log_info(c->ctx, "%s is as it was", c->path);
	/* The boot loader's own files may have changed already. */
	if (again)
		run_commands(c);
}

/* What starts by default counts, where it can be told. */
static int find_arrival(struct pkram_plan_change *c)
{
	_cleanup_free_ char *line = NULL;
	struct pkram_ctx *quiet;
	int r = ctx_quiet(c->ctx, &quiet);

	if (r < 0)
		return r;
	r = kexec_boot_line(quiet, &line);
	pkram_unref(quiet);
	if (r == 0)
		return kexec_line_find(line, c->word, strlen(c->word), NULL) ? 0 : -EUCLEAN;
	if (r != -ENODATA)
		return r;
	if (!kexec_boot_has_word(c->ctx, c->loader, c->word))
		return -EUCLEAN;
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "look before you boot it",
		       "cannot tell which kernel the boot loader starts by default, and whether "
		       "%s is on its line",
		       c->word);
	return 0;
}

static int check_arrival(struct pkram_plan_change *c)
{
	int r = c->word ? find_arrival(c) : 0;

	if (r == -EUCLEAN)
		pkram_log_error(c->ctx,
				"%s is not on the line that the boot loader gives by default after "
				"%s: it takes it from elsewhere: add the word by hand",
				c->word, c->commands[0].argv[0]);
	return r;
}

static int directory_of(struct pkram_plan_change *c, int (*fn)(struct pkram_ctx *, const char *))
{
	_cleanup_free_ char *dir = strdup(c->path);
	int r;

	if (!dir)
		return -ENOMEM;
	*strrchr(dir, '/') = '\0';
	r = fn(c->ctx, dir);
	return r < 0 ? log_error_errno(c->ctx, r, "%s: %m", dir) : r;
}

static int make_directory(struct pkram_plan_change *c)
{
	int r = directory_of(c, machine_mkdir);

	c->own_dir = r > 0;
	return MIN(r, 0);
}

int pkram_plan_change_apply(struct pkram_plan_change *change)
{
	_cleanup_free_ char *now = NULL;
	struct pkram_plan_change *c = change;
	bool ran = false;
	int r = op_check_kernel(c->ctx);

	if (r == 0)
		r = op_plan_read_text(c->ctx, c->path, &now);
	if (r == 0 && !same_text(now, c->old))
		r = log_error_errno(c->ctx, -ESTALE, "%s has changed meanwhile: look again",
				    c->path);
	if (r == 0 && c->new)
		r = make_directory(c);
	if (r < 0)
		return r;
	r = write_files(c);
	if (r == 0) {
		r = run_commands(c);
		ran = r == 0;
	}
	if (r == 0)
		r = check_arrival(c);
	if (r < 0)
		put_back(c, ran || c->loader == KEXEC_LOADER_ENTRIES);
	/* Empty, it does no harm: that it could not go is said, and no more. */
	if (c->own_dir && !(r < 0 ? c->old : c->new))
		directory_of(c, machine_rmdir);
	return r;
}
