/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The next start by the firmware: after a loss of power, or a plain reboot, the boot loader decides
 * what is reserved.
 */
#include "op-check.h"

static void warn_lost(struct check *c, const struct kexec_keep *keep, const char *where)
{
	struct kexec_memmap m = kexec_memmap_reserving(keep->kind, keep->phys, keep->size);
	char word[KEXEC_MEMMAP_TEXT], remedy[KEXEC_MEMMAP_TEXT + 128];

	kexec_memmap_word(&m, word);
	snprintf(remedy, sizeof(remedy),
		 "set %s in the boot loader (/etc/default/grub and update-grub, or the options of "
		 "boot entries and /etc/kernel/cmdline)", word);
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, remedy,
		       "%s: %s does not reserve its memory: what is there is lost with the next "
		       "start by it", keep->what, where);
}

/* Whether the line keeps each of them; warns of those that it does not keep. */
static int check_line(struct check *c, struct pkram_ctx *quiet, const char *line, const char *where)
{
	int bad = 0;

	for (size_t i = 0; i < c->all.n; i++) {
		int r = kexec_check_reservations(quiet, line, &c->keep[i], 1);

		if (r < 0 && r != -EUCLEAN)
			return r;
		if (r == 0 || !c->keep[i].kind)
			continue;
		warn_lost(c, &c->keep[i], where);
		bad = 1;
	}
	return bad;
}

static int warn_unknown(struct check *c, const char *what)
{
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
		       "see to it that the boot loader gives it the memmap= words",
		       "cannot tell which command line %s", what);
	return 0;
}

/* What makes grub.cfg, or a boot entry, anew should know of the words, too. */
static int check_settings(struct check *c, struct pkram_ctx *quiet, enum kexec_loader loader,
			  const char *line)
{
	bool entries = loader == KEXEC_LOADER_ENTRIES;
	static const char *const remedies[] = {
		"add it to GRUB_CMDLINE_LINUX in /etc/default/grub",
		"add it to GRUB_CMDLINE_LINUX=\"...\" in /etc/default/grub with \\\\\\$ for $",
	};
	_cleanup_free_ char *set = NULL;
	struct kexec_word w;
	int r;

	if (entries ? !kexec_boot_grub_entries(quiet) :
		      !machine_exists(c->ctx, "/etc/default/grub"))
		return 0;
	r = kexec_grub_settings_line(quiet, &set);
	if (r == -ENOMEM)
		return r;
	if (r < 0 && r != -ENODATA)
		return warn_unknown(c, "is made of /etc/default/grub next: that, or a file beside "
				       "it, cannot be read");
	while (kexec_param_next(&line, &w))
		if (kexec_word_named(&w, "memmap") &&
		    !kexec_line_find(set ? set : "", w.raw, w.raw_len, NULL))
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
				       memchr(w.raw, '$', w.raw_len) ? remedies[1] : remedies[0],
				       "%.*s stands in %s, and not in /etc/default/grub: the next "
				       "%s drops it", (int)w.raw_len, w.raw,
				       entries ? "the boot entry" : "grub.cfg",
				       entries ? "grub2-mkconfig" : "update-grub");
	return 0;
}

/* What boot entries are made of, as it is read or may be. */
static int check_install(struct check *c, struct pkram_ctx *quiet)
{
	static const char where[] = KEXEC_INSTALL_FILE ", of kernels to come,";
	int readings = 1 + kexec_install_keeps_comments(quiet), r;
	_cleanup_free_ char *text = NULL;

	r = machine_read_text(quiet, KEXEC_INSTALL_FILE, &text);
	if (r == -ENOENT || r == -ENOMEM)
		return r == -ENOENT ? 0 : r;
	if (r < 0)
		return warn_unknown(c, "kernels to come get: " KEXEC_INSTALL_FILE
				       " cannot be read");
	for (int comments = 0; comments < readings && r == 0; comments++) {
		_cleanup_free_ char *line = kexec_install_line(text, comments);

		r = line ? check_line(c, quiet, line, where) : -ENOMEM;
	}
	return r;
}

static int check_loader(struct check *c, struct pkram_ctx *quiet)
{
	_cleanup_free_ char *line = NULL;
	enum kexec_loader loader;
	int r, bad = 0;

	r = kexec_boot_loader(quiet, &loader);
	if (r == 0)
		r = kexec_boot_line(quiet, &line);
	if (r == -ENODATA)
		return warn_unknown(c, "the boot loader gives to the next kernel");
	if (r < 0)
		return r;
	r = check_line(c, quiet, line, "the boot loader");
	bad |= r;
	if (r == 0)
		r = check_settings(c, quiet, loader, line);
	if (r >= 0 && loader == KEXEC_LOADER_ENTRIES) {
		r = check_install(c, quiet);
		bad |= r;
	}
	if (r >= 0 && !bad)
		check_note(c, "the boot loader reserves the memory, too");
	return r < 0 ? r : 0;
}

/* It knows of no reservation when it looks for room. */
static void check_its_initrd(struct check *c)
{
	uint64_t start, size;

	/* Where kexec puts one, no boot loader does. */
	if (machine_came_by_kexec(c->ctx))
		return;
	machine_initrd(c->ctx, &start, &size);
	for (size_t i = 0; size && i < c->all.n; i++)
		if (ranges_overlap(start, size, c->keep[i].phys, c->keep[i].size))
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
				       "export what must survive a reboot, or move the region to "
				       "where pkram plan puts one",
				       "%s: the boot loader puts its initrd there: what is in the "
				       "region does not survive a reboot through the firmware",
				       c->keep[i].what);
}

int check_cold_boot(struct check *c)
{
	struct pkram_ctx *quiet;
	int r = ctx_quiet(c->ctx, &quiet);

	if (r < 0)
		return r;
	check_its_initrd(c);
	r = check_loader(c, quiet);
	pkram_unref(quiet);
	return r;
}
