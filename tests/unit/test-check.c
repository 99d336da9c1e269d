/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks before a jump, one by one: what each finds, and that staging refuses what fails.
 */
#include "stage-fixture.h"

static struct pkram_check_list *look(struct pkram_region *region,
				     const struct pkram_stage_options *o)
{
	struct pkram_check_list *list;

	assert_int_equal(pkram_check(region, o, &list), 0);
	return list;
}

static const struct pkram_check *row_of(const struct pkram_check_list *list, const char *name)
{
	const struct pkram_check *check;

	for (size_t i = 0; (check = pkram_check_list_get(list, i)); i++)
		if (strcmp(check->name, name) == 0)
			return check;
	fail_msg("no check %s", name);
	return NULL;
}

/* The check has that result, and, unless `reason` is NULL, a finding of it that says so. */
static void expect(const struct pkram_check_list *list, const char *name,
		   enum pkram_check_result result, const char *reason, const char *remedy)
{
	const struct pkram_check *check = row_of(list, name);
	bool found = !reason, helps = check->result != PKRAM_CHECK_FAILS;

	/* What fails says what to do about it. */
	for (size_t i = 0; i < check->n_findings; i++)
		helps |= check->findings[i].result == PKRAM_CHECK_FAILS &&
			 *check->findings[i].remedy;

	for (size_t i = 0; i < check->n_findings; i++)
		found |= check->findings[i].result == result && reason &&
			 strstr(check->findings[i].reason, reason) &&
			 (!remedy || strstr(check->findings[i].remedy, remedy));
	if (check->result == result && found && helps)
		return;
	for (size_t i = 0; i < check->n_findings; i++)
		print_message("%s: %d: %s -> %s\n", name, check->findings[i].result,
			      check->findings[i].reason, check->findings[i].remedy);
	fail_msg("%s: %d, not %d, '%s'", name, check->result, result, reason ? reason : "");
}

/* The same of a list made for it. */
static void finds(struct pkram_region *region, const struct pkram_stage_options *o,
		  const char *name, enum pkram_check_result result, const char *reason,
		  const char *remedy)
{
	struct pkram_check_list *list = look(region, o);

	expect(list, name, result, reason, remedy);
	assert_int_equal(pkram_check_list_safe(list), result != PKRAM_CHECK_FAILS);
	pkram_check_list_free(list);
}

static void test_list(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o), .command_line = "ro" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct pkram_check_list *list;

	list = look(region, NULL);
	assert_true(pkram_check_list_safe(list));
	for (size_t i = 0; i < pkram_check_list_count(list); i++)
		assert_true(pkram_check_list_get(list, i)->result != PKRAM_CHECK_SKIPPED);
	assert_null(pkram_check_list_get(list, pkram_check_list_count(list)));
	expect(list, "region", PKRAM_CHECK_OK, "pmem:/dev/pmem0: 1024 MiB at 0x100000000", "");
	expect(list, "kernel", PKRAM_CHECK_OK, "6.12.0: /boot/vmlinuz-6.12.0, initrd /boot/", "");
	pkram_check_list_free(list);
	/* The list says it, and nothing else does; and nothing is loaded. */
	assert_null(s->log);
	finds(region, &o, "reservation", PKRAM_CHECK_FAILS, "no word on the next command line",
	      NULL);
	assert_null(s->log);
	sysroot_called(s, "");
	assert_int_equal(jump_of(region).state, 0);
	pkram_check_list_free(NULL);
	pkram_region_close(region);
}

/* What another check did not find is not looked at; all else is. */
static void test_skipped(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region;
	struct pkram_check_list *list;

	assert_int_equal(pkram_region_open(s->ctx, region_file, 0, &region), 0);
	list = look(region, NULL);
	expect(list, "region", PKRAM_CHECK_FAILS, "a file does not survive the jump",
	       "save into reserved memory");
	expect(list, "reservation", PKRAM_CHECK_SKIPPED, "region comes first", NULL);
	expect(list, "kernel", PKRAM_CHECK_OK, NULL, NULL);
	assert_false(pkram_check_list_safe(list));
	pkram_check_list_free(list);
	pkram_region_close(region);
}

static void test_nodes(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	const char *const names[] = { "nobody" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s), *other = open_region(s);
	struct store_writer *w;

	put_node(region, "stream", PKRAM_NODE_KIND_STREAM, NULL, 0);
	finds(region, NULL, "nodes", PKRAM_CHECK_OK, "1 saved in this boot, 0 by an earlier one",
	      NULL);
	o.leave_behind = names;
	o.n_leave_behind = 1;
	finds(region, &o, "nodes", PKRAM_CHECK_WARNING, "names 1 node that is not there", NULL);
	assert_int_equal(store_writer_open(other->store, "slow", PKRAM_NODE_KIND_STREAM, &w), 0);
	finds(region, NULL, "writers", PKRAM_CHECK_FAILS, "1 node is being written",
	      "wait for the saves to end");
	store_writer_discard(w);
	pkram_region_close(other);
	pkram_region_close(region);
}

static void test_drivers(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "drivers", PKRAM_CHECK_OK, "has what the memory needs", NULL);
	sysroot_text(s, "/lib/modules/6.12.0/modules.dep", "kernel/drivers/nvdimm/nd_pmem.ko:\n");
	finds(region, NULL, "drivers", PKRAM_CHECK_FAILS, "lacks the driver nd_e820",
	      "CONFIG_X86_PMEM_LEGACY");
	sysroot_text(s, "/lib/modules/6.12.0/modules.builtin",
		     "kernel/drivers/nvdimm/nd_e820.ko\n");
	finds(region, NULL, "drivers", PKRAM_CHECK_OK, NULL, NULL);
	/* No modules of its version: its configuration tells, or nothing does. */
	sysroot_remove(s, "/lib/modules/6.12.0/modules.dep");
	finds(region, NULL, "drivers", PKRAM_CHECK_WARNING, "as a module, and there is no /lib",
	      NULL);
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_BLK_DEV_PMEM=y\n");
	finds(region, NULL, "drivers", PKRAM_CHECK_FAILS, "nd_e820, by its configuration", NULL);
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_BLK_DEV_PMEM=y\nCONFIG_X86_PMEM_LEGACY=y\n");
	finds(region, NULL, "drivers", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_remove(s, "/boot/config-6.12.0");
	finds(region, NULL, "drivers", PKRAM_CHECK_WARNING, "cannot tell whether", NULL);
	sysroot_text(s, "/lib/modules/6.12.0/modules.dep",
		     "kernel/drivers/nvdimm/nd_e820.ko:\nkernel/drivers/nvdimm/nd_pmem.ko:\n");
	sysroot_remove(s, "/lib/modules/6.12.0/modules.builtin");
	o.append = "modprobe.blacklist=floppy,nd-pmem";
	finds(region, &o, "drivers", PKRAM_CHECK_WARNING, "nd_pmem is on a blacklist", NULL);
	o.append = "module_blacklist=nd_e820";
	finds(region, &o, "drivers", PKRAM_CHECK_FAILS, "forbids nd_e820", "leave it");
	o.append = NULL;
	o.initrd = "";
	finds(region, &o, "initrd", PKRAM_CHECK_OK, "starts without one", NULL);
	pkram_region_close(region);
}

