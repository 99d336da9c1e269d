/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What to do next with a piece of memory: one command where there is one.
 */
#include <stdarg.h>

#include "op-memory.h"

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

/* Memory that its driver has not made a device of. */
static char *hint_no_device(const struct pkram_memory *m, const char *nd)
{
	if (m->mode == PKRAM_MODE_SECTOR)
		return text("ndctl create-namespace -f -e %s -m devdax -a 2M -M mem; what it holds "
			    "is lost", nd);
	if (nd && strncmp(nd, "region", 6) == 0)
		return text("ndctl create-namespace -r %s -m devdax -a 2M -M mem", nd);
	if (nd)
		return text("ndctl enable-namespace %s; dmesg tells why not, often that start or "
			    "size are no multiples of 16 MiB in one range of the firmware's map",
			    nd);
	switch (m->kind) {
	case PKRAM_MEMORY_LEGACY_PMEM:
		return text("modprobe -a nd_e820 nd_pmem, as other verbs of pkram do by "
			    "themselves");
	case PKRAM_MEMORY_SOFT_RESERVED:
		return text("modprobe -a device_dax dax_hmem, as other verbs of pkram do by "
			    "themselves");
	case PKRAM_MEMORY_NVDIMM:
		return text("modprobe -a nfit nd_pmem, as other verbs of pkram do by themselves");
	default:
		return text("a region needs '!' instead of '$' in its word");
	}
}

static char *hint_unknown(const struct pkram_memory *m)
{
	if (m->kind == PKRAM_MEMORY_FILE && !m->size)
		return text("pkram init --size N %s", m->spec);
	return text("%s", m->detail);
}

/* "is mounted at /srv; unmount it first" says it. */
static char *hint_busy(const struct pkram_memory *m)
{
	const char *remedy = strstr(m->detail, "; ");

	return text("%s", remedy ? remedy + 2 : "end what uses it first");
}

static char *hint_container(const struct pkram_memory *m)
{
	if (!m->nodes)
		return text("pkram -r %s save PATH", m->spec);
	return text("pkram -r %s ls", m->spec);
}

char *op_memory_hint(const struct pkram_memory *m, const char *nd)
{
	bool has_device = m->device && *m->device;

	if (m->state == PKRAM_MEMORY_NO_DRIVER && !has_device)
		return hint_no_device(m, nd);
	/* What is not known of its size is no reason. */
	if (m->usable && m->usable < PKRAM_MIN_SIZE)
		return text("too small: a container needs %u MiB", PKRAM_MIN_SIZE >> 20);
	switch (m->state) {
	case PKRAM_MEMORY_EMPTY:
		return text("pkram init %s", m->spec);
	case PKRAM_MEMORY_CONTAINER:
		return hint_container(m);
	case PKRAM_MEMORY_UNREADABLE:
		return text("pkram -r %s verify, which says more", m->spec);
	case PKRAM_MEMORY_FOREIGN:
		return text("pkram init --force %s, if that may go", m->spec);
	case PKRAM_MEMORY_BUSY:
		return hint_busy(m);
	case PKRAM_MEMORY_LENT:
		return text("daxctl reconfigure-device -m devdax --force %s",
			    strrchr(m->device, '/') + 1);
	case PKRAM_MEMORY_NO_DRIVER:
		return text("modprobe device_dax, as other verbs of pkram do by themselves");
	case PKRAM_MEMORY_UNKNOWN:
		break;
	}
	return hint_unknown(m);
}
