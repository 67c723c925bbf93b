#!/usr/bin/env bash
# Followed files: every line once, whatever happens to them - rename, copytruncate, gzip, a reused inode, late directories, kill -9 and restarts.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
logs=$dir/logs
mkdir -p "$logs/web-1"
cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
inputs:
  - {type: tail, paths: [$logs/*/access.log, $logs/late/*/*.log], labels: {env: lab}, poll: 200ms}
YAML
n=0
# write FILE LINES: appends lines that no other line equals.
write() { local i; for ((i = 0; i < $2; i++)); do n=$((n + 1)); printf '10.0.%d.%d - - [02/Mar/2026:10:%02d:%02d +0000] "GET /n/%d HTTP/1.1" 200 %d "-" "c"\n' $((n / 250 % 250)) $((n % 250)) $((n / 60 % 60)) $((n % 60)) $n $n; done >>"$1"; }
all_there() { wait_for "$1: $n lines" all_lines_are "$n"; }

write "$logs/web-1/access.log" 3
start_lqd -c "$dir/lqd.yaml"
all_there "a file that was there"
[ "$(stored 'host = web-1 and env = lab | count')" = 3 ] || fail "labels of the path and of the configuration"
write "$logs/web-1/access.log" 200
all_there "it grows"
printf '10.9.9.9 - - [02/Mar/2026:10:00:00 +0000] "GET /half' >>"$logs/web-1/access.log"
write "$logs/web-1/access.log" 1 # completes no valid line, but one line
all_there "an unfinished line is one line with what follows"

mv "$logs/web-1/access.log" "$logs/web-1/access.log.1"
write "$logs/web-1/access.log.1" 7 # the writer has not reopened yet
write "$logs/web-1/access.log" 20
all_there "rename"
gzip "$logs/web-1/access.log.1"
write "$logs/web-1/access.log" 5
all_there "compressed after rotation"

cp "$logs/web-1/access.log" "$logs/web-1/access.log.copy" && : >"$logs/web-1/access.log" # copytruncate, everything read before
wait_for "the truncation" grep -q 'truncated or written anew' "$dir/lqd.log"
write "$logs/web-1/access.log" 10
all_there "copytruncate"

mkdir -p "$logs/late/web-2"
write "$logs/late/web-2/a.log" 4
all_there "a directory that appears later"
rm "$logs/late/web-2/a.log" && write "$logs/late/web-2/b.log" 6 # most likely the same inode
all_there "a reused inode"
rm -r "$logs/late"
mkdir -p "$logs/late/web-3"
write "$logs/late/web-3/c.log" 6
all_there "a directory that went and came back"

# Rotated while lqd does not run: renamed, and compressed; killed, not stopped.
kill_lqd
write "$logs/web-1/access.log" 100
mv "$logs/web-1/access.log" "$logs/web-1/access.log.1"
write "$logs/web-1/access.log" 50
start_lqd -c "$dir/lqd.yaml"
all_there "renamed while lqd was down"
kill_lqd
write "$logs/web-1/access.log" 60
mv "$logs/web-1/access.log" "$logs/web-1/access.log-20260302" && gzip "$logs/web-1/access.log-20260302"
write "$logs/web-1/access.log" 30
start_lqd -c "$dir/lqd.yaml"
all_there "rotated and compressed while lqd was down"

# A last line without its end counts at the file's end, once, also after a restart.
stop_lqd
start_lqd -c "$dir/lqd.yaml"
write "$logs/web-1/access.log" 2
all_there "after an orderly restart"
stop_lqd
verify
# The files that lqd has read are known to a load, too.
"$lq" load --data "$dir/store" --label env=lab "$logs/web-1/access.log" | grep -q 'already loaded' || fail "lq load reads a followed file again"
[ "$(stored 'stream = combined | count')" = $((n - 1)) ] || fail "parsed lines: $(stored 'stream = combined | count') of $n"
echo "$n lines, each once"
