/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What systemd-boot is set to start: EFI variables that bootctl sets, and loader.conf.
 */
#include "kexec-boot.h"
#include "machine.h"

/*
 * An EFI variable of text: 4 bytes of attributes, then UTF-16, of which ASCII is all that ids
 * hold.
 */
char *boot_efi_var(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_free_ char *raw = NULL;
	size_t len, n = 0;

	if (machine_read(ctx, path, &raw, &len) < 0)
		return NULL;
	for (size_t i = 4; i + 1 < len && (raw[i] || raw[i + 1]); i += 2) {
		if (raw[i + 1])
			return NULL;
		raw[n++] = raw[i];
	}
	raw[n] = '\0';
	return n ? TAKE_PTR(raw) : NULL;
}

/* "default PATTERN" of loader.conf. */
static char *loader_conf_default(struct pkram_ctx *ctx)
{
	static const char *const paths[] = { "/efi/loader/loader.conf",
					     "/boot/efi/loader/loader.conf",
					     "/boot/loader/loader.conf" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *text = NULL;
		char *save = NULL;

		if (machine_read(ctx, paths[i], &text, NULL) < 0)
			continue;
		for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			size_t key = strcspn(l, " \t");

			if (key != strlen("default") || strncmp(l, "default", key) != 0)
				continue;
			l += key + strspn(l + key, " \t");
			l[strcspn(l, " \t\r")] = '\0';
			return *l ? strdup(l) : NULL;
		}
	}
	return NULL;
}

/* One-shot before set by bootctl before loader.conf before the first of the menu. */
int boot_systemd_default(struct pkram_ctx *ctx, struct boot_entries *all,
				struct kexec_kernel *ret)
{
	_cleanup_free_ char *want = boot_efi_var(ctx, BOOT_EFI_VAR("LoaderEntryOneShot"));
	struct boot_entry *e;

	if (!want)
		want = boot_efi_var(ctx, BOOT_EFI_VAR("LoaderEntryDefault"));
	if (!want)
		want = loader_conf_default(ctx);
	if (want && strcmp(want, "@saved") == 0) {
		free(want);
		want = boot_efi_var(ctx, BOOT_EFI_VAR("LoaderEntryLastBooted"));
	}
	if (!want && !all->n)
		return -ENODATA;
	e = want ? boot_entries_find(all, want) : &all->v[0];
	return e ? boot_take_entry(ctx, e, ret) : boot_cannot_tell(ctx, "systemd-boot", want);
}
