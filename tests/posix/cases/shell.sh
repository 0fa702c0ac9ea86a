# The shell itself: builtins and expansions that lean on the system, and whole scripts.
#@ getopts
f() { OPTIND=1; while getopts ab:c o "$@"; do case $o in b) echo "b=$OPTARG";; \?) echo "bad";; *) echo $o;; esac; done; shift $((OPTIND-1)); echo "rest $*"; }
f -a -b val -c x y; f -ab val; f -b; f -z; f -- -a; f
#@ read-forms
printf 'a b c\n' | { read x y; echo "$x|$y"; }; printf 'a\\\nb\n' | { read x; echo "$x"; }; printf 'a\\\nb\n' | { read -r x; echo "$x"; }; printf 'noeol' | { read x; echo "$? $x"; }; printf 'a:b:c' | { IFS=: read p q; echo "$p $q"; }; printf 'abcdef' | { read -n 3 x; echo $x; }; printf 'a\0b\n' | { read x; echo "$x"; }
#@ read-timeout
mkfifo p; exec 3<>p; read -t 1 x <&3; echo "$? [$x]"; echo now >&3; read -t 1 x <&3; echo "$? $x"
#@ arithmetic
echo $((1+2*3)) $((7/2)) $((-7%3)) $((1<<40)) $((0x1f)) $((010)) $((5>3&&2<1)) $((~0)); x=5; echo $((x++ + ++x)) $x $((x=3,x*2)); echo $((9223372036854775807+1)); (echo $((1/0))); echo $?
#@ expansions
x=path/to/file.tar.gz; echo ${x#*/} ${x##*/} ${x%.*} ${x%%.*} ${#x} ${y:-def} ${y:=set} $y ${x:+alt} ${x/to/TO} ${x:5:2}; (echo ${z?unset message}); echo $?; set -u; (echo $nope); echo $?
#@ ifs-splitting
IFS=:; x=a:b::c; set -- $x; echo $#; IFS=' 	
'; set -- $(printf 'a\n b\tc'); echo $#; x='*'; touch f1 f2; echo $x "$x"; set -- "$@" 'x y'; for i; do echo "[$i]"; done; echo "$*"
#@ case-patterns
for w in abc a1 '' '*' x/y; do case $w in a[0-9]) echo digit;; a*) echo a;; '') echo empty;; '*') echo star;; */*) echo slash;; esac; done
#@ functions-local
f() { local x=in; g; echo $x; return 3; }; g() { x=g; }; x=out; f; echo "$? $x"; f() { echo $#; [ $# -gt 0 ] && { shift; f "$@"; }; }; f a b c
#@ set-e
sh -ec 'false; echo no'; echo $?; sh -ec 'false || true; if false; then :; fi; ! true; echo yes'; echo $?; sh -ec '(exit 3); echo no'; echo $?; sh -ec 'x=$(false); echo no'; echo $?
#@ set-x
sh -xc 'a=1; echo $a; (echo sub); [ x = y ]' 2>&1; PS4='>> ' sh -xc 'echo hi' 2>&1
#@ eval-dot
eval 'x=5; echo $((x+1))'; echo 'y=from-dot; return 4; echo no' >f; . ./f; echo "$? $y"; eval "eval 'echo nested'"; . ./nope; echo unreachable
#@ syntax-errors
sh -c 'if true'; echo $?; sh -c 'echo "unterminated'; echo $?; sh -c 'for'; echo $?; sh -c ')'; echo $?; printf 'echo ok\nfi\necho no\n' >s; sh s; echo $?
#@ script-stdin
echo 'echo from stdin $0 $#' | sh; echo 'echo args $1' | sh -s x; printf 'echo a\nread x\nline for read\necho "x=$x"\n' | sh; sh -c 'echo $0 $1' zero one; sh nope; echo $?
#@ alias-type
alias ll='echo aliased'; eval 'll x'; unalias ll; type cd; type type; f() { :; }; type f; unset -f f; type f; echo $?
#@ tilde-cd
HOME=/tmp; echo ~ ~/x; cd; pwd; cd ~/w; pwd; OLDPWD=/etc; cd -; echo ~nobody
#@ brace-quoting
echo "a'b" 'a"b' a\ b "\$x" '\n' "a\\b" $'x\ty'; echo {a,b}c; printf '%s\n' "a
b"
#@ while-until
i=0; while :; do i=$((i+1)); [ $i = 3 ] && continue; [ $i = 6 ] && break; echo $i; done; until [ $i -le 4 ]; do i=$((i-1)); done; echo $i; for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done
#@ umask-builtin
umask; umask 027; umask; umask -S; umask u=rwx,g=,o=; umask; umask 9; echo $?
#@ primes
n=2; out=; while [ $n -lt 60 ]; do p=1; i=2; while [ $((i*i)) -le $n ]; do [ $((n%i)) = 0 ] && p=0 && break; i=$((i+1)); done; [ $p = 1 ] && out="$out $n"; n=$((n+1)); done; echo $out
#@ word-count-script
cat >s <<'E'
#!/bin/sh
tr -cs a-zA-Z '\n' | tr A-Z a-z | sort | uniq -c | sort -k1,1nr -k2 | head -n "${1:-3}" | awk '{ print $2, $1 }'
E
chmod +x s; printf 'The cat and the dog and the bird.\nAnd THE end' | ./s 2
#@ make-like
mkdir src; for f in a b c; do echo "$f source" >src/$f.c; done
build() { for s in src/*.c; do o=${s%.c}.o; if [ ! -e $o ] || [ $s -nt $o ]; then echo "CC $s"; tr a-z A-Z <$s >$o; fi; done; cat src/*.o | md5sum; }
build; build; touch -d '2030-01-01 00:00:00' src/b.c; build
#@ log-rotate
i=0; while [ $i -lt 5 ]; do echo "log $i" >log; for n in 3 2 1; do [ -e log.$n ] && mv log.$n log.$((n+1)); done; mv log log.1; i=$((i+1)); done; for f in log.*; do echo "$f $(cat $f)"; done
#@ producer-consumer
mkfifo q; (i=0; while [ $i -lt 50 ]; do echo job $i; i=$((i+1)); done >q) & n=0; while read j k; do n=$((n+k)); done <q; wait; echo $n
#@ parallel-pipelines
for j in 1 2 3 4; do (seq 1 500 | awk -v j=$j '{ s += $1 * j } END { print j, s }' >r$j) & done; wait; cat r1 r2 r3 r4
#@ lock-by-link
echo 0 >c; for i in 1 2 3; do (t=tmp.$i; echo >$t; until ln $t lock 2>/dev/null; do sleep 0.01; done; n=$(cat c); sleep 0.05; echo $((n+1)) >c; rm lock $t) & done; wait; cat c; ls
#@ coprocess-bc
mkfifo in out; bc <in >out & exec 3>in 4<out; echo '2*21' >&3; read a <&4; echo '2^20' >&3; read b <&4; exec 3>&-; wait; echo $a $b
#@ fork-bomb-bounded
f() { [ $1 -eq 0 ] && { echo x >>leaves; return; }; f $(($1-1)) & f $(($1-1)) & wait; }; f 5; wc -l <leaves
#@ recursion-script
cat >r <<'E'
#!/bin/sh
[ $1 -le 1 ] && { echo 1; exit; }
echo $(( $1 * $(./r $(($1 - 1))) ))
E
chmod +x r; ./r 8
#@ random-seconds
[ "$RANDOM" != "$RANDOM$RANDOM" ] && echo random; a=$(date +%s); sleep 1; b=$(date +%s); d=$((b-a)); [ $d -ge 1 -a $d -le 3 ] && echo slept; [ $$ -gt 0 ] && echo pid
#@ big-script slow
i=0; while [ $i -lt 2500 ]; do echo "f$i() { echo \$(( $i * 2 )); }"; echo "x$i=\$(f$i)"; i=$((i+25)); done >s; echo 'echo $x2475 $x0 $x1250' >>s; sh s