/* Words of the next line that keep a driver away, or what it stands on. */
static void test_forbidden(void **state)
{
	static const struct {
		const char *word;
		bool builtin, refused;
		const char *reason;	/* NULL: it does no harm */
	} cases[] = {
		{ "module_blacklist=libnvdimm", false, true,
		  "forbids libnvdimm, without which there is no nd_e820" },
		{ "module_blacklist=floppy,nd_btt", false, true, "forbids nd_btt, without which" },
		{ "module_blacklist=nd_pmem,libnvdimm", true, false, NULL },
		{ "module_blacklist=device_dax", false, false, NULL },
		{ "initcall_blacklist=register_e820_pmem", true, true,
		  "forbids register_e820_pmem, without which there is no nd_e820" },
		{ "initcall_blacklist=register_e820_pmem", false, true, "no nd_e820" },
		{ "initcall_blacklist=x,e820_pmem_driver_init", true, true, "no nd_e820" },
		{ "initcall-blacklist=nd_pmem_driver_init", true, true, "no nd_pmem" },
		{ "initcall_blacklist=x initcall_blacklist=libnvdimm_init", true, true, "libnv" },
		{ "initcall_blacklist=init_module", false, true, "no nd_e820" },
		{ "initcall_blacklist=init_module", true, false, NULL },
		{ "initcall_blacklist=dax_pmem_init,hmem_init", true, false, NULL },
		{ "initcall_blacklist=register_e820_pmems", true, false, NULL },
		{ "-- initcall_blacklist=register_e820_pmem", true, false, NULL },
		{ "nomodule", false, true, "nomodule on the next command line forbids" },
		{ "nomodule=1", false, true, "all modules, without which there is no nd_e820" },
		{ "nomodule", true, false, NULL },
		{ "nomodule=n nomodules", false, false, NULL },
		{ "sysctl.kernel.modules_disabled=1", false, true, "all modules" },
		{ "sysctl/kernel/modules_disabled=1", false, true, "all modules" },
		{ "sysctl.kernel.modules_disabled=0", false, false, NULL },
		{ "acpi=off", false, false, NULL },
		{ "modprobe.blacklist=nd_pmem", false, false, "next system until" },
		{ "modprobe.blacklist=nd_pmem,nd_e820", true, false, NULL },
		{ "rd.driver.blacklist=nd-e820", false, false, "next initrd until" },
		{ "rdblacklist=nd_e820", false, false, "by rdblacklist= on the next" },
		{ "blacklist=floppy,nd_e820", false, false, "by blacklist= on the next" },
	};
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	sysroot_text(s, "/lib/modules/6.12.0/modules.dep",
		     "kernel/drivers/nvdimm/nd_e820.ko: kernel/drivers/nvdimm/libnvdimm.ko\n"
		     "kernel/drivers/nvdimm/nd_pmem.ko: kernel/drivers/nvdimm/nd_btt.ko "
		     "kernel/drivers/nvdimm/libnvdimm.ko\nkernel/fs/x.ko: kernel/fs/ext4.ko\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sysroot_text(s, "/boot/config-6.12.0", cases[i].builtin ?
			     "CONFIG_X86_PMEM_LEGACY=y\nCONFIG_BLK_DEV_PMEM=y\n" :
			     "CONFIG_X86_PMEM_LEGACY=m\nCONFIG_BLK_DEV_PMEM=m\n");
		o.append = cases[i].word;
		finds(region, &o, "drivers",
		      cases[i].refused ? PKRAM_CHECK_FAILS :
		      cases[i].reason ? PKRAM_CHECK_WARNING : PKRAM_CHECK_OK,
		      cases[i].reason, "leave it out with --command-line");
	}
	pkram_region_close(region);
}

static void put_packed(struct sysroot *s, const char *make)
{
	_cleanup_free_ char *command = NULL;

	assert_true(asprintf(&command, "cd %s/boot && { %s; } >initrd.img-6.12.0", s->dir, make) >
		    0);
	assert_int_equal(system(command), 0);
}

static void test_initrd(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "initrd", PKRAM_CHECK_OK, "pkram is not inside", NULL);
	sysroot_write(s, "/boot/initrd.img-6.12.0", SYSROOT_INITRD, sizeof(SYSROOT_INITRD) - 9);
	finds(region, NULL, "initrd", PKRAM_CHECK_FAILS, "damaged: ", "make it anew");
	assert_int_equal(pkram_stage(region, NULL), -EUCLEAN);
	sysroot_called(s, "");
	sysroot_text(s, "/boot/initrd.img-6.12.0", "\x89LZO\n but not for long enough to be one");
	finds(region, NULL, "initrd", PKRAM_CHECK_WARNING, "cannot be looked into: packed",
	      "see for yourself");
	/* Packed with what the next kernel cannot unpack. */
	put_packed(s, "ls | cpio --quiet -o -H newc | gzip");
	finds(region, NULL, "initrd", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_RD_XZ=y\n# CONFIG_RD_GZIP is not set\n"
		     "CONFIG_X86_PMEM_LEGACY=y\nCONFIG_BLK_DEV_PMEM=y\n");
	finds(region, NULL, "initrd", PKRAM_CHECK_FAILS, "is built without CONFIG_RD_GZIP",
	      "pack it in another way");
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_RD_GZIP=y\n# CONFIG_RD_XZ is not set\n"
		     "CONFIG_X86_PMEM_LEGACY=y\nCONFIG_BLK_DEV_PMEM=y\n");
	finds(region, NULL, "initrd", PKRAM_CHECK_OK, NULL, NULL);
	/* More than the machine holds, and more than is looked into. */
	sysroot_text(s, "/proc/meminfo", "MemTotal:          32768 kB\n");
	put_packed(s, "head -c 33M /dev/zero | gzip -1");
	finds(region, NULL, "initrd", PKRAM_CHECK_FAILS, "more than the 32 MiB of memory",
	      "--initrd");
	sysroot_remove(s, "/proc/meminfo");
	put_packed(s, "head -c 16M /dev/zero | gzip -1 >z; for i in $(seq 65); do cat z; done");
	finds(region, NULL, "initrd", PKRAM_CHECK_WARNING, "more than 1 GiB", "see for yourself");
	pkram_region_close(region);
}

