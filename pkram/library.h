/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Libraries that few commands need, loaded when one does. Linked in, each would be loaded at every
 * start with all that it needs itself (libkmod: libcrypto, libzstd, liblzma), which is more than
 * half of what a small command costs, and be copied into every initrd that holds pkram.
 */
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

#define LIBRARY_MEMBER(name) __typeof__(name) *name;
#define LIBRARY_SYMBOL(name)                                                                       \
	l->name = (__typeof__(l->name))dlsym(l->handle, #name);                                    \
	if (!l->name)                                                                              \
		return -EOPNOTSUPP;

/* What a library is loaded for, as JSON, and how much is lost without it. */
#define LIBRARY_JSON(soname, feature, description, priority)                                       \
	"[{\"soname\":[\"" soname "\"],\"feature\":\"" feature                                     \
	"\",\"description\":\"" description "\",\"priority\":\"" priority "\"}]"

/*
 * Packagers do not see what is loaded late: an ELF note tells them, as
 * https://uapi-group.org/specifications/specs/elf_dlopen_metadata/ has it.
 */
#define LIBRARY_NOTE(type, json)                                                                   \
	static const struct {                                                                      \
		uint32_t owner_size, json_size, kind;                                              \
		char owner[4];                                                                     \
		char text[sizeof(json)];                                                           \
	} type##_note __attribute__((used, section(".note.dlopen"), aligned(4))) = {               \
		sizeof("FDO"), sizeof(json), 0x407c0c0a, "FDO", json,                              \
	};

/*
 * Defines struct TYPE with a pointer to each function of SYMBOLS, and TYPE_open(), TYPE_close().
 * PRIORITY: "required", "recommended" or "suggested", as packages depend on it.
 * -EOPNOTSUPP: it is not installed, or is not the one that this was built for; to be closed all the
 * same.
 */
#define LIBRARY(type, soname, feature, description, priority, SYMBOLS)                             \
	LIBRARY_NOTE(type, LIBRARY_JSON(soname, feature, description, priority))                   \
	struct type {                                                                              \
		void *handle;                                                                      \
		SYMBOLS(LIBRARY_MEMBER)                                                            \
	};                                                                                         \
	static int type##_open(struct type *l)                                                     \
	{                                                                                          \
		l->handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);                                 \
		if (!l->handle)                                                                    \
			return -EOPNOTSUPP;                                                        \
		SYMBOLS(LIBRARY_SYMBOL)                                                            \
		return 0;                                                                          \
	}                                                                                          \
	static void type##_close(struct type *l)                                                   \
	{                                                                                          \
		if (l->handle)                                                                     \
			dlclose(l->handle);                                                        \
		l->handle = NULL;                                                                  \
	}
