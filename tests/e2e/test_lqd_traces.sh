#!/usr/bin/env bash
# Stack traces that arrive live are one event each, as in files that are loaded: six runtimes, by TCP lines, syslog, RELP (two interleaved connections, and a
# writer that stops in mid-trace) and in followed files (written line by line, renamed and killed in mid-trace).
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
python3 "$2/tests/e2e/traces.py" file 0 >"$dir/all.log"
mkdir "$dir/logs"
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
inputs:
  - {type: tcp, listen: 127.0.0.1:0, format: log4j, labels: {by: tcp}}
  - {type: syslog_tcp, name: syslog, listen: 127.0.0.1:0, format: log4j, labels: {by: syslog}}
  - {type: relp, listen: 127.0.0.1:0, format: log4j, labels: {by: relp}}
  - {type: tail, paths: [$dir/logs/*.log*], poll: 100ms, format: log4j, labels: {by: tail}}
YAML
start_lqd -c "$dir/lqd.yaml"

# what LABEL [STORE]: exceptions and top frames, with their counts
what() { "$lq" "by = $1 and exception != \"\" | count by exception, frame, logger" --data "${2:-$dir/store}" --since 2026-03-01 --until '2026-03-02 10:02' --format csv | tail -n +2 | sort; }
number() { "$lq" "by = $1 | count" --data "$dir/store" --since "$2" --until "$3" --format csv 2>/dev/null | tail -1 | sed 's/.*,//'; }
number_is() { [ "$(number "$1" "$2" "$3")" = "$4" ]; }
"$lq" load --data "$dir/loaded" --label by=loaded --format-name log4j "$dir/all.log" >/dev/null
what loaded "$dir/loaded" >"$dir/want"
[ "$(wc -l <"$dir/want")" = 6 ] && grep -q 'SocketTimeoutException' "$dir/want" && grep -q 'pay.py:pay' "$dir/want" || fail "the traces of a loaded file: $(cat "$dir/want")"

for how in tcp syslog relp; do
  port=$(port_of "$how") # of syslog: the input's name
  rm -f "$dir/go"; mkfifo "$dir/go"
  python3 "$2/tests/e2e/traces.py" "$how" "$port" <"$dir/go" >"$dir/sent" 2>&1 &
  sender=$!
  pids+=("$sender")
  exec 8>"$dir/go"
  wait_for "$how: 24 events" number_is "$how" 2026-03-01 '2026-03-02 10:02' 24
  diff "$dir/want" <(what "$how") || fail "$how: not the events of the loaded file"
  wait_for "$how: the writer that stopped in mid-trace" number_is "$how" '2026-03-02 10:02' '2026-03-02 10:03' 1
  kill -0 "$sender" 2>/dev/null || fail "$how: the sender ended: $(cat "$dir/sent")"
  echo >&8
  exec 8>&-
  wait "$sender" || fail "$how: the sender failed: $(cat "$dir/sent")"
done
[ "$(stored 'stream = unparsed | count')" = 0 ] || fail "lines are left over: $("$lq" 'stream = unparsed | lines' --data "$dir/store" --since 2026-03-01)"

# A followed file, written line by line while it is read
while IFS= read -r line; do printf '%s\n' "$line" >>"$dir/logs/app.log"; done <"$dir/all.log"
wait_for "tail: 24 events" number_is tail 2026-03-01 '2026-03-02 10:02' 24
diff "$dir/want" <(what tail) || fail "tail: not the events of the loaded file"

# lqd killed, the file renamed, both in mid-trace: every line counts once (blank ones are no lines), however events were cut
written=$(grep -c . "$dir/all.log")
before=$(counter lines)
lines_are() { [ "$(counter lines)" = "$1" ]; }
n=0
for cut in 5 20 40 50 70; do
  sed -n "$((n + 1)),${cut}p" "$dir/all.log" >>"$dir/logs/killed.log"
  n=$cut
  kill_lqd
  [ "$cut" != 40 ] || mv "$dir/logs/killed.log" "$dir/logs/killed.log.1"
  start_lqd -c "$dir/lqd.yaml"
  [ "$cut" != 50 ] || wait_for "the lines so far: $(counter lines), not $((before + $(head -50 "$dir/all.log" | grep -c .)))" lines_are $((before + $(head -50 "$dir/all.log" | grep -c .)))
done
sed -n "$((n + 1)),\$p" "$dir/all.log" >>"$dir/logs/killed.log"
wait_for "every line of a file in spite of kills: $(counter lines), not $((before + written))" lines_are $((before + written))
stop_lqd
verify
echo "traces: six runtimes by TCP, syslog, RELP and followed files, whole"
