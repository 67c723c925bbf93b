#!/usr/bin/env bash
# lqd under load by all ways at once, with readers and a reload: exact counts. Built with the preset tsan it shows that no two threads race.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
export TSAN_OPTIONS=halt_on_error=1
mkdir "$dir/logs"
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: 127.0.0.1:0
tz: UTC
threads: 3
flush_every: 100ms
compact_every: 1s
window_lines: 2000
inputs:
  - {type: syslog_tcp, listen: 127.0.0.1:0}
  - {type: tcp, listen: 127.0.0.1:0}
  - {type: relp, listen: 127.0.0.1:0}
  - {type: tail, paths: ['$dir/logs/*.log'], poll: 100ms}
YAML
start_lqd -c "$dir/lqd.yaml"
cat >"$dir/load.py" <<'PY'
import json, socket, sys, threading, urllib.request
syslog, lines, relp, http, where, n = (int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]))
def web(i, k): return b'10.0.%d.%d - - [02/Mar/2026:10:%02d:%02d +0000] "GET /p%d/%d HTTP/1.1" %d %d "-" "c"\n' % (k, i % 250, i // 60 % 60, i % 60, k, i % 40, 500 if i % 50 == 0 else 200, i)
def tcp(port, make, k):
    s = socket.create_connection(("127.0.0.1", port))
    for at in range(0, n, 100): s.sendall(b"".join(make(i, k) for i in range(at, at + 100)))
    s.shutdown(socket.SHUT_WR); s.settimeout(60); s.recv(1); s.close()
def tail(k):
    with open("%s/logs/%d.log" % (where, k), "ab") as f:
        for i in range(n): f.write(web(i, k))
def relp_sender():
    s = socket.create_connection(("127.0.0.1", relp)); f = s.makefile("rb")
    s.sendall(b"1 open 30 relp_version=0\ncommands=syslog\n")
    head = f.readline().split(b" ", 3); f.read(int(head[2]) - len(head[3]) + 1)
    for at in range(0, n, 200):
        for i in range(at, at + 200):
            m = b"<13>Mar  2 10:00:00 h relp: message %d" % i
            s.sendall(b"%d syslog %d %s\n" % (i + 2, len(m), m))
        for i in range(at, at + 200): assert f.readline().endswith(b"rsp 6 200 OK\n")
stop = threading.Event()
def reader():
    while not stop.is_set():
        for path in ("/metrics", "/readyz", "/api/v1/lq/streams"): urllib.request.urlopen("http://127.0.0.1:%d%s" % (http, path), timeout=60).read()
jobs = [threading.Thread(target=tcp, args=(syslog, lambda i, k: b"<13>Mar  2 10:00:00 h%d app%d: item %d sold\n" % (k, i % 7, i), k)) for k in range(3)]
jobs += [threading.Thread(target=tcp, args=(syslog, lambda i, k: b"<13>Mar  2 10:00:00 h nginx: " + web(i, k), 9))]
jobs += [threading.Thread(target=tcp, args=(lines, web, k)) for k in range(3)]
jobs += [threading.Thread(target=tail, args=(k,)) for k in (20, 21)] + [threading.Thread(target=relp_sender)]
watch = threading.Thread(target=reader); watch.start()
for j in jobs: j.start()
for j in jobs: j.join()
stop.set(); watch.join()
PY
each=2000
python3 "$dir/load.py" "$(port_of syslog_tcp)" "$(port_of tcp)" "$(port_of relp)" "$(port_of http)" "$dir" $each &
load=$!
pids+=("$load")
for _ in 1 2 3; do
  pause 0.3
  kill -HUP "$lqd_pid" || fail "lqd is gone"
  "$lq" 'count by route' --data "$dir/store" --since 2000-01-01 >/dev/null 2>&1 || true
done
wait $load || fail "the senders"
wait_for "all lines" all_lines_are $((10 * each))
[ "$(stored 'stream = combined | count')" = $((6 * each)) ] || fail "lines of combined: $(stored 'stream = combined | count')"
[ "$(stored 'service = relp | count')" = "$each" ] || fail "RELP"
# Each line has the host of its own way, though all ways share parsers: what syslog says, the sender's address; of files none.
for want in "h $each" "127.0.0.1 $((3 * each))"; do
  [ "$(stored "stream = combined and host = ${want% *} | count")" = "${want##* }" ] || fail "lines of host ${want% *}: $(stored "stream = combined and host = ${want% *} | count"), not ${want##* }"
done
stop_lqd
grep -q 'ThreadSanitizer' "$dir/lqd.log" && fail "a race"
verify
echo "$((10 * each)) lines by ten ways, each once"
