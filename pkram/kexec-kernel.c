/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which kernel to load: as told, else what a plain reboot would start, else the newest in /boot;
 * with the initrd that belongs to it.
 */
#include "kexec.h"
#include "machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define KERNEL_PREFIX "vmlinuz-"

/* --- names in /boot --- */

/* "6.12.1-amd64" of "/boot/vmlinuz-6.12.1-amd64"; NULL where the name carries none. */
static const char *name_version(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dash = strchr(name, '-');

	return dash && dash[1] ? dash + 1 : NULL;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t ls = strlen(s), lt = strlen(tail);

	return ls >= lt && strcmp(s + ls - lt, tail) == 0;
}

/* What package managers and people leave beside kernels. */
static bool is_leftover(const char *version)
{
	static const char *const tails[] = { ".old", ".bak", ".orig", ".rpmsave", ".rpmnew", ".efi",
					     ".efi.signed", ".sig", "~" };

	if (strstr(version, ".dpkg-") || strstr(version, "rescue"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++)
		if (ends_with(version, tails[i]))
			return true;
	return false;
}

static bool is_file(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_free_ char *full = machine_path(ctx, path);
	struct stat st;

	return full && stat(full, &st) == 0 && S_ISREG(st.st_mode);
}

static int newest_first(const void *a, const void *b)
{
	return kexec_version_compare(*(char *const *)b, *(char *const *)a);
}

void kexec_versions_free(char **versions)
{
	for (char **v = versions; v && *v; v++)
		free(*v);
	free(versions);
}
DEFINE_CLEANUP(char **, kexec_versions_free)

static int add_version(char ***versions, size_t *n, size_t *cap, const char *version)
{
	int r = array_grow(versions, cap, *n + 2, sizeof(**versions));

	if (r < 0)
		return r;
	(*versions)[*n] = strdup(version);
	if (!(*versions)[*n])
		return -ENOMEM;
	(*versions)[++*n] = NULL;
	return 0;
}

static int scan_boot(struct pkram_ctx *ctx, DIR *dir, char ***versions, size_t *n)
{
	size_t cap = 0;
	struct dirent *d;

	*versions = calloc(1, sizeof(**versions));
	if (!*versions)
		return -ENOMEM;
	while ((d = readdir(dir))) {
		char path[sizeof("/boot/") + sizeof(d->d_name)];
		int r;

		if (strncmp(d->d_name, KERNEL_PREFIX, strlen(KERNEL_PREFIX)) != 0 ||
		    is_leftover(d->d_name + strlen(KERNEL_PREFIX)))
			continue;
		snprintf(path, sizeof(path), "/boot/%s", d->d_name);
		if (!is_file(ctx, path))
			continue;
		r = add_version(versions, n, &cap, d->d_name + strlen(KERNEL_PREFIX));
		if (r < 0)
			return r;
	}
	return 0;
}

int kexec_kernel_versions(struct pkram_ctx *ctx, char ***ret)
{
	_cleanup_(kexec_versions_free_p) char **versions = NULL;
	size_t n = 0;
	DIR *dir;
	int r;

	r = machine_open_dir(ctx, "/boot", &dir);
	if (r < 0)
		return r;
	r = scan_boot(ctx, dir, &versions, &n);
	closedir(dir);
	if (r < 0)
		return r;
	qsort(versions, n, sizeof(*versions), newest_first);
	*ret = TAKE_PTR(versions);
	return 0;
}

/* --- choosing --- */

/*
 * Whoever loads it again may be in another directory. No link is followed: by their names kernel
 * and initrd find each other.
 */
static int take_path(struct pkram_ctx *ctx, const char *given, char **ret)
{
	_cleanup_free_ char *here = NULL;

	if (*given != '/') {
		here = getcwd(NULL, 0);
		if (!here)
			return log_error_errno(ctx, -errno, "%s: the current directory: %m", given);
	}
	if (asprintf(ret, "%s%s%s", here && here[1] ? here : "", here ? "/" : "", given) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

/*
 * The initrd beside a kernel, by the version in the kernel's name, else by the one in its header:
 * initrd.img-VERSION and the like in a directory ("/boot/").
 */
static int initrd_in(struct pkram_ctx *ctx, const char *dir, int dir_len, const char *version,
		     char **ret)
{
	static const struct {
		const char *head, *tail;
	} forms[] = { { "initrd.img-", "" }, { "initramfs-", ".img" }, { "initrd-", "" },
		      { "initrd-", ".img" }, { "initramfs-", "" } };

	for (size_t i = 0; version && i < ARRAY_SIZE(forms); i++) {
		char *path;

		if (asprintf(&path, "%.*s%s%s%s", dir_len, dir, forms[i].head, version,
			     forms[i].tail) < 0)
			return -ENOMEM;
		if (is_file(ctx, path)) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	return -ENOENT;
}

/* Beside the kernel, else in /boot. */
static int matching_initrd(struct pkram_ctx *ctx, const char *kernel, const char *version,
			   char **ret)
{
	const char *slash = strrchr(kernel, '/');
	const char *versions[] = { name_version(kernel), version };
	const struct {
		const char *path;
		int len;
	} dirs[] = { { kernel, slash ? (int)(slash - kernel) + 1 : 0 }, { "/boot/", 6 } };
	int r = -ENOENT;

	for (size_t d = 0; d < ARRAY_SIZE(dirs); d++)
		for (size_t v = 0; v < ARRAY_SIZE(versions) && r == -ENOENT; v++)
			r = initrd_in(ctx, dirs[d].path, dirs[d].len, versions[v], ret);
	return r;
}

int kexec_kernel_newest(struct pkram_ctx *ctx, char **ret_kernel)
{
	static const char *const plain[] = { "/vmlinuz", "/boot/vmlinuz", "/boot/bzImage" };
	_cleanup_(kexec_versions_free_p) char **versions = NULL;
	const char *version;
	int r;

	r = kexec_kernel_versions(ctx, &versions);
	if (r < 0 && r != -ENOENT)
		return log_error_errno(ctx, r, "/boot: %m");
	version = versions ? versions[0] : NULL;
	if (version) {
		char *path;

		if (asprintf(&path, "/boot/" KERNEL_PREFIX "%s", version) < 0)
			return -ENOMEM;
		*ret_kernel = path;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (!is_file(ctx, plain[i]))
			continue;
		*ret_kernel = strdup(plain[i]);
		return *ret_kernel ? 0 : -ENOMEM;
	}
	pkram_log_refusal(ctx, "name one with --kernel", "no kernel in /boot");
	return -ENOENT;
}

/* Before it is opened: a fifo would keep whoever opens it, and a device may start something. */
static int check_file(struct pkram_ctx *ctx, const char *what, const char *path)
{
	_cleanup_free_ char *full = machine_path(ctx, path), *remedy = NULL;
	struct stat st;
	int r = 0;

	if (!full || asprintf(&remedy, "name another one with --%s", what) < 0) {
		remedy = NULL;
		return -ENOMEM;
	}
	if (stat(full, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode) || strchr(path, '\n'))
		r = -EINVAL;
	if (r < 0)
		pkram_log_refusal(ctx, remedy, "%s %s: %s", what, path,
				  r != -EINVAL ? strerror(-r) :
				  S_ISREG(st.st_mode) ? "has a newline in its name" :
							"is no regular file");
	return r;
}

/* The version is the header's, else the name's, else the name itself. */
static int read_version(struct pkram_ctx *ctx, struct kexec_kernel *k,
			enum kexec_image_kind *ret_kind)
{
	const char *slash = strrchr(k->kernel, '/'), *named = name_version(k->kernel);
	struct kexec_image image;
	int r = check_file(ctx, "kernel", k->kernel);

	if (r < 0)
		return r;
	r = kexec_image_read(ctx, k->kernel, &image);
	if (r < 0)
		return log_error_errno(ctx, r, "kernel %s: %m", k->kernel);
	*ret_kind = image.kind;
	k->version = strdup(*image.version ? image.version :
			    named ? named : slash ? slash + 1 : k->kernel);
	return k->version ? 0 : -ENOMEM;
}

/* /vmlinuz of old has its /initrd.img; a unified kernel image has its own inside. */
static int choose_initrd(struct pkram_ctx *ctx, const char *initrd, enum kexec_image_kind kind,
			 struct kexec_kernel *k)
{
	int r;

	if (initrd && !*initrd)
		return 0;
	if (initrd)
		return take_path(ctx, initrd, &k->initrd);
	if (k->initrds > 1) {
		pkram_log_refusal(ctx, "join them into a file and give it with --initrd FILE",
				  "the boot entry of %s has %u initrds, and one can be loaded",
				  k->kernel, k->initrds);
		return -EOPNOTSUPP;
	}
	if (k->initrd || kind == KEXEC_IMAGE_UNIFIED)
		return 0;
	r = matching_initrd(ctx, k->kernel, k->version, &k->initrd);
	if (r == -ENOENT && strcmp(k->kernel, "/vmlinuz") == 0 && is_file(ctx, "/initrd.img")) {
		k->initrd = strdup("/initrd.img");
		return k->initrd ? 0 : -ENOMEM;
	}
	if (r == -ENOENT)
		pkram_log_warning(
			ctx,
			"kernel %s: no initrd of its version is beside it or in /boot; it starts "
			"without one unless --initrd names it",
			k->kernel);
	return r == -ENOENT ? 0 : r;
}

static int choose_kernel(struct pkram_ctx *ctx, const char *kernel, struct kexec_kernel *k)
{
	int r;

	if (kernel)
		return take_path(ctx, kernel, &k->kernel);
	r = kexec_boot_default(ctx, k);
	return r == -ENODATA || r == -ENXIO ? kexec_kernel_newest(ctx, &k->kernel) : r;
}

int kexec_kernel_choose(struct pkram_ctx *ctx, const char *kernel, const char *initrd,
			struct kexec_kernel *ret)
{
	_cleanup_(kexec_kernel_done) struct kexec_kernel k = { 0 };
	_cleanup_free_ char *running = NULL;
	enum kexec_image_kind kind;
	int r;

	r = choose_kernel(ctx, kernel, &k);
	if (r == 0)
		r = read_version(ctx, &k, &kind);
	if (r == 0) {
		/*
		 * What the loader says of its own choice does not hold for an initrd that was
		 * named.
		 */
		if (initrd)
			free(TAKE_PTR(k.initrd));
		r = choose_initrd(ctx, initrd, kind, &k);
	}
	if (r == 0 && k.initrd)
		r = check_file(ctx, "initrd", k.initrd);
	if (r < 0)
		return r;
	if (machine_read(ctx, "/proc/sys/kernel/osrelease", &running, NULL) < 0)
		running = NULL;
	pkram_log_info(ctx, "running kernel %s, next kernel %s (%s, %s%s)",
		       running ? running : "unknown", k.version, k.kernel,
		       k.initrd ? "initrd " : "no initrd", k.initrd ? k.initrd : "");
	*ret = k;
	k = (struct kexec_kernel){ 0 };
	return 0;
}

void kexec_kernel_done(struct kexec_kernel *k)
{
	free(k->kernel);
	free(k->initrd);
	free(k->version);
	free(k->options);
	*k = (struct kexec_kernel){ 0 };
}
