#!/usr/bin/env python3
# Score `lq why` on generated incidents whose truth is known. bench/incidents/README.md states the rules.
# SPDX-License-Identifier: MIT
"""usage: score.py BUILD_DIR [--part tune|held-out|both] [--cases N] [--from-seed N] [--kind NAME]... [--lines-max N] [--json FILE] [--misses] [--z] [--jobs N] [--keep DIR]

Runs `lqincident` and `lq why --format json` for every case and prints hit@1, hit@3, mean reciprocal rank, onset error, false claims and calibration,
for each kind and in total, beside baselines. --cases N: N in all, spread over the kinds evenly. --from-seed N: fresh cases, that no rule was made for. --z adds the baseline of the largest z-score
(slow: it loads every case a second time). --misses lists the cases that were answered wrongly, and how to see them."""
import argparse
import concurrent.futures
import csv
import datetime
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile

TIME_SLACK_S = 600  # of a suspect's time against the window of the truth
ONSET_SLACK_S = 60  # stores know minutes
WORDS = ("high", "medium", "low")
NO_CAUSE_ONLY = ("stationary",)  # run by their own name or in the no-cause set only: not part of the mean over kinds


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# ---- the matching rule: kind, subject, metric and time, never the wording of a title ----

def names(want, where):
    """The subject names what the truth asks for."""
    if not want["dim"]:
        return True
    for dim in want["dim"].split("|"):
        value = where.get(dim)
        if value is None:
            continue
        if want["is"] and str(value).rstrip(",;)") == want["is"]:  # a format may keep the comma after a version
            return True
        if want["has"] and any(h in str(value) for h in want["has"].split("|")):
            return True
    return False


def in_window(want, item):
    t = item.get("time")
    return t is not None and seconds(want["low"]) - TIME_SLACK_S <= seconds(t) <= seconds(want["high"]) + TIME_SLACK_S


def satisfies(want, item):
    subject = item.get("subject") or {}
    return ((not want["kinds"] or item.get("kind") in want["kinds"].split())
            and (not want["metric"] or subject.get("metric") in want["metric"].split())
            and names(want, subject.get("where") or {}) and in_window(want, item))


def matches(wants, suspect):
    """A suspect names the cause itself, or through one of its members; either way its own time must fit."""
    for want in wants:
        if satisfies(want, suspect):
            return True
        if in_window(want, suspect) and any(satisfies(want, m) for m in suspect.get("members", [])):
            return True
    return False


# ---- one case ----

def run_case(build, kind, seed, a):
    keep = a.keep
    top = keep or tempfile.mkdtemp(prefix="lqincident-")
    where = os.path.join(top, f"{kind}-{seed}")
    try:
        subprocess.run([os.path.join(build, "lqincident"), "--kind", kind, "--seed", str(seed), "--lines-max", str(a.lines_max), where], check=True)
        with open(os.path.join(where, "truth.json"), encoding="utf-8") as f:
            truth = json.load(f)
        files = sorted(os.path.relpath(os.path.join(d, n), where) for d, _, ns in os.walk(where) for n in ns if n not in ("truth.json", "answer.json"))
        out = subprocess.run([os.path.join(build, "lq"), "why", "--format", "json", "--threads", "1", *truth["args"], *files], cwd=where,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env={**os.environ, "TZ": "UTC"})
        if out.returncode != 0:
            raise RuntimeError(f"{kind} {seed}: lq why ended with {out.returncode}: {out.stderr.decode(errors='replace')[:500]}")
        answer = json.loads(out.stdout)
        if keep:
            with open(os.path.join(where, "answer.json"), "wb") as f:
                f.write(out.stdout)
        row = judge(truth, answer)
        row["baselines"] = baselines(truth)
        if a.z and truth["has_cause"]:
            row["baselines"]["largest z-score"] = z_score(build, where, files, truth)
        return row
    finally:
        if not keep:
            shutil.rmtree(top, ignore_errors=True)


