"""Checks a running server: usage: http_contracts.py URL LQ STORE SOURCE  |  http_contracts.py --tokens URL

Each contract field by field; every check can fail. Only the Python standard library.
SPDX-License-Identifier: MIT
"""
import base64, csv, gzip, http.client, io, json, socket, subprocess, sys, urllib.parse

tokens_only = sys.argv[1] == "--tokens"
url = sys.argv[2] if tokens_only else sys.argv[1]
host = url.split("://")[1]
checks = 0


def call(method, path, body=None, headers=None, params=None):
    c = http.client.HTTPConnection(host, timeout=30)
    if params:
        path += "?" + urllib.parse.urlencode(params, doseq=True)
    h = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        h.setdefault("Content-Type", "application/json")
    c.request(method, path, body=body, headers=h)
    r = c.getresponse()
    data = r.read()
    c.close()
    return r.status, {k.lower(): v for k, v in r.getheaders()}, data


def want(ok, what, *shown):
    global checks
    checks += 1
    if not ok:
        print("wrong:", what, *[str(x)[:600] for x in shown])
        sys.exit(1)


def js(method, path, body=None, status=200, **kw):
    s, h, d = call(method, path, body, **kw)
    want(s == status, f"{method} {path}: status {s}", d)
    want(h["content-type"].startswith("application/json"), f"{path}: type", h)
    want(h["x-content-type-options"] == "nosniff" and "default-src 'none'" in h["content-security-policy"], f"{path}: safety headers", h)
    return json.loads(d)


def tokens():
    want(call("GET", "/healthz")[0] == 200, "health needs no token")
    s, h, d = call("GET", "/api/v1/lq/streams")
    want(s == 401 and "Bearer" in h["www-authenticate"], "no token", s, h)
    want(json.loads(d)["error"]["code"] == "unauthorized", "the error's code", d)
    for bad in ("Bearer x", "Bearer reader-0123456789abcde", "Basic " + base64.b64encode(b"a:b").decode(), "Bearer"):
        want(call("GET", "/api/v1/lq/streams", headers={"Authorization": bad})[0] == 401, "wrong token", bad)
    for good in ("Bearer reader-0123456789abcdef", "Basic " + base64.b64encode(b"grafana:reader-0123456789abcdef").decode()):
        want(call("GET", "/api/v1/lq/streams", headers={"Authorization": good})[0] == 200, "right token", good)
        want(call("POST", "/search", "{}", headers={"Authorization": good})[0] == 200, "Grafana with a token", good)
    for scheme, word in (("Basic " + base64.b64encode(b"me:writer-0123456789abcdef").decode(), b"another origin"), ("Bearer writer-0123456789abcdef", b"only reads")):
        s, h, d = call("POST", "/api/v1/lq/markers", '{"kind":"note"}', {"Authorization": scheme, "Origin": "http://evil.example"})
        want(s == 403 and word in d, "a foreign page may not write with what the browser knows", scheme, d)


