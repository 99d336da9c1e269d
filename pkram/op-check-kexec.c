/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this kernel and this system let kexec do.
 */
#include "jump.h"
#include "op-check.h"

#include <inttypes.h>

#define SYSTEMD_UNIT "systemd-kexec.service"

/* --- kexec --- */

/* Whether the running kernel is known to be built without the option. */
static bool is_built_without(const struct check *c, const char *option)
{
	return c->running_config && kexec_config_get(c->running_config, option) == 'n';
}

static int refuse_method(struct check *c, const char *why)
{
	pkram_log_refusal(c->ctx, "use --method auto",
			  "this kernel has no %s", why);
	return -EUCLEAN;
}

static int choose_method(struct check *c)
{
	bool no_file = is_built_without(c, "CONFIG_KEXEC_FILE");

	switch (c->o->method) {
	case PKRAM_STAGE_METHOD_AUTO:
		c->method = no_file ? KEXEC_METHOD_LOAD : KEXEC_METHOD_AUTO;
		break;
	case PKRAM_STAGE_METHOD_FILE:
		c->method = KEXEC_METHOD_FILE;
		return no_file ? refuse_method(c, "kexec_file_load (CONFIG_KEXEC_FILE)") : 0;
	case PKRAM_STAGE_METHOD_LOAD:
		c->method = KEXEC_METHOD_LOAD;
		if (is_built_without(c, "CONFIG_KEXEC"))
			return refuse_method(c, "kexec_load (CONFIG_KEXEC)");
		break;
	}
	if (c->method == KEXEC_METHOD_LOAD && kexec_locked_down(c->ctx)) {
		pkram_log_refusal(c->ctx, "use --method file, and a signed kernel",
				  "this kernel is locked down, and refuses kexec_load");
		return -EUCLEAN;
	}
	return 0;
}

/* Whether pkram-kexec.service is going to load it once more, when the machine goes down. */
static bool loads_later(struct check *c)
{
	return !(c->o->flags & PKRAM_STAGE_NO_SYSTEMD) && kexec_service_there(c->ctx) &&
	       kexec_queued(c->ctx) <= 0;
}

/* Unloading counts like loading, and what is loaded goes before each load. */
static int check_limit(struct check *c)
{
	unsigned int now = kexec_loaded(c->ctx) ? 2 : 1, later = 2;
	uint64_t left;

	/* No limit, -1, reads as more than any. */
	if (machine_read_u64(c->ctx, "/proc/sys/kernel/kexec_load_limit_reboot", &left) < 0 ||
	    left >= now + later)
		return 0;
	if (left < now) {
		pkram_log_refusal(c->ctx, "export what must survive, and reboot by firmware",
				  "kernel.kexec_load_limit_reboot is used up in this boot: %" PRIu64
				  " left, and the jump takes %u", left, now);
		return -EUCLEAN;
	}
	if (!loads_later(c))
		return 0;
	pkram_log_refusal(c->ctx, "use 'pkram kexec --no-systemd' once services are stopped",
			  "kernel.kexec_load_limit_reboot does not last until the jump is armed: %"
			  PRIu64 " left, and %u needed", left, now + later);
	return -EUCLEAN;
}

int check_kexec(struct check *c)
{
	int r = kexec_possible(c->ctx);

	if (r == 0)
		r = check_limit(c);
	if (r == 0)
		r = choose_method(c);
	if (r == 0)
		check_note(c, "%s", c->method == KEXEC_METHOD_LOAD ?
				  "by kexec_load, bounded to memory that is clear of all regions" :
				  "by kexec_file_load");
	return r;
}

/* --- signature --- */

/* Why only signed kernels load; NULL: others do, too. */
static const char *wants_signature(struct check *c)
{
	if (kexec_locked_down(c->ctx))
		return "this kernel is locked down";
	if (c->running_config &&
	    kexec_config_get(c->running_config, "CONFIG_KEXEC_SIG_FORCE") == 'y')
		return "this kernel is built to enforce signatures (CONFIG_KEXEC_SIG_FORCE)";
	return NULL;
}

/* kexec_load knows nothing of signatures. */
int check_signature(struct check *c)
{
	const char *why = c->method == KEXEC_METHOD_LOAD ? NULL : wants_signature(c);

	if (!why) {
		check_note(c, "not asked for");
		return 0;
	}
	if (!c->image.is_signed) {
		pkram_log_refusal(c->ctx, "name a signed kernel with --kernel",
				  "%s, and %s is not signed", why, c->kernel.kernel);
		return -EUCLEAN;
	}
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
		       "where loading fails with \"Key was rejected\", take a kernel of the "
		       "distribution that is running",
		       "%s: it loads only what is signed by a key that it trusts", why);
	return 0;
}

/* --- loaded --- */

int check_loaded(struct check *c)
{
	struct store_info info;
	enum pkram_jump_status status;
	int64_t at;
	int r;

	if (!kexec_loaded(c->ctx)) {
		check_note(c, "no kernel is loaded yet");
		return 0;
	}
	r = store_info(c->look.store, &info);
	if (r < 0)
		return r;
	status = jump_status(&info, c->look.boot_id, true, &at);
	if (status == PKRAM_JUMP_STATUS_STAGED || status == PKRAM_JUMP_STATUS_ARMED) {
		check_note(c, "one that pkram has staged: it is loaded anew right before the jump");
		return 0;
	}
	ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
		       "'pkram kexec' loads its own in its place; 'kexec -s -u' unloads it",
		       "a kernel is loaded that pkram has not staged: its command line is not "
		       "known, and rebooting may start it");
	return 0;
}

/* --- systemd --- */

/* In the directories of units, the first one counts. */
static bool has_unit(struct check *c, bool *ret_masked)
{
	static const char *const dirs[] = { "/etc/systemd/system", "/run/systemd/system",
					    "/usr/lib/systemd/system", "/lib/systemd/system" };

	*ret_masked = false;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *full = NULL;
		char path[96], target[16];
		ssize_t n;

		snprintf(path, sizeof(path), "%s/" SYSTEMD_UNIT, dirs[i]);
		full = machine_path(c->ctx, path);
		n = full ? readlink(full, target, sizeof(target)) : -1;
		*ret_masked = n == 9 && memcmp(target, "/dev/null", 9) == 0;
		if (*ret_masked || machine_exists(c->ctx, path))
			return true;
	}
	return false;
}

int check_systemd(struct check *c)
{
	static const char remedy[] = "use 'pkram kexec --no-systemd' once services are stopped";
	_cleanup_free_ char *program = NULL;
	bool masked;

	if (c->o->flags & PKRAM_STAGE_NO_SYSTEMD || !machine_exists(c->ctx, SYSTEMD_DIR)) {
		check_note(c, "%s: the jump is 'kexec -e'",
			   c->o->flags & PKRAM_STAGE_NO_SYSTEMD ? "not asked" : "does not run");
		return 0;
	}
	program = kexec_find_program("systemctl");
	if (!program)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, remedy,
			       "systemd runs, but there is no systemctl program");
	else if (!has_unit(c, &masked))
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, remedy,
			       "systemd has no " SYSTEMD_UNIT);
	else if (masked)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
			       "systemctl unmask " SYSTEMD_UNIT, SYSTEMD_UNIT " is masked");
	else
		check_note(c, "the jump is 'systemctl kexec'");
	return 0;
}
