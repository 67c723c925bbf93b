"""Pushes logs to a running lqd in the shapes of real senders and checks each answer: usage: push_contracts.py URL

Bodies as promtail, fluent-bit, Elasticsearch's clients and OpenTelemetry's exporters write them. Only the Python standard library.
SPDX-License-Identifier: MIT
"""
import gzip, http.client, json, sys, threading, time

host = sys.argv[1].split("://")[1]
checks = 0
NS = 1772445600 * 10**9  # 2026-03-02 10:00 UTC


def want(ok, what, *shown):
    global checks
    checks += 1
    if not ok:
        print("wrong:", what, *[str(x)[:600] for x in shown])
        sys.exit(1)


def push(path, body, kind="application/json", status=200, method="POST", headers=None):
    c = http.client.HTTPConnection(host, timeout=60)
    body = json.dumps(body) if isinstance(body, (dict, list)) else body
    c.request(method, path, body=body, headers={"Content-Type": kind, **(headers or {})})
    r = c.getresponse()
    data = r.read()
    want(r.status == status, f"{method} {path}: status {r.status}, not {status}", data)
    c.close()
    return data, {k.lower(): v for k, v in r.getheaders()}


def access(i):
    return f'10.0.0.{i % 200} - - [02/Mar/2026:10:{i // 60:02d}:{i % 60:02d} +0000] "GET /api/orders/{i} HTTP/1.1" {500 if i % 10 == 0 else 200} 512 "-" "curl/7.88"'


def lines():
    text = "".join(access(i) + "\n" for i in range(100))
    d, _ = push("/api/v1/lq/push?host=web-1&service=nginx", text, "text/plain")
    want(json.loads(d) == {"lines": 100, "cut": 0}, "lines", d)
    d, _ = push("/api/v1/lq/push?host=web-1&service=nginx", gzip.compress(text.encode()), "text/plain", headers={"Content-Encoding": "gzip"})
    want(json.loads(d)["lines"] == 100, "gzip", d)
    rows = "".join(json.dumps({"time": f"2026-03-02T10:00:{i % 60:02d}Z", "level": "error" if i % 4 == 0 else "info", "service": "cart", "message": f"order {i} done"}) + "\n" for i in range(40))
    want(json.loads(push("/api/v1/lq/push", rows, "application/x-ndjson")[0])["lines"] == 40, "ndjson")
    e = json.loads(push("/api/v1/lq/push", rows + '{"time":"2026-03-02T10:00:00Z","message":\n', "application/x-ndjson", 400)[0])["error"]
    want("line 41 " in e["message"] and "byte 42" in e["message"] and "nothing" in e["hint"], "a damaged line is named, and nothing is stored", e)
    want(json.loads(push("/api/v1/lq/push", "\n \n\r\n", "text/plain")[0])["lines"] == 0, "blank lines are no lines")
    push("/api/v1/lq/push", b"", "text/plain")
    want(json.loads(push("/api/v1/lq/push?host=long", "x" * 70000 + "\n", "text/plain")[0])["cut"] == 1, "a long line is cut, and counted")
    push("/api/v1/lq/push", '{"a":"' + "x" * 70000 + '"}', "application/x-ndjson", 413)
    push("/api/v1/lq/push", "x\n" * 100001, "text/plain", 413)