def judge_onset(truth, answer, row):
    got = answer.get("onset")
    row["onset_due"] = bool(truth["onsets"])
    row["onset_found"] = got is not None
    row["onset_error_s"] = row["onset_within"] = None
    if got is None or not truth["onsets"]:
        return
    t, low, high = (seconds(got[k]) for k in ("time", "low", "high"))
    best = math.inf
    within = False
    for o in truth["onsets"]:
        a, b = seconds(o["low"]), seconds(o["high"])
        best = min(best, max(0, a - t, t - b))
        within = within or (low - ONSET_SLACK_S <= b and high + ONSET_SLACK_S >= a)
    row["onset_error_s"], row["onset_within"] = best, within


def judge(truth, answer):
    suspects = answer.get("suspects", [])
    row = {k: truth[k] for k in ("kind", "variant", "seed", "part", "has_cause", "high_allowed", "lines")}
    judge_onset(truth, answer, row)
    right = [matches(truth["cause"], s) for s in suspects]
    neutral = [matches(truth["neutral"], s) for s in suspects]
    row["rank"] = right.index(True) + 1 if True in right else None
    row["false_high"] = sum(1 for s, r, n in zip(suspects, right, neutral) if s["confidence"] == "high" and not r and not n)
    row["any_high"] = any(s["confidence"] == "high" for s in suspects)
    row["words"] = [(s["confidence"], r) for s, r, n in zip(suspects, right, neutral) if r or not n]
    row["first_word"] = (suspects[0]["confidence"], right[0]) if suspects and (right[0] or not neutral[0]) else None
    row["first"] = f"{suspects[0]['kind']}: {suspects[0]['title']} ({suspects[0]['confidence']})" if suspects else "nothing"
    return row


# ---- baselines: from the list of changes that people made, which a real baseline would have to find first ----

def baselines(truth):
    if not truth["has_cause"] or not truth["onsets"]:
        return {}
    onset = seconds(truth["onsets"][0]["high"])
    people = ("release", "rollback", "restart", "config", "job")
    before = sorted((c for c in truth["changes"] if c["kind"] in people and seconds(c["time"]) <= onset), key=lambda c: seconds(c["time"]))
    releases = [c for c in before if c["kind"] in ("release", "rollback")]
    return {"newest release": bool(releases) and releases[-1]["cause"], "nearest change in time": bool(before) and before[-1]["cause"]}


