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
$ offer pkram plan -k ''; offer pkram plan --kind = so; offer pkram check -k d; offer pkram check -m l
| pmem
| devdax
| soft-reserved
| soft-reserved
| dir
| load
$ offer pkram restore -m o
| one
$ offer pkram --region = $PWD/re; offer pkram --region = file : $PWD/re; offer pkram --region = file : $PWD/region rm o
| DIR/region
| DIR/region
| DIR/region
| one
$ offer pkram --region = $PWD/none rm o
|
$ offer pkram ls -o na; offer pkram regions --output = device,s; offer pkram ls -n -o fi
| name
| device,size
| device,state
| device,spec
| files
$ offer pkram report --prometheus = re; offer pkram report --prometheus re
| region
|
$ offer pkram unit ''; offer pkram unit generate d; offer pkram unit arm ''
| restore
| save
| arm
| generate
| early
| early-files
| dir
|
$ offer pkram save -n d; offer pkram save --name = d; offer pkram save -n name d
|
|
| dir
