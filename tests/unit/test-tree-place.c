/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Places: what may appear where, what is refused with which words, and that nothing is left behind.
 * Runs in a mount namespace of its own.
 */
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "tree-image.h"

static struct pkram_ctx *ctx;

/* A small tmpfs to work in, below a directory that the test owns. */
static int set_up(void **state)
{
	char *path;

	ctx = test_ctx();
	path = scratch_new();
	assert_int_equal(mount("tmpfs", path, "tmpfs", 0, "size=64m,nr_inodes=20000,mode=755"), 0);
	assert_int_equal(chdir(path), 0);
	*state = path;
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(umount2(*state, MNT_DETACH), 0);
	assert_int_equal(rmdir(*state), 0);
	free(*state);
	pkram_unref(ctx);
	return 0;
}

/* Files of the directory, its work directories included. */
static int count(const char *path)
{
	DIR *d = opendir(path);
	int n = -2;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void fill(const struct tree_place *p)
{
	int fd = openat(tree_place_dirfd(p), "file", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "new", 3), 3);
	close(fd);
}

static bool is_new(const char *path)
{
	char bytes[8] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, bytes, sizeof(bytes)) == 3 && memcmp(bytes, "new", 3) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

static int place(const char *target, const struct tree_place_options *o)
{
	struct tree_place *p;
	int r = tree_place_new(ctx, target, o, &p);

	if (r < 0)
		return r;
	fill(p);
	r = tree_place_appear(p);
	tree_place_free(p);
	return r;
}

