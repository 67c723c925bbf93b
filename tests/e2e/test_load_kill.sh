#!/usr/bin/env bash
# A load that is killed and started again ends with the same content as an undisturbed one; whatever the threads, order, compression.
set -euo pipefail
BUILD=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
lq=$BUILD/lq
"$BUILD/lqgen" --scenario story --days 3 --lines 150000 "$dir/logs" 2>/dev/null
cd "$dir/logs"
digest() { "$lq" debug digest --data "$1"; }
"$lq" load --data "$dir/whole" --threads 1 web-*/*.log >/dev/null
want=$(digest "$dir/whole")

"$lq" load --data "$dir/threads" --threads 3 web-4/*.log web-2/*.log web-1/*.log web-3/*.log >/dev/null
[ "$(digest "$dir/threads")" = "$want" ] || { echo "order and threads change the content"; exit 1; }

# Killed at several moments: the pid is ours; each round waits for a little progress, not for a time.
for round in 1 2 3 4 5 6; do
  "$lq" load --data "$dir/killed" --threads 2 web-*/*.log >/dev/null 2>&1 &
  pid=$!
  for ((i = 0; i < round * 40; i++)); do kill -0 $pid 2>/dev/null || break; read -r -t 0.005 <> <(:) || true; done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
done
"$lq" load --data "$dir/killed" web-*/*.log >/dev/null
"$lq" debug verify --data "$dir/killed" >/dev/null
[ "$(digest "$dir/killed")" = "$want" ] || { echo "killed and continued: other content"; exit 1; }

# Again, renamed and compressed: nothing is counted twice.
mkdir -p "$dir/moved/web-1" && gzip -c web-1/access.log >"$dir/moved/web-1/access.log.1.gz"
zstd -q -c web-2/app.log >"$dir/moved/app-web-2.log.zst"
"$lq" load --data "$dir/whole" "$dir/moved/web-1/access.log.1.gz" "$dir/moved/app-web-2.log.zst" web-3/access.log | grep -c 'already loaded' | grep -qx 3
[ "$(digest "$dir/whole")" = "$want" ] || { echo "the same content was counted twice"; exit 1; }

# More files than are open at once, the same content among them twice; each with its own line count.
mkdir "$dir/many"
for i in $(seq 10 40); do head -n "$i" web-1/access.log | sed "s/^/$i/" >"$dir/many/$i.log"; done
cp "$dir/many/40.log" "$dir/many/05.log"
"$lq" load --data "$dir/several" "$dir"/many/*.log >"$dir/several.out"
grep -c ' loaded, ' "$dir/several.out" | grep -qx 31 && grep -c 'already loaded' "$dir/several.out" | grep -qx 1 || { cat "$dir/several.out"; exit 1; }
[ "$("$lq" count --data "$dir/several" --since 2000-01-01 --format csv | tail -1)" = "combined_time,775" ] || { echo "many files: another count"; exit 1; }

# Files longer than what is committed at once: the checkpoint of each stays its own.
for i in 1 2; do
  awk -v h="$i" 'BEGIN { for (i = 0; i < 250000; i++) printf "10.0.%d.%d - - [0%d/Mar/2026:%02d:%02d:%02d +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"a\"\n", h, i % 250, h + 1, i / 3600 % 24, i / 60 % 60, i % 60 }' >"$dir/long$i.log"
done
"$lq" load --data "$dir/long" "$dir"/long?.log >/dev/null
"$lq" load --data "$dir/long" "$dir"/long?.log | grep -c 'already loaded' | grep -qx 2 || { echo "long files are loaded twice"; exit 1; }

# A file that grows, and a truncated archive that is completed.
mkdir -p "$dir/grow/web-9" && head -n 5 web-1/access.log >"$dir/grow/web-9/access.log"
"$lq" load --data "$dir/grown" "$dir/grow/web-9/access.log" >/dev/null
head -n 2000 web-1/access.log >"$dir/grow/web-9/access.log"
"$lq" load --data "$dir/grown" "$dir/grow/web-9/access.log" | grep -q continued
[ "$("$lq" count --data "$dir/grown" --since 2000-01-01 --format csv | tail -1)" = "combined_time,2000" ] || { echo "a grown file is not continued"; exit 1; }
head -n 2000 web-1/access.log | gzip >"$dir/grow/web-9/whole.gz"
head -c 20000 "$dir/grow/web-9/whole.gz" >"$dir/grow/web-9/access.gz"
"$lq" load --data "$dir/cut" "$dir/grow/web-9/access.gz" >/dev/null 2>&1 && { echo "a truncated archive must be reported"; exit 1; }
"$lq" load --data "$dir/cut" "$dir/grow/web-9/whole.gz" | grep -q continued
[ "$("$lq" count --data "$dir/cut" --since 2000-01-01 --format csv | tail -1)" = "combined_time,2000" ] || { echo "a completed archive is not continued exactly"; exit 1; }
echo "one content, whatever happened"
