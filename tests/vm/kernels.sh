# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Debian's own kernels for the test VMs: downloaded once, signature-checked by apt, unpacked into
# the cache. A kernel's package name changes with each of its updates, so it is always found
# through the metapackage that stands for its series.

# vm_kernel SERIES: print the directory of a stock Debian kernel of that series ("6.12"; "new": the
# newest that stable or its backports have), fetched when the cache has none. It holds vmlinuz,
# config, version and lib/modules.
vm_kernel() {
	local series=$1 found

	found=$(vm_kernel_cached "$series")
	if [[ -z $found ]]; then
		vm_kernel_fetch "$series"
		found=$(vm_kernel_cached "$series")
	fi
	[[ -n $found ]] || vm_die "no Debian kernel $series could be had"
	printf '%s\n' "$found"
}

vm_kernel_cached() {
	local -a all

	shopt -s nullglob
	all=("$VM_CACHE"/kernels/"$1"[.-]*/config)
	[[ $1 != new ]] || all=("$VM_CACHE"/new/*/config)
	shopt -u nullglob
	((${#all[@]} == 0)) || printf '%s\n' "${all[@]%/config}" | sort -V | tail -n 1
}

# By the machine's own package lists, or, where these do not carry the series or are out of date,
# by fresh ones.
vm_kernel_fetch() {
	local series=$1

	mkdir -p "$VM_CACHE"/{kernels,new}
	vm_apt_options=()
	[[ $series == new ]] || ! vm_kernel_download "$series" || return 0
	vm_apt_private
	vm_kernel_download "$series" ||
		vm_die "cannot fetch a cloud kernel of the series $series; see $VM_CACHE/log"
}

vm_kernel_download() {
	local series=$1 package tmp version dest=$VM_CACHE/kernels

	package=$(vm_kernel_package "$series")
	[[ -n $package ]] || return 1
	[[ $series != new ]] || dest=$VM_CACHE/new
	vm_say "fetching $package"
	tmp=$(mktemp -d "$VM_CACHE/kernels/.tmp.XXXXXX")
	# shellcheck disable=SC2046 # words
	if ! (cd "$tmp" && vm_apt apt-get -q -o APT::Sandbox::User=root download "$package" \
		$(vm_kernel_parts "$package")) >"$VM_CACHE/log" 2>&1; then
		rm -rf "$tmp"
		return 1
	fi
	find "$tmp" -name '*.deb' -exec dpkg -x {} "$tmp/root" \;
	version=${package#linux-image-}
	vm_kernel_unpack "$tmp/root" "$version" "$tmp/kernel"
	# A directory that has its final name is complete.
	[[ -e $dest/$version/config ]] || rm -rf "${dest:?}/$version"
	mv -T "$tmp/kernel" "$dest/$version" 2>/dev/null || [[ -e $dest/$version/vmlinuz ]]
	rm -rf "$tmp"
}

vm_kernel_unpack() {
	local root=$1 version=$2 dest=$3

	mkdir -p "$dest/lib"
	if [[ -e $root/boot/vmlinuz-$version ]]; then
		mv "$root/lib/modules" "$dest/lib/"
		mv "$root/boot/vmlinuz-$version" "$dest/vmlinuz"
		mv "$root/boot/config-$version" "$dest/config"
	else
		mv "$root/usr/lib/modules" "$dest/lib/"
		mv "$dest/lib/modules/$version"/{vmlinuz,config} "$dest/"
	fi
	find "$dest/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" xz -d
	depmod -b "$dest" "$version"
	printf '%s\n' "$version" >"$dest/version"
}

# The packages that have its parts, where these are others (since 7.2).
vm_kernel_parts() {
	vm_apt apt-cache show "$1" 2>/dev/null | sed -n 's/^Depends: //p' | tr ', ' '\n' |
		grep -x "linux-[a-z]*-${1#linux-image-}" | sort -u || true
}

# The package that a metapackage of the series depends on; nothing when apt knows none.
vm_kernel_package() {
	local series=$1 meta

	if [[ $series == new ]]; then
		vm_apt apt-cache show linux-image-cloud-amd64 | sed -n 's/^Depends: //p' | tr ', ' '\n' |
			grep -E '^linux-image-[0-9].*cloud-amd64$' | sort -V | tail -n 1
		return
	fi
	for meta in "linux-image-$series-cloud-amd64" linux-image-cloud-amd64; do
		vm_apt apt-cache show "$meta" 2>/dev/null |
			sed -n 's/^Depends: //p' | tr ', ' '\n' |
			grep -E "^linux-image-${series//./\\.}[.-].*cloud-amd64$" | head -n 1 && return
	done
	return 0
}

vm_apt() {
	"$@" "${vm_apt_options[@]}"
}

# The machine's sources and the backports of its release and of stable, in a state directory of our own:
# /etc/apt and the machine's package lists stay as they are.
vm_apt_private() {
	local state=$VM_CACHE/apt codename uri

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # these names are apt's
	uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
		awk -v release="$codename" '$2 == release { print $1; exit }')
	[[ -n $uri ]] || vm_die "apt has no source for $codename; see sources.list(5)"

	rm -rf "$state"
	mkdir -p "$state/sources.list.d" "$state/lists/partial"
	find /etc/apt/sources.list /etc/apt/sources.list.d -type f \
		\( -name '*.list' -o -name '*.sources' \) -exec cp {} "$state/sources.list.d/" \; \
		2>/dev/null || true
	printf "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri %s main\n" \
		"$codename-backports" stable-backports >"$state/sources.list.d/vm-backports.list"
	vm_apt_options=(
		-o "Dir::Etc::SourceList=/dev/null"
		-o "Dir::Etc::SourceParts=$state/sources.list.d"
		-o "Dir::State::Lists=$state/lists"
		-o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
	)
	vm_say "reading apt's lists, backports included"
	vm_apt apt-get -q update >"$state/log" 2>&1 || { cat "$state/log" >&2; return 1; }
}
