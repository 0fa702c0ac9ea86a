#!/bin/sh
# In the machine: w3m shows a page that makes it collect, in each way of collecting and without,
# from a file and from a pipe. The text must be the same.
cd /tmp || exit
export HOME=/tmp
page() {
	echo '<html><head><title>t</title></head><body><h1>Tables</h1>'
	awk 'BEGIN { for (t = 0; t < 40; t++) {
		print "<table border=1>"
		for (r = 0; r < 20; r++) {
			print "<tr>"
			for (c = 0; c < 6; c++) 
				printf "<td>%d &times; %d = <b>%d</b></td>", t + r, c, (t + r) * c
			print "</tr>"
		}
		print "</table><p>A paragraph of text between tables, number " t ","
		print "that is broken into lines.</p>" } }'
	echo '</body></html>'
}
check() {
	[ "$2" = "$3" ] && echo "ok libgc_w3m_$1" || echo "FAIL libgc_w3m_$1: $2, not $3"
}
same() { cmp -s "$1" right && echo "ok libgc_w3m_$1" || echo "FAIL libgc_w3m_$1: other text"; }

page > page.html
GC_DONT_GC=1 w3m -dump -cols 120 page.html > right 2> errors
check lines "$(grep -c '×' right)" 800
check paragraph "$(grep -c 'number 39, that is broken' right)" 1
GC_PRINT_STATS=1 w3m -dump -cols 120 page.html > file 2> stats
same file
GC_PRINT_STATS=1 GC_ENABLE_INCREMENTAL=1 w3m -dump -cols 120 page.html > steps 2> steps-stats
same steps
w3m -dump -cols 120 -T text/html < page.html > pipe
same pipe
for s in stats steps-stats; do
	n=$(sed -n 's/.* without; \([0-9]*\) collections.*/\1/p' $s)
	[ "${n:-0}" -ge 3 ] && echo "ok libgc_w3m_$s" || echo "FAIL libgc_w3m_$s: $(tail -n 1 $s)"
done
