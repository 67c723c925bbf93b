"""usage: real_logs.py LQ DATA FOLDER

Nezha's micro-service logs and an auth.log, loaded by lq with detection only, against counts made here by other means: csv, json and one regex a format.
Compared: lines; records by service and level; classes of exceptions; and each template as a pattern: every message fits one, and its count lies between
the messages that fit no other one and all that fit it.
"""
import collections
import csv
import glob
import gzip
import io
import json
import re
import subprocess
import sys

lq, data, folder = sys.argv[1:4]
WORDS = re.compile(r"\b(error|fatal|panic|segfault|failed|failure)\b", re.I)
EXCEPTION = re.compile(r"(?:[a-z_]\w*\.)+[A-Z]\w*(?:Exception|Error)(?:\$\w+)?")


def ask(store, query):
    out = subprocess.run([lq, query, "--data", store, "--since", "2000-01-01", "--until", "2040-01-01", "--format", "csv"], check=True, capture_output=True, text=True).stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    return {tuple(v for k, v in r.items() if k not in ("count", "errors")): int(r["count"]) for r in rows}


def load(name, files, *flags):
    store = f"{folder}/{name}"
    subprocess.run([lq, "load", "--data", store, "--tz", "UTC", *flags, *files], check=True, capture_output=True)
    return store


def same(what, a, b):
    if a != b:
        keys = [k for k in sorted(set(a) | set(b), key=str) if a.get(k) != b.get(k)]
        sys.exit(f"wrong: {what}: " + "; ".join(f"{k}: lq {a.get(k)}, counted {b.get(k)}" for k in keys[:8]))
    print(f"{what}: {len(b)} groups, {sum(b.values())} records agree")


def check_templates(what, templates, messages):
    """templates: text -> count. messages: Counter of texts."""
    patterns = []
    for t in templates:
        cut = t.endswith("…")
        body = ".*?".join(re.escape(p) for p in (t[:-1] if cut else t).split("<*>"))
        parts = (t[:-1] if cut else t).split("<*>")
        patterns.append((t, parts[0], max(parts, key=len), re.compile(body + (".*" if cut else ""), re.S)))
    own, fit = collections.Counter(), collections.Counter()
    for text, n in messages.items():
        text = re.sub(r"[\x00-\x20]+", " ", text).strip()
        hits = [t for t, head, longest, p in patterns if text.startswith(head) and longest in text and p.fullmatch(text)]
        if not hits:
            sys.exit(f"wrong: {what}: no template for: {text[:200]}")
        for t in hits:
            fit[t] += n
            own[t] += n if len(hits) == 1 else 0
    for t, n in templates.items():
        if not own[t] <= n <= fit[t]:
            sys.exit(f"wrong: {what}: {n} of {t!r}; {own[t]} messages fit it alone, {fit[t]} at all")
    if sum(templates.values()) != sum(messages.values()):
        sys.exit(f"wrong: {what}: {sum(templates.values())} records have a template, of {sum(messages.values())}")
    alone = sum(own[t] == n for t, n in templates.items())
    print(f"{what}: {len(templates)} templates over {sum(messages.values())} messages; the count of {alone} is exact by its pattern alone")


def nezha():
    spring = re.compile(r"^\d\d:\d\d:\d\d\.\d{3} (\w+) +(\S+?)(#\d+)? (.*)", re.S)
    files = sorted(glob.glob(f"{data}/nezha/*.csv.gz"))
    levels, classes, messages, lines = collections.Counter(), collections.Counter(), collections.Counter(), 0
    for name in files:
        with gzip.open(name, "rt", encoding="utf-8", newline="") as f:
            for r in csv.DictReader(f):
                text = json.loads(r["Log"])["log"].rstrip("\n")
                m = spring.match(text)
                service = re.sub(r"-[0-9a-f]{8,10}-[a-z0-9]{5}$", "", r["PodName"])
                lines += 1
                levels[("log4j", service, m.group(1).lower())] += 1
                found = EXCEPTION.findall(text)
                nested = re.findall(r"nested exception is (" + EXCEPTION.pattern + ")", text)
                if found:
                    classes[("log4j", (nested or found)[-1])] += 1
                messages[m.group(4).split("\n")[0]] += 1
    store = load("nezha", files)
    same("nezha, lines", {"all": sum(ask(store, "count by service").values())}, {"all": lines})
    same("nezha, levels of each service", ask(store, "count by service, level"), dict(levels))
    same("nezha, exceptions", {k: v for k, v in ask(store, "count by exception").items() if k[1]}, dict(classes))
    check_templates("nezha", {k[1]: v for k, v in ask(store, "count by template").items()}, messages)


def auth():
    line = re.compile(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d (\S+) ([^:\[]+)(?:\[\d+\])?: ?(.*)")
    services, messages, errors = collections.Counter(), collections.Counter(), 0
    with open(f"{data}/access/auth.log", encoding="utf-8", errors="replace") as f:
        for text in f:
            m = line.match(text.rstrip("\n"))
            services[("rfc3164", m.group(2))] += 1
            messages[m.group(3)] += 1
            errors += WORDS.search(m.group(3)) is not None
    store = load("auth", [f"{data}/access/auth.log"], "--reference-time", "2015-06-01T00:00:00Z")
    same("auth.log, programs", ask(store, "count by service"), dict(services))
    same("auth.log, errors", {"all": sum(ask(store, "error = true | count").values())}, {"all": errors})
    check_templates("auth.log", {k[1]: v for k, v in ask(store, "count by template").items()}, messages)


nezha()
auth()
