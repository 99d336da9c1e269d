/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the next kernel reads besides the line that it is given: words that it was built with, and a
 * boot configuration behind its initrd.
 */
#include "kexec.h"
#include "machine.h"

#include <ctype.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

/* --- the kernel's configuration --- */

static bool config_yes(const char *text, const char *option)
{
	return kexec_config_get(text, option) == 'y';
}

/* What stands behind "CONFIG_NAME=" on a line of its own; NULL where it is not set. */
static const char *config_value(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, "CONFIG_", 7) == 0 && strncmp(p + 7, name, n) == 0 &&
		    p[7 + n] == '=')
			return p + 7 + n + 1;
	}
	return NULL;
}

/* The text between the quotes, where a backslash keeps what follows; malloc'ed, NULL: no memory. */
static char *config_string(const char *text, const char *name)
{
	const char *p = config_value(text, name);
	size_t n = 0;
	char *s;

	if (!p || *p != '"')
		return strdup("");
	s = malloc(strlen(p));
	if (!s)
		return NULL;
	for (p++; *p && *p != '"' && *p != '\n'; p++) {
		if (*p == '\\' && p[1])
			p++;
		s[n++] = *p;
	}
	s[n] = '\0';
	return s;
}

enum builtin {
	BUILTIN_NONE,
	BUILTIN_FIRST,	/* x86 */
	BUILTIN_LAST,
	BUILTIN_ALONE
};

/* Where there is no CMDLINE_BOOL (arm64), one of the other words says how CMDLINE is used. */
static enum builtin how_composed(const char *config, const char *line)
{
	if (config_yes(config, "CONFIG_CMDLINE_OVERRIDE") ||
	    config_yes(config, "CONFIG_CMDLINE_FORCE"))
		return BUILTIN_ALONE;
	if (config_yes(config, "CONFIG_CMDLINE_EXTEND"))
		return BUILTIN_LAST;
	if (config_yes(config, "CONFIG_CMDLINE_FROM_BOOTLOADER"))
		return *line ? BUILTIN_NONE : BUILTIN_ALONE;
	return config_yes(config, "CONFIG_CMDLINE_BOOL") ? BUILTIN_FIRST : BUILTIN_NONE;
}

static int compose(enum builtin how, const char *builtin, const char *line, char **ret)
{
	const char *first = how == BUILTIN_LAST ? line : builtin;
	const char *second = how == BUILTIN_LAST ? builtin : line;
	int n;

	switch (how) {
	case BUILTIN_NONE:
		*ret = strdup(line);
		return *ret ? 0 : -ENOMEM;
	case BUILTIN_ALONE:
		*ret = strdup(builtin);
		return *ret ? 0 : -ENOMEM;
	case BUILTIN_FIRST:
	case BUILTIN_LAST:
		break;
	}
	n = asprintf(ret, "%s%s%s", first, *first && *second ? " " : "", second);
	return n < 0 ? -ENOMEM : 0;
}

int kexec_effective_line(struct pkram_ctx *ctx, const char *config_text, const char *line,
			 char **ret)
{
	const char *config = config_text ? config_text : "";
	_cleanup_free_ char *builtin = config_string(config, "CMDLINE"), *whole = NULL;
	int r;

	if (!builtin)
		return -ENOMEM;
	r = compose(how_composed(config, line), builtin, line, &whole);
	if (r < 0) {
		whole = NULL;
		return r;
	}
	if (strlen(whole) > KEXEC_LINE_BYTES) {
		pkram_log_refusal(ctx, "give a shorter one with --command-line",
				  "the next command line and what the kernel was built with (%s) "
				  "have %zu bytes, the kernel has room for %u",
				  builtin, strlen(whole), KEXEC_LINE_BYTES);
		return -E2BIG;
	}
	*ret = TAKE_PTR(whole);
	return 0;
}

/* --- a boot configuration --- */

#define BOOTCONFIG_MARK "#BOOTCONFIG\n"
#define BOOTCONFIG_MARK_LEN 12u
#define BOOTCONFIG_MAX (32 * KIB)
#define BOOTCONFIG_PADDING 3u	/* behind the mark: boot loaders align an initrd's size */

struct bootconfig_tail {
	uint32_t size, checksum;	/* of the text before it; little-endian */
	char mark[BOOTCONFIG_MARK_LEN];
} __attribute__((packed));

static int read_at(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -ENODATA;
}

