# Debian's bash-static, installed as bash, as the shell.
#@ arrays shell=bash
a=(x 'y z' w); echo ${#a[@]} "${a[1]}"; a+=(q); for i in "${a[@]}"; do echo "[$i]"; done; declare -A m=([k]=v [j]=u); for k in $(printf '%s\n' "${!m[@]}" | sort); do echo $k=${m[$k]}; done; echo "${a[@]:1:2}"; unset 'a[0]'; echo "${!a[@]}"
#@ process-substitution shell=bash
diff <(printf 'a\nb\n') <(printf 'a\nc\n'); cat <(echo one) <(echo two); echo data > >(tr a-z A-Z); sleep 0.3; wait; while read x; do echo "r $x"; done < <(seq 3)
#@ here-string shell=bash
cat <<<"hello $((1+1))"; read a b <<<"x y z"; echo "$b"; cat <<E
doc $BASH_SUBSHELL
E
x=$(seq 1 30000); cat <<<"$x" | md5sum
#@ pipestatus shell=bash
true | false | (exit 3); echo "${PIPESTATUS[@]}"; set -o pipefail; (exit 4) | true; echo $?; shopt -s lastpipe; echo v | read x; echo "x=$x"
#@ traps shell=bash
trap 'echo exit' EXIT; trap 'echo err $LINENO' ERR; false; trap 'echo usr1' USR1; kill -USR1 $$; (trap 'echo sub' EXIT); trap - ERR; false; trap 'echo debug' DEBUG; :; trap - DEBUG; f() { trap 'echo ret' RETURN; }; f
#@ jobs-wait-n shell=bash
(sleep 0.5; exit 3) & (sleep 0.1; exit 4) & wait -n; echo $?; wait -n; echo $?; sleep 5 & kill %1; wait %1; echo $?; sleep 0.1 & p=$!; wait -f $p; echo $?
#@ coproc shell=bash
coproc { while read x; do echo "co $x"; done; }; echo hi >&${COPROC[1]}; read y <&${COPROC[0]}; echo $y; eval "exec ${COPROC[1]}>&-"; wait; echo $?
#@ fd-variables shell=bash
exec {fd}>f; echo via >&$fd; exec {fd}>&-; cat f; exec {r}<f; read -u $r x; echo $x; [ $r -ge 10 ] && echo high; echo both &>g; cat g; echo more &>>g; cat g; ls nope |& sed 's/^/p:/'
#@ read-options shell=bash
printf 'abcdef' | { read -N 4 x; echo $x; }; printf 'a,b,c' | { IFS=, read -ra v; echo ${#v[@]}; }; read -t 0.2 x < <(sleep 1); echo $?; printf 'x;y;' | { read -d ';' q; echo $q; }; mapfile -t L < <(seq 3); echo "${L[2]}"
#@ expansions shell=bash
x=Hello; echo ${x^^} ${x,,} ${x:1:3} ${x/l/L} ${x//l/L} ${!x@} ${x@Q}; echo {1..5} {a..c}{1,2}; echo $'a\tb\x41'; printf -v v '%05d' 42; echo $v; [[ abc =~ ^a(b)c$ ]] && echo ${BASH_REMATCH[1]}; [[ x < y ]] && echo lt; ((i=5,i>3)) && echo $i; echo $((2**20)) $((16#ff)); touch f1 f2 g
shopt -s extglob
echo !(g) +(f?)
#@ subshell-pids shell=bash
[ $BASHPID = $$ ] && echo same; ([ $BASHPID != $$ ] && echo differ; echo $BASH_SUBSHELL); echo $(echo $BASH_SUBSHELL)
#@ ulimit-all shell=bash
ulimit -n 64; ulimit -n; ulimit -Sn 32; ulimit -Hn; ulimit -c 0; ulimit -c; ulimit -n 100000000; echo $?
#@ exec-a shell=bash
(exec -a newname /bin/sh -c 'echo $0'); (exec -c /bin/busybox env) | grep -c HOME; bash -c 'echo $0 $1' zero one; printf 'echo script $1\n' >s; bash s arg; bash -n s; echo $?
#@ times-wait shell=bash
TIMEFORMAT=t; time sleep 0.1; [ $SECONDS -ge 0 ] && echo s; [ ${#EPOCHREALTIME} -ge 16 ] && echo e
#@ errors shell=bash
nope; echo $?; cd /nope; echo $?; /etc; echo $?; echo >/nope/x; echo $?; kill -9 999999; echo $?; exec 3<nope; echo $?; printf '#!/nope\n' >s; chmod +x s; ./s; echo $?
#@ job-control-monitor shell=bash
set -m; sleep 0.2 & jobs; wait; (sleep 0.1; exit 2) & wait %1; echo $?; sleep 9 & kill -STOP %1; sleep 0.3; jobs; kill -KILL %1; wait %1 2>/dev/null; wait $! 2>/dev/null; echo end
#@ select-like-loop shell=bash
for ((i = 0, s = 0; i < 1000; i++)); do ((s += i)); done; echo $s; while IFS=: read -r u _ id _; do echo "$u=$id"; done </etc/passwd
#@ glob-options shell=bash
mkdir -p a/b; touch a/b/x a/y; shopt -s globstar nullglob dotglob; echo **; echo nomatch*; touch .h; echo *; shopt -u dotglob; GLOBIGNORE=a; echo *
#@ signals-in-function shell=bash
f() { trap 'echo int; return 5' INT; kill -INT $BASHPID; echo after; }; f; echo $?; trap - INT; bash -c 'trap "echo t; exit 3" TERM; sleep 9 & kill -TERM $$; wait'; echo $?; (bash -c 'kill -SEGV $$'; exit $?) 2>/dev/null; echo $?
#@ pipeline-large shell=bash
x=$(head -c 300000 /dev/zero | tr '\0' y); echo ${#x}; echo "$x" | wc -c; printf '%s\n' "$x" | md5sum
#@ source-stdin shell=bash
source /dev/stdin <<<'v=sourced'; echo $v; . <(echo 'w=psub'); echo $w; echo 'echo from pipe' | bash; bash -s a b <<<'echo $# $2'
