/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container over memory that can be told to fail: commits, space, locks, damage and recovery.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "store-internal.h"

#define SIZE (24 * MIB)

/* The memory of all regions of a test; each region opens it anew, so that locks conflict. */
static int memory_fd = -1;
static uint64_t memory_phys;	/* where the memory lies, as the device says */
static long writes_left = -1;	/* fail the write after so many; -1: never */
static bool fail_once;		/* only that one */
static uint64_t poison[2]; /* blocks that cannot be read; UINT64_MAX: none */

static int memory_open(struct region *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory_fd);
	r->fd = open(path, r->read_only ? O_RDONLY : O_RDWR);
	r->size = (uint64_t)lseek(r->fd, 0, SEEK_END);
	r->phys = memory_phys;
	return r->fd < 0 ? -errno : 0;
}

static int memory_read(struct region *r, uint64_t off, size_t len, void *buf)
{
	for (int i = 0; i < 2; i++)
		if (poison[i] >= off && poison[i] < off + len)
			return -EIO;
	return pread(r->fd, buf, len, (off_t)off) == (ssize_t)len ? 0 : -EIO;
}

static int memory_write(struct region *r, uint64_t off, size_t len, const void *buf)
{
	if (writes_left == 0) {
		writes_left -= fail_once;
		return -EIO;
	}
	if (writes_left > 0)
		writes_left--;
	return pwrite(r->fd, buf, len, (off_t)off) == (ssize_t)len ? 0 : -EIO;
}

static const struct region_ops memory_ops = {
	.scheme = "memory", .open = memory_open, .read = memory_read, .write = memory_write,
};

struct fixture {
	struct pkram_ctx *ctx;
	struct store *store;
};

static struct store *open_store(struct pkram_ctx *ctx, bool read_only)
{
	struct region *r;
	struct store *s;

	assert_int_equal(region_new(ctx, &memory_ops, "test", read_only, &r), 0);
	assert_int_equal(store_open(r, &s), 0);
	return s;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct region *r;

	memory_fd = memfd_create("region", 0);
	writes_left = -1;
	fail_once = false;
	poison[0] = poison[1] = UINT64_MAX;
	assert_int_equal(ftruncate(memory_fd, SIZE), 0);
	assert_int_equal(pkram_new(&f->ctx), 0);
	assert_int_equal(region_new(f->ctx, &memory_ops, "test", false, &r), 0);
	assert_int_equal(store_format(r), 0);
	region_close(r);
	f->store = open_store(f->ctx, false);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	pkram_unref(f->ctx);
	close(memory_fd);
	free(f);
	return 0;
}

/* --- helpers --- */

static uint8_t byte_at(unsigned int seed, size_t i)
{
	return (uint8_t)(seed * 131 + i * 7 + (i >> 12) * 13);
}

static uint8_t *pattern(unsigned int seed, size_t len)
{
	uint8_t *p = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		p[i] = byte_at(seed, i);
	return p;
}

static int fill(struct store_writer *w, const uint8_t *bytes, size_t len, uint64_t mirrored)
{
	_cleanup_free_ uint8_t *bounce = io_buffer_new(PKRAM_WINDOW);
	int k = 0;

	for (uint64_t i = 0; i < window_count(len, mirrored) && k >= 0; i++) {
		size_t n = window_length(len, mirrored, i);
		uint8_t *p = store_writer_window(w, i, n, bounce);

		memcpy(p, bytes + window_offset(mirrored, i), n);
		k = store_writer_put(w, i, n, p);
	}
	return k;
}

static int put_bytes(struct store *s, const char *name, const uint8_t *bytes, size_t len,
		     uint64_t mirrored)
{
	static const struct store_props props = { .source = "/somewhere", .files = 3 };
	struct store_writer *w;
	struct store_need need;
	int k;

	k = store_writer_open(s, name, PKRAM_NODE_KIND_STREAM, &w);
	if (k < 0)
		return k;
	need = (struct store_need){ .writer = w, .size = len, .mirrored = mirrored };
	k = store_writer_set_props(w, &props);
	if (k >= 0)
		k = store_reserve(s, &need, 1, NULL, NULL);
	if (k >= 0)
		k = fill(w, bytes, len, mirrored);
	if (k < 0) {
		store_writer_discard(w);
		return k;
	}
	return store_commit(s, &w, 1);
}

static int put(struct store *s, const char *name, unsigned int seed, size_t len)
{
	_cleanup_free_ uint8_t *bytes = pattern(seed, len);

	return put_bytes(s, name, bytes, len, 0);
}

/* 0 when the node reads back as the pattern, else the errno, or 1 for other bytes. */
static int check(struct store *s, const char *name, unsigned int seed, size_t len)
{
	_cleanup_free_ uint8_t *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_reader *r;
	int k;

	k = store_reader_open(s, name, &r);
	if (k < 0)
		return k;
	if (store_reader_node(r)->size != len)
		k = 1;
	for (uint64_t i = 0; i < store_reader_node(r)->windows && k == 0; i++) {
		uint64_t off = window_offset(store_reader_node(r)->mirrored, i);
		const uint8_t *p;
		size_t n;

		k = store_reader_window(r, i, bounce, (const void **)&p, &n);
		for (size_t j = 0; j < n && k == 0; j++)
			k = p[j] != byte_at(seed, off + j);
	}
	store_reader_close(r);
	return k;
}

