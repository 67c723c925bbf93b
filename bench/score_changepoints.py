#!/usr/bin/env python3
"""Scores `lq debug changepoints` on the labelled series of a folder, by the protocol of TCPDBench (arXiv 2003.06222).

usage: score_changepoints.py LQ FOLDER     (FOLDER has NAME.json and annotations.json)
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

lq, folder = sys.argv[1], sys.argv[2]
annotations = json.load(open(os.path.join(folder, "annotations.json")))
rows = []
for name in sorted(annotations):
    path = os.path.join(folder, name + ".json")
    if not os.path.exists(path):
        continue
    n = len(json.load(open(path))["series"][0]["raw"])
    out = subprocess.run([lq, "debug", "changepoints", path], capture_output=True, text=True, check=True).stdout
    found = [i for i in map(int, out.split()) if 1 <= i < n - 1]
    truths = list(annotations[name].values())
    rows.append((name, f1(truths, found), covering(truths, found, n), f1(truths, []), covering(truths, [], n)))
    print("%-22s F1 %.3f  covering %.3f   (nothing: %.3f, %.3f)  %d found" % (rows[-1] + (len(found),)))
mean = [sum(r[i] for r in rows) / len(rows) for i in range(1, 5)]
print("%-22s F1 %.3f  covering %.3f   (nothing: %.3f, %.3f)" % ("mean", *mean))
