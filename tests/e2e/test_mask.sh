#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Masking: nothing personal is in any file of the store, nor in any answer, by whatever way it came; counts and audiences stay what they are.
set -euo pipefail
lq=$1/lq; lqd=$1/lqd
export TZ=UTC
d=$(mktemp -d); pid=; trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$d"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
# planted: addresses, mail, a card, tokens; in targets, referrers, identities, messages, JSON, stack traces, unparsed lines, start-up lines
python3 - "$d" <<'PY'
import json, sys
d = sys.argv[1]
with open(f"{d}/access.log", "w") as f:
    for i in range(600):
        s = 500 if i % 50 == 7 else 200
        f.write(f'203.0.113.{i % 40} - anna.secret@mail.example [02/Mar/2026:10:{i // 60 % 60:02d}:{i % 60:02d} +0000] "GET /u/anna.secret@mail.example/pay?card=4111111111111111&token=hush{i} HTTP/1.1" {s} 512 '
                f'"https://bob:pa55w0rd@ref.example/?mail=anna.secret%40mail.example" "curl/8.5.0"\n')
with open(f"{d}/app.log", "w") as f:
    for i in range(300):
        f.write(f"2026-03-02 10:{i // 60:02d}:{i % 60:02d},000 ERROR [main] com.acme.Pay - card 5555 5555 5555 4444 of anna.secret@mail.example refused, caller 203.0.113.9, Authorization: Bearer hush-bearer-{i}\n")
    f.write("java.lang.IllegalStateException: password=hush2 at 203.0.113.9\n\tat com.acme.Pay.run(Pay.java:12)\n")
    f.write("2026-03-02 10:06:00,000 INFO  [main] com.acme.Main - Starting shop v1.2.3 for anna.secret@mail.example on 203.0.113.9\n")
    f.write("what is this? 203.0.113.77 password: hush3 anna.secret@mail.example\n")
with open(f"{d}/j.log", "w") as f:
    for i in range(200):
        f.write(json.dumps({"time": f"2026-03-02T10:{i // 60:02d}:{i % 60:02d}Z", "level": "error", "user": "anna.secret@mail.example", "client_ip": f"2001:db8::{i % 9 + 1}", "message": f"login of anna.secret@mail.example from 2001:db8::{i % 9 + 1} with token=hush4 failed", "token": f"hush5-{i}"}) + "\n")
PY
secrets='anna[.]secret|mail[.]example|203[.]0[.]113|4111111111111111|5555 5555|hush|pa55w0rd|2001:db8'
clean() { # FOLDER: no file holds any of it, as it is or compressed
    if grep -aElr "$secrets" "$1" >"$d/hits"; then fail "unmasked in $(cat "$d/hits")"; fi
}
answers() { # DATA
    for q in 'count by template' 'count by route' 'count | lines' 'distinct(client)' 'error = true | lines'; do
        "$lq" "$q" --data "$1" --since 2026-03-01 --until 2026-03-03 2>&1 || true
    done
    "$lq" markers --data "$1"; "$lq" templates --data "$1"; "$lq" debug dump --data "$1"; "$lq" why --data "$1" --since 2026-03-01 2>&1 || true
    for f in host service client user route template logger; do "$lq" values $f --data "$1" 2>&1 || true; done
}
"$lq" load --data "$d/s" --mask all --label host=203.0.113.5 "$d/access.log" "$d/app.log" "$d/j.log" >/dev/null
answers "$d/s" >"$d/out" 2>&1
if grep -Eq "$secrets" "$d/out"; then fail "in an answer: $(grep -E "$secrets" "$d/out" | head -3)"; fi
grep -q 'ip-[0-9a-f]\{12\}' "$d/out" && grep -q 'email-[0-9a-f]\{12\}' "$d/out" && grep -q 'card-[0-9a-f]\{12\}' "$d/out" && grep -q 'token-[0-9a-f]\{12\}' "$d/out" || fail "nothing masked is shown"
"$lq" backup "$d/b" --data "$d/s" >/dev/null
[ ! -e "$d/b/mask.key" ] || fail "the backup holds the key"
clean "$d/s"; clean "$d/b"
[ "$(stat -c %a "$d/s/mask.key")" = 600 ] || fail "the key can be read by others"

