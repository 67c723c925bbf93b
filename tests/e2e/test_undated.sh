#!/usr/bin/env bash
# JSON lines without a time are records of their format like the others: they take the time of the last line before them, else of the file, or of receipt.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"

python3 - "$dir" <<'PY'
import json, sys
d = sys.argv[1]
with open(d + "/mixed.json", "w") as f:
    for i in range(60000): # several chunks
        line = {"level": "error" if i % 10 == 0 else "info", "message": f"order {i} {'failed' if i % 10 == 0 else 'done'}", "user": f"u{i % 7}", "note": "x" * 60}
        if i % 500 == 0: line["time"] = f"2026-03-02T{10 + i // 15000:02d}:{i // 250 % 60:02d}:00Z"
        if i % 5000 == 77: line["time"] = "soon" # a stamp that is none is another matter
        if i % 5000 == 78: line["time"] = None
        f.write(json.dumps(line) + "\n")
with open(d + "/never.json", "w") as f:
    for i in range(300): f.write(json.dumps({"level": "error", "message": f"order {i} failed"}) + "\n")
PY
for t in 1 2 3; do "$lq" load --threads $t --data "$dir/s$t" "$dir/mixed.json" >"$dir/out$t" 2>&1 || fail "load with $t threads: $(cat "$dir/out$t")"; done
d1=$("$lq" debug digest --data "$dir/s1")
[ "$d1" = "$("$lq" debug digest --data "$dir/s2")" ] && [ "$d1" = "$("$lq" debug digest --data "$dir/s3")" ] || fail "the content depends on the number of threads"
grep -q '59868 JSON lines without a time' "$dir/out1" || fail "what a load says: $(cat "$dir/out1")"
[ "$(stored 'stream = json and level = error | count' "$dir/s1")" = 6000 ] || fail "lines of the format"
[ "$(stored 'stream = unparsed | count' "$dir/s1")" = 12 ] || fail "stamps that are none"
# 500 lines between two stamps, all in the minute of the first
"$lq" 'stream = json | count every 2m' --since '2026-03-02 10:00' --until '2026-03-02 10:59' --data "$dir/s1" --format csv | awk -F, 'NR > 2 && $3 != 500 && $3 != 499 { print; bad = 1 } END { exit bad || NR < 20 }' || fail "the time of the line before"

touch -d 2026-03-02T12:00:00Z "$dir/never.json"
"$lq" load --data "$dir/never" "$dir/never.json" >"$dir/out" 2>&1
grep -q 'json (200 of 200 sample lines match, 200 of them without a time' "$dir/out" || fail "detection: $(cat "$dir/out")"
[ "$("$lq" 'count every 10s' --since '2026-03-02 12:00' --until '2026-03-02 12:00:10' --data "$dir/never" --format csv 2>/dev/null | tail -1 | cut -d, -f3)" = 300 ] || fail "the time of the file"

# A stream: the same; in syslog the header's time is the better one.
"$BUILD/lqd" --data "$dir/once" --once <"$dir/mixed.json" 2>/dev/null || fail "lqd --once"
[ "$(stored 'stream = json and level = error | count' "$dir/once")" = 6000 ] || fail "lines of a stream"
cmp -s <("$lq" debug dump --data "$dir/once" | sort) <("$lq" debug dump --data "$dir/s1" | sort) || fail "the content differs from that of the file"
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
inputs:
  - {type: tcp, listen: 127.0.0.1:0}
  - {type: syslog_tcp, listen: 127.0.0.1:0}
YAML
start_lqd -c "$dir/lqd.yaml"
python3 - "$(port_of tcp)" "$(port_of syslog_tcp)" "$dir/never.json" <<'PY'
import socket, sys
for port in sys.argv[1:3]:
    head = "" if port == sys.argv[1] else "<14>1 2026-03-02T10:20:30Z h shop 7 - - "
    with socket.create_connection(("127.0.0.1", int(port))) as s:
        s.sendall("".join(head + l for l in open(sys.argv[3])).encode())
PY
wait_for "all lines" stored_is 600 'level = error | count'
[ "$("$lq" 'count every 10s' --since '2026-03-02 10:20:30' --until '2026-03-02 10:20:40' --data "$dir/store" --format csv 2>/dev/null | tail -1 | cut -d, -f3)" = 300 ] || fail "the time of the header"
[ "$(counter no_time)" = 300 ] || fail "counted as no_time: $(counter no_time)"
stop_lqd
verify
echo "lines without a time are kept where they belong"