static uint64_t free_bytes(struct store *s)
{
	struct store_info info;

	assert_int_equal(store_info(s, &info), 0);
	return info.free;
}

static void damage(uint64_t off, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t b;

		assert_int_equal(pread(memory_fd, &b, 1, (off_t)(off + i)), 1);
		b ^= 0x55;
		assert_int_equal(pwrite(memory_fd, &b, 1, (off_t)(off + i)), 1);
	}
}

static struct store_node find_node(struct store *s, const char *name)
{
	struct store_node *v, found = {};
	size_t n;

	assert_int_equal(store_nodes(s, &v, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i].name, name) == 0)
			found = v[i];
		else
			store_node_done(&v[i]);
	}
	free(v);
	return found;
}

static size_t count_nodes(struct store *s)
{
	struct store_info info;

	assert_int_equal(store_info(s, &info), 0);
	return info.nodes;
}

/* --- tests --- */

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, PKRAM_WINDOW, PKRAM_WINDOW + 1,
					3 * MIB + 5 };
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		assert_int_equal(put(f->store, name, i, sizes[i]), 0);
	}
	/* Seen by another opening, too. */
	store_close(f->store);
	f->store = open_store(f->ctx, true);
	assert_int_equal(count_nodes(f->store), ARRAY_SIZE(sizes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		assert_int_equal(check(f->store, name, i, sizes[i]), 0);
	}
	assert_int_equal(check(f->store, "none", 0, 0), -ENOENT);
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	char name[300];

	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_int_equal(put(f->store, name, 1, 10), -ENAMETOOLONG);
	name[255] = '\0';
	assert_int_equal(put(f->store, name, 1, 10), 0);
	assert_int_equal(check(f->store, name, 1, 10), 0);
	assert_int_equal(put(f->store, "", 1, 10), -EINVAL);
	assert_int_equal(put(f->store, "\n\xff", 2, 10), 0);
	assert_int_equal(check(f->store, "\n\xff", 2, 10), 0);
}

static void test_space_comes_back(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "a", "b" };
	uint64_t before = free_bytes(f->store);

	for (int round = 0; round < 20; round++) {
		assert_int_equal(put(f->store, "a", round, 4 * MIB), 0);
		assert_int_equal(put(f->store, "b", round, 1000), 0);
		assert_int_equal(check(f->store, "a", round, 4 * MIB), 0);
	}
	assert_int_equal(store_remove(f->store, names, 2, true), 0);
	assert_int_equal(free_bytes(f->store), before);
	assert_int_equal(put(f->store, "big", 1, 40 * MIB), -ENOSPC);
	assert_int_equal(free_bytes(f->store), before);
}

static void test_remove_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "a", "missing" };

	assert_int_equal(put(f->store, "a", 1, 100), 0);
	assert_int_equal(store_remove(f->store, names, 2, false), -ENOENT);
	assert_int_equal(check(f->store, "a", 1, 100), 0);
}

/* A large node in the gaps that small ones leave. */
static void test_fragments(void **state)
{
	struct fixture *f = *state;
	char name[32];
	int n = 0;

	for (;; n++) {
		snprintf(name, sizeof(name), "s%d", n);
		if (put(f->store, name, n, 300 * KIB) < 0)
			break;
	}
	assert_true(n > 20);
	for (int i = 0; i < n; i += 2) {
		const char *const names[] = { name };

		snprintf(name, sizeof(name), "s%d", i);
		assert_int_equal(store_remove(f->store, names, 1, false), 0);
	}
	assert_int_equal(put(f->store, "large", 77, 5 * MIB), 0);
	assert_int_equal(check(f->store, "large", 77, 5 * MIB), 0);
	for (int i = 1; i < n; i += 2) {
		snprintf(name, sizeof(name), "s%d", i);
		assert_int_equal(check(f->store, name, i, 300 * KIB), 0);
	}
}

/* Fails every write of a replacing commit in turn: old or new, never a mix, and the space is right.
 */
static void every_write_fails(struct fixture *f, bool once)
{
	const size_t len = 2 * MIB + 77;
	bool done = false;

	fail_once = once;
	assert_int_equal(put(f->store, "other", 9, 5000), 0);
	assert_int_equal(put(f->store, "n", 1, len), 0);
	for (long n = 0; !done; n++) {
		struct store *again;
		int old, k;

		writes_left = n;
		k = put(f->store, "n", 2, len);
		done = writes_left > 0;
		writes_left = -1;
		again = open_store(f->ctx, false);
		old = check(again, "n", 1, len);
		assert_true(old == 0 || check(again, "n", 2, len) == 0);
		if (k == 0)
			assert_int_equal(check(again, "n", 2, len), 0);
		assert_int_equal(check(again, "other", 9, 5000), 0);
		assert_int_equal(count_nodes(again), 2);
		/* The next round starts from the old state again. */
		assert_int_equal(put(again, "n", 1, len), 0);
		store_close(again);
		assert_true(n < 200);
	}
}

