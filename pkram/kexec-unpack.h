/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed bytes and initrds, by libarchive.
 */
#pragma once

#include "ctx.h"

/*
 * Unpacks one stream of at most `max` bytes, NUL-terminated. -EBADMSG; -EFBIG; -EOPNOTSUPP:
 * libarchive is not installed, or cannot unpack it. None is logged.
 */
int kexec_unpack(const void *bytes, size_t len, size_t max, char **ret, size_t *ret_len);
/* What fn is told of a file: its content, where it has no more than `max` bytes; malloc'ed. */
struct kexec_entry;
char *kexec_entry_text(struct kexec_entry *entry, size_t max);

/* What an initrd is, besides its files. */
struct kexec_unpacked {
	unsigned int packings;	/* what the kernel needs: a bit for each kexec_packing_option() */
	char why[160];		/* what is wrong with it, where it cannot be read */
};

/* "CONFIG_RD_GZIP"; NULL behind the last one. */
const char *kexec_packing_option(unsigned int packing);

/*
 * Calls fn for each file of an initrd, archives one after the other, plain and packed ones, with no
 * more than `max` bytes in the packed ones. A non-zero return of fn ends it and is the result.
 * -ENODATA: nothing of it is an archive; -EBADMSG: damaged, or in a way that no kernel reads;
 * -EFBIG: more than `max`; -EOPNOTSUPP: it may be right, and cannot be read here. None is logged.
 */
typedef int (*kexec_entry_fn)(void *arg, const char *path, struct kexec_entry *entry);
int kexec_unpack_initrd(const void *bytes, size_t len, uint64_t max, kexec_entry_fn fn, void *arg,
			struct kexec_unpacked *ret);
