"""The sixty questions of query/QUESTIONS.md, answered by reading the log files; compared with what lq says.
usage: questions.py LQ STORE PAGE LOGDIR
SPDX-License-Identifier: MIT"""
import collections, csv, datetime, glob, io, math, os, re, shlex, subprocess, sys, zoneinfo

lq, store, page, logs = sys.argv[1:]
UTC = datetime.timezone.utc
ACCESS = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "(?:([A-Z]+) ([^ "]+)[^"]*|(?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*" ([\d.]+)$')
APP = re.compile(r'^(\S+ \S+) (\w+)\s+\[[^\]]*\] (\S+) - (.*)$')
VERSION = re.compile(r'(?i)\bstarting\b.*?\bversion:? v?(\d+(?:\.\d+)+\S*)')


class Rec:
    pass


def read():
    web, app = [], []
    for path in sorted(glob.glob(os.path.join(logs, "*", "*.log"))):
        host = path.split(os.sep)[-2]
        for line in open(path, encoding="latin-1"):
            line, r = line.rstrip("\n"), Rec()
            r.host, r.line = host, line
            if path.endswith("access.log"):
                m = ACCESS.match(line)
                r.t = datetime.datetime.strptime(m[2], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
                r.client, r.method, r.status, r.bytes, r.time = m[1], m[3], m[5], int(m[6]), float(m[7])
                r.route = re.sub(r"/\d+(?=/|$)", "/{id}", m[4].split("?")[0])
                r.cls, r.error = m[5][0] + "xx", m[5] >= "500"
                web.append(r)
            else:
                m = APP.match(line)
                r.t = datetime.datetime.strptime(m[1], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)
                r.level, r.logger, r.message = m[2].lower(), m[3], m[4]
                v = VERSION.search(r.message)
                r.version, r.error = v[1] if v else "", r.level in ("error", "fatal")
                app.append(r)
    return web, app


web, app = read()
DAY = lambda s: datetime.datetime.fromisoformat(s).replace(tzinfo=UTC)
today, yesterday = [[r for r in web if DAY(a) <= r.t < DAY(b)] for a, b in (("2026-03-01", "2026-03-02"), ("2026-02-28", "2026-03-01"))]
feb28 = yesterday


def step(hours=0, days=0, minutes=0, tz=UTC):
    def of(r):
        t = r.t.astimezone(tz)
        mid = t.replace(hour=0, minute=0, second=0, microsecond=0)
        if not days:
            n = hours * 60 + minutes
            mid += datetime.timedelta(minutes=(t.hour * 60 + t.minute) // n * n)
        return mid.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return of


def quantile(q, v):
    v = sorted(v)
    return v[max(0, math.ceil(q * len(v)) - 1)]


# aggregates: (kind, function of the group's records); the kind says how near lq must be
count = ("exact", len)
errors = ("exact", lambda g: sum(r.error for r in g))
share = ("exact", lambda g: sum(r.error for r in g) / len(g) if g else None)
distinct = ("distinct", lambda g: len({r.client for r in g}))
def total(f): return ("exact", lambda g: sum(getattr(r, f) for r in g))
def mean(f): return ("exact", lambda g: sum(getattr(r, f) for r in g) / len(g))
def low(f): return ("exact", lambda g: min(getattr(r, f) for r in g))
def high(f): return ("exact", lambda g: max(getattr(r, f) for r in g))
def p(q): return ("quantile", lambda g: quantile(q, [r.time for r in g]))
def by(name): return lambda r: str(getattr(r, name))
def over(bound, g): return sum(r.time > bound for r in g)
slow = ("quantile", lambda g: over(0.5, g))
NEAR = {"exact": 1e-9, "quantile": 0.012, "distinct": 0.08}


def answer(recs, keys, aggs, steps=None):
    """{(time?, labels…): [(kind, value)…]}; steps: every step from the first to the last, empty ones too."""
    groups = collections.defaultdict(list)
    for r in recs:
        groups[tuple(k(r) for k in keys)].append(r)
    if not keys and not groups:
        groups[()] = []
    if steps:
        t, last = min(k[0] for k in groups), max(k[0] for k in groups)
        while t < last:
            groups.setdefault((t,), [])
            t = (datetime.datetime.strptime(t, "%Y-%m-%dT%H:%M:%SZ") + steps).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {k: [(kind, f(g)) for kind, f in aggs] for k, g in groups.items()}


def compared(now, before, keys, aggs):
    a, b = answer(now, keys, aggs), answer(before, keys, aggs)
    out = {}
    for k in set(a) | set(b):
        x, y = a.get(k, [("exact", 0)])[0][1], b.get(k, [("exact", 0)])[0][1]
        out[k] = [("exact", x), ("exact", y), ("exact", (x - y) / abs(y) if y else None)]
    return out


def shifted(recs, days):
    out = []
    for r in recs:
        c = Rec()
        c.__dict__.update(r.__dict__)
        c.t = r.t + datetime.timedelta(days=days)
        out.append(c)
    return out


hour, minute = datetime.timedelta(hours=1), datetime.timedelta(minutes=1)
pick = lambda f: [r for r in web if f(r)]
api = lambda r: r.route.startswith("/api")
ny = zoneinfo.ZoneInfo("America/New_York")
d1 = step(days=1)
# number: answer, or (answer, n, column): the n of them with the largest (negative n: smallest) column
Q = {
    1: {("combined_time",): [("exact", len(web))], ("log4j",): [("exact", len(app))]},
    2: answer(web, [d1], [count]),
    3: answer(feb28, [step(hours=1)], [count]),
    4: answer(pick(lambda r: r.t >= DAY("2026-02-27T05:00")), [step(days=1, tz=ny)], [count]),
    5: answer(web, [by("host")], [count]),
    6: answer(web, [by("method")], [count]),
    7: answer(web, [by("status")], [count]),
    8: answer(web, [d1, by("cls")], [count]),
    9: (answer(web, [by("route")], [count]), 10, 0),
    10: (answer(web, [by("route")], [count]), -3, 0),
    11: answer(web, [d1, by("host")], [total("bytes")]),
    12: (answer(web, [by("route")], [high("bytes"), mean("bytes")]), 5, 0),
    13: answer(pick(api), [by("method")], [count]),
    14: answer(pick(lambda r: r.status == "304"), [by("host")], [count]),
    15: answer(web, [by("route")], [("exact", lambda g: sum(r.bytes for r in g) / len(g) / 1000)]),
    16: answer(web, [], [errors]),
    17: answer(feb28, [step(minutes=1)], [errors], steps=minute),
    18: answer(web, [by("host")], [share]),
    19: (answer(web, [by("route")], [errors]), 5, 0),
    20: (answer(web, [by("route")], [share, count]), 5, 0),
    21: answer(pick(lambda r: r.error), [by("status")], [count]),
    22: (answer(pick(lambda r: r.status == "404"), [by("route")], [count]), 5, 0),
    23: answer(web, [step(hours=6)], [("exact", lambda g: sum(r.route == "/login" and r.status in ("401", "403") for r in g))]),
    24: answer(pick(lambda r: r.route.startswith("/checkout") and r.method == "POST"), [by("host")], [errors, count]),
    25: answer(pick(lambda r: r.error and r.status != "503"), [by("host"), by("status")], [count]),
    26: answer(pick(lambda r: r.cls == "4xx"), [by("status")], [count]),
    27: answer(pick(api), [step(hours=6)], [share]),
    28: answer(pick(lambda r: not api(r) and not r.route.startswith("/assets")), [], [errors, count]),
    29: answer(pick(lambda r: r.status < "400"), [], [count]),
    30: (answer(pick(lambda r: r.status not in ("200", "302", "304")), [by("host"), by("status")], [count]), 8, 0),
    31: answer(web, [], [p(0.5), p(0.95), p(0.99)]),
    32: (answer(web, [by("route")], [p(0.99)]), 5, 0),
    33: answer(web, [], [slow, count]),
    34: answer(web, [by("host")], [("quantile", lambda g: over(0.5, g) / len(g))]),
    35: answer(web, [by("host")], [high("time")]),
    36: answer(web, [by("route")], [mean("time")]),
    37: answer(web, [step(hours=3)], [p(0.95)]),
    38: answer(web, [lambda r: str(r.error).lower()], [p(0.5), count]),
    39: (answer(web, [by("route")], [total("time")]), 5, 0),
    40: answer(web, [by("method")], [low("time"), mean("time"), high("time")]),
    41: answer(web, [], [distinct]),
    42: answer(web, [d1], [distinct]),
    43: (answer(web, [by("route")], [distinct]), 5, 0),
    44: answer(pick(lambda r: r.error), [], [distinct, count]),
    45: "heaviest",
    46: answer(web, [by("host")], [("distinct", lambda g: len(g) / len({r.client for r in g}))]),
    47: compared(today, yesterday, [by("host")], [count]),
    48: compared(today, yesterday, [], [share]),
    49: (compared(today, yesterday, [by("route")], [count]), 3, 2),
    50: compared(today, yesterday, [by("host")], [mean("time")]),
    51: compared(today, shifted(yesterday, 1), [step(hours=6)], [count]),
    52: answer(app, [by("level")], [count]),
    53: answer([r for r in app if r.level == "error"], [by("logger")], [count]),
    54: answer([r for r in app if r.level != "info"], [step(hours=12), by("level")], [count]),
    55: "templates",
    56: answer([r for r in app if r.message.lower().startswith("slow query")], [by("host")], [count]),
    57: (answer([r for r in app if "timeout" in r.message], [by("host")], [count]), 2, 0),
    58: answer([r for r in app if r.version], [by("version")], [count]),
    59: {**{(k[0], "combined_time"): v for k, v in answer(web, [d1], [errors]).items()}, **{(k[0], "log4j"): v for k, v in answer(app, [d1], [errors]).items()}},
    60: "lines",
}

def near(kind, want, got):
    if want is None or got == "":
        return want is None and got == ""
    got, tol = float(got), NEAR[kind]
    return abs(want - got) <= tol * max(abs(want), 1e-12) + (1e-9 if kind == "exact" else 0.002 if kind == "quantile" else 2)


def by_key(want, rows, header, want_stream):
    """{key: values} of the rows of a csv; the key as in the expected answer."""
    n_values = len(next(iter(want.values())))
    timed, got = header[0] == "time", {}
    for row in rows:
        key = tuple(row[:1] if timed else []) + tuple(row[timed:timed + 1] if want_stream else []) + tuple(row[timed + 1:len(row) - n_values])
        if key in got:
            sys.exit("twice: %r" % (key,))
        got[key] = row[len(row) - n_values:]
    return got


def check(n, rows, header):
    want, cut, column = Q[n] if isinstance(Q[n], tuple) else (Q[n], 0, 0)
    got = by_key(want, rows, header, n == 1)
    for key, values in got.items():
        if key not in want:
            return "not expected: %r" % (key,)
        for (kind, w), g in zip(want[key], values):
            if not near(kind, w, g):
                return "%r: expected %s (%s), got %s" % (key, w, kind, g)
    if not cut and set(got) != set(want):
        return "missing: %r" % sorted(set(want) - set(got))[:3]
    if cut:
        ranks = sorted((v[column][1] for v in want.values() if v[column][1] is not None), reverse=cut > 0)[:abs(cut)]
        kind = next(iter(want.values()))[column][0]
        have = [v[column] for v in got.values()]
        if len(have) != len(ranks) or not all(near(kind, a, b) for a, b in zip(ranks, have)):
            return "ranks: expected %r, got %r" % (ranks, have)
    return None


def heaviest(rows):
    exact = collections.Counter(r.client for r in web)
    for _, client, n in rows:
        if not 0 < int(n) <= exact[client]:
            return "%s: %s of %d" % (client, n, exact[client])
    return None if len(rows) == 5 and rows[0][1] == exact.most_common(1)[0][0] else "the heaviest is %r, not %r" % (exact.most_common(1), rows[:1])


def templates(rows):
    for _, template, n in rows:
        shape = re.compile("^" + "[^ ]*(?: (?:ms|s|B|kB|MB))?".join(re.escape(x) for x in template.split("<*>")) + "$")
        have = sum(shape.match(r.message) is not None for r in app)
        if have != int(n):
            return "%s: expected %d, got %s" % (template, have, n)
    return None if len(rows) == 5 else "%d rows" % len(rows)


def lines(rows):
    known = {r.line for r in app if r.level == "error"}
    bad = [row for row in rows if row[2] not in known]
    return None if len(rows) == 5 and not bad else "%d rows, strange: %r" % (len(rows), bad[:1])


questions = re.findall(r"^(\d+)\. (.*?)\n\n +lq (.*)$", open(page).read(), re.M)
failed = 0
if [int(n) for n, _, _ in questions] != list(range(1, 61)):
    sys.exit("the page does not have the questions 1 to 60")
for n, question, command in questions:
    run = subprocess.run([lq] + shlex.split(command) + ["--data", store, "--format", "csv"], capture_output=True, text=True)
    table = list(csv.reader(io.StringIO(run.stdout)))
    why = None
    if run.returncode != 0:
        why = "exit %d: %s" % (run.returncode, run.stderr)
    elif isinstance(Q[int(n)], str):
        why = globals()[Q[int(n)]](table[1:])
    else:
        why = check(int(n), table[1:], table[0])
    if why:
        failed += 1
        print("FAILED %s. %s\n  lq %s\n  %s" % (n, question, command, why))
print("%d of %d questions answered as the script answers them" % (len(questions) - failed, len(questions)))
sys.exit(failed > 0)
