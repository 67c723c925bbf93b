#!/usr/bin/env bash
# A real leak from beginning to answer: nginx before two hosts of a small shop (shop.py) that really leaks from 2.5.0 on, load on both, their logs shipped by rsyslog
# (RELP) to lqd, releases recorded as a pipeline would - and then what `lq why` says of what was stored.
# usage: [KEEP=DIR] bench/leak/run.sh BUILD-DIR [SECONDS]        280 seconds; needs nginx, rsyslogd with omrelp, python3; KEEP: a copy of the store, to ask it more
#
# The story's clock goes faster than the machine's: the run is nine days. 2.4.0 is there from the beginning; on day 2 comes 2.4.1, on day 5 comes 2.5.0, which leaks; some two
# days later memory is at its end and requests fail. Half a day before that nginx has got another configuration: the latest change, which everybody suspects. Only the stamps are
# of the story: requests, latencies and memory are real.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$(realpath "$1") seconds=${2:-280}
here=$(cd "$(dirname "$0")" && pwd)
export TZ=UTC PATH=$PATH:/usr/sbin
for tool in nginx rsyslogd python3; do command -v $tool >/dev/null || { echo "no $tool: nothing is run"; exit 77; }; done
dir=$(mktemp -d)
pids=()
cleanup() {
  local p
  for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done # nginx ends its workers
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
lq=$BUILD/lq
pause() { read -r -t "${1:-0.05}" <> <(:) || true; }
wait_for() { local end=$((SECONDS + 60)); until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { echo "waited in vain: $*" >&2; cat "$dir/lqd.log" >&2; exit 1; }; pause 0.1; done; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

days=9
speed=$((days * 86400 / seconds))
started=$(date +%s)
story=$((started / 86400 * 86400 - (days + 1) * 86400))
story_now() { date -u -d "@$((story + ($(date +%s) - started) * speed))" '+%Y-%m-%d %H:%M:%S'; }
until_day() { while [ $((($(date +%s) - started) * speed)) -lt "$(awk -v d="$1" 'BEGIN { print int(d * 86400) }')" ]; do pause 0.1; done; }
mkdir "$dir"/{web-1,web-2,nginx,rsyslog}
touch "$dir"/web-{1,2}/app.log "$dir/nginx/access.log"

# ---- lqd ----
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
inputs: [{type: relp, listen: 127.0.0.1:0}]
YAML
"$BUILD/lqd" -c "$dir/lqd.yaml" 2>"$dir/lqd.log" &
lqd=$!
pids+=("$lqd")
wait_for grep -q ready "$dir/lqd.log"
relp=$(sed -n 's/.*relp listens on .*:\([0-9]*\)$/\1/p' "$dir/lqd.log")

# ---- rsyslog: one for each host, which has its name ----
ship() { # HOST FILE TAG
  mkdir "$dir/rsyslog/$1"
  cat >"$dir/rsyslog/$1/conf" <<CONF
global(workDirectory="$dir/rsyslog/$1" localHostname="$1")
module(load="imfile" mode="inotify")
module(load="omrelp")
input(type="imfile" file="$2" tag="$3")
action(type="omrelp" target="127.0.0.1" port="$relp" windowSize="5000" action.resumeInterval="1" action.resumeRetryCount="-1" queue.type="LinkedList")
CONF
  rsyslogd -n -f "$dir/rsyslog/$1/conf" -i "$dir/rsyslog/$1/pid" 2>"$dir/rsyslog/$1/log" &
  pids+=($!)
}
ship web-1 "$dir/web-1/app.log" shop:
ship web-2 "$dir/web-2/app.log" shop:
ship edge "$dir/nginx/access.log" nginx:

# ---- the shop on two hosts ----
declare -A port app
port[web-1]=$(free_port) port[web-2]=$(free_port)
start_shop() { # HOST VERSION
  MALLOC_ARENA_MAX=1 python3 "$here/shop.py" "${port[$1]}" "$1" "$2" "$dir/$1/app.log" "$started" "$story" "$speed" $((60000 * 280 / seconds)) 2>>"$dir/$1/stderr" &
  app[$1]=$!
  pids+=("${app[$1]}")
  wait_for python3 -c "import socket; socket.create_connection(('127.0.0.1', ${port[$1]}))"
}
release() { # VERSION: host after host, and recorded as a pipeline does
  local h
  "$lq" mark release "$1" "shop $1" --service shop --at "$(story_now)" --data "$dir/store" >/dev/null
  echo "$(story_now)  release $1"
  for h in web-1 web-2; do
    kill "${app[$h]}"
    wait "${app[$h]}" 2>/dev/null || true
    start_shop $h "$1"
  done
}
start_shop web-1 2.4.0
start_shop web-2 2.4.0

# ---- nginx: the stamp is the story's, which whoever asks brings along; so is the address of the customer, as of one who came through a content network ----
front=$(free_port)
cat >"$dir/nginx/conf" <<CONF
daemon off;
pid $dir/nginx/pid;
error_log $dir/nginx/error.log;
worker_processes 1;
events {}
http {
  log_format timed '\$remote_addr - - [\$http_x_story_time] "\$request" \$status \$body_bytes_sent "\$http_referer" "\$http_user_agent" \$request_time';
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;
  access_log $dir/nginx/access.log timed;
  client_body_temp_path $dir/nginx/a; proxy_temp_path $dir/nginx/b; fastcgi_temp_path $dir/nginx/c; uwsgi_temp_path $dir/nginx/d; scgi_temp_path $dir/nginx/e;
  upstream shop { server 127.0.0.1:${port[web-1]} max_fails=0; server 127.0.0.1:${port[web-2]} max_fails=0; keepalive 16; }
  server { listen 127.0.0.1:$front; location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
CONF
nginx -p "$dir/nginx" -c "$dir/nginx/conf" 2>"$dir/nginx/stderr" &
nginx=$!
pids+=("$nginx")
wait_for python3 -c "import socket; socket.create_connection(('127.0.0.1', $front))"

# ---- people: some 80 requests a second, more by day than by night ----
python3 - "$front" "$started" "$story" "$speed" "$seconds" >"$dir/asked" <<'PY' &
import http.client, math, random, sys, threading, time
port, started, story, speed, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
counts = [0] * 8
def customer(k):
    rnd, c = random.Random(k), None
    while time.time() < started + seconds:
        t = story + (time.time() - started) * speed
        day = 1 + 0.5 * math.sin((t % 86400 / 86400 - 0.3) * 2 * math.pi)
        time.sleep(rnd.expovariate(10 * day))
        t = story + (time.time() - started) * speed
        who = rnd.randrange(5000)
        path = rnd.choice(("/products/%d", "/products/%d", "/prices/%d", "/order/%d")) % rnd.randrange(40)
        try:
            c = c or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            c.request("GET", path, headers={"X-Story-Time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t)), "X-Customer": str(who), "X-Forwarded-For": "10.20.%d.%d" % (who // 250, who % 250 + 1), "User-Agent": "Mozilla/5.0 (X11)"})
            c.getresponse().read()
            counts[k] += 1
        except OSError:
            c = None
jobs = [threading.Thread(target=customer, args=(k,)) for k in range(8)]
for j in jobs: j.start()
for j in jobs: j.join()
print(sum(counts))
PY
people=$!
pids+=("$people")

until_day 2
release 2.4.1
until_day 5
release 2.5.0
until_day 6.5
"$lq" mark config nginx 'gzip on' --host edge --at "$(story_now)" --data "$dir/store" >/dev/null
echo "$(story_now)  nginx: gzip on"
sed -i 's/^http {/http { gzip on;/' "$dir/nginx/conf"
kill -HUP $nginx
wait $people
echo "$(story_now)  the end; $(cat "$dir/asked") requests were answered"
lines=$(cat "$dir"/web-?/app.log "$dir/nginx/access.log" | wc -l)
all() { [ "$("$lq" streams --data "$dir/store" 2>/dev/null | awk 'NR > 1 { n += $3 } END { print n + 0 }')" -ge "$lines" ]; }
wait_for all
kill -TERM $lqd
wait $lqd
echo "$lines lines were written, $("$lq" streams --data "$dir/store" | awk 'NR > 1 { n += $3 } END { print n + 0 }') are stored"
"$lq" debug verify --data "$dir/store"
[ -z "${KEEP:-}" ] || "$lq" backup "$KEEP" --data "$dir/store" >/dev/null
echo
"$lq" 'count, errors, p99(request_time) every 12h' --data "$dir/store" --since "$(date -u -d "@$story" +%Y-%m-%d)" 2>/dev/null
echo
"$lq" why --data "$dir/store"
