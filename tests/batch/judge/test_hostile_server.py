"""Whatever a judge's server does, the outcome is the one that the script of its faults says."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from batch.judge.client import CallLimits, Delivery, JudgeClient
from batch.judge.server import allowed_server
from batch.judge.waits import RetryWaits
from judges.definition import DEFAULT_THRESHOLDS
from judges.outcome import VERDICTS, JudgeAnswer, JudgeOutcome
from judges.render import JudgeQuestion, ask
from judges.ways import ServedWay, Wire
from judges.wires import WireRequest, verdict_request
from tests.batch.judge.faults import ALL_FAULTS, Fault
from tests.batch.judge.hostile_server import HostileServer
from tests.batch.judge.jevcompat_faults import VERDICT
from tests.judges.kit import CHAT, DECISIONS, SYSTEMONE, definition, row

WAYS: Final[dict[Wire, ServedWay]] = {
    "chat": CHAT,
    "decisions": DECISIONS,
    "systemone": SYSTEMONE,
}
JUDGE: Final = definition()
PATIENT: Final = CallLimits(concurrency=32)
IMPATIENT: Final = CallLimits(concurrency=32, read_seconds=0.8, call_seconds=1.2)
"""For what lasts until a limit of time. The rest has time enough on a slow machine."""


class Case(NamedTuple):
    """One call: the fault, the wire, and what the server would say without the fault."""

    fault: Fault
    wire: Wire
    verdict: JudgeOutcome

    @property
    def expected(self) -> tuple[str, str | None]:
        """Return outcome and reason."""
        if self.fault.expected == VERDICT:
            return self.verdict, None
        return "error", self.fault.expected


def cases(calls: int, *, slow: int) -> list[Case]:
    """Return cases in which each fault is there on each of its wires, ``slow`` of them slow."""
    rng = random.Random(17)  # noqa: S311 - not for secrets
    slow_ones = [fault for fault in ALL_FAULTS if fault.is_slow]
    fast = [(fault, wire) for fault in ALL_FAULTS if not fault.is_slow for wire in fault.wires]
    drawn = [fast[at % len(fast)] for at in range(calls - slow)]
    drawn += [(slow_ones[at % len(slow_ones)], rng.choice(list(WAYS))) for at in range(slow)]
    rng.shuffle(drawn)
    return [Case(fault, wire, rng.choice(VERDICTS)) for fault, wire in drawn]


def question_of(case: int, wire: Wire) -> WireRequest:
    """Return the request of a case."""
    question = ask(JUDGE, row(response=f"It is case {case}. At nine [1]."))
    assert isinstance(question, JudgeQuestion)
    return verdict_request(WAYS[wire], question)


async def no_wait(_seconds: float) -> None:
    """Go on at once: how long to wait is tested by itself."""
    await asyncio.sleep(0)


def play(script: list[Case]) -> tuple[list[JudgeAnswer], HostileServer]:
    """Send every case to a server that plays its fault, and return what became of it."""
    scripts = {at: case.fault.made(case.wire, case.verdict) for at, case in enumerate(script)}
    slow = [at for at, case in enumerate(script) if case.fault.is_slow]
    fast = [at for at, case in enumerate(script) if not case.fault.is_slow]
    with HostileServer(scripts) as server:
        sent = _send(server, script, fast, PATIENT) | _send(server, script, slow, IMPATIENT)
    answers = [
        sent[at].reply(WAYS[case.wire], DEFAULT_THRESHOLDS).answer for at, case in enumerate(script)
    ]
    return answers, server


def _send(
    server: HostileServer, script: list[Case], places: list[int], limits: CallLimits
) -> dict[int, Delivery]:
    waits = RetryWaits(random.Random(3).uniform, time.time)  # noqa: S311 - not for secrets
    allowed = allowed_server(server.address, [])
    requests = [question_of(at, script[at].wire) for at in places]
    with JudgeClient(allowed, waits, time.monotonic, limits=limits, sleep=no_wait) as client:
        return dict(zip(places, client.send_all(requests), strict=True))


def differences(script: list[Case], answers: list[JudgeAnswer]) -> Iterator[str]:
    """Yield each case whose outcome is not the one that is expected."""
    for case, answer in zip(script, answers, strict=True):
        if (answer.outcome, answer.reason) != case.expected:
            yield f"{case.fault.name} ({case.wire}): {answer}, not {case.expected}"


@pytest.mark.parametrize(
    ("calls", "slow"), [(420, 10), pytest.param(10_000, 150, marks=pytest.mark.chaos)]
)
def test_the_outcomes_are_those_of_the_script(calls: int, slow: int) -> None:
    """Every fault on every wire: no failure is a verdict, and no verdict is lost."""
    script = cases(calls, slow=slow)
    answers, server = play(script)
    assert list(differences(script, answers)) == []
    expected = Counter(case.expected for case in script)
    assert Counter((answer.outcome, answer.reason) for answer in answers) == expected
    assert set(server.calls) == set(range(calls))
    assert len({(case.fault.name, case.wire) for case in script if not case.fault.is_slow}) == sum(
        len(fault.wires) for fault in ALL_FAULTS if not fault.is_slow
    )


def test_the_script_has_the_47_faults_of_jevcompat() -> None:
    """Each by its own name."""
    names = {fault.name for fault in ALL_FAULTS}
    assert len(names) == len(ALL_FAULTS)
    assert sum(name.startswith("jevcompat: ") for name in names) == 47


@pytest.mark.parametrize("name", ["cuts the body", "says nothing", "resets the connection"])
def test_a_call_that_may_have_been_answered_is_made_once(name: str) -> None:
    """It may have been paid for; a later run tries again."""
    fault = next(fault for fault in ALL_FAULTS if fault.name == name)
    _, server = play([Case(fault, "chat", "pass")])
    assert server.calls == {0: 1}