static void test_kernel(void **state)
{
	static const char entry[] = "/boot/loader/entries/a.conf";
	struct pkram_stage_options o = { .struct_size = sizeof(o), .kernel = "/boot/mine" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, &o, "kernel", PKRAM_CHECK_FAILS, "/boot/mine", NULL);
	sysroot_text(s, "/boot/mine", "kernel");
	finds(region, &o, "kernel", PKRAM_CHECK_FAILS, "is not a kernel that kexec loads",
	      "--kernel");
	sysroot_kernel(s, "/boot/mine", "6.12.0");
	finds(region, &o, "kernel", PKRAM_CHECK_OK, "6.12.0: /boot/mine", NULL);
	sysroot_text(s, entry, "linux /gone\n");
	finds(region, NULL, "kernel", PKRAM_CHECK_FAILS, "names /boot/gone", "--kernel");
	sysroot_text(s, entry, "linux /mine\ninitrd /a\ninitrd /b\n");
	finds(region, NULL, "kernel", PKRAM_CHECK_FAILS, "the boot entry of /boot/mine has 2",
	      "--initrd FILE");
	o.kernel = NULL;
	o.initrd = "/boot/initrd.img-6.12.0";
	finds(region, &o, "kernel", PKRAM_CHECK_OK, "6.12.0: /boot/mine, initrd /boot/init", NULL);
	pkram_region_close(region);
}

static void test_memory(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	put_firmware(s, 1, "0x100000000", "0x10fffffff", "System RAM");
	finds(region, NULL, "firmware-map", PKRAM_CHECK_WARNING, "not inside one usable range",
	      "16 MiB");
	/* Two that touch are one. */
	put_firmware(s, 2, "0x110000000", "0x13fffffff", "System RAM");
	finds(region, NULL, "firmware-map", PKRAM_CHECK_OK, NULL, NULL);
	put_boot(s, BOOT_A, "ro memmap=1G!4G memmap=64K$0x18690000 ramoops.mem_size=65536", "176");
	finds(region, NULL, "other-memory", PKRAM_CHECK_OK, NULL, NULL);
	o.command_line = "ro memmap=1G!4G";
	finds(region, &o, "other-memory", PKRAM_CHECK_WARNING, "the 64 KiB at 0x18690000",
	      "memmap=");
	finds(region, &o, "other-memory", PKRAM_CHECK_WARNING, "ramoops.mem_size=65536", NULL);
	o.command_line = "ro memmap=64K$0x18690000 memmap=1G!4G ramoops.mem_size=65536";
	finds(region, &o, "other-memory", PKRAM_CHECK_OK, NULL, NULL);
	pkram_region_close(region);
}

/* What is written in one way is not read in the other. */
static void test_encryption(void **state)
{
	static const char able[] = "CONFIG_AMD_MEM_ENCRYPT=y\n";
	static const char always[] = "CONFIG_AMD_MEM_ENCRYPT=y\n"
				     "CONFIG_AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT=y\n";
	static const char unable[] = "CONFIG_X=y\n", this[] = "this kernel alone enciphers";
	static const char next[] = "the next kernel alone enciphers";
	static const struct {
		const char *running, *config, *line, *next_config;
		const char *reason, *remedy;	/* NULL: both kernels do the same */
	} cases[] = {
		{ "", able, "", able, NULL, NULL },
		{ "", able, "mem_encrypt=off mem_encrypt=on", able, next, "=off" },
		{ "", able, "mem_encrypt=on mem_encrypt=off", able, NULL, NULL },
		{ "mem_encrypt=on", able, "mem_encrypt=off", able, this, "=on" },
		{ "mem_encrypt=on", able, "mem_encrypt=on", able, NULL, NULL },
		/* Not known: as the line says. */
		{ "mem_encrypt=on", NULL, "mem_encrypt=on", NULL, NULL, NULL },
		{ "mem_encrypt=on", NULL, "", NULL, this, "=on" },
		{ "", NULL, "mem_encrypt=on", able, next, "=off" },
		/* Without a word, and with one that means nothing to the kernel. */
		{ "mem_encrypt=on", able, "mem_encrypt=on", unable, this, "--kernel" },
		{ "", always, "", able, this, "=on" },
		{ "", always, "", unable, this, "--kernel" },
		{ "", able, "", always, next, "=off" },
		{ "", always, "mem_encrypt=x", always, NULL, NULL },
		{ "mem_encrypt=off", always, "", able, NULL, NULL },
		{ "mem_encrypt=on", unable, "", able, NULL, NULL },
	};
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[128], text[512];
		struct pkram_stage_options o = { .struct_size = sizeof(o), .command_line = line };

		sysroot_text(s, "/boot/config-6.1.0", cases[i].config ? cases[i].config : "");
		snprintf(text, sizeof(text), "CONFIG_X86_PMEM_LEGACY=m\nCONFIG_BLK_DEV_PMEM=m\n%s",
			 cases[i].next_config ? cases[i].next_config : "cut off");
		sysroot_text(s, "/boot/config-6.12.0", text);
		snprintf(text, sizeof(text), "ro memmap=1G!4G %s", cases[i].running);
		put_boot(s, BOOT_A, text, "176");
		snprintf(line, sizeof(line), "ro memmap=1G!4G %s", cases[i].line);
		finds(region, &o, "reservation",
		      cases[i].reason ? PKRAM_CHECK_FAILS : PKRAM_CHECK_OK, cases[i].reason,
		      cases[i].remedy);
	}
	pkram_region_close(region);
}

/* One that cannot; a kernel that does not encipher hides what its CPU can. */
static void test_encryption_cpu(void **state)
{
	static const char able[] = "CONFIG_X86_PMEM_LEGACY=m\nCONFIG_BLK_DEV_PMEM=m\n"
				   "CONFIG_AMD_MEM_ENCRYPT=y\n";
	static const struct {
		const char *vendor, *flags;
		bool this, next;	/* whether it may be that kernel alone that enciphers */
	} cases[] = {
		{ "GenuineIntel", "fpu msr", false, false },
		{ "GenuineIntel", "fpu sme_coherent", false, false },
		{ "AuthenticAMD", "fpu sme_coherent", false, true },
		{ "AuthenticAMD", "fpu sme sev", true, true },
		{ "HygonGenuine", "fpu sev sme", true, true },
	};
	static const char on[] = "ro memmap=1G!4G mem_encrypt=on", off[] = "ro memmap=1G!4G";
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	sysroot_text(s, "/boot/config-6.1.0", able);
	sysroot_text(s, "/boot/config-6.12.0", able);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text), "processor\t: 0\nvendor_id\t: %s\nflags\t\t: %s\n"
			 "vmx flags\t: sme\nbugs\t\t: sme\n", cases[i].vendor, cases[i].flags);
		sysroot_text(s, "/proc/cpuinfo", text);
		put_boot(s, BOOT_A, on, "176");
		o.command_line = off;
		finds(region, &o, "reservation",
		      cases[i].this ? PKRAM_CHECK_FAILS : PKRAM_CHECK_OK, NULL, NULL);
		put_boot(s, BOOT_A, off, "176");
		o.command_line = on;
		finds(region, &o, "reservation",
		      cases[i].next ? PKRAM_CHECK_FAILS : PKRAM_CHECK_OK, NULL, NULL);
	}
	pkram_region_close(region);
}

