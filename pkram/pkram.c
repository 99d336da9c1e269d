/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context and its messages.
 */
#include "ctx.h"

#include <sched.h>
#include <stdarg.h>

int pkram_new(struct pkram_ctx **ret_ctx)
{
	struct pkram_ctx *ctx;

	if (!ret_ctx)
		return -EINVAL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return -ENOMEM;
	ctx->sysroot = strdup("");
	if (!ctx->sysroot) {
		free(ctx);
		return -ENOMEM;
	}
	atomic_init(&ctx->refs, 1);
	pthread_mutex_init(&ctx->callback_lock, NULL);
	ctx->log_priority = PKRAM_LOG_INFO;
	*ret_ctx = ctx;
	return 0;
}

struct pkram_ctx *pkram_ref(struct pkram_ctx *ctx)
{
	if (ctx)
		atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

struct pkram_ctx *pkram_unref(struct pkram_ctx *ctx)
{
	if (ctx && atomic_fetch_sub(&ctx->refs, 1) == 1) {
		pthread_mutex_destroy(&ctx->callback_lock);
		pkram_unref(ctx->outer);
		free(ctx->sysroot);
		free(ctx);
	}
	return NULL;
}

void pkram_set_log_fn(struct pkram_ctx *ctx, pkram_log_fn fn, void *userdata, int priority)
{
	ctx->log_fn = fn;
	ctx->log_userdata = userdata;
	ctx->log_priority = priority;
}

void pkram_set_progress_fn(struct pkram_ctx *ctx, pkram_progress_fn fn, void *userdata)
{
	ctx->progress_fn = fn;
	ctx->progress_userdata = userdata;
}

void pkram_set_threads(struct pkram_ctx *ctx, unsigned int threads)
{
	ctx->threads = threads;
}

int pkram_set_sysroot(struct pkram_ctx *ctx, const char *path)
{
	char *copy = strdup(path ? path : "");

	if (!copy)
		return -ENOMEM;
	free(ctx->sysroot);
	ctx->sysroot = copy;
	return 0;
}

/* A name may hold newlines; a message is one line, that tells such a name from every other. */
static char *one_line(const char *msg)
{
	_cleanup_free_ char *line = malloc(4 * strlen(msg) + 1);
	char *p = line;

	if (!line)
		return NULL;
	for (; *msg; msg++) {
		if (*msg == '\n' || (*msg == '\\' && msg[1] == 'x'))
			p += sprintf(p, "\\x%02x", (unsigned char)*msg);
		else
			*p++ = *msg;
	}
	*p = '\0';
	return TAKE_PTR(line);
}

static void log_message(struct pkram_ctx *ctx, int priority, const char *remedy, const char *fmt,
			va_list ap)
{
	_cleanup_free_ char *reason = NULL, *both = NULL, *line = NULL;
	const char *msg;

	if (vasprintf(&reason, fmt, ap) < 0)
		reason = NULL;
	msg = reason ? reason : "out of memory";
	if (!ctx->finding_fn) {
		if (remedy && asprintf(&both, "%s: %s", msg, remedy) < 0)
			both = NULL;
		line = one_line(both ? both : msg);
		msg = line ? line : "out of memory";
	}
	pthread_mutex_lock(&ctx->callback_lock);
	if (ctx->finding_fn)
		ctx->finding_fn(ctx->finding_userdata, priority, msg, remedy);
	else
		ctx->log_fn(ctx->log_userdata, priority, msg);
	pthread_mutex_unlock(&ctx->callback_lock);
}

static bool is_heard(const struct pkram_ctx *ctx, int priority)
{
	return ctx->finding_fn || (ctx->log_fn && priority <= ctx->log_priority);
}

void ctx_log(struct pkram_ctx *ctx, int priority, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!is_heard(ctx, priority))
		return;
	va_start(ap, fmt);
	log_message(ctx, priority, NULL, fmt, ap);
	va_end(ap);
	errno = saved;
}

void ctx_log_remedy(struct pkram_ctx *ctx, int priority, const char *remedy, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!is_heard(ctx, priority))
		return;
	va_start(ap, fmt);
	log_message(ctx, priority, remedy, fmt, ap);
	va_end(ap);
	errno = saved;
}

int ctx_quiet(struct pkram_ctx *ctx, struct pkram_ctx **ret)
{
	struct pkram_ctx *quiet;
	int k;

	k = pkram_new(&quiet);
	if (k < 0)
		return k;
	quiet->threads = ctx->threads;
	quiet->outer = pkram_ref(ctx);
	k = pkram_set_sysroot(quiet, ctx->sysroot);
	if (k < 0)
		pkram_unref(quiet);
	else
		*ret = quiet;
	return k;
}

/* The kernel fills no set that is smaller than its own, and does not tell how large that is. */
static unsigned int usable_cpus(void)
{
	for (size_t cpus = CPU_SETSIZE; cpus <= 1024 * CPU_SETSIZE; cpus *= 2) {
		cpu_set_t *set = CPU_ALLOC(cpus);
		int n = 0;

		if (set && sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set) == 0)
			n = CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
		CPU_FREE(set);
		if (n > 0)
			return (unsigned int)n;
	}
	return 1;
}

unsigned int ctx_threads(const struct pkram_ctx *ctx, uint64_t items)
{
	uint64_t n = ctx->threads ? ctx->threads : usable_cpus();

	n = MIN(n, items);
	return n ? (unsigned int)n : 1;
}

int ctx_progress(struct pkram_ctx *ctx, const char *what, uint64_t done, uint64_t total)
{
	const struct pkram_progress p = { .what = what, .done = done, .total = total };

	return ctx_progress_of(ctx, &p);
}

int ctx_progress_of(struct pkram_ctx *ctx, const struct pkram_progress *p)
{
	int r;

	/* Its lock, so that no two calls come at a time. */
	while (ctx->outer)
		ctx = ctx->outer;
	if (!ctx->progress_fn)
		return 0;
	pthread_mutex_lock(&ctx->callback_lock);
	r = ctx->progress_fn(ctx->progress_userdata, p);
	pthread_mutex_unlock(&ctx->callback_lock);
	return r < 0 ? -ECANCELED : 0;
}
