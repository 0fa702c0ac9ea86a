# The text tools: sort, uniq, awk, sed, grep, tr, cut, od and relatives.
#@ sort
printf 'b 2\na 10\nc 1\na 2\n' >f; sort f; echo; sort -k2 -n f; echo; sort -r f; echo; sort -k1,1 -k2,2nr f; sort -u -k1,1 f; sort -t' ' -k2 f; sort -c f; echo $?
#@ sort-large slow
i=0; awk 'BEGIN { s = 42; for (i = 0; i < 50000; i++) { s = (s * 1103515245 + 12345) % 2147483648; print s } }' >f; sort -n f | md5sum; sort f | md5sum; sort -n f | awk '$1 < p { print "bad" } { p = $1 } END { print NR }'
#@ uniq
printf 'a\na\nb\nc\nc\nc\na\n' >f; uniq f; uniq -c f; uniq -d f; uniq -u f; sort f | uniq -c | sort -rn
#@ awk
printf 'x 1 2.5\ny 3 4\nz 5 6\n' >f; awk '{ print NR, NF, $1, $2 + $3 }' f; awk '$2 > 2 { s += $2 } END { printf "%d %.2f %s\n", s, s / 3, "end" }' f
awk 'BEGIN { a["k"] = 1; for (k in a) print k, a[k]; print length("hello"), substr("hello", 2, 3), index("hello", "l"), toupper("x") }'
awk -F: -v u=root '$1 == u { print $3, $NF }' /etc/passwd; awk 'function f(n) { return n < 2 ? n : f(n-1) + f(n-2) } BEGIN { print f(18) }'
#@ awk-pipes
awk 'BEGIN { while (("echo a; echo b" | getline l) > 0) print "got", l; close("echo a; echo b"); print "z\ny\nx" | "sort"; close("sort"); system("echo sys; exit 3"); print "end" }'
#@ awk-files
printf '1\n2\n3\n' >f; awk '{ print > "o" $1 } END { close("o1"); while ((getline x < "o1") > 0) print "read", x }' f; cat o1 o2 o3; awk '{ print $0 >> "app" }' f f; wc -l <app
#@ awk-math
awk 'BEGIN { printf "%.6f %d %x %o %e\n", 2 / 7, 3.99, 255, 8, 12345.678; print 7 % 3, 1 / 3, int(-3.5), 1e6, 100000 * 100000 }'
#@ sed
printf 'one\ntwo\nthree\n' >f; sed 's/o/0/g' f; sed -n '2p;$=' f; sed '1d;s/t\(.\)/<\1>/' f; sed -e '/two/i\' -e 'before' f; sed 'y/abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ/;2q' f; sed -n '/one/,/two/p' f; sed '$!N;s/\n/+/' f; sed -E 's/(t)(.*)/\2\1/' f
#@ sed-in-place
printf 'a\nb\n' >f; sed -i 's/a/A/' f; cat f; sed -i.bak 's/b/B/' f; cat f f.bak; sed -i s/x/y/ nope; echo $?; sed 'w out' f >/dev/null; cat out
#@ grep
printf 'apple\nBanana\ncherry\napple pie\n' >f; grep apple f; grep -c a f; grep -v a f; grep -i banana f; grep -n rr f; grep -x apple f; grep -E '^(a|c)' f; grep -F . f; echo $?; grep -o 'p.' f; grep -l apple f /etc/passwd; grep -q pie f; echo $?; grep x nope; echo $?; mkdir d; cp f d/g; grep -r cherry d; grep -A1 -B1 Ban f; grep -w pie f
#@ tr-cut-paste
echo 'Hello World' | tr a-z A-Z; echo aabbcc | tr -s ab; echo a1b2 | tr -d 0-9; echo abc | tr -c ab x; echo; echo a:b:c:d | cut -d: -f2,4; echo abcdef | cut -c2-4; echo abcdef | cut -b 1,3; printf '1\n2\n' >a; printf 'x\ny\n' >b; paste a b; paste -d, -s a
#@ head-tail
seq 1 20 >f; head -n 3 f; head -c 5 f; tail -n 2 f; tail -c 4 f; tail -n +18 f; head -n -17 f; cat f | tail -n 3; head -n 1 f /etc/hostname | head -n 2; tail -n 0 f
#@ tail-follow
echo 1 >f; (sleep 0.3; echo 2 >>f; sleep 1.2; echo 3 >>f) & timeout 3 tail -f f; echo $?
#@ wc
printf 'a b\nc\n' >f; wc f; wc -l f; wc -w <f; wc -c f f; printf noeol | wc -l; wc nope; echo $?; printf 'ü\n' | wc -m
#@ od-hexdump
printf 'hello\nworld\0\377' >f; od f; od -c f; od -An -tx1 f; od -tu2 f; od -Ax -tx4z f 2>/dev/null | head -n 1; hexdump -C f; xxd f; xxd -p f; hexdump -e '4/1 "%02x" "\n"' f
#@ cmp-diff
printf 'a\nb\nc\n' >x; printf 'a\nB\nc\nd\n' >y; cmp x y; echo $?; cmp -s x x; echo $?; diff x y | tail -n +1; echo $?; diff -u x y | tail -n +3; diff -q x y; echo $?; diff x x; echo $?; cmp x nope; echo $?; mkdir d e; cp x d/f; cp y e/f; diff -r d e | head -n 1
#@ patch
printf 'a\nb\nc\n' >x; printf 'a\nB\nc\n' >y; diff -u x y >p; cp x f; patch f <p; cat f
#@ expr-test
expr 1 + 2; expr 7 / 2; expr abc : 'a\(.*\)'; expr 0; echo $?; expr 1 / 0; echo $?; [ 1 -lt 2 -a a = a ]; echo $?; test; echo $?; [ x; echo $?; expr length hello; expr substr hello 2 3
#@ printf
printf '%s|%5s|%-5s|%05d|%x|%o|%c|%%\n' a b c 42 255 8 xyz; printf '%d %i %u\n' -1 010 0x10; printf '%b\n' 'a\tb\101'; printf '%s\n' a b c; printf '%d\n' abc; echo $?; printf '%.3f %e %g\n' 3.14159 1000 0.0001; printf '\a\b\f\n\r\t\v\\\0' | od -An -c; printf %s; printf '%*d\n' 6 42
#@ echo-forms
echo -n a; echo b; echo -e 'x\ty\n\0101z\c'; echo; echo -E 'a\tb'; echo 'a\tb'; echo -x; echo --; echo
#@ seq-bc-dc
seq 3; seq 2 2 8; seq 5 -2 1; seq -s, 4; seq -w 8 10; echo '2^64; scale=5; 10/3' | bc; echo '3 4 + p' | dc; factor 360 97; seq 1 0; echo $?
#@ checksums
printf abc | md5sum; printf abc | sha1sum; printf abc | sha256sum; printf abc | sha512sum | cut -c1-32; printf abc | crc32 2>/dev/null; printf abc >f; md5sum f >s; md5sum -c s; echo x >f; md5sum -c s; echo $?; printf '' | md5sum
#@ base64-uuencode
printf 'hello world' | base64; printf 'aGVsbG8=' | base64 -d; echo; head -c 60 /dev/zero | base64; printf abc >f; uuencode f g | uudecode -o -; echo
#@ gzip
yes line of text | head -n 5000 >f; cp f g; gzip f; ls; gunzip f.gz; cmp f g && echo same; gzip -c f | gunzip -c | md5sum; md5sum <g; echo notgz >n.gz; gunzip n.gz; echo $?; gzip f; gzip -t f.gz; echo $?; zcat f.gz | wc -l; gzip nope; echo $?
#@ bzip2-xz
yes line of text | head -n 2000 >f; bzip2 -c f | bunzip2 | cmp - f && echo bz; bzip2 f; bzcat f.bz2 | wc -l; printf '\3757zXZ\0' >x.xz; xz -d x.xz; echo $?
#@ tar
mkdir -p d/e; echo 1 >d/a; echo 2 >d/e/b; ln -s a d/l; ln d/a d/h; chmod 751 d/e/b; touch -d '2010-10-10 00:00:00' d/a
tar cf t.tar d; tar tf t.tar | sort; mkdir x; tar xf t.tar -C x; diff -r d x/d && echo same; stat -c '%a %h' x/d/e/b x/d/a; readlink x/d/l; stat -c %Y x/d/a; tar czf t.tgz d; tar tzf t.tgz | wc -l; tar xf t.tar d/a -O; tar tf nope; echo $?; tar cf - d | (cd x; rm -r d; tar xf -); ls x/d; tar cf u.tar --no-recursion d d/a; tar tf u.tar
#@ cpio
mkdir d; echo 1 >d/a; ln -s a d/l; find d | cpio -o -H newc 2>/dev/null >c; cpio -t <c 2>/dev/null | sort; mkdir x; cd x; cpio -id <../c 2>/dev/null; cat d/a; readlink d/l
#@ expand-fold-nl-rev
printf 'a\tb\n' | expand; printf '        x\n' | unexpand -a | od -An -c; echo abcdefghij | fold -w 4; printf 'a\nb\n' | nl; echo abc | rev; printf '1\n2\n3\n' | tac; printf 'a b c' | fold -s -w 3; echo x | ts 2>/dev/null | wc -l
#@ strings-split
printf 'ab\0hello world\0\1\2\3xyzzy\n' | strings; seq 1 10 >f; shuf f | sort -n | md5sum; md5sum <f; shuf -i 1-5 | sort | tr '\n' ' '; echo
#@ date
TZ=UTC date -d '2020-02-29 12:34:56' '+%Y %m %d %H %M %S %j %a %b %s'; TZ=UTC date -d @0; TZ=UTC date -d @86399 +%T; TZ=EST5EDT date -d @0 '+%H %Z'; date -d nonsense; echo $?; TZ=UTC date -u -R -d @1000000000; [ $(date +%s) -gt 1000000000 ] && echo sane
#@ cal-time
TZ=UTC cal 2 2020; date -d '2020-01-01' +%A
#@ env-tools
basename /a/b/c.txt .txt; dirname /a/b/c; basename /; dirname x; yes | head -n 2; nproc | awk '{ print ($1 >= 1) }'; tty; echo $?; hostid | wc -c; logname 2>/dev/null; echo $?
#@ which-run-parts
mkdir d; printf '#!/bin/sh\necho one\n' >d/1one; printf '#!/bin/sh\necho two $1\n' >d/2two; chmod +x d/*; run-parts d; run-parts -a X d; run-parts --test d
#@ ed-vi
printf 'a\nb\nc\n' >f; printf '2d\n$a\nz\n.\n1,$p\nw\nq\n' | ed f; cat f
#@ httpd-free-tools
dos2unix </dev/null; printf 'a\r\nb\r\n' >f; dos2unix f; od -An -c f; unix2dos f; od -An -c f; getopt ab:c -a -b x y -c z; ipcalc -n 10.1.2.3/8 2>/dev/null
#@ ar-unzip
echo 1 >a; printf '!<arch>\na/              0           0     0     100644  2         `\n1\n' >t.a; ar t t.a; rm a; ar x t.a; cat a
#@ less-more
printf 'x\ny\n' >f; more f; less f; echo $?
#@ watch-free-ps
free | awk '{ print $1 }' | head -n 3; ps | head -n 1; ps -o pid,comm | awk 'NR == 1 { print NF }'; sleep 3 & sleep 0.3; ps | grep -c '[s]leep 3'; kill $!; ps -o comm | grep -c '[p]s'; mount | awk '$3 == "/proc" { print $5 }'; cat /proc/uptime | awk '{ print NF }'; awk '{ print $1 }' /proc/meminfo | head -n 2
