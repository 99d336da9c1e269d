/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest without an operating system, for `qemu -kernel` (counters.sh builds it). It fills its RAM
 * with a pattern, then goes round for ever: at each tick of its timer it checks the next 32 pages
 * against what it wrote there one round ago, writes them anew, and prints a number, one more than
 * the last, on its serial line. A guest that was carried over a jump goes on with the next number;
 * one that was not begins with "start".
 */
#include <stdint.h>

#define SERIAL 0x3f8
#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIT 0x40
#define TIMER_VECTOR 0x20

#define PAGE 4096U
#define WORDS (PAGE / 4)
#define FIRST 0x200000U /* the program and its stack lie below */
#define STEP 0xc2b2ae35U
#define PAGES_PER_LINE 32U

/* What a Multiboot loader hands over; only what is read here. */
struct multiboot {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

/* The header must lie in the first 8 KiB, the entry follows it. */
__asm__(".text\n"
	".align 4\n"
	".long 0x1badb002, 0x2, -(0x1badb002 + 0x2)\n"
	".globl _start\n"
	"_start:\n"
	"	mov $stack + 16384, %esp\n"
	"	push %ebx\n"
	"	call run\n");

uint8_t stack[16384] __attribute__((aligned(16), used));
static volatile uint32_t ticks;
static uint32_t seed, pages;

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void print(const char *text)
{
	for (; *text; text++) {
		while (!(in(SERIAL + 5) & 0x20))
			;
		out(SERIAL, (uint8_t)*text);
	}
}

static void print_number(uint32_t value)
{
	char digits[11], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	print(at);
}

__attribute__((interrupt)) static void timer(void *frame)
{
	(void)frame;
	ticks++;
	out(PIC_MASTER, 0x20);
}

/* The segments are set anew: what a loader left in the GDT is not to be relied on. */
static void start_timer(void)
{
	static uint64_t gdt[3] = {0, 0x00cf9a000000ffff, 0x00cf92000000ffff};
	static uint64_t idt[TIMER_VECTOR + 1];
	static struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdtr, idtr;
	uint32_t handler = (uint32_t)timer;

	gdtr.limit = sizeof(gdt) - 1;
	gdtr.base = (uint32_t)gdt;
	__asm__ volatile("lgdt %0\n"
			 "ljmp $8, $1f\n"
			 "1: mov %1, %%ds\n"
			 "mov %1, %%es\n"
			 "mov %1, %%ss\n"
			 : : "m"(gdtr), "r"(16) : "memory");
	idt[TIMER_VECTOR] = (handler & 0xffff) | 8 << 16 | (uint64_t)0x8e00 << 32 |
			    (uint64_t)(handler >> 16) << 48;
	idtr.limit = sizeof(idt) - 1;
	idtr.base = (uint32_t)idt;
	__asm__ volatile("lidt %0" : : "m"(idtr));

	out(PIC_MASTER, 0x11);
	out(PIC_SLAVE, 0x11);
	out(PIC_MASTER + 1, TIMER_VECTOR);
	out(PIC_SLAVE + 1, TIMER_VECTOR + 8);
	out(PIC_MASTER + 1, 4);
	out(PIC_SLAVE + 1, 2);
	out(PIC_MASTER + 1, 1);
	out(PIC_SLAVE + 1, 1);
	out(PIC_MASTER + 1, 0xfe);
	out(PIC_SLAVE + 1, 0xff);
	/* As slow as it can be: 18 times a second. */
	out(PIT + 3, 0x34);
	out(PIT, 0);
	out(PIT, 0);
	__asm__ volatile("sti");
}

/* The first word of a page in a round; each further one is more by STEP. */
static uint32_t pattern(uint32_t page, uint32_t round)
{
	return seed + page * 0x9e3779b1U + round * 0x85ebca77U;
}

static uint32_t *page_at(uint32_t page)
{
	return (uint32_t *)(FIRST + page * PAGE);
}

static void write_page(uint32_t page, uint32_t round)
{
	uint32_t value = pattern(page, round);

	for (uint32_t *at = page_at(page), *end = at + WORDS; at < end; value += STEP)
		*at++ = value;
}

static void check_page(uint32_t page, uint32_t round)
{
	uint32_t value = pattern(page, round);

	for (uint32_t *at = page_at(page), *end = at + WORDS; at < end; value += STEP) {
		if (*at++ == value)
			continue;
		print("damaged page ");
		print_number(page);
		print("\n");
		return;
	}
}

__attribute__((used, noreturn)) static void run(const struct multiboot *info)
{
	uint32_t page = 0, round = 0;

	/* Each guest has a name on its command line, and a pattern of its own. */
	for (const char *name = (const char *)info->cmdline; *name; name++)
		seed = seed * 31 + (uint8_t)*name;
	pages = (0x100000 + info->mem_upper * 1024 - FIRST) / PAGE;
	print("start\n");
	for (uint32_t i = 0; i < pages; i++)
		write_page(i, 0);
	start_timer();

	for (uint32_t line = 1, seen = 0;; line++) {
		for (uint32_t i = 0; i < PAGES_PER_LINE; i++) {
			check_page(page, round);
			write_page(page, round + 1);
			if (++page == pages) {
				page = 0;
				round++;
			}
		}
		print_number(line);
		print("\n");
		while (ticks == seen)
			__asm__ volatile("hlt");
		seen = ticks;
	}
}
