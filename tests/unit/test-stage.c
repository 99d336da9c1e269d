/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Staging, cancelling and taking a jump, on a recorded machine with one or two pmem devices whose
 * bytes lie in a file or on a loop device, with programs that only pretend to load.
 */
#include "stage-fixture.h"
#include "tree.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

/* --- tests --- */

static void test_stage_and_cancel(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *want = NULL;
	struct pkram_jump j;
	char id[33];

	put_node(region, "stream", PKRAM_NODE_KIND_STREAM, NULL, 0);
	assert_int_equal(pkram_stage(region, NULL), 0);
	j = jump_of(region);
	assert_int_equal(le32toh(j.state), PKRAM_JUMP_STAGED);
	assert_memory_equal(j.old_boot, region->boot_id, 16);
	assert_true(le64toh(j.staged_at) && !j.armed_at && !j.claimed_at);
	id_text(&j, id);
	assert_true(asprintf(&want,
			     "kexec\n-s\n-l\n%s/boot/vmlinuz-6.12.0\n"
			     "--command-line=ro memmap=1G!4G pkram.jump=%s\n"
			     "--initrd=%s/boot/initrd.img-6.12.0",
			     s->dir, id, s->dir) >= 0);
	sysroot_called(s, want);
	assert_true(sysroot_logged(s, "stream stream, saved "));
	assert_true(sysroot_logged(s, "running kernel 6.1.0, next kernel 6.12.0"));
	/* Once more: another id, the old kernel goes. */
	assert_int_equal(pkram_stage(region, NULL), 0);
	assert_memory_not_equal(j.id, jump_of(region).id, 16);
	sysroot_remove(s, "/calls");
	assert_int_equal(pkram_stage_cancel(region), 0);
	assert_int_equal(state_of(region), PKRAM_JUMP_NONE);
	sysroot_called(s, "kexec\n-s\n-u");
	/* Nothing to cancel is no error, and nothing is called for it. */
	assert_int_equal(pkram_stage_cancel(region), 0);
	sysroot_called(s, "");
	pkram_region_close(region);
}

static void test_options(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct pkram_check_list *list = NULL;
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	o.flags = 1 << 7;
	assert_int_equal(pkram_stage(region, &o), -EINVAL);
	assert_int_equal(pkram_check(region, &o, &list), -EINVAL);
	assert_null(list);
	o.flags = 0;
	o.append = "a";
	o.command_line = "b";
	assert_int_equal(pkram_stage(region, &o), -EINVAL);
	assert_int_equal(pkram_jump(region,
				    &(struct pkram_jump_options){
					    .struct_size = sizeof(struct pkram_jump_options),
					    .flags = 1 << 7 }),
			 -EINVAL);
	pkram_region_close(region);
}

static void refused(struct sysroot *s, struct pkram_region *region,
		    const struct pkram_stage_options *o, int want, const char *says)
{
	int k;

	sysroot_forget(s);
	k = pkram_stage(region, o);
	if (k != want || !sysroot_logged(s, says))
		fail_msg("%d: %s", k, s->log);
	assert_int_equal(state_of(region), PKRAM_JUMP_NONE);
	sysroot_called(s, "");
}

static void test_reservations(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	o.command_line = "ro";
	refused(s, region, &o, -EUCLEAN, "pmem:/dev/pmem0: no word on the next command line");
	o.command_line = "ro memmap=512M!4G";
	refused(s, region, &o, -EUCLEAN, "is smaller than");
	put_boot(s, BOOT_A, "ro", "176");
	o.command_line = NULL;
	refused(s, region, &o, -EUCLEAN, "--append 'memmap=1G!4G'");
	o.append = "memmap=1G!4G";
	assert_int_equal(pkram_stage(region, &o), 0);
	assert_int_equal(pkram_stage_cancel(region), 0);
	sysroot_remove(s, "/calls");
	/* Described by the firmware: no word, and none over it. */
	put_firmware(s, 1, "0x100000000", "0x13fffffff", "Persistent Memory (legacy)");
	refused(s, region, &o, -EUCLEAN, "which the firmware describes");
	o.append = NULL;
	assert_int_equal(pkram_stage(region, &o), 0);
	pkram_region_close(region);
}

