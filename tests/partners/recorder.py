"""A server in the place of a tool's own: keeps each request that an SDK sends."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeAlias

Reply: TypeAlias = Callable[[str, Any], Any]
"""Answers a request, by its path and body (None for GET), with JSON."""


@dataclass
class Recorder:
    """The address, and the bodies by path: JSON, or bytes that are something else."""

    address: str
    bodies: list[tuple[str, Any]] = field(default_factory=list)


def accept(path: str, body: Any) -> dict[str, Any]:
    """Answer as the tools do that say little."""
    return {} if body is None else {"successes": [], "errors": [], "data": []}


@contextmanager
def recording(reply: Reply = accept) -> Iterator[Recorder]:
    """Run a recorder on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two wait for each other's receipt

        def do_GET(self) -> None:
            self._reply(reply(self.path, None))

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            body = _decoded(data)
            recorder.bodies.append((self.path, body))
            self._reply(reply(self.path, body))

        def _reply(self, document: Any) -> None:
            data = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorder = Recorder(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield recorder
        server.shutdown()


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data