def own_api(lq, store):
    streams = js("GET", "/api/v1/lq/streams")
    want({s["stream"] for s in streams["streams"]} >= {"combined_time", "log4j"}, "streams", streams)
    want(all(set(s) == {"stream", "records", "lines", "errors", "first", "last"} for s in streams["streams"]), "keys of a stream", streams)
    fields = js("GET", "/api/v1/lq/fields", params={"stream": "combined_time"})["fields"]
    want({"status", "route", "host"} <= {f["field"] for f in fields if f["role"] == "dimension"}, "fields", fields)
    values = js("GET", "/api/v1/lq/values", params={"field": "host"})["values"]
    want({v["value"] for v in values} == {"web-1", "web-2", "web-3", "web-4"}, "values", values)
    e = js("GET", "/api/v1/lq/values", status=400, params={"field": "hosst"})["error"]
    want(e["hint"] == "did you mean host?", "hint", e)
    q = "errors / count by host every 1d"
    out = subprocess.run([lq, q, "--since", "2026-01-01", "--format", "json", "--data", store, "--tz", "UTC"], capture_output=True, check=True).stdout
    for method in ("GET", "POST"):
        s, h, d = call(method, "/api/v1/lq/query", params={"query": q, "since": "2026-01-01", "tz": "UTC"})
        want(s == 200 and d == out, "the same bytes as the command line", method, d, out)
    form = urllib.parse.urlencode({"query": q, "since": "2026-01-01", "tz": "UTC", "format": "csv"})
    s, h, d = call("POST", "/api/v1/lq/query", form, {"Content-Type": "application/x-www-form-urlencoded"})
    want(h["content-type"].startswith("text/csv") and d.startswith(b"time,stream,host,"), "a form, csv", d)
    e = js("GET", "/api/v1/lq/query", status=400, params={"query": "errors by hots"})["error"]
    want(e["column"] == 11 and e["width"] == 4 and "host" in e["hint"], "the place of an error", e)
    for q in ("errors by hots", 'host = "ééé" | count by hots', 'route = "' + "a" * 300 + '" and stream = combined_time | count by hots every 1h'):
        e = js("GET", "/api/v1/lq/query", status=400, params={"query": q})["error"]
        want(e["text"][e["caret"] - 1:][:e["caret_width"]] == "hots", "the caret is below the word, in characters of the text shown", e)
    js("GET", "/api/v1/lq/query", status=400)
    js("GET", "/api/v1/lq/query", status=400, params={"query": "count", "since": "yesterdayish"})
    out = subprocess.run([lq, "why", "--format", "json", "--data", store], capture_output=True, check=True).stdout
    s, h, d = call("GET", "/api/v1/lq/why")
    want(s == 200 and d == out, "why: the same bytes as the command line", d, out)
    s, h, d = call("GET", "/api/v1/lq/why", headers={"Accept-Encoding": "gzip"})
    want(h.get("content-encoding") == "gzip" and gzip.decompress(d) == out, "gzip", h)
    for fmt, word in (("text", b"What changed before"), ("markdown", b"## Root cause"), ("html", b"<svg")):
        s, h, d = call("GET", "/api/v1/lq/why", params={"format": fmt})
        want(s == 200 and word in d, f"why as {fmt}", h, d)
    js("GET", "/api/v1/lq/why", status=400, params={"format": "pdf"})
    want(b"2.4.1" in out, "the story's release is in the answer")


def changes():
    t = js("GET", "/api/v1/lq/templates", params={"compare": "7d", "stream": "log4j"})
    states = [x["state"] for x in t["templates"]]
    want(states == sorted(states, key=["new", "gone", "more", "fewer", "same"].index) and {"new", "same"} <= set(states), "templates: what is new comes first", states)
    want(all(x["stream"] == "log4j" and (x["state"] != "new" or (x["before"] == 0 and x["now"] > 0)) for x in t["templates"]), "new is what was not there", t)
    all_ = js("GET", "/api/v1/lq/templates", params={"limit": 3})["templates"]
    want(len(all_) == 3 and all(x["before"] is None and "state" not in x for x in all_), "without compare there is no before", all_)
    for bad in ({"compare": "soon"}, {"stream": 'a"b'}, {"stream": "nobody"}):
        js("GET", "/api/v1/lq/templates", status=400, params=bad)
    c = js("GET", "/api/v1/lq/changes")
    want(c["query"] == "errors / count" and c["step_s"] > 0 and c["series"] > 0, "changes", c)
    steps = [x for x in c["changes"] if x["stream"] == "combined_time" and x["after"] > x["before"]]
    want(steps and steps[0]["low"] <= steps[0]["time"] <= steps[0]["high"] and steps[0]["p"] < 0.05, "the errors' rise is found", c["changes"])
    h = js("POST", "/api/v1/lq/changes", params={"query": "errors by host every 1h", "since": "2026-03-01"})
    want(all(set(x["labels"]) == {"host"} and x["column"] == "errors" for x in h["changes"]) and h["step_s"] == 3600, "with labels", h)
    e = js("GET", "/api/v1/lq/changes", status=400, params={"query": "errors by hots"})["error"]
    want(e["column"] == 11 and "host" in e["hint"], "the place of an error", e)
    a = js("POST", "/annotations", {"range": {"from": "2026-02-28T00:00:00Z", "to": "2026-03-12T00:00:00Z"}, "annotation": {"name": "x", "query": "changes of stream = combined_time | errors / count", "enable": True}})
    want(a and all(" of " in x["title"] and "before" in x["text"] and x["tags"] == "change" for x in a), "changes as annotations", a)


