// DuckDB beside lq: duckdb.mjs rollup DB THREADS FILE   counts by (minute, route, status) of an access log, into a table
//                   duckdb.mjs errors DB THREADS        errors per minute from that table
// SPDX-License-Identifier: MIT
import { DuckDBInstance } from '@duckdb/node-api';

const [what, db, threads, file] = process.argv.slice(2);
const instance = await DuckDBInstance.create(db, { threads });
const duck = await instance.connect();
if (what === 'rollup') {
  await duck.run(`CREATE TABLE cells AS
    SELECT substr(p.t, 1, 17) AS minute, p.route AS route, p.status AS status, count(*) AS n
    FROM (SELECT regexp_extract(line, '\\[([^\\]]+)\\] "[A-Z]+ ([^ "]+)[^"]*" ([0-9]{3}) ', ['t', 'route', 'status']) AS p
          FROM read_csv('${file.replaceAll("'", "''")}', columns = {'line': 'VARCHAR'}, delim = '\\x01', quote = '', escape = '', header = false, auto_detect = false))
    GROUP BY ALL`);
  await duck.run('CHECKPOINT');
} else {
  const rows = await duck.runAndReadAll("SELECT minute, sum(n) FROM cells WHERE status >= '500' GROUP BY minute ORDER BY minute");
  console.log(rows.getRows().length);
}