static void test_every_write_fails(void **state)
{
	every_write_fails(*state, false);
}

static void test_every_write_fails_once(void **state)
{
	every_write_fails(*state, true);
}

static void test_reader_keeps_space(void **state)
{
	struct fixture *f = *state;
	struct store *other = open_store(f->ctx, false);
	struct store_reader *r;
	_cleanup_free_ uint8_t *bounce = io_buffer_new(PKRAM_WINDOW);
	const uint8_t *p;
	size_t len;

	assert_int_equal(put(f->store, "n", 1, 8 * MIB), 0);
	assert_int_equal(store_reader_open(other, "n", &r), 0);
	assert_int_equal(put(f->store, "n", 2, 4 * MIB), 0);
	/* 19 MiB of payload: 8 are still read, 4 are taken. */
	assert_int_equal(put(f->store, "m", 3, 8 * MIB), -ENOSPC);
	assert_int_equal(store_reader_window(r, 7, bounce, (const void **)&p, &len), 0);
	assert_int_equal(p[5], byte_at(1, 7 * MIB + 5));
	store_reader_close(r);
	assert_int_equal(put(f->store, "m", 3, 8 * MIB), 0);
	assert_int_equal(check(other, "n", 2, 4 * MIB), 0);
	store_close(other);
}

static void test_second_writer_of_a_name(void **state)
{
	struct fixture *f = *state;
	struct store *other = open_store(f->ctx, false);
	struct store_writer *w, *w2;

	assert_int_equal(store_writer_open(f->store, "n", PKRAM_NODE_KIND_STREAM, &w), 0);
	assert_int_equal(store_writer_open(other, "n", PKRAM_NODE_KIND_STREAM, &w2), -EBUSY);
	assert_int_equal(store_writer_open(f->store, "n", PKRAM_NODE_KIND_STREAM, &w2), -EBUSY);
	store_writer_discard(w);
	assert_int_equal(store_writer_open(other, "n", PKRAM_NODE_KIND_STREAM, &w2), 0);
	store_writer_discard(w2);
	store_close(other);
}

static void test_dead_writer(void **state)
{
	struct fixture *f = *state;
	uint64_t before = free_bytes(f->store), capacity;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		struct store *s = open_store(f->ctx, false);
		struct store_writer *w;

		_exit(store_writer_open(s, "dead", PKRAM_NODE_KIND_STREAM, &w) < 0 ||
		      store_writer_grow(w, 12 * MIB, 0, NULL, NULL, &capacity) < 0 ||
		      free_bytes(s) > before - 12 * MIB);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* The next change will give it back. */
	assert_int_equal(free_bytes(f->store), before);
	assert_int_equal(put(f->store, "dead", 1, 12 * MIB), 0);
	assert_int_equal(check(f->store, "dead", 1, 12 * MIB), 0);
}

static void test_damaged_data(void **state)
{
	struct fixture *f = *state;
	struct store_node n;

	assert_int_equal(put(f->store, "n", 1, 3 * MIB), 0);
	n = find_node(f->store, "n");
	damage(le64toh(n.extents[0].off) + MIB + 17, 1);
	store_node_done(&n);
	assert_int_equal(check(f->store, "n", 1, 3 * MIB), -EBADMSG);
}

