/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be said of a node, and of its region.
 */
#include "column.h"

#include <string.h>

enum {
	NAME, KIND, SIZE, FILES, SAVED, KERNEL, STATE, TIME, STORED, DATA, EXTENTS, ID, SET, SINGLE,
	LIVE, RESTORED, HOST, SOURCE, FSTYPE, OPTIONS, BOOT, HASH, N_COLUMNS,
};

const struct column node_columns[] = {
	[NAME] = { "NAME", "name", "the node's name", COLUMN_STRING, true },
	[KIND] = { "KIND", "kind", "tree or stream", COLUMN_STRING, true },
	[SIZE] = { "SIZE", "size", "bytes of the stream or the tree's image", COLUMN_SIZE, true },
	[FILES] = { "FILES", "files", "inodes of the tree", COLUMN_NUMBER, true },
	[SAVED] = { "SAVED", "saved", "how long ago it was saved", COLUMN_AGE, true },
	[KERNEL] = { "KERNEL", "kernel", "the kernel that saved it", COLUMN_STRING, true },
	[STATE] = { "STATE", "state", "what it is good for in this boot", COLUMN_STRING, true },
	[TIME] = { "TIME", "saved", "when it was saved", COLUMN_TIME },
	[STORED] = { "STORED", "stored", "bytes of the region it takes", COLUMN_SIZE },
	[DATA] = { "DATA", "data", "bytes of the tree's files without holes", COLUMN_SIZE },
	[EXTENTS] = { "EXTENTS", "extents", "pieces of the region it lies in", COLUMN_NUMBER },
	[ID] = { "ID", "id", "number, never used again", COLUMN_NUMBER },
	[SET] = { "SET", "set", "the same for nodes saved together", COLUMN_NUMBER },
	[SINGLE] = { "SINGLE", "single", "whether the tree is one file", COLUMN_BOOL },
	[LIVE] = { "LIVE", "live", "whether the source was not quiet", COLUMN_BOOL },
	[RESTORED] = { "RESTORED", "restored", "whether this boot restored it", COLUMN_BOOL },
	[HOST] = { "HOST", "host", "host that saved it", COLUMN_STRING },
	[SOURCE] = { "SOURCE", "source", "path that was saved", COLUMN_STRING },
	[FSTYPE] = { "FSTYPE", "fstype", "filesystem of the source", COLUMN_STRING },
	[OPTIONS] = { "OPTIONS", "options", "mount options of the source", COLUMN_STRING },
	[BOOT] = { "BOOT", "boot", "boot id of the kernel that saved it", COLUMN_STRING },
	[HASH] = { "HASH", "hash", "names the content", COLUMN_STRING },
	[N_COLUMNS] = { NULL },
};
_Static_assert(N_COLUMNS <= COLUMNS_MAX, "a list of columns holds all of them");

const char *node_state(const struct pkram_node *node)
{
	if (node->damaged)
		return "damaged";
	if (node->writing)
		return "writing";
	if (node->restored)
		return node->live ? "restored,live" : "restored";
	if (node->freshness == PKRAM_FRESH_STALE)
		return node->live ? "stale,live" : "stale";
	return node->live ? "fresh,live" : "fresh";
}

/* Of a block that cannot be read, and of one not yet written, no more is known than this. */
static bool is_known(size_t index, const struct pkram_node *node)
{
	switch (index) {
	case NAME:
	case STATE:
	case STORED:
	case ID:
		return true;
	case FILES:
	case DATA:
	case SINGLE:
		return !node->damaged && !node->writing && node->kind == PKRAM_KIND_TREE;
	default:
		return !node->damaged && !node->writing;
	}
}

