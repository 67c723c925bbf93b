#!/usr/bin/env bash
# A store of every format version that was ever landed: read as it is, untouched by reading, taken over by the first load (stores/make.sh made them).
set -euo pipefail
BUILD=$1 SOURCE=$2
lq=$BUILD/lq
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
want=b8387cdab1f574c3348e90830f4b7ebb
n=0
count() { "$lq" "$1" --data "$2" --since 2000-01-01 --format csv | tail -1; }
for f in "$SOURCE"/tests/e2e/stores/version_*.mdb.zst; do
  s=$dir/$(basename "$f" .mdb.zst)
  mkdir "$s"
  zstd -q -d "$f" -o "$s/data.mdb"
  before=$(sha256sum <"$s/data.mdb")
  [ "$("$lq" debug digest --data "$s")" = $want ] || { echo "$f: other content"; exit 1; }
  "$lq" debug verify --data "$s" >/dev/null
  [ "$(count 'count, errors, sum(bytes), max(request_time)' "$s")" = "combined_time,40,5,29060,0.507" ] || { count 'count, errors, sum(bytes), max(request_time)' "$s"; exit 1; }
  [ "$(sha256sum <"$s/data.mdb")" = "$before" ] || { echo "$f: reading changed it"; exit 1; }
  echo '10.0.0.1 - - [02/Mar/2026:12:00:00 +0000] "GET /r1 HTTP/1.1" 200 1 "-" "-" 0.001' >"$dir/more.log"
  "$lq" load --data "$s" "$dir/more.log" >/dev/null
  "$lq" debug verify --data "$s" >/dev/null
  [ "$(count 'count, errors, sum(bytes), max(request_time)' "$s")" = "combined_time,41,5,29061,0.507" ] || { echo "$f: not continued"; exit 1; }
  "$lq" backup --data "$s" "$dir/copy" >/dev/null
  [ "$("$lq" debug digest --data "$dir/copy")" = "$("$lq" debug digest --data "$s")" ] || { echo "$f: the backup differs"; exit 1; }
  if "$lq" backup --data "$s" "$dir/copy" 2>/dev/null; then echo "a backup must not replace one"; exit 1; fi
  rm -r "$dir/copy"
  n=$((n + 1))
done
[ $n -ge 2 ]
echo "$n format versions open, stay untouched by reading, and go on"
