/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metrics for the textfile collector of Prometheus' node exporter. All are gauges: they tell of
 * what stands in the container now, and may go back.
 */
#include "prometheus.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "column.h"
#include "report.h"
#include "text.h"

struct out {
	FILE *f;
	const char *spec;
};

/* UTF-8, whatever the bytes are; the escapes are those of JSON's strings (see json.h). */
static void put_label(FILE *f, const char *s)
{
	size_t n;

	for (; *s; s += n) {
		n = utf8_length(s);
		if (n == 0 || (s[0] == '\\' && s[1] == 'x')) {
			fprintf(f, "\\\\x%02x", (unsigned char)*s);
			n = 1;
		} else if (*s == '\n') {
			fputs("\\n", f);
		} else if (*s == '"' || *s == '\\') {
			fprintf(f, "\\%c", *s);
		} else {
			fwrite(s, 1, n, f);
		}
	}
}

static void family(const struct out *o, const char *name, const char *help)
{
	fprintf(o->f, "# HELP pkram_%s %s\n# TYPE pkram_%s gauge\n", name, help, name);
}

/* `label` and its value may be NULL. */
static void start_sample(const struct out *o, const char *name, const char *label,
			 const char *value)
{
	fprintf(o->f, "pkram_%s{region=\"", name);
	put_label(o->f, o->spec);
	if (label) {
		fprintf(o->f, "\",%s=\"", label);
		put_label(o->f, value);
	}
	fputs("\"} ", o->f);
}

static void sample(const struct out *o, const char *name, const char *label, const char *value,
		   uint64_t v)
{
	start_sample(o, name, label, value);
	fprintf(o->f, "%ju\n", (uintmax_t)v);
}

static void sample_seconds(const struct out *o, const char *name, const char *label,
			   const char *value, uint64_t ns)
{
	start_sample(o, name, label, value);
	fprintf(o->f, "%ju.%09ju\n", (uintmax_t)(ns / 1000000000), (uintmax_t)(ns % 1000000000));
}

static void gauge(const struct out *o, const char *name, const char *help, uint64_t v)
{
	family(o, name, help);
	sample(o, name, NULL, NULL, v);
}

static void gauge_seconds(const struct out *o, const char *name, const char *help, uint64_t ns)
{
	family(o, name, help);
	sample_seconds(o, name, NULL, NULL, ns);
}

/* A moment before 1970 is a clock that was never set. */
static void gauge_time(const struct out *o, const char *name, const char *help, int64_t ns)
{
	if (ns > 0)
		gauge_seconds(o, name, help, (uint64_t)ns);
}

static void print_region(const struct out *o, const struct pkram_region_info *i)
{
	family(o, "region_info", "The container that is in the region.");
	sample(o, "region_info", "uuid", i->uuid, 1);
	gauge(o, "region_size_bytes", "Size of the container.", i->size);
	gauge(o, "region_payload_bytes", "Bytes of the container for nodes.", i->payload);
	gauge(o, "region_free_bytes", "Bytes of the container in no node.", i->free);
	gauge(o, "region_recovered", "Whether the catalog had to be rebuilt from the node blocks.",
	      i->recovered);
	gauge(o, "jump_staged", "Whether this boot has loaded the next kernel.",
	      i->jump == PKRAM_JUMP_STATUS_STAGED || i->jump == PKRAM_JUMP_STATUS_ARMED);
}

/* Without what a node_state() adds behind a comma. */
static bool in_state(const struct pkram_node *node, const char *state)
{
	const char *s = node_state(node);

	return strcspn(s, ",") == strlen(state) && strncmp(s, state, strlen(state)) == 0;
}

static void print_states(const struct out *o, const struct pkram_node_list *nodes)
{
	static const char *const states[] = { "fresh", "restored", "stale", "damaged", "writing" };
	const struct pkram_node *node;

	family(o, "nodes", "Nodes in the region by their state in this boot.");
	for (size_t s = 0; s < ARRAY_SIZE(states); s++) {
		uint64_t n = 0;

		for (size_t i = 0; (node = pkram_node_list_get(nodes, i)); i++)
			n += in_state(node, states[s]);
		sample(o, "nodes", "state", states[s], n);
	}
}