static void test_front_is_stored_twice(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *bytes = pattern(1, 3 * MIB), *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_reader *r;
	struct store_node n;
	const void *p;
	size_t len;

	assert_int_equal(put_bytes(f->store, "n", bytes, 3 * MIB, MIB + 8192), 0);
	n = find_node(f->store, "n");
	assert_int_not_equal(le64toh(n.extents[0].off) / PKRAM_HUGE,
			     le64toh(n.mirrors[0].off) / PKRAM_HUGE);
	damage(le64toh(n.extents[0].off) + 100, 4);
	damage(le64toh(n.extents[0].off) + MIB + 100, 4);
	assert_int_equal(check(f->store, "n", 1, 3 * MIB), 0);
	/* What is stored once, right behind it, is damaged alone. */
	damage(le64toh(n.extents[0].off) + MIB + 8192, 4);
	assert_int_equal(check(f->store, "n", 1, 3 * MIB), -EBADMSG);
	assert_int_equal(n.windows, 2 + 2);
	assert_int_equal(store_reader_open(f->store, "n", &r), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(store_reader_window(r, i, bounce, &p, &len),
				 i == 2 ? -EBADMSG : 0);
	store_reader_close(r);
	store_node_done(&n);
}

static void test_node_block_copies(void **state)
{
	struct fixture *f = *state;
	const struct pkram_node_block *b;
	uint64_t self, other;
	struct store_node n;

	assert_int_equal(put(f->store, "n", 1, 1000), 0);
	n = find_node(f->store, "n");
	b = n.block;
	self = le64toh(b->self);
	other = le64toh(b->other);
	store_node_done(&n);
	assert_int_not_equal(self / PKRAM_HUGE, other / PKRAM_HUGE);
	damage(self + 40, 8);
	assert_int_equal(check(f->store, "n", 1, 1000), 0);
	damage(other + 300, 8);
	assert_int_equal(check(f->store, "n", 1, 1000), -EBADMSG);
	/* It can still be taken out by its name. */
	assert_int_equal(store_remove(f->store, (const char *const[]){ "n" }, 1, false), 0);
	assert_int_equal(count_nodes(f->store), 0);
}

static void reopen(struct fixture *f)
{
	store_close(f->store);
	f->store = open_store(f->ctx, false);
}

/* Damages parts of the slots: nothing is lost whatever the part. */
static void test_recovery(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint64_t off;
		size_t len;
	} hits[] = { { 100, 8 }, { PKRAM_SLOT_SIZE + 100, 8 }, { PKRAM_BLOCK + 8, 4 },
		     { PKRAM_SLOT_SIZE + PKRAM_BLOCK + 8, 4 }, { 0, 8 }, { PKRAM_SLOT_SIZE, 8 },
		     { 4090, 2 }, { 16, 4 } };

	assert_int_equal(put(f->store, "a", 1, 3 * MIB), 0);
	assert_int_equal(put(f->store, "b", 2, 5000), 0);
	for (size_t i = 0; i < ARRAY_SIZE(hits); i++) {
		damage(hits[i].off, hits[i].len);
		reopen(f);
		assert_int_equal(count_nodes(f->store), 2);
		assert_int_equal(check(f->store, "a", 1, 3 * MIB), 0);
		assert_int_equal(check(f->store, "b", 2, 5000), 0);
		/* Mended: the catalog is whole and space can be had. */
		assert_int_equal(put(f->store, "c", 3, 1000), 0);
		assert_int_equal(store_remove(f->store, (const char *const[]){ "c" }, 1, false), 0);
	}
	damage(100, 8);
	damage(PKRAM_SLOT_SIZE + 100, 8);
	reopen(f);
	assert_int_equal(count_nodes(f->store), 2);
	assert_int_equal(check(f->store, "a", 1, 3 * MIB), 0);
	assert_int_equal(put(f->store, "c", 3, 1000), 0);
}

/* A removed node does not come back when the newest state is lost. */
static void test_recovery_forgets_removed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(put(f->store, "a", 1, 1000), 0);
	assert_int_equal(put(f->store, "b", 2, 1000), 0);
	assert_int_equal(store_remove(f->store, (const char *const[]){ "a" }, 1, false), 0);
	damage((f->store->slot ? PKRAM_SLOT_SIZE : 0) + 100, 8);
	reopen(f);
	assert_int_equal(count_nodes(f->store), 1);
	assert_int_equal(check(f->store, "b", 2, 1000), 0);
}

/* One whose blocks cannot be read is no removed one: it stays, for people to hear of it. */
static void test_recovery_of_unreadable(void **state)
{
	struct fixture *f = *state;
	const struct pkram_node_block *b;
	struct store_node n, *list;
	size_t count;

	assert_int_equal(put(f->store, "a", 1, 1000), 0);
	assert_int_equal(put(f->store, "b", 2, 1000), 0);
	n = find_node(f->store, "a");
	b = n.block;
	poison[0] = le64toh(b->self);
	poison[1] = le64toh(b->other);
	store_node_done(&n);
	damage((f->store->slot ? PKRAM_SLOT_SIZE : 0) + 100, 8);
	reopen(f);
	assert_int_equal(store_nodes(f->store, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].damaged + list[1].damaged, 1);
	store_nodes_free(list, count);
	assert_int_equal(check(f->store, "b", 2, 1000), 0);
}

/* A stream whose bytes are a perfect node block at its very place. */
static void test_fake_node_block(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *bytes = pattern(5, 64 * KIB);
	_cleanup_free_ struct pkram_node_block *fake = io_buffer_new(PKRAM_BLOCK);
	struct store_node n;
	uint64_t at;

	assert_int_equal(put(f->store, "a", 1, 1000), 0);
	assert_int_equal(put_bytes(f->store, "host", bytes, 64 * KIB, 0), 0);
	n = find_node(f->store, "host");
	at = le64toh(n.extents[0].off) + 8 * PKRAM_BLOCK;
	store_node_done(&n);
	assert_int_equal(store_remove(f->store, (const char *const[]){ "host" }, 1, false), 0);
	n = find_node(f->store, "a");
	memcpy(fake, n.block, PKRAM_BLOCK);
	store_node_done(&n);
	fake->id = htole64(999);
	fake->self = htole64(at);
	fake->generation = htole64(1000000);
	fake->hash = htole64(node_block_hash(fake, PKRAM_BLOCK));
	memcpy(bytes + 8 * PKRAM_BLOCK, fake, PKRAM_BLOCK);
	assert_int_equal(put_bytes(f->store, "host", bytes, 64 * KIB, 0), 0);
	n = find_node(f->store, "host");
	assert_int_equal(le64toh(n.extents[0].off) + 8 * PKRAM_BLOCK, at);
	store_node_done(&n);
	damage(100, 8);
	damage(PKRAM_SLOT_SIZE + 100, 8);
	reopen(f);
	assert_int_equal(count_nodes(f->store), 2);
	n = find_node(f->store, "host");
	assert_non_null(n.block);
	store_node_done(&n);
	assert_int_equal(check(f->store, "a", 1, 1000), 0);
}

