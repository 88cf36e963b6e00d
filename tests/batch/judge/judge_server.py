"""A judge's server over HTTP that says what a test wants, and keeps what it was sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.batch.judge import replies


class AnsweringServer(ThreadingHTTPServer):
    """Says pass to every question unless ``says`` gives another reply to a chat."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.status = 200
        self.says: Callable[[bytes], bytes] = lambda _body: replies.body("chat", "pass")
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        """Return the address for `GOLDPAN_JUDGES__URL`."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: AnsweringServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep the request and reply."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(body + str(self.headers).encode())
        is_chat = "chat" in self.path
        reply = self.server.says(body) if is_chat else replies.body("decisions", "pass")
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Say nothing."""


@contextmanager
def judge_server() -> Iterator[AnsweringServer]:
    """Run a server of a judge."""
    with AnsweringServer() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()
