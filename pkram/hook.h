/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Points at which a test build (-Dhooks=true) can be made to die. PKRAM_HOOK=NAME:N kills the
 * process with SIGKILL the Nth time it passes the point NAME; other builds contain nothing of it.
 */
#pragma once

#ifdef PKRAM_HOOKS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Weak: one in the program, whatever files have points of one name. */
__attribute__((weak)) atomic_uint hook_passed;

static inline void hook_pass(const char *name)
{
	const char *want = getenv("PKRAM_HOOK");
	size_t len = strlen(name);

	if (!want || strncmp(want, name, len) != 0 || want[len] != ':')
		return;
	if (atomic_fetch_add(&hook_passed, 1) + 1 == (unsigned int)atoi(want + len + 1))
		kill(getpid(), SIGKILL);
}

#define HOOK(name) hook_pass(name)

#else
#define HOOK(name) do { } while (0)
#endif