def loki():
    body = {"streams": [{"stream": {"app": "shop", "node": "web-2", "filename": "/var/log/nginx/access.log"}, "values": [[str(NS + i * 10**9), access(i)] for i in range(60)]},
                        {"stream": {"service_name": "pay", "level": "error"}, "values": [[str(NS), 'paid "17"\n\tat x'], [str(NS + 1), "retry 3 of 5", {"trace_id": "0242ac120002"}]]}]}
    d, _ = push("/loki/api/v1/push", body, status=204)
    want(d == b"", "Loki answers nothing", d)
    push("/loki/api/v1/push", gzip.compress(json.dumps(body).encode()), status=204, headers={"Content-Encoding": "gzip"})
    push("/loki/api/v1/push", {"streams": []}, status=204)
    for bad, word in (({"streams": [{"stream": {}, "values": [["yesterday", "x"]]}]}, "streams[0].values[0]"), ({"streams": [{"stream": {}, "values": [[str(NS), 5]]}]}, "streams[0].values[0]"),
                      ({"streams": {}}, None), ({"streams": [{"stream": {"a": "b"}, "values": [[str(NS), "fine"], [str(NS)]]}]}, "streams[0].values[1]"), ({"streams": 5}, "no list"),
                      ('{"streams":[{"stream":{"a":"b"},"values":[["' + str(NS) + '","cut', "byte")):
        d, _ = push("/loki/api/v1/push", bad, status=400 if word else 204)
        want(word is None or (word.encode() in d and b"nothing of this body was stored" in d), "Loki's error says where", bad, d)
    d, _ = push("/loki/api/v1/push", b"\x00\x01", "application/x-protobuf", 415)
    want(b"application/json" in d, "protobuf is refused by name", d)
    many = {"streams": [{"stream": {"n": str(i)}, "values": [[str(NS), "x"]]} for i in range(1001)]}
    push("/loki/api/v1/push", many, status=413)


def elastic():
    doc = lambda i: {"@timestamp": f"2026-03-02T10:00:{i:02d}.000Z", "log.level": "ERROR" if i == 0 else "INFO", "service": {"name": "basket"}, "host": {"name": "web-3"}, "message": f"basket {i} saved"}
    body = "".join('{"create":{"_index":"shop-2026.03.02"}}\n' + json.dumps(doc(i)) + "\n" for i in range(30))
    d, h = push("/_bulk", body, "application/x-ndjson")
    d = json.loads(d)
    want(d["errors"] is False and isinstance(d["took"], int) and len(d["items"]) == 30, "bulk", d)
    want(d["items"][0] == {"create": {"_index": "shop", "status": 201, "result": "created"}}, "an item", d["items"][0])
    want(h["x-elastic-product"] == "Elasticsearch", "its clients look for this", h)
    mixed = '{"index":{}}\n' + json.dumps(doc(31)) + '\n{"index":{}}\n{"broken":\n{"delete":{"_index":"shop","_id":"1"}}\n{"update":{"_index":"shop","_id":"1"}}\n{"doc":{}}\n{ "create" : { } }\n' + json.dumps(doc(32)) + "\n"
    for path in ("/elastic/shop/_bulk", "/elastic/_bulk"):
        d = json.loads(push(path, mixed, "application/x-ndjson", method="PUT")[0])
        got = [(k, v["status"], v.get("error", {}).get("type")) for item in d["items"] for k, v in item.items()]
        want(d["errors"] is True and got == [("index", 201, None), ("index", 400, "mapper_parsing_exception"), ("delete", 400, "illegal_argument_exception"),
                                             ("update", 400, "illegal_argument_exception"), ("create", 201, None)], "each document has its status", got)
    for bad in ('{"create":{}}\n', "hello\n", '{"create":{"_index":"x"},"index":{"_index":"y"},"z":1}\n{}\n', '{"drop":{"_index":"x"}}\n{}\n'):
        e = json.loads(push("/_bulk", bad, "application/x-ndjson", 400)[0])
        want(e["status"] == 400 and "line 1 " in e["error"]["reason"], "a broken action", bad, e)
    d, _ = push("/_cat/health", None, method="GET")
    want(b"green" in d, "health", d)
    want("number" in json.loads(push("/elastic/", None, method="GET")[0])["version"], "what a client asks first")
    push("/elastic/shop/_search", "{}", status=404)


