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

# SQLite: the cells in a table with a covering index; the question of a dashboard.
if command -v sqlite3 >/dev/null && command -v mawk >/dev/null; then
  mawk -F'[][" ]+' '{ n[substr($4, 1, 17), $7, $9]++ } END { for (k in n) { split(k, a, SUBSEP); print a[1] "\t" a[2] "\t" a[3] "\t" n[k] } }' "${one[@]}" >"$dir/cells.tsv"
  sqlite3 "$dir/cells.sqlite" 'PRAGMA journal_mode = OFF' 'CREATE TABLE cells (minute TEXT, route TEXT, status INTEGER, n INTEGER)' \
    '.mode tabs' ".import $dir/cells.tsv cells" 'CREATE INDEX by_status ON cells (status, minute, n)' >/dev/null
  timed sqlite "SQLite errors per minute, covering index" sqlite3 "$dir/cells.sqlite" 'SELECT minute, sum(n) FROM cells WHERE status >= 500 GROUP BY minute'
  timed sqlite_series "SQLite, all cells as JSON" sqlite3 -json "$dir/cells.sqlite" 'SELECT minute, route, status, n FROM cells'
else
  skip "SQLite (apt-get install sqlite3)"
fi

# ClickHouse: the same cells in a server of its own on loopback, in the order that the question wants.
clickhouse_config() {
  cat >"$dir/clickhouse/config.xml" <<XML
<yandex><logger><level>error</level><log>$dir/clickhouse/log</log><errorlog>$dir/clickhouse/errors</errorlog></logger><listen_host>127.0.0.1</listen_host>
<tcp_port>$1</tcp_port><path>$dir/clickhouse/data/</path><tmp_path>$dir/clickhouse/tmp/</tmp_path><users_config>users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database><mark_cache_size>1000000000</mark_cache_size></yandex>
XML
  cat >"$dir/clickhouse/users.xml" <<XML
<yandex><profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users><quotas><default/></quotas></yandex>
XML
}
if command -v clickhouse-server >/dev/null && command -v clickhouse-client >/dev/null && [ -s "$dir/cells.tsv" ]; then
  mkdir -p "$dir/clickhouse"
  port=$((20000 + $$ % 10000))
  clickhouse_config $port
  clickhouse-server --config-file="$dir/clickhouse/config.xml" >"$dir/clickhouse/out" 2>&1 &
  clickhouse_pid=$!
  ask=(clickhouse-client --host 127.0.0.1 --port "$port" --query)
  for _ in $(seq 1 100); do
    "${ask[@]}" 'SELECT 1' >/dev/null 2>&1 && break
    read -rt 0.1 _ <>"$dir/never" || true
  done
  if "${ask[@]}" 'CREATE TABLE cells (minute String, route String, status UInt16, n UInt32) ENGINE = MergeTree ORDER BY (status, minute)' 2>"$dir/clickhouse/why" &&
    "${ask[@]}" 'INSERT INTO cells FORMAT TSV' <"$dir/cells.tsv"; then
    timed clickhouse_errors "ClickHouse errors per minute (client, server is up)" "${ask[@]}" 'SELECT minute, sum(n) FROM cells WHERE status >= 500 GROUP BY minute ORDER BY minute'
    timed clickhouse_series "ClickHouse, all cells as JSON" "${ask[@]}" 'SELECT minute, route, status, n FROM cells FORMAT JSONEachRow'
  else
    skip "ClickHouse ($(head -c 200 "$dir/clickhouse/why"))"
  fi
  kill "$clickhouse_pid" 2>/dev/null && wait "$clickhouse_pid" 2>/dev/null || true
else
  skip "ClickHouse (apt-get install clickhouse-server clickhouse-client)"
fi
