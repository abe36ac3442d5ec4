#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Answers GET /N with N bytes, POST with the SHA-256 of what it got. Usage: web_server.py ADDRESS PORT"""

import hashlib
import http.server
import socket
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer(b"x" * int(self.path[1:]))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest().encode())

    def log_message(self, *_arguments: object) -> None:
        pass


class DualServer(http.server.ThreadingHTTPServer):
    """"::" is every address of either family."""

    address_family = socket.AF_INET6


if __name__ == "__main__":
    server = DualServer((sys.argv[1], int(sys.argv[2])), Handler)
    print("ready", flush=True)
    server.serve_forever()
