# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The guests that prove live-update: counter.c under QEMU, each with its RAM in a file and its serial
# line in a log. Source this file.

# counter_build FILE
counter_build() {
	gcc -m32 -O2 -Wall -ffreestanding -fno-pie -mgeneral-regs-only -fno-stack-protector \
		-fno-toplevel-reorder -nostdlib -static -Wl,-Ttext=0x100000,--build-id=none \
		-o "$1" "$(dirname "${BASH_SOURCE[0]}")/counter.c"
}

# counter_conf NAME MIB DIR KERNEL: the command line of a guest with DIR/ram/NAME and DIR/log/NAME.
counter_conf() {
	cat <<-END
		qemu-system-x86_64 -name $1
		-accel tcg -machine pc,memory-backend=ram -m $2
		-object memory-backend-file,id=ram,size=$2M,mem-path=$3/ram/$1,share=on
		-nodefaults -no-user-config -display none -vga none
		-chardev file,id=log,path=$3/log/$1,append=on -serial chardev:log
		-kernel $4 -append $1
	END
}

# counter_round MIB: how many numbers it prints in one round over its RAM.
counter_round() {
	printf '%d\n' $((($1 - 2) * 8))
}

# counter_last LOG: the last number of which the line is complete; 0 before the first.
counter_last() {
	local text

	text=$(tail -c 64 "$1" 2>/dev/null && printf .) || true
	text=${text%$'\n'*}
	text=${text##*$'\n'}
	printf '%d\n' "$((10#0${text//[^0-9]/}))"
}

# counter_await LOG NUMBER SECONDS: until it has got there.
counter_await() {
	local end=$((SECONDS + $3))

	while (($(counter_last "$1") < $2)); do
		((SECONDS < end)) || return 1
		sleep 0.2
	done
}

# counter_check LOG: it started once, and every number follows the one before.
counter_check() {
	# A line may be cut off where the guest was looked at.
	sed '$d' "$1" | awk '
		NR == 1 && $0 != "start" || NR > 1 && $0 != NR - 1 {
			printf "line %d is \"%s\"\n", NR, $0
			exit bad = 1
		}
		END { exit bad || NR < 2 }'
}
