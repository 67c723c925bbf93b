#!/usr/bin/env bash
# kill -9 at random moments while a file is written and rotated and RELP messages come in: the file's lines are counted once each, no RELP message is missing
# (those whose acknowledgement was lost come again: counted and reported). Rounds and seed: $ROUNDS (10), $SEED (1).
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
rounds=${ROUNDS:-10} seed=${SEED:-1}
echo "seed $seed, $rounds rounds"
mkdir "$dir/logs"
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
# A RELP client that keeps what was not acknowledged and sends it again. (rsyslog does not always: of 10,935 messages 9 never left it when its connection broke in the
# middle of a frame, as a recording proxy between the two showed; all that lqd acknowledged was stored.)
cat >"$dir/relp.py" <<'PY'
import collections, os, socket, sys, time
where, port = sys.argv[1], int(sys.argv[2])
waiting, fresh = collections.OrderedDict(), 0        # number -> message, not acknowledged
def session():
    global fresh
    s = socket.create_connection(("127.0.0.1", port)); s.settimeout(20)
    f = s.makefile("rb")
    s.sendall(b"1 open 30 relp_version=0\ncommands=syslog\n")
    head = f.readline().split(b" ", 3)
    f.read(int(head[2]) - len(head[3]) + 1)
    txnr, sent = 1, {}
    def send(k):
        nonlocal txnr
        txnr += 1
        sent[txnr] = k
        s.sendall(b"%d syslog %d %s\n" % (txnr, len(waiting[k]), waiting[k]))
    for k in list(waiting): send(k)
    while not (os.path.exists(where + "/stop") and not waiting):
        while len(sent) < 300 and not os.path.exists(where + "/stop"):
            fresh += 1
            waiting[fresh] = b"<13>Mar  2 10:00:00 h shop: message %d" % fresh
            send(fresh)
        l = f.readline().split(b" ", 3)
        if len(l) < 4: raise OSError("gone")
        k = sent.pop(int(l[0]))
        waiting.pop(k, None)
    s.close()
while not (os.path.exists(where + "/stop") and not waiting):
    try: session()
    except (OSError, ValueError, IndexError): time.sleep(0.02)
open(where + "/sent.tmp", "w").write(str(fresh)); os.rename(where + "/sent.tmp", where + "/sent")
PY
python3 "$dir/relp.py" "$dir" "$relp_port" &
pids+=("$!")

# The writer: bursts of lines, and rotations, until it is told to stop. Its moments come from the seed; its sum is in `written`.
cat >"$dir/writer.py" <<'PY'
import os, random, sys, time
where, seed = sys.argv[1], int(sys.argv[2])
rnd = random.Random(seed)
path, n = where + "/logs/app.log", 0
out = open(path, "a")
while not os.path.exists(where + "/stop"):
    for _ in range(rnd.randrange(1, 120)):
        n += 1
        out.write('10.0.0.%d - - [02/Mar/2026:10:%02d:%02d +0000] "GET /n/%d HTTP/1.1" 200 %d "-" "c"\n' % (n % 9, n // 60 % 60, n % 60, n, n))
        if rnd.random() < 0.02: out.flush()           # half lines reach the disk too
    out.flush()
    if rnd.random() < 0.05:
        out.close()
        for k in range(60, 0, -1):
            if os.path.exists("%s.%d" % (path, k)): os.rename("%s.%d" % (path, k), "%s.%d" % (path, k + 1))
        os.rename(path, path + ".1")
        out = open(path, "a")
    time.sleep(rnd.random() * 0.05)
out.close()
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
wait_for "the RELP client" test -f "$dir/sent"
n=$(cat "$dir/written") messages=$(cat "$dir/sent")
wait_for "every line of the file ($n)" stored_is "$n" 'stream = combined | count'
relp_complete() { [ "$(stored 'stream = syslog | count')" -ge "$messages" ]; }
wait_for "every RELP message ($messages)" relp_complete
stop_lqd
verify
[ "$(stored 'stream = combined | count')" = "$n" ] || fail "lines of the file: $(stored 'stream = combined | count') of $n"
relp=$(stored 'stream = syslog | count')
[ "$relp" -ge "$messages" ] || fail "RELP: $relp of $messages"
echo "$rounds kills: $n lines of the file once each; $messages RELP messages, none missing, $((relp - messages)) came again"
