# Files and folders: names, links, permissions, times, sparse files, errors.
#@ create-list
touch b a .h; mkdir d; ls; ls -a; ls -A; ls -1 -r; ls -d d
#@ ls-long
umask 022; echo 12345 >f; mkdir d; ln -s f s; ln f h; chmod 4751 f; mkfifo p; touch -d '2021-03-04 05:06:07' f p d
ls -la --full-time f h p | awk '{ print $1, $2, $3, $4, $5, $6, $7, $NF }'; ls -l s | awk '{ print $1, $2, $5, $9, $10, $11 }'; ls -ld d | awk '{ print $1, $2 }'
#@ ls-classify
mkdir d; touch f x; chmod +x x; ln -s d l; mkfifo p; ls -F; ls -p
#@ ls-sort
printf 12345 >a; printf 1 >b; printf 123 >c; touch -d '2020-01-01 00:00:00' b; touch -d '2021-01-01 00:00:00' c; touch -d '2022-01-01 00:00:00' a; ls -S; ls -t; ls -tr; ls -Sr
#@ ls-errors
ls nope; echo $?; ls /etc/passwd nope; echo $?
#@ stat-format
umask 022; echo hello >f; mkdir d; ln -s f s; chmod 640 f; touch -d '2021-03-04 05:06:07' f
stat -c '%n %s %a %A %F %h %u %g %Y %y' f; stat -c '%F %a %N' d s; stat -L -c '%F %s' s
stat -c '%F' /dev/null; stat -c '%t,%T' /dev/null /dev/zero /dev/full
#@ stat-inode
echo x >f; ln f g; [ "$(stat -c %i f)" = "$(stat -c %i g)" ] && echo same; cp f h; [ "$(stat -c %i f)" = "$(stat -c %i h)" ] || echo other
[ "$(stat -c %d f)" = "$(stat -c %d .)" ] && echo same-device; mv f k; [ "$(stat -c %i k)" = "$(stat -c %i g)" ] && echo kept
#@ mkdir-errors
mkdir a; mkdir a; echo $?; mkdir a/b/c; echo $?; mkdir -p a/b/c; echo $?; touch f; mkdir f/x; echo $?; mkdir -p f/x; echo $?; mkdir ''; echo $?
#@ rmdir-errors
mkdir -p a/b; rmdir a; echo $?; rmdir a/b a; echo $?; rmdir nope; echo $?; touch f; rmdir f; echo $?; mkdir c; rmdir c/.; echo $?
#@ rm-errors
rm nope; echo $?; rm -f nope; echo $?; mkdir d; rm d; echo $?; rm -r d; echo $?; rm -rf d; echo $?; rm; echo $?
#@ rm-in-use-cwd
mkdir d; cd d; rmdir ../d; echo $?; touch x; echo $?; ls; pwd; cd ..; ls
#@ hard-links
echo one >a; ln a b; stat -c %h a; echo two >>b; cat a; rm a; cat b; stat -c %h b; ln b b; echo $?; ln nope c; echo $?; mkdir d; ln d e; echo $?
#@ symlinks
ln -s target l; readlink l; cat l; echo $?; echo data >target; cat l; echo more >>l; cat target; rm l; ls
ln -s x x1; ln -s y x1; echo $?; ln -sf y x1; readlink x1
#@ symlink-dir
mkdir -p a/b; ln -s a l; touch l/f; ls a; cd l/b; pwd; pwd -P | sed 's/.*\(a\/b\)$/\1/'; cd ..; pwd | sed 's/.*\///'; ls
rm -r ../l; ls ../a
#@ symlink-relative
mkdir -p a/b c; echo z >c/z; ln -s ../../c/z a/b/l; cat a/b/l; mv a/b/l .; cat l; echo $?
#@ symlink-loop
ln -s b a; ln -s a b; cat a; echo $?; echo x >a; echo $?; ls -L a; ls a; mkdir a/x; echo $?; ln -s self self; cat self/x; echo $?
#@ symlink-chain
echo end >l0; i=0; while [ $i -lt 45 ]; do ln -s l$i l$((i+1)); i=$((i+1)); done; cat l39; cat l40; cat l41; echo $?
#@ symlink-trailing-slash
echo f >f; ln -s f l; cat l/; echo $?; mkdir d; ln -s d m; ls -d m/; rmdir m/; echo $?; rm m; cat f/; echo $?
#@ symlink-dangling-create
ln -s newfile l; echo via >l; cat newfile; ln -s no/dir/x m; echo a >m; echo $?; mkdir n; ln -s created n/l; mkdir n/l; echo $?
#@ readlink-f
mkdir -p a/b; ln -s a/b l; readlink -f l | sed "s,^$PWD/,,"; readlink f; echo $?; realpath l/.. | sed "s,^$PWD/,,"
#@ rename
echo a >a; echo b >b; mv a b; cat b; ls; mkdir d e; mv b d; ls d; mv d e; ls e; mv e/d f; ls; mv nope x; echo $?
#@ rename-dirs
mkdir -p a/b c; touch c/x; mv -T a c; echo $?; mv a/b a/b/c; echo $?; mkdir e; mv -T a e; echo $?; ls; ls e; touch f; mv -T e f; echo $?; mv -T f e; echo $?
#@ rename-over-open
echo old >a; echo new >b; exec 3<a; mv b a; cat <&3; cat a
#@ rename-symlink
ln -s t l; mv l m; readlink m; echo x >t; mv t u; cat m; echo $?
#@ names
touch -- 'a b' "q'q" 'back\slash' '*' '-dash' "$(printf 'tab\there')" 'ü'; ls -b 2>/dev/null | cat; ls | wc -l; rm -- -dash '*'; ls | od -An -c | head -n 3
#@ name-too-long
n=$(yes a | head -n 255 | tr -d '\n'); touch $n; echo $?; ls | wc -c; touch ${n}b 2>&1 | sed 's/a\{10,\}/A/'; [ -e ${n}b ]; echo $?
p=$(yes d/ | head -n 2048 | tr -d '\n'); cat /$p 2>&1 | sed 's/\(d\/\)\{10,\}/D/'
#@ dots
mkdir -p a/b; touch a/b/../f a/./g; ls a; cd a/b/../..; ls; cat ./a/../a/g; ls -d a/b/. a/.. | wc -l; cd /..; pwd
#@ slashes
mkdir a; touch a//f; ls a///; cat ////etc//hostname >/dev/null; echo $?; cat f/; echo $?; touch nofile/; echo $?
#@ not-a-directory
touch f; cat f/x; echo $?; cd f; echo $?; ls f/; echo $?; echo x >f/y; echo $?; ls f/..; rm f/x; echo $?; mv f/a b; echo $?
#@ is-a-directory
mkdir d; cat d; echo $?; echo x >>d; echo $?; cp d e; echo $?; rm d; dd if=d 2>&1 | head -n 1; ln -s d l; rm -f l; ls
#@ deep-tree
i=0; p=.; while [ $i -lt 60 ]; do p=$p/dir$i; i=$((i+1)); done; mkdir -p $p; echo deep >$p/f; cat $p/f; find . | wc -l; cd $p; pwd | wc -c | awk '{ print ($1 > 300) }'; cat f; cd ../../..; pwd | sed 's/.*\///'; cd /tmp/w; rm -r dir0; ls
#@ many-files
i=0; while [ $i -lt 600 ]; do : >f$i; i=$((i+1)); done; ls | wc -l; ls | md5sum; echo f1* | wc -w; rm f1*; ls | wc -l; rm f*; ls -A
#@ many-files-readdir-unlink
mkdir d; i=0; while [ $i -lt 400 ]; do : >d/n$i; i=$((i+1)); done; find d -type f -exec rm {} + ; ls d | wc -l; rmdir d; echo $?
#@ permissions-bits
for m in 000 111 222 444 777 1777 2755 4755 7777; do touch f; chmod $m f; stat -c '%a %A' f; rm -f f; done
chmod u=rwx,g=rx,o= . ; touch f; chmod a-w f; stat -c %a f; chmod u+s,g+s,+t f; stat -c %A f; chmod -R 700 .; stat -c %a f
#@ umask-modes
for u in 000 022 027 077 177 777; do (umask $u; touch f$u; mkdir d$u; mkfifo p$u; stat -c %a f$u d$u p$u | tr '\n' ' '; umask -S); done
#@ access-root
touch f; chmod 000 f; [ -r f ] && echo r; [ -w f ] && echo w; [ -x f ] || echo not-x; cat f; echo $?; ./f; echo $?; mkdir d; chmod 000 d; touch d/x; ls d
#@ access-user
mkdir d; echo s >d/f; chmod 700 d; chmod 644 d/f; asuser 65534 sh -c 'cat d/f; echo $?; ls d; echo $?; echo x >y; echo $?; id -u' 2>&1; chmod 755 d; asuser 65534 sh -c 'cat d/f; echo x >d/f; echo $?; rm -f d/f; echo $?; chmod 600 d/f; echo $?; chown 1 d/f; echo $?' 2>&1
#@ sticky
mkdir d; chmod 1777 d; touch d/rootfile; asuser 65534 sh -c 'rm -f d/rootfile; echo $?; touch d/mine; rm d/mine; echo $?; mv d/rootfile d/x; echo $?' 2>&1
#@ chown-ids
touch f; chown 12:34 f; stat -c '%u %g' f; chown 5 f; stat -c '%u %g' f; chgrp 6 f; stat -c '%u %g' f; ln -s f l; chown -h 9:9 l; stat -c '%u %g' f l; chmod 4755 f; chown 1 f; stat -c %a f
#@ touch-times
touch -d '2001-02-03 04:05:06' f; stat -c '%Y %X' f; touch -r f g; stat -c %Y g; [ f -nt g ]; echo $?; touch h; [ h -nt f ] && echo newer; touch -c nofile; ls; date -r f '+%Y-%m-%d %H:%M:%S'
#@ mtime-changes
touch -d '2000-01-01 00:00:00' f d0; mkdir d; touch -d '2000-01-01 00:00:00' d; echo x >>f; [ f -nt d0 ] && echo file; touch d/x; [ d -nt d0 ] && echo dir; touch -d '2000-01-01 00:00:00' d f; chmod 600 f; [ f -nt d0 ] || echo not-mtime; touch -d '2000-01-01 00:00:00' d; cat d/x; [ d -nt d0 ] || echo not-dir
#@ sparse
dd if=/dev/zero of=f bs=1 count=1 seek=1048576 2>/dev/null; ls -l f | awk '{ print $5 }'; wc -c <f; [ $(du -k f | cut -f1) -lt 64 ] && echo sparse; od -An -tx1 -N 4 f; tail -c 3 f | od -An -tx1; md5sum <f
#@ truncate
printf 0123456789 >f; truncate -s 4 f; cat f; echo; truncate -s 8 f; od -An -c f; truncate -s 0 f; wc -c <f; truncate -c -s 3 n; ls
#@ truncate-open-reader
printf abcdefgh >f; exec 3<f; dd bs=4 count=1 <&3 2>/dev/null; echo; truncate -s 2 f; cat <&3; echo "eof"; printf xyzxyz >f; cat <&3; echo
#@ fallocate
fallocate -l 10000 f && wc -c <f; printf abc >g; fallocate -l 5 g; od -An -c g
#@ dd
printf 0123456789abcdef >f; dd if=f bs=4 skip=1 count=2 2>/dev/null; echo; dd if=f of=g bs=2 seek=3 count=2 2>/dev/null; od -An -c g
printf XY | dd of=f bs=1 seek=4 conv=notrunc 2>/dev/null; cat f; echo; dd if=f bs=5 2>&1 >/dev/null | head -n 2; dd if=f conv=sync ibs=10 2>/dev/null | wc -c; dd if=nope; echo $?
dd if=f of=h bs=3 count=2 conv=swab 2>/dev/null; cat h 2>/dev/null; dd if=/dev/zero of=z bs=1k count=100 2>&1 | head -n 2
#@ dd-append
printf ab >f; printf cd | dd of=f oflag=append conv=notrunc 2>/dev/null; cat f; echo
#@ copy
echo x >a; chmod 741 a; cp a b; stat -c %a b; cp -p a c; stat -c %a c; touch -d '2000-01-01 00:00:00' a; cp -p a d; [ d -nt a ] || echo kept-time; cp a a; echo $?; cp nope x; echo $?; mkdir e; cp a b e; ls e; cp e g; echo $?; cp -r e g; ls g
#@ copy-tree
mkdir -p s/a/b; echo 1 >s/f; echo 2 >s/a/g; ln -s ../f s/a/l; ln s/f s/h; mkfifo s/p; cp -a s t; find t | sort; readlink t/a/l; ls -l t/p | cut -c1; diff s/f t/f && echo same
#@ large-file
dd if=/dev/urandom of=f bs=64k count=48 2>/dev/null; cp f g; cmp f g && echo same; cat f g | wc -c; split_=$(dd if=f bs=1000 skip=1000 count=1 2>/dev/null | md5sum); [ "$split_" = "$(dd if=g bs=1000 skip=1000 count=1 2>/dev/null | md5sum)" ] && echo part; rm f g; ls
#@ file-tests
touch f; echo >g; mkdir d; ln -s f l; ln -s nope b; mkfifo p; chmod +x g
for t in e f d h L p s r w x b c S u g k; do printf "$t:"; for i in f g d l b p /dev/null /bin; do [ -$t $i ] && printf " $i"; done; echo; done; [ f -ef l ] && echo ef; [ -t 0 ]; echo $?
#@ mknod
mknod n c 1 3; echo $?; echo x >n; echo $?; stat -c '%F %t %T' n; mknod z c 1 5; head -c 4 z | od -An -tx1; mknod q p; ls -l q | cut -c1; mknod n c 1 3; echo $?
#@ mktemp
f=$(mktemp); [ -f "$f" ] && stat -c '%a %s' "$f"; d=$(mktemp -d); stat -c '%a %F' "$d"; mktemp ./abc.XXXXXX | wc -c; mktemp -u zz.XXXXXX | wc -c; mktemp -d ./no/x.XXXXXX 2>&1 | sed 's/x\.[A-Za-z0-9]*/x.R/'; rm -r $f $d
#@ find-features
mkdir -p a/b c; echo 12345 >a/x.c; : >a/b/y.h; ln -s x.c a/l; touch -d '2000-01-01 00:00:00' c; chmod 600 a/x.c
find . -name '*.c' -o -name '*.h' | sort; find . -type d | sort; find . -type l; find . -size +4c -type f; find . -empty | sort; find . -maxdepth 1 | sort; find . -perm 600; find . -newer c | sort | head -n 3; find . -path './a/*' -prune -o -print | sort; find . -type f -exec wc -c {} \; | sort; find . -links +1 -type f; find nope; echo $?; find . -mindepth 3 -name y.h -exec rm {} \; ; ls a/b
#@ du
dd if=/dev/zero of=f bs=1k count=64 2>/dev/null; du -k f | awk '{ print $1 }'; mkdir d; cp f d/g; du -k d | awk '{ print ($1 >= 64) }'; du -a d | sort -k2 | awk '{ print $2 }'
#@ cwd
pwd; mkdir d; cd d; pwd; cd -; cd /; pwd; cd /tmp/w/d; rmdir /tmp/w/d; cd .; echo $?; cd ..; pwd; cd nope; echo $?; CDPATH=/; cd etc; pwd
#@ pwd-after-rename
mkdir a; cd a; mv ../a ../b; /bin/pwd; ls -d ../b; cd ..; pwd
#@ glob
touch a1 a2 b1 .c; mkdir d; touch d/x d/y; echo *; echo a*; echo ?1; echo [ab]2; echo [!a]*; echo d/*; echo */; echo z*; echo .*c; echo "*"; set -f; echo *
#@ cat-many
i=0; while [ $i -lt 100 ]; do echo $i >f$i; i=$((i+1)); done; cat f* | sort -n | tail -n 1; cat f? f?? | md5sum
#@ chroot
mkdir -p r/bin; cp /bin/busybox r/bin/; echo inside >r/file; chroot r /bin/busybox cat /file; chroot r /bin/busybox pwd; chroot r /bin/busybox ls /; chroot r /bin/busybox cat /../file
#@ install-and-run
mkdir b; cp /bin/busybox b/echo; b/echo copied; cp /bin/busybox b/zz; b/zz; echo $?; ln b/echo b/false; b/false; echo $?; rm b/echo; b/false; echo $?
#@ text-busy
cp /bin/busybox ./sleep; ./sleep 1 & sleep 0.3; echo x >sleep; echo $?; wait; echo ok
#@ unlink-running
cp /bin/busybox ./sleep; ./sleep 0.5 & sleep 0.1; rm sleep; wait $!; echo $?; ls
#@ sync
echo x >f; sync; sync -d f; echo $?; fsync f 2>/dev/null; cat f
#@ flock-like-mkdir
for i in 1 2 3 4; do (until mkdir lock 2>/dev/null; do sleep 0.01; done; n=$(cat c 2>/dev/null || echo 0); echo $((n+1)) >c; rmdir lock) & done; wait; cat c
#@ special-files
cat /dev/null; head -c 3 /dev/zero | od -An -tx1; ls -l /dev/null /dev/zero /dev/full | awk '{ print $1, $5, $6, $NF }'; [ -c /dev/tty ] && echo tty; cp /dev/null f; wc -c f; cat </dev/tty; echo $?
