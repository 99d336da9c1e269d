/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A context that looks at a small recorded machine in a scratch directory, and keeps its messages.
 */
#pragma once

#include "machine.h"

#include <endian.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

struct sysroot {
	struct pkram_ctx *ctx;
	char dir[64];
	char *log;		/* all messages so far, a line each */
};

static inline void sysroot_log(void *userdata, int priority, const char *msg)
{
	struct sysroot *s = userdata;
	char *more;

	(void)priority;
	assert_null(strchr(msg, '\n'));
	assert_true(asprintf(&more, "%s%s\n", s->log ? s->log : "", msg) >= 0);
	free(s->log);
	s->log = more;
}

static inline bool sysroot_logged(const struct sysroot *s, const char *text)
{
	return s->log && strstr(s->log, text);
}

static inline void sysroot_forget(struct sysroot *s)
{
	free(s->log);
	s->log = NULL;
}

static inline char *sysroot_path(const struct sysroot *s, const char *path)
{
	char *full;

	assert_true(asprintf(&full, "%s%s", s->dir, path) >= 0);
	return full;
}

/* Writes a file with the directories above it; path is absolute on the recorded machine. */
static inline void sysroot_write(const struct sysroot *s, const char *path, const void *bytes,
				 size_t len)
{
	char *full = sysroot_path(s, path);
	int fd;

	for (size_t i = strlen(s->dir) + 1; full[i]; i++) {
		if (full[i] != '/')
			continue;
		full[i] = '\0';
		(void)mkdir(full, 0755);
		full[i] = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	free(full);
}

static inline void sysroot_text(const struct sysroot *s, const char *path, const char *text)
{
	sysroot_write(s, path, text, strlen(text));
}

/* The end of a cpio archive, and so an archive that holds nothing. */
#define SYSROOT_INITRD                                                                             \
	"070701"                                                                                   \
	"00000000000000000000000000000000"                                                         \
	"00000001"                                                                                 \
	"000000000000000000000000000000000000000000000000"                                         \
	"0000000B"                                                                                 \
	"00000000"                                                                                 \
	"TRAILER!!!\0\0\0"

static inline void sysroot_initrd(const struct sysroot *s, const char *path)
{
	sysroot_write(s, path, SYSROOT_INITRD, sizeof(SYSROOT_INITRD));
}

/* An initrd with a boot configuration behind it; its sum is off by `wrong`, `padding` follows. */
static inline void sysroot_bootconfig(const struct sysroot *s, const char *path, const char *text,
				      uint32_t wrong, size_t padding)
{
	char bytes[1024] = SYSROOT_INITRD;
	size_t n = sizeof(SYSROOT_INITRD), len = strlen(text);
	uint32_t size = htole32((uint32_t)len), sum = wrong;

	memcpy(bytes + n, text, len);
	for (size_t i = 0; i < len; i++)
		sum += (uint8_t)text[i];
	sum = htole32(sum);
	memcpy(bytes + n + len, &size, 4);
	memcpy(bytes + n + len + 4, &sum, 4);
	memcpy(bytes + n + len + 8, "#BOOTCONFIG\n", 12);
	sysroot_write(s, path, bytes, n + len + 20 + padding);
}

/* A kernel image as far as its header goes: a bzImage of the version. */
static inline void sysroot_kernel(const struct sysroot *s, const char *path, const char *version)
{
	uint8_t image[4096] = { 0 };

	image[0x1f1] = 4;
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f;
	image[0x207] = 0x02;
	image[0x20e] = 0x00;
	image[0x20f] = 0x03;
	image[0x236] = 0x7f;
	snprintf((char *)image + 0x500, 200, "%s (builder@host) #1 SMP", version);
	sysroot_write(s, path, image, sizeof(image));
}

static inline void sysroot_remove(const struct sysroot *s, const char *path)
{
	_cleanup_free_ char *full = sysroot_path(s, path);

	assert_int_equal(unlink(full), 0);
}

static inline int sysroot_setup(void **state)
{
	struct sysroot *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	strcpy(s->dir, "/tmp/pkram-sysroot-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(pkram_new(&s->ctx), 0);
	assert_int_equal(pkram_set_sysroot(s->ctx, s->dir), 0);
	pkram_set_log_fn(s->ctx, sysroot_log, s, PKRAM_LOG_INFO);
	*state = s;
	return 0;
}

static inline int sysroot_teardown(void **state)
{
	struct sysroot *s = *state;
	char cmd[96];

	pkram_unref(s->ctx);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", s->dir);
	assert_int_equal(system(cmd), 0);
	sysroot_forget(s);
	free(s);
	return 0;
}

/* --- programs that only pretend --- */

/*
 * kexec and systemctl, first in PATH: they note their arguments, one a line. Loading and unloading
 * show in kexec_loaded. The file "fail" makes them fail, "die" makes them die, "broken" makes them
 * do nothing, "nofile" is a kernel without kexec_file_load; "segments" is what -d prints. "armer":
 * pkram-kexec.service is there, and runs once it is started; "job" holds the number of
 * kexec.target's; "deaf": nobody can ask for it.
 */
static inline int sysroot_setup_programs(void **state)
{
	_cleanup_free_ char *script = NULL, *systemctl = NULL, *path = NULL;
	int r = sysroot_setup(state);
	struct sysroot *s = *state;

	assert_true(asprintf(&script,
			     "#!/bin/sh\n"
			     "R='%s'\n"
			     "echo \"${0##*/}\" >> $R/calls\n"
			     "for a; do printf '%%s\\n' \"$a\" >> $R/calls; done\n"
			     "if [ -e $R/fail ]; then\n"
			     "  echo first; echo; echo 'kexec_file_load failed: Key was rejected' "
			     ">&2; exit 7\n"
			     "fi\n"
			     "if [ -e $R/nofile ] && [ \"$1\" = -s ]; then\n"
			     "  echo 'kexec_file_load failed: Function not implemented'; exit 255\n"
			     "fi\n"
			     "[ -e $R/die ] && kill -9 $$\n"
			     "[ -e $R/broken ] && exit 0\n"
			     "case \"$*\" in\n"
			     "-c\\ -d\\ -l*) cat $R/segments;\n"
			     "  echo 1 > $R/sys/kernel/kexec_loaded;;\n"
			     "-s\\ -l*) echo 1 > $R/sys/kernel/kexec_loaded;;\n"
			     "-?\\ -u) echo 0 > $R/sys/kernel/kexec_loaded;;\n"
			     "esac\n",
			     s->dir) >= 0);
	sysroot_text(s, "/bin/kexec", script);
	assert_true(asprintf(&systemctl,
			     "#!/bin/sh\n"
			     "case \"$*\" in\n"
			     "*LoadState*) [ -e '%s/armer' ] && echo loaded; exit;;\n"
			     "*start*) [ -e '%s/armer' ] && : > '%s/arms'; exit;;\n"
			     "*is-active*) [ -e '%s/arms' ]; exit;;\n"
			     "show*) [ ! -e '%s/deaf' ] && cat '%s/job'; exit;;\n"
			     "esac\n%s", s->dir, s->dir, s->dir, s->dir, s->dir, s->dir,
			     strchr(script, '\n') + 1) >= 0);
	sysroot_text(s, "/bin/systemctl", systemctl);
	sysroot_text(s, "/job", "");
	sysroot_text(s, "/sys/kernel/kexec_loaded", "0\n");
	assert_true(asprintf(&path, "relative:%s/bin:/usr/bin:/bin", s->dir) >= 0);
	setenv("PATH", path, 1);
	return r;
}

static inline int sysroot_teardown_programs(void **state)
{
	setenv("PATH", "/usr/bin:/bin", 1);
	return sysroot_teardown(state);
}

/* What was called since the last time: names and arguments, a line each. */
static inline void sysroot_called(struct sysroot *s, const char *want)
{
	_cleanup_free_ char *calls = NULL;

	if (machine_read(s->ctx, "/calls", &calls, NULL) < 0)
		calls = strdup("");
	assert_string_equal(calls, want);
	if (*calls)
		sysroot_remove(s, "/calls");
}
