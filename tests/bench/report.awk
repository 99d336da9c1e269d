# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The table of tests/bench/run, or its JSON: medians of the samples and what they are to each other.
# Reads, told apart by their number of fields, separated by tabs:
#
#   job who files calls                     system calls on a tree of so many files
#   what where seconds                      a command that moves next to nothing
#   job tree pages region who threads files bytes seconds minor-faults major-faults RSS-KiB anon-KiB

function median(list,    n, a, i, j, t) {
	n = split(list, a, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) {
			t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
		}
	return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}

function kind(job, who) {
	if (job == "limit" || who == "pkram")
		return job == "limit" ? "limit" : "pkram"
	return who ~ /^(pread|map|quiet|pwrite|fallocate|uffd|xxh3)(\+xxh3)?$/ ? "method" : "peer"
}

# What of the limit goes for a job: which way on a device, read or copy in memory.
function side(job, region) {
	if (region == "block")
		return job ~ /^(save|put)/ ? "write" : "read"
	return job == "verify" ? "read" : "copy"
}

function limit_side(who, region) {
	return region == "block" || who == "read" ? who : "copy"
}

function raise(array, key, value) {
	if (!(key in array) || value + 0 > array[key])
		array[key] = value + 0
}

# The best with as many threads or fewer: more of them must not make a lower mark.
function of(array, key, threads,    t, best) {
	for (t = 1; t <= threads; t++)
		if ((key, t) in array && array[key, t] > best)
			best = array[key, t]
	if (best)
		return best
	return (key in array) ? array[key] : 0
}

function ratio(a, b) {
	return a && b ? sprintf("%.2f", a / b) : ""
}

function calls_per_file(job, who,    few, many) {
	few = calls[job, who, low]
	many = calls[job, who, high]
	return few && many && high > low ? sprintf("%.1f", (many - few) / (high - low)) : ""
}

