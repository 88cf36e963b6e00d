"""Carries one HTTP request to another server and its reply back, unchanged and in pieces.

The ``Host`` header stays as the client wrote it: S3 signatures cover it.
"""

import http.client
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import BinaryIO

_PIECE = 64 * 1024
_HOP_BY_HOP = (
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_WITHOUT_BODY = (204, 304)


def request_body(headers: Mapping[str, str] | Message, stream: BinaryIO) -> Iterator[bytes]:
    """The body of a request in pieces, whether it has a length, comes in chunks, or is absent.

    Raises ConnectionError if the client stops in the middle.
    """
    if "chunked" in (headers.get("Transfer-Encoding") or "").lower():
        yield from _chunks(stream)
    else:
        yield from _exactly(int(headers.get("Content-Length") or 0), stream)


def _exactly(length: int, stream: BinaryIO) -> Iterator[bytes]:
    while length > 0:
        piece = stream.read(min(length, _PIECE))
        if not piece:
            raise ConnectionError("the client stopped in the middle of a body")
        length -= len(piece)
        yield piece


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        head = stream.readline(_PIECE)
        if not head:
            raise ConnectionError("the client stopped in the middle of a body")
        length = int(head.split(b";")[0], 16)
        if length == 0:
            break
        yield from _exactly(length, stream)
        stream.readline(_PIECE)
    while stream.readline(_PIECE).strip():  # trailers
        pass


def forward(
    request: BaseHTTPRequestHandler, address: str, body: Iterable[bytes]
) -> http.client.HTTPResponse:
    """Send the request to the server at ``host:port`` and give its reply, whose body is unread.

    Raises OSError or HTTPException if the server cannot be reached or breaks off.
    """
    upstream = http.client.HTTPConnection(address, timeout=120)
    upstream.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.items():
        if name.lower() not in _HOP_BY_HOP:
            upstream.putheader(name, value)
    chunked = "Transfer-Encoding" in request.headers
    if chunked:
        upstream.putheader("Transfer-Encoding", "chunked")
    upstream.putheader("Connection", "close")
    upstream.endheaders()
    # A server may refuse before it has read all: then it answers, and closes.
    with suppress(BrokenPipeError, ConnectionResetError):
        for piece in body:
            upstream.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            upstream.send(b"0\r\n\r\n")
    return upstream.getresponse()


def send_back(request: BaseHTTPRequestHandler, reply: http.client.HTTPResponse) -> None:
    """Give the client a reply, in pieces."""
    request.send_response_only(reply.status, reply.reason)
    for name, value in reply.getheaders():
        if name.lower() not in _HOP_BY_HOP:
            request.send_header(name, value)
    has_body = request.command != "HEAD" and reply.status not in _WITHOUT_BODY
    chunked = has_body and reply.getheader("Content-Length") is None
    if chunked:
        request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while has_body and (piece := reply.read(_PIECE)):
        request.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        request.wfile.write(b"0\r\n\r\n")
