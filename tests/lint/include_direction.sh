#!/usr/bin/env bash
# Include direction: schema/base <- schema <- store <- {ingest, query}; ingest and query never see each other except in the
# composition roots. PCRE2 and libyaml only in schema/, LMDB only in store/, libev only in ingest/ and query/http/.
set -u
cd "$2" || exit 3
bad=0
complain() { echo "$1"; bad=1; }

includes() { grep -nE '^#include "' "$@" 2>/dev/null | sed -E 's/^([^:]+):([0-9]+):#include "([^"]+)".*/\1 \2 \3/'; }

while read -r file line inc; do
  case "$file" in
  schema/base/*) [[ $inc == schema/base/* ]] || complain "$file:$line: schema/base must not include $inc" ;;
  schema/*) [[ $inc == schema/* ]] || complain "$file:$line: schema must not include $inc" ;;
  store/*) [[ $inc == schema/* || $inc == store/* ]] || complain "$file:$line: store must not include $inc" ;;
  ingest/lqd.c | ingest/lqd_push.[ch] | query/lq.c | query/cli/cmd_load.c | query/cli/cmd_why.c | query/cli/cmd_format.c) ;;
  ingest/*) [[ $inc == query/* ]] && complain "$file:$line: ingest must not include $inc" ;;
  query/*) [[ $inc == ingest/* ]] && complain "$file:$line: query must not include $inc" ;;
  esac
  case "$inc" in */lqd.c | */lq.c | */cmd_load.c | */cmd_why.c) complain "$file:$line: a composition root is included" ;; esac
  [[ $inc == */* ]] || complain "$file:$line: include by the path from the top: $inc"
done < <(find schema store ingest query -name '*.[ch]' -print0 | sort -z | while IFS= read -r -d '' f; do includes "$f" /dev/null; done)

only() { # HEADER REGEX-OF-FOLDERS
  while read -r f; do
    [[ $f =~ $2 ]] || complain "$f: $1 belongs elsewhere"
  done < <(grep -rlE "^#include <$1>" schema store ingest query --include='*.[ch]')
}
only 'pcre2\.h' '^schema/'
only 'yaml\.h' '^schema/'
only 'lmdb\.h' '^store/'
only 'ev\.h' '^(ingest/|query/http/)'

for f in $(git ls-files '*.c' '*.h' 2>/dev/null); do
  grep -q 'SPDX-License-Identifier: MIT' "$f" || complain "$f: no SPDX line"
  n=$(wc -l <"$f")
  [ "$n" -le 700 ] || complain "$f: $n lines; look for the second noun"
done
for d in $(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u); do
  case "$d" in ingest | store | query | schema | tests | bench | CMakeLists.txt | README.md | CMakePresets.json | run | .*) ;; *) complain "$d: not a top-level name of this project" ;; esac
done
[ $bad -eq 0 ] && echo "include direction, licences and names hold"
exit $bad
