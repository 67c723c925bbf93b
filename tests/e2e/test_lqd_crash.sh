#!/usr/bin/env bash
# kill -9 at random moments while a file is written and rotated and RELP messages come in: the file's lines are counted once each, no RELP message is missing
# (those whose acknowledgement was lost come again: counted and reported). Rounds and seed: $ROUNDS (10), $SEED (1).
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v rsyslogd >/dev/null || { echo "skipped: no rsyslogd"; exit 77; }
rounds=${ROUNDS:-10} seed=${SEED:-1}
echo "seed $seed, $rounds rounds"
mkdir "$dir/logs" "$dir/rsyslog"
relp_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
flush_every: 200ms
inputs:
  - {type: tail, paths: ['$dir/logs/app.log', '$dir/logs/app.log.[0-9]*'], poll: 100ms, format: combined}
  - {type: relp, listen: 127.0.0.1:$relp_port}
YAML
cat >"$dir/rsyslog/conf" <<CONF
global(workDirectory="$dir/rsyslog")
main_queue(queue.timeoutshutdown="60000")
module(load="imfile" pollingInterval="1")
module(load="omrelp")
input(type="imfile" file="$dir/rsyslog/in" tag="shop:")
action(type="omrelp" target="127.0.0.1" port="$relp_port" windowSize="500" action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList" queue.timeoutshutdown="60000")
CONF
: >"$dir/rsyslog/in"
rsyslogd -n -f "$dir/rsyslog/conf" -i "$dir/rsyslog/pid" 2>"$dir/rsyslog/log" &
rsyslog_pid=$!
pids+=("$rsyslog_pid")

# The writer: bursts of lines to both, and rotations, until it is told to stop. Its moments come from the seed; its sum is in `written`.
cat >"$dir/writer.py" <<'PY'
import os, random, sys, time
where, seed = sys.argv[1], int(sys.argv[2])
rnd = random.Random(seed)
path, n = where + "/logs/app.log", 0
out, relp = open(path, "a"), open(where + "/rsyslog/in", "a")
while not os.path.exists(where + "/stop"):
    for _ in range(rnd.randrange(1, 120)):
        n += 1
        out.write('10.0.0.%d - - [02/Mar/2026:10:%02d:%02d +0000] "GET /n/%d HTTP/1.1" 200 %d "-" "c"\n' % (n % 9, n // 60 % 60, n % 60, n, n))
        if rnd.random() < 0.02: out.flush()           # half lines reach the disk too
        if n % 8 == 0: relp.write("message %d\n" % n)
    out.flush(); relp.flush()
    if rnd.random() < 0.05:
        out.close()
        for k in range(60, 0, -1):
            if os.path.exists("%s.%d" % (path, k)): os.rename("%s.%d" % (path, k), "%s.%d" % (path, k + 1))
        os.rename(path, path + ".1")
        out = open(path, "a")
    time.sleep(rnd.random() * 0.05)
out.close(); relp.close()
open(where + "/written.tmp", "w").write(str(n)); os.rename(where + "/written.tmp", where + "/written")
PY
python3 "$dir/writer.py" "$dir" "$seed" &
pids+=("$!")
RANDOM=$seed
for ((round = 1; round <= rounds; round++)); do
  start_lqd -c "$dir/lqd.yaml"
  for ((i = RANDOM % 60 + 5; i > 0; i--)); do pause 0.02; done
  kill_lqd
  "$lq" debug verify --data "$dir/store" >/dev/null || fail "round $round: the store is damaged"
done
start_lqd -c "$dir/lqd.yaml"
touch "$dir/stop"
wait_for "the writer" test -f "$dir/written"
n=$(cat "$dir/written") messages=$((n / 8))
wait_for "every line of the file ($n)" stored_is "$n" 'stream = combined | count'
relp_complete() { [ "$(stored 'stream = syslog | count')" -ge "$messages" ]; }
wait_for "every RELP message ($messages)" relp_complete
kill -TERM "$rsyslog_pid"
wait "$rsyslog_pid" || true
stop_lqd
verify
[ "$(stored 'stream = combined | count')" = "$n" ] || fail "lines of the file: $(stored 'stream = combined | count') of $n"
relp=$(stored 'stream = syslog | count')
[ "$relp" -ge "$messages" ] || fail "RELP: $relp of $messages"
echo "$rounds kills: $n lines of the file once each; $messages RELP messages, none missing, $((relp - messages)) came again"
