/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages of a tmpfs file by userfaultfd(2): made, filled and entered in one step, without the lock
 * by which write(2) lets one thread at a time into a file.
 */
#pragma once

#include "util.h"

/* A descriptor for them, which is only for the system calls of this process; -1: none here. */
int userfault_open(void);

/*
 * Fills pages of the file that nobody has written yet, within its size; @fd is open for reading and
 * writing. Returns how many bytes of the beginning are done: whole pages, and none where this does
 * not serve (another filesystem, huge pages) or where a page is there already or no memory is left:
 * write(2) does the rest, or says why not. Any number of threads at a time, each at other pages.
 */
size_t userfault_fill(int uffd, int fd, uint64_t off, size_t len, const void *bytes);
