#!/usr/bin/env bash
# lqd takes what real and bad senders send: every message counted once, every oddity under its name; it stops with everything committed.
# Behaviours are named as in OpenBSD's syslogd tests.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"

cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
inputs:
  - {type: syslog_udp, listen: 127.0.0.1:0, labels: {env: lab}}
  - {type: syslog_tcp, listen: 127.0.0.1:0, line_bytes_max: 2KiB, connections_max: 20}
  - {type: tcp, listen: 127.0.0.1:0, line_bytes_max: 2KiB, idle: 2s}
  - {type: relp, listen: 127.0.0.1:0}
  - {type: unix_dgram, listen: $dir/log.sock}
  - {type: unix, listen: $dir/stream.sock}
YAML
start_lqd -c "$dir/lqd.yaml"
udp=$(port_of syslog_udp) tcp=$(port_of syslog_tcp) lines=$(port_of tcp) relp=$(port_of relp)

# logger: UDP, TCP with LF and with octet counts, RFC 3164 and 5424, the local sockets
logger -n 127.0.0.1 -P "$udp" -d --rfc3164 -p user.err -t one "failed to open 5"
logger -n 127.0.0.1 -P "$udp" -d --rfc5424 -p local3.info -t two "hello 5424"
logger -n 127.0.0.1 -P "$tcp" -T -t three "hello tcp"
logger -n 127.0.0.1 -P "$tcp" -T --octet-count -t four "hello octets"
logger -u "$dir/log.sock" -t five "hello local"
wait_for "logger's messages" stored_is 5 count
[ "$(stored 'service = one and severity = err and facility = user and source = 127.0.0.1 and env = lab | errors')" = 1 ] || fail "fields of a syslog message"
[ "$(stored 'service = two and facility = local3 and host != "" | count')" = 1 ] || fail "fields of RFC 5424"
[ "$(stored 'service = five | count')" = 1 ] || fail "the local socket"

python3 - "$tcp" "$lines" "$relp" "$udp" "$dir" <<'PY' || fail "the senders in Python"
import socket, sys, os
tcp, lines, relp, udp, where = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
def conn(port):
    s = socket.create_connection(("127.0.0.1", port)); s.settimeout(20); return s
def send(port, *parts):
    s = conn(port); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for p in parts: s.sendall(p)
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b""
    s.close()
head = b"<13>Mar  2 10:00:00 h "
send(tcp, head + b"multichunk: a", b"b", b"c\n" + head + b"multich", b"unk: second\n")               # multichunk
send(tcp, b"%d " % len(head + b"octets: x"), head + b"octets: x", head + b"lf: y\n")                    # both framings
send(tcp, b"5 apples, octet_badframe\n" + head + b"after_badframe: z\n")                                # octet_badframe
long = head + b"octet_maxline: " + b"x" * 5000
send(tcp, b"%d " % len(long) + long + head + b"after_maxline: a\n")                                     # octet_maxline
send(tcp, head + b"nontransparent_maxline: " + b"y" * 5000 + b"\n" + head + b"after_maxline: b\n")      # nontransparent_maxline
send(tcp, head + b"no_line_end: c")                                                                     # the connection's end is the line's
send(tcp, head + b"nul: d\x00\n\n\r\n")                                                                 # NUL, blank lines
send(lines, b"".join(b'10.1.1.%d - - [02/Mar/2026:10:%02d:00 +0000] "GET /x HTTP/1.1" %d 5 "-" "c"\n' % (i % 9, i % 60, 200 if i % 10 else 500) for i in range(500)))
u = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); u.connect(where + "/stream.sock"); u.sendall(head + b"unix_stream: a\n" + head + b"unix_stream: b\n"); u.close()

# RELP by hand: an answer to a message means that it is committed
s = conn(relp); f = s.makefile("rb")
s.sendall(b"1 open 85 relp_version=0\nrelp_software=test,1.0,http://www.example.org\ncommands=syslog\nx=yy\n\n"[:0] + b"1 open 30 relp_version=0\ncommands=syslog\n")
l = f.readline(); assert l.startswith(b"1 rsp ") and b"200 OK" in l, l
while not f.readline().startswith(b"commands"): pass
m = head + b"relp: one"
s.sendall(b"2 syslog %d %s\n3 syslog %d %s\n" % (len(m), m, len(m), m))
assert f.readline() == b"2 rsp 6 200 OK\n" and f.readline() == b"3 rsp 6 200 OK\n"
open(where + "/acknowledged", "w").close()
s.sendall(b"4 close 0\n")
assert f.readline() == b"4 rsp 0\n" and f.readline() == b"0 serverclose 0\n" and f.readline() == b""
s = conn(relp); s.sendall(b"GET / HTTP/1.1\r\n\r\n"); assert s.recv(100) == b""                       # no RELP: closed
# connections_max: the 21st is refused, the others live on
many = [conn(tcp) for _ in range(30)]
import select
refused = set()
while len(refused) < 10: # a refused one is readable (its end), the others are not
    ready, _, _ = select.select([c for c in many if c not in refused], [], [], 20)
    assert ready
    for c in ready:
        assert c.recv(1) == b""
        refused.add(c)
many = [c for c in many if c not in refused]
many[0].sendall(head + b"survivor: a\n")
for c in many: c.close()
# idle: closed after two seconds
c = conn(lines); c.settimeout(20); assert c.recv(1) == b""
PY
wait_for "multichunk" stored_is 2 'service = multichunk | count'
wait_for "survivor" stored_is 1 'service = survivor | count'
for what in octets=1 lf=1 after_badframe=1 octet_maxline=1 nontransparent_maxline=1 after_maxline=2 no_line_end=1 nul=1 unix_stream=2 relp=2; do
  [ "$(stored "service = ${what%=*} | count")" = "${what#*=}" ] || fail "$what: $(stored "service = ${what%=*} | count")"
done
[ "$(stored 'stream = combined | count')" = 500 ] || fail "lines whose format is detected: $(stored 'stream = combined | count')"
[ "$(stored 'stream = combined | errors')" = 50 ] || fail "errors of detected lines"
[ "$(stored 'stream = combined and host = 127.0.0.1 | count')" = 500 ] || fail "the sender's address is the host where nothing else tells it"

# What is received is committed at SIGTERM, without waiting for the next second.
python3 - "$tcp" <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"".join(b"<13>Mar  2 10:00:00 h sigterm: %d\n" % i for i in range(1000)) + b"<13>Mar  2 10:00:00 h sigterm: unfinished")
PY
stop_lqd
[ "$(stored 'service = sigterm | count')" = 1001 ] || fail "SIGTERM lost lines: $(stored 'service = sigterm | count')"
verify
echo "every message once"
