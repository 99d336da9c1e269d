/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a mountinfo table, of which mount 1 is looked for. */
#include "fuzz.h"
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *table = strndup((const char *)data, size);
	char *type, *options;

	if (!table)
		abort();
	if (machine_mount_find(table, 1, &type, &options) == 0) {
		free(type);
		free(options);
	}
	return 0;
}
