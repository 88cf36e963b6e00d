"""An S3 server that misbehaves on demand: a proxy that breaks chosen requests and counts them.

with FaultyS3(s3.endpoint) as proxy:
    rule = proxy.inject(Fault.DROP_REPLY, "PUT", r"/_delta_log/\\d+\\.json", nth=2)
    ...                       # a client that uses proxy.endpoint
    assert rule.done[0].status == 200   # it was written, and the client was not told
"""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.servers.http_forward import forward, request_body, send_back


class Fault(Enum):
    """What can be done to a request. The first five keep it from the server."""

    ERROR_500 = "answer 500"
    ERROR_503 = "answer 503"
    SLOW_DOWN = "answer 503 SlowDown"
    CLOSE = "close the connection"
    HANG = "say nothing for some seconds, then close the connection"
    DELAY = "wait for some seconds, then let the server have it"
    DROP_REPLY = "let the server do it, then close the connection without its reply"
    STALL_REPLY = "let the server do it, say nothing for some seconds, then close the connection"
    ERROR_500_AFTER = "let the server do it, then answer 500 in place of its reply"


_ANSWERS = {
    Fault.ERROR_500: (500, "InternalError"),
    Fault.ERROR_503: (503, "ServiceUnavailable"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.ERROR_500_AFTER: (500, "InternalError"),
}
_AFTER = (Fault.DROP_REPLY, Fault.STALL_REPLY, Fault.ERROR_500_AFTER)
_WAITING = (Fault.HANG, Fault.DELAY, Fault.STALL_REPLY)


class Exchange(NamedTuple):
    """A request, and what the server answered: None if it never had it, or did not answer."""

    method: str
    path: str
    status: int | None


@dataclass
class Rule:
    """Which requests a fault is for, and to which it was done.

    Of the requests that match, retries included, the ``nth`` (from 1) and those after it are hit,
    at most ``times`` of them (None: all). ``seen`` counts the matches.
    """

    fault: Fault
    method: str
    path: re.Pattern[str]
    nth: int
    times: int | None
    seconds: float
    seen: int = 0
    hits: int = 0
    done: list[Exchange] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def wants(self, method: str, path: str) -> bool:
        """Count a request, and tell whether the fault is for it."""
        if method != self.method or self.path.search(path) is None:
            return False
        with self.changed:
            self.seen += 1
            wanted = self.seen >= self.nth and (self.times is None or self.hits < self.times)
            self.hits += wanted
            return wanted

    def note(self, exchange: Exchange) -> None:
        """Write down that the fault was done (for one that waits: is being done)."""
        with self.changed:
            self.done.append(exchange)
            self.changed.notify_all()

    def wait(self, times: int = 1, timeout: float = 60) -> None:
        """Wait until the fault was done so often; raises AssertionError if it is not."""
        with self.changed:
            happened = self.changed.wait_for(lambda: len(self.done) >= times, timeout)
        assert happened, f"{self.fault.name} was done {len(self.done)} times, {self.seen} matched"


class FaultyS3:
    """A proxy in front of an S3 server. Without rules it changes nothing."""

    def __init__(self, endpoint: str) -> None:
        self._upstream = urlsplit(endpoint).netloc
        self._rules: list[Rule] = []
        self._closing = threading.Event()
        self._exchanges: list[Exchange] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> "FaultyS3":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop it; requests that hang are let go."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def inject(
        self,
        fault: Fault,
        method: str,
        path: str,
        *,
        nth: int = 1,
        times: int | None = 1,
        seconds: float = 0,
    ) -> Rule:
        """Add a rule. ``path`` is searched in the path with its query; the first rule that wants a
        request has it. Gives the rule, to ask it later what it did.
        """
        rule = Rule(fault, method, re.compile(path), nth, times, seconds)
        self._rules = [*self._rules, rule]
        return rule

    def clear(self) -> None:
        """Forget all rules. What hangs goes on hanging."""
        self._rules = []

    def exchanges(self, method: str = "", path: str = "") -> list[Exchange]:
        """What came by so far, in the order of the server's answers."""
        return [
            one
            for one in list(self._exchanges)
            if method in ("", one.method) and re.search(path, one.path)
        ]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (OSError, HTTPException):  # either side broke off: so does the other
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def serve(self) -> None:
                proxy._serve(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815

        return Handler

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        rule = next((r for r in self._rules if r.wants(request.command, request.path)), None)
        body = request_body(request.headers, request.rfile)  # type: ignore[arg-type]
        if rule is None:
            self._pass_on(request, body)
        elif rule.fault in _AFTER:
            self._after(rule, request, body)
        else:
            self._before(rule, request, body)

    def _pass_on(self, request: BaseHTTPRequestHandler, body: Iterator[bytes]) -> None:
        with self._forward(request, body) as reply:
            send_back(request, reply)

    def _before(self, rule: Rule, request: BaseHTTPRequestHandler, body: Iterator[bytes]) -> None:
        """Keep a request from the server, at least for a while."""
        kept = Exchange(request.command, request.path, None)
        rule.note(kept)
        closing = rule.fault in _WAITING and self._closing.wait(rule.seconds)
        if rule.fault is Fault.DELAY and not closing:
            self._pass_on(request, body)
        else:
            self._exchanges.append(kept)
            _drain(body)
            _answer(rule.fault, request)

    def _after(self, rule: Rule, request: BaseHTTPRequestHandler, body: Iterator[bytes]) -> None:
        """Let the server do it, and keep its reply from the client."""
        with self._forward(request, body) as reply:
            reply.read()
        rule.note(Exchange(request.command, request.path, reply.status))
        if rule.fault in _WAITING:
            self._closing.wait(rule.seconds)
        _answer(rule.fault, request)

    def _forward(self, request: BaseHTTPRequestHandler, body: Iterator[bytes]) -> HTTPResponse:
        """The server's reply. It is written down before the client can have it."""
        status = None
        try:
            reply = forward(request, self._upstream, body)
            status = reply.status
            _drain(body)
            return reply
        finally:
            self._exchanges.append(Exchange(request.command, request.path, status))


def _drain(body: Iterator[bytes]) -> None:
    """Read what is left: a client that still writes would not see an answer."""
    for _ in body:
        pass


def _answer(fault: Fault, request: BaseHTTPRequestHandler) -> None:
    """An S3 error, or the end of the connection."""
    if fault not in _ANSWERS:
        request.close_connection = True
        return
    status, code = _ANSWERS[fault]
    text = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{fault.value}</Message></Error>"
    )
    has_body = request.command != "HEAD"
    request.send_response_only(status)
    request.send_header("Content-Type", "application/xml")
    request.send_header("Content-Length", str(len(text) if has_body else 0))
    request.end_headers()
    if has_body:
        request.wfile.write(text.encode())