static const char *boot_id_text(const uint8_t id[16], char buf[static TEXT_MAX])
{
	char *p = buf;

	for (size_t i = 0; i < 16; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
	return buf;
}

static const char *string_of(size_t index, const struct pkram_node *node, char buf[static TEXT_MAX])
{
	switch (index) {
	case NAME:
		return node->name;
	case KIND:
		return node->kind == PKRAM_KIND_TREE ? "tree" : "stream";
	case KERNEL:
		return node->kernel;
	case STATE:
		return node_state(node);
	case HOST:
		return node->host;
	case SOURCE:
		return node->source;
	case FSTYPE:
		return node->fs_type;
	case OPTIONS:
		return node->mount_options;
	case BOOT:
		return boot_id_text(node->boot_id, buf);
	case HASH:
		snprintf(buf, TEXT_MAX, "%016jx", (uintmax_t)node->content_hash);
		return buf;
	}
	return "";
}

static uint64_t number_of(size_t index, const struct pkram_node *node)
{
	switch (index) {
	case SIZE:
		return node->size;
	case FILES:
		return node->files;
	case STORED:
		return node->stored;
	case DATA:
		return node->data;
	case EXTENTS:
		return node->extents;
	case ID:
		return node->id;
	case SET:
		return node->generation;
	case SINGLE:
		return node->single;
	case LIVE:
		return node->live;
	case RESTORED:
		return node->restored;
	}
	return 0;
}

const char *column_text(size_t index, const struct pkram_node *node, bool raw_sizes,
			char buf[static TEXT_MAX])
{
	if (!is_known(index, node))
		return "";
	switch (node_columns[index].type) {
	case COLUMN_STRING:
	case COLUMN_SENTENCE:
		return string_of(index, node, buf);
	case COLUMN_SIZE:
		if (!raw_sizes)
			return human_size(buf, number_of(index, node), true);
		/* fallthrough */
	case COLUMN_NUMBER:
		snprintf(buf, TEXT_MAX, "%ju", (uintmax_t)number_of(index, node));
		return buf;
	case COLUMN_TIME:
		return local_time(buf, node->saved_at);
	case COLUMN_AGE:
		return human_age(buf, node->saved_at);
	case COLUMN_BOOL:
		return number_of(index, node) ? "yes" : "no";
	}
	return "";
}

static void column_json(size_t index, const struct pkram_node *node, struct json *j)
{
	const struct column *c = &node_columns[index];
	char buf[TEXT_MAX];

	if (!is_known(index, node))
		return;
	switch (c->type) {
	case COLUMN_STRING:
	case COLUMN_SENTENCE:
		json_string(j, c->key, string_of(index, node, buf));
		break;
	case COLUMN_SIZE:
	case COLUMN_NUMBER:
		json_number(j, c->key, number_of(index, node));
		break;
	case COLUMN_TIME:
	case COLUMN_AGE:
		json_string(j, c->key, utc_time(buf, node->saved_at));
		break;
	case COLUMN_BOOL:
		json_bool(j, c->key, number_of(index, node));
		break;
	}
}

void node_json(const struct column_list *list, const char *key, const struct pkram_node *node,
	       struct json *j)
{
	json_begin(j, key, '{');
	for (size_t i = 0; i < list->n; i++)
		if (!column_is_repeated(list, i))
			column_json(list->index[i], node, j);
	json_end(j, '}');
}

const char *jump_name(enum pkram_jump_status status)
{
	switch (status) {
	case PKRAM_JUMP_STATUS_STAGED:
		return "staged";
	case PKRAM_JUMP_STATUS_ARMED:
		return "armed";
	case PKRAM_JUMP_STATUS_ARRIVED:
		return "arrived";
	case PKRAM_JUMP_STATUS_PAST:
		return "past";
	case PKRAM_JUMP_STATUS_NONE:
		break;
	}
	return "none";
}

void region_json(const struct pkram_region_info *info, struct json *j)
{
	char buf[TEXT_MAX];

	json_begin(j, "region", '{');
	json_string(j, "spec", info->spec);
	json_string(j, "uuid", info->uuid);
	json_number(j, "generation", info->generation);
	json_number(j, "phys", info->phys);
	json_number(j, "size", info->size);
	json_number(j, "payload", info->payload);
	json_number(j, "free", info->free);
	json_number(j, "largest_free", info->largest_free);
	json_number(j, "nodes", info->nodes);
	json_number(j, "writers", info->writers);
	json_bool(j, "read_only", info->read_only);
	json_bool(j, "recovered", info->recovered);
	json_string(j, "jump", jump_name(info->jump));
	if (info->jump != PKRAM_JUMP_STATUS_NONE)
		json_string(j, "jump_time", utc_time(buf, info->jump_at));
	json_end(j, '}');
}
