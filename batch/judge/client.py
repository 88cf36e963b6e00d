"""Sends the questions of judges to a server, and returns what it replied or why it did not.

Whatever goes wrong has a reason of the closed list and is never a verdict. A call that may have
been answered is not made again here, so that no answer is paid for twice: only 429 and 5xx, and a
connection that was never made, are tried again.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx2

from batch.judge.server import JudgeServer
from batch.judge.waits import RetryWaits, is_retried
from judges.answer import JudgeReply, read_failure_mode, read_reply, reason_of_status
from judges.definition import VerdictThresholds
from judges.outcome import JudgeErrorReason, judge_error
from judges.strict_json import MAX_BYTES
from judges.ways import ServedWay
from judges.wires import WireRequest

_KEEP_IDLE_SECONDS: Final = 2.0
"""Shorter than what servers keep an idle connection for, so that none closes as it is used."""
_JSON: Final = {"Content-Type": "application/json"}
_KeyT = TypeVar("_KeyT")


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of the calls: how many at a time, and how long one may take, in seconds.

    ``connect_seconds`` and ``read_seconds`` bound a single step on the network, and
    ``call_seconds`` the whole call, so that a server cannot hold it by sending a byte now and then.
    ``reply_bytes`` bounds the reply; the rest of a longer one is not read.
    """

    concurrency: int = 8
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    call_seconds: float = 120.0
    reply_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a request: the body of a reply with status 200, or the reason for having none.

    ``status`` is that of the last reply, None if there was none. ``calls`` counts the calls that
    were made, ``latency_ms`` is that of the last. ``may_bill`` is whether that one may be paid for.
    """

    body: bytes | None = field(repr=False)
    reason: JudgeErrorReason | None
    status: int | None = None
    calls: int = 1
    latency_ms: float = 0.0
    may_bill: bool = True

    @property
    def is_denied(self) -> bool:
        """Return whether the server takes no request of ours: a wrong key, address or model."""
        return self.status in (401, 403, 404, 405, 407)

    def reply(self, way: ServedWay, thresholds: VerdictThresholds) -> JudgeReply:
        """Return what the reply to a question says; an error if there is none."""
        if self.body is None:
            return JudgeReply(judge_error(self.reason or "unavailable"))
        return read_reply(way, self.body, thresholds)

    def failure_mode(self, way: ServedWay, modes: Sequence[str]) -> str | None:
        """Return the failure mode that the reply names; None if it names none of ``modes``."""
        return None if self.body is None else read_failure_mode(way, self.body, modes)


@dataclass(frozen=True, slots=True)
class _Attempt:
    body: bytes | None = field(default=None, repr=False)
    reason: JudgeErrorReason | None = None
    status: int | None = None
    retry_after: str | None = field(default=None, repr=False)
    is_safe_to_repeat: bool = False

    @property
    def may_bill(self) -> bool:
        """Return whether the server may have answered, as far as can be seen from here."""
        may_be_answered = self.status in (None, 200) and not self.is_safe_to_repeat
        return may_be_answered or self.reason == "timeout"


class JudgeClient:
    """Sends requests to one server, several at a time. To be closed, or used as a context.

    ``monotonic`` gives seconds, ``sleep`` waits for that many. The proxy of the environment is not
    used: it is not on the list of hosts. Redirections are not followed.
    """

    def __init__(  # noqa: PLR0913 - what it rests on is passed in
        self,
        server: JudgeServer,
        waits: RetryWaits,
        monotonic: Callable[[], float],
        *,
        limits: CallLimits = CallLimits(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._waits = waits
        self._monotonic = monotonic
        self._limits = limits
        self._sleep = sleep
        self._tls = tls
        self._loop = asyncio.Runner()
        self._http: httpx2.AsyncClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._loop.run(self._http.aclose())
            self._http = None
        self._loop.close()

    def send_all(
        self,
        requests: Sequence[WireRequest],
        on_delivery: Callable[[int, Delivery], None] = lambda _at, _delivery: None,
    ) -> list[Delivery]:
        """Send requests and return what came of each, in their order.

        ``on_delivery`` is told each one's place and what came of it, as soon as it is known. An
        error that it raises, and an interruption, end the calls in flight.
        """
        deliveries: dict[int, Delivery] = {}
        remaining = iter(enumerate(requests))

        def keep(at: int, delivery: Delivery) -> None:
            deliveries[at] = delivery
            on_delivery(at, delivery)

        self.send_from(lambda: next(remaining, None), keep)
        return [deliveries[at] for at in range(len(requests))]

    def send_from(
        self,
        take: Callable[[], tuple[_KeyT, WireRequest] | None],
        on_delivery: Callable[[_KeyT, Delivery], None],
    ) -> None:
        """Send what ``take`` gives, a request with its key, until it gives None.

        It is asked right before a call, so what it notes down is in flight from then on. After a
        delivery it is asked again, also if it gave None before. An error of either function, and an
        interruption, end the calls in flight.
        """
        self._loop.run(self._send_from(take, on_delivery))

    async def _send_from(
        self,
        take: Callable[[], tuple[_KeyT, WireRequest] | None],
        on_delivery: Callable[[_KeyT, Delivery], None],
    ) -> None:
        if self._http is None:
            self._http = self._connect()

        async def work(http: httpx2.AsyncClient) -> None:
            while (taken := take()) is not None:
                key, request = taken
                on_delivery(key, await self._deliver(http, request))

        tasks = [asyncio.ensure_future(work(self._http)) for _ in range(self._limits.concurrency)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _connect(self) -> httpx2.AsyncClient:
        limits, key = self._limits, self._server.key
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.get_secret_value()}"
        return httpx2.AsyncClient(
            headers=headers,
            verify=self._tls or ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            limits=httpx2.Limits(
                max_connections=limits.concurrency, keepalive_expiry=_KEEP_IDLE_SECONDS
            ),
        )

    async def _deliver(self, http: httpx2.AsyncClient, request: WireRequest) -> Delivery:
        """Make calls until one is answered, or there is to be no other."""
        waited, calls = 0.0, 0
        while True:
            started = self._monotonic()
            attempt = await self._call(http, request)
            calls += 1
            wait = None
            if attempt.is_safe_to_repeat:
                wait = self._waits.before(calls, waited, attempt.retry_after)
            if wait is None:
                latency_ms = (self._monotonic() - started) * 1000
                return Delivery(
                    attempt.body,
                    attempt.reason,
                    attempt.status,
                    calls,
                    latency_ms,
                    attempt.may_bill,
                )
            waited += wait
            await self._sleep(wait)

    async def _call(self, http: httpx2.AsyncClient, request: WireRequest) -> _Attempt:
        url = self._server.endpoint(request.path)
        content = json.dumps(request.body, allow_nan=False).encode("ascii")
        try:
            async with (
                asyncio.timeout(self._limits.call_seconds),
                http.stream("POST", url, content=content, headers=_JSON) as response,
            ):
                return await self._read(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return _Attempt(reason="unavailable", is_safe_to_repeat=True)
        except (TimeoutError, httpx2.TimeoutException):
            return _Attempt(reason="timeout")
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError):
            return _Attempt(reason="unavailable")

    async def _read(self, response: httpx2.Response) -> _Attempt:
        status = response.status_code
        reason = reason_of_status(status)
        if reason is not None:
            return _Attempt(
                reason=reason,
                status=status,
                retry_after=response.headers.get("Retry-After"),
                is_safe_to_repeat=is_retried(status),
            )
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            return _Attempt(reason="unparsable", status=status)
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._limits.reply_bytes:
                return _Attempt(reason="unparsable", status=status)
        return _Attempt(body=bytes(body), status=status)