function json_string(s) {
	gsub(/[\\"]/, "\\\\&", s)
	return "\"" s "\""
}

function json_field(name, value) {
	return value == "" ? "" : sprintf(",\"%s\":%s", name, value)
}

function gib(bytes) {
	if (bytes < 1073741824)
		return sprintf("%d MiB", bytes / 1048576)
	return sprintf("%.1f GiB", bytes / 1073741824)
}

NF == 4 {
	calls[$1, $2, $3] = $4
	if (!low || $3 < low)
		low = $3
	if ($3 > high)
		high = $3
	next
}

NF == 3 {
	if (!(($1, $2) in operations))
		operation_keys[++n_operations] = $1 SUBSEP $2
	operations[$1, $2] = operations[$1, $2] " " $3
	next
}

NF == 13 {
	place = $2 SUBSEP $3 SUBSEP $4
	if (!(place in seen)) {
		seen[place] = 1
		places[++n_places] = place
	}
	if ($1 != "limit") {
		place_files[place] = $7
		raise(place_bytes, place, $8)
	}
	key = $1 SUBSEP place SUBSEP $5 SUBSEP $6
	if (!(key in samples)) {
		keys[++n_keys] = key
		key_files[key] = $7
		key_bytes[key] = $8
	}
	samples[key] = samples[key] " " $9
	if ($1 == "limit" && $4 != "block" && $5 != "read") {
		pool[$5, $6] = pool[$5, $6] " " $8 / $9 / 1e9
		raise(max_threads, 0, $6)
	}
	minor[key] = minor[key] " " $10
	major[key] = major[key] " " $11
	rss[key] = rss[key] " " $12
	anon[key] = anon[key] " " $13
	next
}

{
	printf "bench: a sample with %d fields: %s\n", NF, $0 >"/dev/stderr"
	broken = 1
}

# First pass: the rates, and the best of each kind.
function rates(    i, f, place, k, name) {
	for (i = 1; i <= n_keys; i++) {
		split(keys[i], f, SUBSEP)
		place = f[2] SUBSEP f[3] SUBSEP f[4]
		seconds[keys[i]] = median(samples[keys[i]])
		rate[keys[i]] = key_bytes[keys[i]] / seconds[keys[i]] / 1e9
		k = kind(f[1], f[5])
		name = f[1] SUBSEP place
		if (k == "limit") {
			name = place SUBSEP limit_side(f[5], f[4])
			raise(limits, name, rate[keys[i]])
			raise(limits, name SUBSEP f[6], rate[keys[i]])
		} else if (k == "pkram") {
			raise(pkrams, name, rate[keys[i]])
		} else if (k == "peer") {
			raise(peers, name, rate[keys[i]])
		} else if (f[5] ~ /xxh3$/) {
			raise(methods, name, rate[keys[i]])
			raise(methods, name SUBSEP f[6], rate[keys[i]])
		}
	}
}

function row(key,    f, place, name, k, v, line) {
	split(key, f, SUBSEP)
	place = f[2] SUBSEP f[3] SUBSEP f[4]
	name = f[1] SUBSEP place
	k = kind(f[1], f[5])
	v["gbs"] = sprintf("%.3f", rate[key])
	if (key_files[key] >= 1000 && k != "limit")
		v["us"] = sprintf("%.2f", seconds[key] * 1e6 / key_files[key])
	if (k != "limit")
		v["limit"] = ratio(rate[key], of(limits, place SUBSEP side(f[1], f[4]), f[6]))
	v["best"] = k == "pkram" ? ratio(rate[key], of(methods, name, f[6])) : ""
	v["peer"] = k == "pkram" ? ratio(rate[key], peers[name]) : ""
	v["pkram"] = k ~ /method|peer/ ? ratio(pkrams[name], rate[key]) : ""
	v["calls"] = f[2] == "small" && k ~ /pkram|peer/ ? calls_per_file(f[1], f[5]) : ""
	v["faults"] = median(minor[key]) + median(major[key])
	v["rss"] = sprintf("%.0f", median(rss[key]) / 1024)
	v["anon"] = k ~ /pkram|peer/ ? sprintf("%.0f", median(anon[key]) / 1024) : ""
	if (json) {
		printf "%s\n{\"job\":\"%s\",\"tree\":\"%s\",\"pages\":\"%s\",\"region\":\"%s\",",
			comma, f[1], f[2], f[3], f[4]
		printf "\"who\":\"%s\",\"kind\":\"%s\",\"threads\":%d,\"files\":%d,\"bytes\":%.0f,",
			f[5], k, f[6], key_files[key], key_bytes[key]
		printf "\"seconds\":%.6f,\"gb_per_s\":%s", seconds[key], v["gbs"]
		printf "%s%s%s%s", json_field("us_per_file", v["us"]),
			json_field("to_limit", v["limit"]), json_field("to_best", v["best"]),
			json_field("to_peer", v["peer"])
		printf "%s%s", json_field("pkram_to_this", v["pkram"]),
			json_field("calls_per_file", v["calls"])
		printf ",\"faults\":%d,\"rss_mib\":%d%s}", v["faults"], v["rss"],
			json_field("anon_mib", v["anon"])
		comma = ","
		return
	}
	line = sprintf("%-9s %-15s %3d %8.2f %8s %6s %6s %6s %6s %6s %8d %6d %5s", f[1], f[5], f[6],
		rate[key], v["us"], v["limit"], v["best"], v["peer"], v["pkram"], v["calls"],
		v["faults"], v["rss"], v["anon"])
	sub(/ +$/, "", line)
	print line
}

function heading(place,    f) {
	split(place, f, SUBSEP)
	printf "\n%s: %d %s, %s of data, %s pages, %s region\n", f[1], place_files[place],
		place_files[place] == 1 ? "file" : "files", gib(place_bytes[place]), f[2], f[3]
	printf "%-9s %-15s %3s %8s %8s %6s %6s %6s %6s %6s %8s %6s %5s\n", "job", "who", "thr",
		"GB/s", "us/file", "/limit", "/best", "/peer", "pkram/", "calls", "faults", "RSS", "anon"
}

function operation(key,    f, ms) {
	split(key, f, SUBSEP)
	ms = sprintf("%.3f", median(operations[key]) * 1000)
	if (json) {
		printf "%s\n{\"what\":\"%s\",\"where\":\"%s\",\"ms\":%s}", comma, f[1], f[2], ms
		comma = ","
	} else {
		printf "%-24s %-24s %8s\n", f[1], f[2], ms
	}
}

# Nothing can be copied faster than memory is; where one thread's memcpy seems to, the run is void.
# Looked at over all cases: memory is the same in each.
function check_limits(    t, n, ways, i, limit, plain, wrong) {
	plain = median(pool["memcpy", 1])
	n = split("memcpy nontemporal movsb", ways, " ")
	for (t = 1; t <= max_threads[0]; t++) {
		limit = 0
		for (i = 1; i <= n; i++)
			if ((ways[i], t) in pool && median(pool[ways[i], t]) > limit)
				limit = median(pool[ways[i], t])
		if (!limit || limit >= plain)
			continue
		printf "bench: the limit of %d threads, %.1f GB/s, is below one memcpy, %.1f GB/s: ",
			t, limit, plain >"/dev/stderr"
		print "the machine was busy; run again" >"/dev/stderr"
		wrong = 1
	}
	return wrong && !quick
}

END {
	if (broken || !(n_keys + n_operations))
		exit 1
	rates()
	if (json) {
		printf "{\"version\":%s,\"cpu\":%s,\"cpus\":%d,\"kernel\":%s,\"load\":%s,\"rounds\":%d,",
			json_string(version), json_string(cpu), cpus, json_string(kernel), busy, rounds
		printf "\"lacking\":%s,\"rows\":[", json_string(lacking)
	} else {
		printf "%s; %s, %d CPUs, Linux %s, load %s; medians of %d\n", version, cpu, cpus, kernel,
			busy, rounds
		if (lacking)
			printf "not installed, so not measured: %s\n", lacking
		print "/limit  part of what memory (or the bare device) does with as many threads or fewer"
		print "/best   part of the fastest bare loop with checksum, with as many threads or fewer"
		print "/peer   times as fast as the fastest peer"
		print "pkram/  how many times as fast pkram is at its best thread count"
		print "calls   system calls per file (on a small tree of their own)"
		print "RSS     MiB at the peak, with what is mapped of the region; anon: without mapped files"
	}
	n_jobs = split("limit save verify restore put-file put-pipe put-50 get-file get-pipe", jobs, " ")
	n_kinds = split("limit pkram method peer", kinds, " ")
	for (p = 1; p <= n_places; p++) {
		if (!json)
			heading(places[p])
		for (j = 1; j <= n_jobs; j++)
			for (t = 1; t <= n_kinds; t++)
				for (i = 1; i <= n_keys; i++) {
					split(keys[i], f, SUBSEP)
					if (f[1] == jobs[j] && kind(f[1], f[5]) == kinds[t] &&
					    f[2] SUBSEP f[3] SUBSEP f[4] == places[p])
						row(keys[i])
				}
	}
	if (json) {
		printf "\n],\"operations\":["
		comma = ""
	} else if (n_operations) {
		printf "\nsmall commands\n%-24s %-24s %8s\n", "what", "where", "ms"
	}
	for (i = 1; i <= n_operations; i++)
		operation(operation_keys[i])
	if (json)
		print "\n]}"
	exit (0 in max_threads) ? check_limits() : 0
}
