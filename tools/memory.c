/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory.h"

const char *memory_kind_name(enum pkram_memory_kind kind)
{
	switch (kind) {
	case PKRAM_MEMORY_LEGACY_PMEM:
		return "legacy-pmem";
	case PKRAM_MEMORY_NVDIMM:
		return "nvdimm";
	case PKRAM_MEMORY_SOFT_RESERVED:
		return "soft-reserved";
	case PKRAM_MEMORY_RAMDAX:
		return "ramdax";
	case PKRAM_MEMORY_DEVMEM:
		return "devmem";
	case PKRAM_MEMORY_FILE:
		return "file";
	case PKRAM_MEMORY_OTHER:
		break;
	}
	return "other";
}

const char *memory_mode_name(enum pkram_memory_mode mode)
{
	switch (mode) {
	case PKRAM_MODE_RAW:
		return "raw";
	case PKRAM_MODE_FSDAX:
		return "fsdax";
	case PKRAM_MODE_SECTOR:
		return "sector";
	case PKRAM_MODE_DEVDAX:
		return "devdax";
	case PKRAM_MODE_SYSTEM_RAM:
		return "system-ram";
	case PKRAM_MODE_NONE:
		break;
	}
	return "none";
}

const char *memory_state_name(enum pkram_memory_state state)
{
	switch (state) {
	case PKRAM_MEMORY_EMPTY:
		return "empty";
	case PKRAM_MEMORY_CONTAINER:
		return "container";
	case PKRAM_MEMORY_UNREADABLE:
		return "unreadable";
	case PKRAM_MEMORY_FOREIGN:
		return "foreign";
	case PKRAM_MEMORY_BUSY:
		return "busy";
	case PKRAM_MEMORY_LENT:
		return "lent";
	case PKRAM_MEMORY_NO_DRIVER:
		return "no-driver";
	case PKRAM_MEMORY_UNKNOWN:
		break;
	}
	return "unknown";
}
