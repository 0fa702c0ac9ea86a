# Signals and traps, as shells see them.
#@ kill-list
kill -l; kill -l 15; kill -l 143; kill -l TERM; kill -l 9 2 1
#@ kill-names
for s in HUP ILL ABRT FPE KILL USR1 SEGV USR2 PIPE ALRM TERM BUS SYS XCPU VTALRM PROF IO; do
	sleep 5 & kill -$s $!; wait $! 2>/dev/null; echo "$s $?"; done
#@ kill-ignored-by-default
for s in CHLD CONT URG WINCH; do sleep 0.2 & kill -$s $!; wait $!; echo "$s $?"; done
#@ kill-errors
kill -TERM 999999; echo $?; kill -0 $$; echo $?; kill -NOSUCH $$; echo $?; kill; echo $?
#@ trap-exit
trap 'echo bye $?' EXIT; echo hello; exit 3
#@ trap-exit-subshell
trap 'echo outer' EXIT; (trap 'echo inner' EXIT; echo in); (echo plain); echo end
#@ trap-exit-by-signal
sh -c 'trap "echo cleanup" EXIT; trap "exit 5" TERM; kill -TERM $$; sleep 1'; echo $?
sh -c 'trap "echo cleanup" EXIT; kill -TERM $$; sleep 1'; echo $?
#@ trap-signals
for s in HUP INT QUIT USR1 USR2 ALRM TERM CONT WINCH; do trap "echo got $s" $s; kill -$s $$; done; echo end
#@ trap-reset
trap 'echo h' USR1; kill -USR1 $$; trap - USR1; sh -c 'kill -USR1 $PPID' & wait $!; echo unreachable
#@ trap-ignore-inherited
trap '' TERM; sh -c 'kill -TERM $$; echo survived'; trap - TERM; sh -c 'kill -TERM $$; echo no'; echo $?
#@ trap-list
trap 'echo a' INT; trap 'b "q" '"'x'" TERM; trap; (trap)
#@ trap-during-wait
trap 'echo usr1' USR1; (sleep 0.3; kill -USR1 $$) & sleep 1 & wait $!; echo "wait $?"; wait $!; echo "again $?"
#@ trap-during-foreground
trap 'echo usr1 after' USR1; (sleep 0.2; kill -USR1 $$) & sh -c 'sleep 0.5; echo child done'; echo next
#@ trap-during-read
trap 'echo usr1' USR1; mkfifo p; exec 3<>p; (sleep 0.2; kill -USR1 $$; sleep 0.2; echo data >p) & read x <&3; echo "$? [$x]"
#@ trap-in-pipeline
trap 'echo term' TERM; (kill -TERM $$; echo sub) | cat; echo end
#@ trap-return-value
trap 'false' USR1; kill -USR1 $$; echo $?; trap 'x=$?; echo "in $x"' USR1; (exit 4); kill -USR1 $$; echo $?
#@ trap-nested
trap 'echo a; kill -USR2 $$; echo b' USR1; trap 'echo two' USR2; kill -USR1 $$; echo end
#@ int-to-child
sh -c 'trap "echo int; exit 9" INT; sleep 0.1; kill -INT $$; sleep 1'; echo $?
sh -c 'sleep 0.6 & sleep 0.2; kill -INT $!; kill -QUIT $!; wait $!; echo $?'
#@ int-ignored-in-background
sh -c 'sh -c "kill -INT \$\$; echo survived" & wait'; echo $?
#@ int-group
setsid sh -c 'sleep 5 & sleep 5 & (sleep 0.3; kill -TERM 0) & trap "echo t" TERM; wait; echo "st $?"; wait; echo all gone'
#@ kill-group
setsid sh -c 'trap "echo leader term" TERM; sh -c "trap \"echo child term\" TERM; echo ready >f; sleep 0.5 & wait; :" & while [ ! -s f ]; do sleep 0.1; done; kill -TERM -$$; wait; wait; echo end' | sort
#@ stop-continue
(i=0; while [ $i -lt 5 ]; do echo $i >>f; sleep 0.1; i=$((i+1)); done) & p=$!
sleep 0.15; kill -STOP $p; sleep 0.2; a=$(wc -l <f); sleep 0.4; b=$(wc -l <f); [ $a = $b ] && echo stopped
cut -d' ' -f3 /proc/$p/stat; kill -CONT $p; wait $p; echo "$? $(wc -l <f)"
#@ stop-kill
exec 2>/dev/null
sleep 9 & p=$!; sleep 0.1; kill -STOP $p; sleep 0.1; kill -TERM $p; sleep 0.2; kill -0 $p && echo "still there"; kill -CONT $p; wait $p; echo $?
sleep 9 & p=$!; kill -STOP $p; sleep 0.1; kill -KILL $p; wait $p; echo $?
#@ hup-orphan
setsid sh -c '(trap "echo got hup >f" HUP; sleep 0.5) & exit 0'; sleep 0.8; cat f 2>/dev/null; echo end
#@ sigchld-trap
trap 'echo chld' CHLD; (sleep 0.2; exit 1) & wait $!; echo "w $?"; trap - CHLD; (exit 2) & wait $!; echo "w $?"
#@ self-stop-in-group
sh -c 'kill -STOP $$; echo resumed' & p=$!; sleep 0.3; cut -d' ' -f3 /proc/$p/stat; kill -CONT $p; wait $p; echo $?
#@ pending-many
trap 'n=$((n+1))' USR1; n=0; i=0; while [ $i -lt 50 ]; do kill -USR1 $$; i=$((i+1)); done; echo $n
#@ pidof
sleep 47 & p=$!; pidof sleep | grep -q "\b$p\b" && echo found; kill $p; wait $p; echo $?
#@ watchdog
(sleep 0.3; kill -TERM $$ 2>/dev/null) & trap 'echo timed out; exit 9' TERM; while :; do :; done
#@ busy-loop-interrupted
exec 2>/dev/null; sh -c 'while :; do :; done' & p=$!; sleep 0.2; kill -TERM $p; wait $p; echo $?
#@ kill-by-exec-child
exec 2>/dev/null; sh -c 'exec sleep 5' & p=$!; sleep 0.2; kill $p; wait $p; echo $?
#@ alarm-timeout-nested
timeout 1 sh -c 'trap "echo termed; exit 4" TERM; sleep 5 & wait'; echo $?
#@ sigpipe-trap
(trap 'echo pipe >&2' PIPE; sleep 0.2; echo x; echo "st $?" >&2) | true
#@ exit-in-trap
trap 'echo t; exit 7' USR1; (kill -USR1 $$); sleep 1; echo no
