/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-closer.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int compare_fds(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Only rows without a gap: what lies between is somebody else's. */
static void close_rows(int *fds, size_t n)
{
	size_t next;

	qsort(fds, n, sizeof(*fds), compare_fds);
	for (size_t i = 0; i < n; i = next) {
		int first = fds[i], last = first;

		for (next = i + 1; next < n && fds[next] == last + 1; next++)
			last++;
		if (first != last && close_range((unsigned int)first, (unsigned int)last, 0) == 0)
			continue;
		/* Alone, or before Linux 5.9. */
		for (; first <= last; first++)
			close(first);
	}
}

void closer_init(struct closer *c)
{
	struct rlimit files;

	pthread_mutex_init(&c->lock, NULL);
	c->n = 0;
	c->max = CLOSER_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		c->max = (size_t)MAX(MIN((rlim_t)CLOSER_MAX, files.rlim_cur / 8), (rlim_t)1);
}

void closer_done(struct closer *c)
{
	closer_flush(c);
	pthread_mutex_destroy(&c->lock);
}

/* With the lock held: those that came so far are the caller's. */
static size_t take_all(struct closer *c, int *fds)
{
	size_t n = c->n;

	memcpy(fds, c->fds, n * sizeof(*fds));
	c->n = 0;
	return n;
}

/* Others go on while a row is closed. */
void closer_add(struct closer *c, int fd)
{
	int fds[CLOSER_MAX];
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	c->fds[c->n++] = fd;
	if (c->n == c->max)
		n = take_all(c, fds);
	pthread_mutex_unlock(&c->lock);
	close_rows(fds, n);
}

void closer_flush(struct closer *c)
{
	int fds[CLOSER_MAX];
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = take_all(c, fds);
	pthread_mutex_unlock(&c->lock);
	close_rows(fds, n);
}
