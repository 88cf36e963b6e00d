"""Compares labels with the truth, before and after reviews, with intervals.

python -m benchmarks.calibration [--seeds 10] [--reviews 200] [--preset agent]

Prints two tables, over every preset and every world of tests/labels/known_truth.py, at 10, 30 and
50 % bad answers. The first has Brier scores of traces with a signal, before any calibration, beside
the signals taken literally. The second has the calibration error of all traces without a review,
against their true probabilities, and how often a label's interval covers the truth. Reviewers err
(sensitivity .93 to 1, specificity .95 to 1); the audit draws 5 %.
"""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import click

from labels.calibration_learning import fit_calibration
from labels.policy import PRESETS, LabelPolicy, load_label_policy
from labels.scorer import LabelScorer
from tests.labels import known_truth as kt

BAD = (0.1, 0.3, 0.5)
TRACES_A_REVIEW = 40


class Run(NamedTuple):
    """One simulation: errors before and after the reviews, coverage and width of intervals."""

    before: float
    after: float
    signalled: float
    covered_before: float
    covered: float
    width_before: float
    width: float


def run(policy: LabelPolicy, world: str, bad: float, reviews: int, seed: int) -> Run:
    """Draw traces, review some, learn, and compare all others with the truth."""
    traces = max(4_000, TRACES_A_REVIEW * reviews)
    drawn = kt.draw(kt.world(world, policy), bad, traces, seed)
    priors = LabelScorer(policy)
    places = kt.chosen(drawn, priors, reviews, seed)
    found = kt.reviewed(drawn, places, seed)
    learnt = LabelScorer(policy, fit_calibration(policy, found, kt.population(drawn), version=1))
    rest = kt.others(drawn, places)
    covered_before, width_before = kt.covered(drawn, priors, rest)
    covered, width = kt.covered(drawn, learnt, rest)
    after = kt.said(drawn, learnt)
    return Run(
        before=kt.error(kt.said(drawn, priors), drawn, rest),
        after=kt.error(after, drawn, rest),
        signalled=kt.error(after, drawn, rest * drawn.signalled),
        covered_before=covered_before,
        covered=covered,
        width_before=width_before,
        width=width,
    )


def scores(policy: LabelPolicy, world: str, bad: float, seeds: int) -> tuple[float, float]:
    """Return the Brier score of labels before any calibration, and of signals taken literally."""
    drawn = [kt.draw(kt.world(world, policy), bad, 10_000, seed) for seed in range(seeds)]
    scales = LabelScorer(policy)
    return (
        statistics.mean(kt.brier(kt.said(one, scales), one) for one in drawn),
        statistics.mean(kt.brier(kt.at_their_word(one, policy), one) for one in drawn),
    )


@click.command()
@click.option("--seeds", default=10, show_default=True)
@click.option("--reviews", default=200, show_default=True)
@click.option("--preset", "presets", multiple=True, default=PRESETS, show_default=True)
@click.option("--world", "worlds", multiple=True, default=kt.WORLDS, show_default=True)
def main(*, seeds: int, reviews: int, presets: Sequence[str], worlds: Sequence[str]) -> None:
    """Print both tables, with the intervals in the second, and the means over all simulations."""
    click.echo("Brier score of traces with a signal: labels before any calibration / signals")
    for preset in presets:
        policy = load_label_policy(preset)
        for world in worlds:
            pairs = [scores(policy, world, bad, seeds) for bad in BAD]
            click.echo(_line(preset, world, [f"{ours:.3f} / {word:.3f}" for ours, word in pairs]))
    click.echo(
        f"\nCalibration error of all other traces: before, after {reviews} reviews "
        "(worst), share of them within their interval"
    )
    everything: list[Run] = []
    for preset in presets:
        policy = load_label_policy(preset)
        for world in worlds:
            cells = []
            for bad in BAD:
                runs = [run(policy, world, bad, reviews, seed) for seed in range(seeds)]
                everything += runs
                worst = max(each.after for each in runs)
                before, after = _mean(runs, "before"), _mean(runs, "after")
                cells.append(
                    f"{before:.3f}, {after:.3f} ({worst:.3f}) {_mean(runs, 'covered'):.2f}"
                )
            click.echo(_line(preset, world, cells))
    click.echo(
        "\nmeans of all: " + ", ".join(f"{n} {_mean(everything, n):.3f}" for n in Run._fields)
    )
    errors = sorted(each.after for each in everything)
    click.echo(
        f"at most .03 in {sum(e <= 0.03 for e in errors)} of {len(errors)}, nine tenths at most "
        f"{errors[-(len(errors) // 10) - 1]:.3f}, all at most {errors[-1]:.3f}"
    )


def _mean(runs: Sequence[Run], name: str) -> float:
    values: list[float] = [getattr(simulation, name) for simulation in runs]
    return statistics.mean(values)


def _line(preset: str, world: str, cells: Sequence[str]) -> str:
    shown = "   ".join(f"{bad:.0%}: {cell}" for bad, cell in zip(BAD, cells, strict=True))
    return f"{preset:>12} {world:>8}   {shown}"


if __name__ == "__main__":
    main()
