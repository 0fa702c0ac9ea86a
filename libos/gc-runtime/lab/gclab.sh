#!/bin/sh
# gclab in a domain of its own. Its quota: --mem, what a store in memory may take, the trace of --opt, and
# a few MiB for its program, page tables and stack; without --mem, half of what the session has. With
# --store disk it gets the session's first disk.
mem= store=0 trace=0 disk=
next=
for word; do
	case $next in
	mem) mem=$word ;;
	store) case $word in memory:*) store=${word#memory:} ;; disk) disk='--disk 0' ;; esac ;;
	esac
	case $word in
	--mem) next=mem ;;
	--store) next=store ;;
	--opt) trace=96 ;;
	*) next= ;;
	esac
done
case $mem in
*G) mem=$((${mem%G} << 10)) ;;
*M) mem=${mem%M} ;;
*K) mem=$(((${mem%K} + 1023) >> 10)) ;;
'') mem=$(awk '/^MemFree/ { print int($2 / 2048) }' /proc/meminfo) ;;
*) mem=$(((mem + 1048575) >> 20)) ;;
esac
# shellcheck disable=SC2086
exec domain $disk --mem "$((mem + mem / 64 + store + trace + 8))M" -- /lib/gclab "$@"
