#!/usr/bin/env bash
# kill -9 at random moments, a hundred times: the crash test of tests/e2e with an rsyslog (omrelp) besides the client that sends again what was not acknowledged.
# usage: bench/daemon/kill.sh BUILD-DIR [ROUNDS [SEED]]
# SPDX-License-Identifier: MIT
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ROUNDS=${2:-100} SEED=${3:-1} WITH_RSYSLOG=1 exec bash "$root/tests/e2e/test_lqd_crash.sh" "$(realpath "$1")" "$root"
