/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The next kernel: that it can be loaded, and that it will have the drivers of the memory.
 */
#include "op-check.h"

#include <inttypes.h>

/* --- kernel --- */

static int refuse_image(struct check *c, const struct kexec_image *image)
{
	_cleanup_free_ char *remedy = NULL;
	const char *path = c->kernel.kernel;

	if (image->kind == KEXEC_IMAGE_UNIFIED) {
		if (asprintf(&remedy,
			     "take its parts out: objcopy --dump-section .linux=VMLINUZ "
			     "--dump-section .initrd=INITRD %s /dev/null, and name them with "
			     "--kernel and --initrd", path) < 0) {
			remedy = NULL;
			return -ENOMEM;
		}
		pkram_log_refusal(c->ctx, remedy,
				  "%s is a unified kernel image, which kexec cannot load", path);
	} else if (image->machine && image->machine != KEXEC_MACHINE_X86_64 &&
		   image->machine != KEXEC_MACHINE_X86) {
		pkram_log_refusal(c->ctx, "name one for this machine with --kernel",
				  "%s is for another processor than x86 (PE machine %#x)", path,
				  image->machine);
	} else if (image->kind == KEXEC_IMAGE_EFI) {
		pkram_log_refusal(c->ctx, "name a Linux kernel with --kernel",
				  "%s is an EFI program for the firmware to start, and no bzImage",
				  path);
	} else if (image->kind == KEXEC_IMAGE_UNKNOWN) {
		pkram_log_refusal(c->ctx, "name another one with --kernel",
				  "%s is not a kernel that kexec loads (a bzImage)", path);
	} else {
		pkram_log_refusal(c->ctx, "name another one with --kernel",
				  "%s has no 64-bit entry (boot protocol %u.%02u)", path,
				  image->protocol >> 8, image->protocol & 0xff);
	}
	return -EUCLEAN;
}

int check_kernel(struct check *c)
{
	int r = kexec_config_running(c->ctx, &c->running_config);

	if (r == 0 || r == -ENODATA)
		r = kexec_kernel_choose(c->ctx, c->o->kernel, c->o->initrd, &c->kernel);
	if (r < 0)
		return r;
	r = kexec_image_read(c->ctx, c->kernel.kernel, &c->image);
	if (r < 0)
		return log_error_errno(c->ctx, r, "kernel %s: %m", c->kernel.kernel);
	if (c->image.kind != KEXEC_IMAGE_BZIMAGE || !c->image.boots_64)
		return refuse_image(c, &c->image);
	r = kexec_config_read(c->ctx, &c->kernel, &c->config);
	if (r < 0 && r != -ENODATA)
		return r;
	check_note(c, "%s: %s, %s%s", c->kernel.version, c->kernel.kernel,
		   c->kernel.initrd ? "initrd " : "no initrd",
		   c->kernel.initrd ? c->kernel.initrd : "");
	return 0;
}

/* --- initrd --- */

#define ANEW "make it anew: update-initramfs -u, or dracut --force"

static void warn_lacks(struct check *c, const char *what)
{
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, ANEW,
		       "%s lacks %s: what is marked as early is restored later",
		       c->kernel.initrd, what);
}

/* machine_read leaves out the last newline. */
static bool same_text(const char *inside, const char *read)
{
	size_t n = strlen(read);

	return strncmp(inside, read, n) == 0 && (!inside[n] || strcmp(inside + n, "\n") == 0);
}

static int check_early_file(struct check *c, const char *path)
{
	const char *inside = kexec_initrd_conf(&c->initrd, path);
	_cleanup_free_ char *text = NULL;
	int r = machine_read(c->ctx, path, &text, NULL);

	if (r < 0)
		return log_error_errno(c->ctx, r, "%s: %m", path);
	if (!inside)
		warn_lacks(c, path);
	else if (!same_text(inside, text))
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, ANEW,
			       "%s holds %s as it was before it changed", c->kernel.initrd, path);
	return 0;
}

static bool is_early(const struct check *c, const char *path)
{
	for (size_t i = 0; i < c->o->n_early; i++)
		if (strcmp(c->o->early[i], path) == 0)
			return true;
	return false;
}

/* It goes by what it holds, whatever has become of that in /etc. */
static void check_late_file(struct check *c, const char *path)
{
	static const char units[] = "/etc/pkram.d/";
	bool unit = strncmp(path, units, strlen(units)) == 0;

	if (is_early(c, path))
		return;
	if (unit)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, ANEW,
			       "%s restores what %s names, which is not to be restored early any "
			       "more", c->kernel.initrd, path);
	else if (c->o->n_early)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, ANEW,
			       "%s holds %s, which is not there any more", c->kernel.initrd, path);
}

