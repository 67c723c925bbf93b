#!/usr/bin/env bash
# What people type wrong, and what is said: wrong.expected has each command with all of its output and its exit status.
# After a change, read the new text as a stranger would: what is wrong, where, what to type instead. Then: test_wrong.sh BUILD SRC --accept
set -uo pipefail
BUILD=$(cd "$1" && pwd)
SRC=$(cd "$2" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC LQ_DATA=$dir/store
"$BUILD/lqgen" --scenario story --days 1 --lines 3000 "$dir/logs" 2>/dev/null
(cd "$dir/logs" && "$BUILD/lq" load web-*/*.log >/dev/null) || exit 1
cd "$dir" || exit 1
while IFS= read -r command; do
  [[ $command == '$ '* ]] || continue
  echo "$command"
  (PATH=$BUILD:$PATH eval "${command#\$ }") 2>&1 </dev/null | sed "s#$dir#DIR#g" | head -12
  echo "exit ${PIPESTATUS[0]}"
  echo
done <"$SRC/tests/e2e/wrong.expected" >"$dir/got"
[ "${3:-}" = --accept ] && cp "$dir/got" "$SRC/tests/e2e/wrong.expected"
diff -u "$SRC/tests/e2e/wrong.expected" "$dir/got" && echo "every mistake is answered as expected"
