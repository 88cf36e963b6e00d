"""The script of faults: what a hostile server does, and the outcome that it must have.

`VERDICT` stands where the server's verdict arrives after all. Anything else is the reason of an
error: no fault is a verdict.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from judges.outcome import JudgeOutcome
from judges.ways import Wire
from tests.batch.judge import replies
from tests.batch.judge.hostile_server import (
    HostileRequest,
    Pause,
    Reset,
    Script,
    Step,
    reply,
)
from tests.batch.judge.jevcompat_faults import FAULTS, VERDICT, Expected, JevFault

WIRES: Final[tuple[Wire, ...]] = ("chat", "decisions", "systemone")
FIFTY_MB: Final = 50 * 1024 * 1024
_ANSWERS: Final = ("answers", "choices")
_MANY: Final = 10_000
"""Of pauses: longer than any limit of time."""

Made = Callable[[Wire, JudgeOutcome], Script]


@dataclass(frozen=True)
class Fault:
    """A fault on some wires; ``is_slow`` where it lasts until a limit of time."""

    name: str
    expected: Expected
    made: Made
    wires: tuple[Wire, ...] = WIRES
    is_slow: bool = False


def _sends(steps: Callable[[bytes], Iterator[Step]]) -> Made:
    """Return what sends steps that are made of the body of a good reply."""
    return lambda wire, verdict: lambda _request: steps(replies.body(wire, verdict))


def _replies(change: Callable[[bytes], bytes], status: int = 200, **headers: str) -> Made:
    """Return what sends a good reply's body after a change, with a status and headers."""
    return lambda wire, verdict: (
        lambda _request: [reply(change(replies.body(wire, verdict)), status, **headers)]
    )


def _first(calls: int, status: int, **headers: str) -> Made:
    """Return what answers with a status at first, and with the verdict from then on."""

    def made(wire: Wire, verdict: JudgeOutcome) -> Script:
        def script(request: HostileRequest) -> list[Step]:
            good = reply(replies.body(wire, verdict))
            return [reply(b"{}", status, **headers) if request.call <= calls else good]

        return script

    return made


def _edits(change: Callable[[dict[str, Any]], object]) -> Made:
    """Return what sends a good reply after a change of its document."""

    def edited(body: bytes) -> bytes:
        document = json.loads(body)
        change(document)
        return json.dumps(document).encode()

    return _replies(edited)


def _same(body: bytes) -> bytes:
    return body


def _closes(_body: bytes) -> Iterator[Step]:
    yield from ()


def _resets(_body: bytes) -> Iterator[Step]:
    yield Reset()


def _resets_in_the_body(body: bytes) -> Iterator[Step]:
    yield bytes(reply(body))[:-10]
    yield Reset()


def _half_a_head(_body: bytes) -> Iterator[Step]:
    yield b"HTTP/1.1 200 OK\r\nContent-Le"


def _cut(body: bytes) -> Iterator[Step]:
    yield bytes(reply(body))[: -len(body) // 2]


def _verdict_of_a_longer_body(body: bytes) -> Iterator[Step]:
    whole = bytes(reply(body))
    yield whole.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % (len(body) + 9))


def _head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *lines, b"", b""))


