/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that are closed together. Small files cost system calls more than anything else, and
 * one, close_range(2), closes a whole row of neighbours; what was opened one after the other is
 * one. Not for filesystems whose close may fail, as nobody would hear of it. Until then a file
 * keeps its lease, and who wants to write to it waits: so closer_flush() is never far.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>

#define CLOSER_MAX 128u

struct closer {
	pthread_mutex_t lock;
	size_t n, max;
	int fds[CLOSER_MAX];
};

/* For a row of an eighth of what the process may have open, CLOSER_MAX at most. */
void closer_init(struct closer *c);
/* Closes what is left; with no other thread at it. */
void closer_done(struct closer *c);
/* Closes fd with those that come after it. From any thread. */
void closer_add(struct closer *c, int fd);
/* Closes those that came so far. From any thread. */
void closer_flush(struct closer *c);
