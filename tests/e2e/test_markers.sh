#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Markers that logs show: the same for any order, chunking and number of threads, live or loaded; in lq why, charts and over HTTP; none without a deed.
set -euo pipefail
lq=$1/lq; lqgen=$1/lqgen; src=$2
export TZ=UTC
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
"$lqgen" --scenario instant --lines 30000 "$d/logs" 2>/dev/null

load() { # STORE FILE…
    local store=$1; shift
    "$lq" --data "$store" load "$@" >/dev/null 2>&1
}
files=("$d"/logs/web-*/app.log "$d"/logs/web-*/access.log)
load "$d/a" --threads 1 "${files[@]}"
reversed=(); for f in "${files[@]}"; do reversed=("$f" "${reversed[@]}"); done
load "$d/b" --threads 3 "${reversed[@]}"
for f in "${files[@]}"; do # line by line backwards, in two parts
    mkdir -p "$d/back/$(basename "$(dirname "$f")")"
    tac "$f" >"$d/back/$(basename "$(dirname "$f")")/$(basename "$f")"
done
load "$d/c" "$d"/back/web-[34]/*.log
load "$d/c" "$d"/back/web-[12]/*.log
for s in a b c; do
    "$lq" --data "$d/$s" debug digest >"$d/$s.digest"
    "$lq" markers --data "$d/$s" --format json >"$d/$s.markers"
done
cmp "$d/a.digest" "$d/b.digest" && cmp "$d/a.digest" "$d/c.digest" || fail "the digest depends on the order"
cmp "$d/a.markers" "$d/b.markers" && cmp "$d/a.markers" "$d/c.markers" || fail "the markers depend on the order"
"$lq" --data "$d/a" debug verify >/dev/null || fail verify

"$lq" markers --data "$d/a" >"$d/out"
grep -q '^2026-03-01 09:00:00  release .*2.4.1 .*shop-web .*web-1,web-2,web-3,web-4' "$d/out" || fail "the release is no marker: $(cat "$d/out")"
grep -q '^2026-03-03 11:00:00  release .*2.5.0 ' "$d/out" || fail "the second release is no marker"
grep -q '^2026-03-03 13:00:0.  rollback .*2.4.1 ' "$d/out" || fail "the rollback is no marker"
[ "$(wc -l <"$d/out")" = 5 ] || fail "too many: $(cat "$d/out")"
python3 -c "import json,sys; m=json.load(open('$d/a.markers'))['markers']; assert all(x['inferred'] and 0 < x['confidence'] <= 1 for x in m), m"

# what people record stands for what was inferred
"$lq" mark release 2.5.0 --data "$d/a" --at 2026-03-03T11:02:00Z >/dev/null
"$lq" markers --data "$d/a" >"$d/out"
[ "$(grep -c '2\.5\.0' "$d/out")" = 1 ] && grep -q 'recorded.*2.5.0' "$d/out" || fail "the recorded release is there twice: $(cat "$d/out")"

"$lq" 'errors every 1h' --data "$d/b" --since 2026-02-27 --format chart >"$d/chart"
grep -q 'release 2.5.0 on web-1,web-2,web-3,web-4 (inferred)' "$d/chart" || fail "not in the chart: $(tail -8 "$d/chart")"
"$lq" why --data "$d/b" --format json >"$d/why"
python3 -c "import json; s=json.load(open('$d/why'))['suspects'][0]; assert s['kind']=='release' and '2.5.0' in s['title'], s['title']"

# a log without a deed
awk 'BEGIN { for (i = 0; i < 2000; i++) printf "2026-03-02 10:%02d:%02d,000 INFO  [main] com.acme.Orders - order %d accepted\n", i / 60 % 60, i % 60, i }' >"$d/calm.log"
"$lq" markers "$d/calm.log" | grep -q '^no markers' || fail "invented: $("$lq" markers "$d/calm.log")"

# rules of one's own, beside the shipped ones
mkdir "$d/formats"
cat >"$d/formats/mine.yaml" <<'YAML'
name: mine
pattern: '^(?<time>\S+) (?<host>\S+) (?<what>.*)$'
time: {field: time, layout: iso8601}
fields: {time: {role: ignore}, host: {role: dimension}, what: {role: message}}
derive: {template: {shape: what}}
markers:
  - {kind: note, template: '^moon landed', read: 'at (?<name>\w+)', confidence: 66}
YAML
printf '2026-03-02T10:00:0%dZ h1 tick\n' 1 2 3 4 >"$d/mine.log"
echo '2026-03-02T10:00:05Z h1 moon landed at noon' >>"$d/mine.log"
"$lq" markers --formats "$d/formats" --format-name mine "$d/mine.log" | grep -q '10:00:05  note  *66 %  *noon ' || fail "a rule of one's own"
sed -i 's/kind: note/kind: nte/' "$d/formats/mine.yaml"
if "$lq" markers --formats "$d/formats" "$d/mine.log" 2>"$d/err"; then fail "a wrong kind is taken"; fi
grep -q 'mine.yaml:7:.*unknown kind of marker nte' "$d/err" && grep -q 'did you mean note?' "$d/err" || fail "$(cat "$d/err")"
echo ok
