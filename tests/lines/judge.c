/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The recorded boots against two readers of the line: the model must have predicted the map, and
 * pkram must not call a line safe for a region that did not come back. A region that came back
 * though pkram refuses the line must be in the list of refusals, with the reason.
 *
 *	judge DIRECTORY [--list]	--list: only prints those refusals
 */
#include "kexec.h"
#include "model.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LOW MIB		/* below, the kernel keeps things of its own */
#define RANGES 64

struct ranges {
	struct model_range v[RANGES];
	int n;
};

/* A boot as it is recorded. */
struct boot {
	char name[300];		/* "6.12/plain" */
	char *line;
	bool up, stays;
	struct ranges map, devices;
};

static struct ranges firmware;
static int faults;

static void __attribute__((format(printf, 2, 3))) fault(const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("%s: ", name);
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
	faults++;
}

/* --- what is recorded --- */

static uint32_t type_of(const char *name)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = { { "System RAM", MODEL_RAM },   { "Reserved", MODEL_RESERVED },
		      { "ACPI Tables", MODEL_ACPI }, { "Persistent Memory (legacy)", MODEL_PMEM },
		      { "Soft Reserved", MODEL_SOFT } };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return 0;
}

/* "START-END : NAME"; false where it is another line. */
static bool parse_range(const char *text, struct model_range *ret, char name[64])
{
	if (sscanf(text, "%" SCNx64 "-%" SCNx64 " : %63[^\n]", &ret->start, &ret->end, name) != 3)
		return false;
	ret->end++;
	return true;
}

static void add(struct ranges *r, struct model_range one)
{
	if (r->n == RANGES)
		abort();
	r->v[r->n++] = one;
}

static void read_text(struct boot *b, const char *text)
{
	struct model_range r;
	char name[64];

	if (strncmp(text, "line ", 5) == 0) {
		b->line = strdup(text + 5);
		b->line[strcspn(b->line, "\n")] = '\0';
	} else if (strcmp(text, "does not boot\n") == 0) {
		b->up = false;
	} else if (strcmp(text, "not randomised\n") == 0) {
		b->stays = true;
	} else if (!parse_range(text, &r, name)) {
		fault(b->name, "not understood: %s", text);
	} else if (strcmp(name, "/dev/pmem") == 0 || strcmp(name, "/dev/dax") == 0) {
		r.type = name[5] == 'p' ? MODEL_PMEM : MODEL_SOFT;
		add(&b->devices, r);
	} else {
		r.type = type_of(name);
		add(&b->map, r);
	}
}

static void read_boot(const char *dir, const char *kernel, const char *name, struct boot *b)
{
	char path[1024], text[4096];
	FILE *f;

	*b = (struct boot){ .up = true };
	snprintf(b->name, sizeof(b->name), "%s/%s", kernel, name);
	snprintf(path, sizeof(path), "%s/golden/%s", dir, b->name);
	f = fopen(path, "r");
	if (!f)
		fault(b->name, "cannot be read");
	while (f && fgets(text, sizeof(text), f))
		read_text(b, text);
	if (f)
		fclose(f);
	if (!b->line)
		b->line = strdup("");
}

static void read_firmware(const char *dir)
{
	char path[1024], text[256], name[64];
	struct model_range r;
	FILE *f;

	snprintf(path, sizeof(path), "%s/golden/firmware", dir);
	f = fopen(path, "r");
	while (f && fgets(text, sizeof(text), f))
		if (parse_range(text, &r, name)) {
			r.type = type_of(name);
			add(&firmware, r);
		}
	if (f)
		fclose(f);
	if (!firmware.n)
		fault("golden/firmware", "no ranges");
}

/* --- the model --- */

