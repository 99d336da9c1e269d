/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that kernel-install writes into boot entries: the words of a file, on however
 * many lines. From systemd 257 on, lines that begin with '#' are left out; before, they are words
 * like all others.
 */
#include "kexec.h"
#include "machine.h"

#define BLANKS " \t\n"

int kexec_install_base(struct pkram_ctx *ctx, char **ret_text)
{
	_cleanup_free_ char *line = NULL;
	int r = machine_read_text(ctx, "/usr/lib/kernel/cmdline", ret_text);

	if (r != -ENOENT)
		return r;
	r = kexec_command_line(ctx, NULL, NULL, NULL, &line);
	if (r < 0)
		return r;
	if (asprintf(ret_text, "%s\n", line) >= 0)
		return 0;
	*ret_text = NULL;
	return -ENOMEM;
}

bool kexec_install_keeps_comments(struct pkram_ctx *ctx)
{
	static const char *const scripts[] = { "/etc/kernel/install.d/90-loaderentry.install",
					       "/usr/lib/kernel/install.d/90-loaderentry.install" };

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		_cleanup_free_ char *text = NULL;

		if (machine_read(ctx, scripts[i], &text, NULL) == 0)
			return !strstr(text, "'^\\s*#'");
	}
	return true;
}

char *kexec_install_line(const char *text, bool comments)
{
	char *line = malloc(strlen(text) + 1), *p = line;

	if (!line)
		return NULL;
	while (*text) {
		const char *end = strchrnul(text, '\n');

		if (!comments && text[strspn(text, " \t\f\v\r")] == '#')
			text = end;
		while (text < end) {
			size_t n = strcspn(text, BLANKS);

			if (n && p > line)
				*p++ = ' ';
			p = mempcpy(p, text, n);
			text += n;
			text += strspn(text, " \t");
		}
		text += *text == '\n';
	}
	*p = '\0';
	return line;
}
