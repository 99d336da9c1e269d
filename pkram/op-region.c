/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding, opening, making and describing a region's container.
 */
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#include "jump.h"
#include "kexec.h"
#include "machine.h"
#include "op-containers.h"

#define CONF_FILE "/etc/pkram.conf"

int op_check_flags(struct pkram_ctx *ctx, const char *what, uint64_t flags, uint64_t known)
{
	if (flags & ~known)
		return log_error_errno(ctx, -EINVAL, "%s: unknown flags 0x%" PRIx64, what,
				       flags & ~known);
	return 0;
}

/* No version will be larger: a size above is one that was never set. */
#define OPTIONS_MAX 4096

int op_check_options(struct pkram_ctx *ctx, const char *what, const void *options, size_t known)
{
	const uint8_t *bytes = options;
	size_t given;

	memcpy(&given, options, sizeof(given));
	if (given < known || given > OPTIONS_MAX)
		return log_error_errno(ctx, -EINVAL,
				       "%s: options of %zu bytes, expected %zu; start them with "
				       ".struct_size = sizeof(...)",
				       what, given, known);
	for (size_t i = known; i < given; i++)
		if (bytes[i])
			return log_error_errno(
				ctx, -EINVAL,
				"%s: options for a newer pkram than this one (byte %zu is set)",
				what, i);
	return 0;
}

int op_check_kernel(struct pkram_ctx *ctx)
{
	if (machine_is_kdump(ctx))
		return log_error_errno(ctx, -EROFS,
				       "this is a kdump kernel: pkram changes nothing here");
	return 0;
}

int64_t op_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

const char *op_age(int64_t saved_at, char buf[48])
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int64_t age;

	/* The time comes from the medium. */
	if (__builtin_sub_overflow(machine_now(), saved_at, &age))
		return strcpy(buf, "at an unknown time");
	age /= 1000000000;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		int64_t n = age / units[i].seconds;

		if (n <= 0)
			continue;
		snprintf(buf, 48, "%" PRId64 " %s%s ago", n, units[i].unit, plural((uint64_t)n));
		return buf;
	}
	/* The clock of a new kernel may be behind the old one's. */
	return strcpy(buf, "just now");
}

enum pkram_freshness op_freshness(const struct pkram_region *region,
				  const struct pkram_jump *arrival, const uint8_t boot_id[16])
{
	return jump_freshness(arrival, region->boot_id, boot_id);
}

bool op_restored(const struct pkram_region *region, const struct store_node *n)
{
	uint64_t mark;

	memcpy(&mark, region->boot_id, sizeof(mark));
	return n->restored && n->restored == mark;
}

void op_note_restored(struct pkram_region *region, const struct store_restored *restored, size_t n)
{
	int k = n && !region->read_only ?
			store_mark_restored(region->store, restored, n, region->boot_id) : 0;

	errno = -k;
	if (k < 0)
		pkram_log_warning(region->ctx, "%s: cannot note what was restored: %m",
				  store_region(region->store)->spec);
}

bool op_yields(const struct pkram_region *region, const struct store_node *old)
{
	return memcmp(old->boot_id, region->boot_id, 16) != 0 || op_restored(region, old);
}

bool op_yield(void *arg, const struct store_node *old)
{
	struct op_yield *y = arg;
	char age[48], *line;

	if (!op_yields(y->region, old))
		return false;
	op_age(old->saved_at, age);
	if (y->keep_old) {
		pkram_log_warning(y->region->ctx,
				  "%s, saved %s, holds %" PRIu64 " bytes that are needed; "
				  "kept as asked",
				  old->name, age, old->stored);
		return false;
	}
	if (array_grow(&y->granted, &y->cap, y->n + 1, sizeof(*y->granted)) < 0 ||
	    asprintf(&line, "%s, saved %s, gave up its space first: both do not fit", old->name,
		     age) < 0)
		return false;
	y->granted[y->n++] = line;
	return true;
}

