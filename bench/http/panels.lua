-- What the panels of a dashboard ask, one after the other: PromQL ranges, lq's own queries, Grafana's JSON. Times come from the environment.
-- DISTINCT set: no address twice, so that no answer is kept.
-- SPDX-License-Identifier: MIT
local from, to = tonumber(os.getenv("FROM")), tonumber(os.getenv("TO"))
local function escape(s) return (s:gsub("[^%w%-_.~]", function(c) return string.format("%%%02X", c:byte()) end)) end
local function range(q) return "/api/v1/query_range?step=3600&start=" .. from .. "&end=" .. to .. "&query=" .. escape(q) end
local function own(q) return "/api/v1/lq/query?since=" .. from .. "&until=" .. to .. "&query=" .. escape(q) end
local paths = {
  range('sum by (host) (rate(lq_records_total{stream="combined_time"}[1h]))'),
  range('sum(rate(lq_errors_total{stream="combined_time"}[1h])) / sum(rate(lq_records_total{stream="combined_time"}[1h]))'),
  range('topk(5, sum by (route) (rate(lq_records_total{stream="combined_time"}[1h])))'),
  range('histogram_quantile(0.99, sum by (le) (rate(lq_request_time_seconds_bucket[1h])))'),
  own("stream = combined_time | count, errors by status every 1h"),
  own("stream = combined_time | errors / count by host every 1h"),
  "/api/v1/label/host/values",
  "/api/v1/infinity/annotations?query=markers",
}
local n, distinct = 0, (os.getenv("DISTINCT") or "") ~= ""
function request()
  n = n + 1
  local path = paths[(n - 1) % #paths + 1]
  if distinct then path = path .. (path:find("?", 1, true) and "&" or "?") .. "n=" .. n .. "." .. os.time() end
  return wrk.format("GET", path)
end
function done(s, l, r)
  local e = s.errors
  io.write(string.format("  %d requests, %.0f a second; p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, at most %.1f ms; errors: connect %d, read %d, write %d, timeout %d, status %d\n", s.requests,
    s.requests / s.duration * 1e6, l:percentile(50) / 1e3, l:percentile(90) / 1e3, l:percentile(99) / 1e3, l.max / 1e3, e.connect, e.read, e.write, e.timeout, e.status))
end

if (os.getenv("PAUSE") or "") ~= "" then
  local pause = tonumber(os.getenv("PAUSE"))
  function delay() return pause end
end
