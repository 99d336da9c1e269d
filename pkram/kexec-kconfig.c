/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration that a kernel was built with.
 */
#include "kexec.h"
#include "machine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CONFIG_MAX (16 * MIB)
#define KERNEL_MAX (512 * MIB)

/* --- files --- */

static int read_gz(struct pkram_ctx *ctx, const char *path, char **ret)
{
	_cleanup_free_ char *packed = NULL;
	size_t len;
	int r = machine_read(ctx, path, &packed, &len);

	return r < 0 ? r : kexec_unpack(packed, len, CONFIG_MAX, ret, &len);
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return true;
	return false;
}

/*
 * Whether it goes on to where it should: what a crash or a full disk has left of one would read as
 * a kernel without the rest. Kernels end their menus by name since 5.3; the last one of all has
 * been this one or that. Whoever writes a file by hand ends its last line at least.
 */
static bool is_whole(const char *text)
{
	static const char head[] = " Kernel Configuration\n";

	size_t len = strlen(text);

	if (!len || text[len - 1] != '\n' || !strstr(text, "CONFIG_"))
		return false;
	if (!strstr(text, head))
		return true;
	if (strstr(text, "\n# end of "))
		return has_line(text, "# end of Kernel hacking");
	return has_line(text, "# Kernel hacking") && has_line(text, "# Library routines");
}

/* One that is there and cannot be believed is named: what is found elsewhere may be another's. */
static int read_text(struct pkram_ctx *ctx, const char *path, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct pkram_ctx *quiet;
	int r = ctx_quiet(ctx, &quiet);

	if (r < 0)
		return r;
	r = machine_read_text(quiet, path, &text);
	pkram_unref(quiet);
	if (r == -ENOENT || r == -ENOMEM)
		return r;
	if (r < 0 || !is_whole(text)) {
		ctx_log_remedy(ctx, PKRAM_LOG_WARNING, "install the kernel's package anew",
			       "%s is cut off, or no configuration of a kernel: it is passed over",
			       path);
		return -ENODATA;
	}
	*ret = TAKE_PTR(text);
	return 0;
}

#define BOOT_DIR "/boot/"

/* Of a path, with the slash. */
static size_t dir_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

/* "/k/config-V" of "/k/vmlinuz-V" and the like. */
static int read_beside(struct pkram_ctx *ctx, const struct kexec_kernel *k, char **ret)
{
	char path[512];

	snprintf(path, sizeof(path), "%.*sconfig-%s", (int)dir_length(k->kernel), k->kernel,
		 k->version);
	return read_text(ctx, path, ret);
}

/* Of the version as it is installed, apart from what is beside the kernel. */
static int read_installed(struct pkram_ctx *ctx, const struct kexec_kernel *k, char **ret)
{
	bool beside = dir_length(k->kernel) == strlen(BOOT_DIR) &&
		      strncmp(k->kernel, BOOT_DIR, strlen(BOOT_DIR)) == 0;
	char path[512];
	int r = -ENOENT;

	if (!beside) {
		snprintf(path, sizeof(path), BOOT_DIR "config-%s", k->version);
		r = read_text(ctx, path, ret);
	}
	if (r < 0 && r != -ENOMEM) {
		snprintf(path, sizeof(path), "/lib/modules/%s/config", k->version);
		r = read_text(ctx, path, ret);
	}
	return r;
}

/* --- inside the image (CONFIG_IKCONFIG) --- */

/* The compressed kernel is followed by its size, unless its format says that itself. */
static size_t packed_len(const uint8_t *p, size_t len)
{
	return len > 4 && (p[0] != 0x1f || p[1] != 0x8b) ? len - 4 : len;
}

static int read_embedded(const uint8_t *packed, size_t len, char **ret)
{
	static const char start[] = "IKCFG_ST", end[] = "IKCFG_ED";
	_cleanup_free_ char *kernel = NULL;
	const char *from, *to;
	size_t n;
	int r = kexec_unpack(packed, packed_len(packed, len), KERNEL_MAX, &kernel, &n);

	if (r < 0)
		return r;
	from = memmem(kernel, n, start, sizeof(start) - 1);
	if (!from)
		return -ENODATA;
	from += sizeof(start) - 1;
	to = memmem(from, n - (size_t)(from - kernel), end, sizeof(end) - 1);
	return to ? kexec_unpack(from, (size_t)(to - from), CONFIG_MAX, ret, &n) : -ENODATA;
}

static int read_image(struct pkram_ctx *ctx, const struct kexec_kernel *k, char **ret)
{
	_cleanup_close_ int fd = machine_open(ctx, k->kernel, O_RDONLY);
	struct kexec_image image;
	struct stat st;
	uint8_t *map;
	int r = kexec_image_read(ctx, k->kernel, &image);

	if (fd < 0 || r < 0)
		return fd < 0 ? fd : r;
	if (fstat(fd, &st) < 0 || !image.payload_len ||
	    !range_ok(image.payload, image.payload_len, (uint64_t)st.st_size))
		return -ENODATA;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r = read_embedded(map + image.payload, image.payload_len, ret);
	munmap(map, (size_t)st.st_size);
	return r;
}

/* --- the text --- */

int kexec_config_running(struct pkram_ctx *ctx, char **ret_text)
{
	_cleanup_free_ char *version = NULL;
	struct kexec_kernel k = { .kernel = (char *)BOOT_DIR };
	int r = read_gz(ctx, "/proc/config.gz", ret_text);

	if (r < 0 && machine_read(ctx, "/proc/sys/kernel/osrelease", &version, NULL) == 0) {
		k.version = version;
		r = read_beside(ctx, &k, ret_text);
		if (r < 0 && r != -ENOMEM)
			r = read_installed(ctx, &k, ret_text);
	}
	return r == -ENOMEM || r == 0 ? r : -ENODATA;
}

/* What is neither beside the image nor in it may be another build's of that version. */
int kexec_config_read(struct pkram_ctx *ctx, const struct kexec_kernel *k, char **ret_text)
{
	_cleanup_free_ char *running = NULL;
	int r = read_beside(ctx, k, ret_text);

	if (r < 0 && r != -ENOMEM)
		r = read_image(ctx, k, ret_text);
	if (r < 0 && r != -ENOMEM)
		r = read_installed(ctx, k, ret_text);
	if (r < 0 && r != -ENOMEM &&
	    machine_read(ctx, "/proc/sys/kernel/osrelease", &running, NULL) == 0 &&
	    strcmp(running, k->version) == 0)
		r = kexec_config_running(ctx, ret_text);
	return r == -ENOMEM || r == 0 ? r : -ENODATA;
}

char kexec_config_get(const char *text, const char *option)
{
	size_t n = strlen(option);

	for (const char *l = text; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
		if (strncmp(l, option, n) == 0 && l[n] == '=')
			return l[n + 1] == 'y' || l[n + 1] == 'm' ? l[n + 1] : 'y';
	return 'n';
}

bool kexec_config_denies(const char *text, const char *option)
{
	static const char no[] = " is not set";
	size_t n = strlen(option);

	for (const char *p = text; (p = strstr(p, option)); p += n)
		if (p >= text + 2 && memcmp(p - 2, "# ", 2) == 0 &&
		    strncmp(p + n, no, sizeof(no) - 1) == 0)
			return true;
	return false;
}
