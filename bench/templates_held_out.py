#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: templates_held_out.py BUILD DATA

Does a rule of schema/derive_shape.c serve one system only? Grouping accuracy on DATA (loghub_2k), three tables:

  - each rule taken out, for each system (what a rule is worth, and to whom);
  - leave one system out: only those rules are kept that the other five justify (their mean falls by more than 0.0005 without it), and the one left out is
    grouped by these. That is what a system whose logs nobody looked at can expect of the choice of rules; how each rule is written was seen on all six.

BUILD is a build directory with schema/liblq_schema.a; variants of the file are compiled beside it.
"""
import os
import subprocess
import sys
import tempfile

RULES = [ # name, text in derive_shape.c, text without the rule
    ("joined values", "if (joined != NULL)", "if (0)"),
    ("units behind numbers", "p = (has & C_DIGIT) != 0 && (class_of[(unsigned char)*p] & C_DIGIT) != 0 ? behind_unit(q, end) : q;", "p = q;"),
    ("dotted names", " || dots >= 2", ""),
    ("quoted strings", "size_t n = c == '\"' || c == '\\'' ? quoted(m.p, p, end) : 0;", "size_t n = 0;"),
    ("paths", "(p[0] == '/' && slashes >= 2) || (slashes >= 2 && (has & C_COLON) != 0) ||", ""),
    ("days and months", " || ((has & C_UPPER) != 0 && tail == 0 && body == 3 && in_date(p, n, end))", ""),
]
# The two ways of joining a value to a name, apart: each helps one of the six systems only, which says as much as their number allows.
PARTS = [
    ("  name=value alone", "if (p > start && p[-1] == '=')", "if (0)"),
    ("  Name(1) alone", "return numbered > q ? numbered : NULL;", "return NULL;"),
]
SYSTEMS = ["Spark", "BGL", "Thunderbird", "Android", "Apache", "Mac"]
WORTH = 0.0005
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def accuracy(build, data, without, work, known={}):
    key = tuple(sorted(without))
    if key not in known:
        with open(os.path.join(root, "schema/derive_shape.c")) as f:
            text = f.read()
        for name, rule, instead in RULES + PARTS:
            if text.count(rule) != 1 and name in without:
                sys.exit(f"the rule {name} is not written in derive_shape.c as this script knows it")
            text = text.replace(rule, instead) if name in without else text
        source, program = os.path.join(work, "shape.c"), os.path.join(work, "templates")
        with open(source, "w") as f:
            f.write(text)
        subprocess.run(["cc", "-O2", "-w", "-std=gnu17", "-D_GNU_SOURCE", "-I", root, source, os.path.join(root, "bench/templates.c"), os.path.join(build, "schema/liblq_schema.a"),
                        "-lxxhash", "-lpcre2-8", "-lyaml", "-lpthread", "-lm", "-o", program], check=True)
        out = subprocess.run([program, data], check=True, capture_output=True, text=True).stdout
        known[key] = {line.split()[0]: float(line.split()[1]) for line in out.splitlines()[1:]}
    return known[key]


def mean(scores, systems):
    return sum(scores[s] for s in systems) / len(systems)


def row(name, scores):
    print(f"{name:<28}" + "".join(f"{scores[s]:>12.3f}" for s in SYSTEMS) + f"{mean(scores, SYSTEMS):>8.3f}")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, data = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        full = accuracy(build, data, (), work)
        print(f"{'':<28}" + "".join(f"{s:>12}" for s in SYSTEMS) + f"{'mean':>8}")
        row("all rules", full)
        one = {name: accuracy(build, data, (name,), work) for name, _, _ in RULES}
        for name in one:
            row("without " + name, one[name])
        for name, _, _ in PARTS:
            row("without" + name, accuracy(build, data, (name,), work))
        alone = tuple(n for n in one if sum(full[s] - one[n][s] > WORTH for s in SYSTEMS) < 2)
        row("rules that two systems need", accuracy(build, data, alone, work))
        print("  left out there: " + (", ".join(alone) or "none"))
        print(f"\n{'left out':<14}{'all rules':>10}{'rules of the others':>21}  rules that only it justifies")
        held = {}
        for s in SYSTEMS:
            others = [x for x in SYSTEMS if x != s]
            drop = tuple(name for name in one if mean(full, others) - mean(one[name], others) <= WORTH)
            held[s] = accuracy(build, data, drop, work)[s]
            own = [name for name in drop if full[s] - one[name][s] > WORTH]
            print(f"{s:<14}{full[s]:>10.3f}{held[s]:>21.3f}  {', '.join(own) or '-'}")
        print(f"{'mean':<14}{mean(full, SYSTEMS):>10.3f}{mean(held, SYSTEMS):>21.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
