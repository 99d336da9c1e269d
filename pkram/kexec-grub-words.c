/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of a command in GRUB's language, and the command line that its "linux" makes of them.
 * What a variable will hold at the boot is not known: it stands for nothing, as one that is not
 * set. So does "$1" in memmap=64K$1G, which lacks its backslash.
 */
#include "kexec.h"

#include <ctype.h>

struct word {
	char *text;	/* of the line, behind the words before */
	size_t len;
	bool spaces, there;
};

/* p: behind the '$'. NULL: no variable's name follows. */
static const char *variable_end(const char *p)
{
	bool brace = *p == '{';
	const char *name = p + brace, *end = name;

	if (*name && strchr("?#*@", *name))
		end++;
	else if (isdigit((unsigned char)*name))
		end += strspn(name, "0123456789");
	else
		while (isalnum((unsigned char)*end) || *end == '_')
			end++;
	if (end == name || (brace && *end != '}'))
		return NULL;
	return end + brace;
}

/* Quotes and backslashes of its own are kept from the kernel's reading by one more, and "\x41". */
static void put_char(struct word *w, char c, const char *rest)
{
	bool hex = c == '\\' && rest[0] == 'x' && isxdigit((unsigned char)rest[1]) &&
		   isxdigit((unsigned char)rest[2]);

	if (!hex && strchr("\\'\"", c))
		w->text[w->len++] = '\\';
	w->text[w->len++] = c;
	w->spaces |= c == ' ';
	w->there = true;
}

/* p: at a backslash that something follows; a newline goes with it. */
static const char *put_escaped(struct word *w, const char *p)
{
	if (p[1] != '\n')
		put_char(w, p[1], p + 2);
	return p + 2;
}

/* What is inside of quotes, up to the closing one or the end of the text. */
static const char *put_quoted(struct word *w, const char *p)
{
	char quote = *p++;

	w->there = true;
	while (*p && *p != quote) {
		const char *end = quote == '"' && *p == '$' ? variable_end(p + 1) : NULL;

		if (end) {
			p = end;
		} else if (quote == '"' && *p == '\\' && p[1] && strchr("$\\\"\n", p[1])) {
			p = put_escaped(w, p);
		} else {
			put_char(w, *p, p + 1);
			p++;
		}
	}
	return p + (*p == quote);
}

static const char *put_word(struct word *w, const char *p)
{
	while (*p && !strchr("{}|&;<> \t\n", *p)) {
		const char *end = *p == '$' ? variable_end(p + 1) : NULL;

		if (end) {
			p = end;
		} else if (*p == '"' || *p == '\'') {
			p = put_quoted(w, p);
		} else if (*p == '\\' && p[1]) {
			p = put_escaped(w, p);
		} else {
			put_char(w, *p, p + 1);
			p++;
		}
	}
	return p;
}

/* One that has spaces goes between quotes. */
static size_t end_word(struct word *w)
{
	if (w->spaces) {
		memmove(w->text + 1, w->text, w->len);
		*w->text = w->text[w->len + 1] = '"';
		w->len += 2;
	}
	return w->len;
}

int kexec_grub_words(const char **text, char **ret)
{
	const char *p = *text;
	/* Nothing becomes more than twice as long, but for quotes and a space around each word. */
	char *line = malloc(2 * strlen(p) + 4), *end = line;

	if (!line)
		return -ENOMEM;
	for (;;) {
		struct word w = { .text = end + (end > line) };

		p += strspn(p, " \t");
		if (*p == '#')
			p = strchrnul(p, '\n');
		if (!*p || strchr("{}|&;<>\n", *p))
			break;
		p = put_word(&w, p);
		if (!w.there)
			continue;
		if (end > line)
			*end = ' ';
		end = w.text + end_word(&w);
	}
	*end = '\0';
	*text = p;
	*ret = line;
	return 0;
}
