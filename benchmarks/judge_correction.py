"""Measures whether intervals from few reviews cover what reviewers say of all rows.

python -m benchmarks.judge_correction [--draws 1000] [--reviews 100] [--local-reviews 40]

Two real judges and reviewers of the same rows (tests/data/judges), by pair of models and together,
and the local judge out of fold by task. In each draw a few rows are reviewed at random; the
intervals should contain the share of good answers among all rows in 95 % of draws. *Naive* takes
the judge at its word; *reviews alone* is the same formula with one stratum.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from judges.as_judged import judged_rate
from judges.correction.post_stratified import estimate_of_arrays
from judges.correction.rogan_gladen import ElsewhereReview, rogan_gladen
from judges.correction.tuned import tuned_rate_of_arrays
from judges.correction.units import JudgedUnit, UnitArrays, unit_arrays
from judges.outcome import JudgeAnswer, JudgeOutcome
from judges.weighted_rows import WeightedRow
from training.judges.task_success import (
    TrainingRecipe,
    deal_tasks,
    out_of_fold,
    read_features,
)

DATA = Path("tests/data/judges")
VERDICTS: dict[str, JudgeOutcome] = {"A": "pass", "B": "fail", "-": "unknown"}


@dataclass(frozen=True, slots=True)
class KnownTruth:
    """Judged rows of which all are reviewed: the truth that draws of reviews must cover."""

    name: str
    outcomes: Sequence[JudgeOutcome]
    good: Sequence[bool]
    p_fail: Sequence[float] | None = None

    @property
    def truth(self) -> float:
        """Return the share of good rows."""
        return sum(self.good) / len(self.good)


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """How often an interval covers the truth, and its mean width."""

    coverage: float
    width: float


def arena() -> Iterator[KnownTruth]:
    """Yield the shared verdicts: of each judge, on all pairs and on each."""
    text = (DATA / "arena_verdicts.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    for judge in dict.fromkeys(line["judge"] for line in lines):
        own = [line for line in lines if line["judge"] == judge]
        everything = {key: "".join(line[key] for line in own) for key in ("human", "judge_says")}
        yield _known(f"{judge}, all pairs", everything)
        for line in own:
            yield _known(f"{judge}, {line['pair'].rpartition('_vs_')[2]}", line)


def local() -> KnownTruth:
    """Return the local judge's verdicts, each by the model that never saw the task."""
    recipe, data = TrainingRecipe(), read_features(DATA / "task_success.jsonl")
    p_fail = out_of_fold(data, deal_tasks(data, recipe, 0), recipe.ridge).tolist()
    outcomes: list[JudgeOutcome] = [
        "pass" if p <= recipe.pass_at_most else "fail" if p >= recipe.fail_at_least else "unknown"
        for p in p_fail
    ]
    return KnownTruth("local judge, out of fold", outcomes, (data.failed == 0).tolist(), p_fail)


def naive(known: KnownTruth) -> CoverageFigures:
    """Return whether the judge's own interval covers the truth: always, or never."""
    rate = judged_rate((JudgeAnswer(o, p_fail=None), WeightedRow()) for o in known.outcomes)
    if rate.low is None or rate.high is None:
        return CoverageFigures(0.0, 1.0)
    return CoverageFigures(float(rate.low <= known.truth <= rate.high), rate.high - rate.low)


def measure(
    known: KnownTruth, draws: int, reviews: int, estimate: Callable[[UnitArrays], Any], seed: int
) -> CoverageFigures:
    """Return the figures of an estimate over many draws of reviews, the same for each estimate."""
    rng, size = np.random.default_rng(seed), len(known.good)
    p_fail: Sequence[float | None] = known.p_fail or [None] * size
    arrays = unit_arrays(
        JudgedUnit(o, p_fail=p) for o, p in zip(known.outcomes, p_fail, strict=True)
    )
    good = np.array(known.good, float)
    covered, width = 0, 0.0
    for _ in range(draws):
        drawn = np.sort(rng.choice(size, reviews, replace=False))
        interval = estimate(arrays.with_reviews(drawn, good[drawn], reviews / size))
        covered += interval.low <= known.truth <= interval.high
        width += interval.high - interval.low
    return CoverageFigures(covered / draws, width / draws)


def stratified(arrays: UnitArrays) -> Any:
    """Return the post-stratified estimate."""
    return estimate_of_arrays(arrays)


def reviews_alone(arrays: UnitArrays) -> Any:
    """Return the estimate of the same formula with one stratum."""
    return estimate_of_arrays(arrays, stratified=False)


def transported(arrays: UnitArrays) -> Any:
    """Return the estimate of Rogan and Gladen, with the reviews as if they were from elsewhere."""
    outcomes = arrays.stratum[arrays.of_review].tolist()
    rows = [
        ElsewhereReview(outcome == "pass", bool(good))
        for outcome, good in zip(outcomes, arrays.good.tolist(), strict=True)
    ]
    passed = int((arrays.stratum == "pass").sum())
    nothing = CoverageInterval(0.0, 1.0)
    return rogan_gladen(passed, len(arrays.stratum), rows) or nothing


@dataclass(frozen=True, slots=True)
class CoverageInterval:
    """An interval that says nothing, where an estimate has none."""

    low: float
    high: float


@click.command()
@click.option("--draws", default=1_000, show_default=True)
@click.option("--reviews", default=100, show_default=True)
@click.option("--local-reviews", default=40, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(draws: int, reviews: int, local_reviews: int, seed: int) -> None:
    """Print one line for each judge and set of rows."""
    head = f"{'':34}{'rows':>5}{'truth':>7}{'judge':>7}{'naive':>7}{'cover':>7}{'width':>7}"
    click.echo(f"{head}{'alone':>7}{'ratio':>7}{'R-G':>7}")
    for known, count in [*((each, reviews) for each in arena()), (local(), local_reviews)]:
        click.echo(_line(known, draws, count, seed))
    known = local()
    tuned = measure(known, draws, local_reviews, tuned_rate_of_arrays, seed)
    click.echo(f"{'local judge, by probability':34}{'':26}{tuned.coverage:7.3f}{tuned.width:7.3f}")


def _line(known: KnownTruth, draws: int, reviews: int, seed: int) -> str:
    own = naive(known)
    both = [measure(known, draws, reviews, one, seed) for one in (stratified, reviews_alone)]
    moved = measure(known, draws, reviews, transported, seed)
    decided = [outcome for outcome in known.outcomes if outcome in ("pass", "fail")]
    judge = decided.count("pass") / len(decided)
    return (
        f"{known.name:34}{len(known.good):5}{known.truth:7.3f}{judge:7.3f}{own.coverage:7.0%}"
        f"{both[0].coverage:7.3f}{both[0].width:7.3f}{both[1].width:7.3f}"
        f"{both[0].width / both[1].width:7.3f}{moved.width / both[1].width:7.2f}"
    )


def _known(name: str, line: dict[str, str]) -> KnownTruth:
    outcomes = [VERDICTS[letter] for letter in line["judge_says"]]
    return KnownTruth(name, outcomes, [letter == "A" for letter in line["human"]])


if __name__ == "__main__":
    main()
