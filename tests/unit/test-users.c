/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who writes to a file: real processes with descriptors and mappings of each kind.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "machine.h"

enum use { READS, MAPS_READ_ONLY, WRITES, APPENDS, MAPS_PRIVATE, MAPS_SHARED, USES };

static const bool writes[USES] = { [WRITES] = true, [APPENDS] = true, [MAPS_SHARED] = true };

struct fixture {
	struct pkram_ctx *ctx;
	char path[USES][64];
	struct machine_file file[USES];
	pid_t pid[USES];
	unsigned int found[USES];
};

static void use_file(const char *path, enum use use, int ready)
{
	static const int modes[USES] = {
		[READS] = O_RDONLY, [MAPS_READ_ONLY] = O_RDONLY, [WRITES] = O_WRONLY,
		[APPENDS] = O_WRONLY | O_APPEND, [MAPS_PRIVATE] = O_RDONLY, [MAPS_SHARED] = O_RDWR,
	};
	int fd = open(path, modes[use]), prot = PROT_READ;

	if (use == MAPS_PRIVATE || use == MAPS_SHARED)
		prot |= PROT_WRITE;
	if (use == MAPS_READ_ONLY || use == MAPS_PRIVATE || use == MAPS_SHARED) {
		if (mmap(NULL, 4096, prot, use == MAPS_PRIVATE ? MAP_PRIVATE : MAP_SHARED, fd, 0) ==
		    MAP_FAILED)
			_exit(1);
		close(fd);
	}
	if (fd >= 0 && write(ready, "r", 1) == 1)
		pause();
	_exit(1);
}

static int compare_files(const void *a, const void *b)
{
	const struct machine_file *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(pkram_new(&f->ctx), 0);
	for (int i = 0; i < USES; i++) {
		struct stat st;
		int fd, ready[2];
		char c;

		strcpy(f->path[i], "/tmp/pkram-users-XXXXXX");
		fd = mkstemp(f->path[i]);
		assert_true(fd >= 0 && write(fd, "text", 4) == 4 && fstat(fd, &st) == 0);
		close(fd);
		f->file[i] = (struct machine_file){ .dev = st.st_dev, .ino = st.st_ino };
		assert_int_equal(pipe(ready), 0);
		f->pid[i] = fork();
		if (f->pid[i] == 0)
			use_file(f->path[i], (enum use)i, ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &c, 1), 1);
		close(ready[0]);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < USES; i++) {
		kill(f->pid[i], SIGKILL);
		waitpid(f->pid[i], NULL, 0);
		unlink(f->path[i]);
	}
	pkram_unref(f->ctx);
	free(f);
	return 0;
}

struct one {
	pid_t pid;
	unsigned int times;
};

static void note_one(void *arg, pid_t pid, const char *comm)
{
	struct one *one = arg;

	assert_true(comm[0]);
	one->pid = pid;
	one->times++;
}

static void each_use(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < USES; i++) {
		struct one one = { 0 };

		assert_int_equal(machine_file_writers(f->ctx, f->file[i].dev, f->file[i].ino,
						      note_one, &one), writes[i]);
		assert_int_equal(one.times, writes[i]);
		if (writes[i])
			assert_int_equal(one.pid, f->pid[i]);
	}
}

/* Readers and private mappings count, too. */
static void any_use(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < USES; i++) {
		struct one one = { 0 };
		struct stat st;

		assert_int_equal(stat(f->path[i], &st), 0);
		assert_int_equal(machine_file_users(f->ctx, &st, note_one, &one), 1);
		assert_int_equal(one.times, 1);
		assert_int_equal(one.pid, f->pid[i]);
	}
}

struct search {
	pid_t pid;
	bool found;
};

static void look_for(void *arg, pid_t pid, const char *comm)
{
	struct search *s = arg;

	(void)comm;
	s->found |= pid == s->pid;
}

/* A container has a /dev of its own: the device tells, not the node. */
static void another_node_of_the_device(void **state)
{
	struct fixture *f = *state;
	struct search search = { 0 };
	struct stat st;
	int ready[2];
	char c;

	assert_int_equal(pipe(ready), 0);
	search.pid = fork();
	if (search.pid == 0)
		use_file("/dev/zero", READS, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	assert_int_equal(stat("/dev/zero", &st), 0);
	st.st_ino += 1000000;
	assert_true(machine_file_users(f->ctx, &st, look_for, &search) >= 1);
	assert_true(search.found);
	search.found = false;
	st.st_rdev++;
	assert_true(machine_file_users(f->ctx, &st, look_for, &search) >= 0);
	assert_false(search.found);
	kill(search.pid, SIGKILL);
	waitpid(search.pid, NULL, 0);
}

static void own_process_does_not_count(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->path[READS], O_RDWR);
	struct one one = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(machine_file_writers(f->ctx, f->file[READS].dev, f->file[READS].ino,
					      note_one, &one), 0);
	close(fd);
}

struct many {
	struct fixture *f;
	const struct machine_file *sorted;
};

static void note_many(void *arg, size_t file, pid_t pid, const char *comm)
{
	struct many *many = arg;

	(void)comm;
	for (int i = 0; i < USES; i++)
		if (many->f->file[i].ino == many->sorted[file].ino && many->f->pid[i] == pid)
			many->f->found[i]++;
}

static void many_files_in_one_pass(void **state)
{
	struct fixture *f = *state;
	struct machine_file sorted[USES];
	struct many many = { .f = f, .sorted = sorted };

	memcpy(sorted, f->file, sizeof(sorted));
	qsort(sorted, USES, sizeof(*sorted), compare_files);
	assert_int_equal(machine_files_writers(f->ctx, sorted, USES, note_many, &many), 3);
	for (int i = 0; i < USES; i++)
		assert_int_equal(f->found[i], writes[i]);
	assert_int_equal(machine_files_writers(f->ctx, NULL, 0, note_many, &many), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_use),
		cmocka_unit_test(any_use),
		cmocka_unit_test(another_node_of_the_device),
		cmocka_unit_test(own_process_does_not_count),
		cmocka_unit_test(many_files_in_one_pass),
	};

	return cmocka_run_group_tests_name("users", tests, setup, teardown);
}