/* Memory that is found by its ACPI table. */
static void test_without_acpi(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o), .command_line = "ro acpi=ht" };
	struct sysroot *s = *state;
	struct pkram_region *region;
	struct pkram_check_list *list;

	sysroot_text(s, "/sys/devices/platform/e820_pmem/ndbus0/provider", "ACPI.NFIT\n");
	sysroot_text(s, "/lib/modules/6.12.0/modules.dep", "kernel/nfit.ko:\nkernel/nd_pmem.ko:\n");
	region = open_region(s);
	list = look(region, &o);
	expect(list, "drivers", PKRAM_CHECK_OK, NULL, NULL);
	pkram_check_list_free(list);
	o.command_line = "ro acpi=off";
	list = look(region, &o);
	expect(list, "drivers", PKRAM_CHECK_FAILS, "acpi=off on the next command line forbids ACPI",
	       "leave it out");
	pkram_check_list_free(list);
	pkram_region_close(region);
}

static void test_crash_line(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o), .append = "elfcorehdr=1G" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, &o, "command-line", PKRAM_CHECK_FAILS, "elfcorehdr= on the next",
	      "leave it out");
	o.append = "x=elfcorehdr -- elfcorehdr=1G";
	finds(region, &o, "command-line", PKRAM_CHECK_OK, NULL, NULL);
	pkram_region_close(region);
}

static void test_old_kernel(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o),
					 .kernel = "/boot/vmlinuz-4.9.0" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct pkram_check_list *list;

	sysroot_kernel(s, "/boot/vmlinuz-4.9.0", "4.9.0");
	finds(region, &o, "reservation", PKRAM_CHECK_FAILS,
	      "the next kernel, 4.9.0, is one before 4.11", "--append nokaslr");
	o.append = "nokaslr";
	list = look(region, &o);
	expect(list, "reservation", PKRAM_CHECK_OK, NULL, NULL);
	pkram_check_list_free(list);
	pkram_region_close(region);
}

/* A kernel may add words of its own, and read more behind its initrd. */
static void test_built_in(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	static const char config[] = "/boot/config-6.12.0";
	static const char *const words[] = { "memmap=1G-4G", "mem=64M",
					     "mem=4608M", "memmap=exactmap",
					     "cma=64M@4G", "module_blacklist=nd_e820" };

	sysroot_text(s, config, "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"panic=9\"\n");
	finds(region, NULL, "command-line", PKRAM_CHECK_OK, "built with: panic=9 ro", NULL);
	sysroot_text(s, config, "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"memmap=2M$4G\"\n");
	finds(region, NULL, "reservation", PKRAM_CHECK_FAILS, "memmap=2M$4G on the next",
	      "choose another one with --kernel");
	o.append = "memmap=2M$4G";
	finds(region, &o, "reservation", PKRAM_CHECK_FAILS, "memmap=2M$4G on the next",
	      "give the right line");
	o.append = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char text[128];

		snprintf(text, sizeof(text), "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"%s\"\n",
			 words[i]);
		sysroot_text(s, config, text);
		finds(region, NULL, strchr(words[i], '_') ? "drivers" : "reservation",
		      PKRAM_CHECK_FAILS, "", "choose another one with --kernel");
	}
	sysroot_text(s, config,
		     "CONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"memmap=1G!4G\"\n"
		     "CONFIG_CMDLINE_OVERRIDE=y\n");
	finds(region, NULL, "command-line", PKRAM_CHECK_FAILS, "would not know of the jump",
	      "--kernel");
	sysroot_text(s, config, "CONFIG_BOOT_CONFIG=y\n");
	sysroot_bootconfig(s, "/boot/initrd.img-6.12.0", "kernel.memmap = \"1M$4G\"", 0, 0);
	finds(region, NULL, "reservation", PKRAM_CHECK_OK, NULL, NULL);
	o.append = "bootconfig";
	finds(region, &o, "reservation", PKRAM_CHECK_FAILS, "behind it says 'memmap'",
	      "leave bootconfig out");
	sysroot_text(s, config, "CONFIG_BOOT_CONFIG=y\nCONFIG_BOOT_CONFIG_FORCE=y\n");
	finds(region, &o, "reservation", PKRAM_CHECK_FAILS, "behind it says 'memmap'",
	      "take it off (bootconfig -d /boot/initrd.img-6.12.0)");
	assert_int_equal(pkram_stage(region, &o), -EUCLEAN);
	sysroot_called(s, "");
	pkram_region_close(region);
}

/* Damage is looked for when asked for, and counts for what would be served. */
static void test_content(void **state)
{
	const char *const names[] = { "stream" };
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct region *bytes = store_region(region->store);

	put_node(region, "stream", PKRAM_NODE_KIND_STREAM, NULL, 0);
	finds(region, NULL, "content", PKRAM_CHECK_OK, "not read", NULL);
	o.flags = PKRAM_STAGE_VERIFY;
	finds(region, &o, "content", PKRAM_CHECK_OK, "4096 bytes", NULL);
	for (uint64_t off = 2 * MIB; off < bytes->size; off += 4096)
		if (memcmp(region_ptr(bytes, off), "\7\7\7\7\7\7\7\7", 8) == 0)
			*region_ptr(bytes, off + 100) ^= 1;
	finds(region, NULL, "content", PKRAM_CHECK_OK, NULL, NULL);
	finds(region, &o, "content", PKRAM_CHECK_FAILS, "stream is damaged", "save it again");
	assert_int_equal(pkram_stage(region, &o), -EUCLEAN);
	sysroot_called(s, "");
	o.leave_behind = names;
	o.n_leave_behind = 1;
	finds(region, &o, "content", PKRAM_CHECK_WARNING, "left behind in any case", NULL);
	/* The same of one that cannot even be told. */
	for (uint64_t off = 2 * MIB; off < bytes->size; off += 4096)
		if (memcmp(region_ptr(bytes, off), PKRAM_NODE_MAGIC, 8) == 0)
			*region_ptr(bytes, off + 100) ^= 1;
	finds(region, &o, "content", PKRAM_CHECK_WARNING, "node 1 is damaged, which is left", NULL);
	o.n_leave_behind = 0;
	finds(region, &o, "content", PKRAM_CHECK_FAILS, "node 1 is damaged", "by its name");
	o.flags = 0;
	finds(region, &o, "nodes", PKRAM_CHECK_WARNING, "node 1 is damaged", "verify");
	pkram_region_close(region);
}

