"""What goldpan's own judges say of the answers of a candidate, and of its baseline.

A gate asks nobody. Checks and the local model answer at once; what a server answers is judged by
``goldpan judge run --rows`` before, on the rows of `read_answered_rows`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from batch.gate.candidate_rows import answered_rows, answered_subjects, redacted_answers
from batch.gate.gate_lines import CandidateLine
from batch.judge.measured_rows import PlannedVerdicts
from goldpan import wiring
from goldpan.judge_setup import set_up_judge
from goldpan.settings import Settings
from judges.definition import load_judge
from judges.gate.readings import RowReading
from schemas.errors import UsageError


class SideVerdicts(NamedTuple):
    """What judges say of one side, by judge and row, and who they are, by judge."""

    readings: Mapping[str, Mapping[str, RowReading]]
    judges: Mapping[str, str]


def read_answered_rows(
    settings: Settings, table: pa.Table, lines: Mapping[str, CandidateLine]
) -> list[dict[str, Any]]:
    """Return the rows of a release with the answers of a side, redacted."""
    redactor = wiring.load_redaction(settings.redact).redactor
    answers = redacted_answers(redactor, lines, wiring.now_us())
    return list(answered_rows(table, lines, answers))


def judge_side(
    settings: Settings, rows: Sequence[Mapping[str, Any]], files: Sequence[Path]
) -> SideVerdicts:
    """Return what judges say of rows; a row that a server was not asked about has nothing.

    A judge's name is that of the metric. Raises UsageError for a judge that is no judge, that
    nothing can answer, or that is named twice.
    """
    readings: dict[str, dict[str, RowReading]] = {}
    judges: dict[str, str] = {}
    for file in files:
        setup = set_up_judge(settings, load_judge(file))
        name = setup.plan.definition.judge
        if name in readings:
            raise UsageError(f"{file}: there is another judge {name}.")
        if setup.plan.served_way is not None:
            setup.store.refresh()
        source = PlannedVerdicts(setup.plan, setup.store.known)
        readings[name] = {
            subject.trace_id: RowReading(verdict.answer.outcome)
            for subject in answered_subjects(rows)
            if (verdict := source.verdict_on(subject)) is not None
        }
        epochs = ", ".join(source.to_json()["epochs"])
        digest = setup.plan.judge_digest[:12]
        version = setup.plan.definition.version
        judges[name] = f"{name} {version}, {digest}" + (f", epoch {epochs}" if epochs else "")
    return SideVerdicts(readings, judges)
