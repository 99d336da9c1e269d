/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The line of shell that puts one word in the place of another in a variable of GRUB's settings,
 * wherever it stands there: written here, and here known again.
 */
#include "kexec-grub.h"

#define HEAD "case \" $"
#define IN " \" in *' "
#define THEN " '*) "
#define NEW "*}' "
#define REST " '${"

int kexec_grub_replacing(const char *v, const char *old, const char *new, char **ret)
{
	return asprintf(ret, HEAD "%s" IN "%s" THEN "%s=\" $%s \"; "
			     "%s=${%s%%%%' %s '" NEW "%s" REST "%s#*' %s '};; esac",
			v, old, v, v, v, v, old, new, v, old) < 0 ? -ENOMEM : 0;
}

/* What stands before `end`; *p then is behind it. NULL: it does not come, or no memory. */
static char *take_before(const char **p, const char *limit, const char *end)
{
	const char *at = memmem(*p, (size_t)(limit - *p), end, strlen(end));
	char *text = at ? strndup(*p, (size_t)(at - *p)) : NULL;

	if (at)
		*p = at + strlen(end);
	return text;
}

bool grub_replaces(const char *line, size_t len, struct grub_replacement *ret)
{
	struct grub_replacement r = { 0 };
	_cleanup_free_ char *same = NULL, *skipped = NULL;
	const char *p = line + strlen(HEAD), *limit = line + len;

	if (len < strlen(HEAD) || memcmp(line, HEAD, strlen(HEAD)) != 0)
		return false;
	r.variable = take_before(&p, limit, IN);
	r.old = r.variable ? take_before(&p, limit, THEN) : NULL;
	skipped = r.old ? take_before(&p, limit, NEW) : NULL;
	r.new = skipped ? take_before(&p, limit, REST) : NULL;
	if (r.new && kexec_grub_replacing(r.variable, r.old, r.new, &same) < 0)
		same = NULL;
	if (!same || strlen(same) != len || memcmp(same, line, len) != 0) {
		grub_replacement_done(&r);
		return false;
	}
	*ret = r;
	return true;
}

void grub_replacement_done(struct grub_replacement *r)
{
	free(r->variable);
	free(r->old);
	free(r->new);
}

int grub_replace(const struct grub_replacement *r, const char *value, char **ret)
{
	_cleanup_free_ char *spaced = NULL, *old = NULL;
	const char *at;

	if (asprintf(&spaced, " %s ", value) < 0) {
		spaced = NULL;
		return -ENOMEM;
	}
	if (asprintf(&old, " %s ", r->old) < 0) {
		old = NULL;
		return -ENOMEM;
	}
	at = strstr(spaced, old);
	if (!at) {
		*ret = strdup(value);
		return *ret ? 0 : -ENOMEM;
	}
	return asprintf(ret, "%.*s %s %s", (int)(at - spaced), spaced, r->new,
			at + strlen(old)) < 0 ? -ENOMEM : 0;
}
