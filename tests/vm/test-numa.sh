# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Two memory nodes with two CPUs each, and on each a region (a raw pmem and a devdax). Few threads
# work next to the region, and so lie the pages that they restore; a thread for each CPU spreads
# them; and the caller's affinity and memory policy go before.

nodes=2
append="memmap=160M!800M memmap=160M!4352M"
seconds=150

LOW=pmem:/dev/pmem0
HIGH=devdax:/dev/dax1.0

# busy NODE: the ticks that its CPUs have worked.
busy() {
	awk -v first=$((2 * $1)) '
		$1 == "cpu" first || $1 == "cpu" first + 1 { n += $2 + $3 + $4 }
		END { print n }' /proc/stat
}

# tmpfs_kib NODE: tmpfs pages that lie there. Each CPU keeps a part of the count to itself until asked.
tmpfs_kib() {
	cat /proc/sys/vm/stat_refresh >/dev/null
	awk '/ Shmem:/ { print $4 }' "/sys/devices/system/node/node$1/meminfo"
}

count_from_here() {
	WAS=("$("$1" 0)" "$("$1" 1)")
}

# share COUNTER LOW HIGH WHAT: of what it counted, node 1 has LOW to HIGH percent.
share() {
	local on0=$(($("$1" 0) - WAS[0])) on1=$(($("$1" 1) - WAS[1])) percent

	percent=$((100 * on1 / (on0 + on1)))
	note "$1: $on0 on node 0, $on1 on node 1: $4"
	(($2 <= percent && percent <= $3)) ||
		fail "$1: $percent % on node 1 instead of $2 to $3: $4"
}

# Starting the program takes its time wherever the kernel puts it.
worked() {
	count_from_here busy
	expect 0 pkram -r "$1" --threads 1 save /srv/data
	expect 0 pkram -r "$1" --threads 1 verify
	expect 0 pkram -r "$1" --threads 2 verify
	share busy "$2" "$3" "save and verify in $1"
}

# restored LOW HIGH OPTIONS COMMAND...: into a tmpfs of its own.
restored() {
	local low=$1 high=$2 options=$3

	shift 3
	mount_tmpfs /srv/to 200 "$options"
	count_from_here tmpfs_kib
	expect 0 "$@" --to /srv/to
	share tmpfs_kib "$low" "$high" "$options: $*"
	cmp /srv/data/bytes /srv/to/srv/data/bytes
	umount /srv/to
}

# What a unit with AllowedCPUs=0-1 and AllowedMemoryNodes=0 runs in. What a process has mapped moves
# with it when it enters, programs in the root tmpfs as well: nothing is counted before.
enter_cpuset() {
	mount -t cgroup2 none /sys/fs/cgroup
	echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control
	mkdir /sys/fs/cgroup/node0
	echo 0-1 >/sys/fs/cgroup/node0/cpuset.cpus
	echo 0 >/sys/fs/cgroup/node0/cpuset.mems
	echo $$ >/sys/fs/cgroup/node0/cgroup.procs
}

stage_1() {
	local threads

	load_region_modules
	expect 0 ndctl create-namespace -f -e namespace1.0 -m devdax -a 2M -M mem
	await /dev/dax1.0
	expect 0 pkram -r $LOW init
	expect 0 pkram -r $HIGH init
	mount_tmpfs /srv/data 100
	head -c $((60 << 20)) /dev/urandom >/srv/data/bytes

	worked $LOW 0 40
	worked $HIGH 60 100
	ok "the work is done next to the region"

	for threads in 1 2; do
		restored 0 5 mpol=default pkram -r $LOW restore --threads $threads
		restored 95 100 mpol=default pkram -r $HIGH restore --threads $threads
	done
	ok "few threads restore to the region's node"
	restored 20 80 mpol=default pkram -r $LOW restore
	restored 20 80 mpol=default pkram -r $HIGH restore
	ok "all threads restore to both nodes"

	restored 0 5 mpol=default taskset -c 0-1 pkram -r $HIGH restore --threads 2
	restored 0 5 mpol=default numactl --membind=0 pkram -r $HIGH restore --threads 2
	restored 95 100 mpol=default numactl --cpunodebind=1 --membind=1 pkram -r $LOW restore
	restored 40 60 mpol=default numactl --interleave=all pkram -r $HIGH restore --threads 2
	restored 0 5 mpol=bind:0 pkram -r $HIGH restore --threads 2
	enter_cpuset
	restored 0 5 mpol=default pkram -r $HIGH restore
	ok "affinity, memory policy, cpuset and mpol= go before"
}
