# Shared by the tests of lqd: start and stop it, wait for what it says or stores. Sourced with BUILD set.
# SPDX-License-Identifier: MIT
export TZ=UTC
lq=$BUILD/lq
dir=$(mktemp -d)
pids=()
cleanup() {
  local p
  for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
fail() {
  echo "FAILED: $*"
  echo "--- lqd said:"
  tail -40 "$dir/lqd.log" 2>/dev/null
  exit 1
}

pause() { read -r -t "${1:-0.05}" <> <(:) || true; }

# wait_for WHAT COMMAND…: until the command succeeds; 30 s at most.
wait_for() {
  local what=$1 end=$((SECONDS + 30))
  shift
  while [ $SECONDS -le $end ]; do
    if "$@" >/dev/null 2>&1; then return 0; fi
    pause
  done
  fail "waited in vain: $what"
}

# start_lqd FLAGS…: sets lqd_pid; the log is $dir/lqd.log (appended).
start_lqd() {
  local before
  before=$(grep -c ' ready: ' "$dir/lqd.log" 2>/dev/null || true)
  "$BUILD/lqd" "$@" <&0 2>>"$dir/lqd.log" &
  lqd_pid=$!
  pids+=("$lqd_pid")
  wait_for "lqd to start" eval '[ "$(grep -c " ready: " "$dir/lqd.log")" -gt "'"${before:-0}"'" ] || ! kill -0 $lqd_pid'
  kill -0 "$lqd_pid" 2>/dev/null || fail "lqd did not start"
}

# stop_lqd: SIGTERM; everything is committed, exit status 0.
stop_lqd() {
  local rc=0
  kill -TERM "$lqd_pid"
  wait "$lqd_pid" || rc=$?
  [ $rc -eq 0 ] || fail "lqd ended with status $rc"
}

kill_lqd() {
  kill -9 "$lqd_pid" 2>/dev/null || true
  wait "$lqd_pid" 2>/dev/null || true
}

# port_of NAME: the port that an input listens on (the last one said).
port_of() { sed -n "s/^lqd: $1 listens on .*:\([0-9]*\)$/\1/p" "$dir/lqd.log" | tail -1; }

# stored [QUERY] [STORE]: the number that a query counts, all streams together.
stored() { "$lq" "${1:-count}" --data "${2:-$dir/store}" --since 2000-01-01 --format csv 2>/dev/null | awk -F, 'NR > 1 { n += $NF } END { print n + 0 }'; }
stored_is() { [ "$(stored "$2" "${3:-$dir/store}")" = "$1" ]; }
counter() { "$lq" debug stats --data "${2:-$dir/store}" 2>/dev/null | awk -v c="$1" '$1 == "counter" && $2 == c { print $3 }'; }

verify() { "$lq" debug verify --data "${1:-$dir/store}" >/dev/null || fail "the store is damaged"; }
# all_lines [STORE]: the records of all streams, unparsed ones too.
all_lines() { "$lq" streams --data "${1:-$dir/store}" 2>/dev/null | awk 'NR > 1 { n += $3 } END { print n + 0 }'; }
all_lines_are() { [ "$(all_lines "${2:-$dir/store}")" = "$1" ]; }
