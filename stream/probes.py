"""The worker's HTTP port: /metrics, /livez and /readyz."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from schemas.errors import FatalError

Health = Callable[[], str | None]
"""Returns None if all is well, or one sentence that says what is not."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing: a probe comes every few seconds."""


class Probes:
    """Serves until closed. ``live`` and ``ready`` are asked at each request."""

    def __init__(
        self, host: str, port: int, *, registry: CollectorRegistry, live: Health, ready: Health
    ) -> None:
        app = _application(make_wsgi_app(registry), live=live, ready=ready)
        try:
            self._server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
        except OSError as error:
            raise FatalError(
                f"the metrics port {host}:{port} cannot be opened ({error.strerror}): "
                "set GOLDPAN_METRICS__PORT to a free one, or to 0 for none"
            ) from None
        self.port = int(self._server.server_port)
        threading.Thread(target=self._server.serve_forever, name="probes", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _application(metrics: Any, *, live: Health, ready: Health) -> Any:
    checks = {"/livez": live, "/readyz": ready}

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)  # type: ignore[no-any-return]
        if path not in checks:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"there are /metrics, /livez and /readyz\n"]
        trouble = checks[path]()
        status = "200 OK" if trouble is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [((trouble or "ok") + "\n").encode()]

    return application