static void test_not_possible(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	sysroot_text(s, "/proc/sys/kernel/kexec_load_disabled", "1");
	refused(s, region, NULL, -EUCLEAN, "kexec_load_disabled");
	sysroot_text(s, "/proc/sys/kernel/kexec_load_disabled", "0");
	sysroot_text(s, "/proc/vmcore", "");
	refused(s, region, NULL, -EROFS, "kdump");
	assert_int_equal(pkram_stage_cancel(region), -EROFS);
	assert_int_equal(pkram_jump(region, NULL), -EROFS);
	sysroot_remove(s, "/proc/vmcore");
	region->read_only = true;
	refused(s, region, NULL, -EROFS, "read-only");
	region->read_only = false;
	/* A load that fails leaves no record. */
	sysroot_text(s, "/fail", "");
	assert_int_equal(pkram_stage(region, NULL), -EIO);
	assert_true(sysroot_logged(s, "Key was rejected"));
	assert_int_equal(state_of(region), PKRAM_JUMP_NONE);
	pkram_region_close(region);
}

/* A kernel that could not be unloaded would be jumped into: it has to find its records. */
static void test_not_unloaded(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct pkram_jump before, after;

	assert_int_equal(pkram_stage(region, NULL), 0);
	before = jump_of(region);
	sysroot_text(s, "/fail", "");
	assert_int_equal(pkram_stage(region, NULL), -EIO);
	after = jump_of(region);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(machine_exists(s->ctx, "/run/pkram/staged"));
	/* What was loaded, and cannot be told of, goes; and its records then. */
	sysroot_remove(s, "/fail");
	sysroot_remove(s, "/run/pkram/staged");
	sysroot_text(s, "/run/pkram/staged/x", "");
	assert_true(pkram_stage(region, NULL) < 0);
	assert_false(kexec_loaded(s->ctx));
	assert_int_equal(state_of(region), PKRAM_JUMP_NONE);
	pkram_region_close(region);
}

static void test_file_region(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region;

	assert_int_equal(pkram_region_open(s->ctx, region_file, 0, &region), 0);
	refused(s, region, NULL, -EUCLEAN, "a file does not survive the jump");
	pkram_region_close(region);
}

static void test_writer(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s), *other = open_region(s);
	struct store_writer *w;

	assert_int_equal(store_writer_open(other->store, "slow", PKRAM_NODE_KIND_STREAM, &w), 0);
	refused(s, region, NULL, -EUCLEAN, "1 node is being written");
	store_writer_discard(w);
	assert_int_equal(pkram_stage(region, NULL), 0);
	/* One that began after staging stops the jump. */
	sysroot_remove(s, "/calls");
	assert_int_equal(store_writer_open(other->store, "slow", PKRAM_NODE_KIND_STREAM, &w), 0);
	assert_int_equal(pkram_jump(region, NULL), -EUCLEAN);
	assert_int_equal(state_of(region), PKRAM_JUMP_STAGED);
	sysroot_called(s, "");
	store_writer_discard(w);
	pkram_region_close(other);
	pkram_region_close(region);
}

/* A process that maps the file, stores and goes: on tmpfs it changes no time. */
static void store_mapped(const char *file, char byte)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	*map = byte;
	munmap(map, 1);
	close(fd);
}