def _chunks_without_end(body: bytes) -> Iterator[Step]:
    yield _head(b"Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(body), body)


def _chunks(body: bytes) -> Iterator[Step]:
    # It says that it closes: else the client may send the next question into the closing.
    yield _head(b"Transfer-Encoding: chunked", b"Connection: close")
    for sign in body:
        yield b"1\r\n%c\r\n" % sign
    yield b"0\r\n\r\n"


def _wrong_chunks(body: bytes) -> Iterator[Step]:
    yield _head(b"Transfer-Encoding: chunked") + b"zz\r\n" + body


def _until_it_closes(body: bytes) -> Iterator[Step]:
    yield _head(b"Connection: close") + body


def _two_lengths(body: bytes) -> Iterator[Step]:
    yield _head(b"Content-Length: %d" % len(body), b"Content-Length: 5") + body


def _no_http(body: bytes) -> Iterator[Step]:
    yield b"SSH-2.0-OpenSSH_9.2\r\n" + body


def _long_head(body: bytes) -> Iterator[Step]:
    yield _head(b"X-Long: " + b"x" * 1_000_000, b"Content-Length: %d" % len(body)) + body


def _hints_first(body: bytes) -> Iterator[Step]:
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    yield reply(body)


def _silent(_body: bytes) -> Iterator[Step]:
    yield Pause(_MANY)


def _endless_hints(_body: bytes) -> Iterator[Step]:
    for _ in range(_MANY):
        yield b"HTTP/1.1 100 Continue\r\n\r\n"
        yield Pause(0.05)


def _slow_head(_body: bytes) -> Iterator[Step]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    for _ in range(_MANY):
        yield b"x"
        yield Pause(0.05)


def _slow_body(body: bytes) -> Iterator[Step]:
    yield bytes(reply(body))[: -len(body)]
    for sign in body * _MANY:
        yield bytes([sign])
        yield Pause(0.05)


def _stops_in_the_body(body: bytes) -> Iterator[Step]:
    yield bytes(reply(body))[:-5]
    yield Pause(_MANY)


def _fifty_megabytes(body: bytes) -> Iterator[Step]:
    yield _head(b"Content-Length: %d" % (FIFTY_MB + len(body))) + body
    for _ in range(50):
        yield b" " * (1024 * 1024)


def _fifty_megabytes_of_chunks(body: bytes) -> Iterator[Step]:
    yield _head(b"Transfer-Encoding: chunked")
    for _ in range(50):
        yield b"100000\r\n" + b" " * (1024 * 1024) + b"\r\n"
    yield b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@lru_cache(1)
def _fifty_megabytes_zipped() -> bytes:
    return gzip.compress(b" " * FIFTY_MB, 1)


def _zipped(_body: bytes) -> Iterator[Step]:
    zipped = _fifty_megabytes_zipped()
    yield _head(b"Content-Encoding: gzip", b"Content-Length: %d" % len(zipped)) + zipped


_NETWORK: Final = (
    Fault("closes the connection", "unavailable", _sends(_closes)),
    Fault("resets the connection", "unavailable", _sends(_resets)),
    Fault("resets within the body", "unavailable", _sends(_resets_in_the_body)),
    Fault("sends half a head", "unavailable", _sends(_half_a_head)),
    Fault("cuts the body", "unavailable", _sends(_cut)),
    Fault("promises more than a verdict", "unavailable", _sends(_verdict_of_a_longer_body)),
    Fault("leaves out the last chunk", "unavailable", _sends(_chunks_without_end)),
    Fault("sends a chunk a byte", VERDICT, _sends(_chunks)),
    Fault("sends a wrong chunk", "unavailable", _sends(_wrong_chunks)),
    Fault("sends until it closes", VERDICT, _sends(_until_it_closes)),
    Fault("has two lengths", "unavailable", _sends(_two_lengths)),
    Fault("speaks no HTTP", "unavailable", _sends(_no_http)),
    Fault("has a head of a megabyte", "unavailable", _sends(_long_head)),
    Fault("sends hints first", VERDICT, _sends(_hints_first)),
    Fault("sends 50 MB", "unparsable", _sends(_fifty_megabytes)),
    Fault("sends 50 MB in chunks", "unparsable", _sends(_fifty_megabytes_of_chunks)),
    Fault("sends 50 MB zipped", "unparsable", _sends(_zipped)),
    Fault("says nothing", "timeout", _sends(_silent), is_slow=True),
    Fault("sends hints for ever", "timeout", _sends(_endless_hints), is_slow=True),
    Fault("drips its head", "timeout", _sends(_slow_head), is_slow=True),
    Fault("drips its body", "timeout", _sends(_slow_body), is_slow=True),
    Fault("stops within the body", "timeout", _sends(_stops_in_the_body), is_slow=True),
)

_STATUSES: Final = (
    *(
        Fault(f"{status} with a verdict", expected, _replies(_same, status))
        for status, expected in (
            (201, "unavailable"),
            (206, "unavailable"),
            (400, "refused"),
            (401, "unavailable"),
            (402, "unavailable"),
            (403, "unavailable"),
            (404, "unavailable"),
            (408, "timeout"),
            (413, "too_long"),
            (418, "refused"),
            (422, "refused"),
            (429, "rate_limited"),
            (500, "unavailable"),
            (502, "unavailable"),
            (503, "unavailable"),
            (504, "timeout"),
            (529, "unavailable"),
        )
    ),
    Fault("429 twice", VERDICT, _first(2, 429)),
    Fault("429, wait a second", VERDICT, _first(1, 429, Retry_After="1")),
    Fault("429, wait a year", "rate_limited", _first(1, 429, Retry_After="31536000")),
    Fault(
        "429, wait until a past date",
        VERDICT,
        _first(1, 429, Retry_After="Sun, 06 Nov 1994 08:49:37 GMT"),
    ),
    Fault("429, wait some nonsense", VERDICT, _first(1, 429, Retry_After="-1e99 apples")),
    Fault("503 four times", VERDICT, _first(4, 503)),
    Fault("500 nine times", "unavailable", _first(9, 500)),
    Fault("redirects to itself", "unavailable", _first(9, 307, Location="/v1/other")),
    Fault("redirects elsewhere", "unavailable", _first(9, 302, Location="http://192.0.2.1/")),
)

_BODIES: Final = (
    Fault("good", VERDICT, _replies(_same)),
    Fault("two replies", "contradictory", _replies(lambda body: body + body)),
    Fault("half a reply", "unparsable", _replies(lambda body: body[: len(body) // 2])),
    Fault("nothing", "unparsable", _replies(lambda _body: b"")),
    Fault("null", "unparsable", _replies(lambda _body: b"null")),
    Fault("a page", "unparsable", _replies(lambda _body: b"<html>502 Bad Gateway</html>")),
    Fault("an error", "unavailable", _replies(lambda _body: b'{"error": {"message": "busy"}}')),
    Fault("an error beside it", "contradictory", _edits(lambda reply: reply.update(error="busy"))),
    Fault("NaN", "unparsable", _edits(lambda reply: reply.update(usage=float("nan")))),
    Fault("a deep list", "unparsable", _replies(lambda _body: b"[" * 100_000)),
    Fault("no UTF-8", "unparsable", _replies(lambda body: body.replace(b"served", b"\xff\xfe"))),
    Fault("UTF-16", "unparsable", _replies(lambda body: body.decode().encode("utf-16"))),
    Fault("a stream", "contradictory", _replies(lambda body: b"data: " + body + b"\n\n")),
    Fault("another model's name", VERDICT, _edits(lambda reply: reply.update(model="x\n" * 999))),
    Fault("no usage", VERDICT, _edits(lambda reply: reply.pop("usage"))),
    Fault("no answers", "unparsable", _edits(lambda reply: [reply.pop(k, 0) for k in _ANSWERS])),
)


def _content(text: str, **choice: Any) -> Made:
    return _edits(
        lambda reply: reply["choices"][0].update(
            {"message": {"role": "assistant", "content": text}, **choice}
        )
    )


def _twice(key: str) -> Made:
    return _edits(lambda reply: reply.update({key: reply[key] * 2}))


def _answer(**fields: Any) -> Made:
    def change(reply: dict[str, Any]) -> None:
        found = reply["answers"]
        (found["verdict"] if isinstance(found, dict) else found[0]).update(fields)

    return _edits(change)


def _probability(value: Any) -> Made:
    return _answer(probability=value, noul=value)


_PASS: Final = '{"verdict": "pass"}'
_CHAT: Final = (
    *(
        Fault(name, expected, _content(content, **choice), ("chat",))
        for name, expected, content, choice in (
            ("two verdicts", "contradictory", _PASS + '{"verdict": "fail"}', {}),
            ("a verdict twice", "contradictory", '{"verdict": "fail", "verdict": "pass"}', {}),
            ("words beside it", "contradictory", f"Sure! {_PASS}", {}),
            ("a fence", "contradictory", f"```json\n{_PASS}\n```", {}),
            ("a verdict that is NaN", "unparsable", '{"verdict": NaN}', {}),
            ("no verdict of the list", "unparsable", '{"verdict": "good"}', {}),
            ("not applicable", "unparsable", '{"verdict": "not_applicable"}', {}),
            ("the word alone", "unparsable", "pass", {}),
            ("filtered", "refused", _PASS, {"finish_reason": "content_filter"}),
            ("cut by its length", "unparsable", _PASS, {"finish_reason": "length"}),
        )
    ),
    Fault("two choices", "contradictory", _twice("choices"), ("chat",)),
)
_DECIDED: Final = (
    *(
        Fault(f"a probability that is {value!r}", "unparsable", _probability(value), WIRES[1:])
        for value in (float("nan"), float("inf"), 1.01, -0.1, "0.9", True, None, [0.9])
    ),
    Fault("a refusal", "refused", _answer(type="refusal"), WIRES[1:]),
    Fault("another type", "unparsable", _answer(type="boolean"), WIRES[1:]),
    Fault("two answers", "contradictory", _twice("answers"), ("decisions",)),
    Fault("another's answer", "contradictory", _answer(name="other"), ("decisions",)),
)


def _jevcompat(fault: JevFault) -> Fault:
    def made(wire: Wire, verdict: JudgeOutcome) -> Script:
        def script(request: HostileRequest) -> list[Step]:
            answer = replies.document(wire, verdict)
            status, body = fault.broken(json.loads(request.body), answer)
            return [reply(body, status)]

        return script

    return Fault(f"jevcompat: {fault.name}", fault.expected, made, ("systemone",))


ALL_FAULTS: Final = (
    *_NETWORK,
    *_STATUSES,
    *_BODIES,
    *_CHAT,
    *_DECIDED,
    *(_jevcompat(fault) for fault in FAULTS),
)