def large():
    """An answer of some tens of MB goes through a file, whole."""
    s, h, d = call("GET", "/api/v1/lq/query", params={"query": "count, errors by host, route, status every 1m", "since": "2026-03-01", "format": "json"})
    want(s == 200 and len(d) > 16 << 20 and int(h["content-length"]) == len(d), "a large answer", s, h)
    q = json.loads(d)
    steps = {len(x["points"]) for x in q["series"]}
    want(len(steps) == 1 and len(q["series"]) > 100, "all of it", steps)
    s, h, d = call("GET", "/api/v1/lq/query", params={"query": "count by host, route every 1m", "since": "2026-03-01", "format": "ndjson"})
    want(h["content-type"] == "application/x-ndjson" and all(set(json.loads(x)) == {"time", "stream", "host", "route", "count"} for x in d.splitlines()[:1000]), "ndjson", h, d[:300])


def grafana():
    for base in ("", "/grafana"):
        m = js("POST", base + "/metrics", {})
        want(all({"label", "value"} <= set(x) for x in m), "metrics", m)
        pay = [x for x in m if x["value"] == "query"][0]["payloads"]
        want(pay[0]["name"] == "query" and pay[0]["type"] == "textarea" and pay[1]["type"] == "select" and pay[1]["options"][0]["value"] == "timeserie", "payloads", pay)
        want(all(set(x) == {"text", "value"} for x in js("POST", base + "/search", {"target": ""})), "search")
    want(js("POST", "/metric-payload-options", {"metric": "query", "payload": {}, "name": "format"})[0] == {"label": "time series", "value": "timeserie"}, "options")
    rng = {"from": "2026-03-05T00:00:00.000Z", "to": "2026-03-06T12:00:00.000Z", "raw": {"from": "now-6h", "to": "now"}}
    body = {"panelId": 2, "range": rng, "rangeRaw": rng["raw"], "interval": "30s", "intervalMs": 3600000, "maxDataPoints": 500, "scopedVars": {},
            "targets": [{"refId": "A", "target": "stream = combined_time | errors by host", "payload": {}}, {"refId": "B", "target": "count", "hide": True}]}
    r = js("POST", "/query", body)
    want(len(r) == 4 and all(set(x) == {"target", "datapoints"} for x in r), "time series, the hidden target left out", r)
    want([x["target"] for x in r] == ["web-1", "web-2", "web-3", "web-4"], "names", r)
    pts = r[0]["datapoints"]
    want(len(pts) == 36 and all(len(p) == 2 and p[1] % 3600000 == 0 for p in pts), "value first, then milliseconds", pts)
    want(all(p[0] is None or isinstance(p[0], (int, float)) for p in pts), "null points are allowed, text is not", pts)
    few = js("POST", "/query", dict(body, intervalMs=1000, maxDataPoints=10))
    want(len(few[0]["datapoints"]) <= 13, "no more points than asked for", len(few[0]["datapoints"]))
    one = js("POST", "/query", dict(body, filters=[{"key": "host", "operator": "=", "value": "web-2"}]))
    want([x["target"] for x in one] == ["web-2"] and one[0]["datapoints"] == r[1]["datapoints"], "ad hoc filter", one)
    old = js("POST", "/query", dict(body, adhocFilters=[{"key": "host", "operator": "!=", "value": "web-2"}]))
    want([x["target"] for x in old] == ["web-1", "web-3", "web-4"], "adhocFilters", old)
    for key in ("count | limit 5 #", "count #", "a b", "|"): # a key that would be a query of its own
        own = dict(body, targets=[{"target": 'host = "web-1" | count'}], adhocFilters=[{"key": key, "operator": "=", "value": "x"}])
        want("error" in js("POST", "/query", own, status=400), "the key of a filter is a field", key)
    rex = js("POST", "/query", dict(body, filters=[{"key": "host", "operator": "=~", "value": "web-[12]"}, {"key": "host", "operator": "!~", "value": "1$"}]))
    want([x["target"] for x in rex] == ["web-2"], "two regex filters", rex)
    t = js("POST", "/query", dict(body, targets=[{"refId": "A", "type": "table", "target": "stream = combined_time | count, errors by host"}]))[0]
    want(t["type"] == "table" and [c["text"] for c in t["columns"]] == ["stream", "host", "count", "errors"], "table", t)
    want(all(len(row) == 4 for row in t["rows"]) and len(t["rows"]) == 4, "rows", t)
    p = js("POST", "/query", dict(body, targets=[{"refId": "A", "target": "query", "payload": {"query": "count", "format": "table"}}]))
    want(p[0]["type"] == "table", "query in a payload", p)
    f = js("POST", "/query", dict(body, range={"from": "2026-02-28T00:00:00Z", "to": "2026-03-07T00:00:00Z"}, targets=[{"refId": "Anno", "target": "releases"}]))[0]
    want([c["text"] for c in f["columns"]] == ["time", "timeEnd", "title", "text", "tags"], "annotation frame", f)
    want(f["rows"][0][2] == "release 2.4.1" and f["rows"][0][4] == "release,inferred,web-1,web-2,web-3,web-4", "annotation", f)
    a = js("POST", "/annotations", {"range": {"from": "2026-02-28T00:00:00Z", "to": "2026-03-07T00:00:00Z"}, "annotation": {"name": "x", "query": "", "enable": True}})
    want(a[0]["annotation"] == {"name": "x", "query": "", "enable": True} and isinstance(a[0]["time"], int) and a[0]["title"] == "release 2.4.1", "annotations", a)
    v = js("POST", "/variable", {"payload": {"target": "values(host)"}, "range": rng})
    want(v[0] == {"__text": "web-1", "__value": "web-1"}, "variable", v)
    keys = js("POST", "/tag-keys", {})
    want({"type": "string", "text": "host"} in keys, "tag keys", keys)
    want({"text": "web-3"} in js("POST", "/tag-values", {"key": "host"}), "tag values")
    for bad in ("{", "[]", '"x"'):
        want(call("POST", "/query", bad)[0] == 400, "a broken body", bad)
    e = js("POST", "/query", dict(body, targets=[{"target": "errrors"}]), status=400)["error"]
    want(e["message"] and e["code"] == "invalid", "a wrong query", e)
    js("POST", "/query", dict(body, targets=[{"target": "count"}] * 65), status=422)
    s, h, d = call("OPTIONS", "/query", headers={"Origin": "http://grafana.example", "Access-Control-Request-Method": "POST"})
    want(s == 204 and "access-control-allow-origin" not in h and "POST" in h["allow"], "no CORS unless configured", h)
    flat = js("GET", "/api/v1/infinity/query", params={"query": "count by host every 1h", "from": "1772668800000", "to": "1772755200000"})
    want(set(flat[0]) == {"time", "series", "stream", "host", "value"} and flat[0]["time"] % 3600000 == 0, "flat rows", flat[0])
    want(js("GET", "/api/v1/infinity/query", params={"query": "host = nobody | count by host", "since": "2026-01-01"}) == [], "an empty answer is []")
    logs = js("GET", "/api/v1/infinity/logs", params={"query": "stream = log4j and level = error", "from": "1772668800000", "to": "1773014400000", "limit": 20})
    want(0 < len(logs) <= 20 and all(x["level"] == "error" and x["stream"] == "log4j" and " ERROR " in x["body"] and 1772668800000 <= x["timestamp"] < 1773014400000 for x in logs), "Infinity logs", logs)
    want(len({x["id"] for x in logs}) == len(logs), "an id for each line", logs)
    want(js("GET", "/api/v1/infinity/logs", params={"query": "host = nobody", "since": "2026-01-01"}) == [], "no logs are []")
    want(js("GET", "/api/v1/infinity/logs", status=400, params={"query": "hots = x"})["error"]["column"] == 1, "a wrong filter")
    want("web-1" in js("GET", "/api/v1/infinity/values", params={"field": "host"}), "Infinity variable")
    want(js("GET", "/api/v1/infinity/annotations", params={"query": "releases"})[0]["title"] == "release 2.4.1", "Infinity annotations")