/* By the linker: all threads that are started come by here. */
static unsigned int threads_started;
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	threads_started++;
	return __real_pthread_create(thread, attr, fn, arg);
}

/* So many symlinks that the tree's own metadata is several windows. */
static void put_symlinks(struct sysroot *s, const char *dir)
{
	_cleanup_free_ char *target = calloc(4000, 1);
	char path[64];

	assert_non_null(target);
	memset(target, 'x', 3999);
	for (int i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, i);
		put_link(s, path, target);
	}
}

/* The damaged file is named by no more threads than are allowed. */
static void test_damage_threads(void **state)
{
	struct pkram_save_item item = { .name = "tree" };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct region *bytes = store_region(region->store);
	_cleanup_free_ char *dir = sysroot_path(s, "/srv");

	sysroot_text(s, "/srv/data", "this will be damaged");
	put_symlinks(s, "/srv");
	item.path = dir;
	assert_int_equal(pkram_save_trees(region, &item, 1, NULL, NULL), 0);
	for (uint64_t off = 2 * MIB; off < bytes->size; off += 4096)
		if (memcmp(region_ptr(bytes, off), "this will be", 12) == 0)
			*region_ptr(bytes, off + 100) ^= 1;
	pkram_set_threads(s->ctx, 1);
	threads_started = 0;
	assert_int_equal(pkram_verify(region, NULL, 0, NULL), -EBADMSG);
	assert_true(sysroot_logged(s, "tree: damaged: data"));
	assert_int_equal(threads_started, 0);
	pkram_region_close(region);
}

static int stop(void *userdata, const struct pkram_progress *p)
{
	const char **what = userdata;

	assert_null(*what);
	*what = p->what;
	return -1;
}

/* What is read for long is seen and cancelled, at once: also what is stale and said nothing of. */
static void test_cancel(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o), .flags = PKRAM_STAGE_VERIFY };
	struct pkram_check_list *list = NULL;
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	_cleanup_free_ char *dir = sysroot_path(s, "/srv");
	const char *what = NULL;

	sysroot_text(s, "/srv/a", "a");
	put_node(region, "one", PKRAM_NODE_KIND_TREE, dir, 2);
	put_node(region, "two", PKRAM_NODE_KIND_TREE, dir, 2);
	pkram_set_progress_fn(s->ctx, stop, &what);
	assert_int_equal(pkram_check(region, &o, &list), -ECANCELED);
	assert_string_equal(what, "compare");
	pkram_region_close(region);

	put_boot(s, BOOT_B, "ro memmap=1G!4G", "176");
	region = open_region(s);
	what = NULL;
	assert_int_equal(pkram_check(region, &o, &list), -ECANCELED);
	assert_string_equal(what, "verify");
	assert_null(list);
	pkram_set_progress_fn(s->ctx, NULL, NULL);
	pkram_region_close(region);
}

static void put_zeros(struct sysroot *s, const char *path, size_t size)
{
	_cleanup_free_ char *zeros = calloc(size, 1);

	assert_non_null(zeros);
	sysroot_write(s, path, zeros, size);
}

/* What units save on the way down has to go where it survives, and to fit there. */
static void test_units(void **state)
{
	struct sysroot *s = *state;
	_cleanup_free_ char *dir = sysroot_path(s, "/srv"), *none = sysroot_path(s, "/none");
	struct pkram_later later[] = { { .path = dir }, { .path = none } };
	const char *const left[] = { dir };
	struct pkram_stage_options o = { .struct_size = sizeof(o), .saved_later = later,
					 .n_saved_later = ARRAY_SIZE(later) };
	struct pkram_save_item item = { .path = dir, .name = dir };
	struct pkram_region *region = open_region(s);
	struct store_info info;

	finds(region, NULL, "units", PKRAM_CHECK_OK, "none saves", NULL);
	put_zeros(s, "/srv/a", REGION_SIZE / 2);
	finds(region, &o, "units", PKRAM_CHECK_OK, "bytes will be saved by units, with room", NULL);
	later[0].region = "pmem:/dev/pmem0";
	finds(region, &o, "units", PKRAM_CHECK_OK, "will be saved by units", NULL);
	later[1].path = dir;
	finds(region, &o, "units", PKRAM_CHECK_FAILS, "to be saved by more than one unit",
	      "in one file of /etc/pkram.d");
	later[1].path = none;
	later[0].region = "pmem:/dev/pmem7";
	finds(region, &o, "units", PKRAM_CHECK_FAILS, "which holds no container",
	      "pkram init pmem:/dev/pmem7");
	later[0].region = region_file;
	finds(region, &o, "units", PKRAM_CHECK_FAILS, "a file, which does not survive the jump",
	      "/etc/pkram.d");
	later[0].region = NULL;
	sysroot_text(s, "/etc/pkram.conf", "region = pmem:/dev/pmem7\n");
	finds(region, &o, "units", PKRAM_CHECK_FAILS, "pmem7, which holds no container", NULL);
	sysroot_text(s, "/etc/pkram.conf", "");

	/* The older node stays beside the new one, unless it is of an earlier boot. */
	assert_int_equal(pkram_save_trees(region, &item, 1, NULL, NULL), 0);
	finds(region, &o, "units", PKRAM_CHECK_FAILS, "no room for what units will save",
	      "pkram rm");
	assert_int_equal(pkram_stage(region, &o), -EUCLEAN);
	sysroot_called(s, "");
	o.leave_behind = left;
	o.n_leave_behind = 1;
	finds(region, &o, "units", PKRAM_CHECK_OK, NULL, NULL);
	o.n_leave_behind = 0;
	memset(region->boot_id, 0x0b, sizeof(region->boot_id));
	finds(region, &o, "units", PKRAM_CHECK_OK, "will be saved", NULL);
	assert_int_equal(store_info(region->store, &info), 0);
	put_zeros(s, "/srv/b", info.size);
	finds(region, &o, "units", PKRAM_CHECK_FAILS, "no room", "pkram rm");
	pkram_region_close(region);
}

/* A configuration of the running kernel, 6.1.0. */
static void put_config(struct sysroot *s, const char *text)
{
	sysroot_text(s, "/boot/config-6.1.0", text);
}

