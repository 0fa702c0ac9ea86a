"""The benchmark program must run: figures are for people, their gate is on instruction counts."""

suite("bench", shell("/bin/bench -r 1 -s 0.05 | awk 'NF == 6 { print \"ok\", $1 } "
                     "END { if (NR != 14) print \"FAIL count: \" NR }'",
                     "--add", f"{BUILD}/tests/bench/root"))
