"""Verdicts as records for the feedback topic, so that the label policy can weigh them.

A judge is then a voice among others: its signal has a sensitivity and a specificity, which
calibration fits from reviews, and redaction, erasure and replay are those of feedback. A judge is
its own "user", so that its last verdict on a trace counts. Only pass and fail say something of a
trace.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from batch.assembled_rows import read_first_rows
from batch.release.format.files import encode_jsonl
from judges.judgement import Judgement
from lake.fresh_read import read_fresh
from lake.retry import Retry
from lake.tables import Lake
from schemas.records import Feedback

_VALUES: Final = {"pass": 1.0, "fail": -1.0}
"""The readings ``custom_positive`` and ``custom_negative``."""


def verdicts_on_traces(
    judgements: Iterable[Judgement], lake: Lake, retry: Retry
) -> list[Judgement]:
    """Return the verdicts on traces of the lake: pass and fail.

    Rows of a file are left out, since another answer may have the id of a trace, and so are rows
    that are no traces of the lake, such as synthetic ones.
    """
    verdicts = [j for j in judgements if j.answer.outcome in _VALUES and j.arm != "file"]
    ids = {each.trace_id for each in verdicts}
    traces = read_fresh(lake, "traces", retry, lambda table: read_first_rows(table, ids))
    return [each for each in verdicts if each.trace_id in traces]


def feedback_of(verdict: Judgement) -> Feedback:
    """Return the feedback that a verdict is; its id is that of the judgement."""
    return Feedback(
        feedback_id=verdict.judgement_id,
        trace_id=verdict.trace_id,
        user_id=f"judge {verdict.judge}",
        kind="custom",
        value=_VALUES[verdict.answer.outcome],
        actor="system",
        occurred_at=verdict.judged_at,
        attributes={"judge": verdict.judge},
    )


def feedback_lines(verdicts: Iterable[Judgement]) -> bytes:
    """Return verdicts as JSON lines, each a record of the feedback topic."""
    records = [msgspec.to_builtins(feedback_of(verdict)) for verdict in verdicts]
    return encode_jsonl([{k: v for k, v in each.items() if v is not None} for each in records])
