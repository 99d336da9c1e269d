# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the scenarios save and how they tell the host what it was. The trees' full lists go through
# the third serial line: on a mismatch the host can say which file is wrong.

LISTS=/dev/ttyS2

# mount_tmpfs DIR MIB [OPTIONS]
mount_tmpfs() {
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2M,mode=755${3:+,$3}" tmpfs "$1"
}

# make_tree DIR MIB [NUMBER]: random by the run's seed; NUMBER tells several trees apart.
make_tree() {
	expect 0 oracle make --seed $(($(word vm.seed) + ${3:-0})) --mib "$2" --locked "$1"
}

# tell_tree before|after KEY DIR
tell_tree() {
	local list=/run/list

	oracle list "$3" >"$list"
	say "size tree:$2 $(wc -l <"$list") files, $(du -sm "$3" | cut -f 1) MiB"
	printf '== %s tree %s\n' "$1" "$2" >$LISTS
	cat "$list" >$LISTS
	printf '== end\n' >$LISTS
	"$1" "tree:$2" "$(sha256sum <"$list" | cut -c1-64)"
	rm "$list"
}

# put_stream NAME BYTES: random bytes into a stream of pkram; the host gets the hash.
put_stream() {
	local file=/run/stream-$1

	head -c "$2" /dev/urandom >"$file"
	say "size stream:$1 $2 bytes"
	before "stream:$1" "$(sha256sum <"$file" | cut -c1-64)"
	pkram put "$1" <"$file" || fail "pkram put $1 ended with $?"
	rm "$file"
}

get_stream() {
	local file=/run/stream-$1

	pkram get "$1" >"$file" || fail "pkram get $1 ended with $?"
	after "stream:$1" "$(sha256sum <"$file" | cut -c1-64)"
	rm "$file"
}

# jump STAGE [SERIES]: by pkram, into the kernel of its own choice, or into one that is staged before.
jump() {
	local version
	local -a words=(--append "vm.stage=$1")

	if (($# > 1)); then
		version=$(boot_kernel "$2")
		expect 0 pkram kexec --load-only --kernel "/boot/vmlinuz-$version" \
			--initrd "/boot/initrd.img-$version" "${words[@]}"
		loaded 1
		words=()
	fi
	pkram kexec "${words[@]}" </dev/null 2>&1 | tee "$OUTPUT" || true
	fail "pkram kexec came back: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
}

# loaded 0|1: whether a kernel waits for kexec.
loaded() {
	[[ $(</sys/kernel/kexec_loaded) == "$1" ]] ||
		fail "kexec_loaded is not $1 after: $(tail -n 1 "$OUTPUT")"
}