static void test_sources(void **state)
{
	const char *const names[] = { "tree" };
	struct pkram_jump_options jump = { .struct_size = sizeof(jump) };
	struct pkram_save_item item = { .name = "tree" };
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *dir = sysroot_path(s, "/source"), *file = sysroot_path(s, "/source/a");
	int fd;

	sysroot_text(s, "/source/a", "one");
	item.path = dir;
	assert_int_equal(pkram_save_trees(region, &item, 1, NULL, NULL), 0);
	put_node(region, "gone", PKRAM_NODE_KIND_TREE, "/nonexistent/tree", 1);
	put_node(region, "image", PKRAM_NODE_KIND_TREE, NULL, 0);
	assert_int_equal(pkram_stage(region, NULL), 0);
	assert_int_equal(pkram_stage_cancel(region), 0);
	sysroot_remove(s, "/calls");
	/* A writer, then a change. */
	fd = open(file, O_RDWR | O_CLOEXEC);
	refused(s, region, NULL, -EUCLEAN, "tree: ");
	assert_true(sysroot_logged(s, "--leave-behind 'tree'"));
	close(fd);
	store_mapped(file, 'O');
	refused(s, region, NULL, -EUCLEAN, "has changed since it was saved");
	store_mapped(file, 'o');
	sysroot_text(s, "/source/b", "two");
	refused(s, region, NULL, -EUCLEAN, "has changed since it was saved");
	o.leave_behind = names;
	o.n_leave_behind = 1;
	assert_int_equal(pkram_stage(region, &o), 0);
	/* What staging left behind, the jump does not forgive by itself. */
	sysroot_remove(s, "/calls");
	sysroot_forget(s);
	sysroot_text(s, "/run/systemd/system/x", "");
	assert_int_equal(pkram_jump(region, NULL), -EUCLEAN);
	assert_true(sysroot_logged(s, "has changed since it was saved"));
	assert_false(sysroot_logged(s, "saved just now"));
	assert_int_equal(state_of(region), PKRAM_JUMP_STAGED);
	sysroot_called(s, "");
	jump.leave_behind = names;
	jump.n_leave_behind = 1;
	assert_int_equal(pkram_jump(region, &jump), 0);
	sysroot_called(s, "systemctl\nkexec");
	pkram_region_close(region);
}

/* On tmpfs, room that nobody wrote is called a hole: it is saved, and compared, as zeroes. */
static void test_fallocated_source(void **state)
{
	static const size_t sizes[] = { 12 * KIB, 6 * MIB };
	struct pkram_save_item item = { .name = "tree" };
	char dir[] = "/dev/shm/pkram-source-XXXXXX";
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char file[64];
		int fd;

		snprintf(file, sizeof(file), "%s/%zu", dir, i);
		fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(posix_fallocate(fd, 0, (off_t)sizes[i]), 0);
		assert_int_equal(pwrite(fd, "x", 1, 5000), 1);
		close(fd);
	}
	item.path = dir;
	assert_int_equal(pkram_save_trees(region, &item, 1, NULL, NULL), 0);
	if (pkram_stage(region, NULL) < 0)
		fail_msg("%s", s->log);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char file[64];

		snprintf(file, sizeof(file), "%s/%zu", dir, i);
		assert_int_equal(unlink(file), 0);
	}
	assert_int_equal(rmdir(dir), 0);
	pkram_region_close(region);
}

static void test_jump(void **state)
{
	const struct pkram_jump_options at_once = { .struct_size = sizeof(at_once),
						    .flags = PKRAM_JUMP_NO_SYSTEMD };
	struct pkram_region_info info;
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct pkram_jump j;

	assert_int_equal(pkram_jump(region, NULL), -EUCLEAN);
	assert_true(sysroot_logged(s, "no jump is staged by this boot"));
	sysroot_text(s, "/run/systemd/system/x", "");
	assert_int_equal(pkram_stage(region, NULL), 0);
	/* Somebody unloaded it. */
	assert_int_equal(pkram_region_get_info(region, &info), 0);
	assert_int_equal(info.jump, PKRAM_JUMP_STATUS_STAGED);
	sysroot_text(s, "/sys/kernel/kexec_loaded", "0\n");
	assert_int_equal(pkram_region_get_info(region, &info), 0);
	assert_int_equal(info.jump, PKRAM_JUMP_STATUS_NONE);
	assert_int_equal(pkram_jump(region, NULL), -EUCLEAN);
	sysroot_text(s, "/sys/kernel/kexec_loaded", "1\n");
	sysroot_remove(s, "/calls");
	/* It came back: disarmed. */
	assert_int_equal(pkram_jump(region, &at_once), -EIO);
	sysroot_called(s, "kexec\n-e");
	j = jump_of(region);
	assert_int_equal(le32toh(j.state), PKRAM_JUMP_STAGED);
	assert_true(j.armed_at == 0);
	/* The machine goes down. */
	assert_int_equal(pkram_jump(region, NULL), 0);
	sysroot_called(s, "systemctl\nkexec");
	j = jump_of(region);
	assert_int_equal(le32toh(j.state), PKRAM_JUMP_ARMED);
	assert_true(le64toh(j.armed_at) >= le64toh(j.staged_at));
	pkram_region_close(region);
}

