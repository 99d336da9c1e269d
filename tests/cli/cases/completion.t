# SPDX-License-Identifier: LGPL-2.1-or-later
# What a Tab offers in bash.

$ source $CLI_SOURCE/tools/completion/pkram
$ offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pkram; printf '%s\n' "${COMPREPLY[@]}"; }
$ offer pkram region ''
| convert
$ offer pkram region convert --to ''
| raw
| devdax
$ offer pkram re
| restore
| regions
| region
| report
$ offer pkram init --f
| --force
$ offer pkram --ve
| --verbose
| --version
$ pkram init -q --size 8M; for name in one 'two words' $'\xff'; do echo 1 | pkram put -q "$name"; done
$ offer pkram get ''
| one
| two\ words
$ offer pkram -r file : $PWD/region rm o
| one
$ offer pkram rm o
| one
$ mkdir dir; offer pkram restore --to d
| dir
$ offer pkram restore --mount =
| huge=always
| huge=within_size
| huge=advise
| huge=never
$ offer pkram restore --mount = huge = w
| within_size
$ offer pkram restore --mount = huge = never o
| one
$ offer pkram -r $PWD/re
| DIR/region
$ offer pkram -r file : ''
| dir
| region
| DIR/region
$ offer pkram init file : $PWD/re
| DIR/region
| DIR/region
$ offer pkram region convert ''
| dir
| region
| file:DIR/region
