#!/usr/bin/env bash
# lqd beside the real senders: rsyslog (UDP, TCP with LF and octet counts, TLS with client certificates, RELP), syslog-ng (TCP, octet counts, UDP, TLS), nginx, logrotate.
# SPDX-License-Identifier: MIT
set -euo pipefail
BUILD=$1
. "$2/tests/e2e/daemon.sh"
PATH=$PATH:/usr/sbin:/sbin
for tool in rsyslogd nginx logrotate openssl; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done

# An authority, a server and two clients.
mkdir "$dir/tls" "$dir/rsyslog" "$dir/nginx" "$dir/logs"
cd "$dir/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=authority -keyout ca.key -out ca.pem 2>/dev/null
for who in server sender stranger; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$who.test" -keyout $who.key -out $who.csr 2>/dev/null
  openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile <(echo "subjectAltName=DNS:$who.test,IP:127.0.0.1") -out $who.pem 2>/dev/null
done
cd - >/dev/null

cat >"$dir/lqd.yaml" <<YAML
data: $dir/store
http: off
tz: UTC
inputs:
  - {type: syslog_udp, name: udp, listen: 127.0.0.1:0, labels: {via: udp}}
  - {type: syslog_tcp, name: lf, listen: 127.0.0.1:0, labels: {via: lf}}
  - {type: syslog_tcp, name: octets, listen: 127.0.0.1:0, labels: {via: octets}}
  - {type: syslog_tls, name: tls, listen: 127.0.0.1:0, labels: {via: tls}, certificate: $dir/tls/server.pem, key: $dir/tls/server.key, ca: $dir/tls/ca.pem, client_certificate: required, allow: [sender.test]}
  - {type: relp, name: relp, listen: 127.0.0.1:0, labels: {via: relp}}
  - {type: syslog_udp, name: nginx, listen: 127.0.0.1:0, labels: {via: nginx}}
  - {type: tail, name: rotated, paths: ['$dir/logs/app.log*'], labels: {via: tail}, poll: 200ms}
YAML
"$BUILD/lqd" -c "$dir/lqd.yaml" --check >/dev/null || fail "--check"
start_lqd -c "$dir/lqd.yaml"

