#!/usr/bin/env bash
# lq tail beside a running lqd: rows as steps end, by event time and (where lines are of now) by the clock; new lines; on the directory and with --server; its ends.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: 127.0.0.1:0
tz: UTC
flush_every: 200ms
inputs: [{type: tcp, listen: 127.0.0.1:0, format: log4j}]
YAML
start_lqd -c "$dir/lqd.yaml"
web=http://127.0.0.1:$(port_of http)
exec 7<>"/dev/tcp/127.0.0.1/$(port_of tcp)"
tails=0
# tail_to NAME FLAGS…: lq tail in the background, to $dir/NAME
tail_to() {
  local name=$1
  shift
  "$lq" tail "$@" >"$dir/$name" 2>"$dir/$name.err" &
  tail_pid=$!
  pids+=("$tail_pid")
  tails=$((tails + 1))
}
ends_well() { # PID
  local rc=0
  wait "$1" || rc=$?
  [ $rc -eq 0 ] || fail "lq tail ended with status $rc"
}
event() { echo "2026-03-02 10:$1,000 [main] $2 shop.Order - order $3 done" >&7; }
rows() { [ "$(wc -l <"$dir/$1")" -ge "$2" ]; }

# Nothing is stored yet: it waits. The steps of an old log, as its event time goes on; the last one when no more comes.
tail_to here 'count, errors by level' --data "$dir/store" --format csv
here=$tail_pid
tail_to there 'count, errors by level' --server "$web" --format csv
there=$tail_pid
tail_to lines 'level = error | lines' --server "$web"
lines=$tail_pid
wait_for "it to say that nothing is stored" grep -q 'nothing is stored yet: waiting' "$dir/here.err"
for s in 01 02 12 13 14 34; do event "00:$s" INFO 1; done
event 00:35 ERROR 9
wait_for "the steps that are over" rows here 3
for s in 36 50; do event "00:$s" INFO 1; done
cat >"$dir/expected" <<'CSV'
time,stream,level,count,errors
2026-03-02T10:00:00Z,log4j,info,2,0
2026-03-02T10:00:10Z,log4j,info,3,0
2026-03-02T10:00:30Z,log4j,error,1,1
2026-03-02T10:00:30Z,log4j,info,2,0
2026-03-02T10:00:50Z,log4j,info,1,0
CSV
for t in here there; do
  wait_for "the last step ($t)" rows $t 6
  head -3 "$dir/$t" | cmp - <(head -3 "$dir/expected") || fail "lq tail $t: $(cat "$dir/$t")"
  sort "$dir/$t" | cmp - <(sort "$dir/expected") || fail "lq tail $t: $(cat "$dir/$t")"
done
wait_for "a line" grep -q 'ERROR shop.Order - order 9 done' "$dir/lines"
event 01:05 ERROR 'x of another kind'
event 01:20 INFO 1
wait_for "a new line" grep -q 'order x of another kind done' "$dir/lines"
[ "$(wc -l <"$dir/lines")" -eq 2 ] || fail "lines: $(cat "$dir/lines")"
grep -q 'not every line is kept' "$dir/lines.err" || fail "what lines are, is not said"

# What comes to be is what a query says afterwards.
wait_for "the steps after a minute" rows here 8
"$lq" 'count, errors by level every 10s' --data "$dir/store" --since 2026-03-02 --format csv | sort | cmp - <(sort "$dir/here") || fail "not what the query says: $(cat "$dir/here")"

# It ends by SIGINT and SIGTERM with status 0, and when nobody reads any more, though nothing is printed.
kill -INT $here
ends_well $here
kill -TERM $there
ends_well $there
kill -INT $lines
ends_well $lines
for where in "--data $dir/store" "--server $web"; do
  mkfifo "$dir/pipe"
  # shellcheck disable=SC2086
  "$lq" tail count $where --since '2026-03-02 10:01' >"$dir/pipe" 2>"$dir/pipe.err" &
  tail_pid=$!
  pids+=("$tail_pid")
  head -n 2 "$dir/pipe" >"$dir/head"
  ends_well $tail_pid
  grep -q '2026-03-02 10:01:00' "$dir/head" || fail "the pipe: $(cat "$dir/head" "$dir/pipe.err")"
  rm "$dir/pipe"
