/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed bytes and initrds, by libarchive. It is loaded when it is needed: linked in, it would
 * bring all that it needs into every initrd that holds pkram.
 */
#pragma once

#include "ctx.h"

/*
 * Unpacks one stream of at most `max` bytes, NUL-terminated. -EBADMSG; -EFBIG; -EOPNOTSUPP:
 * libarchive is not installed. None is logged.
 */
int kexec_unpack(const void *bytes, size_t len, size_t max, char **ret, size_t *ret_len);
/* What fn is told of a file: its content, where it has no more than `max` bytes; malloc'ed. */
struct kexec_entry;
char *kexec_entry_text(struct kexec_entry *entry, size_t max);

/*
 * Calls fn for each file of an initrd: archives one after the other, the first ones as they are,
 * the last ones in one compressed stream. A non-zero return of fn ends it and is the result.
 * -ENODATA: nothing of it is an archive; -EBADMSG: cannot be read to its end; -EOPNOTSUPP as above.
 * None is logged.
 */
typedef int (*kexec_entry_fn)(void *arg, const char *path, struct kexec_entry *entry);
int kexec_unpack_initrd(const void *bytes, size_t len, kexec_entry_fn fn, void *arg);