def prometheus(lq, store):
    for base in ("", "/prometheus"):
        s, h, d = call("POST", base + "/api/v1/query", "query=1%2B1&time=4", {"Content-Type": "application/x-www-form-urlencoded"})
        want(json.loads(d) == {"status": "success", "data": {"resultType": "scalar", "result": [4, "2"]}}, "save and test", d)
        b = js("GET", base + "/api/v1/status/buildinfo")
        want(b["data"]["version"] == "2.55.0" and "features" not in b["data"], "buildinfo", b)
    s, h, d = call("GET", "/api/v1/query_range", params={"query": "vector(1)", "start": "10", "end": "20", "step": "5"})
    want(d.index(b'"resultType"') < d.index(b'"result"'), "resultType before result", d)

    def cli(q, since, until):
        out = subprocess.run([lq, q, "--since", since, "--until", until, "--format", "csv", "--data", store, "--tz", "UTC"], capture_output=True, check=True, text=True).stdout
        return list(csv.DictReader(io.StringIO(out)))

    def prom(q, start, end, step):
        r = js("GET", "/api/v1/query_range", params={"query": q, "start": start, "end": end, "step": step})
        return {json.dumps(s["metric"], sort_keys=True): s["values"] for s in r["data"]["result"]}, r

    # windows [t - 1h, t) of the command line's steps end one step later here; 2026-03-05 00:00 UTC = 1772668800
    t0 = 1772668800
    for metric, column in (("lq_records_total", "count"), ("lq_errors_total", "errors")):
        got, _ = prom(f'sum by (host) (increase({metric}{{stream="combined_time"}}[1h]))', t0 + 3600, t0 + 24 * 3600, 3600)
        rows = cli(f"stream = combined_time | {column} by host every 1h", "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z")
        for h in ("web-1", "web-2", "web-3", "web-4"):
            a = [float(v[1]) for v in got[json.dumps({"host": h})]]
            b = {r["time"]: float(r[column]) for r in rows if r["host"] == h}
            line = [b.get(f"2026-03-05T{i:02d}:00:00Z", 0.0) for i in range(24)]
            want(a == line, f"{metric} of {h} equals lq", a, line)
    got, _ = prom('sum(rate(lq_records_total{stream="combined_time"}[1h]))', t0 + 3600, t0 + 24 * 3600, 3600)
    rows = cli("stream = combined_time | rate every 1h", "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z")
    want([f"{float(v[1]):.6g}" for v in got["{}"]] == [f"{float(r['rate']):.6g}" for r in rows], "rate equals lq", got, rows)
    got, _ = prom("histogram_quantile(0.99, sum by (le) (rate(lq_request_time_seconds_bucket[1h])))", t0 + 3600, t0 + 24 * 3600, 3600)
    rows = cli("p99(request_time) every 1h", "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z")
    want([f"{float(v[1]):.6g}" for v in got["{}"]] == [f"{float(r['p99(request_time)']):.6g}" for r in rows], "quantile equals lq", got, rows)
    got, r = prom('sum(increase(lq_records_total{stream="combined_time"}[3h]))', t0 + 10800, t0 + 24 * 3600, 3600)
    rows = cli("stream = combined_time | count every 1h", "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z")
    c = [float(x["count"]) for x in rows]
    want([float(v[1]) for v in got["{}"]] == [c[i] + c[i + 1] + c[i + 2] for i in range(22)], "overlapping windows", got, c)
    want("infos" not in r, "nothing was rounded", r)
    _, r = prom('sum(rate(lq_records_total{stream="combined_time"}[7m]))', t0 + 13, t0 + 3600, 61)
    want(any("rounded to buckets" in i for i in r["infos"]), "rounding is said", r)
    got, r = prom("sum(rate(lq_records_total[1h]))", t0 + 3600, t0 + 7200, 3600)
    want(len(got) >= 2 and any("not added together" in i for i in r["infos"]), "streams stay apart", got)
    got, _ = prom('sum(rate(lq_errors_total{stream="combined_time"}[1h])) / sum(rate(lq_records_total{stream="combined_time"}[1h]))', t0 + 3600, t0 + 7200, 3600)
    want(len(got["{}"]) == 2 and all(0 <= float(v[1]) < 0.1 for v in got["{}"]) and float(got["{}"][1][1]) > 0, "a ratio", got)
    got, _ = prom('topk(1, sum by (route) (rate(lq_records_total{stream="combined_time"}[1h])))', t0 + 3600, t0 + 3600, 3600)
    want(len(got) == 1, "topk", got)
    got, _ = prom('sum(rate(lq_records_total{stream="combined_time",status=~"5..",host!~"web-[12]"}[1h])) > 1e9', t0 + 3600, t0 + 7200, 3600)
    want(got == {}, "a comparison that nothing passes", got)
    want(js("GET", "/api/v1/query", params={"query": "no_such_metric"})["data"]["result"] == [], "an unknown metric has no series")
    x = js("GET", "/api/v1/query_exemplars", params={"query": 'sum(rate(lq_errors_total{stream="log4j",level=~"err.*"}[5m])) / 2', "start": t0, "end": t0 + 4 * 86400})
    want(x["status"] == "success" and len(x["data"]) == 1 and x["data"][0]["seriesLabels"] == {"__name__": "lq_errors_total", "stream": "log4j"}, "exemplars", x)
    one = x["data"][0]["exemplars"]
    want(one and all(set(k) == {"labels", "value", "timestamp"} and " ERROR " in k["labels"]["line"] and isinstance(k["value"], str) and t0 <= k["timestamp"] <= t0 + 4 * 86400 for k in one), "an exemplar carries its line", one)
    want(js("GET", "/api/v1/query_exemplars", params={"query": "vector(1)", "start": t0, "end": t0 + 60})["data"] == [], "no selector, no exemplars")
    want(js("GET", "/api/v1/query_exemplars", status=400, params={"query": "sum(", "start": t0, "end": t0 + 60})["errorType"] == "bad_data", "a wrong expression")
    labels = js("POST", "/api/v1/labels", "", headers={"Content-Type": "application/x-www-form-urlencoded"})["data"]
    want(labels == sorted(labels) and {"__name__", "host", "stream", "route"} <= set(labels), "labels", labels)
    want(js("GET", "/api/v1/label/host/values")["data"] == ["web-1", "web-2", "web-3", "web-4"], "label values")
    want("lq_errors_total" in js("GET", "/api/v1/label/__name__/values")["data"], "metric names")
    want(js("GET", "/api/v1/label/logger/values", params={"match[]": 'lq_records_total{stream="combined_time"}'})["data"] == [], "label values of match[]")
    series = js("GET", "/api/v1/series", params={"match[]": 'lq_records_total{status="404",host="web-1"}'})["data"]
    want(series and all(s["__name__"] == "lq_records_total" and s["status"] == "404" and s["host"] == "web-1" for s in series), "series", series)
    want(js("GET", "/api/v1/metadata")["data"]["lq_records_total"][0]["type"] == "counter", "metadata")
    want(js("GET", "/api/v1/rules")["data"] == {"groups": []} and js("GET", "/api/v1/alerts")["data"] == {"alerts": []}, "no rules, no alerts")
    bad = [({"query": "sum(", "start": 0, "end": 1, "step": 1}, "1:5"), ({"query": "1", "start": 10, "end": 1, "step": 1}, "end"), ({"query": "1", "start": 0, "end": 1, "step": 0}, "step"),
           ({"query": "1", "start": 0, "end": 1}, "step"), ({"query": "1"}, "start"), ({"start": 0, "end": 1, "step": 1}, "query"),
           ({"query": "1", "start": 0, "end": 11000, "step": 1}, "11,000 points"), ({"query": "1", "start": -8.9e12, "end": 8.9e12, "step": 1e9}, "no time"),
           ({"query": "1", "start": -3.9e12, "end": 3.9e12, "step": 1e8}, "11,000 points")]
    for params, word in bad:
        e = js("GET", "/api/v1/query_range", status=400, params=params)
        want(e["status"] == "error" and e["errorType"] == "bad_data" and word in e["error"], "wrong input", params, e)
    want(len(js("GET", "/api/v1/query_range", params={"query": "vector(1)", "start": 0, "end": 10999, "step": 1})["data"]["result"][0]["values"]) == 11000, "11,000 points are answered")
    many = " + ".join(["increase(lq_records_total[1h])"] * 60)
    e = js("GET", "/api/v1/query_range", status=422, params={"query": many, "start": 1772323200, "end": 1772323200 + 10999 * 60, "step": 60})
    want("too many series" in e["error"], "the parts of a query together have a limit", e)


