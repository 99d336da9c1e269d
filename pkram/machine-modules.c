/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loads the drivers of reserved memory. After a jump into a small initramfs nothing else may have
 * done so yet, and the data waits in memory that has no device.
 */
#include "machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdarg.h>
#include <syslog.h>

#include "library.h"

#define SYMBOLS(X)                                                                                 \
	X(kmod_new)                                                                                \
	X(kmod_unref)                                                                              \
	X(kmod_set_log_fn)                                                                         \
	X(kmod_set_log_priority)                                                                   \
	X(kmod_list_next)                                                                          \
	X(kmod_module_new_from_lookup)                                                             \
	X(kmod_module_get_module)                                                                  \
	X(kmod_module_probe_insert_module)                                                         \
	X(kmod_module_unref)                                                                       \
	X(kmod_module_unref_list)                                                                  \
	X(kmod_config_get_blacklists)                                                              \
	X(kmod_config_get_install_commands)                                                        \
	X(kmod_config_iter_next)                                                                   \
	X(kmod_config_iter_get_key)                                                                \
	X(kmod_config_iter_get_value)                                                              \
	X(kmod_config_iter_free_iter)

LIBRARY(kmod_library, "libkmod.so.2", "kmod", "loading the drivers of reserved memory", "required",
	SYMBOLS)

struct kmod {
	struct kmod_library l;
	struct kmod_ctx *kmod;
};

struct need {
	bool pmem;	/* memory of a pmem bus without a device */
	bool soft;	/* Soft Reserved memory without a device */
	bool driver;	/* a devdax device that cannot be opened yet */
};

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static bool has_device(const struct machine_device *devices, size_t n, uint64_t start,
		       uint64_t len)
{
	for (size_t i = 0; i < n; i++)
		if (ranges_overlap(devices[i].res_phys, devices[i].res_size, start, len))
			return true;
	return false;
}

static void judge_range(const struct machine_range *r, const struct machine_device *devices,
			size_t n, struct need *need)
{
	static const char pmem[] = "Persistent Memory";

	if (has_device(devices, n, r->start, r->end - r->start + 1))
		return;
	if (strncmp(r->name, pmem, sizeof(pmem) - 1) == 0)
		need->pmem = true;
	else if (strcmp(r->name, "Soft Reserved") == 0)
		need->soft = true;
}

static int find_need(struct pkram_ctx *ctx, struct need *ret)
{
	_cleanup_free_ struct machine_device *devices = NULL;
	_cleanup_(machine_ranges_done) struct machine_ranges iomem = { 0 };
	struct need need = { false };
	size_t n;
	int r;

	/* To whom the addresses are hidden, no module would be loaded either. */
	r = machine_iomem(ctx, &iomem);
	if (r < 0 && r != -EPERM)
		return r;
	r = machine_devices(ctx, &devices, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < iomem.n; i++)
		judge_range(&iomem.v[i], devices, n, &need);
	for (size_t i = 0; i < n; i++)
		need.driver |= !devices[i].bound;
	*ret = need;
	return 0;
}

/* It complains to stderr by itself, of what is bad in files that nobody may need. */
__attribute__((format(printf, 6, 0))) static void
on_log(void *arg, int priority, const char *file, int line, const char *fn, const char *format,
       va_list ap)
{
	struct pkram_ctx *ctx = arg;
	_cleanup_free_ char *text = NULL;

	(void)priority;
	(void)file;
	(void)line;
	if (vasprintf(&text, format, ap) < 0) {
		text = NULL;
		return;
	}
	text[strcspn(text, "\n")] = '\0';
	pkram_log_debug(ctx, "libkmod: %s: %s", fn, text);
}

static void kmod_done(struct kmod *k)
{
	if (k->kmod)
		k->l.kmod_unref(k->kmod);
	kmod_library_close(&k->l);
}

/* paths NULL: of this machine. To be done with by kmod_done() whatever this returns. */
static int kmod_start(struct pkram_ctx *ctx, const char *const *paths, struct kmod *k)
{
	if (kmod_library_open(&k->l) < 0) {
		pkram_log_warning(ctx, "no driver can be loaded, nor is known what modprobe is "
				  "told: %s", dlerror());
		return -EOPNOTSUPP;
	}
	k->kmod = k->l.kmod_new(NULL, paths);
	if (!k->kmod)
		return -ENOMEM;
	k->l.kmod_set_log_fn(k->kmod, on_log, ctx);
	k->l.kmod_set_log_priority(k->kmod, LOG_ERR);
	return 0;
}

static void load_found(struct pkram_ctx *ctx, const struct kmod_library *l,
		       const struct kmod_list *item, const char *name)
{
	struct kmod_module *mod = l->kmod_module_get_module(item);
	int r = l->kmod_module_probe_insert_module(mod, KMOD_PROBE_APPLY_BLACKLIST, NULL, NULL,
						   NULL, NULL);

	errno = r < 0 ? -r : 0;
	if (r > 0)
		pkram_log_debug(ctx, "module %s: blacklisted", name);
	else if (r < 0)
		pkram_log_debug(ctx, "module %s: %m", name);
	l->kmod_module_unref(mod);
}