/* Who jumps later does it with what was staged, and not with what is loaded by then. */
static void test_jump_later(void **state)
{
	const struct pkram_jump_options at_once = { .struct_size = sizeof(at_once),
						    .flags = PKRAM_JUMP_NO_SYSTEMD };
	const struct pkram_stage_options opts = { .struct_size = sizeof(opts), .append = "later=1",
						  .method = PKRAM_STAGE_METHOD_FILE };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *calls = NULL;
	struct pkram_jump before, after;
	char id[33], word[64];

	assert_int_equal(pkram_stage(region, &opts), 0);
	before = jump_of(region);
	pkram_region_close(region);
	region = open_region(s);
	sysroot_remove(s, "/calls");
	assert_int_equal(pkram_jump(region, &at_once), -EIO);
	assert_int_equal(machine_read(s->ctx, "/calls", &calls, NULL), 0);
	after = jump_of(region);
	id_text(&after, id);
	snprintf(word, sizeof(word), "later=1 pkram.jump=%s\n", id);
	assert_non_null(strstr(calls, word));
	assert_non_null(strstr(calls, "\nkexec\n-e"));
	assert_memory_not_equal(before.id, after.id, sizeof(before.id));
	assert_int_equal(le32toh(after.state), PKRAM_JUMP_STAGED);
	pkram_region_close(region);

	/* What it was staged with is not known any more, or is of another jump. */
	region = open_region(s);
	sysroot_text(s, "/run/pkram/staged", "0\n0\n/boot/vmlinuz-1\n\nro\n");
	sysroot_remove(s, "/calls");
	assert_int_equal(pkram_jump(region, &at_once), -EUCLEAN);
	assert_true(sysroot_logged(s, "does not tell with what the jump was staged"));
	sysroot_remove(s, "/run/pkram/staged");
	assert_int_equal(pkram_jump(region, &at_once), -EUCLEAN);
	assert_int_equal(le32toh(jump_of(region).state), PKRAM_JUMP_STAGED);
	assert_int_equal(pkram_stage_cancel(region), 0);
	pkram_region_close(region);
}

