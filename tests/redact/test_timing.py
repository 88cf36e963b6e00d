"""Work that hangs is restarted with more time, and the clock rejects no record."""

import pytest

from redact.analysis.segment_parts import SegmentAnalysis
from redact.crypto.keys import Keys
from redact.lexical.findings import TextTimeoutError
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.pipeline.watchdog import ATTEMPTS, StalledError, Watchdog
from redact.policies.policy import load_policy
from schemas.errors import RetryableError
from tests.redact.kit import NOW, decoded, minimal, needs_pure_python


class Clock:
    """A clock that advances with work; for real detectors it is far in the future."""

    now = 1e9

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Slow:
    """Takes some seconds for each text, and gives up at the deadline."""

    def __init__(self, watchdog: Watchdog, clock: Clock, seconds: float) -> None:
        self.watchdog = watchdog
        self.clock = clock
        self.seconds = seconds
        self.attempts = 0

    def analyse(self, text: str, **_: object) -> SegmentAnalysis:
        """Return nothing found, late or never."""
        del text
        self.attempts += 1
        left = self.watchdog.deadline - self.clock.now
        self.clock.now += min(self.seconds, left)
        if self.seconds > left:
            raise TextTimeoutError
        return SegmentAnalysis()


def slow_engine(monkeypatch: pytest.MonkeyPatch, seconds: float) -> tuple[PolicyRedactor, Slow]:
    """Return a redactor with 2 seconds a text, whose texts take ``seconds``."""
    needs_pure_python()
    strict = load_policy("strict")
    names = strict.names.model_copy(update={"model": "none"})
    engine = PolicyRedactor(strict.model_copy(update={"names": names}), Keys.derive(bytes(32)))
    clock = Clock()
    watchdog = Watchdog(2.0, clock)
    slow = Slow(watchdog, clock, seconds)
    monkeypatch.setattr(engine.segmenter, "watchdog", watchdog)
    monkeypatch.setattr(engine.segmenter, "analyser", slow)
    return engine, slow


def test_a_text_that_others_slowed_down_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that takes three times as long as expected is read again with more time."""
    engine, slow = slow_engine(monkeypatch, 6.0)
    outcome = engine.redact(decoded([minimal(response="a text")]), ingested_at=NOW)
    assert outcome.rejected == []
    assert slow.attempts == ATTEMPTS


def test_what_hangs_is_retried_and_never_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No record is refused for its time: the batch fails as a whole, in a way that is retried."""
    engine, slow = slow_engine(monkeypatch, 1_000.0)
    with pytest.raises(StalledError, match="3 times in a row") as raised:
        engine.redact(decoded([minimal(), minimal(response="a text")]), ingested_at=NOW)
    assert isinstance(raised.value, RetryableError)
    assert slow.attempts == ATTEMPTS
    assert "a text" not in str(raised.value)


def test_many_slow_texts_have_each_their_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result for a text does not depend on the other texts of its batch."""
    engine, slow = slow_engine(monkeypatch, 1.9)
    records = [minimal(response=f"text {number}") for number in range(200)]
    outcome = engine.redact(decoded(records), ingested_at=NOW)
    assert outcome.rejected == []
    assert slow.attempts == len(records)
