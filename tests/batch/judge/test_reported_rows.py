"""What a run keeps outside of memory says the same as the rows themselves."""

import random
import sqlite3
from collections.abc import Sequence

import numpy as np
import pytest

from batch.judge.reported_rows import ReportedRow, ReportedRows
from batch.judge.reviewed_answers import ReviewedAnswer
from batch.scratch_database import ScratchDatabase
from judges.as_judged import judged_rate
from judges.correction.post_stratified import estimate_good_rate
from judges.correction.tuned import estimate_tuned_rate
from judges.correction.units import JudgedUnit
from judges.outcome import OUTCOMES, JudgeAnswer, OutcomeCounts, judge_error
from judges.weighted_rate import moments_of, rate_of_moments, rate_of_values
from judges.weighted_rows import WeightedRow, row_arrays
from schemas.errors import FatalError

ROWS = 600
ESTIMATED = ("estimate", "low", "high", "reviews", "judged", "worth_in_reviews", "design_effect")


def drawn(source: random.Random, at: int, chances: list[float]) -> ReportedRow:
    """Return a row with anything that a run may report."""
    outcome = source.choice(OUTCOMES)
    verdict = outcome in {"pass", "fail", "unknown"}
    p_fail = source.random() if verdict and source.random() < 0.8 else None
    answer = (
        judge_error(source.choice(["timeout", "refused"]))
        if outcome == "error"
        else JudgeAnswer(outcome, p_fail=p_fail)
    )
    cluster = None if source.random() < 0.3 else f"s{source.randrange(ROWS // 3)}"
    weighted = WeightedRow(source.choice(chances), cluster)
    return ReportedRow(f"t{at}", weighted, answer, source.choice([1, 2]), source.random() < 0.9)


def units_of(
    rows: list[ReportedRow], reviewed: dict[str, ReviewedAnswer], newest: int
) -> list[JudgedUnit]:
    """Return one unit for each row, as they are defined."""
    units = []
    for row in rows:
        if not row.is_sampled:
            continue
        review = reviewed.get(row.trace_id)
        drawn_with = None if review is None else review.probability
        units.append(
            JudgedUnit(
                row.answer.outcome,
                None if review is None else review.good,
                None if drawn_with is None else drawn_with * row.weighted.probability,
                row.weighted.probability,
                row.weighted.cluster,
                row.answer.p_fail,
                None if row.epoch == newest else f"{row.answer.outcome} in epoch {row.epoch}",
            )
        )
    return units


@pytest.mark.parametrize("chances", [[1.0], [0.2, 0.7, 1.0]])
@pytest.mark.parametrize("seed", range(5))
def test_kept_rows_estimate_as_rows_in_memory_do(seed: int, chances: list[float]) -> None:
    """All counts, and each estimate, whether rows are folded (all judged) or not."""
    source = random.Random(seed)  # noqa: S311 - a test
    rows = [drawn(source, at, chances) for at in range(ROWS)]
    reviewed = {
        f"t{at}": ReviewedAnswer(source.random() < 0.6, source.choice([0.3, None, 1.0]))
        for at in range(0, ROWS + 50, 5)
    }
    kept = ReportedRows.of(rows)
    sampled = [row for row in rows if row.is_sampled]
    assert len(kept) == ROWS
    assert kept.not_sampled == ROWS - len(sampled)
    assert kept.counts() == OutcomeCounts.of(row.answer for row in rows)
    assert kept.epochs() == {at: sum(row.epoch == at for row in rows) for at in (1, 2)}
    expected = judged_rate((row.answer, row.weighted) for row in sampled)
    found = kept.judged_sums().rate()
    assert found.counts == expected.counts
    names = ("estimate", "low", "high", "least", "most", "effective", "design_effect")
    assert _numbers(found, names) == pytest.approx(_numbers(expected, names))
    units = units_of(rows, reviewed, newest=2)
    for estimate in (estimate_good_rate, estimate_tuned_rate):
        whole, folded = estimate(units), estimate(kept.units(reviewed))
        assert whole is not None
        assert folded is not None
        assert _numbers(folded) == pytest.approx(_numbers(whole))
    if chances == [1.0]:
        assert sum(1 for _ in kept.units(reviewed)) < ROWS / 3


def _numbers(rate: object, names: Sequence[str] = ESTIMATED) -> list[float]:
    return [getattr(rate, name) for name in names]


def test_parts_without_a_common_cluster_add_up() -> None:
    """A rate of parts is that of the whole, with its interval."""
    source = random.Random(3)  # noqa: S311 - a test
    held = sorted((f"c{source.randrange(80)}", source.random() < 0.7) for _ in range(400))
    weighted = [WeightedRow(0.5 if name < "c4" else 0.25, name) for name, _ in held]
    arrays = row_arrays(weighted)
    values = np.array([float(good) for _, good in held])
    whole = rate_of_values(arrays, values)
    cut = next(at for at, (name, _) in enumerate(held) if name >= "c4")
    mask = np.arange(len(held)) < cut
    parts = moments_of(arrays.subset(mask), values[mask]) + moments_of(
        arrays.subset(~mask), values[~mask]
    )
    found = rate_of_moments(parts)
    assert [found.low, found.high, found.design_effect] == pytest.approx(
        [whole.low, whole.high, whole.design_effect]
    )


def test_a_full_temporary_folder_is_said() -> None:
    """What to do is said, and the run ends."""
    database = ScratchDatabase("CREATE TABLE kept (value)")
    assert database.first("PRAGMA max_page_count = 40") == (40,)
    with pytest.raises(FatalError, match="TMPDIR"):
        database.write("INSERT INTO kept VALUES (?)", ((b"x" * 10_000,) for _ in range(100)))
    with pytest.raises(FatalError, match="temporary file"):
        database.first("SELECT 1 FROM missing")
    assert sqlite3.threadsafety == 3
