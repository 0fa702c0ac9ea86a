#!/bin/sh
# gclab in a domain of its own. Its quota: --mem, what a store in memory may take (64 MiB unless it
# is told), the trace of --opt, the pictures of --map, and a few MiB for its program, page tables and
# stack; without --mem, half of what the session has. With --store disk it gets the session's first
# disk.
mem= store= trace=0 disk= map=0 heap=512
next=

# A size with its letter, in MiB
mib() {
	case $1 in
	*G) echo $((${1%G} << 10)) ;;
	*M) echo "${1%M}" ;;
	*K) echo $(((${1%K} + 1023) >> 10)) ;;
	*) echo $((($1 + 1048575) >> 20)) ;;
	esac
}

for word; do
	case $next in
	mem) mem=$word ;;
	heap) heap=$(mib "$word") ;;
	map) map=1 ;;
	store) case $word in memory:*) store=${word#memory:} ;; disk) store=0 disk='--disk 0' ;; file*) store=0 ;; esac ;;
	esac
	case $word in
	--mem) next=mem ;;
	--store) next=store ;;
	--heap) next=heap ;;
	--map) next=map ;;
	--opt) trace=96 ;;
	*) next= ;;
	esac
done
if [ "$map" = 1 ]; then	# 128 pictures, a byte for each page
	map=$((heap / 32 + 1))
fi
if [ -n "$mem" ]; then
	mem=$(mib "$mem") store=${store:-64}
else
	store=${store:-0}
	mem=$(awk '/^MemFree/ { print int($2 / 2048) }' /proc/meminfo)
fi
# shellcheck disable=SC2086
exec domain $disk --mem "$((mem + mem / 64 + store + trace + map + 8))M" -- /lib/gclab "$@"
