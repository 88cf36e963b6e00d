"""The worker's HTTP server: /metrics, /livez and /readyz."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from schemas.errors import FatalError

HealthCheck = Callable[[], str | None]
"""Returns None if healthy, otherwise one sentence that describes the fault."""


MAX_CONNECTIONS: Final = 32
IDLE_SECONDS: Final = 5.0
"""A client that sends nothing for this long within a request is disconnected."""
MAX_REQUEST_SECONDS: Final = 30.0
"""The limit for a request and its response, even while data flows."""

_Socket = socket.socket | tuple[bytes, socket.socket]


class _Server(ThreadingMixIn, WSGIServer):
    """Serves each connection in a thread, with limits on their number and duration.

    Half-open connections must not use up the worker's file handles and threads. Above the limit,
    the oldest connection is closed for the newest, so that a probe still gets its answer.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *of: Any, **more: Any) -> None:
        self._open: dict[_Socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(*of, **more)

    def process_request(self, request: _Socket, client_address: Any) -> None:
        """Serve a connection; close the oldest ones if there are too many."""
        with self._lock:
            self._open[request] = time.monotonic()
            surplus = list(self._open)[:-MAX_CONNECTIONS]
        for connection in surplus:
            self._end(connection)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Close connections that have lasted too long; called about twice a second."""
        super().service_actions()
        before = time.monotonic() - MAX_REQUEST_SECONDS
        with self._lock:
            late = [connection for connection, since in self._open.items() if since < before]
        for connection in late:
            self._end(connection)

    def shutdown_request(self, request: _Socket) -> None:
        """Close a connection that has been served."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: _Socket, client_address: Any) -> None:
        """Ignore the error: the client has disconnected, or was too slow."""

    def _end(self, request: _Socket) -> None:
        """Shut a connection down; its thread then closes it."""
        with self._lock:
            self._open.pop(request, None)
        with contextlib.suppress(OSError):
            if isinstance(request, socket.socket):
                request.shutdown(socket.SHUT_RDWR)


class _Quiet(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def log_message(self, *args: Any) -> None:
        """Log nothing: a probe comes every few seconds."""


class ProbeServer:
    """Serves until closed. ``live`` and ``ready`` are called for each request."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        registry: CollectorRegistry,
        live: HealthCheck,
        ready: HealthCheck,
    ) -> None:
        app = _application(make_wsgi_app(registry), live=live, ready=ready)
        try:
            self._server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
        except OSError as error:
            raise FatalError(
                f"the metrics port {host}:{port} cannot be opened ({error.strerror}): "
                "set GOLDPAN_METRICS__PORT to a free port, or to 0 to disable it"
            ) from None
        self.port = int(self._server.server_port)
        threading.Thread(target=self._server.serve_forever, name="probes", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _application(metrics: Any, *, live: HealthCheck, ready: HealthCheck) -> Any:
    checks = {"/livez": live, "/readyz": ready}

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        if path not in checks:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"there are /metrics, /livez and /readyz\n"]
        trouble = checks[path]()
        status = "200 OK" if trouble is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [((trouble or "ok") + "\n").encode()]

    return application