# ---- rsyslog ----
forward() { # NAME PORT CERTIFICATE: a configuration that reads NAME.in
  cat <<CONF
global(workDirectory="$dir/rsyslog" defaultNetstreamDriverCAFile="$dir/tls/ca.pem" defaultNetstreamDriverCertFile="$dir/tls/$1.pem" defaultNetstreamDriverKeyFile="$dir/tls/$1.key")
module(load="imfile")
module(load="omrelp")
input(type="imfile" file="$dir/rsyslog/in" tag="shop:" facility="local3" severity="warning")
action(type="omfwd" target="127.0.0.1" port="$(port_of udp)" protocol="udp")
action(type="omfwd" target="127.0.0.1" port="$(port_of lf)" protocol="tcp" template="RSYSLOG_ForwardFormat")
action(type="omfwd" target="127.0.0.1" port="$(port_of octets)" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" target="127.0.0.1" port="$(port_of tls)" protocol="tcp" StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="server.test" TCP_Framing="octet-counted")
action(type="omrelp" target="127.0.0.1" port="$(port_of relp)" windowSize="1000")
CONF
}
run_rsyslog() { # NAME
  forward "$1" >"$dir/rsyslog/conf"
  rsyslogd -n -f "$dir/rsyslog/conf" -i "$dir/rsyslog/pid" 2>"$dir/rsyslog/log" &
  rsyslog_pid=$!
  pids+=("$rsyslog_pid")
}
end_rsyslog() { kill -TERM "$rsyslog_pid"; wait "$rsyslog_pid" || true; }
seq -f 'order %g of customer 7 failed after 30 ms' 1000 >"$dir/rsyslog/in"
run_rsyslog sender
for via in udp lf octets tls relp; do
  wait_for "rsyslog by $via" stored_is 1000 "via = $via and service = shop and severity = warning and facility = local3 | count"
done
[ "$(stored 'stream = syslog and template = "order <*> of customer <*> failed after <*>" | count')" = 5000 ] || fail "one template for all: $("$lq" 'count by template' --data "$dir/store" --since 2000-01-01)"
end_rsyslog
# A client whose name is not allowed gets nothing in; one without a certificate neither.
rm -f "$dir"/rsyslog/imfile-state*
forward stranger | grep -v 'type="omrelp"\|protocol="udp"\|template=' >"$dir/rsyslog/conf2"
rsyslogd -n -f "$dir/rsyslog/conf2" -i "$dir/rsyslog/pid2" 2>/dev/null &
rsyslog_pid=$!
pids+=("$rsyslog_pid")
wait_for "the stranger to be refused" grep -q 'not in `allow`' "$dir/lqd.log"
end_rsyslog
[ "$(stored 'via = tls | count')" = 1000 ] || fail "a stranger's messages came in"

# ---- syslog-ng (it cannot be installed beside rsyslog: `run` unpacks it to build/peers/syslog-ng) ----
ng=${SYSLOG_NG_ROOT:-$2/build/peers/syslog-ng}
if [ -x "$ng/usr/sbin/syslog-ng" ]; then
  cat >"$dir/ng.conf" <<CONF
@version: 3.38
source s { file("$dir/ng.in" program-override("ngshop") follow-freq(1) flags(no-parse)); };
destination lf { network("127.0.0.1" port($(port_of lf)) transport("tcp")); };
destination octets { syslog("127.0.0.1" port($(port_of octets)) transport("tcp")); };
destination udp { network("127.0.0.1" port($(port_of udp)) transport("udp")); };
destination tls { syslog("127.0.0.1" port($(port_of tls)) transport("tls") tls(ca-file("$dir/tls/ca.pem") cert-file("$dir/tls/sender.pem") key-file("$dir/tls/sender.key") peer-verify(required-trusted))); };
log { source(s); destination(lf); destination(octets); destination(udp); destination(tls); };
CONF
  seq -f 'item %g sold' 1000 >"$dir/ng.in"
  LD_LIBRARY_PATH=$(echo "$ng"/lib/*/ "$ng"/usr/lib/*/ "$ng"/usr/lib/syslog-ng/* | tr ' ' ':') "$ng/usr/sbin/syslog-ng" -F --no-caps -f "$dir/ng.conf" -R "$dir/ng.persist" -p "$dir/ng.pid" -c "$dir/ng.ctl" \
    --module-path "$(echo "$ng"/usr/lib/syslog-ng/*/)" 2>"$dir/ng.log" &
  ng_pid=$!
  pids+=("$ng_pid")
  for via in lf octets udp tls; do
    wait_for "syslog-ng by $via" stored_is 1000 "service = ngshop and via = $via | count"
  done
  kill -TERM $ng_pid
  wait $ng_pid || true
  ng="syslog-ng by four"
else
  ng="(syslog-ng is not there: its part is skipped; ./run deps unpacks it)"
fi

# ---- nginx ----
cat >"$dir/nginx/conf" <<CONF
daemon off;
master_process off;
pid $dir/nginx/pid;
error_log syslog:server=127.0.0.1:$(port_of nginx),tag=nginxerr info;
events {}
http {
  access_log syslog:server=127.0.0.1:$(port_of nginx),tag=nginx combined;
  client_body_temp_path $dir/nginx/a; proxy_temp_path $dir/nginx/b; fastcgi_temp_path $dir/nginx/c; uwsgi_temp_path $dir/nginx/d; scgi_temp_path $dir/nginx/e;
  server { listen unix:$dir/nginx/sock; location / { return 200 "x"; } location /bad { return 503; } }
}
CONF
nginx -p "$dir/nginx" -c "$dir/nginx/conf" 2>"$dir/nginx/log" &
nginx_pid=$!
pids+=("$nginx_pid")
wait_for "nginx" test -S "$dir/nginx/sock"
python3 - "$dir/nginx/sock" <<'PY'
import socket, sys
for i in range(60):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    s.sendall(b"GET %s/%d HTTP/1.0\r\nHost: x\r\n\r\n" % (b"/bad" if i % 6 == 0 else b"/item", i))
    while s.recv(4096): pass
    s.close()
PY
wait_for "nginx by syslog" stored_is 60 'stream = combined and via = nginx and service = nginx | count'
[ "$(stored 'stream = combined and status = 503 | errors')" = 10 ] || fail "nginx errors"
kill -TERM $nginx_pid
wait $nginx_pid || true

# ---- logrotate: rename and compress, then copytruncate ----
sent=0
write() { local i; for ((i = 0; i < $2; i++)); do sent=$((sent + 1)); echo "2026-03-02 10:00:00,000 [main] INFO shop.Order - order $sent done"; done >>"$1"; }
rotate() { logrotate -f -s "$dir/rotate.state" "$dir/rotate.conf"; }
log=$dir/logs/app.log
chmod 755 "$dir" "$dir/logs"
echo "$log { su $(id -un) $(id -gn)
 rotate 5
 compress
 delaycompress
 create
}" >"$dir/rotate.conf"
chmod 644 "$dir/rotate.conf"
for _ in 1 2 3 4; do
  write "$log" 150
  rotate
done
write "$log" 20
wait_for "logrotate: rename, compress" stored_is $sent 'via = tail | count'
echo "$log { su $(id -un) $(id -gn)
 rotate 5
 copytruncate
}" >"$dir/rotate.conf"
rotate
wait_for "the truncation" grep -q 'truncated or written anew' "$dir/lqd.log"
write "$log" 30
wait_for "logrotate: copytruncate" stored_is $sent 'via = tail | count'

stop_lqd
verify
echo "rsyslog by five ways, $ng, nginx, logrotate: every message once"
