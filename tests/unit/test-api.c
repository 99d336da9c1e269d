/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The promises of pkram.h about contexts, regions, nodes, trees and callbacks, asked for through
 * the shared library alone, as its users do.
 */
#include "api-fixture.h"

#include <pthread.h>
#include <sys/mman.h>

/* --- trees and nodes --- */

static void make_tree(const struct fixture *f)
{
	uint8_t *bytes = malloc(2 * MIB);
	char path[256];

	fill(bytes, 2 * MIB, 99);
	make_file(f->tree, "big", bytes, 2 * MIB);
	make_file(f->tree, "small", "some words", 10);
	snprintf(path, sizeof(path), "%s/link", f->tree);
	assert_int_equal(symlink("small", path), 0);
	free(bytes);
}

static bool same_trees(const struct fixture *f)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "diff -r --no-dereference %s %s%s", f->tree, f->out, f->tree);
	return system(cmd) == 0;
}

static struct pkram_restore_options restore_to(const struct fixture *f, uint64_t flags)
{
	return (struct pkram_restore_options){ .struct_size = sizeof(struct pkram_restore_options),
					       .flags = flags, .to = f->out };
}

static void test_trees(void **state)
{
	struct fixture *f = *state;
	char file[128];
	const struct pkram_save_item items[] = { { f->tree, NULL }, { file, "f" } };
	struct pkram_restore_options to = restore_to(f, PKRAM_RESTORE_ONCE);
	const char *name = f->tree;
	const struct pkram_node *tree, *single;
	struct pkram_node_list *list;
	struct pkram_transfer t;

	make_tree(f);
	snprintf(file, sizeof(file), "%s/small", f->tree);
	pkram_set_progress_fn(f->ctx, keep_progress, f);
	assert_int_equal(pkram_save_trees(f->region, items, 2, NULL, &t), 0);
	assert_int_equal(t.nodes, 2);
	assert_int_equal(t.threads, 2);
	assert_true(t.bytes >= 2 * MIB);
	assert_string_equal(f->last.what, "save");
	assert_int_equal(f->last.total, t.bytes);

	assert_int_equal(pkram_node_list_new(f->region, &list), 0);
	assert_int_equal(pkram_node_list_count(list), 2);
	assert_null(pkram_node_list_get(list, 2));
	assert_null(pkram_node_list_find(list, "none"));
	tree = pkram_node_list_find(list, f->tree);
	single = pkram_node_list_find(list, "f");
	assert_non_null(tree);
	assert_non_null(single);
	assert_string_equal(pkram_node_list_get(list, 0)->name, f->tree);
	assert_int_equal(tree->kind, PKRAM_KIND_TREE);
	assert_int_equal(tree->freshness, PKRAM_FRESH_THIS_BOOT);
	assert_int_equal(tree->files, 4);
	assert_int_equal(tree->data, 2 * MIB + 10);
	assert_string_equal(tree->source, f->tree);
	assert_string_equal(single->source, file);
	assert_true(single->single && !tree->single);
	assert_int_equal(tree->generation, single->generation);
	assert_false(tree->restored || tree->live || tree->damaged || tree->writing);
	/* A list stands alone. */
	f->region = pkram_region_close(f->region);
	assert_string_equal(single->name, "f");
	pkram_node_list_free(list);

	assert_int_equal(pkram_region_open(f->ctx, f->spec, 0, &f->region), 0);
	f->most = 0;
	assert_int_equal(pkram_restore_trees(f->region, &name, 1, &to, &t), 0);
	assert_int_equal(t.nodes, 1);
	assert_int_equal(t.files, 4);
	assert_string_equal(f->last.what, "restore");
	assert_int_equal(f->most, f->last.total);
	assert_true(same_trees(f));
	t.nodes = 77;
	assert_fails(f, pkram_restore_trees(f->region, &name, 1, &to, &t), -ENODATA, "nothing");
	to.flags = 0;
	assert_fails(f, pkram_restore_trees(f->region, &name, 1, &to, &t), -EEXIST, f->tree);
	assert_int_equal(t.nodes, 77);
	to.flags = PKRAM_RESTORE_FORCE;
	assert_int_equal(pkram_restore_trees(f->region, &name, 1, &to, NULL), 0);
	assert_true(same_trees(f));
	assert_int_equal(pkram_node_list_new(f->region, &list), 0);
	assert_true(pkram_node_list_find(list, f->tree)->restored);
	assert_false(pkram_node_list_find(list, "f")->restored);
	pkram_node_list_free(list);
}