static void test_missing(void **state)
{
	struct tree_place_options o = { .need_bytes = MIB, .need_inodes = 10 };
	char longer[300] = "", path[500];
	struct tree_place *p;
	struct stat st;

	assert_int_equal(tree_place_new(ctx, "some/where/new/", &o, &p), 0);
	fill(p);
	assert_int_equal(access("some/where/new", F_OK), -1);
	tree_place_free(p);
	assert_int_equal(count("."), 0);
	assert_int_equal(place("some/where/new", &o), 0);
	assert_true(is_new("some/where/new/file"));
	assert_int_equal(count("some/where"), 1);
	assert_int_equal(stat("some/where", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	/* Of a way that ends early, nothing stays. */
	memset(longer, 'n', sizeof(longer) - 1);
	snprintf(path, sizeof(path), "some/other//place/%s/new", longer);
	assert_int_equal(place(path, &o), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/other/place/%s/new", *(char **)state, longer);
	assert_int_equal(place(path, &o), -ENAMETOOLONG);
	assert_int_equal(count("."), 1);
	assert_int_equal(count("some"), 1);
	assert_int_equal(place("..", &o), -EINVAL);
	assert_int_equal(place("/", &o), -EINVAL);
}

/* What lies behind the trusted part of the way was filled by somebody else. */
static void test_symlinks(void **state)
{
	struct tree_place_options o = { .trusted = strlen("to") };

	(void)state;
	assert_int_equal(run("mkdir -p real outside && ln -s real to && ln -s ../outside real/b && "
			     "ln -s nowhere real/c && touch real/f"), 0);
	assert_int_equal(place("to/b/new", &o), -ENOTDIR);
	assert_non_null(strstr(last_log, "to/b is no directory"));
	assert_int_equal(place("to/b/c/d/new", &o), -ENOTDIR);
	assert_int_equal(place("to/c/new", &o), -ENOTDIR);
	assert_int_equal(place("to/f/new", &o), -ENOTDIR);
	assert_int_equal(count("outside"), 0);
	assert_int_equal(count("real"), 3);
	assert_int_equal(place("to//x/new", &o), 0);
	assert_true(is_new("real/x/new/file"));
	/* As the machine has it. */
	o.trusted = 0;
	assert_int_equal(place("to/b/c/new", &o), 0);
	assert_true(is_new("outside/c/new/file"));
	assert_int_equal(
		place("to/b/f/new", &(struct tree_place_options){ .need_bytes = 1000 * MIB }),
		-ENOSPC);
	assert_int_equal(count("outside"), 1);
}

static void test_taken(void **state)
{
	struct tree_place_options o = { 0 };
	struct tree_place *p;

	(void)state;
	assert_int_equal(run("mkdir empty taken && touch taken/old"), 0);
	assert_int_equal(place("empty", &o), 0);
	assert_true(is_new("empty/file"));
	assert_int_equal(place("taken", &o), -EEXIST);
	assert_non_null(strstr(last_log, "taken: is not empty"));
	assert_int_equal(count("taken"), 1);
	o.force = true;
	assert_int_equal(place("taken", &o), 0);
	assert_true(is_new("taken/file"));
	assert_int_equal(count("taken"), 1);
	assert_int_equal(count("."), 2);
	/* Taken while it was built. */
	o.force = false;
	assert_int_equal(tree_place_new(ctx, "late", &o, &p), 0);
	assert_int_equal(run("mkdir late && touch late/old"), 0);
	assert_int_equal(tree_place_appear(p), -EEXIST);
	tree_place_free(p);
	assert_int_equal(access("late/old", F_OK), 0);
	assert_int_equal(count("."), 3);
	/* A symlink is something, wherever it leads. */
	assert_int_equal(run("mkdir outside && ln -s outside link"), 0);
	assert_int_equal(place("link", &o), -EEXIST);
	o.force = true;
	assert_int_equal(place("link", &o), 0);
	assert_int_equal(count("outside"), 0);
}

static void test_single(void **state)
{
	struct tree_place_options o = { .single = true };

	(void)state;
	assert_int_equal(place("one", &o), 0);
	assert_true(is_new("one"));
	assert_int_equal(run("echo old > one"), 0);
	assert_int_equal(place("one", &o), -EEXIST);
	o.force = true;
	assert_int_equal(place("one", &o), 0);
	assert_true(is_new("one"));
	assert_int_equal(count("."), 1);
}

/* A killed restore leaves a directory whose lock nobody holds. */
static void test_leftovers(void **state)
{
	struct tree_place_options o = { 0 };
	int fd;

	(void)state;
	assert_int_equal(
		run("for i in dead00 alive0 other0; do mkdir -m 700 .pkram-restore-$i; "
		    "mkdir -p .pkram-restore-$i/tree/a/b/c; touch .pkram-restore-$i/tree/a/f; "
		    "done; chown 65534 .pkram-restore-other0; ln -s /etc .pkram-restore-dead00/l;"
		    "touch .pkram-restore-dead00/fixed; chattr +i .pkram-restore-dead00/fixed"),
		0);
	fd = open(".pkram-restore-alive0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(place("new", &o), 0);
	assert_int_equal(access(".pkram-restore-dead00", F_OK), -1);
	assert_non_null(strstr(all_log, "dead00: removed"));
	assert_int_equal(access(".pkram-restore-alive0/tree/a/f", F_OK), 0);
	assert_int_equal(access(".pkram-restore-other0/tree/a/f", F_OK), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	close(fd);
}

/* Deeper than any path, recursion or number of descriptors. */
static void test_deep(void **state)
{
	struct tree_place_options o = { .force = true };
	int fd, depth = 15000;

	(void)state;
	assert_int_equal(mkdir("deep", 0755), 0);
	fd = open("deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < depth; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "directory", 0755), 0);
		next = openat(fd, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(place("deep", &o), 0);
	assert_true(is_new("deep/file"));
	assert_int_equal(count("."), 1);
}

static void test_immutable(void **state)
{
	struct tree_place_options o = { 0 };
	int flags = FS_IMMUTABLE_FL;
	struct tree_place *p;

	(void)state;
	assert_int_equal(tree_place_new(ctx, "fixed", &o, &p), 0);
	fill(p);
	if (ioctl(tree_place_dirfd(p), FS_IOC_SETFLAGS, &flags) < 0) {
		tree_place_free(p);
		skip();
	}
	assert_int_equal(tree_place_appear(p), 0);
	tree_place_free(p);
	assert_true(is_new("fixed/file"));
	assert_int_equal(unlink("fixed/file"), -1);
	/* What is around is left as it is, also where that keeps the work directory from going. */
	flags = FS_IMMUTABLE_FL;
	assert_int_equal(run("mkdir -m 751 around"), 0);
	assert_int_equal(tree_place_new(ctx, "around/new", &o, &p), 0);
	assert_int_equal(run("chattr +i around"), 0);
	assert_int_equal(tree_place_appear(p), -EPERM);
	tree_place_free(p);
	assert_non_null(strstr(last_log, "remove it by hand"));
	assert_int_equal(run("lsattr -d around | grep -q i && test $(stat -c %%a around) = 751"),
			 0);
	assert_int_equal(run("chattr -i around && rm -r around"), 0);
	/* One that never appears goes all the same. */
	assert_int_equal(tree_place_new(ctx, "fixed2", &o, &p), 0);
	fill(p);
	assert_int_equal(ioctl(tree_place_dirfd(p), FS_IOC_SETFLAGS, &flags), 0);
	tree_place_free(p);
	assert_int_equal(count("."), 1);
	assert_int_equal(run("chattr -i fixed"), 0);
}

/* The setgid bit and default ACL of the directory around must not reach the tree. */
static void test_private(void **state)
{
	struct tree_place_options o = { 0 };
	struct tree_place *p;
	struct stat st;

	(void)state;
	assert_int_equal(run("chgrp 5 . && chmod g+s . && setfacl -d -m u:77:rwx . 2>/dev/null; :"),
			 0);
	assert_int_equal(tree_place_new(ctx, "new", &o, &p), 0);
	assert_int_equal(fstat(tree_place_dirfd(p), &st), 0);
	assert_int_equal(st.st_gid, getegid());
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(fgetxattr(tree_place_dirfd(p), "system.posix_acl_default", NULL, 0) < 0);
	tree_place_free(p);
}

static int mounts_at(const char *path)
{
	char line[4096], want[4096], cwd[2048];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int n = 0;

	assert_non_null(f);
	snprintf(want, sizeof(want), " %s/%s ", getcwd(cwd, sizeof(cwd)), path);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, want) != NULL;
	fclose(f);
	return n;
}

static bool mount_has(const char *path, const char *option)
{
	char line[4096];
	bool has;
	FILE *f;

	snprintf(line, sizeof(line), "findmnt -n -o OPTIONS %s", path);
	f = popen(line, "re");
	assert_non_null(f);
	has = fgets(line, sizeof(line), f) && strstr(line, option);
	pclose(f);
	return has;
}

static void test_mount_point(void **state)
{
	struct tree_place_options o = { 0 };
	struct statfs fs;

	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	assert_int_equal(mount("tmpfs", "m", "tmpfs", MS_NOSUID, "size=8m,mode=1777"), 0);
	assert_int_equal(place("m", &o), 0);
	assert_true(is_new("m/file"));
	assert_true(mount_has("m", "nosuid") && mount_has("m", "size=8192k"));
	assert_int_equal(place("m", &o), -EEXIST);
	/* With the options of the source, of which a list of nodes holds a comma. */
	o.force = true;
	o.fs_type = "tmpfs";
	o.mount_options = "ro,nodev,noexec,relatime,size=4096k,nr_inodes=1000,mpol=bind:0,0";
	if (place("m", &o) < 0)
		fail_msg("%s", last_log);
	assert_true(is_new("m/file"));
	assert_int_equal(statfs("m", &fs), 0);
	assert_int_equal((uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize, 4 * MIB);
	assert_int_equal(fs.f_files, 1000);
	assert_true(mount_has("m", "ro") && mount_has("m", "nodev") &&
		    mount_has("m", "mpol=bind:0"));
	assert_false(mount_has("m", "nosuid"));
	assert_int_equal(mounts_at("m"), 1);
	/* One in place of it: the old value is not tried, though the kernel would not take it. */
	o.mount_options = "ro,nodev,noexec,size=4096k,mpol=bind:0,huge=nonsense,nr_inodes=many";
	o.mount_over = "huge=never,rw,dev,nr_inodes=77,size=2m";
	if (place("m", &o) < 0)
		fail_msg("%s", last_log);
	assert_null(strstr(all_log, "nonsense"));
	assert_int_equal(statfs("m", &fs), 0);
	assert_int_equal((uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize, 2 * MIB);
	assert_int_equal(fs.f_files, 77);
	assert_true(mount_has("m", "rw") && mount_has("m", "noexec") &&
		    mount_has("m", "mpol=bind:0"));
	assert_false(mount_has("m", "nodev"));
	/* Saved by a kernel with other huge pages than this one. */
	o.mount_options = "huge=gigantic,size=1m,nosuid";
	o.mount_over = NULL;
	if (place("m", &o) < 0)
		fail_msg("%s", last_log);
	assert_non_null(strstr(all_log, "takes no huge=gigantic"));
	assert_true(is_new("m/file") && mount_has("m", "nosuid"));
	o.mount_over = "huge=gigantic";
	assert_int_equal(place("m", &o), -EINVAL);
	o.mount_over = NULL;
	/* Something below: told, for it may be what a killed restore left. */
	assert_int_equal(mount("tmpfs", "m", "tmpfs", 0, "size=1m"), 0);
	all_log[0] = '\0';
	assert_int_equal(place("m", &o), 0);
	assert_non_null(strstr(all_log, "hidden below"));
	assert_int_equal(umount("m"), 0);
	/* An option that the kernel does not take is named. */
	o.mount_options = "size=1m,no_such_option=7";
	assert_int_equal(place("m", &o), -EINVAL);
	assert_non_null(strstr(last_log, "no_such_option"));
	assert_true(is_new("m/file"));
	assert_int_equal(umount("m"), 0);
}

/* Kernels before 6.5 do not know MOVE_MOUNT_BENEATH: a filter makes this one say so. */
static void forget_beneath(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_move_mount, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x200, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void test_old_kernel(void **state)
{
	struct tree_place_options o = { 0 };
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir("m", 0755), 0);
	assert_int_equal(mount("tmpfs", "m", "tmpfs", 0, "size=8m"), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		forget_beneath();
		/* The empty one stays below; a second one is swapped with force. */
		if (place("m", &o) < 0 || !is_new("m/file") || mounts_at("m") != 2)
			_exit(1);
		o.force = true;
		_exit(place("m", &o) < 0 || !is_new("m/file") || mounts_at("m") != 2 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(umount("m") + umount("m"), 0);
	assert_int_equal(count("m"), 0);
}

static void test_new_mount(void **state)
{
	struct tree_place_options o = {
		.mount = true, .fs_type = "tmpfs", .mount_options = "rw,nosuid,size=2m",
	};
	struct tree_place *p;

	(void)state;
	assert_int_equal(place("a/b", &o), 0);
	assert_true(is_new("a/b/file"));
	assert_int_equal(mounts_at("a/b"), 1);
	assert_true(mount_has("a/b", "nosuid"));
	assert_int_equal(umount("a/b"), 0);
	assert_int_equal(count("a/b"), 0);
	/* Nothing stays of one that does not appear. */
	assert_int_equal(tree_place_new(ctx, "c/d", &o, &p), 0);
	tree_place_free(p);
	assert_int_equal(access("c", F_OK), -1);
}

static void test_mount_check(void **state)
{
	(void)state;
	assert_int_equal(tree_mount_check(ctx, NULL, "size=1m,nosuid,nr_inodes=5,mpol=bind:0,0"),
			 0);
	assert_int_equal(tree_mount_check(ctx, NULL, ""), 0);
	/* Of a quoted value, every comma; an override's, too. */
	assert_int_equal(tree_mount_check(ctx, NULL, "nr_inodes=\"5\",size=1m"), 0);
	assert_int_equal(tree_mount_check(ctx, NULL, "size=\"1m,uid=x\",nosuid"), -EINVAL);
	assert_non_null(strstr(last_log, "the option size: "));
	assert_true(tree_mount_overridden("mode=1", "size=\"1m,uid=x\",mode=700"));
	assert_false(tree_mount_overridden("uid=1", "size=\"1m,uid=x\",mode=700"));
	assert_int_equal(tree_mount_check(ctx, NULL, "size=1m,huge=most"), -EINVAL);
	assert_non_null(strstr(last_log, "the option huge: Invalid argument"));
	assert_null(strchr(last_log, '?'));
	assert_int_equal(tree_mount_check(ctx, NULL, "no_such_option"), -EINVAL);
	assert_int_equal(tree_mount_check(ctx, NULL, "nosuid=7"), -EINVAL);
	assert_non_null(strstr(last_log, "; nothing was restored"));
	assert_int_equal(tree_mount_check(ctx, "x.conf:3: mount", "size=1m,huge=most"), -EINVAL);
	assert_int_equal(strncmp(last_log, "x.conf:3: mount: cannot make", 28), 0);
	assert_null(strstr(last_log, "restored"));
}

static void test_other_mounts(void **state)
{
	struct tree_place_options o = { .force = true };

	(void)state;
	assert_int_equal(run("mkdir -p p bound full/inner src && touch src/x"), 0);
	assert_int_equal(mount("proc", "p", "proc", 0, NULL), 0);
	assert_int_equal(place("p", &o), -EBUSY);
	assert_non_null(strstr(last_log, "p: is a mount point (proc)"));
	assert_int_equal(mount("src", "bound", NULL, MS_BIND, NULL), 0);
	assert_int_equal(place("bound", &o), -EBUSY);
	assert_int_equal(mount("tmpfs", "full/inner", "tmpfs", 0, "size=1m"), 0);
	assert_int_equal(place("full", &o), -EBUSY);
	assert_non_null(strstr(last_log, "full/inner is mounted in it"));
	assert_int_equal(access("src/x", F_OK), 0);
	assert_int_equal(umount("full/inner") + umount("bound") + umount("p"), 0);
}

static void test_room(void **state)
{
	struct tree_place_options o = { .need_bytes = 100 * MIB, .need_inodes = 10 };

	(void)state;
	assert_int_equal(place("new", &o), -ENOSPC);
	assert_non_null(strstr(last_log, "needs 100.0 MiB, its filesystem has 64.0 MiB"));
	o.need_bytes = MIB;
	o.need_inodes = 30000;
	assert_int_equal(place("new", &o), -ENOSPC);
	assert_non_null(strstr(last_log, "30000 inodes"));
	o.need_inodes = 10;
	/* A machine with less memory. */
	assert_int_equal(run("mkdir -p root/proc root/sys && "
			     "echo 'MemAvailable:        512 kB' > root/proc/meminfo"), 0);
	assert_int_equal(pkram_set_sysroot(ctx, "root"), 0);
	assert_int_equal(place("new", &o), -ENOSPC);
	assert_non_null(strstr(last_log, "memory has 0.5 MiB"));
	/* The new mount's own limit counts, not that of what is there. */
	pkram_set_sysroot(ctx, NULL);
	o.mount = true;
	o.fs_type = "tmpfs";
	o.mount_options = "size=512k";
	assert_int_equal(place("new", &o), -ENOSPC);
	assert_non_null(strstr(last_log, "has 0.5 MiB"));
	assert_int_equal(count("."), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_symlinks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_single, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leftovers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_immutable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_private, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mount_point, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_old_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_mount, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mount_check, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_mounts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
	};

	umask(022);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "needs root and mounts\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