static void test_kexec(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "kexec", PKRAM_CHECK_OK, "by kexec_file_load", NULL);
	put_config(s, "CONFIG_KEXEC=y\n# CONFIG_KEXEC_FILE is not set\n");
	finds(region, NULL, "kexec", PKRAM_CHECK_OK, "by kexec_load, bounded", NULL);
	o.method = PKRAM_STAGE_METHOD_FILE;
	finds(region, &o, "kexec", PKRAM_CHECK_FAILS, "no kexec_file_load", "--method auto");
	o.method = PKRAM_STAGE_METHOD_LOAD;
	put_config(s, "CONFIG_KEXEC_FILE=y\n");
	finds(region, &o, "kexec", PKRAM_CHECK_FAILS, "no kexec_load", "--method auto");
	put_config(s, "CONFIG_KEXEC_FILE=y\nCONFIG_KEXEC=y\n");
	finds(region, &o, "kexec", PKRAM_CHECK_OK, "bounded", NULL);
	sysroot_text(s, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	finds(region, &o, "kexec", PKRAM_CHECK_FAILS, "refuses kexec_load", "--method file");
	sysroot_text(s, "/proc/sys/kernel/kexec_load_disabled", "1\n");
	finds(region, NULL, "kexec", PKRAM_CHECK_FAILS, "kexec_load_disabled", "/etc/sysctl.d");
	sysroot_remove(s, "/sys/kernel/kexec_loaded");
	finds(region, NULL, "kexec", PKRAM_CHECK_FAILS, "without kexec", "CONFIG_KEXEC_FILE");
	o.method = 7;
	assert_int_equal(pkram_stage(region, &o), -EINVAL);
	pkram_region_close(region);
}

/* How often the kernel still loads or unloads. */
static void test_limit(void **state)
{
	static const char limit[] = "/proc/sys/kernel/kexec_load_limit_reboot";
	static const char jumps[] = "is used up", arms[] = "does not last until";
	struct pkram_stage_options o = { .struct_size = sizeof(o),
					 .flags = PKRAM_STAGE_NO_SYSTEMD };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	struct pkram_check_list *list;

	sysroot_text(s, limit, "0\n");
	finds(region, NULL, "kexec", PKRAM_CHECK_FAILS, jumps, "reboot by firmware");
	sysroot_text(s, limit, "1\n");
	finds(region, NULL, "kexec", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/usr/lib/systemd/system/systemd-kexec.service", "[Unit]\n");
	sysroot_text(s, "/run/systemd/system/x", "");
	/* Without the service, the jump is armed at once. */
	finds(region, NULL, "kexec", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/armer", "");
	finds(region, &o, "kexec", PKRAM_CHECK_OK, NULL, NULL);
	finds(region, NULL, "kexec", PKRAM_CHECK_FAILS, arms, "--no-systemd");
	sysroot_text(s, limit, "2\n");
	finds(region, NULL, "kexec", PKRAM_CHECK_FAILS, "2 left, and 3 needed", "--no-systemd");
	assert_int_equal(pkram_stage(region, NULL), -EUCLEAN);
	sysroot_called(s, "");
	sysroot_text(s, limit, "3\n");
	assert_int_equal(pkram_stage(region, NULL), 0);
	pkram_region_close(region);
	/* Another kernel is loaded; then that is the last time. */
	region = open_region(s);
	finds(region, NULL, "kexec", PKRAM_CHECK_FAILS, "3 left, and 4 needed", "--no-systemd");
	sysroot_text(s, limit, "4\n");
	finds(region, NULL, "kexec", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, limit, "1\n");
	finds(region, &o, "kexec", PKRAM_CHECK_FAILS, jumps, "reboot by firmware");
	sysroot_text(s, limit, "2\n");
	sysroot_text(s, "/job", "17\n");
	assert_int_equal(pkram_arm(region, NULL), 0);
	sysroot_text(s, limit, "-1\n");
	list = look(region, NULL);
	expect(list, "kexec", PKRAM_CHECK_OK, NULL, NULL);
	pkram_check_list_free(list);
	pkram_region_close(region);
}

static void test_signature(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "signature", PKRAM_CHECK_OK, "not asked for", NULL);
	put_config(s, "CONFIG_KEXEC_FILE=y\nCONFIG_KEXEC_SIG_FORCE=y\n");
	finds(region, NULL, "signature", PKRAM_CHECK_FAILS, "CONFIG_KEXEC_SIG_FORCE", "signed");
	put_config(s, "CONFIG_KEXEC_FILE=y\n");
	sysroot_text(s, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	finds(region, NULL, "signature", PKRAM_CHECK_FAILS, "vmlinuz-6.12.0 is not signed", NULL);
	pkram_region_close(region);
}

static void test_loaded(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "loaded", PKRAM_CHECK_OK, "no kernel is loaded", NULL);
	sysroot_text(s, "/sys/kernel/kexec_loaded", "1\n");
	finds(region, NULL, "loaded", PKRAM_CHECK_WARNING, "pkram has not staged", "kexec -s -u");
	assert_int_equal(pkram_stage(region, NULL), 0);
	finds(region, NULL, "loaded", PKRAM_CHECK_OK, "has staged", NULL);
	pkram_region_close(region);
}

static void test_systemd(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "systemd", PKRAM_CHECK_OK, "does not run", NULL);
	sysroot_text(s, "/run/systemd/system/x", "");
	finds(region, NULL, "systemd", PKRAM_CHECK_WARNING, "has no systemd-kexec.service",
	      "--no-systemd");
	sysroot_text(s, "/usr/lib/systemd/system/systemd-kexec.service", "[Unit]\n");
	finds(region, NULL, "systemd", PKRAM_CHECK_OK, "systemctl kexec", NULL);
	put_link(s, "/etc/systemd/system/systemd-kexec.service", "/dev/null");
	finds(region, NULL, "systemd", PKRAM_CHECK_WARNING, "is masked", "unmask");
	o.flags = PKRAM_STAGE_NO_SYSTEMD;
	finds(region, &o, "systemd", PKRAM_CHECK_OK, "not asked: the jump is 'kexec -e'", NULL);
	pkram_region_close(region);
}

