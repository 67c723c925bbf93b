#!/usr/bin/env bash
# kill -9 at random moments while a file is written and rotated and RELP messages come in: the file's lines are counted once each, no RELP message is missing
# (those whose acknowledgement was lost come again: counted and reported). Rounds and seed: $ROUNDS (10), $SEED (1); WITH_RSYSLOG=1 lets an rsyslog send by omrelp too
# (bench/daemon/kill.sh: a hundred rounds with it).
# RELP messages carry the number of their batch as the program, so that what came twice in one batch does not hide what is missing in another.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
rounds=${ROUNDS:-10} seed=${SEED:-1}
batch=2000
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
where, port, BATCH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
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
            waiting[fresh] = b"<13>Mar  2 10:00:00 h own%d: message %d" % ((fresh - 1) // BATCH, fresh)
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
python3 "$dir/relp.py" "$dir" "$relp_port" $batch &
pids+=("$!")

# rsyslog keeps what it reads from a file in memory while lqd is away.
start_rsyslog() {
  mkdir "$dir/rsyslog"
  : >"$dir/rsyslog/in"
  cat >"$dir/rsyslog/conf" <<CONF
global(workDirectory="$dir/rsyslog")
module(load="imfile")
module(load="omrelp")
template(name="t" type="string" string="<13>Mar  2 10:00:00 h %msg%\n")
input(type="imfile" file="$dir/rsyslog/in" tag="x:")
action(type="omrelp" target="127.0.0.1" port="$relp_port" template="t" windowSize="1000" action.resumeRetryCount="-1" action.resumeInterval="1"
  queue.type="LinkedList" queue.size="1000000" queue.timeoutShutdown="1")
CONF
  PATH=$PATH:/usr/sbin rsyslogd -n -f "$dir/rsyslog/conf" -i "$dir/rsyslog/pid" 2>"$dir/rsyslog/log" &
  pids+=("$!")
}
[ -z "${WITH_RSYSLOG:-}" ] || start_rsyslog

# The writer: bursts of lines, and rotations, until it is told to stop. Its moments come from the seed; its sum is in `written`.
cat >"$dir/writer.py" <<'PY'
import os, random, sys, time
where, seed, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rnd = random.Random(seed)
rsyslog, m = open(where + "/rsyslog/in", "a") if os.path.exists(where + "/rsyslog/in") else None, 0
path, n = where + "/logs/app.log", 0
out = open(path, "a")
while not os.path.exists(where + "/stop"):
    for _ in range(rnd.randrange(1, 120)):
        n += 1
        out.write('10.0.0.%d - - [02/Mar/2026:10:%02d:%02d +0000] "GET /n/%d HTTP/1.1" 200 %d "-" "c"\n' % (n % 9, n // 60 % 60, n % 60, n, n))
        if rnd.random() < 0.02: out.flush()           # half lines reach the disk too
    out.flush()
    for _ in range(20 if rsyslog else 0):
        rsyslog.write("rs%d: message %d\n" % (m // batch, m + 1))
        m += 1
    if rsyslog: rsyslog.flush()
    if rnd.random() < 0.05:
        out.close()
        for k in range(60, 0, -1):
            if os.path.exists("%s.%d" % (path, k)): os.rename("%s.%d" % (path, k), "%s.%d" % (path, k + 1))
        os.rename(path, path + ".1")
        out = open(path, "a")
    time.sleep(rnd.random() * 0.05)
out.close()
open(where + "/written.tmp", "w").write("%d %d" % (n, m)); os.rename(where + "/written.tmp", where + "/written")
PY
python3 "$dir/writer.py" "$dir" "$seed" $batch &
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
read -r n from_rsyslog <"$dir/written" || true
messages=$(cat "$dir/sent")
wait_for "every line of the file ($n)" stored_is "$n" 'stream = combined | count'
# How many of PREFIX's messages are missing, batch by batch, of TOTAL.
missing() { # PREFIX TOTAL
  "$lq" 'stream = syslog | count by service | top 10000' --data "$dir/store" --since 2000-01-01 --format csv |
    awk -F, -v prefix="$1" -v total="$2" -v batch=$batch 'NR > 1 && index($(NF - 1), prefix) == 1 { got[substr($(NF - 1), length(prefix) + 1) + 0] = $NF }
      END { for (b = 0; b * batch < total; b++) { want = total - b * batch < batch ? total - b * batch : batch; missing += got[b] < want ? want - got[b] : 0 } print missing + 0 }'
}
none_missing() { [ "$(missing "$1" "$2")" = 0 ]; }
wait_for "every RELP message ($messages)" none_missing own "$messages"
if [ "$from_rsyslog" -gt 0 ]; then # what it loses by itself is told, and no failure (ingest/README.md)
  end=$((SECONDS + 30))
  until none_missing rs "$from_rsyslog" || [ $SECONDS -gt $end ]; do pause 0.5; done
fi
stop_lqd
verify
[ "$(stored 'stream = combined | count')" = "$n" ] || fail "lines of the file: $(stored 'stream = combined | count') of $n"
own=$(stored 'service ~ "^own" | count')
none_missing own "$messages" || fail "RELP: $(missing own "$messages") of $messages missing"
echo "$rounds kills: $n lines of the file once each; $messages RELP messages, none missing, $((own - messages)) came again"
[ "$from_rsyslog" -eq 0 ] || echo "rsyslog: $from_rsyslog messages, $(missing rs "$from_rsyslog") missing, $(($(stored 'service ~ "^rs" | count') - from_rsyslog)) more than written"
