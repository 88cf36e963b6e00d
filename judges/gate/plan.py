"""What a gate will be able to find, and what it takes, before anything is judged.

Nothing is known of the candidate yet. So the plan assumes that rows of one cluster are half alike
(an intraclass correlation of 0.5), that a fifth of the rows change between candidate and baseline,
and that a judge saves no reviews. Of the tasks that reviewers see, a fifth is not done. What it
then finds, it finds with a power of 80 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from judges.gate.bounds import OneSidedBounds, rows_missing
from judges.gate.definition import MARGIN, GateDefinition, RequirementBar, RequirementRule
from judges.gate.metric_bounds import metric_bounds
from judges.gate.metric_names import SUCCESS, GateMetric
from judges.gate.paired_bounds import PairedBounds
from judges.gate.readings import MetricReadings
from judges.gate.share_bounds import ShareBounds
from judges.gate.total_bounds import TotalBounds
from judges.weighted_rows import FloatArray, RowArrays, cluster_count, cluster_sums

ALIKE: Final = 0.5
CHANGED: Final = 0.2
DONE: Final = 0.8
SHARE_SOUGHT: Final = 0.05
"""How far above a bar a share is to be found, where no margin says how exact the gate must be."""


@dataclass(frozen=True, slots=True)
class RequirementPlan:
    """What one requirement will find on the rows that there are; None where nothing says it.

    ``finds`` is the distance on the good side of the bar that is found with a power of 80 %.
    ``sought`` is the one that is to be found: the margin itself, so that an equal candidate ships,
    or five points above a share's bar. ``more_rows`` and ``more_reviews`` are missing for it; the
    reviews of a margin are rows that are reviewed on both sides.
    """

    name: str
    rule: RequirementRule
    bar: float
    finds: float | None
    sought: float | None
    more_rows: int | None
    more_reviews: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "name": self.name,
            "rule": self.rule,
            "bar": self.bar,
            "finds": self.finds,
            "sought": self.sought,
            "missing_rows": self.more_rows,
            "missing_reviews": self.more_reviews,
        }


@dataclass(frozen=True, slots=True)
class GatePlan:
    """The plan of a gate on ``rows`` rows. ``verdicts`` are those to be made of both sides.

    ``reviews`` are those that the claim needs at least, each of one answer for one metric;
    ``cost_usd`` is what the rows cost in production, None where no row says.
    """

    rows: int
    clusters: int
    verdicts: int
    reviews: int
    cost_usd: float | None
    requirements: tuple[RequirementPlan, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "rows": self.rows,
            "clusters": self.clusters,
            "verdicts": self.verdicts,
            "reviews": self.reviews,
            "cost_usd": self.cost_usd,
            "requirements": [each.to_json() for each in self.requirements],
        }


def plan_gate(
    definition: GateDefinition,
    rows: RowArrays,
    production: Mapping[str, FloatArray],
    cost_usd: float | None = None,
) -> GatePlan:
    """Return the plan of a gate.

    ``production`` are latencies and costs of the rows as they were recorded, by what is read, with
    NaN where there are none: they give the shape of those of the candidate.
    """
    metrics = definition.metrics
    judged = {
        name: any(MARGIN in definition.require[text].rules for text in texts)
        for name, texts in _judged_names(metrics).items()
    }
    sides = sum(len(sides) for sides in definition.reviewed_sides.values())
    planner = _Planner(definition, rows, production)
    return GatePlan(
        rows=len(rows.weight),
        clusters=cluster_count(rows.cluster),
        verdicts=len(rows.weight) * sum(1 + paired for paired in judged.values()),
        reviews=definition.judged.agreement_at_least.reviews * sides,
        cost_usd=cost_usd,
        requirements=tuple(
            planner.plan(text, bar) for text in definition.require for bar in definition.bars(text)
        ),
    )


def _judged_names(metrics: Mapping[str, GateMetric]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for text, metric in metrics.items():
        for name in metric.judged:
            names.setdefault(name, []).append(text)
    return names


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans the requirements of one gate."""

    definition: GateDefinition
    rows: RowArrays
    production: Mapping[str, FloatArray]

    def plan(self, text: str, required: RequirementBar) -> RequirementPlan:
        """Return the plan of one rule of a metric."""
        metric, level = self.definition.metrics[text], self.definition.level
        rule, number, bar, more = required
        is_margin = rule == MARGIN
        bounds = self._margin_bounds(metric) if is_margin else self._bar_bounds(metric, bar)
        finds = sought = missing = None
        if bounds is not None:
            margin = bounds.margin_above if more else bounds.margin_below
            finds = margin(bar, level)
            sought = number if is_margin else SHARE_SOUGHT if metric.kind == "mean" else None
            if sought is not None:
                missing = rows_missing(bounds.rows, sought, partial(margin, bar, level))
        by_reviews = self.definition.is_reviewed(metric)
        return RequirementPlan(
            name=text,
            rule=rule,
            bar=bar,
            finds=None if finds is None or np.isinf(finds) else finds,
            sought=sought,
            more_rows=0 if by_reviews else missing,
            more_reviews=missing if by_reviews else 0,
        )

    def _margin_bounds(self, metric: GateMetric) -> OneSidedBounds | None:
        if metric.kind != "mean":
            return None
        half, count = CHANGED / 2, len(self.rows.weight)
        if self.definition.is_reviewed(metric):
            reviews = self._reviews
            return PairedBounds(half, half, reviews, float(reviews), reviews - 1.0, None, None)
        freedom = cluster_count(self.rows.cluster) - 1.0
        return PairedBounds(half, half, count, _effective(self.rows), freedom, None, None)

    def _bar_bounds(self, metric: GateMetric, bar: float) -> OneSidedBounds | None:
        """Return bounds as precise as those that the gate will have, None if nothing says it."""
        count = len(self.rows.weight)
        if metric.kind != "mean":
            names = set(metric.reads) - {SUCCESS}
            side = {name: self.production[name] for name in names & self.production.keys()}
            side[SUCCESS] = np.ones(count)
            if names - side.keys() or any(np.isnan(values).all() for values in side.values()):
                return None
            readings = {name: _readings(values) for name, values in side.items()}
            bounds = metric_bounds(metric, self.rows, readings, np.ones(count, np.bool_))
            if isinstance(bounds, TotalBounds) and self.definition.is_reviewed(metric):
                return self._with_reviews(bounds)
            return bounds
        if not 0 < bar < 1:
            return None
        if self.definition.is_reviewed(metric):
            return ShareBounds(bar, self._reviews, float(self._reviews), self._reviews - 1.0)
        freedom = cluster_count(self.rows.cluster) - 1.0
        return ShareBounds(bar, count, _effective(self.rows), freedom)

    def _with_reviews(self, bounds: TotalBounds) -> TotalBounds:
        """Return a cost of successes of which only the reviewed ones are known."""
        unknown = float(bounds.denominator.sum()) ** 2 * (1 - DONE) / DONE / self._reviews
        return replace(bounds, hidden=(0.0, unknown), freedom=self._reviews - 1)

    @property
    def _reviews(self) -> int:
        """Return the reviewed rows that the claim needs at least."""
        return min(len(self.rows.weight), self.definition.judged.agreement_at_least.reviews)


def _effective(rows: RowArrays) -> float:
    """Return the effective size: Kish's, over the design effect of clusters that are half alike."""
    total, squares = float(rows.weight.sum()), float(np.sum(rows.weight**2))
    together = float(np.sum(cluster_sums(rows.weight, rows.cluster) ** 2))
    return total**2 / (squares + ALIKE * (together - squares))


def _readings(values: FloatArray) -> MetricReadings:
    return MetricReadings(values, np.full(len(values), "value"))
