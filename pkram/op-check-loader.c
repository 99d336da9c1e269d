/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The next start by the firmware: after a loss of power, or a plain reboot, the boot loader decides
 * what is reserved.
 */
#include "op-check.h"

static void warn_lost(struct check *c, const struct kexec_keep *keep, const char *where)
{
	struct kexec_memmap m = { .kind = (enum kexec_memmap_kind)keep->kind, .start = keep->phys,
				  .size = keep->size };
	char word[KEXEC_MEMMAP_TEXT], remedy[KEXEC_MEMMAP_TEXT + 128];

	if (m.kind == KEXEC_MEMMAP_CONVERT) {
		m.old_type = KEXEC_E820_RAM;
		m.new_type = KEXEC_E820_SOFT_RESERVED;
	}
	kexec_memmap_word(&m, word);
	snprintf(remedy, sizeof(remedy),
		 "set %s in the boot loader (/etc/default/grub and update-grub, or "
		 "/etc/kernel/cmdline and kernel-install)", word);
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

/* What makes the boot loader's files anew should know of the word, too. */
static void check_source_of_words(struct check *c, const char *line)
{
	struct kexec_word w;

	if (!machine_exists(c->ctx, "/etc/default/grub"))
		return;
	while (kexec_param_next(&line, &w)) {
		char word[KEXEC_MEMMAP_TEXT];

		/* GRUB's files need escapes before a '$'. */
		if (!kexec_word_named(&w, "memmap") || w.raw_len >= sizeof(word) ||
		    memchr(w.raw, '$', w.raw_len))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)w.raw_len, w.raw);
		if (kexec_grub_variable(c->ctx, word))
			continue;
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
			       "add it to GRUB_CMDLINE_LINUX in /etc/default/grub",
			       "%s stands in grub.cfg, and not in /etc/default/grub: the next "
			       "update-grub drops it", word);
	}
}

static int check_loader(struct check *c, struct pkram_ctx *quiet)
{
	_cleanup_free_ char *line = NULL, *installed = NULL;
	enum kexec_loader loader;
	int r, bad = 0;

	r = kexec_boot_loader(quiet, &loader);
	if (r == 0)
		r = kexec_boot_line(quiet, &line);
	if (r == -ENODATA) {
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
			       "see to it that the boot loader gives it the memmap= words",
			       "cannot tell which command line the boot loader gives to the next "
			       "kernel");
		return 0;
	}
	if (r < 0)
		return r;
	r = check_line(c, quiet, line, "the boot loader");
	bad |= r;
	if (r == 0 && loader == KEXEC_LOADER_GRUB)
		check_source_of_words(c, line);
	if (r >= 0 && loader == KEXEC_LOADER_ENTRIES &&
	    machine_read(c->ctx, "/etc/kernel/cmdline", &installed, NULL) == 0) {
		r = check_line(c, quiet, installed, "/etc/kernel/cmdline, of kernels to come,");
		bad |= r;
	}
	if (r >= 0 && !bad)
		check_note(c, "the boot loader reserves the memory, too");
	return r < 0 ? r : 0;
}

int check_cold_boot(struct check *c)
{
	struct pkram_ctx *quiet;
	int r = ctx_quiet(c->ctx, &quiet);

	if (r < 0)
		return r;
	r = check_loader(c, quiet);
	pkram_unref(quiet);
	return r;
}
