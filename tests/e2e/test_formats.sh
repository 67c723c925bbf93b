#!/usr/bin/env bash
# Wrappers, structured text and events of several lines from a file to an answer: by detection alone, and against independent scripts.
set -uo pipefail
BUILD=$1
SRC=$2
lq=$BUILD/lq
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
fails=0
fail() { echo "FAILED: $*"; fails=$((fails + 1)); }
n=0
# load NAME FORMAT QUERY EXPECTED-CSV: the file $dir/NAME.log is taken for FORMAT, and the query answers so
load() {
  local name=$1 format=$2 query=$3 want=$4 out got
  n=$((n + 1))
  out=$("$lq" load --data "$dir/s$n" "$dir/$name.log" 2>&1) || { fail "$name: $out"; return; }
  grep -qF ": loaded, $format (" <<<"$out" || fail "$name is taken for $out"
  grep -q 'unparsed' <<<"$out" && fail "$name: $out"
  got=$("$lq" "$query" --data "$dir/s$n" --since 2000-01-01 --format csv | tail -n +2 | cut -d, -f2- | sort | tr '\n' ' ')
  [ "$got" = "$want" ] || fail "$name: '$query' gives '$got', expected '$want'"
}

{ for i in 1 2 3; do
  echo "{\"log\":\"2026-03-02 10:00:0$i,000 ERROR [m] shop.Pay - order $i failed\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-02T09:00:0$i.5Z\"}"
  echo "{\"log\":\"java.net.ConnectException: refused\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-02T09:00:0$i.5Z\"}"
  echo "{\"log\":\"\\tat shop.Pay.call(Pay.java:$i)\\n\",\"stream\":\"stderr\",\"time\":\"2026-03-02T09:00:0$i.6Z\"}"
done; } >"$dir/docker.log"
load docker docker+log4j 'stream = log4j | count by template, exception, frame' 'order <*> failed,java.net.ConnectException,shop.Pay.call,3 '

{ for i in 1 2 3 4; do
  echo "2026-03-02T09:00:0$i.123456789Z stdout F {\"ts\":\"2026-03-02T09:00:0${i}Z\",\"level\":\"warn\",\"msg\":\"cart $i is empty\",\"took\":\"${i}0ms\",\"service\":\"cart\"}"
done; echo '2026-03-02T09:00:05.1Z stdout P {"ts":"2026-03-02T09:00:05Z","level":"warn","msg":"cart 5'; echo '2026-03-02T09:00:05.1Z stdout F  is empty","took":"50ms","service":"cart"}'; } >"$dir/cri.log"
load cri cri+json 'stream = json | count, max(took) by template, level, service' 'cart <*> is empty,warn,cart,5,0.05 '

{ for i in 1 2 3; do echo "Mar  2 09:00:0$i web-$((i % 2)) api[7]: @cee: {\"msg\":\"paid order $i\",\"severity\":\"INFO\",\"status\":20$i}"; done; } >"$dir/cee.log"
load cee rfc3164+json 'stream = json | count by host, service, level' 'web-0,api,info,1 web-1,api,info,2 '
{ for i in 1 2 3; do echo "Mar  2 09:00:0$i web-1 api[7]: level=error msg=\"no order $i\" took=0.25"; done; } >"$dir/kv.log"
load kv rfc3164+logfmt 'stream = logfmt | errors, avg(took) by template' 'no order <*>,3,0.25 '
{ for i in 1 2 3; do echo "time=2026-03-02T09:00:0$i.5Z level=INFO msg=\"paid \\\"$i\\\"\" took=1${i}ms service=pay"; done; } >"$dir/logfmt.log"
load logfmt logfmt 'count, max(took) by service, level' 'pay,info,3,0.013 '
{ echo 'when,timestamp,level,host,latency_ms,message'; for i in 1 2 3; do echo "x,2026-03-02 09:00:0$i,WARN,db-1,$i.5,\"slow, \"\"query\"\" $i\""; done; } >"$dir/csv.log"
load csv csv 'count, max(latency_ms) by host, level' 'db-1,warn,3,0.0035 '
{ echo '#Software: Microsoft Internet Information Services 10.0'; echo '#Fields: date time s-ip cs-method cs-uri-stem s-port c-ip sc-status time-taken'
  for i in 1 2 3; do echo "2026-03-02 09:00:0$i 10.0.0.1 GET /a/$i 443 10.9.9.$i 200 10"; done
  echo '#Fields: time-taken sc-status date time cs-uri-stem cs-method c-ip s-port'
  for i in 4 5; do echo "20 500 2026-03-02 09:00:0$i /b POST 10.9.9.$i 443"; done; } >"$dir/iis.log"
