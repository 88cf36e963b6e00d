"""Hostile text: linear work, and never let through unread."""

import json
from functools import lru_cache

import pytest

from redact.lexical.findings import TextTimeoutError
from redact.policies.policy import load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers
from tests.redact.kit import NOW, decoded, minimal, rows
from tests.redact.test_leaks import engine
from tests.short_versions import short

SIZES = (50_000, 200_000, 1_000_000)
CANARY = " zora.quill@example.com "


def many(bit: str, size: int) -> str:
    """Return a bit repeated to a size, with a value in its middle and at its end."""
    half = (bit * (size // 2 // len(bit) + 1))[: size // 2]
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


@pytest.mark.parametrize("size", short(SIZES, SIZES[:1]))
@pytest.mark.parametrize("bit", BITS.values(), ids=BITS)
def test_long_text_of_anything_is_read(bit: str, size: int) -> None:
    """The value in it is gone, and the record is stored: the work is linear, and no clock refuses.

    Through all of the engine under the default policy: a person wrote it freely, so the model
    reads it, and a profile beside it gave names to look for.
    """
    profile = {"role": "tool", "content": PROFILE}
    record = minimal(messages=[profile, {"role": "user", "content": many(bit, size)}])
    outcome = engine("shipped").redact(decoded([record]), ingested_at=NOW)
    assert outcome.rejected == []
    assert "zora.quill" not in json.dumps(rows(outcome), default=str)


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
    """Return a detector whose second is over after twenty checks of the clock."""
    recognisers = build_recognisers(load_policy("strict"))
    return AcceleratedDetector(recognisers, seconds=1, clock=Counting(0.05))


@pytest.mark.parametrize(
    "bit", ["212-555-0187 ", "10.0.0.1 ", "DE89370400440532013000 ", "2001:ab:"]
)
def test_the_clock_is_checked_throughout(bit: str) -> None:
    """Any number of findings is stopped by the clock."""
    with pytest.raises(TextTimeoutError):
        hurried().find("mac ip phone bank " + bit * 5_000)