/*
 * What is to be restored by the initrd, by what /etc says now: later is no loss. It was told when
 * the jump was staged, and whoever loads it again does not know what is to be early.
 */
static int check_early(struct check *c)
{
	int r = 0;

	if (c->again)
		return 0;
	if (c->initrd.has_pkram && !c->initrd.has_libkmod)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, ANEW,
			       "%s holds pkram without libkmod.so.2: it cannot load a driver",
			       c->kernel.initrd);
	for (size_t i = 0; c->initrd.has_pkram && i < c->initrd.n_confs; i++)
		check_late_file(c, c->initrd.confs[i].path);

	if (c->o->n_early && !c->kernel.initrd)
		pkram_log_warning(c->ctx,
				  "without an initrd, what is marked as early is restored later");
	else if (c->o->n_early && !c->initrd.has_pkram)
		warn_lacks(c, "pkram");
	else
		for (size_t i = 0; r == 0 && i < c->o->n_early; i++)
			r = check_early_file(c, c->o->early[i]);
	return r;
}

/* More than an initrd unpacks to, and what takes some seconds. */
#define LOOK_MAX (1 * GIB)

/* A kernel that cannot unpack it whole starts what it has got, or panics. */
static int refuse_initrd(struct check *c, int r, uint64_t max)
{
	const char *path = c->kernel.initrd;

	if (r == -ENODATA)
		pkram_log_refusal(c->ctx, "name the right one with --initrd, or '' for none",
				  "%s is no initrd: neither a cpio archive nor a packed one", path);
	else if (r == -EFBIG)
		pkram_log_refusal(c->ctx, "name the right one with --initrd",
				  "%s unpacks to more than the %" PRIu64 " MiB of memory that "
				  "there are", path, max / MIB);
	else
		pkram_log_refusal(c->ctx, ANEW, "%s is damaged: %s", path,
				  c->initrd.unpacked.why);
	return -EUCLEAN;
}

/* What cannot be looked into may be right all the same: kexec and the kernel do not need us. */
static int look_into_initrd(struct check *c)
{
	const char *path = c->kernel.initrd;
	uint64_t total = machine_memory_total(c->ctx);
	uint64_t max = total ? MIN(total, LOOK_MAX) : LOOK_MAX;
	int r = kexec_initrd_read(c->ctx, path, c->kernel.version, max, &c->initrd);

	c->have_initrd = r == 0;
	if (r == 0 || r == -ENOMEM)
		return r;
	if (r == -ENODATA || r == -EBADMSG || (r == -EFBIG && max < LOOK_MAX))
		return refuse_initrd(c, r, max);
	errno = -r;
	if (r == -EOPNOTSUPP)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "see for yourself whether it is whole",
			       "%s: cannot be looked into: %s", path, c->initrd.unpacked.why);
	else if (r == -EFBIG)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "see for yourself whether it is whole",
			       "%s unpacks to more than 1 GiB, and was not looked into further",
			       path);
	else
		return log_error_errno(c->ctx, r, "initrd %s: %m", path);
	return 0;
}

/* A kernel that cannot unpack it starts without. */
static int check_packing(struct check *c)
{
	const char *option;

	for (unsigned int i = 0; c->config && (option = kexec_packing_option(i)); i++) {
		if (!(c->initrd.unpacked.packings & 1u << i) ||
		    !kexec_config_denies(c->config, option))
			continue;
		pkram_log_refusal(c->ctx, "pack it in another way, or name another kernel with "
				  "--kernel",
				  "kernel %s cannot unpack %s: it is built without %s",
				  c->kernel.version, c->kernel.initrd, option);
		return -EUCLEAN;
	}
	return 0;
}

int check_initrd(struct check *c)
{
	const char *path = c->kernel.initrd;
	int r;

	if (!path) {
		check_note(c, "the kernel starts without one");
		return check_early(c);
	}
	r = look_into_initrd(c);
	if (r == 0)
		r = check_packing(c);
	if (r < 0 || !c->have_initrd)
		return r;
	if (c->initrd.other_version)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "name the right one with --initrd",
			       "%s holds modules of another kernel than %s", path,
			       c->kernel.version);
	else
		check_note(c, "%s: %s", path,
			   c->initrd.has_pkram ? "restores by itself: pkram is inside" :
						 "pkram is not inside");
	return check_early(c);
}

/* --- drivers --- */

struct driver {
	const char *module, *option;
	bool pmem, devdax, soft, nfit;	/* for which memory it is needed */
	const char *initcalls[4];	/* that start it, and what it stands on, by any kernel */
};

