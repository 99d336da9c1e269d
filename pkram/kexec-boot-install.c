/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that kernel-install writes into boot entries: the words of a file, on however
 * many lines. From systemd 257 on, lines that begin with '#' are left out; before, they are words
 * like all others.
 */
#include "kexec.h"
#include "machine.h"

#define BLANKS " \t\n"

int kexec_install_read(struct pkram_ctx *ctx, char **ret_text)
{
	static const char *const files[] = { KEXEC_INSTALL_FILE, "/usr/lib/kernel/cmdline" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = machine_read_text(ctx, files[i], ret_text);

		if (r != -ENOENT)
			return r;
	}
	return kexec_command_line(ctx, NULL, NULL, NULL, ret_text);
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
