# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The command lines that are booted:
#
#	line NAME KERNELS LINE
#
# The firmware's RAM ends at 3 GiB, and lies from 4 to 5 GiB again. Where a kernel may place itself
# at random in a range of the line, or outside of all that the line leaves, it has nokaslr: what is
# recorded must come out again.

both='6.12 6.1'
new=6.12

# What stands before each of them.
first='console=ttyS0 earlyprintk=ttyS0 panic=-1 quiet'

# A word that means nothing and WORDS, so long that the whole line has BYTES.
filled() {
	local bytes=$1 words=$2

	printf 'a=%s %s' "$(printf "%$((bytes - ${#first} - ${#words} - 4))s" '' | tr ' ' x)" "$words"
}

# --- one region, spelt in many ways ---
line plain            "$both" 'memmap=512M!4G'
line none             "$both" ''
line hex              "$both" 'memmap=0x20000000!0x100000000'
line hex-upper        "$new"  'memmap=0X20000000!0X100000000'
line decimal          "$new"  'memmap=536870912!4294967296'
line octal            "$both" 'memmap=04000000000!040000000000'
line kilo             "$new"  'memmap=524288K!4194304k'
line lower            "$new"  'memmap=512m!4g'
line hex-suffix       "$new"  'memmap=0x200M!0x4G'
line leading-zeros    "$both" 'memmap=00001000M!4G'
line not-octal        "$new"  'memmap=512M!08G'
line quoted-value     "$both" 'memmap="512M!4G"'
line quoted-word      "$both" '"memmap=512M!4G"'
line inner-quotes     "$new"  'memmap=512M"!4G"'
line open-quote       "$new"  'memmap=512M!4G" quiet'
line tabs             "$new"  $'ro\tmemmap=512M!4G\tquiet'
line no-break-space   "$both" $'ro\xa0memmap=512M!4G\xa0quiet'
line utf8-bom         "$new"  $'\xef\xbb\xbfmemmap=512M!4G'
line capital          "$new"  'MEMMAP=512M!4G'

# --- words that are none, or of others ---
line in-other-words   "$both" 'xmemmap=512M!4G memmapx=512M!4G foo.memmap=512M!4G mem-map=512M!4G'
line in-quotes        "$both" 'a="b memmap=512M!4G c"'
line after-dashes     "$both" 'ro -- memmap=512M!4G'
line dashes-in-quotes "$new"  '"--" memmap=512M!4G'
line dashes-value     "$new"  '--=1 memmap=512M!4G'
line spaces-around    "$new"  'memmap = 512M!4G'
line no-value         "$both" 'memmap memmap= memmap=, mem mem='
line garbage-after    "$new"  'memmap=512M!4Gx'
line garbage-unit     "$new"  'memmap=512MB!4G'
line negative         "$new"  'memmap=-512M!4G memmap=x memmap=!4G'
line unit-alone       "$new"  'memmap=G!4G'
line empty-range      "$new"  'memmap=0!4G memmap=512M!2G'
line third-number     "$new"  'memmap=512M!4G!2G'
line spaces-in-value  "$new"  'memmap="512M!4G 256M!2G"'

# --- several ranges ---
line list             "$both" 'memmap=512M!4G,256M!2G'
line list-kinds       "$both" 'memmap=256M!4G,128M$2G,64M#1G,256M@4608M'
line list-holes       "$new"  'nokaslr memmap=,512M!4G,,256M!2G,'
line list-bad-middle  "$both" 'nokaslr memmap=512M!4G,x,256M!2G'
line two-words        "$new"  'memmap=512M!4G memmap=256M!2G'
line neighbours       "$both" 'memmap=256M!4G memmap=256M!4352M'
line same-twice       "$both" 'memmap=512M!4G memmap=512M!4G'
line same-spelt-twice "$new"  'memmap=512M!4G memmap=0x20000000!4096M'
line inside           "$both" 'memmap=512M!4G memmap=256M!4G'
line inside-middle    "$new"  'memmap=512M!4G memmap=128M!4224M'
line overlapping      "$new"  'memmap=512M!4G memmap=512M!4352M'

# --- two kinds over the same memory ---
line reserved-over    "$both" 'memmap=512M!4G memmap=512M$4G'
line reserved-first   "$new"  'memmap=512M$4G memmap=512M!4G'
line reserved-inside  "$both" 'memmap=512M!4G memmap=256M$4G'
line ram-over         "$both" 'memmap=512M!4G memmap=512M@4G'
line ram-around       "$new"  'memmap=512M!4352M memmap=1G@4G'
line ram-inside       "$new"  'memmap=512M!4G memmap=64M@4160M'
line acpi-over        "$new"  'memmap=512M!4G memmap=512M#4G'
line convert-over     "$both" 'memmap=512M!4G memmap=512M%4G-12+1'
line convert-before   "$new"  'memmap=512M%4G-12+1 memmap=512M!4G'
line remove-over      "$both" 'memmap=512M!4G memmap=512M%4G'
line remove-part      "$new"  'memmap=512M!4G memmap=128M%4224M-12'
line soft-over        "$both" 'memmap=512M!4G memmap=512M%4G-1+0xefffffff'
line soft-added-over  "$new"  'memmap=512M!4G memmap=512M%4G+0xefffffff'
line beyond-ram       "$new"  'memmap=512M!5G'
line across-ram-end   "$both" 'memmap=512M!4864M'

# --- converted memory ---
line soft             "$both" 'memmap=512M%4G-1+0xefffffff'
line soft-decimal     "$new"  'memmap=512M%4G-1+4026531839'
line soft-from-any    "$new"  'memmap=512M%4G+0xefffffff'
line soft-from-other  "$new"  'memmap=512M%4G-2+0xefffffff'
line soft-then-limit  "$new"  'memmap=512M%4G-1+0xefffffff mem=2G'
line soft-after-limit "$both" 'mem=2G memmap=512M%4G-1+0xefffffff'
line soft-twice       "$new"  'memmap=512M%4G-1+0xefffffff memmap=512M%4G-1+0xefffffff'
line soft-neighbours  "$new"  'memmap=256M%4G-1+0xefffffff,256M%4352M-1+0xefffffff'
line soft-wide-type   "$new"  'memmap=512M%4G-1+0x1efffffff'
line soft-bad-tail    "$new"  'memmap=512M%4G-1+0xefffffffx'
line legacy-converted "$new"  'memmap=512M%4G-1+12'
line unknown-type     "$new"  'memmap=512M%4G-1+77'
line removed          "$both" 'memmap=512M%4G-1'

# --- limits ---
line mem-after        "$both" 'memmap=512M!4G mem=2G'
line mem-before       "$both" 'mem=2G memmap=512M!4G'
line mem-cuts         "$both" 'memmap=512M!4G mem=4352M'
line mem-at-start     "$new"  'memmap=512M!4352M mem=4352M'
line mem-at-end       "$new"  'memmap=512M!4G mem=4608M'
line mem-tail         "$new"  'memmap=512M!4G mem=2Gx mem=foo mem=0 mem=nopentium'
line memmap-limit     "$both" 'memmap=512M!4G memmap=2G'
line memmap-limit-first "$new" 'memmap=2G memmap=512M!4G'
line limit-then-ram   "$new"  'mem=2G memmap=1G@4G memmap=512M!4G'

# --- exactmap ---
line exactmap         "$both" 'nokaslr memmap=exactmap memmap=639K@0 memmap=2G@1M memmap=512M!4G'
line exactmap-after   "$both" 'nokaslr memmap=512M!4G memmap=exactmap memmap=639K@0 memmap=2G@1M'
line exactmap-in-list "$new"  'nokaslr memmap=512M!4G,exactmap,639K@0,2G@1M,256M!3G'
line exactmap-tail    "$new"  'nokaslr memmap=512M!4G memmap=exactmapx,639K@0,2G@1M'
line exactmap-soft    "$new"  'nokaslr memmap=exactmap,639K@0,2G@1M,512M%4G-1+0xefffffff'

# --- whether the kernel goes to a random place ---
line nokaslr          "$both" 'memmap=512M!4G nokaslr'
line nokaslr-value    "$new"  'memmap=512M!4G nokaslr=1'
line nokaslr-quoted   "$new"  'memmap=512M!4G "nokaslr"'
line nokaslr-inside   "$new"  'memmap=512M!4G a="b nokaslr c"'
line nokaslr-dashes   "$new"  'memmap=512M!4G -- nokaslr'
line nokaslr-space    "$both" $'memmap=512M!4G ro\xa0nokaslr'
line nokaslr-control  "$new"  $'memmap=512M!4G ro\x01nokaslr'
line four-words       "$both" 'memmap=64M!1G memmap=64M!1536M memmap=64M!2G memmap=512M!4G'
line five-words       "$both" 'memmap=64M!1G memmap=64M!1536M memmap=64M!2G memmap=512M!4G memmap=64M!2560M nokaslr'
line five-in-list     "$both" 'memmap=64M!1G,64M!1536M,64M!2G,512M!4G,64M!2560M'
line four-and-comma   "$new"  'memmap=64M!1G,64M!1536M,64M!2G,512M!4G,'

# --- what does not boot, or just so ---
line no-ram           "$new"  'memmap=exactmap memmap=512M!4G memmap=256M!2G'
line one-entry        "$new"  'memmap=exactmap memmap=512M!4G'
line wraps            "$new"  'memmap=512M!0xffffffffe0000000'
line no-change        "$both" 'memmap=512M!4G memmap=512M%2G-1+1'
line eight            "$new"  'memmap=08M!4G'
line low-limit        "$new"  'memmap=512M!4G mem=1M'
line mem-64M          "$both" 'nokaslr memmap=512M!4G mem=64M'
line mem-128M         "$both" 'nokaslr memmap=512M!4G mem=128M'
line no-low-memory    "$both" 'nokaslr memmap=exactmap,2G@1M,512M!4G'
line some-low-memory  "$new"  'nokaslr memmap=exactmap,64K@64K,2G@1M,512M!4G'
line low-memory-taken "$both" 'memmap=512M!4G memmap=640K$0'

# --- longer than the 2,047 bytes that the kernel has room for ---
line just-fits        "$both" "$(filled 2047 'memmap=512M!4608M')"
line cut-off          "$both" "$(filled 2063 'quiet memmap=512M!4G')"
line cut-in-word      "$new"  "$(filled 2048 'memmap=512M!4608M')"
line cut-behind-it    "$new"  "$(filled 2100 'memmap=512M!4G quiet') memmap=256M!4G"
