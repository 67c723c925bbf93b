#!/usr/bin/env bash
# lqd for a while under full load, with readers, rotation and retention at work: is memory flat, is the file flat once retention has settled, are the counts exact?
# usage: bench/daemon/soak.sh BUILD-DIR [MINUTES [DISK-MAX]]        20 minutes, 192MiB
#
# A sender gives lines over TCP as fast as they are taken, their event time going 500 times as fast as the clock or more, so that the 10 s tier loses what is older
# than two days; DISK-MAX makes the others lose, too. Beside it a followed file is written, renamed and compressed, queries and a tail run, HTTP is asked.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$(realpath "$1") minutes=${2:-20} disk=${3:-192MiB}
dir=$(mktemp -d)
export TZ=UTC
pids=()
trap 'for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done; rm -rf "$dir"' EXIT
lq=$BUILD/lq
pause() { read -r -t "${1:-0.05}" <> <(:) || true; }
wait_for() { local end=$((SECONDS + 120)); until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { echo "waited in vain: $*" >&2; tail -5 "$dir/log" >&2; exit 1; }; pause 0.2; done; }
of_status() { awk -v k="$1:" '$1 == k { print int($2 / 1024) }' "/proc/$pid/status"; }
stored() { "$lq" streams --data "$dir/store" 2>/dev/null | awk 'NR > 1 { n += $3 } END { print n + 0 }'; }
file_mb() { stat -c %s "$dir/store/data.mdb" | awk '{ printf "%.0f", $1 / 1e6 }'; }
used_mb() { "$lq" debug stats --data "$dir/store" 2>/dev/null | awk 'NR == 1 { gsub(",", ""); for (i = 1; i < NF; i++) if ($(i + 1) == "used") printf "%.0f", $i * 4096 / 1e6 }'; }

mkdir "$dir/logs"
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: 127.0.0.1:0
tz: UTC
disk_max: $disk
inputs:
  - {type: syslog_tcp, listen: 127.0.0.1:0, format: combined_time}
  - {type: tail, paths: ['$dir/logs/app.log*'], format: log4j, poll: 200ms}
YAML
"$BUILD/lqd" -c "$dir/lqd.yaml" 2>"$dir/log" &
pid=$!
pids+=("$pid")
wait_for grep -q ready "$dir/log"
tcp=$(sed -n 's/.*syslog_tcp listens on .*:\([0-9]*\)$/\1/p' "$dir/log") http=$(sed -n 's/.*http listens on .*:\([0-9]*\)$/\1/p' "$dir/log")
begin=$(($(date +%s) - 40 * 86400)) until=$((SECONDS + minutes * 60))

# The senders: rounds of half a million lines until the time is over. Each says what it sent.
(
  at=$begin
  while [ $SECONDS -lt $until ]; do
    "$BUILD/lqsend" tcp "$tcp" 500000 0 "@$at/500" 2>/dev/null && echo 500000
    at=$((at + 1000))
  done
) >"$dir/sent" &
sender=$!
python3 - "$dir/logs/app.log" "$begin" $((minutes * 60)) >"$dir/written" <<'PY' &
import gzip, os, sys, time
path, begin, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
end, n, turn = time.monotonic() + seconds, 0, 0
while time.monotonic() < end:
    with open(path, "a") as f:
        for _ in range(40): # 4 s of a file, then it is renamed
            for _ in range(200):
                n += 1
                f.write(time.strftime("%Y-%m-%d %H:%M:%S,000", time.gmtime(begin + n // 4)) + " [main] INFO shop.Order - order %d done in %d ms\n" % (n, n % 90))
            f.flush()
            time.sleep(0.1)
    turn += 1
    os.rename(path, path + ".%d" % turn)
    if turn > 2: # the one before the last is compressed, old ones go
        with open(path + ".%d" % (turn - 2), "rb") as f, gzip.open(path + ".%d.gz" % (turn - 2), "wb") as z: z.write(f.read())
        os.unlink(path + ".%d" % (turn - 2))
    if turn > 6: os.unlink(path + ".%d.gz" % (turn - 6))
print(n)
PY
writer=$!
(
  while [ $SECONDS -lt $until ]; do
    "$lq" 'errors / count by host every 1h | top 3' --data "$dir/store" >/dev/null 2>&1 && echo query
    "$lq" 'p99(request_time) by route | top 5' --server "http://127.0.0.1:$http" >/dev/null 2>&1 && echo server
    curl -sf "http://127.0.0.1:$http/metrics" >/dev/null && echo metrics
    pause 1
  done
) >"$dir/asked" &
reader=$!
"$lq" tail 'count, errors by host' --data "$dir/store" >"$dir/tail" 2>/dev/null &
tail=$!
pids+=("$sender" "$writer" "$reader" "$tail")

printf '%8s %12s %12s %10s %9s %9s\n' seconds lines 'k lines/s' RssAnon 'file MB' 'used MB'
before=0 last=0
while [ $SECONDS -lt $until ]; do
  pause $((minutes * 60 / 20 > 30 ? 30 : minutes * 60 / 20))
  n=$(stored)
  elapsed=$((SECONDS + minutes * 60 - until))
  printf '%8d %12d %12.0f %7s MB %9s %9s\n' "$elapsed" "$n" "$(awk -v n=$((n - before)) -v s=$((elapsed - last)) 'BEGIN { print n / (s > 0 ? s : 1) / 1000 }')" "$(of_status RssAnon)" "$(file_mb)" "$(used_mb)" | tee -a "$dir/samples"
  before=$n last=$elapsed
done
wait "$sender" "$writer" "$reader"
expected=$(($(awk '{ n += $1 } END { print n + 0 }' "$dir/sent") + $(cat "$dir/written")))
wait_for eval '[ "$(stored)" -ge '$expected' ]'
pause 2
kill -INT "$tail"
wait "$tail" || echo "lq tail did not end well"
kill -TERM "$pid"
wait "$pid" || echo "lqd did not end well"
failed=0
[ "$(stored)" = "$expected" ] || failed=1
echo "sent $expected, stored $(stored): $([ $failed = 0 ] && echo exact || echo "NOT THE SAME")"
"$lq" debug verify --data "$dir/store" || failed=1
echo "answers beside: $(grep -c query "$dir/asked") queries, $(grep -c server "$dir/asked") from the server, $(grep -c metrics "$dir/asked") /metrics; rows of the tail: $(wc -l <"$dir/tail")"
# Flat: the second half against the third quarter's beginning
awk '{ anon[NR] = $4; file[NR] = $6 } END {
  h = int(NR / 2) + 1; for (i = 1; i <= NR; i++) { if (anon[i] > top) top = anon[i]; if (i >= h && anon[i] > late) late = anon[i]; if (i < h && anon[i] > early) early = anon[i] }
  printf "RssAnon: at most %d MB in the first half, %d MB in the second; the file: %d MB in the middle, %d MB at the end\n", early, late, file[h], file[NR] }' "$dir/samples"
exit $failed
