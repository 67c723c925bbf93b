#!/usr/bin/env python3
"""shop.py - a small shop that serves HTTP, and from version 2.5.0 on really leaks: the prices that a customer has seen are kept for ever, and looked through at each order.

usage: shop.py PORT NAME VERSION LOG STARTED STORY SPEED KEPT-BYTES

Its log has the time of the story, which was STORY when the machine showed STARTED (epoch seconds), and goes SPEED times as fast.
The memory that it may have is limited as a container's is (RLIMIT_AS). Where that ends, Python says MemoryError - nothing is simulated.

SPDX-License-Identifier: MIT"""
import http.server
import os
import resource
import socketserver
import sys
import threading
import time

port, name, version, log_path, started, story, speed = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]), float(sys.argv[6]), float(sys.argv[7])
LEAKS = version.startswith("2.5")
KEPT_BYTES = int(sys.argv[8]) # of a price list, as the leaking cache keeps it
MEMORY_BYTES = 120 << 20
log = open(log_path, "a", buffering=1)
lock = threading.Lock()
seen = [] # the leak


def say(level, text):
    t = story + (time.time() - started) * speed
    with lock:
        log.write("%s,%03d [%s] %s com.shop.Orders - %s\n" % (time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(t)), t % 1 * 1000, name, level, text))


def remember(customer):
    """2.5.0: "keep what a customer has seen, to show him the old price"."""
    seen.append((customer, bytearray(os.urandom(64)) * (KEPT_BYTES // 64)))
    return sum(price.count(b"%d" % (len(seen) % 10), 0, 16000) for _, price in seen) # and look through all of it, each time


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True # head and body go in two writes: the second would wait 40 ms for an acknowledgement

    def log_message(self, *args):
        pass

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        customer = self.headers.get("X-Customer", "0")
        try:
            if self.path.startswith("/products"):
                return self.answer(200, "a product " * 40)
            if self.path.startswith("/prices"):
                if LEAKS:
                    remember(customer)
                return self.answer(200, "a price " * 60)
            if self.path.startswith("/order"):
                if LEAKS:
                    remember(customer)
                if int(customer) % 400 == 7:
                    say("WARN", "card of customer %s declined" % customer)
                    return self.answer(402, "declined")
                basket = bytearray(2 << 20) # what an order needs for a moment
                say("INFO", "order %d of customer %s accepted" % (len(basket) + int(customer), customer))
                return self.answer(200, "thanks")
            return self.answer(404, "nothing here")
        except MemoryError:
            say("ERROR", "MemoryError: cannot serve %s" % self.path.split("/")[1])
            return self.answer(500, "error")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    threading.stack_size(256 << 10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    say("INFO", "starting shop %s" % version)
    Server(("127.0.0.1", port), Shop).serve_forever()
