#!/usr/bin/env bash
# Bad input: a clear error that names the thing, the right exit status, and the other files loaded.
set -uo pipefail
BUILD=$1
lq=$BUILD/lq
dir=$(mktemp -d)
trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
export TZ=UTC
fails=0
expect() { # STATUS TEXT COMMAND…
  local status=$1 text=$2 out rc
  shift 2
  out=$("$@" 2>&1)
  rc=$?
  if [ $rc -ne "$status" ] || ! grep -qF -- "$text" <<<"$out"; then
    echo "FAILED: $*"; echo "  expected exit $status and \"$text\", got exit $rc:"; sed 's/^/  /' <<<"$out"; fails=$((fails + 1))
  fi
}
good=$dir/good.log
for i in 1 2 3 4 5; do echo "10.0.0.$i - - [02/Mar/2026:10:00:0$i +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"-\""; done >"$good"
: >"$dir/empty.log"
head -c 100000 /dev/zero >"$dir/binary.log"
for _ in $(seq 2000); do cat "$good"; done | gzip >"$dir/big.gz"; head -c 300 "$dir/big.gz" >"$dir/cut.gz"
head -c 3000000 /dev/zero | tr '\0' 'x' >"$dir/endless.log"
S="--data $dir/s"

expect 3 "cannot open $dir/missing.log" "$lq" load $S "$dir/missing.log" "$good"
expect 0 "count" "$lq" count $S --since 2026-01-01
expect 0 "       5" "$lq" count $S --since 2026-01-01
expect 0 "empty" "$lq" load $S "$dir/empty.log"
expect 3 "is a binary file" "$lq" load $S "$dir/binary.log"
expect 3 "truncated" "$lq" load $S "$dir/cut.gz"
expect 0 "unparsed" "$lq" load $S "$dir/endless.log"
expect 3 "is a directory" "$lq" load $S "$dir"
expect 3 "no store in" "$lq" count --data "$dir/none"
expect 2 'did you mean lq load?' "$lq" laod "$good"
expect 2 'did you mean count?' "$lq" 'cuont by status' $S
expect 2 'did you mean status?' "$lq" 'count by statsu' $S
expect 2 '^^^^^^' "$lq" 'count by statsu' $S
expect 2 'did you mean --since?' "$lq" count $S --sicne 2h
expect 2 'a unit is missing' "$lq" 'count every 5' $S
expect 2 'is no time' "$lq" count $S --since soon
expect 2 'did you mean combined?' "$lq" load $S --format-name combind "$good"
expect 2 'a quote is not closed' "$lq" 'route = "x' $S
expect 2 'bad regex' "$lq" 'route ~ "(" | count' $S
expect 2 'unknown time zone' "$lq" count $S --tz Mars/Base

mkdir "$dir/f"
printf 'name: x\n\tpattern: y\n' >"$dir/f/x.yaml"
expect 2 "x.yaml:2:1" "$lq" format list --formats "$dir/f"
printf 'name: x\npatern: "a"\n' >"$dir/f/x.yaml"
expect 2 "did you mean pattern?" "$lq" format list --formats "$dir/f"
printf 'name: x\npriority: high\n' >"$dir/f/x.yaml"
expect 2 "x.yaml:2:11: a whole number is expected" "$lq" format list --formats "$dir/f"
printf 'name: slow\npattern: "^(?<time>\\\\S+) (?<a>(?:x+x+)+y)$"\ntime: {field: time, layout: iso8601}\nfields:\n  time: {role: ignore}\n  a: {role: dimension}\n' >"$dir/f/x.yaml"
(for _ in 1 2 3; do printf '2026-03-02T10:00:00Z '; head -c 5000 /dev/zero | tr '\0' 'x'; echo; done) >"$dir/slow.log"
expect 0 "3 of them unparsed" "$lq" load $S --formats "$dir/f" --format-name slow "$dir/slow.log"
expect 0 "no damage" "$lq" debug verify $S
expect 3 "Not a directory" "$lq" load --data "$good/x" "$good"
if mkdir "$dir/small" && mount -t tmpfs -o size=2M tmpfs "$dir/small" 2>/dev/null; then
  "$BUILD/lqgen" --scenario canary --no-app --lines 60000 "$dir/logs" 2>/dev/null
  expect 3 "No space left on device" "$lq" load --data "$dir/small/s" "$dir"/logs/web-1/access.log "$dir"/logs/web-2/access.log "$dir"/logs/web-3/access.log
  expect 0 "no damage" "$lq" debug verify --data "$dir/small/s"
  expect 0 "copied to" "$lq" backup --data "$dir/small/s" "$dir/copy"
  expect 2 "holds a store already" "$lq" backup --data "$dir/small/s" "$dir/copy"
  mount -o remount,ro "$dir/small"
  expect 0 "no damage" "$lq" debug verify --data "$dir/small/s"
  expect 3 "Read-only file system" "$lq" load --data "$dir/small/s" "$good"
  umount "$dir/small"
fi
head -c 50000 /dev/urandom >"$dir/garbage.mdb"
mkdir "$dir/g" && cp "$dir/garbage.mdb" "$dir/g/data.mdb"
expect 3 "this is not a store of lq" "$lq" count --data "$dir/g"
expect 3 "this is not a store of lq" "$lq" load --data "$dir/g" "$good"
cmp -s "$dir/garbage.mdb" "$dir/g/data.mdb" || { echo "FAILED: a refused file was changed"; fails=$((fails + 1)); }
[ $fails -eq 0 ] && echo "every bad input is answered"
exit $fails