static int by_start(const void *a, const void *b)
{
	const struct model_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static uint32_t known_type(uint32_t type)
{
	switch (type) {
	case MODEL_RAM:
	case MODEL_RESERVED:
	case MODEL_ACPI:
	case MODEL_PMEM:
	case MODEL_SOFT:
		return type;
	default:
		return 0;
	}
}

/* From LOW up, in order. RAM in pieces is RAM: what the kernel was handed lies in a piece of its
 * own. */
static void tidy(struct ranges *r)
{
	int n = 0;

	qsort(r->v, (size_t)r->n, sizeof(*r->v), by_start);
	for (int i = 0; i < r->n; i++) {
		struct model_range one = r->v[i];

		one.type = known_type(one.type);
		one.start = MAX(one.start, (uint64_t)LOW);
		if (one.start >= one.end)
			continue;
		if (n && one.type == MODEL_RAM && r->v[n - 1].type == MODEL_RAM &&
		    r->v[n - 1].end == one.start)
			r->v[n - 1].end = one.end;
		else
			r->v[n++] = one;
	}
	r->n = n;
}

static void print_map(const char *what, const struct ranges *r)
{
	for (int i = 0; i < r->n; i++)
		printf("\t%s %" PRIx64 "-%" PRIx64 " %#x\n", what, r->v[i].start, r->v[i].end - 1,
		       r->v[i].type);
}

static void judge_model(const struct boot *b, const struct model *m)
{
	struct ranges told = b->map, guessed = { .n = 0 };

	if (m->boots != b->up) {
		fault(b->name, "it %s, the model says otherwise",
		      b->up ? "boots" : "does not boot");
		return;
	}
	if (!b->up)
		return;
	if (m->stays != b->stays)
		fault(b->name, "the kernel %s, the model says otherwise",
		      b->stays ? "stays where it is loaded" : "goes to a random place");
	for (int i = 0; i < m->n; i++)
		add(&guessed, m->map[i]);
	tidy(&told);
	tidy(&guessed);
	if (told.n == guessed.n &&
	    memcmp(told.v, guessed.v, sizeof(*told.v) * (size_t)told.n) == 0)
		return;
	fault(b->name, "the model makes another map:");
	print_map("boot ", &told);
	print_map("model", &guessed);
}

/* --- pkram --- */

struct refusals {
	char *text;
	bool list;
};

/* It is there in one piece, and so is the device. */
static bool came_back(const struct boot *b, const struct model_range *r)
{
	int maps = 0, devices = 0;

	for (int i = 0; b->up && i < b->map.n; i++)
		maps += memcmp(&b->map.v[i], r, sizeof(*r)) == 0;
	for (int i = 0; b->up && i < b->devices.n; i++)
		devices += memcmp(&b->devices.v[i], r, sizeof(*r)) == 0;
	return maps == 1 && devices == 1;
}

/* A region can only be where the firmware's map has no end inside it. */
static bool can_be(const struct model_range *r)
{
	for (int i = 0; i < firmware.n; i++)
		if ((firmware.v[i].start > r->start && firmware.v[i].start < r->end) ||
		    (firmware.v[i].end > r->start && firmware.v[i].end < r->end))
			return false;
	return true;
}

static void range_text(const struct model_range *r, char text[64])
{
	snprintf(text, 64, "%" PRIu64 "M%c%" PRIu64 "M", (r->end - r->start) / MIB,
		 r->type == MODEL_PMEM ? '!' : '%', r->start / MIB);
}

/* "NAME REGION REASON" in the list; the kernel's version is no part of the name. */
static bool listed(const struct refusals *ref, const char *name, const char *range)
{
	char head[400];
	const char *at;

	snprintf(head, sizeof(head), "%s %s ", strchr(name, '/') + 1, range);
	at = strstr(ref->text, head);
	while (at && at != ref->text && at[-1] != '\n')
		at = strstr(at + 1, head);
	return at;
}

static void judge_region(struct pkram_ctx *ctx, const struct boot *b, const struct model *m,
			 const struct model_range *r, const struct refusals *ref)
{
	const struct kexec_keep keep = { .what = "the region", .phys = r->start,
					 .size = r->end - r->start,
					 .kind = r->type == MODEL_PMEM ? '!' : '%' };
	bool safe = came_back(b, r) && !model_may_land(m, keep.phys, keep.size), taken;
	char text[64];

	range_text(r, text);
	pkram_set_log_fn(ctx, NULL, NULL, 0);
	taken = kexec_check_reservations(ctx, b->line, &keep, 1) == 0;
	if (taken && !safe)
		fault(b->name, "pkram takes the line for %s, which it does not keep", text);
	if (taken && listed(ref, b->name, text))
		fault(b->name, "pkram takes the line for %s: it is no refusal", text);
	if (taken || !safe || (!ref->list && listed(ref, b->name, text)))
		return;
	if (ref->list)
		printf("%s %s\n", strchr(b->name, '/') + 1, text);
	else
		fault(b->name, "pkram refuses the line for %s, which it keeps", text);
}

static const struct model_range regions[] = {
	{ 4 * GIB, 4 * GIB + 512 * MIB, MODEL_PMEM },
	{ 4 * GIB, 4 * GIB + 256 * MIB, MODEL_PMEM },
	{ 4 * GIB + 256 * MIB, 4 * GIB + 512 * MIB, MODEL_PMEM },
	{ 4 * GIB + 256 * MIB, 4 * GIB + 768 * MIB, MODEL_PMEM },
	{ 4 * GIB + 512 * MIB, 5 * GIB, MODEL_PMEM },
	{ 4 * GIB, 5 * GIB, MODEL_PMEM },
	{ 2 * GIB, 2 * GIB + 256 * MIB, MODEL_PMEM },
	{ 2 * GIB, 2 * GIB + 512 * MIB, MODEL_PMEM },
	{ 4 * GIB, 4 * GIB + 512 * MIB, MODEL_SOFT },
	{ 4 * GIB, 4 * GIB + 256 * MIB, MODEL_SOFT },
	{ 4 * GIB + 256 * MIB, 4 * GIB + 512 * MIB, MODEL_SOFT },
};

static bool is_candidate(const struct model_range *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++)
		if (memcmp(r, &regions[i], sizeof(*r)) == 0)
			return true;
	return false;
}