def fits(value, schema, doc, path):
    """A value against a schema of openapi.json: types, required keys, enums, items; keys that are not described are an error."""
    if "$ref" in schema:
        schema = doc["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema["type"]]
    names = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    ok = any(isinstance(value, names[k]) and (k == "boolean") == isinstance(value, bool) for k in kinds)
    want(ok, f"{path}: type", kinds, value)
    want("enum" not in schema or value is None or value in schema["enum"], f"{path}: enum", value)
    if isinstance(value, dict) and "properties" in schema:
        for k in schema.get("required", []):
            want(k in value, f"{path}: {k} is missing", value)
        for k, v in value.items():
            want(k in schema["properties"], f"{path}: {k} is not described", value)
            fits(v, schema["properties"][k], doc, f"{path}.{k}")
    for i, v in enumerate(value if isinstance(value, list) else []):
        fits(v, schema["items"], doc, f"{path}[{i}]")


def openapi(source):
    doc = json.load(open(source + "/query/http/openapi.json"))
    asks = {"/api/v1/lq/query": {"query": "errors, avg(request_time) by host every 1d", "since": "2026-01-01"}, "/api/v1/lq/values": {"field": "host"}}
    bodies = {"/api/v1/lq/run": {"args": ["streams"]}, "/api/v1/lq/run/write": {"args": ["mark", "note"]}, "/api/v1/lq/markers": {"kind": "note"}, "/api/v1/cdevents": {"context": {"type": "dev.cdevents.service.deployed.0.2.0"}, "subject": {"id": "x"}}}
    for path, item in doc["paths"].items():
        for method, op in item.items():
            s, h, d = call(method.upper(), path, bodies.get(path) if method == "post" and path in bodies else None, params=asks.get(path))
            want(str(s) in op["responses"], f"{method} {path}: status {s} is not described", d)
            kind = h["content-type"].split(";")[0]
            content = op["responses"][str(s)]["content"]
            want(kind in content, f"{method} {path}: {kind} is not described")
            if kind == "application/json":
                fits(json.loads(d), content[kind]["schema"], doc, path)
            for p in op.get("parameters", []):
                if p.get("required"):
                    s, h, d = call(method.upper(), path)
                    want(s == 400, f"{path} without {p['name']}", s)
                    fits(json.loads(d), {"$ref": "#/components/schemas/Error"}, doc, path)
    s, h, d = call("GET", "/api/v1/lq/query", params={"query": "count by host", "since": "2026-01-01"})
    fits(json.loads(d), {"$ref": "#/components/schemas/Result"}, doc, "without every")


def dashboards(source):
    """Every expression of the shipped dashboards is answered, and those of the service overview have data."""
    for name in ("service", "incident"):
        d = json.load(open(f"{source}/query/http/grafana/dashboards/{name}.json"))
        for v in d["templating"]["list"]:
            metric, label = v["definition"][len("label_values("):-1].split(", ")
            got = js("GET", f"/api/v1/label/{label}/values", params={"match[]": metric})["data"]
            want(len(got) > 1, f"{name}: variable {v['name']}", got)
        for p in d["panels"]:
            for t in p["targets"]:
                e = t["expr"].replace("$stream", "combined_time").replace("$host", ".*").replace("$__rate_interval", "1h").replace("$__range", "1d")
                r = js("GET", "/api/v1/query_range", params={"query": e, "start": 1772668800, "end": 1772755200, "step": 3600})
                want(r["data"]["result"] or "unparsed" in e, f"{name}: {p['title']} has data", e)


def hostile():
    want(call("GET", "/nothing")[0] == 404 and call("GET", "/../etc/passwd")[0] == 404 and call("GET", "/%2e%2e/%2e%2e/etc/passwd")[0] == 404, "paths")
    want(call("GET", "/a%00b")[0] == 400 and call("GET", "/x?a=%zz")[0] == 400 and call("GET", "/" + "a" * 3000)[0] == 414, "broken addresses")
    s, h, d = call("DELETE", "/api/v1/lq/query")
    want(s == 405 and h["allow"] == "GET, HEAD, POST, OPTIONS", "method", s, h)
    want(call("HEAD", "/healthz")[2] == b"", "HEAD has no body")
    want(call("GET", "/api/v1/lq/streams", headers={"Host": "evil.example"})[0] == 403, "a foreign Host header")
    want(call("POST", "/query", b"\x1f\x8bgarbage", {"Content-Encoding": "gzip"})[0] == 400, "a damaged gzip body")
    want(call("POST", "/search", gzip.compress(b"{}"), {"Content-Encoding": "gzip"})[0] == 200, "a gzip body")
    e = js("GET", "/api/v1/lq/query", status=400, params={"query": "<script>alert(1)</script>"})
    want("<script>" in e["error"]["text"], "text comes back as JSON text")
    s = socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=10)
    s.sendall(b"GARBAGE\r\n\r\n\x00\xff")
    want(s.recv(100).startswith((b"HTTP/1.", b"")), "garbage is survived")
    s.close()
    slow = [socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=10) for _ in range(50)]
    for s in slow:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
    want(call("GET", "/healthz")[0] == 200, "answered while 50 slow requests hang")
    for s in slow:
        s.close()
    s = socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=10)
    s.sendall(b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
    want(b" 413 " in s.recv(200), "a huge body is refused at once")
    s.close()


if tokens_only:
    tokens()
else:
    own_api(sys.argv[2], sys.argv[3])
    changes()
    large()
    grafana()
    prometheus(sys.argv[2], sys.argv[3])
    openapi(sys.argv[4])
    dashboards(sys.argv[4])
    hostile()
print(checks, "checks passed")
