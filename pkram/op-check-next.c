/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the next system's drivers would make of the memory.
 */
#include "op-check.h"

#include <inttypes.h>

/* --- kmem: takes Soft Reserved memory as ordinary memory --- */

/* What it takes is not used at once. */
static bool is_offline(const char *line)
{
	bool offline = false;
	struct kexec_word w;

	while (kexec_param_next(&line, &w))
		if (w.value && kexec_word_named(&w, "memhp_default_state"))
			offline = w.value_len == 7 && memcmp(w.value, "offline", 7) == 0;
	return offline;
}

/* An initrd with the driver has modprobe's files as they were when it was made. */
static bool is_kept_away(struct check *c)
{
	if (kexec_line_lists(c->read, "module_blacklist", "kmem") ||
	    kexec_line_lists(c->read, "modprobe.blacklist", "kmem"))
		return true;
	return machine_module_blacklisted(c->ctx, "kmem") &&
	       (!c->have_initrd ||
		kexec_modules_find(&c->initrd.modules, "kmem") == KEXEC_MODULE_ABSENT ||
		kexec_initrd_keeps_away(&c->initrd, "kmem"));
}

/*
 * Whether the next kernel is known to have no such driver; or to have it built in. Modules that are
 * there count for more than a configuration, which may be another build's.
 */
static bool has_no_kmem(struct check *c, bool *ret_builtin)
{
	_cleanup_(kexec_modules_done) struct kexec_modules m = { NULL };
	bool have = kexec_modules_read(c->ctx, c->kernel.version, &m) == 0;
	enum kexec_module state = have ? kexec_modules_find(&m, "kmem") : KEXEC_MODULE_ABSENT;
	char config = c->config ? kexec_config_get(c->config, "CONFIG_DEV_DAX_KMEM") : '?';

	if (state == KEXEC_MODULE_ABSENT && c->have_initrd)
		state = kexec_modules_find(&c->initrd.modules, "kmem");
	*ret_builtin = state == KEXEC_MODULE_BUILTIN || config == 'y';
	return config != 'y' && state == KEXEC_MODULE_ABSENT && (have || config == 'n');
}

static int check_kmem_of(struct check *c, const char *spec)
{
	bool builtin;

	if (has_no_kmem(c, &builtin) || (!builtin && is_kept_away(c)))
		return 0;
	if (is_offline(c->read)) {
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
