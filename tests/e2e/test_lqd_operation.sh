#!/usr/bin/env bash
# lqd in operation: start and refusals, reload that keeps connections, the store that fails and recovers, metrics, descriptors that run out, memory that stays.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
head='<13>Mar  2 10:00:00 h '
get() { python3 -c 'import sys, urllib.request, urllib.error
try: print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
except urllib.error.HTTPError as e: print(e.code, e.read().decode())' "http://127.0.0.1:$(port_of http)$1"; }
metric() { get /metrics | awk -v m="$1" 'index($0, m) == 1 { n += $NF } END { print n + 0 }'; }
metric_is() { [ "$(metric "$1")" = "$2" ]; }

config() { # EXTRA-INPUTS
  cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: 127.0.0.1:0
tz: UTC
inputs:
  - {type: syslog_tcp, listen: 127.0.0.1:$1, connections_max: 100000, labels: {env: $2}}
${3:-}
YAML
}
config 0 one
start_lqd -c "$dir/lqd.yaml"
tcp=$(port_of syslog_tcp)

# A second one on the same store is refused, and says why.
rc=0
"$BUILD/lqd" --data "$dir/store" -c <(sed 's/listen: 127.0.0.1:[0-9]*/listen: 127.0.0.1:0/' "$dir/lqd.yaml") 2>"$dir/second" || rc=$?
[ $rc -eq 3 ] && grep -q "being written by another process (pid $lqd_pid)" "$dir/second" || fail "a second lqd: status $rc, $(cat "$dir/second")"

# Clear refusals: a port that is taken, a configuration that is wrong.
rc=0
sed "s/listen: 127.0.0.1:[0-9]*/listen: 127.0.0.1:$tcp/; s|data: .*|data: $dir/other|" "$dir/lqd.yaml" >"$dir/taken.yaml"
"$BUILD/lqd" -c "$dir/taken.yaml" 2>"$dir/second" || rc=$?
[ $rc -eq 3 ] && grep -q "cannot listen on 127.0.0.1:$tcp: Address already in use" "$dir/second" || fail "a taken port: status $rc, $(cat "$dir/second")"
rc=0
echo 'inputs: [{type: syslog_tpc}]' >"$dir/wrong.yaml"
"$BUILD/lqd" -c "$dir/wrong.yaml" --check 2>"$dir/second" || rc=$?
[ $rc -eq 2 ] && grep -q 'did you mean syslog_tcp' "$dir/second" || fail "a wrong configuration: status $rc"

# A reload keeps the connection (dropped_on_hup: nothing is), takes the new labels, opens and closes inputs; a wrong one changes nothing.
exec 7<>"/dev/tcp/127.0.0.1/$tcp"
echo "${head}before: x" >&7
wait_for "the line before the reload" stored_is 1 'service = before and env = one | count'
config "$tcp" two "  - {type: tcp, listen: 127.0.0.1:0}"
sed -i "s/listen: 127.0.0.1:$tcp/listen: 127.0.0.1:0/" "$dir/lqd.yaml"
kill -HUP "$lqd_pid"
wait_for "the reload" grep -q 'reloaded: 3 inputs' "$dir/lqd.log"
echo "${head}after: x" >&7
wait_for "the line after the reload" stored_is 1 'service = after and env = two | count'
echo 'inputs: nonsense' >"$dir/lqd.yaml"
kill -HUP "$lqd_pid"
wait_for "the refused reload" grep -q 'the configuration is not reloaded' "$dir/lqd.log"
echo "${head}again: x" >&7
wait_for "the line after the refused reload" stored_is 1 'service = again | count'
exec 7>&-

# Health and metrics; every line is accounted for.
get /healthz >/dev/null
get /readyz | grep true >/dev/null || fail "/readyz"
metric_is 'lqd_input_lines_total{input="syslog_tcp"' 3 || fail "lines in /metrics: $(metric 'lqd_input_lines_total{input="syslog_tcp"')"
metric_is lqd_input_dropped_total 0 || fail "drops in /metrics"
get /metrics | python3 -c 'import re, sys
for l in sys.stdin:
    assert l == "\n" or re.match(r"^(# (HELP|TYPE) lqd_\w+ .+|lqd_\w+(\{[^}]*\})? [-+0-9.e]+)$", l), l' || fail "no Prometheus text"
stop_lqd

# Idle, slow and endless: memory has a ceiling.
config 0 mem
sed -i 's/^http/buffers_max: 1MiB\nhttp/' "$dir/lqd.yaml"
start_lqd -c "$dir/lqd.yaml"
tcp=$(port_of syslog_tcp)
python3 - "$tcp" "$lqd_pid" <<'PY' || fail "memory under idle, slow and endless senders"
import resource, socket, sys, time
port, pid = int(sys.argv[1]), sys.argv[2]
def anon():
    return int([l.split()[1] for l in open("/proc/%s/status" % pid) if l.startswith("RssAnon")][0])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
n = min(4000, hard - 100)
before = anon()
socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(n)]
idle = anon()
for s in socks[:500]: s.sendall(b"<13>Mar  2 10:00:00 h endless: " + b"x" * 60000)   # 30 MB that end nowhere
for s in socks[500:1000]: s.sendall(b"<13>Mar  2 10:00:00 h slow: ")
for s in socks[500:1000]: s.sendall(b"done\n")
deadline = time.monotonic() + 20
time.sleep(0)
peak = max(anon() for _ in range(200))
print("RssAnon kB: %d, with %d idle connections %d, with 30 MB of unfinished lines %d" % (before, n, idle, peak))
assert peak - before < 40000, "more than 40 MB"
PY
wait_for "the slow senders" stored_is 500 'service = slow | count'
wait_for "unfinished lines beyond buffers_max to be counted" eval '[ "$(metric "lqd_input_dropped_total{input=\"syslog_tcp\",type=\"syslog_tcp\",reason=\"buffers_max\"")" -gt 0 ]'
stop_lqd

