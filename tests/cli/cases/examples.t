# SPDX-License-Identifier: LGPL-2.1-or-later

The configuration of each service among the examples is one that the units can read, and ties the service to
its unit.

$ mkdir -p m/etc out; for d in "$CLI_SOURCE"/examples/*/etc/pkram.d; do cp -r "$d" m/etc/; done
$ ls m/etc/pkram.d
| memcached.conf
| nginx.conf
| postgresql.conf
| redis.conf
$ pkram --sysroot "$PWD/m" unit generate out
$ (cd out && find . -type f | sort)
| ./memcached.service.d/50-pkram-memcached.conf
| ./nginx.service.d/50-pkram-nginx.conf
| ./pkram@memcached.service.d/50-pkram-memcached.conf
| ./pkram@nginx.service.d/50-pkram-nginx.conf
| ./pkram@postgresql.service.d/50-pkram-postgresql.conf
| ./pkram@redis.service.d/50-pkram-redis.conf
| ./postgresql@15-warm.service.d/50-pkram-postgresql.conf
| ./redis-server.service.d/50-pkram-redis.conf

Where a drop-in of ours goes is where the generator's goes, and what a mount unit mounts is what is saved.

$ cd "$CLI_SOURCE/examples"; ls -d */etc/systemd/system/*.d | sed 's|.*/||'
| memcached.service.d
| postgresql@15-warm.service.d
| redis-server.service.d
$ for n in */etc/pkram.d/*.conf; do n=${n##*/}; n=${n%.conf}
> grep -hE '^(path|Where) *=' "$n/etc/pkram.d/$n.conf" "$n/etc/systemd/system/srv-$n.mount"; done
| path = /srv/memcached
| Where=/srv/memcached
| path = /srv/nginx
| Where=/srv/nginx
| path = /srv/postgresql
| Where=/srv/postgresql
| path = /srv/redis
| Where=/srv/redis
