# Sourced by bench/run.sh: peers that may not be there. Each is skipped by name.
# SPDX-License-Identifier: MIT

# DuckDB, from npm, into the build directory: the lock file pins it by checksum and names no address.
peers=$BUILD/peers
if command -v npm >/dev/null && mkdir -p "$peers" && cp "$HERE"/peers/package*.json "$HERE/peers/duckdb.mjs" "$peers" &&
  { [ -d "$peers/node_modules/@duckdb" ] || npm ci --prefix "$peers" --no-audit --no-fund >"$dir/npm.log" 2>&1; }; then
  duckdb_rollup() { rm -f "$dir/duck.db" && exec node "$peers/duckdb.mjs" rollup "$dir/duck.db" "$@"; }
  export -f duckdb_rollup
  export peers
  timed duckdb2 "DuckDB rollup to its file, counts only, 2 threads" bash -c 'duckdb_rollup 2 "$@"' x "${one[@]}"
  timed duckdb1 "DuckDB rollup to its file, counts only, 1 thread" bash -c 'duckdb_rollup 1 "$@"' x "${one[@]}"
  timed duckdb_errors "DuckDB errors per minute, with its start" node "$peers/duckdb.mjs" errors "$dir/duck.db" 2
else
  skip "DuckDB (npm ci in bench/peers did not work)"
fi

if command -v lnav >/dev/null; then
  timed lnav "lnav: index and count" env HOME="$dir" lnav -n -c ';SELECT count(*) FROM access_log' "${one[@]}"
else
  skip "lnav (apt-get install lnav)"
fi

if command -v clickhouse-local >/dev/null; then
  timed clickhouse "ClickHouse local: counts" bash -c 'tr "\\\\\t" "/ " <"$1" | clickhouse-local --structure "line String" --input-format TSV --query \
    "SELECT substring(extract(line, '"'\\[([^]]+)'"'), 1, 17) AS m, extract(line, '"'\"[A-Z]+ ([^ \"]+)'"') AS r, extract(line, '"'\" ([0-9]{3}) '"') AS s, count() FROM table GROUP BY m, r, s"' x "${one[@]}"
else
  skip "ClickHouse (no clickhouse-local)"
fi

# SQLite: the cells in a table with a covering index; the question of a dashboard.
if command -v sqlite3 >/dev/null && command -v mawk >/dev/null; then
  mawk -F'[][" ]+' '{ n[substr($4, 1, 17), $7, $9]++ } END { for (k in n) { split(k, a, SUBSEP); print a[1] "\t" a[2] "\t" a[3] "\t" n[k] } }' "${one[@]}" >"$dir/cells.tsv"
  sqlite3 "$dir/cells.sqlite" 'PRAGMA journal_mode = OFF' 'CREATE TABLE cells (minute TEXT, route TEXT, status INTEGER, n INTEGER)' \
    '.mode tabs' ".import $dir/cells.tsv cells" 'CREATE INDEX by_status ON cells (status, minute, n)' >/dev/null
  timed sqlite "SQLite errors per minute, covering index" sqlite3 "$dir/cells.sqlite" 'SELECT minute, sum(n) FROM cells WHERE status >= 500 GROUP BY minute'
else
  skip "SQLite (apt-get install sqlite3)"
fi
