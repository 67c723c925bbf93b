#!/usr/bin/env bash
# lq load and lq mark while an lqd holds the store: the same content as without it, each content once, nothing lost when a client or lqd is killed; what is no
# request is refused and counted; only the owner may write.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"

"$BUILD/lqgen" --scenario story --lines 60000 "$dir/s" 2>/dev/null
printf '10.0.0.1 - - [02/Mar/2026:10:00:00 +0000] "GET /followed HTTP/1.1" 200 5 "-" "c"\n%.0s' {1..50} >"$dir/followed.log"
files=("$dir"/s/web-*/access.log "$dir"/s/web-*/app.log)
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: 127.0.0.1:0
tz: UTC
inputs:
  - {type: tcp, listen: 127.0.0.1:0}
YAML
start_lqd -c "$dir/lqd.yaml"
port() { sed -n 's/^lqd: http listens on 127.0.0.1:\([0-9]*\)$/\1/p' "$dir/lqd.log" | tail -1; }
refused() { curl -sS "http://127.0.0.1:$(port)/metrics" | awk '$1 == "lqd_control_refused_total" { print $2 }'; }
said() { grep -q "$1" "$dir/lqd.log"; }
[ "$(stat -c %a "$dir/store/control")" = 600 ] || fail "readers of the group can write to the control socket"

# the same content; what was loaded is committed when lq returns
"$lq" load --data "$dir/alone" "${files[@]}" >"$dir/alone.out"
"$lq" load --data "$dir/store" "${files[@]}" >"$dir/store.out"
[ "$("$lq" debug digest --data "$dir/alone")" = "$("$lq" debug digest --data "$dir/store")" ] || fail "loaded into a running lqd the content differs"
diff <(grep -v ' into ' "$dir/alone.out") <(grep -v ' into ' "$dir/store.out") || fail "lq load says something else"
"$lq" load --data "$dir/store" "${files[@]}" >"$dir/again.out"
[ "$(grep -c ': already loaded' "$dir/again.out")" = "${#files[@]}" ] || fail "the same content counts twice"
before=$(all_lines)

# labels, zone, format; the client's own zone where none is given
printf '2026-03-02 10:00:00,001 INFO [main] c.Zone - one\n' >"$dir/zone.log"
TZ=Asia/Tokyo "$lq" load --data "$dir/store" --label env=lab --label 'site={1}' --label-from '/([a-z]+)\.log' --format-name log4j "$dir/zone.log" >/dev/null
[ "$("$lq" 'env = lab and site = zone | count' --data "$dir/store" --since '2026-03-02 01:00' --until '2026-03-02 01:01' --format csv | tail -1 | sed 's/.*,//')" = 1 ] || fail "labels or the zone of a load"

# errors are the same as without lqd
rc=0; "$lq" load --data "$dir/store" "$dir/missing" "${files[0]}" >"$dir/out" 2>"$dir/err" || rc=$?
[ $rc -eq 3 ] && grep -q "cannot open $dir/missing" "$dir/err" && grep -q 'access.log: already' "$dir/out" || fail "a file that is not there"
rc=0; "$lq" load --data "$dir/store" --format-name lok4j "$dir/zone.log" 2>"$dir/err" || rc=$?
[ $rc -eq 2 ] && grep -q 'lok4j' "$dir/err" || fail "an unknown format: status $rc"

# now is the wall clock while lqd holds the store, the newest event without it
now_of() { "$lq" count --data "$1" --since 2026-01-01 --format json 2>/dev/null | sed -n 's/.*"now":"\([^"]*\)".*/\1/p'; }
is_wall_clock() { local d=$(($(date +%s) - $(date -d "$1" +%s))); [ $d -ge -1 ] && [ $d -le 60 ]; }
is_wall_clock "$(now_of "$dir/store")" || fail "now while lqd runs: $(now_of "$dir/store")"
! is_wall_clock "$(now_of "$dir/alone")" || fail "now without lqd is the wall clock"
"$lq" count --data "$dir/alone" --since 1h --format csv 2>/dev/null | grep -q '[1-9]' || fail "the last hour of what was loaded"

# a marker
"$lq" mark release 2.4.1 'by hand' --at '2026-03-02 10:00' --host web-1 --data "$dir/store" >/dev/null
curl -sS "http://127.0.0.1:$(port)/api/v1/lq/markers?since=2026-01-01" >"$dir/markers"
grep -q "by hand" "$dir/markers" && grep -q "2\.4\.1" "$dir/markers" || fail "the marker does not appear: $(cat "$dir/markers")"

