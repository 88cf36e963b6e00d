"""Slow texts have their time, and no batch of them holds up the worker."""

import pytest

from redact.engine import PolicyRedactor
from redact.findings import TextTimeoutError
from redact.keys import Keys
from redact.policy import load_policy
from redact.segments import Analysis
from redact.timing import Timing
from tests.redact.kit import NOW, decoded, minimal


class Clock:
    """A clock that goes on when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Slow:
    """Takes three seconds for a text that says so, and gives up when its time is over."""

    def __init__(self, timing: Timing, clock: Clock) -> None:
        self.timing = timing
        self.clock = clock

    def analyse(self, text: str, **_: object) -> Analysis:
        """Return nothing found, late or never."""
        needed = 3.0 if "slow" in text else 0.001
        left = self.timing.deadline - self.clock.now
        self.clock.now += min(needed, left)
        if needed > left:
            raise TextTimeoutError
        return Analysis()


@pytest.fixture
def redactor(monkeypatch: pytest.MonkeyPatch) -> PolicyRedactor:
    """A redactor whose texts take the time that they ask for."""
    strict = load_policy("strict")
    names = strict.names.model_copy(update={"model": "none"})
    engine = PolicyRedactor(
        strict.model_copy(update={"names": names, "text_seconds": 2.0}), Keys.derive(bytes(32))
    )
    clock = Clock()
    segmenter = engine._segmenter
    segmenter._timing = Timing(2.0, clock)
    monkeypatch.setattr(segmenter, "_analyser", Slow(segmenter._timing, clock))
    return engine


def test_a_batch_of_slow_texts_takes_the_time_of_a_few(redactor: PolicyRedactor) -> None:
    """Five hundred texts that would take 2 seconds each are given up within 30 seconds; those
    among them that are not slow pass.
    """
    records = [
        minimal(response=f"{'slow' if number % 2 else 'quick'} text {number}")
        for number in range(1_000)
    ]
    clock = redactor._segmenter._timing._clock
    began = clock()
    outcome = redactor.redact(decoded(records), ingested_at=NOW)
    assert clock() - began < 35
    assert outcome.rows.value.num_rows == 500
    assert {one.reason for one in outcome.rejected} == {"redaction_timeout"}


def test_the_next_batch_has_its_own_time(redactor: PolicyRedactor) -> None:
    """A text that was given up for the company it came in is tried again when it comes again."""
    slow = [minimal(response=f"slow text {number}") for number in range(20)]
    redactor.redact(decoded(slow), ingested_at=NOW)
    clock = redactor._segmenter._timing._clock
    began = clock()
    redactor.redact(decoded([minimal(response="slow text 2")]), ingested_at=NOW)
    assert clock() == began, "it had its time, and is known"
    redactor.redact(decoded([minimal(response="slow text 19")]), ingested_at=NOW)
    assert clock() - began == pytest.approx(2.0)


def test_all_parts_of_a_text_share_its_time() -> None:
    """JSON within JSON is looked through in many pieces: they have one time, not one each."""
    clock = Clock()
    timing = Timing(2.0, clock)
    timing.batch()
    timing.text()
    first = timing.deadline
    clock.now += 1.5
    assert timing.deadline == first == 102.0
    assert not timing.hurried
