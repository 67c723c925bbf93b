#!/usr/bin/env python3
"""Scores `lq debug changepoints` on the labelled series of a folder, by the protocol of TCPDBench (arXiv 2003.06222).

usage: score_changepoints.py LQ FOLDER [GRID]     (FOLDER has NAME.json and annotations.json)

With GRID (the program changepoints_grid), also the scores of settings around the one in use, and leave-one-series-out cross-validation: for each series the
setting that is best on the others.
"""
import json, os, subprocess, sys

MARGIN = 5

def f1(truths, found):
    """Precision over the union of annotators, recall averaged over them; index 0 counts on both sides."""
    found = set(found) | {0}
    truths = [set(t) | {0} for t in truths]
    def matched(truth, guess):
        free, hits = sorted(guess), 0
        for t in sorted(truth):
            near = [g for g in free if abs(g - t) <= MARGIN]
            if near:
                free.remove(min(near, key=lambda g: abs(g - t)))
                hits += 1
        return hits
    union = set().union(*truths)
    p = matched(union, found) / len(found)
    r = sum(matched(t, found) / len(t) for t in truths) / len(truths)
    return 2 * p * r / (p + r) if p + r else 0.0

def covering(truths, found, n):
    def segments(points):
        cuts = [0] + sorted(p for p in set(points) if 0 < p < n) + [n]
        return list(zip(cuts, cuts[1:]))
    guess = segments(found)
    def one(truth):
        total = 0.0
        for a, b in segments(truth):
            total += (b - a) * max((min(b, d) - max(a, c)) / (max(b, d) - min(a, c)) if min(b, d) > max(a, c) else 0.0 for c, d in guess)
        return total / n
    return sum(one(t) for t in truths) / len(truths)

def scores(name, series, found):
    truths = list(annotations[name].values())
    return f1(truths, found), covering(truths, found, series[name])

lq, folder = sys.argv[1], sys.argv[2]
annotations = json.load(open(os.path.join(folder, "annotations.json")))
lengths = {name: len(json.load(open(os.path.join(folder, name + ".json")))["series"][0]["raw"])
           for name in sorted(annotations) if os.path.exists(os.path.join(folder, name + ".json"))}
rows = []

def inner(words, n):
    return [i for i in map(int, words) if 1 <= i < n - 1]

for name, n in lengths.items():
    out = subprocess.run([lq, "debug", "changepoints", os.path.join(folder, name + ".json")], capture_output=True, text=True, check=True).stdout
    found = inner(out.split(), n)
    rows.append(scores(name, lengths, found) + scores(name, lengths, []))
    print("%-22s F1 %.3f  covering %.3f   (nothing: %.3f, %.3f)  %d found" % ((name,) + rows[-1] + (len(found),)))
mean = [sum(r[i] for r in rows) / len(rows) for i in range(4)]
print("%-22s F1 %.3f  covering %.3f   (nothing: %.3f, %.3f; gain %+.3f, %+.3f)" % ("mean", *mean, mean[0] - mean[2], mean[1] - mean[3]))

if len(sys.argv) > 3:
    table = {}  # setting -> series -> (F1, covering)
    for name, n in lengths.items():
        for line in subprocess.run([sys.argv[3], os.path.join(folder, name + ".json")], capture_output=True, text=True, check=True).stdout.splitlines():
            setting, _, found = line.partition(":")
            table.setdefault(setting, {})[name] = scores(name, lengths, inner(found.split(), n))
    average = lambda setting, names: [sum(table[setting][m][i] for m in names) / len(names) for i in (0, 1)]
    print("\nresolution, cut price, slope price: F1, covering")
    for setting in table:
        print("%-16s %.3f %.3f" % ((setting,) + tuple(average(setting, lengths))))
    print("\nleave one series out")
    left = []
    for name in lengths:
        others = [m for m in lengths if m != name]
        best = max(table, key=lambda s: (sum(average(s, others)), s))
        left.append(table[best][name])
        print("%-22s F1 %.3f  covering %.3f   (setting %s)" % (name, *left[-1], best))
    print("%-22s F1 %.3f  covering %.3f" % ("mean", *[sum(x[i] for x in left) / len(left) for i in (0, 1)]))
