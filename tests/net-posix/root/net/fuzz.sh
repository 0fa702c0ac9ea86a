# Four processes at once make random calls around sockets, in three rounds, and nothing is kept.
free_kb() { awk '/^MemFree/ { print $2 }' /proc/meminfo; }
round() {
	for s in 1 2 3 4; do
		(cd "$(mktemp -d)" && fuzz $(($1 * 10 + s)) 20000 && echo "ok socket-fuzz-$1-$s" ||
			echo "FAIL socket-fuzz-$1-$s: status $?"; rm -rf "$PWD") &
	done
	wait
}
round 1
before=$(free_kb)
round 2
round 3
after=$(free_kb)
if [ $((before - after)) -le 512 ]; then echo ok socket-fuzz-memory
else echo "FAIL socket-fuzz-memory: $before KiB, then $after KiB"; fi
