"""A small server that counts what the load generators send."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


class Counting(BaseHTTPRequestHandler):
    """Answers 200, or 401 to a token that came before, or 400 without the name of the host."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        token = self.headers.get("Authorization")
        unnamed = self.headers.get("Host") is None
        self.send_response(400 if unnamed else 401 if token in self.seen else 200)
        if token is not None:
            self.seen.add(token)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def counting_server() -> Iterator[int]:
    Counting.seen = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.handle_error = lambda *_: None  # wrk cuts its connections off
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
