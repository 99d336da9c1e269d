/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A change of boot loaders' settings: what stands in their files and what will, as a difference to
 * look at first; then the commands that make GRUB's own files of it, and back again if these fail.
 */
#include "machine.h"
#include "op-plan.h"

static void file_free(struct op_plan_file *f)
{
	free(f->path);
	free(f->old);
	free(f->new);
	free(f);
}

int op_plan_open(struct pkram_plan_change *c, const char *path, struct op_plan_file **ret)
{
	struct op_plan_file *f;
	int r = array_grow(&c->files, &c->files_cap, c->n_files + 1, sizeof(*c->files));

	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	c->files[c->n_files++] = f;
	f->path = strdup(path);
	r = f->path ? machine_read_text(c->ctx, path, &f->old) : -ENOMEM;
	*ret = f;
	return r == -ENOENT ? 0 : r;
}

void op_plan_leave(struct pkram_plan_change *c)
{
	file_free(c->files[--c->n_files]);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* --- preparing --- */

static int prepare_add(struct pkram_plan_change *c, const struct pkram_plan *plan)
{
	bool grub = c->loader == KEXEC_LOADER_GRUB;
	int r;

	if (!plan->plan.size || plan->plan.limit != KEXEC_PLAN_FITS) {
		pkram_log_error(c->ctx, "the region does not fit: nothing to apply");
		return -ENOSPC;
	}
	if (c->loader == KEXEC_LOADER_UNKNOWN) {
		pkram_log_error(c->ctx, "neither GRUB nor boot entries are known here: set the "
					"command line of the boot loader by hand");
		return -EOPNOTSUPP;
	}
	c->word = strdup(plan->plan.word);
	if (!c->word)
		return -ENOMEM;
	/* Before what is made of its settings, which counts as long as it is newer. */
	r = grub || kexec_boot_grub_entries(c->ctx) ? op_plan_grub_add(c, &plan->plan) : 0;
	if (r == 0)
		r = grub ? op_plan_commands(c) : op_plan_entry_add(c, &plan->plan);
	return r;
}

/* Of whatever boot loader: it may be another one now than when they were added. */
static int prepare_remove(struct pkram_plan_change *c)
{
	int r = op_plan_grub_remove(c);

	if (r == 0 && c->n_files)
		r = op_plan_commands(c);
	if (r == 0)
		r = op_plan_entry_remove(c);
	return r == 0 && !c->n_files ? -ENODATA : r;
}

static int describe(struct pkram_plan_change *c)
{
	size_t len;
	FILE *f = open_memstream(&c->diff, &len);
	int r = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_files && r == 0; i++)
		if (!same_text(c->files[i]->old, c->files[i]->new))
			r = op_plan_diff(f, c->files[i]->path, c->files[i]->old, c->files[i]->new);
	if (fclose(f) != 0)
		return -ENOMEM;
	f = r == 0 ? open_memstream(&c->text, &len) : NULL;
	if (!f)
		return r ? r : -ENOMEM;
	for (size_t i = 0; i < c->n_commands; i++)
		for (char **arg = c->commands[i].argv; *arg; arg++)
			fprintf(f, "%s%s", *arg, arg[1] ? " " : "\n");
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

int pkram_plan_change_new(struct pkram_ctx *ctx, const struct pkram_plan *plan,
			  struct pkram_plan_change **ret_change)
{
	struct pkram_plan_change *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->ctx = pkram_ref(ctx);
	r = kexec_boot_loader(ctx, &c->loader);
	if (r == 0)
		r = plan ? prepare_add(c, plan) : prepare_remove(c);
	if (r == 0)
		r = describe(c);
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
		op_plan_command_done(&change->commands[i]);
	for (size_t i = 0; i < change->n_files; i++)
		file_free(change->files[i]);
	free(change->files);
	free(change->commands);
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

static int put(struct pkram_plan_change *c, const struct op_plan_file *f, const char *text)
{
	int r = machine_replace(c->ctx, f->path, text);

	return r < 0 ? log_error_errno(c->ctx, r, "%s: %m", f->path) : 0;
}

static void put_back(struct pkram_plan_change *c, bool again)
{
	for (size_t i = c->n_files; i > 0; i--)
		if (put(c, c->files[i - 1], c->files[i - 1]->old) == 0)
			pkram_log_info(c->ctx, "%s is as it was", c->files[i - 1]->path);
	/* The boot loader's own files may have changed already. */
	if (again)
		op_plan_run(c);
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
	if (r == 0 && strlen(line) > KEXEC_LINE_BYTES) {
		pkram_log_error(c->ctx, "the line that the boot loader gives by default has %zu "
				"bytes with %s, and the kernel reads %u: make it shorter first",
				strlen(line), c->word, KEXEC_LINE_BYTES);
		return -E2BIG;
	}
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
				"%s is still not on the line that the boot loader gives by "
				"default: it takes it from elsewhere: add the word by hand",
				c->word);
	return r;
}

static int check_unchanged(struct pkram_plan_change *c)
{
	for (size_t i = 0; i < c->n_files; i++) {
		_cleanup_free_ char *now = NULL;
		int r = machine_read_text(c->ctx, c->files[i]->path, &now);

		if (r < 0 && r != -ENOENT)
			return r;
		if (!same_text(now, c->files[i]->old))
			return log_error_errno(c->ctx, -ESTALE,
					       "%s has changed meanwhile: look again",
					       c->files[i]->path);
	}
	return 0;
}

static int directory_of(struct pkram_plan_change *c, const struct op_plan_file *f,
			int (*fn)(struct pkram_ctx *, const char *))
{
	_cleanup_free_ char *dir = strdup(f->path);
	int r;

	if (!dir)
		return -ENOMEM;
	*strrchr(dir, '/') = '\0';
	r = fn(c->ctx, dir);
	return r < 0 ? log_error_errno(c->ctx, r, "%s: %m", dir) : r;
}

static int make_directories(struct pkram_plan_change *c)
{
	for (size_t i = 0; i < c->n_files; i++) {
		int r = c->files[i]->new ? directory_of(c, c->files[i], machine_mkdir) : 0;

		if (r < 0)
			return r;
		c->files[i]->own_dir |= r > 0;
	}
	return 0;
}

static int write_files(struct pkram_plan_change *c)
{
	int r = 0;

	for (size_t i = 0; i < c->n_files && r == 0; i++)
		r = put(c, c->files[i], c->files[i]->new);
	return r;
}

/* An empty directory does no harm: that it could not go is said, and no more. */
static void leave_directories(struct pkram_plan_change *c, bool failed)
{
	for (size_t i = 0; i < c->n_files; i++)
		if (c->files[i]->own_dir && !(failed ? c->files[i]->old : c->files[i]->new))
			directory_of(c, c->files[i], machine_rmdir);
}

int pkram_plan_change_apply(struct pkram_plan_change *change)
{
	struct pkram_plan_change *c = change;
	bool ran = false;
	int r = op_check_kernel(c->ctx);

	if (r == 0)
		r = check_unchanged(c);
	if (r == 0)
		r = make_directories(c);
	if (r < 0)
		return r;
	r = write_files(c);
	if (r == 0) {
		r = op_plan_run(c);
		ran = r == 0;
	}
	if (r == 0)
		r = check_arrival(c);
	if (r < 0)
		put_back(c, ran);
	leave_directories(c, r < 0);
	return r;
}
