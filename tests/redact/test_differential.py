"""The accelerated detector finds exactly what Presidio's own engine finds with the same list.

The list is that of ``redact.recognition.catalogue``. Its differences from Presidio's recognisers of
the same name are listed in ``redact.policies.data_types.PRESIDIO_DIFFERENCES``.
"""

import json
import random
from functools import lru_cache
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reference_detector import ReferenceDetector
from redact.policies.policy import load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers
from redact.recognition.matching.regex_relaxation import TextDialect, relax_regex
from redact.recognition.prefilter import Prefilter

DATA = Path(__file__).parents[1] / "data" / "presidio_research" / "sentences.jsonl"
SHARED = Path(__file__).parents[3] / "shared" / "data"
THRESHOLD = 0.4

BITS = (
    "card 4111 1111 1111 1111",
    "4012888888881881",
    "call 212-555-0187",
    "+49 30 901820",
    "(020) 7946 0958",
    "ann@example.com",
    "bob@corp.internal",
    "x@y",
    "10.0.0.1",
    "fe80::1",
    "00:1A:2B:3C:4D:5E",
    "DE89370400440532013000",
    "gb42nawi04454264788619",
    "ssn 078-05-1121",
    "975 Sunset Drive, Suite 217",
    "Austin, TX 78750",
    "born on April 5, 1990",
    "1990-04-05",
    "12/31/99",
    "sk-abcdefghijklmnop1234",
    "password: hunter2!x",
    "Bearer abcdefghijklmnop1234567",
    "My name is Ann Lee",
    "Dr. M\u00fcller",
    "user id: ann_lee_44",
    "db01.corp.internal",
    "https://user:pw@host/x",
    "www.example.com/a?b=c",
    "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
    "943 476 5919",
    "Steuer-ID 86 095 742 719",
    "ana (at) example (dot) com",
    "order 4111111111111111,4111111111111111",
    "passport no X7391846",
    "S/N 40-88213-B",
    "plate 7KLM204",
    "2001:db8::1:",
    "version 1.25.4.2",
    "x415-555-0132",
    "four one five five five five zero one three two",
    "aged 42",
    "42 years old",
    "\u0664\u0661\u0661\u0661",
    "\u212aey",
    "\u2014",
    "\n",
    "  ",
    ":",
    "e.g. this:that",
    '{"a": "b"}',
    "\u00e9\u00e8",
    ",",
)


@lru_cache
def detectors() -> tuple[AcceleratedDetector, ReferenceDetector]:
    """Return both ways to run the recognisers of the default policy."""
    recognisers = build_recognisers(load_policy("strict"))
    return (
        AcceleratedDetector(recognisers, threshold=THRESHOLD, seconds=60),
        ReferenceDetector(recognisers, threshold=THRESHOLD),
    )


def agree(text: str) -> None:
    """Compare both on one text."""
    accelerated, reference = detectors()
    assert accelerated.find(text) == reference.find(text)


def test_every_pattern_is_prefiltered() -> None:
    """No pattern runs over every text, and the comparison finds something to compare."""
    assert not detectors()[0].prefilter.always
    assert len(detectors()[0].find(" ".join(BITS))) > 25


def test_equal_on_labelled_sentences() -> None:
    """Sentences with all kinds of personal data, in many scripts."""
    for line in DATA.read_text(encoding="utf-8").splitlines():
        agree(json.loads(line)["text"])


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not beside the checkout")
def test_equal_on_real_conversations() -> None:
    """Every 20th distinct message of real conversations, tool results included."""
    path = SHARED / "agent_conversations" / "airline.jsonl"
    messages = [
        message["content"]
        for line in path.read_text(encoding="utf-8").splitlines()
        for message in json.loads(line)["messages"][1:]
        if message.get("content")
    ]
    for text in list(dict.fromkeys(messages))[::20]:
        agree(text)


def test_equal_on_fuzz() -> None:
    """Characters that patterns are made of, at random (seeded)."""
    rng = random.Random(7)  # noqa: S311  # not for secrets
    for alphabet in ("0123456789 -().+/x,:ab;ext=@\u00e9", "abcAB01 .@:/-_'\"\n\u2019", "0123 -"):
        for _ in range(120):
            agree("".join(rng.choice(alphabet) for _ in range(rng.randrange(5, 90))))


@settings(max_examples=150)
@given(st.lists(st.sampled_from(BITS) | st.text(max_size=6), max_size=8), st.sampled_from(" \n.:"))
def test_equal_on_mixtures(bits: list[str], between: str) -> None:
    """Values, words of context and anything else, in any order."""
    agree(between.join(bits))


@settings(max_examples=300)
@given(st.sampled_from(range(130)), st.lists(st.sampled_from(BITS), max_size=5).map(" ".join))
def test_prefilter_never_misses(number: int, text: str) -> None:
    """Where a pattern matches, the prefilter says that it may."""
    accelerated = detectors()[0]
    number %= len(accelerated.expressions)
    expression, flags = accelerated.expressions[number]
    if regex.search(expression, text, flags=flags):
        assert number in accelerated.prefilter.candidates(text)


def test_relaxed_expressions_match_more() -> None:
    """Assertions are dropped, long repeats opened, non-ASCII letters match anything."""
    assert relax_regex(r"(?<!\w)\d{2}(?=x)", TextDialect.ASCII) == r"\d{2}(?:x)"
    assert relax_regex(r"[^\W\d_]{1,30}\b", TextDialect.SHADOW) == r"[A-Za-z\xff]{1,}"
    with pytest.raises(ValueError, match="no relaxed form"):
        relax_regex(r"[\W]", TextDialect.SHADOW)
    assert Prefilter([(r"[\W]x", 0), ("y", 0)]).always == {0}
