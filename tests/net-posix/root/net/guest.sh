# What runs in the machine for tests/net-posix/run: guest.sh PORT MD5, those of a file outside.
#
# `at NAME` lets a case outside run, and waits for its end; the server that it needs runs then.

port=$1
file=http://10.0.2.2:$port/
md5=$2

# NAME GOT WANTED
case_is() {
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

# All who connect while the server cannot come get a place, though it asked for few, and an answer.
kill -STOP $httpd
for i in $(seq 40); do
	(wget -q -O - http://127.0.0.1/index.html > /tmp/crowd$i) &
	crowd="$crowd $!"
done
places() { cat /proc/net/tcp /proc/net/tcp6 | grep -c '0100007F:0050 .* 01 '; }
limit=$(($(date +%s) + 20))
until [ "$(places)" -ge 40 ] || [ "$(date +%s)" -gt $limit ]; do sleep 0.1; done
case_is crowd-places "$(places)" 40
kill -CONT $httpd
wait $crowd
case_is crowd-answers "$(cat /tmp/crowd* | grep -c Virtue)" 40

answers() { grep -o '[0-9]* packets received'; }
case_is ping "$(ping -q -c 2 -W 5 10.0.2.2 | answers)" '2 packets received'
case_is ping-self "$(ping -q -c 1 127.0.0.1 | answers)" '1 packets received'
until ifconfig eth0 | grep -q Scope:Global; do sleep 1; done	# the router has answered
case_is ping6 "$(ping6 -q -c 1 -W 5 fec0::2 | answers)" '1 packets received'
case_is ping6-self "$(ping6 -q -c 1 ::1 | answers)" '1 packets received'
case_is refused "$(nc 127.0.0.1 9 2>&1 < /dev/null)" \
	"nc: can't connect to remote host (127.0.0.1): Connection refused"
case_is in-use "$(httpd -p 80 2>&1)" 'httpd: bind: Address already in use'

case_is dhcp "$(sed -n 1p /etc/resolv.conf)" 'nameserver 10.0.2.3'
case_is address "$(ifconfig eth0 | grep -o 'addr:[0-9.]*' | head -n 1)" 'addr:10.0.2.15'
case_is route "$(route -n | grep -c '^0.0.0.0 *10.0.2.2 ')" 1
case_is ip-addr "$(ip addr show dev eth0 | grep -o 'inet [0-9./]*')" 'inet 10.0.2.15/24'
case_is ip-route "$(ip route | tr '\n' ';')" \
	'default via 10.0.2.2 dev eth0 ;10.0.2.0/24 dev eth0 scope link  src 10.0.2.15 ;'
case_is ip-only-looks "$(ip addr add 10.9.9.9/24 dev eth0 2>&1)" \
	'ip: RTNETLINK answers: Operation not supported'
dns 10.0.2.2 & dns=$!
rm /etc/resolv.conf
echo nameserver 127.0.0.1 > /etc/resolv.conf
case_is name "$(wget -q -O - "http://virtue.test:$port/" | md5sum)" "$md5  -"
case_is no-name "$(wget -q -O - http://nobody.test/ 2>&1)" "wget: bad address 'nobody.test'"

# All that connections took is free again: but for those that wait for late packets, at most 128.
free_kb() { awk '/^MemFree/ { print $2 }' /proc/meminfo; }
loads() {
	i=0
	while [ $i -lt 30 ]; do wget -q -O /dev/null http://127.0.0.1/index.html; i=$((i + 1)); done
}
loads; at pages; before=$(free_kb)
loads; at pages; wget -q -O /dev/null "$file"; after=$(free_kb)
if [ $((before - after)) -le 160 ]; then echo ok memory
else echo "FAIL memory: $before KiB, then $after KiB"; fi
kill $httpd $echo $telnetd $dns