struct user {
	struct pkram_region *region;
	struct pkram_save_item item;
	struct pkram_restore_options to;
	int result;
};

static void *save_and_restore(void *arg)
{
	struct user *u = arg;

	for (int i = 0; i < 3 && u->result == 0; i++) {
		u->result = pkram_save_trees(u->region, &u->item, 1, NULL, NULL);
		if (u->result == 0)
			u->result = pkram_restore_trees(u->region, &u->item.name, 1, &u->to, NULL);
		if (u->result == 0)
			u->result = pkram_verify(u->region, &u->item.name, 1, NULL);
		if (u->result == 0)
			u->result = pkram_node_remove(u->region, &u->item.name, 1, 0);
	}
	return NULL;
}

/* One region, each thread with trees of its own, a stream beside them. */
static void test_threads(void **state)
{
	struct fixture *f = *state;
	struct user users[2];
	pthread_t threads[ARRAY_SIZE(users)];
	char small[128], *paths[] = { f->tree, small };
	struct pkram_region_info info;

	make_tree(f);
	snprintf(small, sizeof(small), "%s/small", f->dir);
	make_file(f->dir, "small", "words", 5);
	pkram_set_progress_fn(f->ctx, keep_progress, f);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		users[i] = (struct user){ .region = f->region, .item = { paths[i], paths[i] },
					  .to = restore_to(f, PKRAM_RESTORE_FORCE) };
		assert_int_equal(pthread_create(&threads[i], NULL, save_and_restore, &users[i]), 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(put(f->region, "s", MIB, i), 0);
		assert_int_equal(holds(f->region, "s", MIB, i), 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].result, 0);
	}
	assert_true(same_trees(f));
	assert_int_equal(pkram_region_get_info(f->region, &info), 0);
	assert_int_equal(info.nodes, 1);
}

static void test_tree_options(void **state)
{
	struct fixture *f = *state;
	const struct pkram_save_item twice[] = { { f->tree, "n" }, { f->tree, "n" } };
	struct pkram_save_options save = { .struct_size = sizeof(save) - 1 };
	struct {
		struct pkram_save_options save;
		uint64_t more;
	} newer = { .save = { .struct_size = sizeof(newer) } };
	struct pkram_restore_options to = restore_to(f, 0);
	struct pkram_transfer t = { .nodes = 77 };
	const char *name = "n";
	struct pkram_node_list *list;

	assert_fails(f, pkram_save_trees(f->region, twice, 1, &save, &t), -EINVAL, "options");
	save.struct_size = SIZE_MAX;
	assert_fails(f, pkram_save_trees(f->region, twice, 1, &save, &t), -EINVAL, "options");
	newer.more = 1;
	assert_fails(f, pkram_save_trees(f->region, twice, 1, &newer.save, &t), -EINVAL, "newer");
	/* What asks for nothing new is as good as an old one. */
	newer.more = 0;
	assert_fails(f, pkram_save_trees(f->region, twice, 2, &newer.save, &t), -EINVAL, "twice");
	save = (struct pkram_save_options){ .struct_size = sizeof(save), .flags = 1 << 30 };
	assert_fails(f, pkram_save_trees(f->region, twice, 1, &save, &t), -EINVAL, "0x40000000");
	assert_fails(f, pkram_save_trees(f->region, NULL, 0, NULL, &t), -EINVAL, "nothing");
	assert_fails(f, pkram_save_trees(f->region, twice, 2, NULL, &t), -EINVAL, "twice");
	to.struct_size--;
	assert_fails(f, pkram_restore_trees(f->region, &name, 1, &to, &t), -EINVAL, "options");
	to = restore_to(f, 1 << 30);
	assert_fails(f, pkram_restore_trees(f->region, &name, 1, &to, &t), -EINVAL, "0x40000000");
	to = restore_to(f, 0);
	assert_fails(f, pkram_restore_trees(f->region, NULL, 0, &to, &t), -ENODATA, "nothing");
	assert_fails(f, pkram_restore_trees(f->region, &name, 1, &to, &t), -ENOENT, "n");
	assert_int_equal(put(f->region, "n", 1, 1), 0);
	assert_fails(f, pkram_restore_trees(f->region, &name, 1, &to, &t), -EINVAL, "stream");
	assert_int_equal(t.nodes, 77);
	assert_int_equal(pkram_node_list_new(f->region, &list), 0);
	assert_int_equal(pkram_node_list_count(list), 1);
	pkram_node_list_free(list);
}

