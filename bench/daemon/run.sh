#!/usr/bin/env bash
# lqd under load, beside rsyslog and syslog-ng: lines per second and per CPU second from a TCP socket to the disk, memory, UDP loss, bytes written, idle CPU.
# usage: bench/daemon/run.sh BUILD-DIR [LINES [PART…]]    parts: tcp udp disk hour; all of them
#              needs rsyslogd; syslog-ng from build/peers/syslog-ng, to which ./run deps unpacks it
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$(realpath "$1") lines=${2:-2000000}
parts=" ${*:3} "
[ "$parts" != "  " ] || parts=" tcp udp disk hour "
part() { [[ $parts == *" $1 "* ]]; }
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
export TZ=UTC PATH=$PATH:/usr/sbin
pids=()
trap 'for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done; rm -rf "$dir"' EXIT
lq=$BUILD/lq
pause() { read -r -t "${1:-0.05}" <> <(:) || true; }
wait_for() { local end=$((SECONDS + ${PATIENCE:-300})); until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { echo "waited in vain: $*" >&2; tail -5 "$dir/log" >&2; exit 1; }; pause; done; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
cpu_of() { awk '{ print ($14 + $15) / 100 }' "/proc/$1/stat"; }
anon_of() { awk '/^RssAnon/ { print int($2 / 1024) }' "/proc/$1/status"; }
stored() { "$lq" streams --data "$dir/store" 2>/dev/null | awk 'NR > 1 { n += $3 } END { print n + 0 }'; }
stored_all() { [ "$(stored)" -ge "$1" ]; }
python_send='import os, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
f = open(sys.argv[2], "rb"); n = os.path.getsize(sys.argv[2]); at = 0
while at < n: at += os.sendfile(s.fileno(), f.fileno(), at, 1 << 20)
s.shutdown(socket.SHUT_WR); s.recv(1)'

if part tcp || part disk; then
  echo "generating $lines lines" >&2
  "$BUILD/lqgen" --scenario story --days 1 --lines "$lines" "$dir/logs" 2>/dev/null
  cat "$dir"/logs/web-*/access.log | awk '{ print "<190>Mar  2 10:00:00 web-1 nginx: " $0 }' | head -n "$lines" >"$dir/in"
  lines=$(wc -l <"$dir/in")
fi
# The same format, written so that it cannot be lowered to a scanner.
mkdir "$dir/formats"
sed 's/^name: .*/name: regex/; s/^priority: .*/priority: 99/; s/^pattern: .\^/&(?=.)/' "$root/schema/formats/combined_time.yaml" >"$dir/formats/regex.yaml"

start_lqd() { # FORMAT THREADS
  rm -rf "$dir/store"
  cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
formats: $dir/formats
http: off
tz: UTC
threads: $2
inputs:
  - {type: syslog_tcp, listen: 127.0.0.1:0, format: $1}
  - {type: syslog_udp, listen: 127.0.0.1:0}
YAML
  "$BUILD/lqd" -c "$dir/lqd.yaml" 2>"$dir/log" &
  pid=$!
  pids+=("$pid")
  wait_for grep -q ready "$dir/log"
  tcp=$(sed -n 's/.*syslog_tcp listens on .*:\([0-9]*\)$/\1/p' "$dir/log") udp=$(sed -n 's/.*syslog_udp listens on .*:\([0-9]*\)$/\1/p' "$dir/log")
}
stop() { kill -TERM "$pid"; wait "$pid" || true; }

run_lqd() { # NAME FORMAT
  start_lqd "$2" 1
  local peak=0 from to
  from=$(date +%s%N)
  python3 -c "$python_send" "$tcp" "$dir/in" &
  local sender=$!
  while kill -0 $sender 2>/dev/null; do
    local a
    a=$(anon_of "$pid")
    [ "$a" -gt "$peak" ] && peak=$a
    pause 0.1
  done
  wait_for stored_all "$lines"
  to=$(date +%s%N)
  awk -v n="$lines" -v ns=$((to - from)) -v cpu="$(cpu_of "$pid")" -v peak="$peak" -v name="$1" \
    'BEGIN { printf "%-34s %7.0f k lines/s  %7.0f k lines/CPU-s  peak RssAnon %d MB\n", name, n / ns * 1e6, n / cpu / 1000, peak }'
  stop
}

run_peer() { # NAME PORT OUTPUT: started as $pid
  local from to
  from=$(date +%s%N)
  python3 -c "$python_send" "$2" "$dir/in"
  wait_for eval '[ "$(wc -l <"'"$3"'")" -ge '"$lines"' ]'
  to=$(date +%s%N)
  awk -v n="$lines" -v ns=$((to - from)) -v cpu="$(cpu_of "$pid")" -v name="$1" 'BEGIN { printf "%-34s %7.0f k lines/s  %7.0f k lines/CPU-s\n", name, n / ns * 1e6, n / cpu / 1000 }'
  stop
  rm -f "$3"
}

run_rsyslog() {
  command -v rsyslogd >/dev/null || { echo "rsyslog: not installed"; return; }
  local port
  port=$(free_port)
  cat >"$dir/rsyslog.conf" <<CONF
global(workDirectory="$dir")
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="$port" ruleset="all")
template(name="t" type="string" string="%msg:R,ERE,1,DFLT:\\"([A-Z]+) --end% %msg:R,ERE,1,DFLT:\\" ([0-9]+) --end%\n")
ruleset(name="all") { action(type="omfile" file="$dir/out" template="t" ioBufferSize="256k" flushOnTXEnd="off" asyncWriting="off") stop }
CONF
  rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/rsyslog.pid" 2>/dev/null &
  pid=$!
  pids+=("$pid")
  wait_for python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
  from=$(date +%s%N)
  python3 -c "$python_send" "$port" "$dir/in" || true
  # rsyslog keeps the last buffer: what is on the disk when it stopped
  wait_for eval '[ "$(wc -l <"'"$dir/out"'")" -ge '$((lines * 95 / 100))' ]'
  to=$(date +%s%N)
  awk -v n="$lines" -v ns=$((to - from)) -v cpu="$(cpu_of "$pid")" 'BEGIN { printf "%-34s %7.0f k lines/s  %7.0f k lines/CPU-s\n", "rsyslog, two regexes, to a file", n / ns * 1e6, n / cpu / 1000 }'
  stop
  rm -f "$dir/out"
}

