# Debian's mksh (a static build) as the shell.
#@ basics shell=mksh
x=5; print "x $x" $((x*2)); [[ abc = a* ]] && print match; for i in 1 2 3; do print -n "$i "; done; print; function f { typeset x=in; print $x; }; f; print $x
#@ arrays shell=mksh
set -A a one two three; print ${#a[@]} ${a[1]}; a[5]=six; print ${!a[@]}; for i in "${a[@]}"; do print "$i"; done
#@ coprocess shell=mksh
cat |& print -p hello; read -p x; print "got $x"; exec 3>&p; exec 3>&-; wait; print $?
#@ pipes shell=mksh
printf 'c\na\nb\n' | sort; seq 1 1000 | { s=0; while read n; do ((s += n)); done; print $s; }; true | false; print $?; print data | read y; print "[$y]"
#@ traps shell=mksh
trap 'print exit' EXIT; trap 'print usr1' USR1; trap 'print term' TERM; kill -USR1 $$; (kill -TERM $$) & wait; trap 'print err' ERR; false; (exit 3); print $?
#@ signals shell=mksh
/bin/sleep 5 & sleep 0.2; kill $!; wait $!; print $?; mksh -c 'kill -9 $$'; print $?; mksh -c 'trap "" INT; kill -INT $$; print survived'; kill -l 9
#@ heredoc shell=mksh
x=v; cat <<E; cat <<'Q'; cat <<<"here $x"
$x $((2+2)) $(print sub)
E
$x
Q
#@ redirects shell=mksh
exec 4>f; print -u4 hi; exec 4>&-; cat f; { print o; print -u2 e; } >a 2>b; cat a b; print x >|a; cat a; read -u0 z <a; print $z; ls nope 2>&1 | wc -l; cat <&-; print $?
#@ subst-background shell=mksh
print $(print a; (print b)) "${ print c; }"; (sleep 0.1; print late) & print early; wait; x=$(<f) 2>/dev/null; print v >f; x=$(<f); print $x
#@ string-ops shell=mksh
s=hello.tar.gz; print ${s%.*} ${s##*.} ${s:1:3} ${#s} ${s/l/L} ${s//l/L}; typeset -u up=abc; print $up; typeset -i n=7; n=n*6; print $n; typeset -Z5 z=42; print $z; print $'a\tb'
#@ errors shell=mksh
nope; print $?; cd /nope; print $?; print >/nope/x; print $?; /etc; print $?; (exit 300); print $?; kill -TERM 999999; print $?; mkdir d; print x >d; print $?
#@ getopts-select shell=mksh
set -- -a -b v rest; while getopts ab: o; do print "$o $OPTARG"; done; shift $((OPTIND-1)); print $*; printf '1\n2\n' | { select c in x y; do print "c=$c"; [[ $c = y ]] && break; done; } 2>&1
#@ jobs shell=mksh
sleep 0.2 & sleep 0.3 & wait; print $?; (exit 7) & wait $!; print $?; i=0; while ((i < 30)); do (print $i >>f) & ((i++)); done; wait; sort -n f | md5sum
#@ ulimit-umask shell=mksh
ulimit -n 32; ulimit -n; umask 027; print x >f; stat -c %a f; umask -S; ulimit -c 0; ulimit -c
#@ script-files shell=mksh
print 'print script $0 $1' >s; mksh s arg; print '#!/bin/mksh\nprint hb $#' >t; chmod +x t; ./t a b; . ./s q; mksh -s x y <<<'print $# $2'; mksh -c 'print $0 $1' z o; mksh nope; print $?
#@ arithmetic-loop shell=mksh
integer i=0 s=0; while ((i < 2000)); do ((s += i * i, i++)); done; print -- $s; print -- $((16#ff)) $((1 << 20)) $((-7 / 2)) $((2147483647 + 1))
