/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a byte of flags, then patches {area, offset, 8 bytes} of a container with three nodes.
 * As the flags say, hashes and seals are made sound again, so that what is behind them is reached.
 * Then the container is read whole, and written to.
 */
#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "fuzz.h"
#include "store-internal.h"

#define SIZE (9 * MIB)

enum { SEAL_NODES = 1, SEAL_CATALOGS = 2, SEAL_SUPERBLOCKS = 4, READ_ONLY = 8, MAPPED = 16 };

struct patch {
	uint8_t area;
	uint8_t off[2];
	uint8_t bytes[8];
} __attribute__((packed));

/* A private mapping of the pristine container: forgetting its pages restores it. */
static uint8_t *memory;
static int memory_fd = -1;
static bool mapped;
/* What a patch may hit: superblocks, catalogs, both copies of the node blocks. */
static uint64_t areas[16];
static size_t n_areas;

static int memory_open(struct region *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory_fd);
	r->fd = open(path, O_RDWR | O_CLOEXEC);
	r->size = SIZE;
	r->map = mapped ? memory : NULL;
	return r->fd < 0 ? -errno : 0;
}

static int memory_read(struct region *r, uint64_t off, size_t len, void *buf)
{
	(void)r;
	memcpy(buf, memory + off, len);
	return 0;
}

static int memory_write(struct region *r, uint64_t off, size_t len, const void *buf)
{
	(void)r;
	memcpy(memory + off, buf, len);
	return 0;
}

static const struct region_ops memory_ops = {
	.scheme = "memory", .open = memory_open, .read = memory_read, .write = memory_write,
};

static int open_memory(struct pkram_ctx *ctx, bool read_only, struct store **ret)
{
	struct region *r;
	int k = region_new(ctx, &memory_ops, "fuzz", read_only, &r);

	return k < 0 ? k : store_open(r, ret);
}

static int put(struct store *s, const char *name, enum pkram_node_kind kind, size_t len,
	       uint64_t mirrored)
{
	static const struct store_props props = { .source = "/source", .fs_type = "tmpfs" };
	_cleanup_free_ uint8_t *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_writer *w;
	struct store_need need;
	int k = store_writer_open(s, name, kind, &w);

	if (k < 0)
		return k;
	need = (struct store_need){ .writer = w, .size = len, .mirrored = mirrored };
	k = store_writer_set_props(w, &props);
	if (k >= 0)
		k = store_reserve(s, &need, 1, NULL, NULL);
	for (uint64_t i = 0; i < window_count(len, mirrored) && k >= 0; i++) {
		size_t n = window_length(len, mirrored, i);
		uint8_t *p = store_writer_window(w, i, n, bounce);

		memset(p, (int)i + 1, n);
		k = store_writer_put(w, i, n, p);
	}
	if (k < 0) {
		store_writer_discard(w);
		return k;
	}
	return store_commit(s, &w, 1);
}

static void note_areas(void)
{
	const uint64_t slots[] = { 0, PKRAM_BLOCK, PKRAM_SLOT_SIZE, PKRAM_SLOT_SIZE + PKRAM_BLOCK };

	memcpy(areas, slots, sizeof(slots));
	n_areas = ARRAY_SIZE(slots);
	for (uint64_t off = PKRAM_PAYLOAD_START; off < SIZE; off += PKRAM_BLOCK)
		if (memcmp(memory + off, PKRAM_NODE_MAGIC, 8) == 0 && n_areas < ARRAY_SIZE(areas))
			areas[n_areas++] = off;
}

/* The container is the same each time, apart from its key, its times and its boot. */
static void prepare(void)
{
	struct pkram_ctx *ctx = fuzz_ctx();
	struct region *r;
	struct store *s;

	memory_fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (memory_fd < 0 || ftruncate(memory_fd, SIZE) < 0)
		abort();
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, memory_fd, 0);
	if (memory == MAP_FAILED || region_new(ctx, &memory_ops, "fuzz", false, &r) < 0 ||
	    store_format(r) < 0)
		abort();
	region_close(r);
	if (open_memory(ctx, false, &s) < 0 ||
	    put(s, "tree", PKRAM_NODE_KIND_TREE, 1200 * KIB, 8192) < 0 ||
	    put(s, "stream", PKRAM_NODE_KIND_STREAM, 5000, 0) < 0 ||
	    put(s, "empty", PKRAM_NODE_KIND_STREAM, 0, 0) < 0)
		abort();
	store_close(s);
	note_areas();
	if (pwrite(memory_fd, memory, SIZE, 0) != SIZE)
		abort();
	pkram_unref(ctx);
}