run_syslog_ng() {
  local ng=$root/build/peers/syslog-ng port
  [ -n "${SYSLOG_NG_ROOT:-}" ] && ng=$SYSLOG_NG_ROOT
  [ -x "$ng/usr/sbin/syslog-ng" ] || { echo "syslog-ng: not there (./run deps unpacks it)"; return; }
  port=$(free_port)
  cat >"$dir/ng.conf" <<CONF
@version: 3.38
options { flush-lines(1000); log-fifo-size(200000); };
source s { network(ip("127.0.0.1") port($port) transport("tcp") log-iw-size(100000) log-fetch-limit(1000)); };
parser p { regexp-parser(patterns('"(?<method>[A-Z]+) (?<path>[^ "]+)[^"]*" (?<status>[0-9]{3})')); };
destination d { file("$dir/out" template("\${method} \${path} \${status}\n")); };
log { source(s); parser(p); destination(d); flags(flow-control); };
CONF
  LD_LIBRARY_PATH=$(echo "$ng"/lib/*/ "$ng"/usr/lib/*/ "$ng"/usr/lib/syslog-ng/* | tr ' ' ':') "$ng/usr/sbin/syslog-ng" -F --no-caps -f "$dir/ng.conf" -R "$dir/ng.persist" -p "$dir/ng.pid" -c "$dir/ng.ctl" \
    --module-path "$(echo "$ng"/usr/lib/syslog-ng/*/)" 2>"$dir/ng.log" &
  pid=$!
  pids+=("$pid")
  wait_for python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
  run_peer "syslog-ng, one regex, to a file" "$port" "$dir/out"
}

part_tcp() {
  echo "TCP syslog, $lines lines of $(($(stat -c %s "$dir/in") / lines)) bytes, one loop:"
  for round in 1 2; do
    run_lqd "lqd, combined_time (scanner)" combined_time
    run_lqd "lqd, the same by PCRE2" regex
    run_rsyslog
    run_syslog_ng
  done
}

part_udp() {
  echo "UDP, 1,000,000 datagrams from one sender:"
  start_lqd combined_time 1
  "$BUILD/lqsend" udp "$udp" 1000000 200000
  pause 2
  wait_for test "$(stored)" -gt 0
  pause 2
  echo "  stored $(stored) of 1000000"
  stop
}

part_disk() {
  echo "5,000 lines/s for 60 s, and then idle for 20 s:"
  start_lqd combined_time 1
  "$BUILD/lqsend" tcp "$tcp" 300000 5000 "$dir/in"
  pause 2
  written=$(awk '/^write_bytes/ { print $2 }' "/proc/$pid/io") before=$(cpu_of "$pid")
  pause 20
  after=$(cpu_of "$pid")
  used=$("$lq" debug stats --data "$dir/store" | awk 'NR == 1 { gsub(",", ""); for (i = 1; i < NF; i++) if ($(i + 1) == "used") print $i * 4096 }')
  awk -v w="$written" -v u="$used" -v b="$before" -v a="$after" 'BEGIN { printf "  written %.1f MB, kept %.1f MB: %.1f bytes for each kept; idle CPU %.2f %%\n", w / 1e6, u / 1e6, w / u, (a - b) / 20 * 100 }'
  stop
}

# The same commits without the daemon around them, as fast as they go: an hour of 5,000 lines in each second, a flush at each. Beside it a reader that holds its snapshot for a
# minute of every five. Twice: traffic as people make it (lqgen), and the least that can be kept of a line - a few hundred routes, and everything else at random (lqsend).
part_hour() {
  local how what
  for what in lqgen lqsend; do
    for how in "" hold; do
      rm -rf "$dir/hour" "$dir/made"
      mkdir -p "$dir/hour" "$dir/made/web-1"
      mkfifo "$dir/made/web-1/access.log"
      echo "An hour of event time, 5,000 lines in each second, by $what${how:+; a reader holds its snapshot for a minute of every five}:"
      if [ $what = lqgen ]; then
        "$BUILD/lqgen" --scenario week --days 0.0416667 --lines 18000000 --no-app --one-file "$dir/made" 2>/dev/null &
      else
        "$BUILD/lqsend" print - 18000000 0 @1772445600/5000 2>/dev/null >"$dir/made/web-1/access.log" &
      fi
      "$BUILD/lqlive" combined_time "$dir/made/web-1/access.log" "$dir/hour" $how | grep -E '^minute|^written|flushes' | sed 's/^/  /'
      wait
    done
  done
}

for p in tcp udp disk hour; do
  if part $p; then part_$p; fi
done
