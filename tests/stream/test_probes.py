"""The metrics port is open to clients that are not ours: none of them spends the worker's means."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from stream import probes
from stream.probes import MAX_CONNECTIONS, ProbeServer

HALF = b"GET /livez HTTP/1.1\r\n"


@pytest.fixture
def probes_port() -> Iterator[int]:
    """Return the port of probes that are well."""
    served = ProbeServer("127.0.0.1", 0, registry=CollectorRegistry(), live=_well, ready=_well)
    yield served.port
    served.close()


def _well() -> None:
    return None


def _connected(stack: contextlib.ExitStack, port: int) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))


def _live(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/livez", timeout=60) as reply:
        return int(reply.status)


@pytest.mark.parametrize("said", [b"", HALF, b"GET /metrics HTTP/1.1\r\nHost: a\r\n"])
def test_half_open_clients_do_not_crowd_out_a_probe(probes_port: int, said: bytes) -> None:
    """However many connections say half a request, a probe is answered and threads stay few."""
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        clients = [_connected(stack, probes_port) for _ in range(4 * MAX_CONNECTIONS)]
        for client in clients:
            with contextlib.suppress(OSError):  # it may have been ended already
                client.sendall(said)
        assert _live(probes_port) == 200
        for client in clients[: 2 * MAX_CONNECTIONS]:
            assert _rest(client) == b""
        assert threading.active_count() - before <= 2 * MAX_CONNECTIONS


def _rest(client: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    try:
        return client.recv(100)
    except ConnectionError:
        return b""


def test_a_silent_client_is_not_waited_for(
    probes_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a request and then nothing: the connection is closed after some seconds."""
    monkeypatch.setattr("stream.probes._Quiet.timeout", 0.2)
    with contextlib.ExitStack() as stack:
        client = _connected(stack, probes_port)
        client.sendall(HALF)
        assert _rest(client) == b""


def test_a_client_that_never_ends_is_ended(
    probes_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header a moment, for ever, is not silent; it is closed all the same."""
    monkeypatch.setattr(probes, "MAX_REQUEST_SECONDS", 0.5)
    with contextlib.ExitStack() as stack:
        client = _connected(stack, probes_port)
        client.sendall(HALF)
        client.settimeout(0.1)
        for number in range(600):
            try:
                client.sendall(b"X-%d: y\r\n" % number)
                if client.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
        pytest.fail("it was served for a minute")


def test_a_client_that_reads_nothing_is_ended(
    probes_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """One that goes in the middle of an answer leaves no trace in the log."""
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            client = _connected(stack, probes_port)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
            client.close()
    assert _live(probes_port) == 200
    assert "Traceback" not in capfd.readouterr().err
