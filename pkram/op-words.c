/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which words of the running command line reserve a piece of memory.
 */
#include "op-memory.h"

void op_words_done(struct op_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->v[i].text);
	free(words->v);
	*words = (struct op_words){ 0 };
}

static int add_entry(struct op_words *words, const struct kexec_memmap *e, const char *text)
{
	char *copy;
	int k;

	k = array_grow(&words->v, &words->cap, words->n + 1, sizeof(*words->v));
	if (k < 0)
		return k;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	words->v[words->n++] = (struct op_word){ .kind = e->kind, .start = e->start,
						 .size = e->size, .text = copy };
	return 0;
}

static int add_word(struct pkram_ctx *ctx, struct op_words *words, const struct kexec_word *w)
{
	_cleanup_(kexec_memmaps_done) struct kexec_memmaps entries = { 0 };
	_cleanup_free_ char *text = strndup(w->raw, w->raw_len);
	int k;

	if (!text)
		return -ENOMEM;
	k = kexec_memmaps_parse(ctx, text, &entries);
	if (k < 0)
		return k == -EINVAL ? 0 : k;
	for (size_t i = 0; i < entries.n && k == 0; i++)
		if (entries.v[i].kind != KEXEC_MEMMAP_LIMIT)
			k = add_entry(words, &entries.v[i], text);
	return k;
}

int op_words_find(struct pkram_ctx *ctx, const char *line, struct op_words *ret)
{
	struct op_words words = { 0 };
	struct kexec_word w;
	int k = 0;

	while (k == 0 && kexec_param_next(&line, &w))
		if (w.value && kexec_word_named(&w, "memmap"))
			k = add_word(ctx, &words, &w);
	if (k < 0)
		op_words_done(&words);
	else
		*ret = words;
	return k;
}

static int by_start(const void *pa, const void *pb)
{
	const struct op_word *a = pa, *b = pb;

	return (a->start > b->start) - (a->start < b->start);
}

int op_words_join(const struct op_words *words, enum kexec_memmap_kind kind, struct op_word **ret,
		  size_t *ret_n)
{
	struct op_word *v = calloc(MAX(words->n, (size_t)1), sizeof(*v));
	size_t n = 0, joined = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < words->n; i++)
		if (words->v[i].kind == kind && words->v[i].size)
			v[n++] = (struct op_word){ .kind = kind, .start = words->v[i].start,
						   .size = words->v[i].size };
	qsort(v, n, sizeof(*v), by_start);
	for (size_t i = 0; i < n; i++) {
		struct op_word *last = joined ? &v[joined - 1] : NULL;

		if (last && v[i].start <= last->start + last->size)
			last->size = MAX(last->size, v[i].start + v[i].size - last->start);
		else
			v[joined++] = v[i];
	}
	*ret = v;
	*ret_n = joined;
	return 0;
}

static const struct {
	enum pkram_memory_kind kind;
	enum kexec_memmap_kind word;
	const char *firmware;
} makers[] = {
	{ PKRAM_MEMORY_LEGACY_PMEM, KEXEC_MEMMAP_PMEM, "Persistent Memory (legacy)" },
	{ PKRAM_MEMORY_RAMDAX, KEXEC_MEMMAP_PMEM, "Persistent Memory (legacy)" },
	{ PKRAM_MEMORY_SOFT_RESERVED, KEXEC_MEMMAP_CONVERT, "Soft Reserved" },
	{ PKRAM_MEMORY_DEVMEM, KEXEC_MEMMAP_RESERVED, NULL },
};

/* Who sees no addresses goes by the size. */
static bool makes(const struct op_word *w, const struct pkram_memory *m)
{
	return m->phys ? ranges_overlap(w->start, w->size, m->phys, m->size) : w->size == m->size;
}

static int append(char **text, const char *word)
{
	char *more;

	if (asprintf(&more, "%s%s%s", *text ? *text : "", *text ? " " : "", word) < 0)
		return -ENOMEM;
	free(*text);
	*text = more;
	return 0;
}

/* A word of several ranges stands once, and so does one that is there twice. */
static int append_words(char **text, const struct op_words *words, enum kexec_memmap_kind kind,
			const struct pkram_memory *m)
{
	int k = 0;

	for (size_t i = 0; i < words->n && k == 0; i++) {
		const struct op_word *w = &words->v[i];
		bool said = w->kind != kind || !makes(w, m);

		for (size_t j = 0; j < i && !said; j++)
			said = words->v[j].kind == kind && makes(&words->v[j], m) &&
			       strcmp(words->v[j].text, w->text) == 0;
		if (!said)
			k = append(text, w->text);
	}
	return k;
}

static bool firmware_says(const struct machine_ranges *firmware, const char *name,
			  const struct pkram_memory *m)
{
	for (size_t i = 0; i < firmware->n; i++) {
		const struct machine_range *r = &firmware->v[i];

		if (strcmp(r->name, name) == 0 && m->phys && r->start <= m->phys &&
		    r->end >= m->phys && m->size - 1 <= r->end - m->phys)
			return true;
	}
	return false;
}

int op_words_reserving(const struct op_words *words, const struct machine_ranges *firmware,
		       const struct pkram_memory *m, char **ret)
{
	_cleanup_free_ char *text = NULL;
	int k = 0;

	for (size_t i = 0; i < ARRAY_SIZE(makers) && m->size; i++) {
		if (makers[i].kind != m->kind)
			continue;
		k = append_words(&text, words, makers[i].word, m);
		if (k == 0 && !text && makers[i].firmware &&
		    firmware_says(firmware, makers[i].firmware, m))
			k = append(&text, "firmware");
	}
	if (k == 0 && !text)
		k = append(&text, m->kind == PKRAM_MEMORY_NVDIMM ? "firmware" : "");
	if (k == 0)
		*ret = TAKE_PTR(text);
	return k;
}
