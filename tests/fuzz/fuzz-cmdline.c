/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a kernel command line. Its reservations are read and judged, and the next line is made of
 * it; or the configuration of a kernel.
 */
#include "fuzz.h"
#include "kexec.h"

static const char jump_id[] = "00112233445566778899aabbccddeeff";

/* The next line has the id once, before any "--", or there is none. */
static void see_line(struct pkram_ctx *ctx, const char *command_line, const char *append)
{
	unsigned int ids = 0;
	struct kexec_word w;
	const char *p;
	char *line;

	if (kexec_command_line(ctx, command_line, append, jump_id, &line) < 0)
		return;
	p = line;
	while (kexec_param_next(&p, &w))
		ids += kexec_word_named(&w, "pkram.jump") && w.value_len == sizeof(jump_id) - 1 &&
		       memcmp(w.value, jump_id, w.value_len) == 0;
	if (ids != 1 || strlen(line) > 2047)
		abort();
	free(line);
}

/* The input as the next kernel's configuration: what it reads then is no longer than it can be. */
static void see_config(struct pkram_ctx *ctx, const char *config)
{
	char *line;

	if (kexec_effective_line(ctx, config, "root=/dev/vda1 quiet", &line) < 0)
		return;
	if (strlen(line) > KEXEC_LINE_BYTES)
		abort();
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct kexec_keep keep[] = {
		{ .what = "pmem:/dev/pmem0", .phys = 4 * GIB, .size = GIB, .kind = '!' },
		{ .what = "devdax:/dev/dax0.0", .phys = 8 * GIB, .size = GIB, .kind = '%' },
		{ .what = "pmem:/dev/pmem1", .phys = 16 * GIB, .size = GIB },
	};
	struct pkram_ctx *ctx = fuzz_ctx();
	struct kexec_memmaps maps = { 0 };
	_cleanup_free_ char *line = strndup((const char *)data, size);

	if (!line)
		abort();
	if (kexec_memmaps_parse(ctx, line, &maps) == 0)
		kexec_memmaps_done(&maps);
	kexec_check_reservations(ctx, line, keep, ARRAY_SIZE(keep));
	see_line(ctx, line, NULL);
	see_line(ctx, "root=/dev/vda1 quiet", line);
	see_config(ctx, line);
	pkram_unref(ctx);
	return 0;
}