load iis iis 'count, errors, max(request_time) by route, method' '/a/{id},GET,3,0,0.01 /b,POST,2,2,0.02 '
{ for i in 1 2 3; do printf '__CURSOR=s=1;i=%s\n__REALTIME_TIMESTAMP=177244560000000%s\nPRIORITY=3\nSYSLOG_IDENTIFIER=kernel\n_HOSTNAME=web-1\nMESSAGE=Out of memory: Killed process %s (java)\n\n' $i $i $i; done; } >"$dir/export.log"
load export journald_export 'errors by host, service, template' 'web-1,kernel,Out of memory: Killed process <*> (java),3 '
{ for i in 1 2 3; do echo "{\"__REALTIME_TIMESTAMP\":\"177244560000000$i\",\"PRIORITY\":\"6\",\"SYSLOG_IDENTIFIER\":\"app\",\"_HOSTNAME\":\"web-1\",\"MESSAGE\":\"2026-03-02 10:00:00,000 ERROR [m] a.B - bad $i\"}"; done; } >"$dir/jj.log"
load jj journald_json+log4j 'stream = log4j | errors by host, service, template' 'web-1,app,bad <*>,3 '

# Traces: the same content however the file is cut into chunks and shared among threads; and as many events as an independent count.
python3 - "$dir/big.log" <<'PY'
import random, sys
r = random.Random(7)
with open(sys.argv[1], "w") as f:
    for i in range(60000):
        t = "2026-03-02 %02d:%02d:%02d,%03d" % (i // 3600 % 24, i // 60 % 60, i % 60, r.randrange(1000))
        bad = r.random() < .1
        f.write(f"{t} {'ERROR' if bad else 'INFO'} [t-{r.randrange(9)}] shop.Cart - request {i} {'failed' if bad else 'done'}\n")
        if bad:
            f.write("shop.CartException: cart %d\n" % i + "".join("\tat shop.C%d.m(C.java:%d)\n" % (r.randrange(5), k) for k in range(r.randrange(1, 40))))
PY
for t in 1 2 3; do "$lq" load --threads $t --format-name log4j --data "$dir/b$t" "$dir/big.log" >"$dir/out$t" || fail "load with $t threads"; done
d1=$("$lq" debug digest --data "$dir/b1") d2=$("$lq" debug digest --data "$dir/b2") d3=$("$lq" debug digest --data "$dir/b3")
[ "$d1" = "$d2" ] && [ "$d1" = "$d3" ] || fail "the content depends on the number of threads: $d1 / $d2 / $d3"
grep -q unparsed "$dir/out1" && fail "traces are left over: $(cat "$dir/out1")"
want="shop.CartException,$(grep -c ERROR "$dir/big.log")"
got=$("$lq" 'exception = shop.CartException | count by exception' --data "$dir/b1" --since 2000-01-01 --format csv | tail -1 | cut -d, -f2-)
[ "$got" = "$want" ] || fail "exceptions: $got, expected $want"

# Why a line does not match: the byte, of regexes and of JSON.
shows() { # WHAT INPUT TEXT
  "$lq" format try - <<<"$2" >"$dir/try" 2>&1
  grep -qF -- "$3" "$dir/try" || fail "$1: $(cat "$dir/try")"
}
shows regex '127.0.0.1 - - [02/Mar/2026:10:00:01 +0000] "GET / HTTP/1.1" 20x 5' 'combined stops at byte 63 of 65'
shows json $'{"ts":"2026-01-01T00:00:00Z","msg":"a"}\n{"ts":"2026-01-01T00:00:01Z","msg":a}' 'json: this is no JSON object'
shows json_time $'{"ts":"2026-01-01T00:00:00Z","msg":"a"}\n{"ts":"x","msg":"a"}' 'no valid time'
shows csv $'time,level,msg\n2026-01-01T00:00:00Z,INFO,hello' 'csv: a header line, no record'

# Detection of real files: the right format, or an honest generic one.
data=$SRC/../shared/data
if [ -d "$data/loghub_2k" ]; then
  (cd "$data" && "$lq" format detect access/* loghub_2k/*/*_2k.log nezha/11_51_log.csv.gz) | sed 's/ (.*//' >"$dir/detected"
  cat >"$dir/expected" <<'TXT'
access/apache_logs: combined
access/auth.log: rfc3164
loghub_2k/Android/Android_2k.log: android
loghub_2k/Apache/Apache_2k.log: apache_error
loghub_2k/BGL/BGL_2k.log: plain
loghub_2k/Mac/Mac_2k.log: rfc3164
loghub_2k/Spark/Spark_2k.log: log4j
loghub_2k/Thunderbird/Thunderbird_2k.log: plain
nezha/11_51_log.csv.gz: csv+docker+log4j
TXT
  diff "$dir/expected" "$dir/detected" || fail "detection of real files"
else
  echo "skipped: shared data is not here"
fi

nezha=$SRC/../shared/data/nezha
if [ -d "$nezha" ]; then
  zcat "$nezha"/*.gz | "$lq" load --data "$dir/nezha" - >"$dir/nezha.out" || fail nezha
  grep -q 'csv+docker+log4j' "$dir/nezha.out" || fail "nezha: $(cat "$dir/nezha.out")"
  for q in level service exception; do
    "$lq" "stream = log4j | count by $q" --data "$dir/nezha" --since 2000-01-01 --format csv >"$dir/nezha.$q"
  done
  zcat "$nezha"/*.gz | python3 -c '
import collections, csv, json, re, sys
level, service, exception = collections.Counter(), collections.Counter(), collections.Counter()
for row in csv.reader(sys.stdin):
    if row[0] == "Timestamp": continue
    log = json.loads(row[-1])["log"]
    level[{"WARN": "warn", "INFO": "info", "ERROR": "error"}[log.split()[1]]] += 1
    service[re.sub(r"-[a-f0-9]{6,10}-[a-z0-9]{5}$", "", row[3])] += 1
    found = re.findall(r"[\w.$]*[A-Z]\w*(?:Exception|Error)(?![\w.]\w|\w)", log.split("\n")[0])
    if found: exception[found[-1]] += 1
bad = 0
for name, want in ("level", level), ("service", service):
    got = {r[name]: int(r["count"]) for r in csv.DictReader(open(sys.argv[1] + "." + name))}
    if got != want: print("nezha", name, {k: (want[k], got.get(k)) for k in set(want) | set(got) if want[k] != got.get(k)}); bad = 1
got = {r["exception"]: int(r["count"]) for r in csv.DictReader(open(sys.argv[1] + ".exception")) if r["exception"] not in ("", "-")}
if got != exception: print("nezha exception", exception, got); bad = 1
print("nezha equal:", sum(level.values()), "lines,", len(service), "services")
sys.exit(bad)' "$dir/nezha" || fail "nezha differs"
fi
[ $fails -eq 0 ] && echo "wrappers, structured text and traces answer as they should"
exit $fails
