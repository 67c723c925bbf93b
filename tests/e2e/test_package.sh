#!/usr/bin/env bash
# The .deb: installed under a root of its own, used there, removed without a trace.
set -euo pipefail
has() { grep "$@" >/dev/null; } # reads all: no broken pipes
BUILD=$(cd "$1" && pwd)
for tool in cpack dpkg dpkg-deb man; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: dpkg wants to be root"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export TZ=UTC LC_ALL=C.UTF-8
unset LQ_FORMATS LQ_DATA
(cd "$BUILD" && cpack -G DEB -B "$dir/out" >"$dir/cpack.log" 2>&1) || { cat "$dir/cpack.log"; exit 1; }
deb=$(ls "$dir"/out/*.deb)
dpkg-deb -I "$deb" | has '^ Depends: .*liblmdb0.*libpcre2-8-0' || { echo "dependencies are missing:"; dpkg-deb -I "$deb"; exit 1; }

root=$dir/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
dpkg --root="$root" --force-depends --log=/dev/null -i "$deb" >/dev/null 2>&1 # what it depends on is outside of this root
dpkg --root="$root" -s lq | has '^Status: install ok installed'

lq=$root/usr/bin/lq
"$lq" --version | has '^lq [0-9]'
[ "$("$lq" format list | grep -c .)" -gt 5 ]
mv "$root/usr/share/lq/formats" "$dir/formats" # they are the package's, not those of a source tree
mkdir "$root/usr/share/lq/formats"
[ "$("$lq" format list | grep -c combined)" -eq 0 ] || { echo "formats come from elsewhere"; exit 1; }
rmdir "$root/usr/share/lq/formats"
mv "$dir/formats" "$root/usr/share/lq/formats"
for i in 1 2 3; do echo "10.0.0.$i - - [02/Mar/2026:10:00:0$i +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"-\""; done >"$dir/access.log"
"$lq" load --data "$dir/store" "$dir/access.log" >/dev/null
[ "$("$lq" count --data "$dir/store" --format csv | tail -1)" = "combined,3" ]
[ "$("$lq" 'count by route' - --format csv <"$dir/access.log" | tail -1)" = "combined,/a,3" ]

for page in man1/lq.1 man7/lq-query.7 man8/lqd.8; do
  man -l "$root/usr/share/man/$page.gz" 2>"$dir/warnings" | col -b >"$dir/page" 2>/dev/null || true
  [ ! -s "$dir/warnings" ] || { cat "$dir/warnings"; exit 1; }
  grep -q 'SEE ALSO' "$dir/page"
done
[ -x "$root/usr/libexec/lq-web" ]

# completion: commands, flags, formats, fields, values
complete_with() { # WORD…: what bash offers for the last word
  PATH=$root/usr/bin:$PATH LQ_DATA=$dir/store bash -c '
    . "$1/usr/share/bash-completion/completions/lq"
    shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    compopt() { :; }
    _lq
    printf "%s\n" "${COMPREPLY[@]}"' x "$root" "$@"
}
complete_with lq strea | has -x streams
complete_with lq load --form | has -x -- --format-name
complete_with lq count --format nd | has -x ndjson
complete_with lq values rou | has -x route
complete_with lq "'count by rou" | has -x 'count by route'
complete_with lq "'status = 2" | has -x 'status = 200'
complete_with lq "'count | to" | has -x 'count | top'

dpkg --root="$root" --force-depends --log=/dev/null -P lq >/dev/null 2>&1
left=$(find "$root" -type f -not -path "$root/var/lib/dpkg/*")
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
[ ! -e "$root/usr" ] || [ -z "$(find "$root/usr" -mindepth 1 -path '*lq*')" ]
echo "$(basename "$deb"): installed, used, removed"
