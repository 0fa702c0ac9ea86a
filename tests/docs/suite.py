"""The commands of the README; the generated pages, the table of system calls, `make report`; a
second make has nothing to do."""

suite("readme", ["tests/docs/readme"], seconds=600, alone=True)
suite("generated", ["tests/docs/generated"])
suite("make-again", ["sh", "-c", "make -q all && echo ok make_again || "
                     "echo 'FAIL make_again: what make has built is out of date at once'"], alone=True)
suite("report", ["tests/docs/report"], seconds=180, long=True, alone=True)
