#!/usr/bin/env bash
# Logs pushed by HTTP: each shape, what is in the store of it, and that an acknowledged body survives kill -9. Then a real sender: rsyslog's omelasticsearch.
set -euo pipefail
BUILD=$1
SRC=$2
. "$SRC/tests/e2e/daemon.sh"

cat >"$dir/conf" <<YAML
data: $dir/store
http: 127.0.0.1:0
YAML
start_lqd -c "$dir/conf"
url=http://127.0.0.1:$(port_of http)
python3 "$SRC/tests/support/push_contracts.py" "$url" || fail "a contract is broken"
# Labels beyond eight are not kept, and counted.
over() { curl -sf "$url/metrics" | awk '/^lqd_input_labels_over_total/ { n += $2 } END { print n + 0 }'; }
before=$(over)
curl -sf -H 'Content-Type: text/plain' --data-binary 'one line' "$url/api/v1/lq/push?service=wide&a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9" >/dev/null || fail "many labels"
[ $(($(over) - before)) = 2 ] || fail "two labels of ten find no room, the counter says $before and $(over)"
kill_lqd # all of it was acknowledged

is() { # NUMBER QUERY
  local got
  got=$(stored "$2")
  [ "$got" = "$1" ] || fail "$2: $got, not $1"
}
is 200 'stream = combined and host = web-1 and service = nginx | count'
is 20 'stream = combined and host = web-1 | errors'
is 40 'stream = json and service = cart | count'
is 10 'stream = json and service = cart | errors'
is 120 'stream = combined and host = web-2 and service = shop | count' # access logs that came through Loki
is 12 'stream = combined and host = web-2 | errors'
is 4 'stream = loki and service = pay and level = error | errors'
is 32 'service = basket and host = web-3 and index = shop | count'
is 34 'service = basket and host = web-3 | count'
is 1 'service = basket and level = error | errors'
is 100 'stream = otlp and service = checkout and host = web-4 and version = "2.4.1" and env = prod | count'
is 20 'stream = otlp and service = checkout and status = 502 and exception = "java.io.IOException" | errors'
is 100 'stream = otlp and route = "/pay/{id}" | count'
is 1 'service = late and level = fatal | count'
is 1 'service = late and level = warn | count'
is 8000 'stream = combined and service = many | count'
verify

# A token that may read does not write. Over TLS: the server's certificate is checked, and plain HTTP gets nothing.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$dir/tls.key" -out "$dir/tls.pem" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$dir/other.key" 2>/dev/null
printf 'reader-0123456789abcdef read\nwriter-0123456789abcdef write\n' >"$dir/tokens"
cat >"$dir/conf" <<YAML
data: $dir/store2
http: {listen: "127.0.0.1:0", tokens: $dir/tokens, tls_cert: $dir/tls.pem, tls_key: $dir/tls.key}
inputs: [{type: http, labels: {env: test}, format: python}]
YAML
sed "s|$dir/tls.key|$dir/other.key|" "$dir/conf" >"$dir/wrong"
if "$BUILD/lqd" -c "$dir/wrong" 2>"$dir/err"; then fail "a key of another certificate is taken"; fi
grep -q 'certificate or its key is not usable' "$dir/err" || fail "a wrong key is not named"
start_lqd -c "$dir/conf"
url=https://127.0.0.1:$(port_of http)
curl -sf --cacert "$dir/tls.pem" "$url/healthz" >/dev/null || fail "TLS"
if curl -sf "$url/healthz" >/dev/null 2>&1; then fail "an unknown certificate is trusted"; fi
if curl -sf --max-time 10 "http://127.0.0.1:$(port_of http)/healthz" >/dev/null 2>&1; then fail "plain HTTP where TLS is spoken"; fi
post() { curl -s --cacert "$dir/tls.pem" -o "$dir/answer" -w '%{http_code}' -H 'Content-Type: text/plain' --data-binary '2026-03-02 10:00:00,123 - shop.pay - ERROR - failed' "$@" "$url/api/v1/lq/push?service=pay"; }
[ "$(post)" = 401 ] || fail "no token"
[ "$(post -H 'Authorization: Bearer reader-0123456789abcdef')" = 403 ] || fail "a token that only reads"
[ "$(post -H 'Authorization: Bearer writer-0123456789abcdef')" = 200 ] || fail "a token that writes"
[ "$(post -u any:writer-0123456789abcdef)" = 200 ] || fail "Basic authentication"
[ "$(stored 'stream = python and service = pay and env = test | count' "$dir/store2")" = 2 ] || fail "labels and format of the configuration"
# A reload with senders at work: nothing is lost, nothing hangs.
for i in $(seq 1 20); do
  [ $((i % 5)) -ne 0 ] || kill -HUP "$lqd_pid"
  [ "$(post -u any:writer-0123456789abcdef)" = 200 ] || fail "a push around a reload"
done
stop_lqd
[ "$(stored 'stream = python | count' "$dir/store2")" = 22 ] || fail "every push around a reload"
if grep -E 'Sanitizer|runtime error' "$dir/lqd.log"; then fail "a sanitizer complains"; fi

# rsyslog, which asks /_cat/health and then sends _bulk
if ! ls /usr/lib/*/rsyslog/omelasticsearch.so >/dev/null 2>&1; then
  echo "skipped: no omelasticsearch (rsyslog-elasticsearch)"
  exit 0
fi
cat >"$dir/conf" <<YAML
data: $dir/store3
http: 127.0.0.1:0
YAML
start_lqd -c "$dir/conf"
mkdir "$dir/rsyslog"
cat >"$dir/rsyslog/conf" <<CONF
global(workDirectory="$dir/rsyslog")
module(load="imfile")
module(load="omelasticsearch")
template(name="doc" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="level" name="syslogseverity-text" format="jsonf")
  property(outname="service" name="programname" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
input(type="imfile" file="$dir/rsyslog/in" tag="shop:" severity="err")
action(type="omelasticsearch" server="127.0.0.1" serverport="$(port_of http)" template="doc" searchIndex="app" searchType="" bulkmode="on" maxbytes="1m"
       queue.type="linkedList" queue.dequeuebatchsize="500" action.resumeRetryCount="-1")
CONF
seq -f 'order %g of customer 7 failed' 2000 >"$dir/rsyslog/in"
rsyslogd -n -f "$dir/rsyslog/conf" -i "$dir/rsyslog/pid" 2>"$dir/rsyslog/log" &
pids+=($!)
wait_for "rsyslog by _bulk" stored_is 2000 'service = shop and level = error | errors' "$dir/store3"
stop_lqd
