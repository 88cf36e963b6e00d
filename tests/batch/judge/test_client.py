"""Where a judge's questions go, when they are sent again, and what is never told."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from batch.judge.client import CallLimits, Delivery, JudgeClient
from batch.judge.server import allowed_server, read_server_key
from batch.judge.waits import RetryWaits, is_retried
from judges.definition import DEFAULT_THRESHOLDS
from judges.wires import WireRequest
from schemas.errors import UsageError
from tests.batch.judge import replies
from tests.batch.judge.hostile_server import HostileRequest, HostileServer, Pause, Script, reply
from tests.judges.kit import CHAT

KEY = "sk-canary-5f2d8a"
GOOD = replies.body("chat", "pass")
NOON = 1_700_000_000.0


def always(*steps: bytes | Pause) -> Script:
    """Return a script that sends the same whenever it is asked."""
    return lambda _request: steps


def request(case: int = 0) -> WireRequest:
    """Return a request that the server takes for a case."""
    return WireRequest("/v1/chat/completions", {"model": "m", "text": f"case {case}. \ud800é"})


def waits(uniform: Callable[[float, float], float] = lambda _low, high: high) -> RetryWaits:
    """Return the usual waits, each as long as it can be."""
    return RetryWaits(uniform, lambda: NOON)


def send(
    server: HostileServer, requests: list[WireRequest], key: str | None = None
) -> tuple[list[Delivery], list[float]]:
    """Send requests, and return what came of them and how long it would have waited."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    allowed = allowed_server(server.address, [])
    if key is not None:
        allowed = type(allowed)(allowed.address, SecretStr(key))
    with JudgeClient(allowed, waits(), time.monotonic, sleep=sleep) as client:
        return client.send_all(requests), slept


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("https://api.example.com", "api.example.com"),
        ("https://api.example.com/v1", "API.example.com"),
        ("https://api.example.com:8443/llm", "api.example.com"),
        ("https://api.example.com", "api.example.com:443"),
        ("https://api.example.com.", "api.example.com"),
        ("http://judge.internal:8000", "http://judge.internal:8000"),
        ("http://judge.internal:8000", "http://judge.internal"),
        ("https://[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_a_host_on_the_list_is_allowed(address: str, entry: str) -> None:
    """With any path, and any port unless one is listed."""
    assert allowed_server(address, ["elsewhere.example", entry]).address == address


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"]
)
def test_this_machine_needs_no_entry(address: str) -> None:
    """Nothing leaves it."""
    assert allowed_server(address, []).address == address


@pytest.mark.parametrize(
    ("address", "entries"),
    [
        ("https://api.example.com", []),
        ("https://api.example.com", ["example.com", "api.example.org", "", "http://", "*"]),
        ("https://api.example.com.evil.example", ["api.example.com"]),
        ("https://evil.example/api.example.com", ["api.example.com"]),
        ("http://api.example.com", ["api.example.com"]),
        ("https://judge.internal", ["http://judge.internal"]),
        ("https://api.example.com:444", ["api.example.com:443"]),
        ("http://127.0.0.2", []),
        ("http://localhost.evil.example", []),
        ("http://2130706433", []),
        ("http://0.0.0.0", []),
        ("https://[2001:db8::1]", ["2001:db8::2", "[::1"]),
    ],
)
def test_a_host_that_is_not_on_the_list_is_refused(address: str, entries: list[str]) -> None:
    """The message says what to add, if rows may go there."""
    with pytest.raises(UsageError, match=r"not on the list.*ALLOWED_HOSTS"):
        allowed_server(address, entries)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        f"https://user:{KEY}@api.example.com",
        f"https://{KEY}@127.0.0.1",
        f"https://api.example.com/v1?key={KEY}",
        "https://api.example.com:99999",
        "https://api.example.com:abc",
        "https://[::1",
        "https:///v1",
    ],
)
def test_what_is_no_address_is_refused_without_being_told(address: str) -> None:
    """A password in it is told to nobody."""
    with pytest.raises(UsageError, match="GOLDPAN_JUDGES__URL") as refused:
        allowed_server(address, ["api.example.com"])
    assert KEY not in str(refused.value)


