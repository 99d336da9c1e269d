/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the next system's drivers would make of the memory.
 */
#include "op-check.h"

#include <inttypes.h>

/* --- kmem: takes Soft Reserved memory as ordinary memory --- */

static bool lists_module(const struct kexec_word *w, const char *module)
{
	const char *p = w->value, *end = w->value + w->value_len;

	while (p < end) {
		size_t n = strcspn(p, ",");

		n = MIN(n, (size_t)(end - p));
		if (n == strlen(module) && memcmp(p, module, n) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

/* What the next line says: that it is not loaded, or that what it takes is not used at once. */
static void read_line(const char *line, bool *ret_kept_away, bool *ret_offline)
{
	struct kexec_word w;

	*ret_kept_away = *ret_offline = false;
	while (kexec_param_next(&line, &w)) {
		if (!w.value)
			continue;
		if (kexec_word_named(&w, "modprobe.blacklist") ||
		    kexec_word_named(&w, "module_blacklist"))
			*ret_kept_away |= lists_module(&w, "kmem");
		else if (kexec_word_named(&w, "memhp_default_state"))
			*ret_offline = w.value_len == 7 && memcmp(w.value, "offline", 7) == 0;
	}
}

/* Whether the next kernel is known to have no such driver; or to have it built in. */
static bool has_no_kmem(struct check *c, bool *ret_builtin)
{
	_cleanup_(kexec_modules_done) struct kexec_modules m = { NULL };
	bool have = kexec_modules_read(c->ctx, c->kernel.version, &m) == 0;
	enum kexec_module state = have ? kexec_modules_find(&m, "kmem") : KEXEC_MODULE_ABSENT;
	char config = c->config ? kexec_config_get(c->config, "CONFIG_DEV_DAX_KMEM") : '?';

	*ret_builtin = state == KEXEC_MODULE_BUILTIN || config == 'y';
	return config == 'n' || (have && config != 'y' && state == KEXEC_MODULE_ABSENT);
}

static int check_kmem_of(struct check *c, const char *spec)
{
	bool kept_away, offline, builtin;

	read_line(c->read, &kept_away, &offline);
	if (has_no_kmem(c, &builtin) ||
	    (!builtin && (kept_away || machine_module_blacklisted(c->ctx, "kmem"))))
		return 0;
	if (offline) {
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
			       "keep the driver away (blacklist kmem in /etc/modprobe.d)",
			       "%s: the kmem driver of the next kernel takes its memory; it stays "
			       "unused by memhp_default_state=offline, unless somebody puts it to "
			       "use", spec);
		return 0;
	}
	pkram_log_refusal(c->ctx,
			  builtin ? "add memhp_default_state=offline to the next command line" :
				    "echo blacklist kmem >/etc/modprobe.d/pkram.conf, and renew "
				    "the initrd",
			  "%s: the kmem driver of the next kernel may take its memory as ordinary "
			  "memory and overwrite it", spec);
	return -EUCLEAN;
}

int check_kmem(struct check *c)
{
	size_t soft = 0;
	int bad = 0;

	for (size_t i = 0; i < c->all.n; i++) {
		if (!c->all.v[i].device.soft_reserved)
			continue;
		soft++;
		bad |= check_kmem_of(c, c->all.v[i].spec);
	}
	if (bad == 0)
		check_note(c, soft ? "kmem is kept away" : "no region is Soft Reserved memory");
	return bad ? -EUCLEAN : 0;
}

/* --- devices: which driver divides the memory --- */

/* Whether ramdax, and not nd_e820, has the memory of memmap=nn!ss. */
static bool is_ramdax(struct check *c)
{
	_cleanup_free_ char *path = machine_path(c->ctx, "/sys/devices/platform/e820_pmem/driver");
	char target[256];
	ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;
	const char *slash;

	if (n <= 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	return strcmp(slash ? slash + 1 : target, "ramdax") == 0;
}

int check_devices(struct check *c)
{
	bool ramdax = is_ramdax(c);

	for (size_t i = 0; i < c->all.n; i++) {
		const struct container *a = &c->all.v[i];

		if (ramdax && a->device.legacy)
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
				       "set the driver_override of e820_pmem to ramdax before "
				       "nd_e820 is loaded",
				       "%s: ramdax has divided its memory: under nd_e820, which "
				       "comes first, the next kernel does not find it", a->spec);
		for (size_t j = 0; j < i; j++)
			if (ranges_overlap(a->device.res_phys, a->device.res_size,
					   c->all.v[j].device.res_phys,
					   c->all.v[j].device.res_size))
				ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
					       "keep one of them",
					       "%s and %s lie in one piece of reserved memory, "
					       "which another driver shows as one device",
					       c->all.v[j].spec, a->spec);
	}
	check_note(c, "each container has a piece of reserved memory of its own");
	return 0;
}