/* The same regions for every line, and those that this one made. */
static void judge_pkram(struct pkram_ctx *ctx, const struct boot *b, const struct model *m,
			const struct refusals *ref)
{
	for (size_t i = 0; i < ARRAY_SIZE(regions); i++)
		judge_region(ctx, b, m, &regions[i], ref);
	for (int i = 0; i < b->devices.n; i++)
		if (!is_candidate(&b->devices.v[i]) && can_be(&b->devices.v[i]))
			judge_region(ctx, b, m, &b->devices.v[i], ref);
}

/* --- all --- */

static int judge_kernel(struct pkram_ctx *ctx, const char *dir, const char *kernel,
			const struct refusals *ref)
{
	char path[1024];
	struct dirent **names;
	int n, boots = 0;

	snprintf(path, sizeof(path), "%s/golden/%s", dir, kernel);
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		static struct model m;
		struct boot b;

		if (*names[i]->d_name != '.') {
			read_boot(dir, kernel, names[i]->d_name, &b);
			model_read(&m, firmware.v, firmware.n, b.line);
			if (!ref->list)
				judge_model(&b, &m);
			judge_pkram(ctx, &b, &m, ref);
			boots++;
			free(b.line);
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return boots;
}

static char *read_refusals(const char *dir)
{
	char path[1024], *text = NULL;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/refusals", dir);
	f = fopen(path, "r");
	if (!f || getdelim(&text, &(size_t){ 0 }, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	len = strlen(text);
	if (f)
		fclose(f);
	if (!len)
		fault("refusals", "nothing to read");
	return text;
}

int main(int argc, char **argv)
{
	struct refusals ref = { .list = argc == 3 && strcmp(argv[2], "--list") == 0 };
	struct pkram_ctx *ctx;
	int boots;

	if (argc < 2 || pkram_new(&ctx) < 0) {
		fprintf(stderr, "usage: judge DIRECTORY [--list]\n");
		return 2;
	}
	ref.text = ref.list ? strdup("") : read_refusals(argv[1]);
	read_firmware(argv[1]);
	boots = judge_kernel(ctx, argv[1], "6.12", &ref) + judge_kernel(ctx, argv[1], "6.1", &ref);
	if (!ref.list)
		printf("%d boots judged, %d faults\n", boots, faults);
	/* None at all would be no proof. */
	if (boots < 40)
		fault("golden", "too few boots");
	free(ref.text);
	pkram_unref(ctx);
	return faults ? 1 : 0;
}