def test_the_key_is_read_from_a_file_and_sent_as_a_bearer(tmp_path: Path) -> None:
    """Without the line end that editors leave."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    with HostileServer({0: always(reply(GOOD))}, keep_seen=True) as server:
        allowed = allowed_server(server.address, [], file)
        with JudgeClient(allowed, waits(), time.monotonic) as client:
            client.send_all([request()])
    assert server.seen[0].headers["authorization"] == f"bearer {KEY}"
    assert KEY not in repr(allowed)


@pytest.mark.parametrize("content", ["", " \n", "two words", "sk-\x01", "clé", "a\nb", "x" * 5_000])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    """No header could hold it, and the message does not."""
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(UsageError, match="GOLDPAN_JUDGES__KEY_FILE") as refused:
        read_server_key(file)
    assert not content.strip() or content.strip() not in str(refused.value)


def test_neither_key_nor_text_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the server echoes, what goldpan keeps of a call shows neither."""
    scripts = {
        0: always(reply(GOOD)),
        1: always(reply(KEY.encode(), 401)),
        2: always(reply(KEY.encode() + GOOD, 200)),
    }
    with caplog.at_level(logging.WARNING), HostileServer(scripts) as server:
        deliveries, _ = send(server, [request(case) for case in scripts], KEY)
    shown = repr(deliveries) + caplog.text
    assert KEY not in shown
    assert "verdict" not in shown
    reasons = [each.reply(CHAT, DEFAULT_THRESHOLDS).answer.reason for each in deliveries]
    assert reasons == [None, "unavailable", "contradictory"]
    assert [each.is_denied for each in deliveries] == [False, True, False]


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not on the list of hosts."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with HostileServer({0: always(reply(GOOD))}) as server:
        deliveries, _ = send(server, [request()])
    assert deliveries[0].body == GOOD


def test_a_redirection_is_not_followed() -> None:
    """Neither the rows nor the key go to where it points."""
    with HostileServer({0: always(reply(GOOD))}) as other:
        scripts = {0: always(reply(b"", 307, Location=f"{other.address}/v1/chat/completions"))}
        with HostileServer(scripts) as server:
            deliveries, _ = send(server, [request()], KEY)
    assert deliveries[0].reason == "unavailable"
    assert not other.calls


def test_the_server_says_how_long_to_wait() -> None:
    """Every wait is at least as long as it asks for."""

    def script(call: HostileRequest) -> list[bytes]:
        asked = {1: "7", 2: "Tue, 14 Nov 2023 22:13:50 GMT"}
        after = asked.get(call.call)
        return [reply(GOOD)] if after is None else [reply(b"", 429, Retry_After=after)]

    with HostileServer({0: script}) as server:
        deliveries, slept = send(server, [request()])
    assert (deliveries[0].body, deliveries[0].calls) == (GOOD, 3)
    assert slept == [7.5, 30.5]


def test_waits_grow_and_end() -> None:
    """Five calls at most; a server that says nothing is given more time each time."""
    with HostileServer({0: always(reply(b"", 503))}) as server:
        deliveries, slept = send(server, [request()])
    assert server.calls == {0: 5}
    assert (deliveries[0].reason, deliveries[0].status, deliveries[0].calls) == (
        "unavailable",
        503,
        5,
    )
    assert slept == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        (None, 0.5),
        ("0", 0.5),
        (" 3 ", 3.5),
        ("2.5", 3.0),
        ("60", 60.5),
        ("61", None),
        ("999999999", None),
        ("9" * 400, 0.5),
        ("-5", 0.5),
        ("nan", 0.5),
        ("soon", 0.5),
        ("", 0.5),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.5),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.5),
        ("Fri, 14 Nov 9999 22:13:30 GMT", None),
        ("Fri, 99 Nov 9999 99:13:30 GMT", 0.5),
    ],
)
def test_a_wait_is_as_long_as_asked_or_none(retry_after: str | None, wait: float | None) -> None:
    """A server that asks for more than a minute is not called before its time."""
    assert waits().before(1, 0.0, retry_after) == pytest.approx(wait) if wait else True
    assert (waits().before(1, 0.0, retry_after) is None) == (wait is None)


