/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scope-bound ownership, checked arithmetic and alignment: what every layer needs and nothing that
 * knows about pkram.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define GIB (UINT64_C(1024) * MIB)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* Each use has names of its own, so that one may stand inside the other. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define PICK_(x, a, y, b, op)                                                                      \
	({                                                                                         \
		__typeof__(a) x = (a);                                                             \
		__typeof__(b) y = (b);                                                             \
		x op y ? x : y;                                                                    \
	})
#define PICK(n, a, b, op) PICK_(PASTE(_a_, n), a, PASTE(_b_, n), b, op)
#define MIN(a, b) PICK(__COUNTER__, a, b, <)
#define MAX(a, b) PICK(__COUNTER__, a, b, >)

#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)

#define add_overflows(a, b, ret) __builtin_add_overflow(a, b, ret)
#define mul_overflows(a, b, ret) __builtin_mul_overflow(a, b, ret)

/* Rounds up to a power of two; false when the result does not fit. */
static inline bool align_up_u64(uint64_t x, uint64_t align, uint64_t *ret)
{
	uint64_t t;

	if (add_overflows(x, align - 1, &t))
		return false;
	*ret = t & ~(align - 1);
	return true;
}

/* For values that were checked before: the caller knows that the sum fits. */
#define ALIGN_UP(x, a) (((x) + ((__typeof__(x))(a) - 1)) & ~((__typeof__(x))(a) - 1))

/* True when [off, off + len) lies inside [0, size). */
static inline bool range_ok(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen && blen && a < b + blen && b < a + alen;
}

static inline void free_p(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void close_p(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(free_p)
#define _cleanup_close_ _cleanup_(close_p)

/* Hands ownership out of a scope-bound variable. */
#define TAKE_PTR(p) ({ __typeof__(p) _p = (p); (p) = NULL; _p; })
#define TAKE_FD(fd) ({ int _fd = (fd); (fd) = -1; _fd; })

#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void func##_p(type *p)                                                       \
	{                                                                                          \
		int saved = errno;                                                                 \
                                                                                                   \
		if (*p)                                                                            \
			func(*p);                                                                  \
		errno = saved;                                                                     \
	}

/* Grows an array to hold at least `need` elements; the capacity doubles. */
static inline int array_grow(void *arrayp, size_t *cap, size_t need, size_t elem)
{
	size_t n = *cap ? *cap : 16, bytes;
	void *p;

	if (need <= *cap)
		return 0;
	while (n < need)
		if (mul_overflows(n, (size_t)2, &n))
			return -ENOMEM;
	if (mul_overflows(n, elem, &bytes))
		return -ENOMEM;
	p = realloc(*(void **)arrayp, bytes);
	if (!p)
		return -ENOMEM;
	*(void **)arrayp = p;
	*cap = n;
	return 0;
}

/* -1: it is none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (*p == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Of a noun that n stands before. */
static inline const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* I/O that bypasses the page cache takes page-aligned memory. A block of it may be a local one. */
#define IO_ALIGN 4096
#define _io_aligned_ __attribute__((aligned(IO_ALIGN)))

/* More of it; released with free(). */
static inline void *io_buffer_new(size_t len)
{
	void *p;

	return posix_memalign(&p, IO_ALIGN, len) == 0 ? p : NULL;
}

/*
 * Of whole huge pages, if there are some: few page faults, and a device takes and gives each in one
 * piece. Only the start may be needed.
 */
static inline void *large_buffer_new(size_t len)
{
	void *p;

	len = ALIGN_UP(len, (size_t)(2 * MIB));
	if (posix_memalign(&p, 2 * MIB, len) != 0)
		return NULL;
	(void)!madvise(p, len, MADV_HUGEPAGE);
	return p;
}
