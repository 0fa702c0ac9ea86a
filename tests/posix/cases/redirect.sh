# Redirections, file descriptors and here-documents.
#@ out-append-in
echo one >f; echo two >>f; cat <f; wc -c <f
>empty; wc -c empty; echo three >|f; cat f
#@ noclobber
set -C; echo a >f; echo b >f; echo "st $?"; cat f; echo c >|f; cat f
#@ stderr-split
{ echo out; echo err >&2; } 2>e >o; echo "o=$(cat o) e=$(cat e)"
ls /nonexistent 2>/dev/null; echo "st $?"
{ echo out; echo err >&2; } >both 2>&1; cat both
{ echo out; echo err >&2; } 2>&1 >o | sed 's/^/pipe:/'; cat o
#@ dup-games
exec 3>f; echo via3 >&3; exec 4>&3; echo via4 >&4; exec 3>&-; echo still4 >&4; exec 4>&-; cat f
echo lost >&4; echo "st $?"
#@ swap-out-err
{ echo out; echo err >&2; } 3>&1 1>&2 2>&3 3>&- | sed 's/^/swapped:/'
#@ read-write-offset
echo 0123456789 >f; exec 5<>f; read -n 3 x <&5; echo "x=$x"; printf AB >&5; exec 5>&-; cat f
#@ shared-offset
printf 'l1\nl2\nl3\nl4\n' >f
{ read a; read b; } <f; echo "$a $b"
exec 3<f; read a <&3; (read b <&3; echo "sub $b"); read c <&3; echo "$a $c"; exec 3<&-
#@ append-two-writers
(for i in 1 2 3 4 5; do echo a$i; done >>f) & (for i in 1 2 3 4 5; do echo b$i; done >>f) & wait
sort f; wc -l <f
#@ closed-stdin
cat <&-; echo "st $?"
read x <&-; echo "read st $?"
#@ closed-stdout
sh -c 'echo hi' >&-; echo "st $?"
(echo hi) >&- 2>/dev/null; echo "st $?"
#@ closed-stderr
ls /nonexistent 2>&-; echo "st $?"
#@ missing-dir
echo x >no/such/file; echo "st $?"
cat <no-such-file; echo "st $?"
#@ redirect-is-directory
mkdir d; echo x >d; echo "st $?"; cat d; echo "st $?"; cat <d; echo "st $?"
#@ exec-redirect
exec >log; echo one; echo two; exec >&2; cat log
#@ heredoc-expand
x=5
cat <<E
x=$x sum=$((x+1)) cmd=$(echo sub) lit=\$x tick=`echo t` back\\slash
cont\
inued
E
#@ heredoc-quoted
x=5
cat <<'E'
x=$x $(echo no) `no` \$x
E
cat <<"E F"
also $x
E F
#@ heredoc-tabs
cat <<-E
	one
		two
	  three
	E
#@ heredoc-two
cat <<A; cat <<B
first
A
second
B
cat <<A - /dev/fd/0 <<B
lost
A
kept
B
#@ heredoc-loop
while read a b; do echo "[$b $a]"; done <<E
1 one
2 two
3 three
E
#@ heredoc-function
f() { cat <<E
arg $1
E
}
f x; f y | tr a-z A-Z
#@ heredoc-large
i=0; { echo 'cat <<E | md5sum'; while [ $i -lt 3000 ]; do echo "line $i of a rather long here-document $i"; i=$((i+1)); done; echo E; } >s
sh s; wc -c s
#@ heredoc-in-subst
echo "$(cat <<E
inner $(echo deep)
E
) after"
#@ heredoc-pipe-stdin
cat <<E | while read x; do echo "<$x>"; done
a
b
E
#@ fd-inherit
exec 7>f; sh -c 'echo child >&7'; sh -c 'sh -c "echo grandchild >&7"'; exec 7>&-; cat f
#@ dev-fd
echo data | cat /dev/fd/0; echo data2 | cat /dev/stdin; exec 6<<E
six
E
cat /proc/self/fd/6
#@ dev-null-full-zero
echo x >/dev/null; echo "null $?"; wc -c </dev/null
echo x >/dev/full; echo "full $?"
printf x | dd of=/dev/full 2>/dev/null; echo "dd $?"
dd if=/dev/zero bs=10 count=3 2>/dev/null | od -An -tx1
dd if=/dev/full bs=4 count=1 2>/dev/null | od -An -tx1
#@ dev-urandom
a=$(dd if=/dev/urandom bs=32 count=1 2>/dev/null | md5sum); b=$(dd if=/dev/urandom bs=32 count=1 2>/dev/null | md5sum)
[ "$a" != "$b" ] && echo differ; dd if=/dev/urandom bs=1000 count=100 2>/dev/null | wc -c
head -c 16 /dev/random | wc -c
#@ many-fds
i=3; while [ $i -lt 10 ]; do eval "exec $i>f$i"; i=$((i+1)); done
i=3; while [ $i -lt 10 ]; do eval "echo $i >&$i"; i=$((i+1)); done; cat f3 f4 f5 f6 f7 f8 f9
#@ truncate-while-open
exec 3>f; echo 12345 >&3; : >f; echo 678 >&3; exec 3>&-; od -An -c f
#@ unlink-while-open
echo data >f; exec 3<f; rm f; ls; cat <&3; exec 3<&-
#@ replace-while-open
echo old >f; exec 3<f; echo new >g; mv g f; cat <&3; cat f
#@ redirect-order
echo a 2>&1 >/dev/null; ls /nonexistent 2>&1 >/dev/null | wc -l
#@ group-redirect
{ echo 1; { echo 2; echo 3 >&2; } 2>e2; echo 4; } >o; cat o; echo --; cat e2
if true; then echo in-if; fi >f; for i in 1 2; do echo $i; done >>f; cat f
#@ ambiguous
x='a b'; echo hi >$x; ls