/* Where the tail begins; -ENODATA: there is none. */
static int find_tail(int fd, struct bootconfig_tail *tail, off_t *ret_off)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (unsigned int padding = 0; padding <= BOOTCONFIG_PADDING; padding++) {
		off_t off = st.st_size - (off_t)(sizeof(*tail) + padding);
		int r = off < 0 ? -ENODATA : read_at(fd, tail, sizeof(*tail), off);

		if (r < 0)
			return r;
		if (memcmp(tail->mark, BOOTCONFIG_MARK, sizeof(tail->mark)) == 0) {
			*ret_off = off;
			return 0;
		}
	}
	return -ENODATA;
}

/* The kernel passes over a text that is too large or whose sum is wrong. *ret_off: its place. */
static int read_bootconfig(int fd, char **ret, off_t *ret_off)
{
	struct bootconfig_tail tail;
	_cleanup_free_ char *text = NULL;
	uint32_t size, sum = 0;
	off_t off = 0;
	int r;

	r = find_tail(fd, &tail, &off);
	if (r < 0)
		return r;
	size = le32toh(tail.size);
	if (size >= BOOTCONFIG_MAX || (off_t)size > off)
		return -ENODATA;
	text = calloc(1, size + 1u);
	if (!text)
		return -ENOMEM;
	r = read_at(fd, text, size, off - (off_t)size);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < size; i++)
		sum += (uint8_t)text[i];
	if (sum != le32toh(tail.checksum))
		return -ENODATA;
	*ret = TAKE_PTR(text);
	*ret_off = off - (off_t)size;
	return 0;
}

int kexec_initrd_size(int fd, size_t *ret)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	off_t end;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = read_bootconfig(fd, &text, &end);
	if (r < 0 && r != -ENODATA)
		return r;
	*ret = (size_t)(r == 0 ? end : st.st_size);
	return 0;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* A part of a key between dots, braces and signs; '-' stands for '_'. */
static bool part_is(const char *part, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] != (part[i] == '-' ? '_' : part[i]))
			return false;
	return name[len] == '\0';
}

/*
 * The first word in the text that names a parameter which reaches for memory, or keeps its drivers
 * away, in whatever tree of keys; a value or a comment that reads so is a false alarm.
 */
static const char *reaching_name(const char *text)
{
	static const char *const names[] = { "memmap", "mem", "mem_address", "phram", "slram",
					     "efi_fake_mem", "module_blacklist",
					     "initcall_blacklist" };

	for (const char *p = text; *p;) {
		size_t len = 0;

		while (is_name(p[len]))
			len++;
		for (size_t i = 0; len && i < ARRAY_SIZE(names); i++)
			if (part_is(p, len, names[i]))
				return names[i];
		p += len ? len : 1;
	}
	return NULL;
}

/* A kernel that is not known may be built for it. */
static bool reads_bootconfig(const char *config, const char *line)
{
	struct kexec_word w;

	if (config && !config_yes(config, "CONFIG_BOOT_CONFIG"))
		return false;
	if (config && config_yes(config, "CONFIG_BOOT_CONFIG_FORCE"))
		return true;
	while (kexec_param_next(&line, &w))
		if (w.name_len == strlen("bootconfig") &&
		    memcmp(w.name, "bootconfig", w.name_len) == 0)
			return true;
	return false;
}

int kexec_check_bootconfig(struct pkram_ctx *ctx, const char *initrd, const char *config_text,
			   const char *line)
{
	bool forced = config_text && config_yes(config_text, "CONFIG_BOOT_CONFIG_FORCE");
	_cleanup_free_ char *text = NULL, *remedy = NULL;
	_cleanup_close_ int fd = -1;
	const char *name;
	off_t off;
	int r;

	if (!initrd || !reads_bootconfig(config_text, line))
		return 0;
	fd = machine_open(ctx, initrd, O_RDONLY);
	r = fd < 0 ? fd : read_bootconfig(fd, &text, &off);
	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return log_error_errno(ctx, r, "initrd %s: %m", initrd);
	name = reaching_name(text);
	if (!name)
		return 0;
	/* Where the kernel reads it without being asked to, only this helps. */
	if (asprintf(&remedy, "give the words that are needed on the line, and take it off "
		     "(bootconfig -d %s)%s", initrd,
		     forced ? "" : ", or leave bootconfig out with --command-line") < 0) {
		remedy = NULL;
		return -ENOMEM;
	}
	pkram_log_refusal(ctx, remedy,
			  "initrd %s: the boot configuration behind it says '%s', which may reach "
			  "for the memory of a region or keep its drivers away",
			  initrd, name);
	return -EUCLEAN;
}
