"""Segments of a gate: in each, shares must be no worse than a bar; they block, and never ship."""

from collections.abc import Sequence

import numpy as np

from judges.gate.bounds import OneSidedBounds
from judges.gate.definition import MARGIN, GateDefinition, RequirementRule
from judges.gate.human_bounds import human_bounds, human_difference
from judges.gate.human_claim import unpaired
from judges.gate.metric_bounds import difference_bounds, metric_bounds
from judges.gate.metric_names import GateMetric
from judges.gate.readings import GateRows
from judges.gate.requirement import BarTest, RequirementQuestion
from judges.weighted_rows import MaskArray


def segment_questions(
    definition: GateDefinition, rows: GateRows, required: Sequence[RequirementQuestion]
) -> tuple[list[RequirementQuestion], int]:
    """Return what is tested in segments, and how many have too few rows, or reviews, for it.

    Each mean that a requirement could measure is tested once: against the baseline on the same rows
    where there is one, else against the requirement's bar.
    """
    rule = definition.segments
    if rule is None:
        return [], 0
    tested: dict[str, RequirementQuestion] = {}
    for each in required:
        if each.test is not None and definition.metrics[each.metric].kind == "mean":
            tested.setdefault(each.metric, each)
    questions, small = [], 0
    for segment in rule.by:
        values = np.array(rows.segments[segment], np.str_)
        for value in np.unique(values).tolist():
            mask = values == value
            if int(mask.sum()) < rule.min_rows:
                small += 1
                continue
            found = [_question(definition, rows, each, mask) for each in tested.values()]
            small += bool(found) and not any(found)
            questions += [
                each._replace(
                    name=f"{each.metric} in {segment}={value or '(none)'}", segment=(segment, value)
                )
                for each in found
                if each is not None
            ]
    return questions, small


def _question(
    definition: GateDefinition, rows: GateRows, question: RequirementQuestion, mask: MaskArray
) -> RequirementQuestion | None:
    """Return the test of a segment, None if too few of its rows are measured."""
    segments, test, metric = definition.segments, question.test, definition.metrics[question.metric]
    if segments is None or test is None:
        return None
    slack = -segments.no_worse_by if test.more_is_good else segments.no_worse_by
    is_paired, bounds = _bounds(definition, rows, metric, mask)
    if bounds is None or bounds.rows < segments.min_rows:
        return None
    rule: RequirementRule = MARGIN if is_paired else question.rule
    bar = slack if is_paired else question.bar + slack
    reviews = bounds.rows if definition.is_reviewed(metric) else 0
    shown = BarTest(bounds, bar, test.more_is_good)
    return RequirementQuestion(question.name, question.metric, rule, bar, shown, reviews=reviews)


def _bounds(
    definition: GateDefinition, rows: GateRows, metric: GateMetric, mask: MaskArray
) -> tuple[bool, OneSidedBounds | None]:
    """Return whether a segment is compared with the baseline, and its bounds.

    As humans would judge it is where the answers of both sides are reviewed.
    """
    if definition.is_reviewed(metric):
        name = metric.verdict
        if name in rows.baseline and unpaired(rows, name) is None:
            return True, human_difference(rows, metric, mask)
        return False, human_bounds(rows, metric, mask)
    if all(name in rows.baseline for name in metric.reads):
        held = (rows.weights, rows.candidate, rows.baseline)
        return True, difference_bounds(metric, *held, mask)
    return False, metric_bounds(metric, rows.weights, rows.candidate, mask)
