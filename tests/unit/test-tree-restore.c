/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restore against images of mkfs.erofs: what comes out is what went in, in any order of pieces,
 * with one thread or several, and damage takes out only the files that it lies in.
 */
#include <endian.h>
#include <sched.h>
#include <sys/mount.h>

#include "tree-image.h"
#include "tree-view.h"
#include "work.h"

static const struct pkram_progress so_far = { .what = "restore" };

static void write_file(const char *path, uint64_t off, size_t len, unsigned int seed)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char *bytes = malloc(len + 1);

	assert_true(fd >= 0 && bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(seed = seed * 1103515245 + 12345, seed >> 16);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)off), (ssize_t)len);
	free(bytes);
	close(fd);
}

static void set_mtime(const char *path, time_t sec, long nsec)
{
	struct timespec t[2] = { { .tv_sec = sec, .tv_nsec = nsec },
				 { .tv_sec = sec, .tv_nsec = nsec } };

	assert_int_equal(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

/* One of everything, below `base`/src. */
static void make_tree(const char *base)
{
	char p[4096];

	assert_int_equal(chdir(base), 0);
	assert_int_equal(mkdir("src", 0755), 0);
	assert_int_equal(mkdir("src/dir", 02755), 0);
	assert_int_equal(mkdir("src/dir/sticky", 01777), 0);
	assert_int_equal(chmod("src/dir/sticky", 01777), 0);
	write_file("src/small", 0, 100, 1);
	write_file("src/page", 0, 4096, 2);
	write_file("src/big", 0, 5 * MIB + 123, 3);
	write_file("src/empty", 0, 0, 4);
	write_file("src/dir/setuid", 0, 5000, 5);
	assert_int_equal(chown("src/dir/setuid", 1234, 0xfffffff0), 0);
	assert_int_equal(chmod("src/dir/setuid", 06755), 0);
	write_file("src/dir/readonly", 0, 10, 6);
	assert_int_equal(chmod("src/dir/readonly", 0), 0);
	write_file("src/sparse", 3 * MIB, 10000, 7);
	assert_int_equal(truncate("src/sparse", 8 * MIB + 1), 0);
	assert_int_equal(symlink("nowhere/at/all", "src/symlink"), 0);
	assert_int_equal(lchown("src/symlink", 7, 8), 0);
	assert_int_equal(mkfifo("src/fifo", 0640), 0);
	assert_int_equal(mknod("src/sock", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(mknod("src/dev", S_IFBLK | 0660, makedev(259, 70000)), 0);
	assert_int_equal(link("src/small", "src/dir/small-too"), 0);
	assert_int_equal(link("src/fifo", "src/dir/fifo-too"), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(p, sizeof(p), "src/dir/file \x01\xff%d", i);
		write_file(p, 0, (size_t)(i * 37 % 9000), (unsigned int)i);
	}
	snprintf(p, sizeof(p), "src/dir/deep");
	for (int i = 0; i < 60; i++) {
		assert_int_equal(mkdir(p, 0750), 0);
		strcat(p, "/a-name-of-some-length");
	}
	set_mtime("src/small", 1, 999999999);
	set_mtime("src/symlink", 4102444800, 5);
	setxattr("src/small", "user.one", "1", 1, 0);
	setxattr("src/big", "user.empty", "", 0, 0);
	assert_int_equal(lsetxattr("src/symlink", "trusted.x", "y", 1, 0), 0);
	assert_int_equal(setxattr("src/dir", "trusted.dir", "value", 5, 0), 0);
	run("setfacl -m u:77:rw src/page 2>/dev/null; setfacl -d -m g:5:rx src/dir 2>/dev/null");
	set_mtime("src/dir", 1000000000, 1);
	set_mtime("src", 1234567890, 123456789);
}

static int set_up(void **state)
{
	*state = scratch_new();
	make_tree(*state);
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(chdir("/"), 0);
	scratch_free(*state);
	return 0;
}

struct feed {
	struct tree_restore *r;
	const struct image *image;
	size_t piece;
	uint64_t n;
	const bool *lost;	/* of each piece, or NULL */
};

static int feed_piece(void *arg, unsigned int worker, uint64_t i)
{
	const struct feed *f = arg;
	/* Backwards and forwards by turns: no order may be relied on. */
	uint64_t piece = i % 2 ? f->n - 1 - i / 2 : i / 2, off = piece * f->piece;
	size_t len = (size_t)MIN((uint64_t)f->piece, f->image->size - off);

	if (f->lost && f->lost[piece])
		return tree_restore_lost(f->r, off, len);
	return tree_restore_put(f->r, worker, off, len, f->image->bytes + off);
}

static int restore_to(const char *path, struct pkram_ctx *ctx, const struct tree_view *v,
		      const struct image *image, size_t piece, unsigned int threads,
		      const bool *lost)
{
	struct tree_restore_options o = { .threads = threads, .salvage = lost };
	struct feed feed = { .image = image, .piece = piece, .lost = lost };
	_cleanup_close_ int dirfd = -1;
	int r;

	assert_int_equal(mkdir(path, 0700), 0);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = tree_restore_new(ctx, v, dirfd, &o, &feed.r);
	if (r < 0)
		return r;
	feed.n = (image->size + piece - 1) / piece;
	r = work_run(ctx, threads, NULL, feed.n, feed_piece, &feed);
	if (r == 0)
		r = tree_restore_finish(feed.r, &so_far);
	tree_restore_free(feed.r);
	return r;
}

static void round_trip(const char *mkfs_options, size_t piece, unsigned int threads)
{
	struct pkram_ctx *ctx = test_ctx();
	struct tree_view_info info;
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image image;

	image = image_make(mkfs_options, "src");
	in = image_input(&image);
	if (tree_view_new(ctx, &in, NULL, 0, &v) < 0)
		fail_msg("%s", last_log);
	tree_view_info(v, &info);
	assert_true(info.inodes > 370);
	if (restore_to("dst", ctx, v, &image, piece, threads, NULL) < 0)
		fail_msg("%s", last_log);
	compare_trees("src", "dst");
	tree_view_free(v);
	free(image.bytes);
	pkram_unref(ctx);
	assert_int_equal(run("rm -rf dst"), 0);
}

static void test_inline(void **state)
{
	(void)state;
	round_trip("", PKRAM_WINDOW, 2);
}

static void test_plain(void **state)
{
	(void)state;
	round_trip("-Enoinline_data,force-inode-extended", PKRAM_WINDOW, 1);
}

static void test_chunks(void **state)
{
	(void)state;
	round_trip("--chunksize=4096 -Eforce-inode-extended", PKRAM_WINDOW, 2);
}

static void test_small_pieces(void **state)
{
	(void)state;
	round_trip("", 4096, 3);
}

static uint64_t nid_of(const struct tree_view *v, const char *name)
{
	for (size_t i = 0; i < v->n_files; i++)
		if (strcmp(view_text(v, v->files[i].name), name) == 0)
			return v->files[i].nid;
	fail_msg("no %s", name);
	return 0;
}

/* The node's hole map decides, whatever the image has there. */
static void test_holes(void **state)
{
	struct pkram_ctx *ctx = test_ctx();
	struct tree_view *v = NULL;
	struct pkram_hole holes[2];
	struct tree_input in;
	struct image image;
	struct stat st;
	int fd;

	(void)state;
	image = image_make("--chunksize=4096", "src");
	in = image_input(&image);
	assert_int_equal(tree_view_new(ctx, &in, NULL, 0, &v), 0);
	holes[0] = (struct pkram_hole){ htole64(nid_of(v, "sparse")), 0, htole64(3 * MIB) };
	holes[1] = (struct pkram_hole){ holes[0].nid, htole64(3 * MIB + 12288),
					htole64(5 * MIB + 1 - 12288) };
	tree_view_free(v);
	assert_int_equal(tree_view_new(ctx, &in, holes, 2, &v), 0);
	assert_int_equal(restore_to("dst", ctx, v, &image, PKRAM_WINDOW, 1, NULL), 0);
	assert_int_equal(stat("dst/sparse", &st), 0);
	assert_int_equal(st.st_size, 8 * MIB + 1);
	assert_int_equal(st.st_blocks * 512, 12288);
	fd = open("dst/sparse", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), 3 * MIB);
	assert_int_equal(lseek(fd, (off_t)(3 * MIB), SEEK_HOLE), 3 * MIB + 12288);
	close(fd);
	compare_trees("src", "dst");
	tree_view_free(v);

	holes[1].len = htole64(5 * MIB + 2 - 12288);
	assert_int_equal(tree_view_new(ctx, &in, holes, 2, &v), -EBADMSG);
	holes[1].nid = htole64(UINT64_MAX);
	assert_int_equal(tree_view_new(ctx, &in, holes, 2, &v), -EBADMSG);
	free(image.bytes);
	pkram_unref(ctx);
	assert_int_equal(run("rm -rf dst"), 0);
}

static int find_damage(void *arg, const char *path)
{
	if (strcmp(path, "big") == 0)
		*(bool *)arg = true;
	return 0;
}

static void test_salvage(void **state)
{
	struct pkram_ctx *ctx = test_ctx();
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image image;
	bool lost[64] = { 0 };
	bool any = false;

	(void)state;
	image = image_make("", "src");
	in = image_input(&image);
	assert_int_equal(tree_view_new(ctx, &in, NULL, 0, &v), 0);
	for (uint64_t i = 0; i * PKRAM_WINDOW < image.size && !any; i++) {
		tree_view_files_at(v, i * PKRAM_WINDOW, PKRAM_WINDOW, find_damage, &any);
		lost[i + 1] = any;
	}
	assert_true(any);
	assert_int_equal(restore_to("dst", ctx, v, &image, PKRAM_WINDOW, 2, lost), 0);
	assert_int_equal(access("dst/big", F_OK), -1);
	assert_non_null(strstr(all_log, "big: damaged"));
	compare_files("src/page", "dst/page");
	/* Without salvage, bytes that never come are an error. */
	assert_int_equal(run("rm -rf dst"), 0);
	image.size = PKRAM_WINDOW;
	assert_int_equal(restore_to("dst", ctx, v, &image, PKRAM_WINDOW, 1, NULL), -EIO);
	tree_view_free(v);
	free(image.bytes);
	pkram_unref(ctx);
	assert_int_equal(run("rm -rf dst"), 0);
}

/* An image of the product itself, with all that mkfs.erofs does not carry. */
static void test_own_image(void **state)
{
	struct pkram_ctx *ctx = test_ctx();
	struct tree_scan_options o = { 0 };
	struct tree_image_info info;
	struct tree_image *img = NULL;
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image image;
	struct stat st;
	bool live;
	char path[4096];

	(void)state;
	assert_int_equal(
		run("chattr +d src/page src/dir/deep 2>/dev/null; chattr +i src/dir/setuid; "
		    "chattr +a src/dir/deep; ln src/dir/setuid src/x 2>/dev/null; :"),
		0);
	/* A change within the scan's own tick of the clock would count as a change during it. */
	usleep(50000);
	assert_non_null(realpath("src", path));
	if (tree_image_new(ctx, path, &o, &img) < 0 || tree_image_scan(img, NULL) < 0)
		fail_msg("%s", last_log);
	tree_image_info(img, &info);
	image = (struct image){ .bytes = malloc(info.size), .size = info.size };
	assert_non_null(image.bytes);
	for (uint64_t off = 0; off < info.size; off += PKRAM_WINDOW)
		assert_int_equal(tree_image_fill(img, off,
						 MIN((uint64_t)PKRAM_WINDOW, info.size - off),
						 image.bytes + off),
				 0);
	assert_int_equal(tree_image_finish(img, &live), 0);
	in = image_input(&image);
	if (tree_view_new(ctx, &in, info.holes, info.n_holes, &v) < 0)
		fail_msg("%s", last_log);
	if (restore_to("dst", ctx, v, &image, PKRAM_WINDOW, 2, NULL) < 0)
		fail_msg("%s", last_log);
	compare_trees("src", "dst");
	assert_int_equal(stat("dst/sparse", &st), 0);
	assert_int_equal(st.st_blocks * 512, 12288);
	assert_int_equal(
		run("for d in src dst; do (cd $d; lsattr -d page dir/deep dir/setuid) > $d.attr;"
		    "done; cmp src.attr dst.attr && grep -q i.*setuid src.attr"),
		0);
	tree_view_free(v);
	tree_image_free(img);
	free(image.bytes);
	pkram_unref(ctx);
	assert_int_equal(run("chattr -R -iad src dst 2>/dev/null; rm -rf dst *.attr"), 0);
}

/* What the target cannot keep is a failure with the file's name, not a silent loss. */
static void test_no_xattrs(void **state)
{
	struct pkram_ctx *ctx;
	struct tree_restore_options o = { .threads = 1 };
	struct tree_restore *r = NULL;
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image image;
	int dirfd;

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	ctx = test_ctx();
	assert_int_equal(mkdir("ramfs", 0755), 0);
	assert_int_equal(mount("ramfs", "ramfs", "ramfs", 0, NULL), 0);
	image = image_make("", "src");
	in = image_input(&image);
	assert_int_equal(tree_view_new(ctx, &in, NULL, 0, &v), 0);
	dirfd = open("ramfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_restore_new(ctx, v, dirfd, &o, &r), 0);
	assert_int_equal(tree_restore_put(r, 0, 0, image.size, image.bytes) < 0 ? -EOPNOTSUPP :
			 tree_restore_finish(r, &so_far), -EOPNOTSUPP);
	assert_non_null(strstr(last_log, "does not keep the attribute"));
	tree_restore_free(r);
	close(dirfd);
	assert_int_equal(umount("ramfs"), 0);
	assert_int_equal(rmdir("ramfs"), 0);
	tree_view_free(v);
	free(image.bytes);
	pkram_unref(ctx);
}

static bool huge_pages_free(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	int n = 0;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = 0;
		fclose(f);
	}
	return n >= 4;
}

/* hugetlbfs has no write(2). Needs a pool: skipped where there is none. */
static void test_hugetlb(void **state)
{
	struct tree_restore_options o = { .threads = 1, .hugetlb = 2 * MIB };
	struct pkram_hole holes[2] = {
		{ .len = htole64(2 * MIB) }, { .off = htole64(4 * MIB), .len = htole64(4 * MIB) },
	};
	struct pkram_ctx *ctx;
	struct tree_restore *r = NULL;
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image image;
	struct stat st;
	int dirfd;

	(void)state;
	if (!huge_pages_free() || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	ctx = test_ctx();
	assert_int_equal(run("mkdir huge huge-src"), 0);
	write_file("huge-src/two", 2 * MIB, 2 * MIB, 9);
	assert_int_equal(truncate("huge-src/two", 8 * MIB), 0);
	assert_int_equal(mount("hugetlbfs", "huge", "hugetlbfs", 0, "pagesize=2M"), 0);
	dirfd = open("huge", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	image = image_make("", "huge-src");
	in = image_input(&image);
	assert_int_equal(tree_view_new(ctx, &in, NULL, 0, &v), 0);
	holes[0].nid = holes[1].nid = htole64(nid_of(v, "two"));
	tree_view_free(v);
	assert_int_equal(tree_view_new(ctx, &in, holes, 2, &v), 0);
	assert_int_equal(tree_restore_new(ctx, v, dirfd, &o, &r), 0);
	for (uint64_t off = 0; off < image.size; off += MIB)
		assert_int_equal(tree_restore_put(r, 0, off, MIN(MIB, image.size - off),
						  image.bytes + off), 0);
	assert_int_equal(tree_restore_finish(r, &so_far), 0);
	tree_restore_free(r);
	compare_bytes("huge-src/two", "huge/two");
	assert_int_equal(stat("huge/two", &st), 0);
	assert_int_equal(st.st_size, 8 * MIB);
	assert_int_equal(st.st_blocks * 512, 2 * MIB);
	tree_view_free(v);
	free(image.bytes);

	/* A size that hugetlbfs does not know is named before anything is made. */
	image = image_make("", "src");
	in = image_input(&image);
	assert_int_equal(tree_view_new(ctx, &in, NULL, 0, &v), 0);
	assert_int_equal(tree_restore_new(ctx, v, dirfd, &o, &r), -EOPNOTSUPP);
	assert_non_null(strstr(last_log, "huge page size"));
	close(dirfd);
	assert_int_equal(umount("huge"), 0);
	tree_view_free(v);
	free(image.bytes);
	pkram_unref(ctx);
	assert_int_equal(run("rm -rf huge huge-src"), 0);
}

/* Something is in the way, and it points outside: nothing is written through it. */
static void test_nothing_outside(void **state)
{
	struct pkram_ctx *ctx = test_ctx();
	struct tree_restore_options o = { .threads = 1 };
	struct tree_restore *r = NULL;
	struct tree_view *v = NULL;
	struct tree_input in;
	struct image image;
	int dirfd;

	(void)state;
	image = image_make("", "src");
	in = image_input(&image);
	assert_int_equal(tree_view_new(ctx, &in, NULL, 0, &v), 0);
	assert_int_equal(run("mkdir outside dst && ln -s ../outside dst/dir"), 0);
	dirfd = open("dst", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tree_restore_new(ctx, v, dirfd, &o, &r), -EEXIST);
	/* Swapped while it runs. */
	assert_int_equal(run("rm dst/dir"), 0);
	assert_int_equal(tree_restore_new(ctx, v, dirfd, &o, &r), 0);
	assert_int_equal(run("rm -r dst/dir && ln -s ../outside dst/dir"), 0);
	assert_true(tree_restore_finish(r, &so_far) < 0);
	assert_int_equal(run("test -z \"$(ls outside)\""), 0);
	tree_restore_free(r);
	close(dirfd);
	tree_view_free(v);
	free(image.bytes);
	pkram_unref(ctx);
	assert_int_equal(run("rm -rf dst outside"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_small_pieces),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_salvage),
		cmocka_unit_test(test_own_image),
		cmocka_unit_test(test_no_xattrs),
		cmocka_unit_test(test_hugetlb),
		cmocka_unit_test(test_nothing_outside),
	};

	umask(022);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
