/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The physical limit: how fast this machine's memory is copied and read when nothing else is to be
 * done, between buffers of huge pages that are in place already; and, for a block region, how fast
 * the bare device takes and gives whole MiBs with O_DIRECT.
 *
 *	limit memory THREADS MIB
 *	limit device THREADS MIB PATH		writes over the device
 *
 * Each way is one line: its name, then what print_sample() prints.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

struct buffers {
	char *dst;
	char *src;
	size_t size;
	int fd;
	uint64_t sums[MAX_THREADS];
};

typedef void (*work_fn)(void *arg, unsigned int index, unsigned int threads);

static void *huge_buffer(size_t size, int fill)
{
	size_t huge = 2 * MIB;
	uintptr_t aligned;
	char *p;

	p = mmap(NULL, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		err(1, "cannot map %zu bytes", size);
	aligned = ((uintptr_t)p + huge - 1) & ~(huge - 1);
	/* A kernel without huge pages has a lower limit, and it is the one that counts there. */
	madvise((void *)aligned, size, MADV_HUGEPAGE);
	return memset((void *)aligned, fill, size);
}

/* The part of one thread: whole MiBs, the last one takes the rest. */
static size_t part(const struct buffers *b, unsigned int index, unsigned int threads, size_t *at)
{
	size_t each = b->size / threads / MIB * MIB;

	*at = each * index;
	return index + 1 == threads ? b->size - *at : each;
}

static void work_memcpy(void *arg, unsigned int index, unsigned int threads)
{
	struct buffers *b = arg;
	size_t at, size = part(b, index, threads, &at);

	memcpy(b->dst + at, b->src + at, size);
}

static void work_nontemporal(void *arg, unsigned int index, unsigned int threads)
{
	struct buffers *b = arg;
	size_t at, size = part(b, index, threads, &at);

	copy_nontemporal(b->dst + at, b->src + at, size);
}

#ifdef __x86_64__
static void work_movsb(void *arg, unsigned int index, unsigned int threads)
{
	struct buffers *b = arg;
	size_t at, size = part(b, index, threads, &at);
	void *d = b->dst + at, *s = b->src + at;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(size) : : "memory");
}
#endif

static void work_read(void *arg, unsigned int index, unsigned int threads)
{
	struct buffers *b = arg;
	size_t at, size = part(b, index, threads, &at);
	const uint64_t *p = (const uint64_t *)(b->src + at);
	uint64_t sums[8] = { 0 };

	for (size_t i = 0; i < size / sizeof(*p); i += 8) {
		for (unsigned int j = 0; j < 8; j++)
			sums[j] += p[i + j];
	}
	for (unsigned int j = 0; j < 8; j++)
		b->sums[index] += sums[j];
}

static void work_device_write(void *arg, unsigned int index, unsigned int threads)
{
	struct buffers *b = arg;
	size_t at, size = part(b, index, threads, &at);

	for (size_t done = 0; done < size; done += MIB) {
		if (pwrite(b->fd, b->src + at + done, MIB, (off_t)(at + done)) != (ssize_t)MIB)
			err(1, "cannot write to the device");
	}
}

static void work_device_read(void *arg, unsigned int index, unsigned int threads)
{
	struct buffers *b = arg;
	size_t at, size = part(b, index, threads, &at);

	for (size_t done = 0; done < size; done += MIB) {
		if (pread(b->fd, b->src + at + done, MIB, (off_t)(at + done)) != (ssize_t)MIB)
			err(1, "cannot read from the device");
	}
}

static void measure(const char *name, struct buffers *b, unsigned int threads, work_fn work)
{
	struct rusage ru;
	double seconds = crew_run(threads, b, work);

	getrusage(RUSAGE_SELF, &ru);
	printf("%s\t", name);
	print_sample(seconds, &ru, 0, stdout);
}

int main(int argc, char **argv)
{
	struct buffers b = { .fd = -1 };
	unsigned int threads;

	if (argc < 4)
		errx(1, "usage: limit memory|device THREADS MIB [PATH]");
	threads = thread_count(argv[2]);
	b.size = number(argv[3]) * MIB;
	if (b.size < threads * MIB)
		errx(1, "at least one MiB for each thread");
	b.src = huge_buffer(b.size, 1);
	if (strcmp(argv[1], "device") == 0 && argc == 5) {
		b.fd = open(argv[4], O_RDWR | O_DIRECT | O_CLOEXEC);
		if (b.fd < 0)
			err(1, "cannot open %s", argv[4]);
		measure("write", &b, threads, work_device_write);
		measure("read", &b, threads, work_device_read);
		return 0;
	}
	b.dst = huge_buffer(b.size, 2);
	measure("memcpy", &b, threads, work_memcpy);
	measure("nontemporal", &b, threads, work_nontemporal);
#ifdef __x86_64__
	measure("movsb", &b, threads, work_movsb);
#endif
	measure("read", &b, threads, work_read);
	/* Nobody may find out that the sums are not needed. */
	return b.sums[0] == 42 ? 2 : 0;
}