def test_all_waits_together_are_bounded() -> None:
    """So a call ends, whatever the server asks for."""
    assert waits().before(1, 150.0, "20") == 20.5
    assert waits().before(1, 170.0, "20") is None


def test_a_wait_is_drawn() -> None:
    """Clients that were refused together do not come back together."""
    drawn = {waits(draw.uniform).before(3, 0.0, None) for draw in map(random.Random, range(20))}
    assert len(drawn) == 20
    assert all(wait is not None and 0 <= wait <= 2 for wait in drawn)


def test_only_what_may_pass_is_sent_again() -> None:
    """429 and 5xx, without those that say that they will not."""
    assert [
        status for status in (200, 400, 408, 429, 500, 501, 503, 505, 529) if is_retried(status)
    ] == [
        429,
        500,
        503,
        529,
    ]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """It was never reached, so it is tried again, and then left to a later run."""
    with HostileServer({}) as server:
        pass
    deliveries, slept = send(server, [request()])
    assert (deliveries[0].reason, deliveries[0].status, deliveries[0].calls) == (
        "unavailable",
        None,
        5,
    )
    assert len(slept) == 4


def test_calls_are_made_side_by_side_and_no_more_than_allowed() -> None:
    """Each is told as soon as it is known, and the result is in the order of the requests."""
    running, most = 0, 0

    def script(_request: HostileRequest) -> list[bytes | Pause]:
        return [Pause(0.01), reply(GOOD)]

    class Counted(HostileServer):
        async def _play(self, steps, writer):  # type: ignore[no-untyped-def]
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await super()._play(steps, writer)
            finally:
                running -= 1

    told: list[int] = []
    with Counted(dict.fromkeys(range(40), script)) as server:
        limits = CallLimits(concurrency=4)
        client = JudgeClient(
            allowed_server(server.address, []), waits(), time.monotonic, limits=limits
        )
        with client:
            deliveries = client.send_all(
                [request(case) for case in range(40)], lambda at, _delivery: told.append(at)
            )
    assert [delivery.body for delivery in deliveries] == [GOOD] * 40
    assert sorted(told) == list(range(40))
    assert 1 < most <= 4


def test_a_client_may_be_used_by_one_thread_after_the_other() -> None:
    """As evaluations elsewhere do, which have threads of their own."""
    with HostileServer(dict.fromkeys(range(3), always(reply(GOOD)))) as server:
        client = JudgeClient(allowed_server(server.address, []), waits(), time.monotonic)
        with client, ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            for at, thread in enumerate((one, other, one)):
                sent = thread.submit(client.send_all, [request(at)]).result()
                assert sent[0].body == GOOD


def test_an_error_of_the_caller_ends_the_calls_in_flight() -> None:
    """What is told raises, so nothing more is sent; the client can be used again."""
    with HostileServer(dict.fromkeys(range(50), always(reply(GOOD)))) as server:
        limits = CallLimits(concurrency=2)
        client = JudgeClient(
            allowed_server(server.address, []), waits(), time.monotonic, limits=limits
        )

        def stop(_at: int, _delivery: Delivery) -> None:
            raise LookupError

        with client:
            with pytest.raises(LookupError):
                client.send_all([request(case) for case in range(50)], stop)
            assert server.calls.total() <= 4
            assert client.send_all([request()])[0].body == GOOD
