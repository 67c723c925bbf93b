#!/usr/bin/env bash
# The page, driven in headless Chromium over the story. Skipped by name where Chromium or npm is not there.
set -euo pipefail
BUILD=$1
SRC=$2
command -v chromium >/dev/null && command -v npm >/dev/null || { echo "skipped: Chromium and npm are needed"; exit 77; }
dir=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi; rm -rf "$dir"' EXIT
export TZ=UTC HOME=$dir
mkdir -p "$BUILD/page-tests"
cp "$SRC"/tests/page/package*.json "$BUILD/page-tests/"
[ -d "$BUILD/page-tests/node_modules/playwright-core" ] || npm ci --prefix "$BUILD/page-tests" --ignore-scripts --no-audit --no-fund --loglevel=error
"$BUILD/lqgen" --scenario story --lines 100000 "$dir/logs" 2>/dev/null
printf '2026-03-08 12:00:00,000 ERROR [http-1] com.shop.Xss - <b class="injected">bold</b><img src=x onerror="injected=1"><script>injected=1</script>\n' >>"$dir/logs/web-1/app.log"
"$BUILD/lq" load --data "$dir/store" "$dir"/logs/web-*/*.log >/dev/null
"$BUILD/lq" web --data "$dir/store" --listen 127.0.0.1:0 2>"$dir/web.log" &
pid=$!
for _ in $(seq 1 200); do
  url=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$dir/web.log" || true)
  [ -z "$url" ] || break
  read -rt 0.05 <> <(:) || true
done
PLAYWRIGHT_FROM="$BUILD/page-tests" timeout 300 node "$SRC/tests/page/page.mjs" "$url"
kill -TERM "$pid"
wait "$pid"
pid=
if grep -E 'Sanitizer|runtime error' "$dir/web.log"; then exit 1; fi
