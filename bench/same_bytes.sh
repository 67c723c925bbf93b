#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: same_bytes.sh BUILD [OTHER_BUILD [SEEDS]]
# Is the answer of `lq why` the same, byte for byte, from two builds (say gcc and clang), for 1, 2 and 4 threads, with the files named in another order, and from a store?
# Incidents of every kind, SEEDS of each (1).
set -euo pipefail
build=$(realpath "$1") other=$(realpath "${2:-$1}") seeds=${3:-1}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC
answers=0
for kind in ${KINDS:-$("$build/lqincident" --list | cut -f1)}; do
  for ((seed = 0; seed < 2 * seeds; seed += 2)); do
    rm -rf "$dir/case"
    "$build/lqincident" --kind "$kind" --seed "$seed" --lines-max 20000 "$dir/case"
    cd "$dir/case"
    mapfile -t files < <(find . -type f ! -name truth.json | sort)
    mapfile -t back < <(printf '%s\n' "${files[@]}" | sort -r)
    "$build/lq" why --format json --threads 1 "${files[@]}" >"$dir/first" 2>"$dir/err" || { cat "$dir/err"; exit 1; }
    same() { # WHAT COMMAND…
      local what=$1
      shift
      "$@" >"$dir/answer" 2>"$dir/err" || { cat "$dir/err"; exit 1; }
      cmp -s "$dir/first" "$dir/answer" || { echo "FAILED: $kind $seed: $what answers something else"; diff "$dir/first" "$dir/answer" | head -20; exit 1; }
      answers=$((answers + 1))
    }
    same "2 threads" "$build/lq" why --format json --threads 2 "${files[@]}"
    same "the other build, 4 threads" "$other/lq" why --format json --threads 4 "${files[@]}"
    same "the other build, files from the last to the first" "$other/lq" why --format json --threads 3 "${back[@]}"
    rm -rf "$dir/store"
    "$other/lq" load --data "$dir/store" --threads 2 "${back[@]}" >/dev/null 2>&1
    same "a store" "$build/lq" why --data "$dir/store" --since 2000-01-01 --format json
    cd - >/dev/null
  done
done
echo "the same bytes: $answers answers"