/* Soft Reserved memory at 1 GiB under a dax device whose bytes are the file's. */
static void put_soft_reserved(struct sysroot *s)
{
	static const char dir[] = "/sys/devices/platform/hmem.0/dax0.0";
	char path[128];

	snprintf(path, sizeof(path), "%s/resource", dir);
	sysroot_text(s, path, "0x40000000\n");
	snprintf(path, sizeof(path), "%s/size", dir);
	sysroot_text(s, path, "1073741824\n");
	snprintf(path, sizeof(path), "%s/uevent", dir);
	sysroot_text(s, path, "DEVNAME=pmem0\n");
	snprintf(path, sizeof(path), "%s/subsystem", dir);
	put_link(s, path, "../../../../bus/dax");
	sysroot_text(s, "/sys/bus/dax/uevent", "");
	put_link(s, "/sys/bus/dax/devices/dax0.0", "../../../devices/platform/hmem.0/dax0.0");
	sysroot_text(s, "/proc/iomem", "40000000-7fffffff : Soft Reserved\n");
	sysroot_remove(s, "/sys/class/block/pmem0");
	put_firmware(s, 1, "0x100000", "0xbfffffff", "System RAM");
}

static void test_kmem(void **state)
{
	struct pkram_stage_options o = { .struct_size = sizeof(o) };
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "kmem", PKRAM_CHECK_OK, "no region is Soft Reserved", NULL);
	put_soft_reserved(s);
	put_boot(s, BOOT_A, "ro memmap=1G%1G-1+0xefffffff", "176");
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_DEV_DAX=y\nCONFIG_DEV_DAX_HMEM=y\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_OK, "kmem is kept away", NULL);
	sysroot_text(s, "/boot/config-6.12.0",
		     "CONFIG_DEV_DAX=y\nCONFIG_DEV_DAX_HMEM=y\nCONFIG_DEV_DAX_KMEM=m\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/lib/modules/6.12.0/modules.dep", "kernel/drivers/dax/kmem.ko:\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_FAILS, "may take its memory", "blacklist kmem");
	/* What a crash has left of a configuration, and one that does not know of the module. */
	sysroot_text(s, "/boot/config-6.12.0", "");
	finds(region, NULL, "kmem", PKRAM_CHECK_FAILS, "may take its memory", "blacklist kmem");
	sysroot_text(s, "/boot/config-6.12.0", "CONFIG_DEV_DAX=y\nCONFIG_DEV_DAX_HMEM=y\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_FAILS, "may take its memory", "blacklist kmem");
	o.append = "modprobe.blacklist=nouveau,kmem";
	finds(region, &o, "kmem", PKRAM_CHECK_OK, NULL, NULL);
	o.append = "memhp_default_state=offline";
	finds(region, &o, "kmem", PKRAM_CHECK_WARNING, "stays unused", NULL);
	sysroot_text(s, "/etc/modprobe.d/pkram.conf", "blacklist kmem\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/etc/modprobe.d/pkram.conf", "install kmem /bin/false\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_OK, NULL, NULL);
	/* An initrd that was made before, with the driver; the line, or a new one, helps. */
	sysroot_text(s, "/i/lib/modules/6.12.0/kmem.ko", "");
	put_packed(s, "cd ../i; find . | cpio --quiet -o -H newc");
	finds(region, NULL, "kmem", PKRAM_CHECK_FAILS, "may take its memory", "renew the initrd");
	o.append = "module_blacklist=kmem";
	finds(region, &o, "kmem", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/i/etc/modprobe.d/pkram.conf", "blacklist kmem\n");
	put_packed(s, "cd ../i; find . | cpio --quiet -o -H newc");
	finds(region, NULL, "kmem", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_remove(s, "/etc/modprobe.d/pkram.conf");
	finds(region, NULL, "kmem", PKRAM_CHECK_FAILS, "may take its memory", "renew the initrd");
	sysroot_text(s, "/etc/modprobe.d/pkram.conf", "blacklist kmem\n");
	sysroot_text(s, "/boot/config-6.12.0",
		     "CONFIG_DEV_DAX=y\nCONFIG_DEV_DAX_HMEM=y\nCONFIG_DEV_DAX_KMEM=y\n");
	finds(region, NULL, "kmem", PKRAM_CHECK_FAILS, "may take its memory",
	      "memhp_default_state=offline");
	pkram_region_close(region);
}

static void test_devices(void **state)
{
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "devices", PKRAM_CHECK_OK, NULL, NULL);
	put_link(s, "/sys/devices/platform/e820_pmem/driver",
		 "../../../bus/platform/drivers/ramdax");
	finds(region, NULL, "devices", PKRAM_CHECK_WARNING, "ramdax has divided",
	      "driver_override");
	pkram_region_close(region);
}

/* grub.cfg as update-grub writes it, with the words for one kernel. */
static void put_grub(struct sysroot *s, const char *words)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "menuentry 'Debian' {\n\tlinux /boot/vmlinuz-6.12.0 root=/dev/vda1 ro %s $more\n"
		 "\tinitrd /boot/initrd.img-6.12.0\n}\n"
		 "menuentry 'Debian, old' {\n\tlinux /boot/vmlinuz-6.1.0 root=/dev/vda1 ro\n}\n",
		 words);
	sysroot_text(s, "/boot/grub/grub.cfg", text);
}

/* What update-grub would make of the settings, which add to each other. */
static void test_grub_settings(void **state)
{
	static const char dropin[] = "/etc/default/grub.d/50-pkram.cfg";
	static const char drops[] = "the next update-grub drops it";
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	put_grub(s, "memmap=1G!4G memmap=2G!8G");
	sysroot_text(s, "/etc/default/grub", "GRUB_DISTRIBUTOR=`( . /x; echo ${NAME} )`\n"
					     "GRUB_CMDLINE_LINUX=quiet\n");
	sysroot_text(s, dropin, "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX memmap=1G!4G\"\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, drops, NULL);
	sysroot_text(s, dropin, "# pkram plan: memmap=1G!4G\n"
				"GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX memmap=1G!4G\"\n"
				"# pkram plan: memmap=2G!8G\n"
				"GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX memmap=2G!8G\"\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	/* A later file that does not add drops what was there. */
	sysroot_text(s, "/etc/default/grub.d/60.cfg", "GRUB_CMDLINE_LINUX='memmap=1G!4G'\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, drops, NULL);
	sysroot_text(s, "/etc/default/grub.d/60.cfg",
		     "export GRUB_CMDLINE_LINUX_DEFAULT=\"a ${GRUB_CMDLINE_LINUX} $(x b) c\"\n"
		     "GRUB_CMDLINE_LINUX=\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	/* A word that took the place of another one. */
	put_grub(s, "memmap=1G!4G,2G!8G");
	sysroot_remove(s, "/etc/default/grub.d/60.cfg");
	sysroot_text(s, "/etc/default/grub", "GRUB_CMDLINE_LINUX='quiet memmap=1G!4G'\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, drops, NULL);
	sysroot_text(s, dropin,
		     "case \" $GRUB_CMDLINE_LINUX \" in *' memmap=1G!4G '*) "
		     "GRUB_CMDLINE_LINUX=\" $GRUB_CMDLINE_LINUX \"; "
		     "GRUB_CMDLINE_LINUX=${GRUB_CMDLINE_LINUX%%' memmap=1G!4G '*}"
		     "' memmap=1G!4G,2G!8G '${GRUB_CMDLINE_LINUX#*' memmap=1G!4G '};; esac\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	pkram_region_close(region);
}

/* Where the boot loader puts what it loads, a region does not come through a reboot. */
static void test_cold_initrd(void **state)
{
	static const char hit[] = "pmem:/dev/pmem0: the boot loader puts its initrd there";
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);
	uint8_t params[4096] = { 0 };

	put_grub(s, "memmap=1G!4G");
	params[0xc0] = 1;	/* its address is above 4 GiB */
	memcpy(params + 0x21c, "\x00\x10\x20\x00", 4);
	memcpy(params + 0x218, "\x00\xf0\xff\x3f", 4);
	sysroot_write(s, "/sys/kernel/boot_params/data", params, sizeof(params));
	sysroot_text(s, "/proc/sys/kernel/bootloader_type", "208\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/proc/sys/kernel/bootloader_type", "114\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, hit, "pkram plan");
	memcpy(params + 0x218, "\x00\x00\x00\x40", 4);
	sysroot_write(s, "/sys/kernel/boot_params/data", params, sizeof(params));
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	pkram_region_close(region);
}

static void test_cold_boot(void **state)
{
	static const char entry[] = "/boot/loader/entries/a.conf";
	struct sysroot *s = *state;
	struct pkram_region *region = open_region(s);

	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "cannot tell which", NULL);
	put_grub(s, "quiet");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING,
	      "pmem:/dev/pmem0: the boot loader does not reserve its memory",
	      "set memmap=1G!4G in the boot loader (/etc/default/grub and update-grub, or the "
	      "options of boot entries and /etc/kernel/cmdline)");
	put_grub(s, "memmap=512M!4G");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "does not reserve", NULL);
	/* Any spelling, quoted and escaped as GRUB has it. */
	put_grub(s, "\"memmap=1024M!0x100000000\" memmap=64K\\$0x18690000");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, "reserves the memory, too", NULL);
	sysroot_text(s, "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"quiet\"\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "the next update-grub drops it",
	      "GRUB_CMDLINE_LINUX");
	sysroot_text(s, "/etc/default/grub",
		     "GRUB_CMDLINE_LINUX=\"memmap=1024M!0x100000000 memmap=64K\\$0x18690000\"\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING,
	      "memmap=64K$0x18690000 stands in grub.cfg", "\\\\\\$");
	sysroot_text(s, "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"quiet memmap=1024M!0x100000000 "
					     "memmap=64K\\\\\\$0x18690000\"\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	/* What GRUB makes of a '$' without its backslash is no such word. */
	put_grub(s, "memmap=1G!4G memmap=64K$0x18690000");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "does not reserve", NULL);
	put_grub(s, "\"memmap=1024M!0x100000000\"");
	/* Boot entries. */
	sysroot_remove(s, "/boot/grub/grub.cfg");
	sysroot_remove(s, "/etc/default/grub");
	sysroot_text(s, entry, "linux /vmlinuz-6.12.0\noptions root=/dev/vda1 ro\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "does not reserve", NULL);
	sysroot_text(s, entry, "linux /vmlinuz-6.12.0\noptions root=/dev/vda1\n"
			       "options memmap=1G!4G\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	/* GRUB, which may show them, takes a '$' for a variable's; systemd-boot does not. */
	sysroot_text(s, entry, "linux /vmlinuz-6.12.0\n"
			       "options memmap=1G!4G memmap=64K$0x18690000\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, "/boot/grub2/grub.cfg", "blscfg\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "cannot tell which", NULL);
	sysroot_text(s, entry, "linux /vmlinuz-6.12.0\noptions memmap=1G!4G\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	/* It makes entries of its settings, too, and kernel-install has it do that. */
	sysroot_text(s, "/etc/default/grub", "GRUB_CMDLINE_LINUX=quiet\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING,
	      "memmap=1G!4G stands in the boot entry, and not in /etc/default/grub: the next "
	      "grub2-mkconfig drops it", "add it to GRUB_CMDLINE_LINUX");
	sysroot_text(s, "/etc/default/grub", "GRUB_CMDLINE_LINUX='quiet memmap=1G!4G'\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_remove(s, "/boot/grub2/grub.cfg");
	sysroot_remove(s, "/etc/default/grub");
	sysroot_text(s, "/etc/kernel/cmdline", "root=/dev/vda1\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "of kernels to come", NULL);
	sysroot_text(s, "/etc/kernel/cmdline", "# memmap=1G!4G\nroot=/dev/vda1\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "of kernels to come", NULL);
	sysroot_text(s, "/etc/kernel/cmdline", "# --\nroot=/dev/vda1\nmemmap=1G!4G\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "of kernels to come", NULL);
	sysroot_text(s, "/usr/lib/kernel/install.d/90-loaderentry.install",
		     "x=\"$(grep -Gv '^\\s*#' y)\"\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_OK, NULL, NULL);
	sysroot_text(s, entry, "linux /vmlinuz-6.12.0\noptions ${kernelopts}\n");
	finds(region, NULL, "cold-boot", PKRAM_CHECK_WARNING, "cannot tell which", NULL);
	pkram_region_close(region);
}

#define CHECK_TEST(f) cmocka_unit_test_setup_teardown(f, stage_setup, sysroot_teardown_programs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHECK_TEST(test_list),
		CHECK_TEST(test_skipped),
		CHECK_TEST(test_nodes),
		CHECK_TEST(test_drivers),
		CHECK_TEST(test_forbidden),
		CHECK_TEST(test_initrd),
		CHECK_TEST(test_kernel),
		CHECK_TEST(test_memory),
		CHECK_TEST(test_encryption),
		CHECK_TEST(test_encryption_cpu),
		CHECK_TEST(test_without_acpi),
		CHECK_TEST(test_crash_line),
		CHECK_TEST(test_old_kernel),
		CHECK_TEST(test_built_in),
		CHECK_TEST(test_content),
		CHECK_TEST(test_damage_threads),
		CHECK_TEST(test_cancel),
		CHECK_TEST(test_units),
		CHECK_TEST(test_kexec),
		CHECK_TEST(test_limit),
		CHECK_TEST(test_signature),
		CHECK_TEST(test_loaded),
		CHECK_TEST(test_systemd),
		CHECK_TEST(test_kmem),
		CHECK_TEST(test_devices),
		CHECK_TEST(test_cold_initrd),
		CHECK_TEST(test_cold_boot),
		CHECK_TEST(test_grub_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
