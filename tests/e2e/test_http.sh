#!/usr/bin/env bash
# The HTTP side over a real store: every contract field by field, wrong input, tokens, and equality with the command line.
set -euo pipefail
BUILD=$1
SRC=$2
dir=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi; rm -rf "$dir"' EXIT
export TZ=UTC
"$BUILD/lqgen" --scenario story --days 9 --lines 60000 "$dir/logs" 2>/dev/null
"$BUILD/lq" load --data "$dir/store" "$dir"/logs/web-*/*.log >/dev/null

serve() { # FLAGS…: $url is set when it listens
  "$BUILD/lq" web --data "$dir/store" --listen 127.0.0.1:0 "$@" 2>"$dir/web.log" &
  pid=$!
  for _ in $(seq 1 200); do
    url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$dir/web.log" || true)
    [ -z "$url" ] || return 0
    kill -0 "$pid" 2>/dev/null || break
    read -rt 0.05 <> <(:) || true
  done
  cat "$dir/web.log"
  return 1
}
stop() {
  kill -TERM "$pid"
  wait "$pid" || { echo "lq web did not end well"; cat "$dir/web.log"; exit 1; }
  pid=
  if grep -E 'Sanitizer|runtime error' "$dir/web.log"; then exit 1; fi
}

serve
python3 "$SRC/tests/support/http_contracts.py" "$url" "$BUILD/lq" "$dir/store" "$SRC"
# lq --server: the same bytes and status as here
same() {
  local here=0 there=0
  "$BUILD/lq" "$@" --data "$dir/store" >"$dir/here" 2>"$dir/here.err" || here=$?
  "$BUILD/lq" "$@" --server "$url" >"$dir/there" 2>"$dir/there.err" || there=$?
  if [ $here -ne $there ] || ! cmp "$dir/here" "$dir/there" || ! cmp "$dir/here.err" "$dir/there.err"; then
    echo "lq $* differs with --server ($here, $there)"
    exit 1
  fi
}
same why
same why --format json
same 'errors / count by host every 1d' --since 2026-03-01
same 'errors / count by host every 1d' --since 2026-03-01 --format csv
same 'count by hots'
same streams
same fields
same values host
same templates
same plan count
same markers
same markers --format json --since 2026-03-01
for _ in 1 2 3 4 5 6 7 8 9 10; do same markers --format csv; done # its status, every time
for refused in "load $dir/logs/web-1/access.log" "why $dir/logs/web-1/access.log" "debug stats"; do
  status=0
  "$BUILD/lq" $refused --server "$url" >/dev/null 2>"$dir/err" || status=$?
  [ $status -eq 2 ] || { echo "lq $refused --server: status $status"; exit 1; }
done
status=0
"$BUILD/lq" why --server http://127.0.0.1:1 2>"$dir/err" || status=$?
[ $status -eq 3 ] && grep -q 'cannot ask' "$dir/err"

if command -v promtool >/dev/null; then
  promtool query instant "$url" '1+1' | grep -q '^scalar: 2 '
  python3 "$SRC/tests/support/promtool_equals.py" "$url" "$BUILD/lq" "$dir/store"
fi
stop

printf 'reader-0123456789abcdef read\nwriter-0123456789abcdef read,write\n' >"$dir/tokens"
serve --tokens "$dir/tokens"
python3 "$SRC/tests/support/http_contracts.py" --tokens "$url"
LQ_TOKEN=reader-0123456789abcdef "$BUILD/lq" streams --server "$url" | grep -q combined_time
if "$BUILD/lq" streams --server "$url" 2>"$dir/err"; then exit 1; fi
grep -q 'LQ_TOKEN' "$dir/err"
# Markers from afar need the scope write; they are there at once.
if LQ_TOKEN=reader-0123456789abcdef "$BUILD/lq" mark note flags --server "$url" 2>"$dir/err"; then exit 1; fi
LQ_TOKEN=writer-0123456789abcdef "$BUILD/lq" mark note "flag day" --at '2026-03-03 12:00' --host web-1 --server "$url" | grep -q '^note flag day at 2026-03-03 12:00:00'
LQ_TOKEN=reader-0123456789abcdef "$BUILD/lq" markers --server "$url" --since 2026-03-01 | grep -q '^2026-03-03 12:00:00  note .*flag day'
if LQ_TOKEN=writer-0123456789abcdef "$BUILD/lq" mark nonsense x --server "$url" 2>"$dir/err"; then exit 1; fi
grep -q 'unknown kind of marker "nonsense"' "$dir/err"
stop

# Over its time: an error that says so, for each kind of question
serve --timeout 1ms
for path in lq/why 'lq/query?since=2026-01-01&query=count%20by%20route%20every%201m' 'lq/changes?since=2026-01-01&query=count%20by%20route%20every%201m' 'lq/why?format=html' 'infinity/annotations?query=changes%20of%20count%20by%20route%20every%201m'; do
  [ "$(curl -s -o "$dir/body" -w '%{http_code}' "$url/api/v1/$path")" = 422 ] && grep -q '"code":"limit","message":"the request took longer than 0.001 s"' "$dir/body" ||
    { echo "$path: no limit"; cat "$dir/body"; exit 1; }
done
curl -sf "$url/healthz" >/dev/null
stop

# Clients that go away while their answer is worked out: it is given up, and lqd counts it.
printf 'data: %s\nhttp: 127.0.0.1:0\ninputs: [{type: tcp, listen: 127.0.0.1:0}]\n' "$dir/store" >"$dir/conf"
"$BUILD/lqd" -c "$dir/conf" 2>"$dir/web.log" &
pid=$!
for _ in $(seq 1 400); do
  grep -q ready "$dir/web.log" && break
  read -rt 0.05 <> <(:) || true
done
python3 - "$(sed -n 's/.*http listens on .*:\([0-9]*\)$/\1/p' "$dir/web.log")" "$(sed -n 's/.*tcp listens on .*:\([0-9]*\)$/\1/p' "$dir/web.log")" <<'PY'
import json, re, socket, sys, time, urllib.request
port = int(sys.argv[1])
def stopped(): return int(re.search(r"^lqd_http_stopped_total (\d+)", urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode(), re.M)[1])
before, end = stopped(), time.monotonic() + 60
while stopped() < before + 8:
    assert time.monotonic() < end, "clients left, and their answers were worked out all the same"
    for _ in range(8):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"GET /api/v1/lq/why HTTP/1.1\r\nHost: localhost\r\n\r\n")
        s.close()
# The same question of the same store is answered once; a commit makes it a new one.
def get(path): return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60).read().decode()
def kept(): return int(re.search(r"^lqd_http_kept_total (\d+)", get("/metrics"), re.M)[1])
counts = "/api/v1/lq/query?since=2026-01-01&until=2099-01-01&query=count&format=csv"
was = kept()
while kept() == was:
    assert time.monotonic() < end, "no answer is given again"
    get(counts)
def unparsed(): return sum(x["lines"] for x in json.loads(get("/api/v1/lq/streams"))["streams"] if x["stream"] == "unparsed")
before = unparsed()
s = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
s.sendall(b"a line that is new\n")
s.close()
while unparsed() == before: assert time.monotonic() < end, "an old answer is given after a commit"
# While lines come faster than the loops read them, questions are paced; health and pushed lines are not, nothing fails, and afterwards nothing waits.
import threading
end, asking, flooding, n = time.monotonic() + 120, True, True, iter(range(10**9))
def paced(): return [float(re.search(rf"^lqd_http_paced_{k} (\S+)", get("/metrics"), re.M)[1]) for k in ("total", "seconds_total")]
def ask(): get(f"/api/v1/lq/query?since=2026-01-01&query=count%20by%20route%20every%201h&n={next(n)}")
def flood():
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as s:
        while flooding: s.sendall(b"".join(b"a line that nobody has seen, number %d\n" % i for i in range(2000)))
def keep_asking():
    while asking: ask()
assert paced() == [0, 0]
threads = [threading.Thread(target=f, daemon=True) for f in [flood] * 4 + [keep_asking] * 4]
for t in threads: t.start()
while paced()[0] < 5 or paced()[1] == 0: assert time.monotonic() < end, "questions are not paced"
get("/healthz")
get("/api/v1/lq/query?query=count&since=2026-01-01")
urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/lq/push", b"one more\n", {"Content-Type": "text/plain"}), timeout=60)
asking = False
for t in threads[4:]: t.join(60)
flooding = False
for t in threads[:4]: t.join(60)
while True:
    was = paced()
    for _ in range(20): ask()
    if paced() == was: break
    assert time.monotonic() < end, "questions are paced for ever"
PY
stop

# Refusals at the start
if "$BUILD/lq" web --data "$dir/store" --listen 0.0.0.0:0 2>"$dir/err"; then exit 1; fi
grep -q 'will not serve 0.0.0.0 without tokens' "$dir/err"
if "$BUILD/lq" web --data "$dir/store" --listen 127.0.0.1:x 2>"$dir/err"; then exit 1; fi
grep -q 'no address to listen on' "$dir/err"
if "$BUILD/lq" web --data "$dir/none" --listen 127.0.0.1:0 2>"$dir/err"; then exit 1; fi
printf 'short read\n' >"$dir/bad"
if "$BUILD/lq" web --data "$dir/store" --listen 127.0.0.1:0 --tokens "$dir/bad" 2>"$dir/err"; then exit 1; fi
grep -q "$dir/bad:1" "$dir/err"
if grep -q short "$dir/err"; then echo "a secret is shown"; exit 1; fi
