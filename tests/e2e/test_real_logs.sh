#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Services, levels, exceptions and templates of real logs against an independent count (tests/support/real_logs.py).
set -euo pipefail
data=$2/../shared/data
if [ ! -d "$data/nezha" ] || [ ! -f "$data/access/auth.log" ]; then
    echo "skipped: ../shared/data/nezha and ../shared/data/access/auth.log are not there"
    exit 77
fi
export TZ=UTC
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
python3 "$2/tests/support/real_logs.py" "$1/lq" "$data" "$d"
