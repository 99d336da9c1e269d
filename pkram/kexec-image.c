/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a kernel file says of itself: the x86 boot protocol's header, and the PE header that lets
 * firmware start it.
 */
#include "kexec.h"
#include "machine.h"

#include <ctype.h>
#include <fcntl.h>

#define SECTOR 512u

#define SETUP_SECTS 0x1f1
#define BOOT_FLAG 0x1fe
#define MAGIC 0x202
#define PROTOCOL 0x206
#define VERSION_POINTER 0x20e
#define XLOADFLAGS 0x236
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define INIT_SIZE 0x260
#define HEADER_END 0x264

/* Of XLOADFLAGS: a 64-bit entry, and loadable anywhere. */
#define XLF_64 0x3u

#define PE_POINTER 0x3c
#define PE_HEAD 24u
#define PE_SECTION 40u
#define PE_CERTIFICATES 4u

/* Of a text in a section. */
#define TEXT_MAX (64 * KIB)

static uint16_t le16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32_at(const uint8_t *p)
{
	return le16_at(p) | (uint32_t)le16_at(p + 2) << 16;
}

static bool read_at(int fd, uint64_t off, void *buf, size_t len)
{
	return off <= INT64_MAX && pread(fd, buf, len, (off_t)off) == (ssize_t)len;
}

/* The version string's first word, where the image has one. */
static void read_version(int fd, const uint8_t *head, struct kexec_image *ret)
{
	uint64_t setup = (head[SETUP_SECTS] ? head[SETUP_SECTS] : 4u) * SECTOR;
	uint64_t off = le16_at(head + VERSION_POINTER);
	ssize_t n, len = 0;
	char text[128];

	if (!off || off >= setup)
		return;
	n = pread(fd, text, sizeof(text), (off_t)(off + SECTOR));
	while (len < n && isgraph((unsigned char)text[len]))
		len++;
	/* It ends inside what was read, or it is not a version. */
	if (len == 0 || len == n || !isdigit((unsigned char)*text) ||
	    (text[len] != ' ' && text[len] != '\0'))
		return;
	memcpy(ret->version, text, (size_t)len);
	ret->version[len] = '\0';
}

/* Fields that an older protocol does not have read as 0. */
static void read_header(int fd, struct kexec_image *ret)
{
	uint8_t head[HEADER_END] = { 0 };
	ssize_t n = pread(fd, head, sizeof(head), 0);
	uint64_t setup;

	if (n < VERSION_POINTER + 2 || le16_at(head + BOOT_FLAG) != 0xaa55 ||
	    memcmp(head + MAGIC, "HdrS", 4) != 0)
		return;
	ret->kind = KEXEC_IMAGE_BZIMAGE;
	ret->protocol = le16_at(head + PROTOCOL);
	read_version(fd, head, ret);
	ret->boots_64 = ret->protocol >= 0x20c && (head[XLOADFLAGS] & XLF_64) == XLF_64;
	ret->init_size = ret->protocol >= 0x20a ? le32_at(head + INIT_SIZE) : 0;
	setup = (head[SETUP_SECTS] ? head[SETUP_SECTS] : 4u) * SECTOR + SECTOR;
	if (ret->protocol >= 0x208) {
		ret->payload = setup + le32_at(head + PAYLOAD_OFFSET);
		ret->payload_len = le32_at(head + PAYLOAD_LENGTH);
	}
}

/* Its sections begin behind the options; false: no PE file. */
static bool find_pe(int fd, uint8_t ret_head[static PE_HEAD], uint64_t *ret_options)
{
	uint8_t mz[PE_POINTER + 4];
	uint32_t at;

	if (!read_at(fd, 0, mz, sizeof(mz)) || memcmp(mz, "MZ", 2) != 0)
		return false;
	at = le32_at(mz + PE_POINTER);
	*ret_options = (uint64_t)at + PE_HEAD;
	return read_at(fd, at, ret_head, PE_HEAD) && memcmp(ret_head, "PE\0", 4) == 0;
}

static bool find_section(int fd, const uint8_t *pe, uint64_t options, const char *name,
			 uint8_t ret[static PE_SECTION])
{
	uint64_t table = options + le16_at(pe + 20);
	unsigned int n = le16_at(pe + 6);

	for (unsigned int i = 0; i < n; i++) {
		if (!read_at(fd, table + i * PE_SECTION, ret, PE_SECTION))
			return false;
		if (strncmp((const char *)ret, name, 8) == 0)
			return true;
	}
	return false;
}

static void read_pe(int fd, struct kexec_image *ret)
{
	uint8_t pe[PE_HEAD], optional[112 + 8 * (PE_CERTIFICATES + 1)] = { 0 };
	uint8_t section[PE_SECTION];
	uint32_t directories;
	uint64_t options;
	bool wide;

	if (!find_pe(fd, pe, &options))
		return;
	ret->machine = le16_at(pe + 4);
	if (find_section(fd, pe, options, ".linux", section))
		ret->kind = KEXEC_IMAGE_UNIFIED;
	else if (ret->kind == KEXEC_IMAGE_UNKNOWN)
		ret->kind = KEXEC_IMAGE_EFI;
	if (!read_at(fd, options, optional, MIN((size_t)le16_at(pe + 20), sizeof(optional))))
		return;
	wide = le16_at(optional) == 0x20b;
	directories = wide ? 112 : 96;
	ret->is_signed = le32_at(optional + directories - 4) > PE_CERTIFICATES &&
			 le32_at(optional + directories + 8 * PE_CERTIFICATES + 4) > 0;
}

int kexec_image_text(struct pkram_ctx *ctx, const char *path, const char *section, char **ret)
{
	_cleanup_close_ int fd = machine_open(ctx, path, O_RDONLY);
	uint8_t pe[PE_HEAD], found[PE_SECTION];
	uint64_t options;
	size_t len;
	char *text;

	if (fd < 0)
		return fd;
	if (!find_pe(fd, pe, &options) || !find_section(fd, pe, options, section, found))
		return -ENODATA;
	/* What is in the file may be filled up, or be less than is said to be in memory. */
	len = MIN(le32_at(found + 8), le32_at(found + 16));
	if (len > TEXT_MAX)
		return -EFBIG;
	text = calloc(len + 1, 1);
	if (!text)
		return -ENOMEM;
	if (!read_at(fd, le32_at(found + 20), text, len)) {
		free(text);
		return -ENODATA;
	}
	*ret = text;
	return 0;
}

int kexec_image_read(struct pkram_ctx *ctx, const char *path, struct kexec_image *ret)
{
	_cleanup_close_ int fd = machine_open(ctx, path, O_RDONLY);

	if (fd < 0)
		return fd;
	*ret = (struct kexec_image){ .kind = KEXEC_IMAGE_UNKNOWN };
	read_header(fd, ret);
	read_pe(fd, ret);
	return 0;
}
