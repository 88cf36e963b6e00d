"""A server of a judge on this machine that passes whatever it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.batch.judge import replies


class PassingServer(ThreadingHTTPServer):
    """Says pass to every question, and keeps each byte that it was sent."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: PassingServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep the request and reply."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(body + str(self.headers).encode())
        reply = replies.body("chat" if "chat" in self.path else "decisions", "pass")
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Say nothing."""


@contextmanager
def passing_server() -> Iterator[PassingServer]:
    """Run a server."""
    with PassingServer() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()
