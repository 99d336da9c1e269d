#!/usr/bin/zsh -f
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a Tab offers in zsh, in a shell on a terminal of its own.
#
#   tab.zsh PKRAM

setopt err_exit no_unset
zmodload zsh/zpty
source=${0:A:h:h:h}
dir=$(mktemp -d ${TMPDIR:-/tmp}/pkram-zsh.XXXXXX)
trap 'zpty -d z 2>/dev/null || true; rm -rf $dir' EXIT
ln -s ${1:A} $dir/pkram
export PKRAM_REGION=file:$dir/region PATH=$dir:$PATH LC_ALL=C.UTF-8 TERM=dumb
integer faults=0

pkram init -q --size 8M
for name in one 'two words' three; do print 1 | pkram put -q $name; done
mkdir $dir/dirs $dir/dirs/sub
pkram -r file:$dir/other init -q --size 8M
print 1 | pkram -r $dir/other put -q elsewhere

# What matches is written to a file, whose last line says that this is all; nothing is inserted.
cat >$dir/rc <<END
PS1=
fpath=($source/tools/completion \$fpath)
autoload -Uz compinit; compinit -D -u
cd $dir/dirs
compadd() {
  if [[ \${@[(I)-[OAD]]} != 0 ]]; then builtin compadd "\$@"; return; fi
  local -a found
  builtin compadd -A found "\$@"
  (( \$#found )) && print -rl -- \$found >>$dir/found
  builtin compadd "\$@"
}
finish() { print -r -- done >>$dir/found }
zle -C offer list-choices offer
offer() { : >$dir/found; _main_complete; compstate[insert]=; compstate[list]=; finish; }
bindkey '^I' offer
print ready >$dir/found
END

zpty z zsh -f -i
zpty -w z "source $dir/rc"

wait_for() {
  integer i
  for ((i = 0; i < 200; i++)); do
    [[ -e $dir/found && $(tail -n 1 $dir/found) == $1 ]] && return 0
    sleep 0.05
  done
  print "FAILED: nothing came for: $2"
  exit 1
}
wait_for ready start
# offers LINE WORD...: these words are offered, among others; -WORD: this one is not.
offers() {
  local line=$1 word
  local -a found
  shift
  rm -f $dir/found
  zpty -w -n z $'\025'"$line"$'\t'
  wait_for 'done' $line
  found=(${(f)"$(sed '$d' $dir/found)"})
  for word; do
    if [[ $word == !* ]]; then
      (( ${found[(Ie)${word#!}]} )) && { print "FAILED: '$line' offers ${word#!}"; faults+=1 } || true
    elif ! (( ${found[(Ie)$word]} )); then
      print "FAILED: '$line' does not offer $word, but: $found"
      faults+=1
    fi
  done
}

offers 'pkram re' restore region regions report '!save'
offers 'pkram --ve' --verbose --version
offers 'pkram save --l' --live '!--stale'
offers 'pkram get ' one 'two\ words' three
offers 'pkram rm o' one '!three'
offers "pkram -r $dir/other info " elsewhere '!one'
offers 'pkram region ' convert
offers 'pkram region convert x --to ' raw devdax
offers 'pkram restore --to ' sub
offers 'pkram plan 1G --kind ' soft-reserved
offers 'pkram kexec --method ' auto file load
offers 'pkram kexec --leave-behind ' three
offers 'pkram report --pro' --prometheus
offers 'pkram help ve' verify '!version'
offers 'pkram init ' file:$dir/region
offers 'pkram plan -k ' pmem soft-reserved
offers 'pkram restore -m ' one '!auto' '!huge=never'
offers "pkram --region=$dir/other info " elsewhere '!one'
offers 'pkram ls -o na' name
offers 'pkram regions -o device,sta' state
offers 'pkram unit ' restore save arm generate early early-files
offers 'pkram $(touch ran) --'
[[ -e $dir/dirs/ran ]] && { print "FAILED: what is typed is run"; faults+=1 } || true

(( faults == 0 )) && print 'ok'
exit faults
