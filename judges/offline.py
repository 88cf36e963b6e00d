"""Answers a judge without a server: by a check, or by the local model."""

from typing import Any

from msgspec import to_builtins

from judges.answer import answer_of_probability
from judges.checks.run import run_check
from judges.definition import DEFAULT_THRESHOLDS, JudgeDefinition, VerdictThresholds
from judges.judged_row import JudgedRow
from judges.local.model import task_success_model
from judges.outcome import JudgeAnswer, judge_error
from judges.render import UnaskedRow, applies_to, input_digest_of
from judges.ways import CheckWay, LocalWay

_FIELDS = (
    "status",
    "error_type",
    "messages",
    "response",
    "finish_reason",
    "retrieved",
    "tool_calls",
    "attributes",
)
"""The fields of a trace that checks and the local model look at."""


def answer_offline(
    definition: JudgeDefinition,
    way: LocalWay | CheckWay,
    row: JudgedRow,
    thresholds: VerdictThresholds | None = None,
) -> UnaskedRow:
    """Return the outcome of a row, and the digest of what was looked at.

    The rule of ``applies`` comes first. ``reads`` and ``limits`` do not count: nothing leaves.
    ``thresholds`` are those in use where the definition says ``calibrated``.
    """
    fields: dict[str, Any] = {name: to_builtins(getattr(row.trace, name)) for name in _FIELDS}
    return UnaskedRow(_answer(definition, way, row, thresholds), input_digest_of(fields))


def _answer(
    definition: JudgeDefinition,
    way: LocalWay | CheckWay,
    row: JudgedRow,
    thresholds: VerdictThresholds | None,
) -> JudgeAnswer:
    if not applies_to(definition.applies, row):
        return JudgeAnswer("not_applicable")
    if isinstance(way, CheckWay):
        return run_check(way.check, row)
    if not row.trace.messages:
        return judge_error("missing_input")
    in_use = definition.thresholds or thresholds or DEFAULT_THRESHOLDS
    held_out_by = way.held_out_by
    task = None if held_out_by is None else row.trace.attributes.get(held_out_by)
    return answer_of_probability(task_success_model().p_fail(row, task), in_use)