static void load(struct pkram_ctx *ctx, struct kmod *k, const char *name)
{
	const struct kmod_library *l = &k->l;
	struct kmod_list *list = NULL, *item;
	int r = l->kmod_module_new_from_lookup(k->kmod, name, &list);

	if (r < 0 || !list) {
		pkram_log_debug(ctx, "module %s: not there", name);
		return;
	}
	for (item = list; item; item = l->kmod_list_next(list, item))
		load_found(ctx, l, item, name);
	l->kmod_module_unref_list(list);
}

/* The bus makes its devices in the background; reading this file waits for that. */
void machine_wait_for_devices(struct pkram_ctx *ctx)
{
	struct dirent *e;
	DIR *d;

	if (machine_open_dir(ctx, "/sys/bus/nd/devices", &d) < 0)
		return;
	while ((e = readdir(d))) {
		_cleanup_free_ char *text = NULL;
		char path[320];

		if (strncmp(e->d_name, "ndbus", 5) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s/wait_probe", e->d_name);
		if (machine_read(ctx, path, &text, NULL) < 0)
			pkram_log_debug(ctx, "%s: %m", path);
	}
	closedir(d);
}

/*
 * Since 6.3 device_dax leaves Soft Reserved memory to kmem unless it is told the device's name.
 * Told at once, before kmem comes: what a device holds is not known before it can be opened.
 */
static int bind_devdax(struct pkram_ctx *ctx)
{
	_cleanup_free_ struct machine_device *devices = NULL;
	size_t n;
	int r;

	r = machine_devices(ctx, &devices, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *name = base_name(devices[i].path);
		_cleanup_close_ int fd = -1;

		if (devices[i].bound)
			continue;
		fd = machine_open(ctx, "/sys/bus/dax/drivers/device_dax/new_id", O_WRONLY);
		if (fd >= 0 && write(fd, name, strlen(name)) > 0)
			pkram_log_info(ctx, "%s: bound to device_dax", devices[i].path);
		else
			pkram_log_debug(ctx, "%s: cannot be bound to device_dax", devices[i].path);
	}
	return r;
}

int machine_load_modules(struct pkram_ctx *ctx)
{
	static const struct {
		const char *name;
		bool pmem, soft, driver;
	} modules[] = {
		{ "nd_e820", .pmem = true },
		{ "nfit", .pmem = true },
		{ "nd_pmem", .pmem = true },
		{ "dax_pmem", .pmem = true },
		/* By name: kmem answers to the same alias, and would lend the memory out. */
		{ "device_dax", .pmem = true, .soft = true, .driver = true },
		{ "dax_hmem", .soft = true },
	};
	_cleanup_(kmod_done) struct kmod kmod = { { NULL } };
	struct need need;
	int r;

	if (*ctx->sysroot)
		return 0;
	r = find_need(ctx, &need);
	if (r < 0 || !(need.pmem || need.soft || need.driver))
		return r;
	r = kmod_start(ctx, NULL, &kmod);
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		if ((need.pmem && modules[i].pmem) || (need.soft && modules[i].soft) ||
		    (need.driver && modules[i].driver))
			load(ctx, &kmod, modules[i].name);
	machine_wait_for_devices(ctx);
	return bind_devdax(ctx);
}

void machine_load_devdax(struct pkram_ctx *ctx)
{
	static const char *const names[] = { "dax_pmem", "device_dax" };
	_cleanup_(kmod_done) struct kmod kmod = { { NULL } };

	if (*ctx->sysroot || kmod_start(ctx, NULL, &kmod) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		load(ctx, &kmod, names[i]);
}

/* --- what modprobe is told --- */

static bool same_module(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	return *a == *b;
}

static bool config_has(const struct kmod_library *l, struct kmod_config_iter *iter,
		       const char *name)
{
	bool found = false;

	while (iter && !found && l->kmod_config_iter_next(iter)) {
		const char *value = l->kmod_config_iter_get_value(iter);

		/* An install command that only says no keeps it away, too. */
		found = same_module(l->kmod_config_iter_get_key(iter), name) &&
			(!value || strstr(value, "/false") || strstr(value, "/true"));
	}
	if (iter)
		l->kmod_config_iter_free_iter(iter);
	return found;
}

bool machine_module_blacklisted(struct pkram_ctx *ctx, const char *name)
{
	_cleanup_free_ char *etc = machine_path(ctx, "/etc/modprobe.d");
	_cleanup_free_ char *run = machine_path(ctx, "/run/modprobe.d");
	_cleanup_free_ char *lib = machine_path(ctx, "/lib/modprobe.d");
	const char *paths[] = { etc, run, lib, NULL };
	_cleanup_(kmod_done) struct kmod k = { { NULL } };

	if (!etc || !run || !lib || kmod_start(ctx, paths, &k) < 0)
		return false;
	return config_has(&k.l, k.l.kmod_config_get_blacklists(k.kmod), name) ||
	       config_has(&k.l, k.l.kmod_config_get_install_commands(k.kmod), name);
}