static void test_remove(void **state)
{
	struct fixture *f = *state;
	const char *const some[] = { "a", "none" }, *const all[] = { "a", "b", "a" };
	struct pkram_region_info before, after;
	struct pkram_stream *s;
	uint8_t bytes[1000], want[1000];

	assert_int_equal(pkram_region_get_info(f->region, &before), 0);
	assert_int_equal(put(f->region, "a", 1000, 1), 0);
	assert_int_equal(put(f->region, "b", 2000, 2), 0);
	assert_int_equal(pkram_node_remove(f->region, NULL, 0, 0), 0);
	assert_fails(f, pkram_node_remove(f->region, some, 1, 1 << 30), -EINVAL, "0x40000000");
	assert_fails(f, pkram_node_remove(f->region, some, 2, 0), -ENOENT, "none");
	assert_int_equal(pkram_prepare_load(f->region, "a", 0, &s), 0);
	assert_fails(f, pkram_node_remove(f->region, all, 2, PKRAM_REMOVE_WIPE), -EBUSY, "a");
	assert_int_equal(holds(f->region, "a", 1000, 1), 1);
	assert_int_equal(pkram_node_remove(f->region, all, 3, 0), 0);
	assert_int_equal(holds(f->region, "a", 1000, 1), -ENOENT);
	/* Its reader reads on, whatever comes meanwhile. */
	assert_int_equal(put(f->region, "c", 40 * MIB, 3), 0);
	assert_int_equal(pkram_read(s, bytes, sizeof(bytes)), sizeof(bytes));
	fill(want, sizeof(want), 1);
	assert_memory_equal(bytes, want, sizeof(want));
	assert_int_equal(pkram_finish_load(s), 0);
	assert_int_equal(pkram_node_remove(f->region, (const char *const[]){ "c" }, 1,
					   PKRAM_REMOVE_WIPE), 0);
	assert_int_equal(pkram_region_get_info(f->region, &after), 0);
	assert_int_equal(after.nodes, 0);
	assert_int_equal(after.free, before.free);
}

