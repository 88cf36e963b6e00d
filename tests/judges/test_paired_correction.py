"""Differences and totals as reviewers would say: by hand, and where a judge says nothing."""

import numpy as np
import pytest

from judges.correction.linear_reviews import linear_good
from judges.correction.paired_difference import estimate_difference
from judges.correction.strata import PAIR_ORDER, merge_strata, pair_stratum
from judges.correction.units import JudgedUnit, UnitArrays, unit_arrays
from judges.outcome import OUTCOMES

RARE = 1e-6


def judged(*parts: tuple[str, int, str]) -> UnitArrays:
    """Return rows by stratum: how many there are, and what the reviewed ones say (``1`` is good).

    They are a part of many more rows like them.
    """
    units = []
    for stratum, rows, said in parts:
        for at in range(rows):
            good = said[at] == "1" if at < len(said) else None
            chance = None if good is None else RARE * len(said) / rows
            units.append(
                JudgedUnit("pass", good, chance, probability=RARE, stratum=stratum or None)
            )
    return unit_arrays(units)


def test_pairs_of_outcomes_have_a_stratum_where_both_are_judged() -> None:
    """What one side gained, lost or kept; undecided pairs are one, the rest is none."""
    assert pair_stratum("pass", "fail") == "gained"
    assert pair_stratum("fail", "pass") == "lost"
    assert [pair_stratum(word, word) for word in ("pass", "fail")] == ["both pass", "both fail"]
    assert {pair_stratum("unknown", other) for other in ("pass", "fail", "error", "unknown")} == {
        "undecided"
    }
    assert pair_stratum("pass", "not_applicable") is pair_stratum("pending", "fail") is None
    pairs = [pair_stratum(new, old) for new in OUTCOMES for old in OUTCOMES]
    assert set(pairs) - {None} == set(PAIR_ORDER)
    counts = {"lost": 2, "both pass": 60, "undecided": 9, "both fail": 8, "gained": 3}
    assert merge_strata(counts, PAIR_ORDER) == [
        ("lost", "both pass"),
        ("undecided",),
        ("both fail", "gained"),
    ]


def test_a_difference_by_hand() -> None:
    """The share of each stratum times what only one side answers well in it."""
    arrays = judged(("lost", 20, "0001100000"), ("both pass", 80, "1" * 18 + "01"))
    old = np.array([1, 1, 1, 1, 0, 0, 1, 1, 1, 1] + [1] * 18 + [1, 0], float)
    found = estimate_difference(arrays, old)
    assert found is not None
    assert found.reviews == 30
    assert found.lost == pytest.approx(0.2 * 7 / 10 + 0.8 * 1 / 20)
    assert found.gained == pytest.approx(0.2 * 1 / 10 + 0.8 * 1 / 20)
    assert found.freedom == 28


def test_one_stratum_has_the_precision_of_its_rows() -> None:
    """And strata in which nothing changed do not count as known."""
    arrays = judged(("both pass", 400, "1" * 90 + "0" * 10))
    found = estimate_difference(arrays, np.ones(100))
    assert found is not None
    assert found.effective == pytest.approx(100)
    same = judged(("both pass", 300, "1" * 60), ("both fail", 100, "0" * 20))
    kept = estimate_difference(same, same.good)
    assert kept is not None
    assert (kept.gained, kept.lost) == (0, 0)
    assert kept.effective < 100
    assert estimate_difference(judged(("lost", 9, "1")), np.ones(1)) is None


def test_a_verdict_that_foretells_the_change_is_worth_reviews() -> None:
    """The other one costs next to nothing."""
    told = judged(("lost", 40, "0" * 20), ("both pass", 160, "1" * 80))
    blind = judged(("lost", 40, "0" * 4 + "1" * 16), ("both pass", 160, "0" * 16 + "1" * 64))
    sizes = []
    for arrays in (told, blind):
        found = estimate_difference(arrays, np.ones(100))
        assert found is not None
        assert found.lost == pytest.approx(0.2)
        sizes.append(found.effective)
    assert sizes[0] > 135
    assert 90 < sizes[1] < 110


def test_the_parts_of_rows_add_up_to_the_good_ones() -> None:
    """The total is post-stratified, and strata that all say the same hide a little variance."""
    arrays = judged(("pass", 80, "1" * 15 + "0" * 5), ("fail", 20, "0" * 10))
    found = linear_good(arrays)
    assert found is not None
    total = float(arrays.weight.sum())
    assert found.parts.sum() / total == pytest.approx(0.8 * 0.75)
    smooth = 1 / 12
    least = 0.2**2 * smooth * (1 - smooth) / 11
    assert found.hidden / total**2 == pytest.approx(least)
    assert found.freedom == 28
    assert linear_good(judged(("pass", 9, "1"))) is None
