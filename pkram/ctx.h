/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context: how the library talks to its caller (log, progress), how many threads it may use,
 * and which machine it looks at.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "pkram.h"
#include "util.h"

struct pkram_ctx {
	atomic_int refs;
	pthread_mutex_t callback_lock; /* workers log, too: one call at a time */
	pkram_log_fn log_fn;
	void *log_userdata;
	int log_priority;
	pkram_progress_fn progress_fn;
	void *progress_userdata;
	struct pkram_ctx *outer; /* of an inner context: whose progress_fn it is; else NULL */
	unsigned int threads;
	char *sysroot; /* "" on the running machine; else a prefix for /proc, /sys, /boot, ... */
	/*
	 * Of an inner context: gets all messages, in place of log_fn, with the remedy apart and
	 * newlines as they are.
	 */
	void (*finding_fn)(void *userdata, int priority, const char *reason, const char *remedy);
	void *finding_userdata;
};

/* Keeps errno. The caller gets one line: a newline of a name shows as \x0a. */
void ctx_log(struct pkram_ctx *ctx, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a message that says what to do: "reason: remedy". NULL: nothing can be done. */
void ctx_log_remedy(struct pkram_ctx *ctx, int priority, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define pkram_log_error(ctx, ...) ctx_log(ctx, PKRAM_LOG_ERROR, __VA_ARGS__)
#define pkram_log_warning(ctx, ...) ctx_log(ctx, PKRAM_LOG_WARNING, __VA_ARGS__)
#define pkram_log_info(ctx, ...) ctx_log(ctx, PKRAM_LOG_INFO, __VA_ARGS__)
#define pkram_log_debug(ctx, ...) ctx_log(ctx, PKRAM_LOG_DEBUG, __VA_ARGS__)

/* Refuses, with the reason and what to do: an error that is logged. */
#define pkram_log_refusal(ctx, remedy, ...)                                                        \
	ctx_log_remedy(ctx, PKRAM_LOG_ERROR, remedy, __VA_ARGS__)

/* Logs with %m standing for the negative errno `r`, and returns r: `return log_error_errno(...)`.
 */
#define log_error_errno(ctx, r, ...)                                                               \
	({                                                                                         \
		int _r = (r);                                                                      \
		errno = -_r;                                                                       \
		pkram_log_error(ctx, __VA_ARGS__);                                                 \
		_r;                                                                                \
	})

/* Behind a reason: what to do where only this user may not, or this process has too much open. */
static inline const char *error_hint(int r)
{
	if (r == -EMFILE)
		return "; raise the limit of open files (ulimit -n, LimitNOFILE=)";
	return (r == -EACCES || r == -EPERM) && geteuid() != 0 ? "; run this as root" : "";
}

/*
 * An inner context for the same machine with as many threads: it says nothing, but its work is seen
 * and cancelled as if it were the outer one's.
 */
int ctx_quiet(struct pkram_ctx *ctx, struct pkram_ctx **ret);

/* Threads to use for `items` pieces of work: the caller's cap, else the CPUs this process may use.
 */
unsigned int ctx_threads(const struct pkram_ctx *ctx, uint64_t items);

/* Reports progress; a negative return asks to cancel. `done` counts up to `total` (0: unknown). */
int ctx_progress(struct pkram_ctx *ctx, const char *what, uint64_t done, uint64_t total);
int ctx_progress_of(struct pkram_ctx *ctx, const struct pkram_progress *p);
