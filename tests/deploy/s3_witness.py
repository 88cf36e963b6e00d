"""A way to an S3 server that notes which actions, as policies call them, are done to what."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import unescape

from tests.servers.http_forward import forward, request_body, send_back


@dataclass(frozen=True, slots=True)
class Deed:
    """One request: the action, the bucket and the key (empty for the bucket itself)."""

    action: str
    bucket: str
    key: str
    prefix: str | None
    only_if_new: bool

    @property
    def resource(self) -> str:
        """Return what a policy calls it."""
        return f"arn:aws:s3:::{self.bucket}" + (f"/{self.key}" if self.key else "")


@dataclass
class Deeds:
    """The address of the way, and what has been done over it."""

    endpoint: str = ""
    done: set[Deed] = field(default_factory=set)


@contextmanager
def witnessed(endpoint: str) -> Iterator[Deeds]:
    """Run the way to the server at ``endpoint`` for as long as the block lasts."""
    deeds, address = Deeds(), urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def handle_one(self) -> None:
            body = list(request_body(self.headers, cast("BinaryIO", self.rfile)))
            if_none_match = self.headers.get("If-None-Match")
            deeds.done |= set(_deeds(self.command, self.path, if_none_match, b"".join(body)))
            send_back(self, forward(self, address, body))

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    deeds.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield deeds
    finally:
        server.shutdown()
        server.server_close()


def _deeds(method: str, path: str, if_none_match: str | None, body: bytes) -> Iterator[Deed]:
    """Name a request as a policy does (Actions, resources, and condition keys for Amazon S3)."""
    parts = urlsplit(path)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    prefix = query.get("prefix", [None])[0]
    if not key and method == "POST" and "delete" in query:  # many at once, named in the body
        for name in re.findall(rb"<Key>(.*?)</Key>", body):
            yield Deed("s3:DeleteObject", bucket, unescape(name.decode()), None, only_if_new=False)
    else:
        yield Deed(_action(method, key, set(query)), bucket, key, prefix, if_none_match == "*")


def _action(method: str, key: str, query: set[str]) -> str:
    if not key:
        return _of_the_bucket(query) if method in {"GET", "HEAD"} else f"?{method}"
    version = "Version" if "versionId" in query else ""
    if method == "DELETE":
        return "s3:AbortMultipartUpload" if "uploadId" in query else f"s3:DeleteObject{version}"
    actions = {"GET": f"s3:GetObject{version}", "HEAD": f"s3:GetObject{version}"}
    return actions.get(method, "s3:PutObject")  # parts of an upload are puts too


def _of_the_bucket(query: set[str]) -> str:
    if "uploads" in query:
        return "s3:ListBucketMultipartUploads"
    return "s3:ListBucketVersions" if "versions" in query else "s3:ListBucket"
