/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream - a byte stream into reserved memory and out again, in PKRAM's words
 *
 *	cc stream.c -o stream $(pkg-config --cflags --libs libpkram)
 *	some-dump | ./stream save NAME
 *	./stream load NAME | some-load
 *
 * Which region: PKRAM_REGION, else the only one of this machine that holds a container.
 */
#include <errno.h>
#include <pkram.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Names may hold any bytes, and a terminal obeys some of them. */
static void print_plain(FILE *f, const char *s)
{
	for (; *s; s++)
		fprintf(f, *s >= ' ' && *s <= '~' ? "%c" : "\\x%02x", (unsigned char)*s);
	fputc('\n', f);
}

/* What the library has to say when something fails: what, to which object, what to do. */
static void print_message(void *userdata, int priority, const char *msg)
{
	(void)userdata;
	(void)priority;
	fputs("stream: ", stderr);
	print_plain(stderr, msg);
}

static int save(struct pkram_region *region, const char *name)
{
	struct pkram_stream *stream;
	char buf[65536];
	ssize_t n;
	int r;

	r = pkram_prepare_save(region, name, 0, &stream);
	if (r < 0)
		return r;
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0) {
		r = pkram_write(stream, buf, (size_t)n);
		if (r < 0)
			break;
	}
	/* Half of a stream is none: what was not finished was never there. */
	if (n < 0)
		r = -errno;
	if (r < 0) {
		pkram_discard_save(stream);
		return r;
	}
	return pkram_finish_save(stream);
}

static int load(struct pkram_region *region, const char *name)
{
	struct pkram_stream *stream;
	int r, end;

	r = pkram_prepare_load(region, name, 0, &stream);
	if (r < 0)
		return r;
	/* Every byte is compared with its checksum before it is given out. */
	r = pkram_read_to_fd(stream, STDOUT_FILENO);
	end = pkram_finish_load(stream);
	return r < 0 ? r : end;
}

int main(int argc, char **argv)
{
	struct pkram_region *region = NULL;
	struct pkram_ctx *ctx = NULL;
	int r;

	if (argc != 3 || (strcmp(argv[1], "save") != 0 && strcmp(argv[1], "load") != 0)) {
		fprintf(stderr, "usage: stream save NAME < FILE, stream load NAME > FILE\n");
		return 2;
	}
	r = pkram_new(&ctx);
	if (r == 0) {
		pkram_set_log_fn(ctx, print_message, NULL, PKRAM_LOG_WARNING);
		r = pkram_region_open(ctx, NULL, 0, &region);
	}
	if (r == 0)
		r = strcmp(argv[1], "save") == 0 ? save(region, argv[2]) : load(region, argv[2]);
	pkram_region_close(region);
	pkram_unref(ctx);
	if (r < 0)
		fprintf(stderr, "stream: %s\n", strerror(-r));
	return r < 0;
}