# files that lqd follows are left to it
sed -i "/type: tcp/a\\  - {type: tail, paths: [$dir/followed.log], poll: 100ms}" "$dir/lqd.yaml"
kill -HUP "$lqd_pid"
wait_for "the followed file" stored_is 50 'route = "/followed" | count'
curl -sS -H 'Origin: https://grafana.example' "http://127.0.0.1:$(port)/api/v1/lq/markers?since=2026-01-01" | grep -q "by hand" || fail "HTTP after a reload" # nothing of the old configuration is used
"$lq" load --data "$dir/store" "$dir/followed.log" | grep -q 'left to lqd' || fail "a followed file is loaded"
gzip -k "$dir/followed.log"
"$lq" load --data "$dir/store" "$dir/followed.log.gz" >/dev/null
stored_is 50 'route = "/followed" | count' || fail "a copy of a followed file counts twice"

# a client killed while it feeds: what was read is kept, and the same content goes on from there
line() { printf '10.0.0.1 - - [02/Mar/2026:10:00:00 +0000] "GET /killed HTTP/1.1" 200 5 "-" "%d"\n' "$1"; }
for i in $(seq 20000); do line "$i"; done >"$dir/killed.log"
mkfifo "$dir/pipe"
"$lq" load - --id killed --data "$dir/store" <"$dir/pipe" >/dev/null 2>&1 &
client=$!
pids+=("$client")
exec 9>"$dir/pipe"
head -12345 "$dir/killed.log" >&9
kill -9 "$client"
wait "$client" 2>/dev/null || true
wait_for "lqd to see that the client has gone" said 'ended early'
exec 9>&-
n=$(stored 'route = "/killed" | count')
[ "$n" -le 12345 ] || fail "more lines than were sent: $n"
"$lq" load - --id killed --data "$dir/store" <"$dir/killed.log" >/dev/null
stored_is 20000 'route = "/killed" | count' || fail "after a killed client: $(stored 'route = "/killed" | count')"

# lqd stopped, and killed, during a load
for how in TERM KILL; do
  sed "s#/killed#/$how#" "$dir/killed.log" >"$dir/$how.log"
  rm -f "$dir/pipe"; mkfifo "$dir/pipe"
  rc=0
  "$lq" load - --id $how --data "$dir/store" <"$dir/pipe" >/dev/null 2>"$dir/err" &
  client=$!
  pids+=("$client")
  exec 9>"$dir/pipe"
  head -5000 "$dir/$how.log" >&9
  kill -$how "$lqd_pid"
  wait "$lqd_pid" 2>/dev/null || [ $how = KILL ] || fail "lqd does not stop while a load is at work"
  wait "$client" || rc=$?
  exec 9>&-
  [ $rc -eq 3 ] && grep -q 'load the same again' "$dir/err" || fail "$how: the client ended with status $rc: $(cat "$dir/err")"
  start_lqd -c "$dir/lqd.yaml"
  "$lq" load - --id $how --data "$dir/store" <"$dir/$how.log" >/dev/null
  stored_is 20000 "route = \"/$how\" | count" || fail "$how: $(stored "route = \"/$how\" | count") of 20000"
done

# garbage on the socket
python3 - "$dir/store/control" <<'PY' || fail "garbage"
import socket, sys, struct
def send(*parts):
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
    try:
        for p in parts: s.sendall(p)
        s.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError): pass
    got = b""
    try:
        while True:
            b = s.recv(4096)
            if not b: break
            got += b
    except ConnectionResetError: pass
    return got
frame = lambda t, b=b"": b"lq\x01" + bytes([t]) + struct.pack("<I", len(b)) + b
for g in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"lq\x01\x02\xff\xff\xff\xff", frame(4), frame(2) + frame(4), frame(2) + frame(3, b"\x10\x01\0a"), frame(1), b"lq\x01\x02"):
    assert b"lq\x01\x08" in send(g) or g[:2] == b"GE", g
assert send() == b""                                   # who says nothing is no error
idle = [socket.socket(socket.AF_UNIX) for _ in range(16)]
for s in idle: s.connect(sys.argv[1])
assert b"in hand already" in send(frame(1))            # too many at once
PY
[ "$(refused)" = 9 ] || fail "refused requests are counted: $(refused)"
"$lq" mark note still_there --data "$dir/store" >/dev/null || fail "no request is taken after garbage"

# without lqd the store is lq's own again; the socket has gone
stop_lqd
[ ! -e "$dir/store/control" ] || fail "the socket is left"
! is_wall_clock "$(now_of "$dir/store")" || fail "now after lqd is the wall clock"
"$lq" load --data "$dir/store" "${files[@]}" | grep -q 'already loaded' || fail "after lqd"
verify
echo "control socket: $before lines as without lqd; markers, killed clients and daemons, garbage"
