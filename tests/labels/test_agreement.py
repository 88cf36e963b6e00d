"""Agreement between reviewers, against published examples."""

import pytest

from labels.agreement import adjudicate, cohen_kappa, krippendorff_alpha
from schemas.records import Label


def test_cohen_by_hand() -> None:
    """50 grant proposals, read by two: agreement .7, by chance .5, kappa .4."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)
    assert cohen_kappa([]) is None
    assert cohen_kappa([("y", "y")] * 3) is None


def test_krippendorff_published_example() -> None:
    """Four observers, twelve units, missing values: alpha .743 (Krippendorff 2011, section C)."""
    observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [[row[i] for row in observers if row[i] != "."] for i in range(12)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_krippendorff_where_it_is_not_defined() -> None:
    """Nothing judged twice, or everything judged the same, has no alpha."""
    assert krippendorff_alpha([["a"], ["b"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        (["fail"], "fail"),
        (["fail", "fail", "pass"], "fail"),
        (["fail", "pass"], "disputed"),
        (["fail", "pass", "unknown"], "disputed"),
        ([], "disputed"),
    ],
)
def test_more_than_half_decide(votes: list[Label], outcome: str) -> None:
    """A tie is disputed, and so is a mere plurality."""
    assert adjudicate(votes) == outcome