static const struct driver drivers[] = {
	{ "nd_e820", "CONFIG_X86_PMEM_LEGACY", .pmem = true,
	  .initcalls = { "register_e820_pmem", "e820_pmem_driver_init", "libnvdimm_init" } },
	{ "nfit", "CONFIG_ACPI_NFIT", .nfit = true,
	  .initcalls = { "nfit_init", "libnvdimm_init" } },
	{ "nd_pmem", "CONFIG_BLK_DEV_PMEM", .pmem = true, .nfit = true,
	  .initcalls = { "nd_pmem_driver_init", "pmem_init", "dax_core_init" } },
	{ "dax_pmem", "CONFIG_DEV_DAX_PMEM", .devdax = true,
	  .initcalls = { "dax_pmem_init", "dax_pmem_driver_init" } },
	{ "device_dax", "CONFIG_DEV_DAX", .devdax = true, .soft = true,
	  .initcalls = { "dax_init", "dax_core_init" } },
	{ "dax_hmem", "CONFIG_DEV_DAX_HMEM", .soft = true,
	  .initcalls = { "dax_hmem_init", "dax_hmem_driver_init", "hmem_init" } },
};

static bool needs_driver(const struct check *c, const struct driver *d)
{
	for (size_t i = 0; i < c->all.n; i++) {
		const struct machine_device *m = &c->all.v[i].device;
		bool on_nd = m->legacy || !m->soft_reserved;

		if ((d->pmem && m->legacy) || (d->soft && m->soft_reserved) ||
		    (d->nfit && on_nd && !m->legacy) ||
		    (d->devdax && on_nd && m->kind == MACHINE_DEVICE_DEVDAX))
			return true;
	}
	return false;
}

struct known {
	struct kexec_modules modules;
	bool have_modules;
};

static void known_done(struct known *k)
{
	kexec_modules_done(&k->modules);
}

static int refuse_driver(struct check *c, const struct driver *d, const char *why)
{
	_cleanup_free_ char *remedy = NULL;

	if (asprintf(&remedy, "build it with %s, install the package that has its modules, or name "
		     "another kernel with --kernel", d->option) < 0) {
		remedy = NULL;
		return -ENOMEM;
	}
	pkram_log_refusal(c->ctx, remedy, "kernel %s lacks the driver %s%s", c->kernel.version,
			  d->module, why);
	return -EUCLEAN;
}

/* The initrd that restores needs the driver inside. */
static int check_initrd_driver(struct check *c, const struct driver *d)
{
	pkram_log_refusal(c->ctx,
			  "add it to the initrd (/etc/initramfs-tools/modules and "
			  "update-initramfs -u, or dracut --add-drivers)",
			  "%s holds pkram, and not the module %s that it needs", c->kernel.initrd,
			  d->module);
	return -EUCLEAN;
}

/* --- drivers that are there, and are kept away --- */

#define OF_LINE "leave it out with --command-line"
#define OF_KERNEL "it is built into the kernel: choose another one with --kernel"

/* Whether the kernel reads a word that forbids it: refused then. `of`: the driver that needs it. */
static bool forbids(struct check *c, const char *word, const char *name, const char *of)
{
	if (!kexec_line_lists(c->read, word, name))
		return false;
	pkram_log_refusal(c->ctx,
			  kexec_line_lists(c->line, word, name) ? OF_LINE : OF_KERNEL,
			  "%s= on the next command line forbids %s%s%s", word, name,
			  strcmp(name, of) == 0 ? "" : ", without which there is no ",
			  strcmp(name, of) == 0 ? "" : of);
	return true;
}

static bool forbids_initcall(struct check *c, const struct driver *d, bool builtin)
{
	static const char word[] = "initcall_blacklist";

	for (size_t i = 0; i < ARRAY_SIZE(d->initcalls) && d->initcalls[i]; i++)
		if (forbids(c, word, d->initcalls[i], d->module))
			return true;
	/* What all modules begin with. */
	return !builtin && forbids(c, word, "init_module", d->module);
}

/* A word of the line that keeps all modules away. */
static bool ends_modules(const struct kexec_word *w)
{
	/* Both kinds of separators will do. */
	static const char sysctl[] = "sysctl.kernel.modules_disabled";

	if (kexec_word_named(w, "nomodule"))
		return !w->value || kexec_word_lists(w, "1") || kexec_word_lists(w, "y") ||
		       kexec_word_lists(w, "Y") || kexec_word_lists(w, "on");
	if (w->name_len != sizeof(sysctl) - 1 || !kexec_word_lists(w, "1"))
		return false;
	for (size_t i = 0; i < w->name_len; i++)
		if (w->name[i] != sysctl[i] && (w->name[i] != '/' || sysctl[i] != '.'))
			return false;
	return true;
}