done

# A table has one header; the first look shows the last ten steps, none from before the first line.
[ "$("$lq" tail count --data "$dir/store" --after new | tail -n +3 | wc -l)" -eq 7 ] || fail "the first look: $("$lq" tail count --data "$dir/store" --after new)"
# One look at a time: a cursor instead of going on; no row twice.
"$lq" tail 'count every 30s' --data "$dir/store" --since '2026-03-02 10:00' --after new --format ndjson >"$dir/look"
cursor=$(head -1 "$dir/look")
[ "$(grep -c '"time":"2026-03-02T10:0' "$dir/look")" -ge 2 ] || fail "one look: $(cat "$dir/look")"
event 02:31 INFO 1
wait_for "a line of two minutes later" eval '[ "$("$lq" tail "count every 30s" --data "$dir/store" --after "$cursor" --format ndjson | tail -n +2 | wc -l)" -ge 2 ]'
"$lq" tail 'count every 30s' --data "$dir/store" --after "$cursor" --format ndjson | tail -n +2 | sort - <(tail -n +2 "$dir/look") | uniq -d | grep . && fail "a row twice"

# Lines of now: zeros are shown as the clock goes on, while an lqd holds the store.
now() { date -u '+%Y-%m-%d %H:%M:%S,000'; }
tail_to live 'stream = log4j | count' --data "$dir/store" --format csv
today=$(now)
echo "$today [main] INFO shop.Order - order 1 done" >&7
wait_for "steps in which nothing happened, up to now" eval '[ "$(grep -c "^${today:0:10}T.*log4j,0$" "$dir/live")" -ge 1 ]'
wait_for "the step of the line" grep -q "^${today:0:10}T.*log4j,1$" "$dir/live"
grep -q 'more than 10000 steps have passed' "$dir/live.err" || fail "months are passed over: $(cat "$dir/live.err")"
kill -INT $tail_pid
ends_well $tail_pid

# A restart of the server is waited for; what is wrong is said at once.
tail_to again 'count' --server "$web" --format csv
wait_for "rows from the server" rows again 2
port=$(port_of http)
exec 7>&-
stop_lqd
wait_for "it to say that the server is away" grep -q 'trying again each second' "$dir/again.err"
sed -i "s/^http: .*/http: 127.0.0.1:$port/" "$dir/lqd.yaml"
before=$(wc -l <"$dir/again")
start_lqd -c "$dir/lqd.yaml"
wait_for "rows after the restart" rows again $((before + 1))
kill -INT $tail_pid
ends_well $tail_pid
wrong() { # STATUS WHAT ARGUMENTS…
  local rc=0 status=$1 what=$2
  shift 2
  "$lq" tail "$@" --data "$dir/store" >/dev/null 2>"$dir/wrong" </dev/null || rc=$?
  [ $rc -eq "$status" ] && grep -q -e "$what" "$dir/wrong" || fail "lq tail $*: status $rc, $(cat "$dir/wrong")"
}
wrong 2 'did you mean level' 'count by levle'
wrong 2 'change points need a range' 'errors | change'
wrong 2 'table, csv or ndjson, not json' count --format json
wrong 2 'no cursor of lq tail' count --after 12.x
wrong 2 'more than 10000 steps' count --since 30d
wrong 2 'a query is missing'
rc=0
"$lq" tail count --data "$dir/none" 2>"$dir/wrong" || rc=$?
[ $rc -eq 3 ] || fail "no store: status $rc"
rc=0
"$lq" tail 'count by levle' --server "http://127.0.0.1:$port" 2>"$dir/wrong" || rc=$?
[ $rc -eq 2 ] && grep -q 'did you mean level' "$dir/wrong" || fail "a wrong query to a server: status $rc"
rc=0
"$lq" tail count --server http://127.0.0.1:1 2>"$dir/wrong" || rc=$?
[ $rc -eq 3 ] || fail "no server: status $rc"
stop_lqd
if grep -E 'Sanitizer|runtime error' "$dir"/*.err "$dir/lqd.log"; then exit 1; fi
echo "live rows and lines, here and from a server ($tails tails)"
