"""No drawn combination of a documented value, disguise, container and field leaks; twins stay.

A hunt by hand: ``python -m tests.redact.hunt``. GOLDPAN_HUNT_SEED chooses the seed of these.
"""

# ruff: noqa: RUF001  # full-width letters

import os
import random
import warnings
from collections import Counter

import pytest

from tests.redact.hunt.combine import PERSONAL, candidate, draw
from tests.redact.hunt.exclusions import EXCLUSIONS, why_not
from tests.redact.hunt.found import failures, read
from tests.redact.hunt.judge import left
from tests.redact.hunt.report import Tally, example, summary, tally
from tests.redact.hunt.run import drawn, verdicts

FIXED = int(os.environ.get("GOLDPAN_HUNT_SEED", "1"))
MOST_CHANGED = 0.005
"""The share of harmless twins that may be changed; of personal values none may be left."""
MOST_LEFT_OF_NEW = 0.002
"""A new combination may show a new kind, about one in 20,000: then the test warns, and
that kind becomes a fixed case. More is a defect of what has just been changed."""

SHOWN = 25


def hunt(seed: int, count: int) -> Tally:
    """Run a hunt and print its seed, which pytest shows of a test that fails."""
    print(f"seed {seed}: python -m tests.redact.hunt --seed {seed} --combinations {count}")
    return tally(verdicts(drawn(seed, count)))


def explained(counted: Tally) -> str:
    """Return the totals and the first failures."""
    shown = [example(failure) for failure in counted.failures[:SHOWN]]
    return "\n".join(["", summary(counted), *shown])


def holds(counted: Tally, *, most_left: float = 0) -> None:
    """Check that nothing leaks, and that as good as no twin is changed or refused."""
    assert counted.share(harmless=False) <= most_left, explained(counted)
    assert counted.share(harmless=True) <= MOST_CHANGED, explained(counted)
    if counted.share(harmless=False):
        warnings.warn(explained(counted), stacklevel=2)


@pytest.mark.parametrize("seed", [FIXED, "drawn"])
def test_nothing_is_left_of_combinations_drawn_at_random(seed: int | str) -> None:
    """Whatever is written how and wherever, it is gone; and harmless twins come out as they are."""
    if seed == "drawn":
        holds(hunt(random.SystemRandom().randrange(10**6), 1_000), most_left=MOST_LEFT_OF_NEW)
    else:
        holds(hunt(int(seed), 1_000))


@pytest.mark.chaos
@pytest.mark.timeout(3_600)
def test_nothing_is_left_of_twenty_thousand_combinations() -> None:
    """The same with as many as a night has time for."""
    holds(hunt(random.SystemRandom().randrange(10**6), 20_000))


@pytest.mark.parametrize("part", range(4))
def test_what_hunts_found_before_stays_repaired(part: int) -> None:
    """Every kind of failure that a hunt found is a fixed case."""
    found = failures(read()[part::4])
    assert not found, "\n" + "\n".join(found)


def test_the_same_seed_draws_the_same() -> None:
    """A failure can be had again by its seed and number."""
    assert [draw(5, n) for n in range(40)] == [draw(5, n) for n in range(40)]


def test_every_type_is_drawn() -> None:
    """No value is left out unseen."""
    kinds = {one.value.kind for one in drawn(3, 3_000) if not one.harmless}
    assert len(kinds) > len(set(PERSONAL))


def test_few_combinations_are_left_out_and_each_for_a_reason() -> None:
    """An exclusion that takes nothing out is gone, and all together take out one in twenty."""
    rng = random.Random(4)  # noqa: S311
    reasons = Counter(why_not(*candidate(rng)) for _ in range(30_000))
    assert set(reasons) == {None, *(exclusion.reason for exclusion in EXCLUSIONS)}
    assert reasons[None] / reasons.total() > 0.95


@pytest.mark.parametrize(
    "text",
    [
        "write to zora.quill",
        '{"a": "{\\"mail\\": \\"zora\\\\u002equill\\"}"}',
        "zora%2Equill",
        "zora&#46;quill",
        "ｚｏｒａ．ｑｕｉｌｌ",
        "zo\u200bra.quill",
    ],
)
def test_a_value_is_seen_in_any_reading(text: str) -> None:
    """The judge finds what is left in disguise, and nothing in stand-ins."""
    assert left({"x": text}, ("zora.quill",), ()) == ["zora.quill"]
    assert left({"x": text}, (), ("quill",)) == ["quill"]
    assert not left({"x": "<EMAIL_ADDRESS:zoraquillaaa>"}, ("zora.quill",), ())