def z_score(build, where, files, truth):
    """The series whose hour before the onset is farthest from its earlier hours, in standard deviations."""
    if not truth["onsets"]:
        return False
    store, lq = os.path.join(where, "z-store"), os.path.join(build, "lq")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([lq, "load", "--data", store, "--threads", "1", *truth["args"], *files], cwd=where, check=True, **quiet)
    onset = seconds(truth["onsets"][0]["high"])
    best, found = -1.0, None
    for dim in ("host", "route", "template", "version", "status", "logger"):
        out = subprocess.run([lq, f"count by {dim} every 1h", "--data", store, "--since", truth["from"], "--format", "csv", "--tz", "UTC"], cwd=where,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        series = {}
        for r in csv.DictReader(io.StringIO(out.stdout.decode(errors="replace"))):
            if r.get(dim):
                series.setdefault((r["stream"], r[dim]), {})[seconds(r["time"])] = float(r["count"] or 0)
        hours = sorted({t for s in series.values() for t in s if t <= onset})
        if len(hours) < 3:
            continue
        for (stream, value), s in series.items():
            past = [s.get(t, 0.0) for t in hours[:-1]]
            mean = sum(past) / len(past)
            sd = math.sqrt(sum((x - mean) ** 2 for x in past) / len(past))
            z = abs(s.get(hours[-1], 0.0) - mean) / (sd + 0.5)
            if z > best:
                best, found = z, (dim, value, hours[-1], "new_template" if dim == "template" and mean == 0 else "new_value" if mean == 0 else "step_change")
    shutil.rmtree(store, ignore_errors=True)
    if found is None:
        return False
    dim, value, at, kind = found
    for step in range(0, 3601, 300):  # anywhere in its hour
        item = {"kind": kind, "time": datetime.datetime.fromtimestamp(at + step, datetime.timezone.utc).isoformat(), "subject": {"metric": "count", "where": {dim: value}}}
        if matches(truth["cause"], item):
            return True
    return False


# ---- tables ----

def share(rows, test):
    return sum(1 for r in rows if test(r)) / len(rows) if rows else None


def median(values):
    v = sorted(values)
    return v[len(v) // 2] if v else None


def summary(rows):
    caused = [r for r in rows if r["has_cause"]]
    due = [r for r in rows if r["onset_due"]]
    found = [r for r in due if r["onset_found"]]
    words = {}
    for w in WORDS:
        mine = [r["first_word"] for r in rows if r["first_word"] and r["first_word"][0] == w]
        every = [x for r in rows for x in r["words"] if x[0] == w]
        words[w] = {"first": len(mine), "first_right": sum(1 for m in mine if m[1]), "all": len(every), "all_right": sum(1 for m in every if m[1])}
    base = {}
    for r in caused:
        for name, ok in r["baselines"].items():
            base.setdefault(name, []).append(ok)
    return {
        "cases": len(rows), "with_cause": len(caused),
        "hit1": share(caused, lambda r: r["rank"] == 1), "hit3": share(caused, lambda r: r["rank"] is not None and r["rank"] <= 3),
        "mrr": sum(1 / r["rank"] for r in caused if r["rank"]) / len(caused) if caused else None,
        "onset_found": share(due, lambda r: r["onset_found"]), "onset_within": share(found, lambda r: r["onset_within"]),
        "onset_error_median_s": median([r["onset_error_s"] for r in found]),
        "onset_error_p90_s": sorted(r["onset_error_s"] for r in found)[int(0.9 * (len(found) - 1))] if found else None,
        "onset_false": share([r for r in rows if not r["onset_due"]], lambda r: r["onset_found"]),
        "false_high": share(rows, lambda r: r["false_high"] > 0),
        "false_high_no_cause": share([r for r in rows if not r["has_cause"]], lambda r: r["false_high"] > 0),
        "words": words, "baselines": {k: sum(v) / len(v) for k, v in base.items()},
    }


def percent(x):
    return "    -" if x is None else f"{100 * x:4.0f}%"


def span(s):
    return "    -" if s is None else f"{s:.0f}s" if s < 600 else f"{s / 60:.0f}m" if s < 36000 else f"{s / 3600:.0f}h"


HEAD = f"{'kind':<18}{'cases':>6}{'hit@1':>7}{'hit@3':>7}{'MRR':>6}{'onset':>7}{'in its':>7}{'error':>7}{'false':>7}{'false':>7}\n" \
       f"{'':<18}{'':>6}{'':>7}{'':>7}{'':>6}{'found':>7}{'interv.':>8}{'median':>6}{'onset':>7}{'high':>7}"


def line(name, s):
    mrr = "    -" if s["mrr"] is None else f"{s['mrr']:.2f}"
    return f"{name:<18}{s['cases']:>6}{percent(s['hit1']):>7}{percent(s['hit3']):>7}{mrr:>6}{percent(s['onset_found']):>7}{percent(s['onset_within']):>7}" \
           f"{span(s['onset_error_median_s']):>7}{percent(s['onset_false']):>7}{percent(s['false_high']):>7}"


def report(title, rows):
    by_kind = {}
    for r in rows:
        by_kind.setdefault(r["kind"], []).append(r)
    total = summary(rows)
    print(f"\n{title}\n{HEAD}")
    for kind, mine in by_kind.items():
        print(line(kind, summary(mine)))
    print(line("all", total))
    print(f"false claims of high confidence: {percent(total['false_high']).strip()} of cases; on cases without a cause {percent(total['false_high_no_cause']).strip()}")
    for w, c in total["words"].items():
        first = f"{100 * c['first_right'] / c['first']:.0f} % of {c['first']}" if c["first"] else "none"
        every = f"{100 * c['all_right'] / c['all']:.0f} % of {c['all']}" if c["all"] else "none"
        print(f"\"{w}\" is right: first suspects {first}, all suspects {every}")
    print("baselines, hit@1: " + ", ".join(f"{k} {percent(v).strip()}" for k, v in sorted(total["baselines"].items())))
    return {"total": total, "kinds": {k: summary(v) for k, v in by_kind.items()}}


def misses(rows):
    print("\nwrong, or claimed too much:")
    for r in rows:
        bad = []
        if r["has_cause"] and r["rank"] != 1:
            bad.append(f"rank {r['rank'] or '-'}")
        if r["onset_due"] and not r["onset_found"]:
            bad.append("no onset")
        if r["onset_within"] is False:
            bad.append(f"onset off by {span(r['onset_error_s'])}")
        if r["false_high"]:
            bad.append("false high")
        if bad:
            print(f"  {r['kind']:<18}{r['seed']:>4}  {', '.join(bad):<34} {r['variant']:<22} first: {r['first'][:110]}")
    print("see one: lqincident --kind KIND --seed SEED DIR, then lq why in DIR")


# ---- which cases ----

def case_list(build, part, cases, only, from_seed):
    out = subprocess.run([os.path.join(build, "lqincident"), "--list"], check=True, stdout=subprocess.PIPE).stdout.decode()
    kinds = [tuple(row.split("\t")[:2]) for row in out.splitlines()]
    unknown = set(only) - {k for k, _ in kinds}
    if unknown:
        sys.exit(f"score.py: no kind \"{sorted(unknown)[0]}\"; lqincident --list names them")
    chosen = [(k, whole) for k, whole in kinds if (k in only if only else k not in NO_CAUSE_ONLY)]
    chosen = [(k, whole) for k, whole in chosen if part != "tune" or whole == "tune"]
    if not chosen:
        sys.exit(f"score.py: these kinds are set aside as a whole; use --part held-out")
    picked, seed = [], from_seed
    while len(picked) < cases:
        for k, whole in chosen:
            held = whole == "held-out" or seed % 2 == 1
            if len(picked) < cases and (part == "both" or held == (part == "held-out")):
                picked.append((k, seed))
        seed += 1
    order = {k: i for i, (k, _) in enumerate(kinds)}
    return sorted(picked, key=lambda c: (order[c[0]], c[1]))


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("build")
    ap.add_argument("--part", choices=("tune", "held-out", "both"), default="tune")
    ap.add_argument("--cases", type=int, default=320)
    ap.add_argument("--from-seed", type=int, default=0)
    ap.add_argument("--kind", action="append", default=[])
    ap.add_argument("--lines-max", type=int, default=160000)
    ap.add_argument("--json")
    ap.add_argument("--misses", action="store_true")
    ap.add_argument("--z", action="store_true")
    ap.add_argument("--jobs", type=int, default=os.cpu_count())
    ap.add_argument("--keep")
    a = ap.parse_args()
    build = os.path.abspath(a.build)
    for program in ("lq", "lqincident"):
        if not os.path.exists(os.path.join(build, program)):
            sys.exit(f"score.py: {build} has no {program}; build it first (./run incidents does)")
    if a.keep:
        os.makedirs(a.keep, exist_ok=True)
    chosen = case_list(build, a.part, a.cases, a.kind, a.from_seed)
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        rows = list(pool.map(lambda c: run_case(build, c[0], c[1], a), chosen))
    result = {}
    for part in ("tune", "held-out"):
        mine = [r for r in rows if r["part"] == part]
        if mine:
            result[part] = report(f"{part}: {len(mine)} cases, {sum(r['lines'] for r in mine)} lines", mine)
    if a.misses:
        misses(rows)
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump({"parts": result, "cases": rows}, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
