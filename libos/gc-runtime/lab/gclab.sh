#!/bin/sh
# gclab in a domain of its own. A small one checks the options first, and says what it must have:
# --mem, what a store in memory may take, the trace of --opt, the pictures of --map, and a few MiB for
# its program, page tables and stack; without --mem, most of what the session has. With --store disk it
# gets a part of the session's first disk, as large as the heap or as there is.
free=$(awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo)
needs=$(domain --mem 8M -- /lib/gclab --session "$free" "$@" < /dev/null) || exit
case $needs in
--mem*) ;;
*)	printf '%s\n' "$needs"		# --list, --help
	exit ;;
esac
# shellcheck disable=SC2086
exec domain $needs -- /lib/gclab "$@"