int op_yield_end(struct op_yield *y, int k)
{
	for (size_t i = 0; i < y->n; i++) {
		if (k >= 0)
			pkram_log_info(y->region->ctx, "%s", y->granted[i]);
		free(y->granted[i]);
	}
	free(y->granted);
	y->granted = NULL;
	y->n = y->cap = 0;
	return k;
}

/* --- which region --- */

struct conf {
	struct pkram_ctx *ctx;
	char *spec;
};

static int on_conf(void *userdata, unsigned int line, const char *key, const char *value)
{
	struct conf *conf = userdata;

	if (strcmp(key, "region") != 0)
		return log_error_errno(conf->ctx, -EINVAL,
				       CONF_FILE ":%u: unknown key '%s'; see pkram.conf(5)", line,
				       key);
	if (!*value)
		return log_error_errno(conf->ctx, -EINVAL,
				       CONF_FILE ":%u: region must be a name, as in "
				       "pmem:/dev/pmem0", line);
	if (conf->spec)
		return log_error_errno(conf->ctx, -EINVAL, CONF_FILE ":%u: region is given twice",
				       line);
	conf->spec = strdup(value);
	return conf->spec ? 0 : -ENOMEM;
}

int op_conf_spec(struct pkram_ctx *ctx, char **ret)
{
	struct conf conf = { .ctx = ctx };
	int k = pkram_conf_read(ctx, CONF_FILE, on_conf, &conf);

	if (k == 0)
		*ret = conf.spec;
	else
		free(conf.spec);
	return k == -ENOENT ? 0 : k;
}

static int spec_discover(struct pkram_ctx *ctx, char **ret)
{
	_cleanup_free_ struct machine_device *devices = NULL;
	_cleanup_free_ char *found = NULL;
	struct pkram_ctx *quiet;
	size_t n = 0;
	int k;

	k = machine_devices(ctx, &devices, &n);
	if (k < 0)
		return k;
	k = ctx_quiet(ctx, &quiet);
	if (k < 0)
		return k;
	for (size_t i = 0; i < n && k >= 0; i++) {
		const char *scheme = devices[i].kind == MACHINE_DEVICE_PMEM ? "pmem" : "devdax";
		_cleanup_free_ char *spec = NULL;

		if (devices[i].system_ram)
			continue;
		if (asprintf(&spec, "%s:%s", scheme, devices[i].path) < 0)
			spec = NULL;
		if (!spec || !container_there(quiet, spec))
			continue;
		if (found)
			k = log_error_errno(ctx, -ENOTUNIQ,
					    "both %s and %s hold a container; say which with -r, "
					    "PKRAM_REGION or "
					    "'region =' in %s",
					    found, spec, CONF_FILE);
		else
			found = TAKE_PTR(spec);
	}
	pkram_unref(quiet);
	if (k < 0)
		return k;
	if (!found && n && geteuid() != 0)
		return log_error_errno(ctx, -ENODATA,
				       "no region of this machine holds a container that you may "
				       "look into; run this as root");
	if (!found)
		return log_error_errno(ctx, -ENODATA,
				       "no region of this machine holds a container; 'pkram "
				       "regions' lists the memory that could, 'pkram plan SIZE' "
				       "finds some to reserve");
	*ret = TAKE_PTR(found);
	return 0;
}

int op_spec_node(struct pkram_ctx *ctx, const char *spec, char **ret, struct stat *ret_st)
{
	_cleanup_free_ char *node = NULL;
	const char *path;

	region_parse_spec(spec, &path);
	*ret_st = (struct stat){ 0 };
	if (stat(path, ret_st) < 0 || S_ISREG(ret_st->st_mode) ||
	    machine_device_node(ctx, ret_st->st_rdev, S_ISBLK(ret_st->st_mode), &node) < 0) {
		node = strdup(path);
		if (!node)
			return -ENOMEM;
	}
	*ret = TAKE_PTR(node);
	return 0;
}