/* Flips a byte of what the region holds of `bytes`. */
static void damage(const struct fixture *f, const void *bytes, size_t len)
{
	int fd = open(f->file, O_RDWR | O_CLOEXEC);
	uint8_t *map = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *at;

	assert_ptr_not_equal(map, MAP_FAILED);
	at = memmem(map, REGION_SIZE, bytes, len);
	assert_non_null(at);
	*at ^= 1;
	munmap(map, REGION_SIZE);
	close(fd);
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	const struct pkram_save_item item = { .path = f->tree, .name = "t" };
	struct pkram_restore_options to = restore_to(f, 0);
	uint8_t bytes[64], *big = malloc(MIB);
	const char *names[] = { "s", "t" }, *none = "none";
	struct pkram_transfer t = { .nodes = 77 };
	struct pkram_transfer read = { .bytes = 77 };
	struct pkram_stream *s;

	make_tree(f);
	assert_int_equal(put(f->region, "s", MIB + 64, 4), 0);
	assert_int_equal(pkram_save_trees(f->region, &item, 1, NULL, NULL), 0);
	assert_int_equal(pkram_verify(f->region, names, 2, &read), 0);
	assert_true(read.bytes > 3 * MIB);
	assert_int_equal(read.nodes, 2);
	assert_true(read.threads > 0);
	read.bytes = 77;
	assert_fails(f, pkram_verify(f->region, &none, 1, &read), -ENOENT, none);

	fill(big, MIB, 4);
	damage(f, big, 64);
	assert_int_equal(read.bytes, 77);
	assert_int_equal(pkram_verify(f->region, names, 2, &read), -EBADMSG);
	assert_true(read.bytes > 2 * MIB);
	assert_int_equal(read.nodes, 2);
	assert_int_equal(read.damaged, 1);
	assert_int_equal(pkram_verify(f->region, names + 1, 1, &read), 0);
	assert_int_equal(read.damaged, 0);
	assert_int_equal(pkram_prepare_load(f->region, "s", 0, &s), 0);
	memset(bytes, 0x5a, sizeof(bytes));
	assert_fails(f, (int)pkram_read(s, bytes, sizeof(bytes)), -EBADMSG, "s");
	assert_int_equal(bytes[0], 0x5a);
	assert_int_equal(pkram_finish_load(s), 0);

	fill(big, MIB, 99);
	damage(f, big + MIB / 2, 64);
	f->messages = 0;
	assert_int_equal(pkram_restore_trees(f->region, names + 1, 1, &to, &t), -EBADMSG);
	assert_true(f->messages > 0);
	assert_int_equal(t.nodes, 77);
	assert_int_equal(rmdir(f->out), 0);
	assert_int_equal(mkdir(f->out, 0755), 0);
	to.flags = PKRAM_RESTORE_SALVAGE;
	assert_int_equal(pkram_restore_trees(f->region, names + 1, 1, &to, &t), -EBADMSG);
	assert_int_equal(t.nodes, 1);
	/* Its names, in both copies: nothing of it can be told, and nothing counts as restored. */
	damage(f, "biglinksmall", 12);
	damage(f, "biglinksmall", 12);
	to.flags |= PKRAM_RESTORE_FORCE;
	assert_int_equal(pkram_restore_trees(f->region, names + 1, 1, &to, &t), -EBADMSG);
	assert_int_equal(t.nodes, 0);
	assert_int_equal(t.files, 0);
	free(big);
}

/* --- callbacks --- */

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	const struct pkram_save_item item = { .path = f->tree, .name = "t" };
	struct pkram_restore_options to = restore_to(f, 0);
	struct pkram_region_info before, after;
	struct pkram_transfer t = { .nodes = 77 };
	int fd = temp_fd(f, 3 * MIB, 6);
	struct pkram_transfer read = { .bytes = 77 };
	struct pkram_stream *s;

	make_tree(f);
	assert_int_equal(pkram_region_get_info(f->region, &before), 0);
	pkram_set_progress_fn(f->ctx, keep_progress, f);
	f->progress_result = -EIO;
	assert_int_equal(pkram_save_trees(f->region, &item, 1, NULL, &t), -ECANCELED);
	assert_int_equal(pkram_prepare_save(f->region, "s", 0, &s), 0);
	assert_int_equal(pkram_write_from_fd(s, fd), -ECANCELED);
	assert_int_equal(pkram_finish_save(s), -EINVAL);
	assert_int_equal(pkram_region_get_info(f->region, &after), 0);
	assert_int_equal(after.nodes, 0);
	assert_int_equal(after.writers, 0);
	assert_int_equal(after.free, before.free);

	f->progress_result = 0;
	assert_int_equal(pkram_save_trees(f->region, &item, 1, NULL, NULL), 0);
	assert_int_equal(put(f->region, "s", 10, 1), 0);
	f->progress_result = -1;
	f->reports = 0;
	assert_int_equal(pkram_verify(f->region, NULL, 0, &read), -ECANCELED);
	assert_int_equal(pkram_restore_trees(f->region, NULL, 0, &to, &t), -ECANCELED);
	assert_true(f->reports >= 2);
	assert_int_equal(read.bytes, 77);
	assert_int_equal(t.nodes, 77);
	assert_int_equal(rmdir(f->out), 0);
	assert_int_equal(pkram_prepare_load(f->region, "s", 0, &s), 0);
	assert_int_equal(pkram_read_to_fd(s, fd), -ECANCELED);
	assert_int_equal(pkram_finish_load(s), 0);
	close(fd);
}