/* What was named from one directory is loaded again from another one. */
static void test_arm_elsewhere(void **state)
{
	const struct pkram_stage_options opts = { .struct_size = sizeof(opts),
						  .kernel = "vmlinuz-6.12.0",
						  .initrd = "initrd.img-6.12.0" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_close_ int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *calls = NULL, *want = NULL;

	assert_int_equal(chdir("/dev/shm"), 0);
	sysroot_kernel(s, "/dev/shm/vmlinuz-6.12.0", "6.12.0");
	sysroot_initrd(s, "/dev/shm/initrd.img-6.12.0");
	assert_int_equal(pkram_stage(region, &opts), 0);
	pkram_region_close(region);
	sysroot_remove(s, "/calls");
	assert_int_equal(chdir("/"), 0);
	region = open_region(s);
	assert_int_equal(pkram_arm(region, NULL), 0);
	assert_int_equal(machine_read(s->ctx, "/calls", &calls, NULL), 0);
	assert_true(asprintf(&want, "-l\n%s/dev/shm/vmlinuz-6.12.0\n", s->dir) > 0);
	assert_non_null(strstr(calls, want));
	assert_int_equal(fchdir(here), 0);
	pkram_region_close(region);
}

/* The service arms, once all others have stopped. */
static void test_arm(void **state)
{
	const struct pkram_jump_options times = { .struct_size = sizeof(times),
						  .flags = PKRAM_JUMP_TRUST_TIMES };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	assert_int_equal(pkram_arm(region, &times), -EUCLEAN);
	assert_int_equal(pkram_jump_is_queued(s->ctx), 0);
	sysroot_text(s, "/run/systemd/system/x", "");
	sysroot_text(s, "/armer", "");
	assert_int_equal(pkram_stage(region, NULL), 0);
	sysroot_remove(s, "/calls");
	assert_int_equal(pkram_jump(region, NULL), 0);
	sysroot_called(s, "systemctl\nkexec");
	assert_int_equal(le32toh(jump_of(region).state), PKRAM_JUMP_STAGED);
	pkram_region_close(region);

	assert_int_equal(pkram_jump_is_queued(s->ctx), 0);
	sysroot_text(s, "/job", "4711\n");
	assert_int_equal(pkram_jump_is_queued(s->ctx), 1);
	sysroot_text(s, "/deaf", "");
	assert_int_equal(pkram_jump_is_queued(s->ctx), -EIO);
	assert_true(sysroot_logged(s, "systemctl show failed (1)"));
	sysroot_remove(s, "/deaf");
	region = open_region(s);
	assert_int_equal(pkram_arm(region, &times), 0);
	assert_int_equal(le32toh(jump_of(region).state), PKRAM_JUMP_ARMED);
	assert_int_equal(pkram_stage_cancel(region), 0);
	pkram_region_close(region);
}

/* An initrd that restores early: who loads it again does not know of what, and says nothing. */
static void test_early_again(void **state)
{
	static const char conf[] = "/etc/pkram.d/x.conf";
	const char *const early[] = { conf };
	const struct pkram_stage_options o = { .struct_size = sizeof(o), .early = early,
					       .n_early = 1 };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *command = NULL;

	sysroot_text(s, conf, "path = /srv\nearly = yes\n");
	sysroot_text(s, "/i/etc/pkram.d/x.conf", "path = /srv\nearly = yes\n");
	sysroot_text(s, "/i/usr/sbin/pkram", "");
	sysroot_text(s, "/i/usr/lib/libkmod.so.2", "");
	sysroot_text(s, "/i/lib/modules/6.12.0/nd_e820.ko", "");
	sysroot_text(s, "/i/lib/modules/6.12.0/nd_pmem.ko", "");
	assert_true(asprintf(&command, "cd %s/i && find . | cpio --quiet -o -H newc "
			     ">../boot/initrd.img-6.12.0", s->dir) > 0);
	assert_int_equal(system(command), 0);
	assert_int_equal(pkram_stage(region, &o), 0);
	assert_false(sysroot_logged(s, "x.conf"));
	pkram_region_close(region);
	region = open_region(s);
	assert_int_equal(pkram_arm(region, NULL), 0);
	assert_false(sysroot_logged(s, "x.conf"));
	pkram_region_close(region);
}

/* What a unit saves on the way down may have changed until then, but not for the one that arms. */
static void test_saved_later(void **state)
{
	struct pkram_later tree = { 0 };
	const struct pkram_stage_options later = { .struct_size = sizeof(later),
						   .saved_later = &tree, .n_saved_later = 1 };
	const struct pkram_jump_options times = { .struct_size = sizeof(times),
						  .flags = PKRAM_JUMP_TRUST_TIMES };
	struct pkram_save_item item = { 0 };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *dir = sysroot_path(s, "/source");

	sysroot_text(s, "/source/a", "one");
	item.path = item.name = tree.path = dir;
	assert_int_equal(pkram_save_trees(region, &item, 1, NULL, NULL), 0);
	sysroot_text(s, "/source/b", "two");
	refused(s, region, NULL, -EUCLEAN, "has changed since it was saved");
	assert_int_equal(pkram_stage(region, &later), 0);
	assert_int_equal(pkram_arm(region, &times), -EUCLEAN);
	assert_int_equal(pkram_save_trees(region, &item, 1, NULL, NULL), 0);
	assert_int_equal(pkram_arm(region, &times), 0);
	assert_int_equal(pkram_stage_cancel(region), 0);
	pkram_region_close(region);
}

static enum pkram_freshness freshness_of(struct pkram_region *region, const char *boot)
{
	struct store_info info;
	uint8_t saved[16];

	assert_int_equal(store_info(region->store, &info), 0);
	memset(saved, *boot == 'a' ? 0x0a : 0x0b, sizeof(saved));
	return jump_freshness(&info.arrival, region->boot_id, saved);
}

/* The whole rule: saved in A, jumped, arrived in B; and every way of not having arrived. */
static void test_arrival(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	char line[128], id[33];
	struct pkram_jump j;

	put_node(region, "db", PKRAM_NODE_KIND_STREAM, NULL, 0);
	assert_int_equal(pkram_stage(region, NULL), 0);
	j = jump_of(region);
	id_text(&j, id);
	snprintf(line, sizeof(line), "ro memmap=1G!4G pkram.jump=%s\n", id);
	pkram_region_close(region);

	/* Staged only: a crash and a kexec by hand with that very line. */
	put_boot(s, BOOT_B, line, "208");
	region = open_region(s);
	assert_int_equal(state_of(region), PKRAM_JUMP_STAGED);
	assert_int_equal(freshness_of(region, "a"), PKRAM_FRESH_STALE);
	assert_int_equal(pkram_jump(region, NULL), -EUCLEAN);
	assert_int_equal(pkram_stage_cancel(region), 0);
	assert_int_equal(state_of(region), PKRAM_JUMP_STAGED);
	pkram_region_close(region);

	put_boot(s, BOOT_A, "ro memmap=1G!4G", "176");
	sysroot_text(s, "/run/systemd/system/x", "");
	region = open_region(s);
	assert_int_equal(pkram_stage(region, NULL), 0);
	assert_int_equal(pkram_jump(region, NULL), 0);
	j = jump_of(region);
	id_text(&j, id);
	snprintf(line, sizeof(line), "ro memmap=1G!4G pkram.jump=%s\n", id);
	pkram_region_close(region);

	/* The same boot, a firmware boot, another line, a kdump kernel: not claimed. */
	static const struct {
		const char *boot, *bootloader;
		bool id, kdump;
	} others[] = { { BOOT_A, "208", true, false }, { BOOT_B, "176", true, false },
		       { BOOT_B, "208", false, false }, { BOOT_B, "208", true, true } };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		put_boot(s, others[i].boot, others[i].id ? line : "ro", others[i].bootloader);
		if (others[i].kdump)
			sysroot_text(s, "/proc/vmcore", "");
		region = open_region(s);
		assert_int_equal(state_of(region), PKRAM_JUMP_ARMED);
		pkram_region_close(region);
	}
	sysroot_remove(s, "/proc/vmcore");
	put_boot(s, BOOT_B, line, "208");
	region = open_region(s);
	assert_int_equal(state_of(region), PKRAM_JUMP_NONE);
	assert_int_equal(freshness_of(region, "a"), PKRAM_FRESH_JUMPED);
	assert_int_equal(freshness_of(region, "b"), PKRAM_FRESH_THIS_BOOT);
	/* What is not restored yet is named, and stays fresh until the next jump is made. */
	sysroot_forget(s);
	sysroot_text(s, "/sys/kernel/kexec_loaded", "0\n");
	assert_int_equal(pkram_stage(region, NULL), 0);
	assert_true(sysroot_logged(s, "came by the last jump and is not restored yet"));
	assert_int_equal(freshness_of(region, "a"), PKRAM_FRESH_JUMPED);
	assert_int_equal(pkram_stage_cancel(region), 0);
	assert_int_equal(freshness_of(region, "a"), PKRAM_FRESH_JUMPED);
	pkram_region_close(region);
}

