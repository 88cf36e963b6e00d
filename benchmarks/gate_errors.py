"""How often a gate is wrong at each boundary, and how often it finds the difference it prints.

python -m benchmarks.gate_errors [--runs 2000] [--rows 300] [BOUNDARY]...

Rows are in conversations of one to four, and alike within one. 10 % of the verdicts are unknown
and 2 % are errors (limits 20 % and 5 %). At a boundary the truth lies on the bar, so each ship is
a false one, and so is each block. With three looks a gate sees a third of the conversations, then
two thirds, then all, and stops at the first decision.

Power is measured at a truth that is the printed smallest difference (`mde`, the median of 50 runs
at the boundary) on the good side of the bar (*ship at*) and on the bad one (*block at*).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, median
from typing import Final

import click
import numpy as np

from benchmarks.gate_worlds import (
    FAIR,
    LENIENT,
    REAL,
    SPREAD,
    GateWorld,
    SimulatedJudge,
    numbers,
    reviews_of,
    rows_to_review,
)
from benchmarks.options import COUNT
from judges.gate.decision import GateVerdict, decide_gate, gate_verdict
from judges.gate.definition import GateDefinition, parse_gate
from judges.gate.readings import GateReview, GateRows, MetricReadings

FLIPS: Final = 0.136
"""The share of verdicts on which the judge of the comparison of A with A contradicts itself."""
_REVIEWED: Final = 120
_PRINTED: Final = 50
_SAME: Final = "A against A"
_UNIT: Final = NormalDist()


Draw = Callable[[GateWorld, float], GateRows]


@dataclass(frozen=True, slots=True)
class GateBoundary:
    """A gate whose first requirement is on its bar, when nothing is shifted."""

    name: str
    require: str
    draw: Draw
    more_is_good: bool = True
    has_power: bool = True

    def definition(self, looks: int) -> GateDefinition:
        """Return the gate."""
        limits = "judged: {at_most_unknown: 0.2, at_most_error: 0.05}"
        if "claim" in self.require:
            limits = limits[:-1] + ", agreement_at_least: {ac1: 0, reviews: 2}}"
        text = f"gate: simulated\nrelease: drawn@1\nlooks: {looks}\n{limits}\n{self.require}\n"
        return parse_gate(text, self.name)


def _rate(world: GateWorld, shift: float) -> GateRows:
    return world.gate_rows({"quality": world.verdicts(world.below(0.85 + shift))})


def _high_rate(world: GateWorld, shift: float) -> GateRows:
    return world.gate_rows({"quality": world.verdicts(world.below(0.95 + shift))})


def _margin(world: GateWorld, shift: float, changed: float = 0.15) -> GateRows:
    new, old = world.pair(-0.02 + shift, max(changed, abs(shift - 0.02)))
    return world.gate_rows({"quality": world.verdicts(new)}, {"quality": world.verdicts(old)})


def _few_changes(world: GateWorld, shift: float) -> GateRows:
    return _margin(world, shift, 0.04)


def _latency(world: GateWorld, shift: float) -> GateRows:
    median_ = (3_500 + shift) / math.exp(SPREAD * _UNIT.inv_cdf(0.95))
    return world.gate_rows({"latency_ms": numbers(world.lognormal(median_))})


def _cost(world: GateWorld, shift: float) -> GateRows:
    mean = (0.08 + shift) * 0.8
    costs = world.lognormal(mean / math.exp(SPREAD**2 / 2))
    done = world.verdicts(world.below(0.8))
    return world.gate_rows({"cost_usd": numbers(costs), "task_success": done})


def _humans(world: GateWorld, shift: float) -> GateRows:
    good = world.below(0.85 + shift)
    right = world.rng.random(world.rows) < 0.85
    verdicts = world.verdicts(np.where(right, good, 1 - good))
    drawn = world.rng.choice(world.rows, min(_REVIEWED, world.rows // 2), replace=False)
    chance = len(drawn) / world.rows
    reviews = [GateReview(at, good[at] > 0, chance) for at in sorted(drawn.tolist())]
    return world.gate_rows({"quality": verdicts}, reviews={"quality": reviews})


def _human_margin(
    world: GateWorld,
    shift: float,
    new_judge: SimulatedJudge = FAIR,
    old_judge: SimulatedJudge = FAIR,
    changed: float = 0.15,
) -> GateRows:
    new, old = world.pair(-0.05 + shift, max(changed, abs(shift - 0.05)))
    sides = [judge.verdicts(world, good) for judge, good in ((new_judge, new), (old_judge, old))]
    drawn = rows_to_review(world, *sides)
    rows = world.gate_rows(
        {"quality": sides[0]}, {"quality": sides[1]}, {"quality": reviews_of(drawn, new)}
    )
    return replace(rows, baseline_reviews={"quality": reviews_of(drawn, old)})


def _few_human_changes(world: GateWorld, shift: float) -> GateRows:
    return _human_margin(world, shift, changed=0.05)


def _biased_margin(world: GateWorld, shift: float) -> GateRows:
    return _human_margin(world, shift, LENIENT, REAL)


def _human_cost(world: GateWorld, shift: float, judge: SimulatedJudge = FAIR) -> GateRows:
    """Draw tasks of which those that fail cost half as much again."""
    done = world.below(0.8)
    mean = (0.08 + shift) * 0.8 / 1.1
    costs = world.lognormal(mean / math.exp(SPREAD**2 / 2)) * (1.5 - 0.5 * done)
    said = judge.verdicts(world, done)
    reviews = reviews_of(rows_to_review(world, said), done)
    readings = {"cost_usd": numbers(costs), "task_success": said}
    return world.gate_rows(readings, reviews={"task_success": reviews})


def _real_cost(world: GateWorld, shift: float) -> GateRows:
    return _human_cost(world, shift, REAL)


def _cost_margin(world: GateWorld, shift: float) -> GateRows:
    """Draw two sides of which the candidate costs two cents more for a task that is done."""
    new, old = world.pair(0.0, 0.15)
    sides = [judge.verdicts(world, good) for judge, good in ((LENIENT, new), (REAL, old))]
    drawn, costs = rows_to_review(world, *sides), []
    for good, mean in ((new, 0.08 + shift), (old, 0.06)):
        share = 0.87 - 0.075
        typical = mean * share / (1.5 - 0.5 * share) / math.exp(SPREAD**2 / 2)
        costs.append(numbers(world.lognormal(typical) * (1.5 - 0.5 * good)))
    held = [
        {"cost_usd": cost, "task_success": said} for cost, said in zip(costs, sides, strict=True)
    ]
    rows = world.gate_rows(held[0], held[1], {"task_success": reviews_of(drawn, new)})
    return replace(rows, baseline_reviews={"task_success": reviews_of(drawn, old)})


def _segments(world: GateWorld, shift: float) -> GateRows:
    new, old = world.pair(-0.05 + shift, 0.15)
    apps = np.array(["a", "b", "c", "d"])[world.cluster % 4].tolist()
    return world.gate_rows(
        {"quality": world.verdicts(new)},
        {"quality": world.verdicts(old)},
        segments={"app": apps},
    )


def _all_four(world: GateWorld, shift: float) -> GateRows:
    parts = [draw(world, shift) for draw in (_rate, _latency, _cost)]
    readings = {name: each for part in parts for name, each in part.candidate.items()}
    hits = {"hit_rate": numbers(world.below(0.80 + shift))}
    return world.gate_rows(readings | hits)


_HUMAN_MARGIN: Final = "claim: as_humans\nrequire: {quality: {no_worse_than_baseline_by: .05}}"
_HUMAN_COST: Final = "claim: as_humans\nrequire: {cost_per_success: {at_most: .08}}"
BOUNDARIES: Final = (
    GateBoundary("rate .85", "require: {quality: {at_least: .85}}", _rate),
    GateBoundary("rate .95", "require: {quality: {at_least: .95}}", _high_rate),
    GateBoundary(
        "margin .02, 15 % change",
        "require: {quality: {no_worse_than_baseline_by: .02}}",
        _margin,
    ),
    GateBoundary(
        "margin .02, 4 % change",
        "require: {quality: {no_worse_than_baseline_by: .02}}",
        _few_changes,
        has_power=False,
    ),
    GateBoundary(
        "latency p95",
        "require: {latency_p95_ms: {at_most: 3500}}",
        _latency,
        more_is_good=False,
    ),
    GateBoundary(
        "cost per success",
        "require: {cost_per_success: {at_most: .08}}",
        _cost,
        more_is_good=False,
    ),
    GateBoundary(
        "rate .85 as humans", "claim: as_humans\nrequire: {quality: {at_least: .85}}", _humans
    ),
    GateBoundary("margin .05 as humans", _HUMAN_MARGIN, _human_margin),
    GateBoundary("margin .05, biased judge", _HUMAN_MARGIN, _biased_margin),
    GateBoundary("margin .05, 5 % change", _HUMAN_MARGIN, _few_human_changes, has_power=False),
    GateBoundary("cost as humans", _HUMAN_COST, _human_cost, more_is_good=False),
    GateBoundary("cost as humans, real judge", _HUMAN_COST, _real_cost, more_is_good=False),
    GateBoundary(
        "cost margin as humans",
        "claim: as_humans\nrequire: {cost_per_success: {no_worse_than_baseline_by: .02}}",
        _cost_margin,
        more_is_good=False,
    ),
    GateBoundary(
        "margin in 4 segments",
        "segments: {by: [app], no_worse_by: .05}\n"
        "require: {quality: {no_worse_than_baseline_by: .05}}",
        _segments,
        has_power=False,
    ),
    GateBoundary(
        "four requirements",
        "require: {quality: {at_least: .85}, hit_rate: {at_least: .80}, "
        "latency_p95_ms: {at_most: 3500}, cost_per_success: {at_most: .08}}",
        _all_four,
        has_power=False,
    ),
)


def first_clusters(rows: GateRows, share: float) -> GateRows:
    """Return the rows as they are after a share of the conversations: the rest is pending."""
    unseen = rows.weights.cluster >= share * (int(rows.weights.cluster.max()) + 1)

    def cut(readings: Mapping[str, MetricReadings]) -> dict[str, MetricReadings]:
        return {
            name: MetricReadings(
                np.where(unseen, np.nan, each.values),
                np.where(unseen, "pending", each.states).astype(np.str_),
            )
            for name, each in readings.items()
        }

    def seen(reviews: Mapping[str, Sequence[GateReview]]) -> dict[str, list[GateReview]]:
        return {
            name: [each for each in held if not unseen[each.at]] for name, held in reviews.items()
        }

    return replace(
        rows,
        candidate=cut(rows.candidate),
        baseline=cut(rows.baseline),
        reviews=seen(rows.reviews),
        baseline_reviews=seen(rows.baseline_reviews),
    )


def decide_in_looks(definition: GateDefinition, rows: GateRows) -> GateVerdict:
    """Return the first decision of a gate that looks after equal parts of the conversations."""
    for look in range(1, definition.looks + 1):
        seen = rows if look == definition.looks else first_clusters(rows, look / definition.looks)
        verdict = gate_verdict(definition, seen, at_look=look)
        if verdict in ("ship", "block"):
            return verdict
    return "not_enough_evidence"


def draw_worlds(runs: int, rows: int, seed: int) -> Iterator[GateWorld]:
    """Yield a world for each run."""
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        yield GateWorld(rng, rows)


def verdict_shares(
    boundary: GateBoundary, worlds: Iterable[GateWorld], *, looks: int = 1, shift: float = 0.0
) -> tuple[float, float]:
    """Return the shares of runs that ship and that block."""
    definition = boundary.definition(looks)
    found = [decide_in_looks(definition, boundary.draw(world, shift)) for world in worlds]
    return found.count("ship") / len(found), found.count("block") / len(found)


def printed_difference(boundary: GateBoundary, worlds: Iterable[GateWorld]) -> float:
    """Return the median of the smallest difference that a gate prints at the boundary."""
    definition = boundary.definition(1)
    found = [
        decide_gate(definition, boundary.draw(world, 0.0)).requirements[0].mde for world in worlds
    ]
    return median(math.inf if each is None else each for each in found)


def same_system(flips: float, worlds: Iterable[GateWorld]) -> tuple[float, float]:
    """Return how often A against A is called a difference, and how often it is blocked.

    The judge contradicts itself on a share of the rows (``flips``), and the margin is 0.
    """
    text = "gate: a\nrelease: r@1\nrequire: {quality: {no_worse_than_baseline_by: 0}}\n"
    definition, runs, differs, blocks = parse_gate(text, "a"), 0, 0, 0
    for runs, world in enumerate(worlds, 1):  # noqa: B007 - the number of the last
        new, old = world.pair(0.0, flips)
        sides = [world.verdicts(each) for each in (new, old)]
        if not flips:
            sides[1] = sides[0]
        decided = decide_gate(
            definition, world.gate_rows({"quality": sides[0]}, {"quality": sides[1]})
        )
        changed = decided.requirements[0].changed
        differs += changed is not None and changed.differs
        blocks += decided.decision == "block"
    return differs / runs, blocks / runs


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*(b.name for b in BOUNDARIES), _SAME]))
@click.option("--runs", type=COUNT, default=2_000, show_default=True)
@click.option("--rows", default=300, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(names: tuple[str, ...], runs: int, rows: int, seed: int) -> None:
    """Print one line for each boundary, and the comparison of A with A."""
    head = f"{'':26}{'ship':>7}{'block':>7}{'ship, 3':>9}{'block, 3':>9}"
    click.echo(f"{head}{'mde':>9}{'ship at':>9}{'block at':>9}")
    for boundary in BOUNDARIES:
        if names and boundary.name not in names:
            continue
        one, three = (
            verdict_shares(boundary, draw_worlds(runs, rows, seed), looks=looks) for looks in (1, 3)
        )
        line = f"{boundary.name:26}{one[0]:7.1%}{one[1]:7.1%}{three[0]:9.1%}{three[1]:9.1%}"
        if boundary.has_power:
            mde = printed_difference(boundary, draw_worlds(_PRINTED, rows, seed))
            good = mde if boundary.more_is_good else -mde
            power = [
                verdict_shares(boundary, draw_worlds(runs, rows, seed), shift=shift)[at]
                for at, shift in enumerate((good, -good))
            ]
            line += f"{mde:9.4g}{power[0]:9.1%}{power[1]:9.1%}"
        click.echo(line)
    if not names or _SAME in names:
        for flips in (0.0, FLIPS):
            differs, blocks = same_system(flips, draw_worlds(runs, rows, seed))
            click.echo(
                f"{_SAME}, {flips:.1%} of verdicts flip: {differs:.1%} called a difference, "
                f"{blocks:.1%} blocked"
            )


if __name__ == "__main__":
    main()
