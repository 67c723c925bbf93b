#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The answer of `lq why` does not depend on threads, on the order of files, nor on whether a store was kept.
set -euo pipefail
KINDS="leak canary bad_client disk_full seasonal_peak" "$2/bench/same_bytes.sh" "$1"
KINDS=host_lost "$2/bench/same_bytes.sh" "$1" "$1" 3 # several hosts fall silent