/* A block that the memory cannot give is damage like any other. */
static void test_poison(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *bytes = pattern(1, 3 * MIB);
	struct store_node n;
	uint64_t at[6];

	assert_int_equal(put_bytes(f->store, "n", bytes, 3 * MIB, MIB + 8192), 0);
	n = find_node(f->store, "n");
	at[0] = 0;
	at[1] = PKRAM_SLOT_SIZE;
	at[2] = PKRAM_BLOCK;
	at[3] = PKRAM_SLOT_SIZE + PKRAM_BLOCK;
	at[4] = le64toh(((struct pkram_node_block *)n.block)->self);
	at[5] = le64toh(n.extents[0].off);
	store_node_done(&n);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		poison[0] = at[i];
		reopen(f);
		assert_int_equal(count_nodes(f->store), 1);
		assert_int_equal(check(f->store, "n", 1, 3 * MIB), 0);
	}
	poison[0] = at[5] + 2 * MIB;
	assert_int_equal(check(f->store, "n", 1, 3 * MIB), -EBADMSG);
}

static int put_set(struct store *s, unsigned int seed, bool commit, struct store_writer *w[2])
{
	_cleanup_free_ uint8_t *bytes = pattern(seed, 50 * KIB);
	struct store_need needs[2];

	assert_int_equal(store_writer_open(s, "a", PKRAM_NODE_KIND_TREE, &w[0]), 0);
	assert_int_equal(store_writer_open(s, "b", PKRAM_NODE_KIND_TREE, &w[1]), 0);
	for (int i = 0; i < 2; i++)
		needs[i] = (struct store_need){ .writer = w[i], .size = 50 * KIB };
	assert_int_equal(store_reserve(s, needs, 2, NULL, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fill(w[i], bytes, 50 * KIB, 0), 0);
	return commit ? store_commit(s, w, 2) : 0;
}

/* What is left of a set after one of it was removed is not taken for a commit that was killed. */
static void test_recovery_of_half_a_set(void **state)
{
	struct fixture *f = *state;
	struct store_writer *w[2];

	assert_int_equal(put_set(f->store, 1, true, w), 0);
	assert_int_equal(put(f->store, "c", 3, 100), 0);
	assert_int_equal(store_remove(f->store, (const char *const[]){ "a" }, 1, false), 0);
	damage(100, 8);
	damage(PKRAM_SLOT_SIZE + 100, 8);
	reopen(f);
	assert_int_equal(count_nodes(f->store), 2);
	assert_int_equal(check(f->store, "b", 1, 50 * KIB), 0);
}

/* A set of which only one node's blocks were written does not stand for the old one. */
static void test_recovery_of_killed_set(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	assert_int_equal(put(f->store, "a", 7, 1000), 0);
	assert_int_equal(put(f->store, "b", 8, 1000), 0);
	pid = fork();
	if (pid == 0) {
		struct store *s = open_store(f->ctx, false);
		struct store_writer *w[2];

		put_set(s, 1, false, w);
		/* Each node's block is two writes; then the machine stands still. */
		writes_left = 2;
		store_commit(s, w, 2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	damage(100, 8);
	damage(PKRAM_SLOT_SIZE + 100, 8);
	reopen(f);
	assert_int_equal(check(f->store, "a", 7, 1000), 0);
	assert_int_equal(check(f->store, "b", 8, 1000), 0);
}

/* While others write, a recovered container is not changed: their space looks free in it. */
static void test_recovery_waits_for_writers(void **state)
{
	struct fixture *f = *state;
	struct store *other = open_store(f->ctx, false);
	struct store_writer *w;
	uint64_t capacity;

	assert_int_equal(put(f->store, "a", 1, 1000), 0);
	assert_int_equal(store_writer_open(other, "w", PKRAM_NODE_KIND_STREAM, &w), 0);
	assert_int_equal(store_writer_grow(w, 2 * MIB, 0, NULL, NULL, &capacity), 0);
	damage(100, 8);
	damage(PKRAM_SLOT_SIZE + 100, 8);
	reopen(f);
	assert_int_equal(check(f->store, "a", 1, 1000), 0);
	assert_int_equal(put(f->store, "b", 2, 1000), -EBUSY);
	store_writer_discard(w);
	assert_int_equal(put(f->store, "b", 2, 1000), 0);
	store_close(other);
}

static void test_lost_copies_are_seen(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *bytes = pattern(1, 3 * MIB), *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_reader *r;
	struct store_node n;
	uint64_t at[3];

	assert_int_equal(put_bytes(f->store, "n", bytes, 3 * MIB, MIB + 8192), 0);
	n = find_node(f->store, "n");
	at[0] = le64toh(n.extents[0].off) + 5000;
	at[1] = le64toh(n.mirrors[0].off) + MIB + 5000;
	at[2] = le64toh(((struct pkram_node_block *)n.block)->other) + 80;
	store_node_done(&n);
	assert_int_equal(store_reader_open(f->store, "n", &r), 0);
	assert_int_equal(store_reader_check_copies(r, bounce), 0);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		damage(at[i], 1);
		assert_int_equal(store_reader_check_copies(r, bounce), -EBADMSG);
		damage(at[i], 1);
	}
	assert_int_equal(store_reader_check_copies(r, bounce), 0);
	store_reader_close(r);
}

static void test_newer_and_moved(void **state)
{
	struct fixture *f = *state;
	struct pkram_superblock *sb = io_buffer_new(sizeof(*sb));
	struct region *r;
	struct store *s;

	for (int i = 0; i < 4; i++) {
		assert_int_equal(
			pread(memory_fd, sb, sizeof(*sb), f->store->slot * PKRAM_SLOT_SIZE),
			(ssize_t)sizeof(*sb));
		if (i == 0)
			sb->feature_incompat = htole32(0x80);
		else
			sb->feature_incompat = 0;
		sb->version = htole32(i == 1 ? 2 : 1);
		if (i == 2)
			sb->size = htole64(2 * SIZE);
		if (i == 3) {
			sb->size = htole64(SIZE);
			sb->phys = htole64(4 * GIB);
			memory_phys = 5 * GIB;
		}
		sb->seal = htole64(superblock_seal(sb));
		assert_int_equal(
			pwrite(memory_fd, sb, sizeof(*sb), f->store->slot * PKRAM_SLOT_SIZE),
			(ssize_t)sizeof(*sb));
		assert_int_equal(region_new(f->ctx, &memory_ops, "test", false, &r), 0);
		assert_int_equal(store_open(r, &s), i >= 2 ? -ENXIO : -EPROTONOSUPPORT);
	}
	/* Back at its place, and where the place is not known. */
	memory_phys = 4 * GIB;
	store_close(open_store(f->ctx, false));
	memory_phys = 0;
	store_close(open_store(f->ctx, false));
	free(sb);
}

/* Both copies of a node's block as a commit writes them, behind `at`, and a block of data. */
static void put_block(struct store *s, uint64_t id, const char *name, uint64_t generation,
		      uint64_t set_count, uint64_t at)
{
	static const struct store_props props = {};
	static const pkram_le64 hashes[1];
	struct span data = { .off = at + 2 * PKRAM_BLOCK, .len = PKRAM_BLOCK };
	const struct spans extents = { .v = &data, .n = 1 }, mirrors = {};
	const struct node_image img = {
		.kind = PKRAM_NODE_KIND_STREAM, .id = id, .generation = generation,
		.set_count = set_count, .size = PKRAM_BLOCK, .extents = &extents,
		.mirrors = &mirrors, .hashes = hashes, .name = name, .props = &props,
	};
	struct pkram_node_block *b;
	uint64_t hash;

	assert_int_equal(node_block_build(s, &img, PKRAM_BLOCK, &b, &hash), 0);
	for (uint64_t i = 0; i < 2; i++) {
		b->self = htole64(at + i * PKRAM_BLOCK);
		b->other = htole64(at + !i * PKRAM_BLOCK);
		assert_int_equal(pwrite(memory_fd, b, PKRAM_BLOCK,
					(off_t)(at + i * PKRAM_BLOCK)), PKRAM_BLOCK);
	}
	free(b);
}

/*
 * What is done for each of them must not go through all others: this would then take as long as
 * the test may. Of four, one is older than another one of its name; the newest set is not whole.
 */
static void test_recovery_of_many(void **state)
{
	struct fixture *f = *state;
	const uint64_t n = 8000, step = 3 * PKRAM_BLOCK;
	struct region *r;
	char name[32];

	store_close(f->store);
	assert_int_equal(ftruncate(memory_fd, 128 * MIB), 0);
	assert_int_equal(region_new(f->ctx, &memory_ops, "test", false, &r), 0);
	assert_int_equal(store_format(r), 0);
	region_close(r);
	f->store = open_store(f->ctx, false);
	for (uint64_t i = 0; i < n; i++) {
		bool last = i >= n - 4;

		snprintf(name, sizeof(name), "n%ju", (uintmax_t)(i % 4 ? i : i + 1));
		put_block(f->store, i + 1, name, last ? n + 1 : i + 1, last ? 5 : 1,
			  PKRAM_PAYLOAD_START + i * step);
	}
	damage(100, 8);
	damage(PKRAM_SLOT_SIZE + 100, 8);
	reopen(f);
	assert_int_equal(count_nodes(f->store), (n - 4) / 4 * 3);
	assert_int_equal(free_bytes(f->store), 128 * MIB - PKRAM_PAYLOAD_START - PKRAM_TAIL_SIZE -
						       (n - 4) / 4 * 3 * step);
	assert_int_equal(put(f->store, "a", 1, 1000), 0);
	reopen(f);
	assert_false(f->store->recovered);
	assert_int_equal(count_nodes(f->store), (n - 4) / 4 * 3 + 1);
}

/* What only looks at damage leaves it as it is; one whole key of two is enough; the next change
 * mends. */
static void test_looking_changes_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *before = malloc(SIZE), *after = malloc(SIZE);

	assert_int_equal(put(f->store, "a", 1, 2 * MIB), 0);
	assert_int_equal(put(f->store, "b", 2, 5000), 0);
	/* The key of the first superblock, another field of the second one. */
	damage(offsetof(struct pkram_superblock, key) + 3, 2);
	damage(PKRAM_SLOT_SIZE + offsetof(struct pkram_superblock, generation), 2);
	assert_int_equal(pread(memory_fd, before, SIZE, 0), SIZE);
	for (int i = 0; i < 2; i++) {
		reopen(f);
		assert_int_equal(count_nodes(f->store), 2);
		assert_int_equal(check(f->store, "a", 1, 2 * MIB), 0);
		assert_true(f->store->recovered);
	}
	assert_int_equal(pread(memory_fd, after, SIZE, 0), SIZE);
	assert_memory_equal(before, after, SIZE);
	assert_int_equal(put(f->store, "c", 3, 100), 0);
	reopen(f);
	assert_false(f->store->recovered);
	assert_int_equal(count_nodes(f->store), 3);
	assert_int_equal(check(f->store, "b", 2, 5000), 0);
}

/* A feature that allows reading alone: nothing is changed, and nothing fails for it. */
static void test_read_only_feature(void **state)
{
	struct fixture *f = *state;
	struct pkram_superblock sb;
	off_t at;

	assert_int_equal(put(f->store, "a", 1, 5000), 0);
	at = f->store->slot * (off_t)PKRAM_SLOT_SIZE;
	assert_int_equal(pread(memory_fd, &sb, sizeof(sb), at), (ssize_t)sizeof(sb));
	sb.feature_ro = htole32(4);
	sb.seal = htole64(superblock_seal(&sb));
	assert_int_equal(pwrite(memory_fd, &sb, sizeof(sb), at), (ssize_t)sizeof(sb));
	reopen(f);
	assert_int_equal(check(f->store, "a", 1, 5000), 0);
	assert_true(store_region(f->store)->read_only);
	assert_int_equal(put(f->store, "b", 1, 5000), -EPROTONOSUPPORT);
	assert_int_equal(store_remove(f->store, (const char *const[]){ "a" }, 1, false),
			 -EPROTONOSUPPORT);
	assert_int_equal(count_nodes(f->store), 1);
}

static void test_format_replaces(void **state)
{
	struct fixture *f = *state;
	struct store_reader *reader;
	struct store_writer *writer;
	struct region *r;

	assert_int_equal(put(f->store, "a", 1, 1000), 0);
	assert_int_equal(region_new(f->ctx, &memory_ops, "test", false, &r), 0);
	/* Not under a reader. */
	assert_int_equal(store_reader_open(f->store, "a", &reader), 0);
	assert_int_equal(store_format(r), -EBUSY);
	store_reader_close(reader);
	/* Nor under a writer, which no catalog may tell of any more. */
	assert_int_equal(store_writer_open(f->store, "w", PKRAM_NODE_KIND_STREAM, &writer), 0);
	for (uint64_t off = 100; off < 2 * PKRAM_SLOT_SIZE; off += PKRAM_SLOT_SIZE) {
		damage(off, 8);
		assert_int_equal(store_format(r), -EBUSY);
	}
	for (uint64_t off = 100; off < 2 * PKRAM_SLOT_SIZE; off += PKRAM_SLOT_SIZE)
		damage(off, 8);
	store_writer_discard(writer);
	for (long n = 0;; n++) {
		struct store *s;
		int k;

		writes_left = n;
		k = store_format(r);
		writes_left = -1;
		s = open_store(f->ctx, false);
		if (k < 0 && count_nodes(s) != 0)
			assert_int_equal(check(s, "a", 1, 1000), 0);
		store_close(s);
		if (k == 0)
			break;
		assert_true(n < 100);
	}
	region_close(r);
	/* An opening of the old container notices. */
	assert_int_equal(put(f->store, "b", 1, 10), -ESTALE);
}

/* What could be written, but not be read again, is refused. */
static void test_too_many_holes(void **state)
{
	struct fixture *f = *state;
	struct store_writer *w;
	struct store_need need = { .size = MIB, .holes = GIB / 2 / sizeof(struct pkram_hole) };

	assert_int_equal(put(f->store, "n", 1, 1000), 0);
	assert_int_equal(store_writer_open(f->store, "n", PKRAM_NODE_KIND_TREE, &w), 0);
	need.writer = w;
	assert_int_equal(store_reserve(f->store, &need, 1, NULL, NULL), -EFBIG);
	store_writer_discard(w);
	assert_int_equal(check(f->store, "n", 1, 1000), 0);
}

static void test_set_is_one_commit(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *bytes = pattern(1, 100 * KIB);
	struct store_writer *w[2];
	struct store_need needs[2];
	struct store_node a, b;

	assert_int_equal(store_writer_open(f->store, "a", PKRAM_NODE_KIND_TREE, &w[0]), 0);
	assert_int_equal(store_writer_open(f->store, "b", PKRAM_NODE_KIND_TREE, &w[1]), 0);
	for (int i = 0; i < 2; i++)
		needs[i] =
			(struct store_need){ .writer = w[i], .size = 100 * KIB, .mirrored = 8192 };
	assert_int_equal(store_reserve(f->store, needs, 2, NULL, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fill(w[i], bytes, 100 * KIB, 8192), 0);
	assert_int_equal(count_nodes(f->store), 0);
	assert_int_equal(store_commit(f->store, w, 2), 0);
	a = find_node(f->store, "a");
	b = find_node(f->store, "b");
	assert_int_equal(a.generation, b.generation);
	assert_int_equal(a.set_count, 2);
	store_node_done(&a);
	store_node_done(&b);
}

/* All names or none, in one change of the container; given back in one, too. */
static void test_writers_of_a_set(void **state)
{
	struct fixture *f = *state;
	struct store *other = open_store(f->ctx, false);
	static const struct store_claim claims[] = { { "c", PKRAM_NODE_KIND_TREE },
						     { "a", PKRAM_NODE_KIND_STREAM },
						     { "b", PKRAM_NODE_KIND_TREE },
						     { "a", PKRAM_NODE_KIND_TREE } };
	struct store_writer *w[ARRAY_SIZE(claims)] = {}, *held;
	struct store_info before, info;

	assert_int_equal(store_writer_open(other, "b", PKRAM_NODE_KIND_TREE, &held), 0);
	assert_int_equal(store_info(f->store, &before), 0);
	assert_int_equal(store_writers_open(f->store, claims, 3, w), -EBUSY);
	assert_int_equal(store_writers_open(f->store, claims, 4, w), -EBUSY);
	assert_int_equal(store_info(f->store, &info), 0);
	assert_int_equal(info.generation, before.generation);
	assert_int_equal(info.writers, 1);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		assert_null(w[i]);
	store_writer_discard(held);

	assert_int_equal(store_info(f->store, &before), 0);
	assert_int_equal(store_writers_open(f->store, claims, 3, w), 0);
	assert_int_equal(store_info(f->store, &info), 0);
	assert_int_equal(info.generation, before.generation + 1);
	assert_int_equal(info.writers, 3);
	assert_int_equal(put(other, "a", 1, 10), -EBUSY);
	store_writers_discard(w, 3);
	assert_int_equal(store_info(f->store, &info), 0);
	assert_int_equal(info.generation, before.generation + 2);
	assert_int_equal(info.writers, 0);
	assert_int_equal(put(other, "a", 1, 10), 0);
	store_close(other);
}

/* Random changes against a model that knows only names, seeds and lengths. */
static void test_random(void **state)
{
	struct fixture *f = *state;
	struct {
		bool there;
		unsigned int seed;
		size_t len;
	} model[8] = {};
	unsigned int rnd = 12345;

	for (int step = 0; step < 300; step++) {
		unsigned int i, what;
		char name[8];

		rnd = rnd * 1103515245 + 12345;
		i = (rnd >> 16) % ARRAY_SIZE(model);
		what = (rnd >> 8) % 5;
		snprintf(name, sizeof(name), "m%u", i);
		if (what == 0) {
			int k = store_remove(f->store, (const char *const[]){ name }, 1, false);

			assert_int_equal(k, model[i].there ? 0 : -ENOENT);
			model[i].there = false;
		} else if (what == 1) {
			reopen(f);
		} else {
			size_t len = (rnd >> 4) % (3 * MIB);
			int k = put(f->store, name, step, len);

			assert_true(k == 0 || k == -ENOSPC);
			if (k == 0) {
				model[i].there = true;
				model[i].seed = step;
				model[i].len = len;
			}
		}
		for (i = 0; i < ARRAY_SIZE(model) && step % 10 == 0; i++) {
			snprintf(name, sizeof(name), "m%u", i);
			assert_int_equal(check(f->store, name, model[i].seed, model[i].len),
					 model[i].there ? 0 : -ENOENT);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_round_trip),
		T(test_names),
		T(test_space_comes_back),
		T(test_remove_is_all_or_nothing),
		T(test_fragments),
		T(test_every_write_fails),
		T(test_every_write_fails_once),
		T(test_poison),
		T(test_recovery_of_half_a_set),
		T(test_recovery_of_killed_set),
		T(test_recovery_waits_for_writers),
		T(test_lost_copies_are_seen),
		T(test_reader_keeps_space),
		T(test_second_writer_of_a_name),
		T(test_dead_writer),
		T(test_damaged_data),
		T(test_front_is_stored_twice),
		T(test_node_block_copies),
		T(test_recovery),
		T(test_recovery_forgets_removed),
		T(test_recovery_of_many),
		T(test_recovery_of_unreadable),
		T(test_too_many_holes),
		T(test_fake_node_block),
		T(test_newer_and_moved),
		T(test_looking_changes_nothing),
		T(test_read_only_feature),
		T(test_format_replaces),
		T(test_set_is_one_commit),
		T(test_writers_of_a_set),
		T(test_random),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