# without masking all of it is there: the test can fail
"$lq" load --data "$d/u" "$d/access.log" "$d/app.log" >/dev/null
grep -aEq "$secrets" "$d/u/data.mdb" || fail "the check does not see what is not masked"
# counts and distinct counts are those of the unmasked logs
ask() { "$lq" "stream = combined | $1" --data "$2" --since 2026-03-01 --until 2026-03-03 --format csv | tail -1; }
[ "$(ask 'count, errors' "$d/s")" = "$(ask 'count, errors' "$d/u")" ] || fail "counts differ"
before=$(ask 'distinct(client)' "$d/s")
[ "${before##*,}" -ge 36 ] && [ "${before##*,}" -le 44 ] || fail "40 clients are $before"

# remembered by the store: a later load masks too; the same key, the same names
sed 's/203\.0\.113\.1 /203.0.113.1 /; s/10:00/11:00/' "$d/access.log" >"$d/later.log"
"$lq" load --data "$d/s" "$d/later.log" >/dev/null
clean "$d/s"
[ "$(ask 'distinct(client)' "$d/s")" = "$before" ] && [ "$(ask count "$d/s")" = combined,1200 ] || fail "a later load has other names: $(ask 'count, distinct(client)' "$d/s"), before $before"
# the same key elsewhere, the same names; the order does not matter
cp "$d/s/mask.key" "$d/key"
"$lq" load --data "$d/k1" --mask all --mask-key "$d/key" "$d/access.log" "$d/app.log" >/dev/null
"$lq" load --data "$d/k2" --mask all --mask-key "$d/key" --threads 3 "$d/app.log" "$d/access.log" >/dev/null
[ "$("$lq" debug digest --data "$d/k1")" = "$("$lq" debug digest --data "$d/k2")" ] || fail "the digest depends on the order"

echo 00000000000000000000000000000001 >"$d/other.key"
if "$lq" load --data "$d/k1" --mask all --mask-key "$d/other.key" "$d/j.log" 2>"$d/err"; then fail "another key is taken"; fi
grep -q 'is not the key' "$d/err" || fail "$(cat "$d/err")"

# a format that masks by itself; the audience is told from the address before it is masked
mkdir "$d/formats"
cat >"$d/formats/own.yaml" <<'YAML'
name: own
records: requests
mask: ip,email
pattern: '^(?<time>\S+) (?<client>\S+) (?<target>\S+) (?<status>\d{3})$'
time: {field: time, layout: iso8601}
fields: {time: {role: ignore}, client: {role: identity}, target: {role: ignore}, status: {role: dimension}}
derive:
  route: {route: target}
  audience: {cidr: client, map: {203.0.113.0/24: customers, "*": employees}}
YAML
for i in 1 2 3 4 5 6; do echo "2026-03-02T10:00:0${i}Z 203.0.113.$i /a/anna.secret@mail.example 200"; done >"$d/own.log"
"$lq" load --data "$d/o" --formats "$d/formats" --format-name own "$d/own.log" >/dev/null
clean "$d/o"
"$lq" 'count by audience' --data "$d/o" --since 2026-03-01 --until 2026-03-03 | grep -q 'customers.* 6' || fail "the audience of masked addresses"

# live
mkfifo "$d/ready" 2>/dev/null || true
cat >"$d/lqd.yaml" <<YAML
data: $d/live
mask: all
flush_every: 100ms
http: "off"
inputs:
  - {type: tail, paths: ["$d/tail/*.log"], poll: 100ms}
  - {type: stdin}
YAML
mkdir "$d/tail"; cp "$d/app.log" "$d/j.log" "$d/tail/"
"$lqd" -c "$d/lqd.yaml" --once <"$d/access.log" >"$d/lqd.out" 2>&1 || fail "lqd: $(tail -3 "$d/lqd.out")"
clean "$d/live"
n=$("$lq" 'stream = combined | count' --data "$d/live" --since 2026-03-01 --until 2026-03-03 --format csv | tail -1)
[ "${n##*,}" = 600 ] || fail "lqd stored $n"

# wrong words
if "$lq" load --data "$d/w" --mask emial "$d/access.log" 2>"$d/err"; then fail "a wrong word is taken"; fi
grep -q 'did you mean email?' "$d/err" || fail "$(cat "$d/err")"
sed -i 's/^mask: all/mask: emial/' "$d/lqd.yaml"
if "$lqd" -c "$d/lqd.yaml" --check 2>"$d/err"; then fail "a wrong word in the configuration is taken"; fi
grep -q 'lqd.yaml:2:7.*emial' "$d/err" || fail "$(cat "$d/err")"
echo ok