static bool ends_acpi(const struct kexec_word *w)
{
	return kexec_word_named(w, "acpi") && kexec_word_lists(w, "off");
}

/* Whether there is such a word: refused then. `what`: that it keeps away, and the driver needs. */
static bool forbids_all(struct check *c, bool (*is_such)(const struct kexec_word *w),
			const char *what, const struct driver *d)
{
	const char *line = c->read;
	struct kexec_word w;

	while (kexec_param_next(&line, &w))
		if (is_such(&w)) {
			pkram_log_refusal(c->ctx,
					  kexec_line_find(c->line, w.raw, w.raw_len, NULL) ?
						  OF_LINE : OF_KERNEL,
					  "%.*s on the next command line forbids %s, without which "
					  "there is no %s", (int)w.raw_len, w.raw, what, d->module);
			return true;
		}
	return false;
}

static bool forbids_module(struct check *c, const struct kexec_modules *m, const struct driver *d)
{
	static const char word[] = "module_blacklist";
	char needed[KEXEC_MODULE_NAME];
	const char *at = NULL;

	if (forbids_all(c, ends_modules, "all modules", d))
		return true;
	if (forbids(c, word, d->module, d->module))
		return true;
	while (kexec_modules_needs(m, d->module, &at, needed))
		if (forbids(c, word, needed, d->module))
			return true;
	return false;
}

/* Nothing loads it by itself; it can be loaded by hand. */
static void warn_blacklists(struct check *c, const struct driver *d)
{
	/* Of modprobe; of dracut, now and before; of initramfs-tools. */
	static const char *const words[] = { "modprobe.blacklist", "rd.driver.blacklist",
					     "rdblacklist", "blacklist" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (kexec_line_lists(c->read, words[i], d->module))
			ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, OF_LINE,
				       "the driver %s is on a blacklist, by %s= on the next "
				       "command line: the region may have no device in the next "
				       "%s until somebody loads it",
				       d->module, words[i], i ? "initrd" : "system");
	if (machine_module_blacklisted(c->ctx, d->module))
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "take it off /etc/modprobe.d",
			       "the driver %s is on a blacklist: the region may have no device in "
			       "the next system until somebody loads it",
			       d->module);
}

/* --- each driver --- */

static int check_presence(struct check *c, const struct known *k, const struct driver *d,
			  char config)
{
	bool loadable = k->have_modules &&
			kexec_modules_find(&k->modules, d->module) == KEXEC_MODULE_LOADABLE;
	bool inside = c->have_initrd && kexec_modules_find(&c->initrd.modules, d->module);

	if (c->have_initrd && c->initrd.has_pkram && !inside)
		return check_initrd_driver(c, d);
	if (loadable || inside)
		return 0;
	if (k->have_modules || config == 'n')
		return refuse_driver(c, d, config == 'n' ? ", by its configuration" : "");
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
		       "see to it that the next system has the modules of this version",
		       config == 'm' ? "kernel %s has the driver %s as a module, and there is no "
				       "/lib/modules of its version" :
				       "kernel %s: cannot tell whether it has the driver %s: "
				       "neither its configuration nor its modules are here",
		       c->kernel.version, d->module);
	return 0;
}

static int check_driver(struct check *c, const struct known *k, const struct driver *d)
{
	char config = c->config ? kexec_config_get(c->config, d->option) : '?';
	bool builtin = config == 'y' ||
		       (k->have_modules &&
			kexec_modules_find(&k->modules, d->module) == KEXEC_MODULE_BUILTIN);
	bool forbidden = forbids_initcall(c, d, builtin) ||
			 (d->nfit && !d->pmem && forbids_all(c, ends_acpi, "ACPI", d));
	int r = 0;

	if (!builtin) {
		forbidden |= forbids_module(c, &k->modules, d);
		r = check_presence(c, k, d, config);
		if (r == 0 && !forbidden)
			warn_blacklists(c, d);
	}
	return r == 0 && forbidden ? -EUCLEAN : r;
}

int check_drivers(struct check *c)
{
	_cleanup_(known_done) struct known k = { .have_modules = false };
	int r, bad = 0;

	r = kexec_modules_read(c->ctx, c->kernel.version, &k.modules);
	k.have_modules = r == 0;
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		r = needs_driver(c, &drivers[i]) ? check_driver(c, &k, &drivers[i]) : 0;
		if (r == -ENOMEM)
			return r;
		bad = r < 0 ? r : bad;
	}
	if (bad == 0)
		check_note(c, "kernel %s has what the memory needs", c->kernel.version);
	return bad;
}