static void print_last_save(const struct out *o, const struct pkram_node_list *nodes)
{
	const struct pkram_node *node, *last = NULL;
	uint64_t n = 0, bytes = 0;

	for (size_t i = 0; (node = pkram_node_list_get(nodes, i)); i++)
		if (!node->damaged && !node->writing &&
		    (!last || node->generation > last->generation))
			last = node;
	if (!last)
		return;
	for (size_t i = 0; (node = pkram_node_list_get(nodes, i)); i++)
		if (!node->damaged && !node->writing && node->generation == last->generation) {
			n++;
			bytes += node->size;
		}
	gauge_time(o, "last_save_timestamp_seconds", "When the youngest nodes were saved.",
		   last->saved_at);
	gauge(o, "last_save_nodes", "Nodes of that save.", n);
	gauge(o, "last_save_bytes", "Bytes of that save.", bytes);
	if (last->save_ns)
		gauge_seconds(o, "last_save_duration_seconds", "How long that save took.",
			      last->save_ns);
}

static void print_jump(const struct out *o, const struct pkram_report *report)
{
	const struct pkram_report_info *i = pkram_report_get_info(report);

	gauge_time(o, "jump_timestamp_seconds",
		   "When the last jump that arrived left the old kernel.", i->jumped_at);
	gauge(o, "jump_current", "Whether the running kernel came by that jump.",
	      i->jump == PKRAM_JUMP_STATUS_ARRIVED);
	gauge_seconds(o, "jump_downtime_seconds", "From that jump to the last restore after it.",
		      i->downtime);
	gauge_seconds(o, "jump_uncertainty_seconds", "By how much that may be wrong.",
		      i->uncertainty);
	family(o, "jump_phase_seconds", "Where that time went.");
	sample_seconds(o, "jump_phase_seconds", "phase", "down", i->down);
	if (i->kernel_at) {
		sample_seconds(o, "jump_phase_seconds", "phase", "boot", i->boot);
		sample_seconds(o, "jump_phase_seconds", "phase", "wait", i->wait);
		sample_seconds(o, "jump_phase_seconds", "phase", "restore", i->restore);
	}
	gauge(o, "jump_nodes", "Nodes that came by that jump.", i->nodes);
	gauge(o, "jump_gone_nodes", "Nodes that came by it and are not there any more.", i->gone);
	gauge(o, "jump_restored_nodes", "Nodes that came by it and were restored.", i->restored);
	if (!i->restored_at)
		return;
	gauge_time(o, "last_restore_timestamp_seconds", "When the last of them was restored.",
		   i->restored_at);
	gauge(o, "last_restore_bytes", "Bytes of all that were restored.", i->restored_bytes);
	gauge_seconds(o, "last_restore_duration_seconds", "Time in which something was restored.",
		      i->restore);
}

static void print_verified(const struct out *o, const struct metrics *m)
{
	gauge(o, "verify_success", "Whether every byte had its checksum when this was written.",
	      m->verify_result == 0);
	if (m->verify_result < 0)
		return;
	gauge(o, "verify_bytes", "Bytes that were verified.", m->verified->bytes);
	gauge_seconds(o, "verify_duration_seconds", "How long that took.", m->verified->ns);
}

void metrics_print(FILE *f, const struct metrics *m)
{
	const struct out o = { .f = f, .spec = m->region ? m->region->spec : m->spec };

	gauge(&o, "up", "Whether the region could be opened.", m->region != NULL);
	if (m->region)
		print_region(&o, m->region);
	if (m->nodes) {
		print_states(&o, m->nodes);
		print_last_save(&o, m->nodes);
	}
	if (m->report)
		print_jump(&o, m->report);
	if (m->verified)
		print_verified(&o, m);
}

/* Readable by all, as the exporter runs as somebody else. Its name ends in no ".prom". */
static int write_temporary(char *temporary, const struct metrics *m)
{
	int fd = mkostemp(temporary, O_CLOEXEC), r = 0;
	FILE *f;

	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f) {
		r = -errno;
		close(fd);
		return r;
	}
	metrics_print(f, m);
	if (fchmod(fd, 0644) < 0 || fflush(f) == EOF)
		r = -errno;
	if (fclose(f) == EOF && r == 0)
		r = -errno;
	return r;
}

int metrics_write(const char *path, const struct metrics *m)
{
	struct stat st;
	char *temporary;
	int r;

	/* A device, as /dev/null, would be gone. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		say_error("%s: is there, and no regular file", path);
		return -EEXIST;
	}
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	r = write_temporary(temporary, m);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		say_error("%s: %s", path, strerror(-r));
		unlink(temporary);
	}
	free(temporary);
	return r;
}