/* A free loop device over a file; -1: not possible here. */
static int make_loop(const char *path, char node[32])
{
	struct loop_config cfg = { .fd = (uint32_t)open(path, O_RDWR | O_CLOEXEC) };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd = -1;

	for (int i = 0; control >= 0 && fd < 0 && i < 20; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(node, 32, "loop%d", n);
		char path_of_node[40];

		snprintf(path_of_node, sizeof(path_of_node), "/dev/%s", node);
		fd = n < 0 ? -1 : open(path_of_node, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &cfg) < 0) {
			close(fd);
			fd = -1;
		}
	}
	close((int)cfg.fd);
	close(control);
	return fd;
}

/* The region again, in the kernel that the armed jump started. */
static struct pkram_region *arrive(struct sysroot *s, struct pkram_region *region)
{
	struct pkram_jump j = jump_of(region);
	char line[128], id[33];

	id_text(&j, id);
	snprintf(line, sizeof(line), "ro memmap=1G!4G pkram.jump=%s\n", id);
	pkram_region_close(region);
	put_boot(s, BOOT_B, line, "208");
	return open_region(s);
}

/* A second container, that nobody named: kept, looked at, and under the same record. */
static void test_other_container(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *file = sysroot_path(s, "/other");
	char node[32], spec[48], link[64];
	struct store_info info;
	struct store *other;
	struct region *bytes;
	struct stat st;
	int fd, loop;

	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, (off_t)REGION_SIZE) == 0);
	close(fd);
	loop = make_loop(file, node);
	if (loop < 0) {
		pkram_region_close(region);
		print_message("no loop device here\n");
		skip();
	}
	assert_int_equal(fstat(loop, &st), 0);
	snprintf(spec, sizeof(spec), "pmem:/dev/%s", node);
	put_pmem(s, 1, node, "0x200000000\n");
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	put_link(s, link, "../../class/block/pmem1");
	/* An empty device is nobody's. A container in it was not asked for when the jump was
	 * staged. */
	assert_int_equal(pkram_stage(region, NULL), 0);
	assert_int_equal(region_open(s->ctx, spec, false, &bytes), 0);
	assert_int_equal(store_format(bytes), 0);
	assert_int_equal(store_open(bytes, &other), 0);
	assert_int_equal(pkram_jump(region, NULL), -EUCLEAN);
	assert_true(sysroot_logged(s, "its container is newer than the staged jump"));
	assert_int_equal(pkram_stage_cancel(region), 0);
	sysroot_remove(s, "/calls");
	refused(s, region, NULL, -EUCLEAN, "its memory is memmap=1G!8G");
	o.append = "memmap=1G!8G";
	assert_int_equal(pkram_stage(region, &o), 0);
	assert_int_equal(store_info(other, &info), 0);
	assert_memory_equal(info.jump.id, jump_of(region).id, 16);
	sysroot_text(s, "/run/systemd/system/x", "");
	assert_int_equal(pkram_jump(region, NULL), 0);
	assert_int_equal(store_info(other, &info), 0);
	assert_int_equal(le32toh(info.jump.state), PKRAM_JUMP_ARMED);
	assert_int_equal(pkram_stage_cancel(region), 0);
	assert_int_equal(store_info(other, &info), 0);
	assert_int_equal(le32toh(info.jump.state), PKRAM_JUMP_NONE);
	/* Nobody opens it in the next kernel: its nodes arrive all the same, before the next jump
	 * is staged. */
	put_node(&(struct pkram_region){ .ctx = s->ctx, .store = other }, "theirs",
		 PKRAM_NODE_KIND_STREAM, NULL, 0);
	assert_int_equal(pkram_stage(region, &o), 0);
	assert_int_equal(pkram_jump(region, NULL), 0);
	region = arrive(s, region);
	sysroot_forget(s);
	sysroot_text(s, "/sys/kernel/kexec_loaded", "0\n");
	assert_int_equal(pkram_stage(region, &o), 0);
	assert_true(sysroot_logged(s, "theirs, saved "));
	assert_true(sysroot_logged(s, "came by the last jump and is not restored yet"));
	assert_int_equal(store_info(other, &info), 0);
	assert_int_equal(le32toh(info.arrival.state), PKRAM_JUMP_CLAIMED);
	assert_memory_equal(info.arrival.claim_boot, region->boot_id, 16);
	store_close(other);
	pkram_region_close(region);
	ioctl(loop, LOOP_CLR_FD, 0);
	close(loop);
}

static void test_age(void **state)
{
	char age[48];

	(void)state;
	assert_string_equal(op_age(machine_now() - 7200 * INT64_C(1000000000), age), "2 hours ago");
	assert_string_equal(op_age(INT64_MAX, age), "just now");
	assert_string_equal(op_age(INT64_MIN, age), "at an unknown time");
}

#define STAGE_TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, sysroot_teardown_programs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE_TEST(test_stage_and_cancel), STAGE_TEST(test_options),
		STAGE_TEST(test_reservations), STAGE_TEST(test_not_possible),
		STAGE_TEST(test_not_unloaded),
		STAGE_TEST(test_file_region), STAGE_TEST(test_writer), STAGE_TEST(test_sources),
		STAGE_TEST(test_fallocated_source),
		STAGE_TEST(test_jump), STAGE_TEST(test_jump_later),
		STAGE_TEST(test_arm_elsewhere), STAGE_TEST(test_arm),
		STAGE_TEST(test_early_again),
		STAGE_TEST(test_saved_later), STAGE_TEST(test_arrival),
		STAGE_TEST(test_other_container),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
