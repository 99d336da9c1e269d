/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernel command lines: cutting one into words exactly as the kernel does, and composing the next
 * one.
 *
 * What we read in a word must be what the next kernel reads in it, quotes and all: a reservation
 * that only we can see protects nothing.
 */
#include "kexec.h"
#include "machine.h"

#include <stdio.h>

#define JUMP_WORD "pkram.jump"

/* The kernel's isspace(): 0xa0 is one, too. */
static bool is_space(char c)
{
	unsigned char u = (unsigned char)c;

	return u == ' ' || (u >= '\t' && u <= '\r') || u == 0xa0;
}

static const char *skip_spaces(const char *p)
{
	while (is_space(*p))
		p++;
	return p;
}

/*
 * Quotes hide spaces and cannot be escaped. They are taken off around the whole word or around
 * the whole value; any other quote stays part of the text. A '=' in first place does not end a
 * name.
 */
static bool word_next(const char **line, struct kexec_word *ret)
{
	struct kexec_word w = { .raw = skip_spaces(*line) };
	size_t i = 0, equals = 0, end;
	bool quoted = *w.raw == '"', in_quote = quoted;
	const char *s = w.raw + quoted;

	if (!*w.raw)
		return false;
	for (; s[i] && (in_quote || !is_space(s[i])); i++) {
		if (!equals && s[i] == '=')
			equals = i;
		if (s[i] == '"')
			in_quote = !in_quote;
	}
	end = i;
	if (equals) {
		size_t value = equals + 1;

		if (s[value] == '"') {
			value++;
			if (s[i - 1] == '"')
				end = i - 1;
		}
		w.value = s + value;
	}
	if (quoted && i && s[i - 1] == '"')
		end = i - 1;
	if (w.value)
		w.value_len = s + end > w.value ? (size_t)(s + end - w.value) : 0;
	w.name = s;
	w.name_len = equals ? equals : end;
	w.raw_len = (size_t)(s + i - w.raw);
	w.open = in_quote;
	*line = s + i;
	*ret = w;
	return true;
}

/* The kernel takes '-' and '_' of a parameter's name for the same, and modprobe of a module's. */
static bool same_name(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && !(strchr("-_", a[i]) && strchr("-_", b[i])))
			return false;
	return true;
}

bool kexec_word_named(const struct kexec_word *w, const char *name)
{
	return w->name_len == strlen(name) && same_name(w->name, name, w->name_len);
}

bool kexec_line_find(const char *line, const char *raw, size_t len, struct kexec_word *ret)
{
	struct kexec_word w;

	while (kexec_param_next(&line, &w)) {
		if (w.raw_len != len || memcmp(w.raw, raw, len) != 0)
			continue;
		if (ret)
			*ret = w;
		return true;
	}
	return false;
}

bool kexec_word_lists(const struct kexec_word *w, const char *item)
{
	const char *p = w->value, *end = p ? p + w->value_len : p;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t len = (size_t)((comma ? comma : end) - p);

		if (len == strlen(item) && same_name(p, item, len))
			return true;
		p += len + 1;
	}
	return false;
}

bool kexec_line_lists(const char *line, const char *name, const char *item)
{
	struct kexec_word w;

	while (kexec_param_next(&line, &w))
		if (kexec_word_named(&w, name) && kexec_word_lists(&w, item))
			return true;
	return false;
}

static bool word_ends_params(const struct kexec_word *w)
{
	return !w->value && w->name_len == 2 && memcmp(w->name, "--", 2) == 0;
}

bool kexec_param_next(const char **line, struct kexec_word *ret)
{
	const char *p = *line;
	struct kexec_word w;

	if (!word_next(&p, &w) || word_ends_params(&w))
		return false;
	*line = p;
	*ret = w;
	return true;
}

/* What a boot loader put there for itself says nothing about the kernel that we load. */
static bool of_boot_loader(const struct kexec_word *w)
{
	return w->value && (kexec_word_named(w, "BOOT_IMAGE") || kexec_word_named(w, "initrd"));
}

/* Each word with a space before it. *ret_rest: what stands behind "--", NULL without one. */
static int put_params(struct pkram_ctx *ctx, FILE *f, const char *what, const char *line,
		      bool running, const char **ret_rest)
{
	struct kexec_word w;

	while (kexec_param_next(&line, &w)) {
		/* All that follows would become part of this word, our own words too. */
		if (w.open) {
			pkram_log_refusal(ctx,
					  "close it, or give the whole line with --command-line",
					  "%s has a quote that is not closed: %.*s", what,
					  (int)w.raw_len, w.raw);
			return -EINVAL;
		}
		if (kexec_word_named(&w, JUMP_WORD) || (running && of_boot_loader(&w)))
			continue;
		fprintf(f, " %.*s", (int)w.raw_len, w.raw);
	}
	*ret_rest = word_next(&line, &w) ? skip_spaces(line) : NULL;
	return 0;
}

static int put_line(struct pkram_ctx *ctx, FILE *f, const char *base, bool running,
		    const char *append, const char *jump_id)
{
	const char *init = NULL, *more = NULL;
	int r;

	r = put_params(ctx, f, running ? "the running command line" : "the given command line",
		       base, running, &init);
	if (r < 0)
		return r;
	if (append) {
		r = put_params(ctx, f, "what is to be appended", append, false, &more);
		if (r < 0)
			return r;
	}
	if (jump_id)
		fprintf(f, " " JUMP_WORD "=%s", jump_id);
	if (init || more)
		fprintf(f, " --");
	if (init && *init)
		fprintf(f, " %s", init);
	if (more && *more)
		fprintf(f, " %s", more);
	return 0;
}

int kexec_command_line(struct pkram_ctx *ctx, const char *command_line, const char *append,
		       const char *jump_id, char **ret_line)
{
	_cleanup_free_ char *running = NULL, *line = NULL;
	size_t len = 0;
	FILE *f;
	int r;

	if (!command_line) {
		r = machine_cmdline(ctx, &running);
		if (r < 0)
			return r;
	}
	f = open_memstream(&line, &len);
	if (!f)
		return -errno;
	r = put_line(ctx, f, command_line ? command_line : running, !command_line, append, jump_id);
	if (fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	if (len && len - 1 > KEXEC_LINE_BYTES) {
		pkram_log_refusal(ctx, "give a shorter one with --command-line",
				  "the next command line has %zu bytes, the kernel reads %u",
				  len - 1, KEXEC_LINE_BYTES);
		return -E2BIG;
	}
	if (len)
		memmove(line, line + 1, len);	/* the first word's space */
	*ret_line = TAKE_PTR(line);
	return 0;
}

static bool parse_id(const struct kexec_word *w, uint8_t ret_id[16])
{
	if (!w->value || w->value_len != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int hi = hex_digit(w->value[2 * i]), lo = hex_digit(w->value[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		ret_id[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

int kexec_jump_id(struct pkram_ctx *ctx, uint8_t ret_id[16])
{
	_cleanup_free_ char *line = NULL;
	uint8_t id[16] = { 0 };
	const char *p;
	struct kexec_word w;
	bool found = false;
	int r;

	r = machine_cmdline(ctx, &line);
	if (r < 0)
		return r;
	p = line;
	while (kexec_param_next(&p, &w))
		if (kexec_word_named(&w, JUMP_WORD))
			found = parse_id(&w, id);
	if (!found)
		return -ENODATA;
	memcpy(ret_id, id, sizeof(id));
	return 0;
}
