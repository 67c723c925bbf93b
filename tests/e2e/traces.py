#!/usr/bin/env python3
# Stack traces of six runtimes, sent line by line: test_lqd_traces.sh. SPDX-License-Identifier: MIT
import socket, sys

JAVA = """java.lang.IllegalStateException: no price for 17
	at com.shop.price.PriceService.price(PriceService.java:42)
	at com.shop.web.CartController.total(CartController.java:17)
	at java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.net.SocketTimeoutException: Read timed out
	at java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)
	at com.shop.price.Client.get(Client.java:9)
	... 12 more"""
PYTHON = """Traceback (most recent call last):
  File "/app/shop/main.py", line 31, in handle
    pay(order)
  File "/app/shop/pay.py", line 9, in pay
    raise ValueError("bad card")
ValueError: bad card"""
GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.(*Cart).total(0xc000012345)
	/src/cart.go:17 +0x1d
main.main()
	/src/main.go:9 +0x25
exit status 2"""
DOTNET = """System.InvalidOperationException: no stock
   at Shop.Orders.Place(Order o) in /src/Orders.cs:line 42
   at Shop.Api.Post() in /src/Api.cs:line 7
--- End of stack trace from previous location ---
   at Shop.Program.Main(String[] args)"""
RUBY = """app.rb:3:in `price': no price (KeyError)
	from app.rb:7:in `total'
	from app.rb:11:in `<main>'"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at Cart.total (/app/cart.js:7:12)
    at async /app/server.js:10:3"""
TRACES = [("java", JAVA), ("python", PYTHON), ("go", GO), ("dotnet", DOTNET), ("ruby", RUBY), ("node", NODE)]

def events(second):
    """An ordinary line, then one with a trace, for each runtime: log4j's layout, as these runtimes are often made to write."""
    out = []
    for i, (name, trace) in enumerate(TRACES):
        out.append(["2026-03-02 10:%02d:%02d,000 INFO [main] shop.%s - still fine" % (second, 2 * i, name)])
        out.append(["2026-03-02 10:%02d:%02d,500 ERROR [main] shop.%s - order failed" % (second, 2 * i, name)] + trace.split("\n"))
    return out

def connect(port):
    s = socket.create_connection(("127.0.0.1", port)); s.settimeout(30); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s

class Lines:
    def __init__(self, port): self.s = connect(port)
    def line(self, text): self.s.sendall(text.encode() + b"\n")
    def close(self): self.s.shutdown(socket.SHUT_WR); assert self.s.recv(1) == b""; self.s.close()

class Syslog(Lines):
    def __init__(self, port, pid): Lines.__init__(self, port); self.pid = pid
    def line(self, text):
        if text: Lines.line(self, "<11>Mar  2 10:00:00 web-1 shop[%d]: %s" % (self.pid, text))

class Relp:
    def __init__(self, port, pid):
        self.s = connect(port); self.f = self.s.makefile("rb"); self.n = 1; self.pid = pid; self.unacked = set()
        self.s.sendall(b"1 open 30 relp_version=0\ncommands=syslog\n")
        assert b"200 OK" in self.f.readline()
        while not self.f.readline().startswith(b"commands"): pass
    def line(self, text):
        if not text: return
        self.n += 1
        m = ("<11>Mar  2 10:00:00 web-1 shop[%d]: %s" % (self.pid, text)).encode()
        self.s.sendall(b"%d syslog %d %s\n" % (self.n, len(m), m))
        self.unacked.add(self.n)
    def acknowledged(self):
        while self.unacked:
            answer = self.f.readline(); assert answer.endswith(b"200 OK\n"), answer
            self.unacked.remove(int(answer.split()[0]))
    def close(self):
        self.acknowledged()
        self.s.sendall(b"%d close 0\n" % (self.n + 1)); assert b" rsp 0" in self.f.readline()

def interleaved(a, b):
    """Two writers, line by line in turn: each line of one trace is followed by a line of the other's."""
    x = [l for e in events(0) for l in e]; y = [l for e in reversed(events(1)) for l in e]
    for i in range(max(len(x), len(y))):
        if i < len(x): a.line(x[i])
        if i < len(y): b.line(y[i])

def main():
    how, port = sys.argv[1], int(sys.argv[2])
    if how == "file":
        print("\n".join(l for e in events(0) + events(1) for l in e)); return
    make = {"tcp": lambda pid: Lines(port), "syslog": lambda pid: Syslog(port, pid), "relp": lambda pid: Relp(port, pid)}[how]
    a, b = make(1), make(2)
    interleaved(a, b)
    a.close(); b.close()
    stopped = make(3) # a writer that stops in mid-trace, and neither closes nor goes on
    for l in events(2)[1][:4]: stopped.line(l)
    if how == "relp": stopped.acknowledged()
    print("sent", flush=True)
    sys.stdin.readline()
    stopped.close()

main()