static void test_log(void **state)
{
	struct fixture *f = *state;
	struct pkram_stream *s;

	assert_fails(f, pkram_prepare_load(f->region, "two\nlines", 0, &s), -ENOENT,
		     "two\\x0alines");
	assert_null(strchr(f->log, '\n'));
	assert_fails(f, pkram_prepare_load(f->region, "two\\x0alines", 0, &s), -ENOENT,
		     "two\\x5cx0alines");
	/* Less urgent than wished, and nowhere. */
	f->messages = 0;
	pkram_set_log_fn(f->ctx, keep_log, f, PKRAM_LOG_ERROR - 1);
	assert_int_equal(pkram_prepare_load(f->region, "none", 0, &s), -ENOENT);
	pkram_set_log_fn(f->ctx, NULL, NULL, PKRAM_LOG_DEBUG);
	assert_int_equal(pkram_prepare_load(f->region, "none", 0, &s), -ENOENT);
	assert_int_equal(f->messages, 0);
}

/* --- contexts and regions --- */

static void test_release(void **state)
{
	struct pkram_ctx *ctx;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	assert_ptr_equal(pkram_ref(ctx), ctx);
	assert_null(pkram_unref(ctx));
	assert_int_equal(pkram_set_sysroot(ctx, "/nowhere"), 0);
	assert_int_equal(pkram_set_sysroot(ctx, NULL), 0);
	assert_null(pkram_unref(ctx));
	assert_null(pkram_ref(NULL));
	assert_null(pkram_unref(NULL));
	assert_null(pkram_region_close(NULL));
	assert_null(pkram_node_list_free(NULL));
	assert_null(pkram_discard_save(NULL));
	assert_int_equal(pkram_finish_save(NULL), -EINVAL);
	assert_int_equal(pkram_finish_load(NULL), 0);
}

static void test_init(void **state)
{
	struct fixture *f = *state;
	struct pkram_init_options o = { .struct_size = sizeof(o) - 1 };
	struct pkram_region_info first, second;
	struct pkram_region *region = UNTOUCHED;
	char none[128];

	assert_int_equal(put(f->region, "kept", 9, 9), 0);
	assert_int_equal(pkram_region_get_info(f->region, &first), 0);
	assert_string_equal(first.spec, f->spec);
	assert_int_equal(first.size, REGION_SIZE);
	assert_int_equal(first.phys, 0);
	assert_int_equal(first.nodes, 1);
	assert_int_equal(first.jump, PKRAM_JUMP_STATUS_NONE);
	assert_int_equal(first.jump_at, 0);
	assert_true(first.largest_free <= first.free && first.free < first.payload);
	assert_false(first.read_only || first.recovered);

	assert_fails(f, pkram_region_init(f->ctx, f->spec, &o), -EINVAL, "options");
	o = (struct pkram_init_options){ .struct_size = sizeof(o), .flags = 1 << 30 };
	assert_fails(f, pkram_region_init(f->ctx, f->spec, &o), -EINVAL, "0x40000000");
	o.flags = 0;
	assert_fails(f, pkram_region_init(f->ctx, f->spec, &o), -EEXIST, "kept");
	assert_fails(f, pkram_region_init(f->ctx, f->spec, NULL), -EEXIST, "kept");
	snprintf(none, sizeof(none), "%s/none", f->dir);
	assert_fails(f, pkram_region_init(f->ctx, none, NULL), -ENOENT, none);
	o.size = 4096;
	assert_fails(f, pkram_region_init(f->ctx, none, &o), -EINVAL, none);
	assert_int_not_equal(access(none, F_OK), 0);

	assert_fails(f, pkram_region_open(f->ctx, none, 0, &region), -ENOENT, none);
	assert_fails(f, pkram_region_open(f->ctx, f->spec, 2, &region), -EINVAL, "0x2");
	make_file(f->dir, "none", "", 0);
	assert_int_equal(truncate(none, 16 * MIB), 0);
	assert_fails(f, pkram_region_open(f->ctx, none, 0, &region), -ENODATA, none);
	assert_ptr_equal(region, UNTOUCHED);

	f->region = pkram_region_close(f->region);
	o = (struct pkram_init_options){ .struct_size = sizeof(o), .flags = PKRAM_INIT_FORCE };
	assert_int_equal(pkram_region_init(f->ctx, f->spec, &o), 0);
	assert_int_equal(pkram_region_open(f->ctx, f->spec, 0, &f->region), 0);
	assert_int_equal(pkram_region_get_info(f->region, &second), 0);
	assert_int_equal(second.nodes, 0);
	assert_string_not_equal(second.uuid, first.uuid);
}