int op_named_spec(struct pkram_ctx *ctx, const char *given, char **ret, const char **ret_from)
{
	const char *env = getenv("PKRAM_REGION"), *from = "";
	_cleanup_free_ char *spec = NULL;
	int k = 0;

	if (given || (env && *env)) {
		spec = strdup(given ? given : env);
		if (!spec)
			return -ENOMEM;
		if (!given)
			from = " (from PKRAM_REGION)";
	} else {
		k = op_conf_spec(ctx, &spec);
		if (spec)
			from = " (from " CONF_FILE ")";
	}
	if (k == 0 && spec)
		k = region_check_spec(ctx, spec, from);
	if (k < 0)
		return k;
	*ret = TAKE_PTR(spec);
	*ret_from = from;
	return 0;
}

int op_resolve_spec(struct pkram_ctx *ctx, const char *given, bool discover, char **ret,
		    const char **ret_from)
{
	_cleanup_free_ char *spec = NULL;
	int k;

	k = machine_load_modules(ctx);
	if (k < 0)
		pkram_log_debug(ctx, "cannot load the modules of reserved memory: %s",
				strerror(-k));
	k = op_named_spec(ctx, given, &spec, ret_from);
	if (k < 0)
		return k;
	if (!spec && !discover)
		return log_error_errno(ctx, -EDESTADDRREQ,
				       "say which region: 'pkram init REGION', -r, PKRAM_REGION or "
				       "'region =' in %s", CONF_FILE);
	if (!spec)
		return spec_discover(ctx, ret);
	*ret = TAKE_PTR(spec);
	return 0;
}

/* --- opening --- */

/*
 * Every container that came by the jump has arrived then. One that is opened only after another
 * kernel came by kexec, with this one's command line, could not tell that any more.
 */
static void claim_others(struct pkram_region *region)
{
	struct containers all = { 0 };

	containers_find(region, &all);
	containers_done(&all);
}

int pkram_region_open(struct pkram_ctx *ctx, const char *spec, uint64_t flags,
		      struct pkram_region **ret_region)
{
	_cleanup_free_ char *resolved = NULL;
	struct pkram_region *region;
	const char *from = "";
	struct region *bytes;
	int k;

	k = op_check_flags(ctx, "opening a region", flags, PKRAM_OPEN_READ_ONLY);
	if (k < 0)
		return k;
	k = op_resolve_spec(ctx, spec, true, &resolved, &from);
	if (k < 0)
		return k;
	region = calloc(1, sizeof(*region));
	if (!region)
		return -ENOMEM;
	region->ctx = pkram_ref(ctx);
	region->read_only = flags & PKRAM_OPEN_READ_ONLY || machine_is_kdump(ctx);
	k = machine_boot_id(ctx, region->boot_id);
	if (k >= 0)
		k = region_open_from(ctx, resolved, from, region->read_only, &bytes);
	if (k >= 0) {
		k = store_open(bytes, &region->store);
		if (k == -ENODATA)
			pkram_log_error(ctx, "%s%s: no container here; 'pkram init' makes one",
					resolved, from);
	}
	/* Also where the container allows no more. */
	if (k >= 0)
		region->read_only = store_region(region->store)->read_only;
	if (k >= 0 && !region->read_only)
		k = jump_claim(region->store);
	if (k > 0)
		claim_others(region);
	if (k < 0) {
		pkram_region_close(region);
		return k;
	}
	*ret_region = region;
	return 0;
}

struct pkram_region *pkram_region_close(struct pkram_region *region)
{
	if (!region)
		return NULL;
	store_close(region->store);
	pkram_unref(region->ctx);
	free(region);
	return NULL;
}

int pkram_region_get_info(struct pkram_region *region, struct pkram_region_info *ret_info)
{
	struct store_info s;
	int k;

	k = store_info(region->store, &s);
	if (k < 0)
		return k;
	*ret_info = (struct pkram_region_info){
		.spec = store_region(region->store)->spec,
		.generation = s.generation, .phys = s.phys, .size = s.size, .payload = s.payload,
		.free = s.free, .largest_free = s.largest_free, .nodes = s.nodes,
		.writers = s.writers, .read_only = region->read_only, .recovered = s.recovered,
	};
	ret_info->jump = jump_status(&s, region->boot_id, kexec_loaded(region->ctx),
				     &ret_info->jump_at);
	op_uuid_text(s.uuid, ret_info->uuid);
	return 0;
}
