"""Hostile text: linear work, or given up within its budget; and never let through unread."""

import json
from collections.abc import Callable
from functools import lru_cache

import pytest

from redact.accelerated import AcceleratedDetector
from redact.engine import PolicyRedactor
from redact.findings import TextTimeoutError
from redact.ner.stage import SpacyNames
from redact.policy import load_policy
from redact.recognisers import build_recognisers
from schemas.reasons import Reason
from tests.redact.kit import NOW, content, decoded, minimal, rows
from tests.redact.test_leaks import engine

SIZE = 1_000_000
CANARY = " zora.quill@example.com "


def many(bit: str) -> str:
    """Return a bit repeated to a megabyte, with a value in its middle and at its end."""
    half = (bit * (SIZE // 2 // len(bit) + 1))[: SIZE // 2]
    return f"{half}{CANARY}{half}{CANARY}"


BITS = {
    "digits": "1234567890",
    "mail": "a@",
    "brackets": "[",
    "word": "a",
    "escapes": "\\u0041",
    "objects": '{"a":',
    "percent": "%41",
    "hex": "ab:",
    "iban": "DE89 ",
    "plus": "+1",
    "dots": "a.",
    "full width": "\uff11",
    "entities": "&amp;",
    "zero width": "\u200b",
    "keys": "-----BEGIN PRIVATE KEY-----",
    "labels": "user id ",
    "tokens": "eyJaaaaa.",
    "placeholders": "<PERSON:",
    "capitals": "Xa Yb ",
    "learnt names": "Aa ",
    "backslashes": "\\",
}


PROFILE = json.dumps({"first_name": "Aa", "last_name": "Quill", "user_id": "aa_quill_1"})


@pytest.mark.parametrize("bit", BITS.values(), ids=BITS)
def test_a_megabyte_of_anything_is_read_or_refused(bit: str) -> None:
    """The value in it is gone, or the record is refused whole: there is no third way.

    Through all of the engine under the default policy: a person wrote it freely, so the model
    reads it, and a profile beside it gave names to look for.
    """
    profile = {"role": "tool", "content": PROFILE}
    record = minimal(messages=[profile, {"role": "user", "content": many(bit)}])
    outcome = engine("shipped").redact(decoded([record]), ingested_at=NOW)
    if outcome.rejected:
        assert [r.reason for r in outcome.rejected] == [Reason.REDACTION_TIMEOUT]
        assert outcome.rows.value.num_rows == 0
        assert "zora.quill" not in repr(outcome.rejected)
    else:
        assert "zora.quill" not in json.dumps(rows(outcome), default=str)


def test_a_text_that_the_model_takes_too_long_for_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model's time is the policy's; who is short is not kept waiting, nor refused with it."""
    redactor = engine("shipped")
    stage = redactor._segmenter._free_text._stage
    assert isinstance(stage, SpacyNames)
    assert stage._seconds == load_policy("strict").text_seconds
    monkeypatch.setattr(stage, "_clock", Counting(1.5))
    long = minimal(messages=[{"role": "user", "content": "Ask Xavier Nguyen. " * 3_000}])
    short = minimal(messages=[{"role": "user", "content": "Ask Xavier Nguyen."}])
    outcome = redactor.redact(decoded([long, short]), ingested_at=NOW)
    assert [(r.reason, r.field) for r in outcome.rejected] == [
        ("redaction_timeout", "messages[].content")
    ]
    assert outcome.rows.value.num_rows == 1
    assert "Xavier" not in content(outcome)


class Counting:
    """A clock that counts how often it is asked, and goes forward a little each time."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        """Return the time."""
        self.now += self.step
        return self.now


@lru_cache
def hurried() -> AcceleratedDetector:
    """Return a detector whose second is over after twenty looks at the clock."""
    recognisers = build_recognisers(load_policy("strict"))
    return AcceleratedDetector(recognisers, seconds=1, clock=Counting(0.05))


@pytest.mark.parametrize(
    "bit", ["212-555-0187 ", "10.0.0.1 ", "DE89370400440532013000 ", "2001:ab:"]
)
def test_time_is_looked_at_all_the_while(bit: str) -> None:
    """Whatever is found in masses, the clock ends it."""
    with pytest.raises(TextTimeoutError):
        hurried().find("mac ip phone bank " + bit * 20_000)


def test_a_text_out_of_time_rejects_its_record_and_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The record goes to quarantine with the field's path, and the text costs its time once."""
    asked: list[str] = []

    def slow(text: str, **_: object) -> None:
        asked.append(text)
        raise TextTimeoutError

    redactor: PolicyRedactor = engine("none")
    monkeypatch.setattr(redactor._segmenter._analyser, "analyse", slow)
    batch: Callable[[], object] = lambda: decoded([minimal(response="a text that takes long")])  # noqa: E731
    for _ in range(2):
        outcome = redactor.redact(batch(), ingested_at=1_793_491_200_000_000)  # type: ignore[arg-type]
        assert [(r.reason, r.field) for r in outcome.rejected] == [
            ("redaction_timeout", "response")
        ]
        assert outcome.rows.value.num_rows == 0
    assert len(asked) == 1