/* No spec: the environment's. */
static void test_environment(void **state)
{
	struct fixture *f = *state;
	struct pkram_region *region;

	setenv("PKRAM_REGION", f->spec, 1);
	assert_int_equal(pkram_region_open(f->ctx, NULL, PKRAM_OPEN_READ_ONLY, &region), 0);
	assert_null(pkram_region_close(region));
	unsetenv("PKRAM_REGION");
}

static void test_read_only(void **state)
{
	struct fixture *f = *state;
	const struct pkram_save_item item = { .path = f->tree, .name = "t" };
	const struct pkram_restore_options to = restore_to(f, 0);
	struct pkram_region_info before, after;
	struct pkram_node_list *list;
	struct pkram_stream *s = UNTOUCHED;
	const char *name = "s";

	make_tree(f);
	assert_int_equal(put(f->region, "s", 100, 1), 0);
	assert_int_equal(pkram_save_trees(f->region, &item, 1, NULL, NULL), 0);
	pkram_region_close(f->region);
	assert_int_equal(pkram_region_open(f->ctx, f->spec, PKRAM_OPEN_READ_ONLY, &f->region), 0);
	assert_int_equal(pkram_region_get_info(f->region, &before), 0);
	assert_true(before.read_only);

	assert_fails(f, pkram_prepare_save(f->region, "x", 0, &s), -EROFS, f->spec);
	assert_ptr_equal(s, UNTOUCHED);
	assert_fails(f, pkram_save_trees(f->region, &item, 1, NULL, NULL), -EROFS, f->spec);
	assert_fails(f, pkram_node_remove(f->region, &name, 1, 0), -EROFS, f->spec);
	assert_fails(f, pkram_stage(f->region, NULL), -EROFS, "read-only");
	assert_fails(f, pkram_stage_cancel(f->region), -EROFS, "read-only");
	assert_fails(f, pkram_jump(f->region, NULL), -EROFS, "read-only");

	assert_int_equal(holds(f->region, "s", 100, 1), 1);
	assert_int_equal(pkram_verify(f->region, NULL, 0, NULL), 0);
	assert_int_equal(pkram_restore_trees(f->region, NULL, 0, &to, NULL), 0);
	assert_true(same_trees(f));
	assert_int_equal(pkram_node_list_new(f->region, &list), 0);
	assert_false(pkram_node_list_find(list, "s")->restored);
	assert_false(pkram_node_list_find(list, "t")->restored);
	pkram_node_list_free(list);
	assert_int_equal(pkram_region_get_info(f->region, &after), 0);
	assert_int_equal(after.generation, before.generation);
}

