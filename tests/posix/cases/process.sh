# Processes: exit statuses, background jobs, wait, exec, fork, environment.
#@ exit-statuses
for s in 0 1 2 42 126 127 128 255 256 257; do (exit $s); echo "$s $?"; done
sh -c 'exit 9'; echo $?; sh -c 'false'; echo $?; sh -c 'true; false; true'; echo $?
#@ not-found
no-such-command; echo $?; /no/such; echo $?; ./no; echo $?; touch f; ./f; echo $?; mkdir d; ./d; echo $?
#@ not-executable-format
printf 'garbage\001\002' >f; chmod +x f; ./f; echo $?
printf '\177ELF' >g; chmod +x g; ./g; echo $?
: >h; chmod +x h; ./h; echo $?
#@ wait-all
for i in 3 1 2; do (sleep 0.$i; echo $i >>f) & done; wait; echo "st $?"; cat f
#@ wait-pid
(exit 5) & p=$!; (exit 6) & q=$!; wait $q; echo $?; wait $p; echo $?
wait 99999; echo "unknown $?"
#@ wait-signalled
sleep 10 & p=$!; (sleep 0.2; kill -TERM $p) & wait $p; echo $?
sleep 10 & p=$!; (sleep 0.2; kill -KILL $p) & wait $p; echo $?
sleep 10 & sleep 0.2; kill -INT $!; kill -HUP $!; wait $!; echo $?
#@ background-stdin
cat & wait; echo "st $?"
#@ background-order
echo 1; (sleep 0.2; echo 3) & echo 2; wait; echo 4
#@ dollar-bang
sleep 0 & a=$!; sleep 0 & b=$!; [ $a != $b ] && echo differ; wait
#@ jobs-table
sleep 5 & jobs | sed 's/  */ /g'; kill $!; wait $! ; echo $?
#@ subshell-isolation
x=1; (x=2; cd /; umask 077; echo "in $x $(pwd)"); echo "out $x $(umask)"
#@ subshell-exit
(exit 3); echo $?; (exit 3) || echo or; (set -e; false; echo no); echo $?
#@ exec-replaces
sh -c 'exec echo replaced; echo no'; sh -c 'exec /no/such; echo no'; echo $?
#@ exec-keeps-pid
sh -c 'echo $$; exec sh -c "echo \$\$"' | uniq | wc -l
#@ ppid
sh -c 'p=$$; sh -c "[ \$PPID = $p ] && echo parent"; true'
#@ orphan-ppid
sh -c '(sleep 0.3; sh -c "echo \$PPID" >f) & exit'; sleep 0.8; cat f
#@ env-pass
A=1 B='two words' sh -c 'echo "$A $B"'; export C=3; sh -c 'echo $C'; unset C; sh -c 'echo "[$C]"'
env -i X=1 Y=2 env | sort; env -i sh -c 'echo ${HOME-unset}'; env -u HOME sh -c 'echo ${HOME-unset}'
#@ env-large
x=$(yes abcdefgh | head -n 10000 | tr -d '\n'); export x; sh -c 'echo ${#x}'
#@ arg-large
set -- $(yes a1 | head -n 20000); echo $#; /bin/echo "$@" | wc -c
#@ arg-too-long
x=$(yes abcdefgh | head -n 20000 | tr -d '\n'); /bin/echo $x | wc -c; echo "${#x}"
/bin/true "$x"; echo "st $?"
#@ hashbang
printf '#!/bin/sh\necho "script $0 $1 $#"\n' >s; chmod +x s; ./s a b
printf '#!/bin/cat\nline two\n' >c; chmod +x c; ./c
printf '#! /bin/echo  spaced arg \nx\n' >e; chmod +x e; ./e tail
#@ hashbang-nested
printf '#!/bin/sh\necho "inner $*"\n' >i; chmod +x i; printf '#!%s/i opt\n' "$PWD" >m; chmod +x m
printf '#!%s/m\n' "$PWD" >o; chmod +x o; ./m x; ./o y
#@ hashbang-loop
printf '#!%s/a\n' "$PWD" >b; printf '#!%s/b\n' "$PWD" >a; chmod +x a b; ./a; echo $?
#@ hashbang-missing
printf '#!/no/such/interp\n' >s; chmod +x s; ./s; echo $?
#@ hashbang-noexec
printf '#!/bin/sh\necho hi\n' >s; ./s; echo $?; sh ./s; chmod 644 s; . ./s
#@ hashbang-crlf
printf '#!/bin/sh\r\necho hi\n' >s; chmod +x s; ./s; echo $?
#@ hashbang-awk
printf '#!/usr/bin/awk -f\nBEGIN { print "awk", ARGC }\n' >a; chmod +x a; ./a x y
#@ hashbang-env
printf '#!/usr/bin/env sh\necho env-sh $1\n' >s; chmod +x s; ./s q
#@ deep-fork
f() { [ $1 -gt 0 ] && (f $(($1-1))) || echo bottom; }; f 25
#@ many-forks
i=0; while [ $i -lt 200 ]; do (exit $((i % 7))) || n=$((n+$?)); i=$((i+1)); done; echo $n
#@ many-execs
i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i+1)); done; echo $i
#@ many-background
i=0; while [ $i -lt 40 ]; do (echo $i >>f) & i=$((i+1)); done; wait; sort -n f | md5sum; wc -l <f
#@ xargs-parallel
seq 1 30 | xargs -n 1 -P 8 sh -c 'echo $(($0*$0))' | sort -n | md5sum
seq 1 5 | xargs -n 2 echo; echo a b c | xargs -I{} echo "<{}>"; printf 'a b\0c\0' | xargs -0 -n 1 echo
#@ xargs-status
echo x | xargs false; echo $?; echo x | xargs sh -c 'exit 255'; echo $?; echo x | xargs /no/such; echo $?
#@ time-format
time -p true 2>&1 | sed 's/[0-9.]*$/N/'; { time true; } 2>&1 | sed 's/[0-9][0-9.]*/N/g'
#@ times-builtin
times | sed 's/[0-9][0-9.]*/N/g'
#@ timeout
timeout 1 sleep 5; echo $?; timeout 5 sh -c 'exit 3'; echo $?; timeout -s KILL 1 sleep 5; echo $?
#@ setsid
setsid sh -c 'echo in-new-session'; setsid sh -c '[ $(cut -d" " -f6 /proc/self/stat) = $$ ] && echo leader'
#@ proc-self
readlink /proc/self/exe; cat /proc/self/comm; tr '\0' ' ' </proc/self/cmdline; echo; ls /proc/self/fd | head -n 3
grep -c . /proc/self/status | awk '{ print ($1 > 10) }'
#@ pid-in-proc
exec 2>/dev/null
sleep 5 & p=$!; sleep 0.3; [ -d /proc/$p ] && echo there; cat /proc/$p/comm; kill $p; wait $p; [ -d /proc/$p ] || echo gone
#@ zombie-state
sh -c '(sleep 0.1) & echo $! >f; exec sleep 0.8' & sleep 0.4; cut -d' ' -f3 /proc/$(cat f)/stat; wait; ls -d /proc/$(cat f) 2>&1 | wc -l
#@ ulimit
ulimit -n 10; ulimit -n; (exec 3>a 4>b 5>c 6>d 7>e 8>f; echo six; exec 9>g; echo seven); sh -c 'ulimit -n'
#@ ulimit-values
ulimit -c; (ulimit -f 1; dd if=/dev/zero of=f bs=1k count=2 2>/dev/null; echo $?; ls -l f | awk '{ print $5 }')
#@ ulimit-stack-recursion
(ulimit -s 256; sh -c 'f() { f; }; f' 2>/dev/null; echo $?) 2>/dev/null
#@ command-v
command -v sh; command -v cd; command -v nope; echo $?; type echo; which cat
#@ path-search
mkdir a b; printf '#!/bin/sh\necho from-a\n' >a/tool; printf '#!/bin/sh\necho from-b\n' >b/tool; chmod +x b/tool
PATH=$PWD/a:$PWD/b:$PATH; tool; chmod +x a/tool; hash -r; tool; PATH=; tool; echo $?
#@ uname
uname -s; uname -m; uname -o; [ -n "$(uname -r)" ] && echo release
#@ id
id -u; id -g; id -un; whoami; id nobody; groups
#@ sleep-kinds
sleep 0; echo $?; sleep 0.01; echo $?; sleep 0.1 0.1; echo $?; sleep x; echo $?; usleep 1000; echo $?
#@ background-killed-output
sh -c 'kill -9 $$'; echo $?; sh -c 'kill -TERM $$; echo not-here'; echo $?; (sh -c 'kill -SEGV $$'); echo $?
#@ exec-fd-close
exec 9>f; sh -c 'echo x >&9' ; echo $?; exec 9>&-; sh -c 'echo x >&9'; echo $?