# fd_exhaustion: no crash, said, and over when descriptors are free again.
config 0 few
(ulimit -n 64; exec "$BUILD/lqd" -c "$dir/lqd.yaml" 2>>"$dir/lqd.log") &
lqd_pid=$!
pids+=("$lqd_pid")
wait_for "lqd with 64 descriptors" eval '[ "$(grep -c " ready: " "$dir/lqd.log")" -ge 3 ]'
tcp=$(port_of syslog_tcp)
python3 - "$tcp" <<'PY'
import socket, sys
socks = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(100)]
for i, s in enumerate(socks): s.sendall(b"<13>Mar  2 10:00:00 h exhausted: %d\n" % i)
import time
for s in socks: s.shutdown(socket.SHUT_WR)
PY
wait_for "descriptors to run out" grep -q 'cannot accept: Too many open files' "$dir/lqd.log"
wait_for "all hundred, once descriptors are free again" stored_is 100 'service = exhausted | count'
stop_lqd
verify

# Standard input: --once takes it to its end; without --once SIGTERM ends an lqd whose standard input is open and silent.
seq -f '2026-03-02 10:00:00,000 [main] INFO shop.Order - order %g done' 300 | "$BUILD/lqd" --once --data "$dir/once" 2>/dev/null || fail "--once"
all_lines_are 300 "$dir/once" || fail "--once: $(all_lines "$dir/once") of 300"
printf 'data: %s/stdin\nhttp: off\ninputs: [{type: stdin}]\n' "$dir" >"$dir/stdin.yaml"
mkfifo "$dir/fifo"
exec 8<>"$dir/fifo"
start_lqd -c "$dir/stdin.yaml" <"$dir/fifo"
echo '2026-03-02 10:00:00,000 [main] INFO shop.Order - one' >&8
wait_for "a line on standard input" all_lines_are 1 "$dir/stdin"
stop_lqd
exec 8>&-

# A full disk: no crash, no wrong count, said clearly; it goes on by itself when there is room again.
mkdir "$dir/small"
if mount -t tmpfs -o size=3m tmpfs "$dir/small" 2>/dev/null; then
  trap 'cleanup_mount' EXIT
  cleanup_mount() { for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done; umount -l "$dir/small" 2>/dev/null || true; cleanup; }
  cat >"$dir/full.yaml" <<YAML
data: $dir/small/store
http: 127.0.0.1:0
tz: UTC
flush_every: 200ms
inputs: [{type: syslog_tcp, listen: 127.0.0.1:0}]
YAML
  start_lqd -c "$dir/full.yaml"
  tcp=$(port_of syslog_tcp)
  exec 7<>"/dev/tcp/127.0.0.1/$tcp"
  echo "${head}disk: first" >&7
  wait_for "the first line" stored_is 1 'service = disk | count' "$dir/small/store"
  head -c 4m /dev/zero >"$dir/small/ballast" 2>/dev/null || true
  python3 -c 'import sys
for i in range(3000): print("<13>Mar  2 10:%02d:%02d h disk: %s %x" % (i // 60 % 60, i % 60, chr(97 + i % 26) * (i % 50 + 1), i))' >&7
  wait_for "the full disk to be said" grep -q 'No space left' "$dir/lqd.log"
  get /readyz | grep "^503" >/dev/null || fail "/readyz while commits fail"
  rm "$dir/small/ballast"
  wait_for "the end of the full disk" grep -q 'commits work again' "$dir/lqd.log"
  wait_for "every line after a full disk" stored_is 3001 'service = disk | count' "$dir/small/store"
  # stopped while it is full: what could not be stored is counted - in the window that is refused, and in the one that fills meanwhile
  head -c 4m /dev/zero >"$dir/small/ballast" 2>/dev/null || true
  again() { [ "$(grep -c 'No space left' "$dir/lqd.log")" -ge 2 ]; }
  lines() { python3 -c 'import sys
for i in range(20000): print("<13>Mar  2 11:%02d:%02d h disk: %s %s" % (i // 60 % 60, i % 60, sys.argv[1] * (i % 50 + 1), chr(97 + i % 26) * (i % 300)))' "$1" >&7; }
  lines x
  wait_for "the disk to be full again" again
  lines y
  received() { get /metrics | awk '/^lqd_input_lines_total/ { n += $2 } END { exit n < 43001 }'; }
  wait_for "all lines to be received" received
  rc=0
  kill -TERM "$lqd_pid"
  wait "$lqd_pid" || rc=$?
  [ $rc -eq 3 ] || fail "lqd that could not store everything ended with status $rc"
  rm "$dir/small/ballast"
  lost=$(sed -n 's/.*the store refused the last \([0-9]*\) lines.*/\1/p' "$dir/lqd.log")
  [ "$lost" -ge 20000 ] && stored_is $((43001 - lost)) 'service = disk | count' "$dir/small/store" || fail "$lost lines lost, stored $(stored 'service = disk | count' "$dir/small/store") of 43001"
  exec 7>&-
  verify "$dir/small/store"
else
  echo "no mount here: the full disk is tested by tests/fault only"
fi
echo "operates"