/* What staging refuses before it looks at any kernel. */
static void test_stage(void **state)
{
	struct fixture *f = *state;
	struct pkram_stage_options o = { .struct_size = sizeof(o) - 1 };

	assert_fails(f, pkram_stage(f->region, &o), -EINVAL, "options");
	o.struct_size = 0;
	assert_fails(f, pkram_stage(f->region, &o), -EINVAL, ".struct_size = sizeof");
	o = (struct pkram_stage_options){ .struct_size = sizeof(o), .flags = 1 << 30 };
	assert_fails(f, pkram_stage(f->region, &o), -EINVAL, "0x40000000");
	o = (struct pkram_stage_options){ .struct_size = sizeof(o), .append = "a",
					  .command_line = "b" };
	assert_fails(f, pkram_stage(f->region, &o), -EINVAL, "exclude");
	assert_fails(f, pkram_stage(f->region, NULL), -EUCLEAN, f->spec);
	assert_fails(f, pkram_jump(f->region, NULL), -EUCLEAN, f->spec);
}

static int keep_files(void *userdata, const struct pkram_progress *p)
{
	struct fixture *f = userdata;

	f->last = *p;
	f->most = p->files > f->most ? p->files : f->most;
	return f->progress_result;
}

/* Where there are no bytes, files are counted, and the work can be cancelled. */
static void test_progress_of_files(void **state)
{
	struct fixture *f = *state;
	const struct pkram_save_item item = { .path = f->tree, .name = "n" };
	const struct pkram_restore_options to = restore_to(f, 0);
	struct pkram_transfer t;
	char name[16];

	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "%d", i);
		make_file(f->tree, name, "", 0);
	}
	pkram_set_progress_fn(f->ctx, keep_files, f);
	assert_int_equal(pkram_save_trees(f->region, &item, 1, NULL, &t), 0);
	assert_int_equal(f->most, t.files);
	f->most = 0;
	assert_int_equal(pkram_restore_trees(f->region, NULL, 0, &to, &t), 0);
	assert_string_equal(f->last.what, "restore");
	assert_int_equal(f->most, t.files);
	assert_int_equal(f->last.total_files, t.files);
	f->progress_result = -1;
	assert_int_equal(pkram_save_trees(f->region, &item, 1, NULL, &t), -ECANCELED);
	assert_true(f->last.files > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void test_export_import(void **state)
{
	struct fixture *f = *state;
	struct pkram_node_list *before, *after;
	struct pkram_transfer t = { .nodes = 77 };
	struct pkram_report *report = UNTOUCHED;
	char path[128];

	snprintf(path, sizeof(path), "%s/export", f->dir);
	assert_fails(f, pkram_export(f->region, path, 0, &t), -ENODATA, "has no nodes");
	assert_fails(f, pkram_report_new(f->region, &report), -ENODATA, "no jump has arrived");
	assert_ptr_equal(report, UNTOUCHED);
	assert_int_equal(t.nodes, 77);
	assert_int_equal(put(f->region, "a", 3000001, 1), 0);
	assert_int_equal(put(f->region, "b", 0, 2), 0);
	assert_fails(f, pkram_export(f->region, path, 2, &t), -EINVAL, "0x2");
	assert_fails(f, pkram_import(f->region, path, 2, &t), -EINVAL, "0x2");
	assert_fails(f, pkram_import(f->region, path, 0, &t), -ENOENT, path);
	assert_int_equal(pkram_node_list_new(f->region, &before), 0);

	pkram_set_progress_fn(f->ctx, keep_progress, f);
	f->progress_result = -1;
	assert_int_equal(pkram_export(f->region, path, 0, &t), -ECANCELED);
	assert_int_equal(access(path, F_OK), -1);
	f->progress_result = 0;
	assert_int_equal(pkram_export(f->region, path, 0, &t), 0);
	assert_string_equal(f->last.what, "export");
	assert_int_equal(f->last.total, 3000001);
	assert_int_equal(t.nodes, 2);
	assert_int_equal(t.bytes, 3000001);
	assert_fails(f, pkram_export(f->region, path, 0, NULL), -EEXIST, "--force");
	assert_int_equal(pkram_export(f->region, path, PKRAM_EXPORT_FORCE, NULL), 0);

	assert_int_equal(put(f->region, "c", 10, 3), 0);
	assert_fails(f, pkram_import(f->region, path, 0, NULL), -EEXIST, "holds 3 nodes");
	f->progress_result = -1;
	assert_int_equal(pkram_import(f->region, path, PKRAM_IMPORT_FORCE, &t), -ECANCELED);
	assert_int_equal(holds(f->region, "c", 10, 3), 1);
	f->progress_result = 0;
	assert_int_equal(pkram_import(f->region, path, PKRAM_IMPORT_FORCE, &t), 0);
	assert_string_equal(f->last.what, "import");
	assert_int_equal(t.nodes, 2);
	assert_int_equal(pkram_node_list_new(f->region, &after), 0);
	assert_int_equal(pkram_node_list_count(after), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct pkram_node *x = pkram_node_list_get(before, i);
		const struct pkram_node *y = pkram_node_list_get(after, i);

		assert_string_equal(x->name, y->name);
		assert_int_equal(x->generation, y->generation);
		assert_int_equal(x->saved_at, y->saved_at);
		assert_int_equal(x->content_hash, y->content_hash);
		assert_int_equal(y->freshness, PKRAM_FRESH_THIS_BOOT);
	}
	assert_int_equal(holds(f->region, "a", 3000001, 1), 1);
	pkram_node_list_free(before);
	pkram_node_list_free(after);
	/* The next set is newer than all of them. */
	assert_int_equal(put(f->region, "d", 10, 3), 0);
	assert_int_equal(pkram_node_list_new(f->region, &after), 0);
	for (size_t i = 0; i < 2; i++)
		assert_true(pkram_node_list_find(after, "d")->generation >
			    pkram_node_list_get(after, i)->generation);
	pkram_node_list_free(after);
}

/* At the first report. */
static int put_meanwhile(void *userdata, const struct pkram_progress *p)
{
	struct fixture *f = userdata;

	(void)p;
	return f->reports++ ? 0 : put(f->region, "b", 10, 4);
}

/* What is saved during an import stays: its save has said that it is there. */
static void test_import_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct pkram_node_list *list;
	char path[128];

	snprintf(path, sizeof(path), "%s/export", f->dir);
	/* Both fit, and the old ones have to go first. */
	for (size_t size = 3000001; size < REGION_SIZE; size += 37 * MIB) {
		f->reports = 0;
		assert_int_equal(put(f->region, "a", size, 1), 0);
		assert_int_equal(pkram_export(f->region, path, PKRAM_EXPORT_FORCE, NULL), 0);
		assert_int_equal(put(f->region, "b", 10, 2), 0);
		pkram_set_progress_fn(f->ctx, put_meanwhile, f);
		assert_int_equal(pkram_import(f->region, path, PKRAM_IMPORT_FORCE, NULL), 0);
		assert_int_equal(holds(f->region, "a", size, 1), 1);
		assert_int_equal(holds(f->region, "b", 10, 4), 1);
		assert_int_equal(pkram_node_list_new(f->region, &list), 0);
		assert_int_equal(pkram_node_list_count(list), 2);
		pkram_node_list_free(list);
		pkram_set_progress_fn(f->ctx, NULL, NULL);
		assert_int_equal(pkram_node_remove(f->region, (const char *[]){ "b" }, 1, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_export_import),
		TEST(test_import_meanwhile),
		TEST(test_progress_of_files),
		cmocka_unit_test(test_release),
		TEST(test_init),
		TEST(test_environment),
		TEST(test_trees),
		TEST(test_threads),
		TEST(test_tree_options),
		TEST(test_remove),
		TEST(test_damage),
		TEST(test_cancel),
		TEST(test_log),
		TEST(test_read_only),
		TEST(test_stage),
	};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