static void seal_node(uint64_t off)
{
	struct pkram_node_block *b = (struct pkram_node_block *)(void *)(memory + off);
	uint64_t length = le64toh(b->length), hash;

	if (length < PKRAM_BLOCK || !IS_ALIGNED(length, PKRAM_BLOCK) ||
	    !range_ok(off, length, SIZE))
		return;
	hash = node_block_hash(b, length);
	b->hash = htole64(hash);
	/* The rows that name it. */
	for (unsigned int slot = 0; slot < 2; slot++) {
		struct pkram_row *rows = (struct pkram_row *)(void *)
			(memory + slot * PKRAM_SLOT_SIZE + PKRAM_BLOCK);

		for (size_t i = 0; i < PKRAM_BLOCK / sizeof(*rows); i++)
			if (le64toh(rows[i].off) == off && le32toh(rows[i].kind) == PKRAM_ROW_NODE)
				rows[i].hash = htole64(hash);
	}
}

static void seal(uint8_t flags)
{
	for (size_t i = 4; i < n_areas && flags & SEAL_NODES; i++)
		seal_node(areas[i]);
	for (unsigned int slot = 0; slot < 2; slot++) {
		uint8_t *at = memory + slot * PKRAM_SLOT_SIZE;
		struct pkram_superblock *sb = (struct pkram_superblock *)(void *)at;
		uint64_t rows = MIN(le64toh(sb->rows), (uint64_t)PKRAM_ROWS_MAX);

		if (flags & SEAL_CATALOGS)
			sb->catalog_hash = htole64(XXH3_64bits(at + PKRAM_BLOCK,
							       rows * sizeof(struct pkram_row)));
		if (flags & SEAL_SUPERBLOCKS && sb->seal)
			sb->seal = htole64(superblock_seal(sb));
	}
}

static void read_node(struct store *s, const char *name)
{
	_cleanup_free_ uint8_t *bounce = io_buffer_new(PKRAM_WINDOW);
	struct store_reader *r;
	const void *bytes;
	size_t len;

	if (store_reader_open(s, name, &r) < 0)
		return;
	/* A lying size costs no more than its checksums, which are there. */
	for (uint64_t i = 0; i < store_reader_node(r)->windows; i++)
		if (store_reader_window(r, i, bounce, &bytes, &len) >= 0 && len > PKRAM_WINDOW)
			abort();
	store_reader_close(r);
}

static void use(struct store *s, bool read_only)
{
	struct store_node *nodes;
	struct store_info info;
	size_t n;

	store_info(s, &info);
	if (store_nodes(s, &nodes, &n) >= 0) {
		for (size_t i = 0; i < n; i++) {
			if (!nodes[i].damaged && !nodes[i].writing)
				read_node(s, nodes[i].name);
			store_node_done(&nodes[i]);
		}
		free(nodes);
	}
	if (read_only)
		return;
	put(s, "stream", PKRAM_NODE_KIND_STREAM, 9000, 0);
	store_remove(s, (const char *const[]){ "tree" }, 1, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkram_ctx *ctx;
	struct patch p;
	struct store *s;
	uint8_t flags;

	if (!memory)
		prepare();
	madvise(memory, SIZE, MADV_DONTNEED);
	fuzz_take(&data, &size, &flags, 1);
	while (size) {
		fuzz_take(&data, &size, &p, sizeof(p));
		memcpy(memory + areas[p.area % n_areas] +
		       (size_t)(p.off[0] | p.off[1] << 8) % (PKRAM_BLOCK - 8), p.bytes, 8);
	}
	seal(flags);
	mapped = flags & MAPPED;
	ctx = fuzz_ctx();
	if (open_memory(ctx, flags & READ_ONLY, &s) >= 0) {
		use(s, flags & READ_ONLY);
		store_close(s);
	}
	mapped = false;
	pkram_unref(ctx);
	return 0;
}
