# Pipes: data, ends of file, SIGPIPE, many writers and readers, named pipes.
#@ simple
echo a b c | tr ' ' '\n' | sort -r | sed 's/^/-/'
#@ long-pipeline
echo x | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat
#@ status
true | false; echo $?; false | true; echo $?; ! true | false; echo $?
set -o pipefail; false | true; echo $?; sh -c 'exit 3' | sh -c 'exit 4' | true; echo $?
#@ megabytes
dd if=/dev/zero bs=64k count=64 2>/dev/null | tr '\0' x | md5sum
yes abcdefghij | head -n 300000 | wc -c
#@ megabytes-through-many slow
dd if=/dev/zero bs=1M count=4 2>/dev/null | cat | cat | cat | gzip -1 | gunzip | md5sum
#@ odd-block-sizes
dd if=/dev/zero bs=1000003 count=1 2>/dev/null | tr '\0' a | dd bs=777 2>/dev/null | dd obs=12345 2>/dev/null | md5sum
#@ sigpipe-yes
yes | head -n 1; (yes; echo "yes st $?" >&2) | true
#@ sigpipe-status
sh -c 'sleep 0.2; echo a; echo "write st $?" >&2' | true; echo done
(trap '' PIPE; sleep 0.2; echo a; echo "st $?" >&2) | true
#@ epipe-ignored
trap '' PIPE; (sleep 0.2; dd if=/dev/zero bs=1k count=1 2>/dev/null; echo "dd $?" >&2) | true
#@ reader-first
{ sleep 0.2; echo late; } | { read x; echo "got $x"; }
#@ eof-when-all-writers-gone
{ (sleep 0.2; echo child) & echo parent; } | cat
#@ two-writers
{ (for i in 1 2 3 4 5; do echo a; done) & (for i in 1 2 3 4 5; do echo b; done) & wait; } | sort | uniq -c
#@ two-readers
printf '1\n2\n3\n4\n' | { read a; (read b; echo "sub $b"); read c; echo "$a $c"; cat; }
#@ read-byte-by-byte
printf 'a b\nc d\nrest\nmore\n' | { read x y; read z; cat; echo "$x,$y,$z"; }
#@ capacity
# A pipe holds 64 KiB before a writer must wait.
{ dd if=/dev/zero bs=4096 count=16 2>/dev/null && echo filled >&2; } | { sleep 0.5; wc -c; }
#@ fifo-basic
mkfifo p; ls -l p | cut -c1-10; cat p & echo hello >p; wait
#@ fifo-both-ways
mkfifo a b; (while read x <a; do [ "$x" = end ] && break; echo "re:$x" >b; done) &
for i in 1 2 3; do echo $i >a; read y <b; echo $y; done; echo end >a; wait
#@ fifo-rdwr
mkfifo p; exec 3<>p; echo one >&3; echo two >&3; read a <&3; read b <&3; echo $a $b
#@ fifo-blocks-until-reader
mkfifo p; (echo data >p; echo "written" >w) & sleep 0.3; ls w 2>/dev/null; cat p; wait; cat w
#@ fifo-seek-fails
mkfifo p; exec 3<>p; echo abcdef >&3; dd bs=1 skip=2 count=1 <&3 2>/dev/null; echo " st $?"
#@ subst-large
x=$(yes 0123456789 | head -n 20000); echo ${#x}; echo "$x" | md5sum
#@ subst-nested
echo $(echo $(echo $(echo $(echo deep))))
x=$(echo a; echo; echo); echo "[$x]"; x=$(printf 'a\n\nb\n\n'); echo "[$x]"
#@ subst-status
x=$(exit 7); echo $?; x=$(false) || echo failed; echo $(exit 3) $?
#@ process-graph
(echo 1; (echo 2; (echo 3) | cat; echo 4) | cat; echo 5) | cat
#@ tee
printf 'a\nb\n' | tee f1 f2 | wc -l; cat f1 f2; echo c | tee -a f1 >/dev/null; cat f1
#@ tee-full-device
echo x | tee /dev/full; echo "st $?"
#@ tar-gzip
mkdir d; i=0; while [ $i -lt 20 ]; do echo "content $i" >d/f$i; i=$((i+1)); done
tar c d | gzip | gunzip | tar t | sort | head -n 5; tar c d | gzip -dc 2>&1 | head -n 1
mkdir o; tar c d | tar x -C o; diff -r d o/d && echo same
#@ tar-md5
mkdir d; echo a >d/a; echo b >d/b; touch -d '2020-01-02 03:04:05' d/a d/b d; chmod 644 d/a d/b; chmod 755 d
tar cf - d/a d/b | gzip -n 2>/dev/null | md5sum; tar c d/a d/b | md5sum; tar c d/a d/b | gzip | md5sum
#@ find-xargs-grep
mkdir -p t/a/b t/c; for f in t/x.conf t/a/y.conf t/a/b/z.conf t/c/w.txt; do printf 'x=1\ny=2\nxx\n' >$f; done; echo nothing >t/c/n.conf
find t -name '*.conf' | xargs grep -c x | sort | awk -F: '{ s += $2; print } END { print "sum", s }'
#@ find-etc
find /etc -name 'pass*' | xargs grep -c root | sort | awk '{ print "n=" $1 }'
#@ cat-dash
echo mid | cat /etc/hostname - /etc/hostname | wc -l
#@ loop-to-pipe
for i in 3 1 2; do echo $i; done | sort | while read n; do echo "n$n"; done
i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done | awk '{ s += $1 } END { print s }'
