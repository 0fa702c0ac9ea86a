# What runs in the machine for tests/net-posix/run: guest.sh PORT MD5, those of a file outside.
#
# `at NAME` lets a case outside run, and waits for its end; the server that it needs runs then.

file=http://10.0.2.2:$1/
md5=$2

case_is() {	# NAME GOT WANTED
	if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAIL $1: $2, not $3"; fi
}

at() {
	echo "at $1"
	read -r _
}

# Somebody listens at a port (four hexadecimal digits).
await() {
	until cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$1 .* 0A "; do :; done
}

mkdir -p /www
echo '<html>Virtue</html>' > /www/index.html
wget -q -O /www/big "$file"
case_is wget "$(md5sum < /www/big)" "$md5  -"

httpd -f -p 80 -h /www & httpd=$!
nc -ll -p 7 -e cat & echo=$!
telnetd -F -l /bin/sh & telnetd=$!
await 0050; await 0007; await 0017
at page
at pages
at crowd
at big
at echo
at telnet

case_is loopback "$(wget -q -O - http://127.0.0.1/index.html)" '<html>Virtue</html>'
case_is localhost "$(wget -q -O - http://localhost/index.html)" '<html>Virtue</html>'
case_is loopback6 "$(wget -q -O - 'http://[::1]/index.html')" '<html>Virtue</html>'
case_is ping "$(ping -q -c 2 -W 5 10.0.2.2 | grep -o '[0-9]* packets received')" '2 packets received'
case_is ping-self "$(ping -q -c 1 127.0.0.1 | grep -o '[0-9]* packets received')" '1 packets received'
case_is refused "$(nc 127.0.0.1 9 2>&1 < /dev/null)" "nc: can't connect to remote host (127.0.0.1): Connection refused"
case_is in-use "$(httpd -p 80 2>&1)" 'httpd: bind: Address already in use'
kill $httpd $echo $telnetd