def otlp():
    attr = lambda k, v: {"key": k, "value": v}
    resource = {"attributes": [attr("service.name", {"stringValue": "checkout"}), attr("host.name", {"stringValue": "web-4"}), attr("service.version", {"stringValue": "2.4.1"}),
                               attr("deployment.environment.name", {"stringValue": "prod"}), attr("telemetry.sdk.language", {"stringValue": "java"}), attr("process.pid", {"intValue": "4711"})]}
    record = lambda i: {"timeUnixNano": str(NS + i * 10**9), "observedTimeUnixNano": str(NS + 10**12), "severityNumber": 17 if i % 5 == 0 else 9, "severityText": "ERROR" if i % 5 == 0 else "INFO",
                        "body": {"stringValue": f"charge {i} of customer {i * 7}"}, "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
                        "attributes": [attr("http.response.status_code", {"intValue": "502" if i % 5 == 0 else "200"}), attr("url.path", {"stringValue": f"/pay/{i}"}), attr("retried", {"boolValue": True}),
                                       attr("exception.type", {"stringValue": "java.io.IOException"}) if i % 5 == 0 else attr("thread.id", {"intValue": 7}), attr("tags", {"arrayValue": {"values": [{"stringValue": "a"}]}})]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {"name": "shop.Pay", "version": "1"}, "logRecords": [record(i) for i in range(50)]}]}]}
    d, h = push("/v1/logs", body)
    want(json.loads(d) == {"partialSuccess": {}} and h["content-type"] == "application/json", "OTLP's answer", d, h)
    push("/v1/logs", gzip.compress(json.dumps(body).encode()), headers={"Content-Encoding": "gzip"})
    odd = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"observedTimeUnixNano": NS, "body": {"kvlistValue": {"values": [attr("level", {"stringValue": "warn"}), attr("msg", {"stringValue": "slow"}), attr("ms", {"doubleValue": 12.5})]}}},
                                                          {"timeUnixNano": "0", "severityNumber": "SEVERITY_NUMBER_FATAL2", "body": {"stringValue": "no time"}}, {"body": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}}, {"severityText": "x"}]}],
                             "resource": {"attributes": [{"value": {"stringValue": "late"}, "key": "service.name"}]}}]}
    push("/v1/logs", odd)
    push("/v1/logs", {})
    for bad, word in (({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "x"}]}]}]}, "resourceLogs[0].scopeLogs[0].logRecords[0].timeUnixNano"), ({"resourceLogs": 1}, "no list"), ("{", "byte 2")):
        e = json.loads(push("/v1/logs", bad, status=400)[0])
        want(e["code"] == 3 and word in e["message"], "OTLP's error says where", bad, e)
    push("/v1/logs", b"\x0a\x00", "application/x-protobuf", 415)


def hostile():
    push("/api/v1/lq/push", "x", "text/plain", 415, headers={"Content-Encoding": "br"})
    push("/api/v1/lq/push", b"\x1f\x8b\x08broken", "text/plain", 400, headers={"Content-Encoding": "gzip"})
    push("/api/v1/lq/push", gzip.compress(b"\0" * (9 << 20)), "text/plain", 400, headers={"Content-Encoding": "gzip"})  # a bomb: more than a body may be
    push("/api/v1/lq/push", b"y" * ((8 << 20) + 1), "text/plain", 413)
    push("/loki/api/v1/push", "[" * 100000, status=400)
    push("/loki/api/v1/push", '{"streams":' + "[" * 100000, status=400)
    push("/v1/logs", '{"resourceLogs":[' + "{}," * 500000 + "{}]}")  # a tree of this would be large; it holds nothing
    push("/api/v1/lq/push", "x", "text/plain", 405, method="PUT")
    push("/api/v1/lq/push", "x", "text/plain", 403, headers={"Origin": "http://evil.example"})


def together():
    """Many senders at once; every answer comes, and each body counts once."""
    def one(k):
        for i in range(10):
            push(f"/api/v1/lq/push?host=many-{k}&service=many", "".join(access(j) + "\n" for j in range(50)), "text/plain")
    threads = [threading.Thread(target=one, args=(k,)) for k in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


lines()
loki()
elastic()
otlp()
hostile()
together()
print(checks, "checks passed")
