/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of the next boot, as far as it reaches for memory: what runs now, and what the
 * boot loader's settings say and does not run yet, whoever wrote it there. A running word that they
 * do not have is kept: it may come from elsewhere.
 */
#include "machine.h"
#include "op-plan.h"

struct next {
	const char *running, *settings;
	struct kexec_memmaps set;	/* of the settings */
	FILE *append;			/* words that do not run yet */
	struct pkram_ctx *ctx;
	struct pkram_ctx *says;		/* to it, with what helps who plans */
};

static bool on_line(const char *line, const struct kexec_word *w)
{
	return kexec_line_find(line, w->raw, w->raw_len, NULL);
}

/* Whether the settings have it in another form: in a longer list, or spelt in another way. */
static int is_replaced(const struct next *n, const struct kexec_word *w)
{
	_cleanup_(kexec_memmaps_done) struct kexec_memmaps m = { 0 };
	_cleanup_free_ char *word = strndup(w->raw, w->raw_len);
	struct kexec_word bad;
	int r;

	if (!word)
		return -ENOMEM;
	if (!kexec_word_named(w, "memmap") || on_line(n->settings, w))
		return 0;
	r = kexec_memmaps_read(word, &m, &bad);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m.n; i++)
		if (!kexec_memmaps_have(&n->set, &m.v[i]))
			return 0;
	return m.n > 0;
}

/* The running line less what the settings have in another form. */
static int put_running(const struct next *n, FILE *f)
{
	const char *p = n->running;
	struct kexec_word w;

	while (kexec_param_next(&p, &w)) {
		int r = is_replaced(n, &w);

		if (r < 0)
			return r;
		if (r == 0)
			fprintf(f, "%.*s ", (int)w.raw_len, w.raw);
	}
	fputs(p, f);
	return 0;
}

static int append_word(void *arg, const struct kexec_word *w, uint64_t start, uint64_t size)
{
	struct next *n = arg;

	(void)start;
	(void)size;
	if (w->open || on_line(n->running, w))
		return 0;
	fprintf(n->append, "%.*s ", (int)w->raw_len, w->raw);
	pkram_log_info(n->ctx, "%.*s is set for the next boot already, and stays", (int)w->raw_len,
		       w->raw);
	return 0;
}

static int put_settings(struct next *n)
{
	const char *p = n->settings;
	struct kexec_word w;

	while (kexec_param_next(&p, &w))
		if (w.value && (kexec_word_named(&w, "memmap") || kexec_word_named(&w, "mem")))
			append_word(n, &w, 0, 0);
	return kexec_words_reach(n->settings, append_word, n);
}

/* A line that the kernel does not understand cannot be planned for. */
static int read_memmaps(struct pkram_ctx *ctx, const char *line, const char *where,
			struct kexec_memmaps *ret)
{
	struct kexec_word bad;
	int r = kexec_memmaps_read(line, ret, &bad);

	if (r == -EINVAL)
		pkram_log_error(ctx, "%s: %.*s is not understood: correct it there first", where,
				(int)bad.raw_len, bad.raw);
	return r;
}

static int compose(struct next *n, char **ret)
{
	_cleanup_free_ char *base = NULL, *append = NULL;
	size_t len;
	FILE *f = open_memstream(&base, &len);
	int r;

	if (!f)
		return -ENOMEM;
	r = put_running(n, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	n->append = r == 0 ? open_memstream(&append, &len) : NULL;
	if (!n->append)
		return r ? r : -ENOMEM;
	r = put_settings(n);
	if (fclose(n->append) != 0)
		return -ENOMEM;
	return r == 0 ? kexec_command_line(n->says, base, append, NULL, ret) : r;
}

int op_plan_next(struct pkram_ctx *ctx, enum kexec_loader loader, char **ret_line,
		 char **ret_settings)
{
	static const char here[] = "the running command line",
			  there[] = "the boot loader's settings, as a kernel gets them";
	_cleanup_free_ char *running = NULL, *settings = NULL;
	struct kexec_plan_advice advice = { .ctx = ctx };
	struct kexec_memmaps now = { 0 };
	struct next n = { .ctx = ctx };
	int r = kexec_plan_says(&advice, &n.says);

	if (r < 0)
		return r;
	r = kexec_command_line(n.says, NULL, NULL, NULL, &running);
	if (r == 0)
		r = read_memmaps(ctx, running, here, &now);
	kexec_memmaps_done(&now);
	if (r == 0)
		r = kexec_boot_settings(ctx, loader, &settings);
	if (r == 0)
		r = read_memmaps(ctx, settings, there, &n.set);
	n.running = running;
	n.settings = settings;
	if (r == 0)
		r = compose(&n, ret_line);
	if (r == 0)
		*ret_settings = TAKE_PTR(settings);
	if (r == -ENODATA) {
		*ret_line = TAKE_PTR(running);
		r = 0;
	}
	kexec_memmaps_done(&n.set);
	pkram_unref(n.says);
	return r;
}
