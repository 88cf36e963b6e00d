"""What goldpan's own judges say of the answers of a candidate, and of its baseline.

A gate asks nobody. Checks and the local model answer at once; what a server answers is judged by
``goldpan judge run --rows`` before, on the rows of `AnswerReader`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from batch.gate.candidate_rows import answered_rows, answered_subjects, redacted_answers
from batch.gate.gate_lines import CandidateLine
from batch.judge.measured_rows import PlannedVerdicts
from goldpan import wiring
from goldpan.judge_setup import JudgeSetup, set_up_judge
from goldpan.settings import Settings
from judges.definition import load_judge
from judges.gate.readings import RowReading
from redact.pipeline.redactor import Redactor
from schemas.errors import UsageError


class SideVerdicts(NamedTuple):
    """What judges say of one side, by judge and row, and who they are, by judge."""

    readings: Mapping[str, Mapping[str, RowReading]]
    judges: Mapping[str, str]


@dataclass(frozen=True)
class AnswerReader:
    """Reads the answers of sides to the rows of a release; ``table`` holds these."""

    settings: Settings
    table: pa.Table

    @cached_property
    def _redactor(self) -> Redactor:
        return wiring.load_redaction(self.settings.redact).redactor

    @property
    def policy(self) -> str:
        """Return the hash of the redaction policy."""
        return self._redactor.policy_hash

    def rows(self, lines: Mapping[str, CandidateLine]) -> list[dict[str, Any]]:
        """Return the rows with the answers of a side, redacted."""
        answers = redacted_answers(self._redactor, lines, wiring.now_us())
        return list(answered_rows(self.table, lines, answers))


def set_up_judges(settings: Settings, files: Sequence[Path]) -> dict[str, JudgeSetup]:
    """Return judges by name, which is that of the metric; what servers answered is known to them.

    Raises UsageError for a judge that is no judge, that nothing can answer, or that is named twice.
    """
    judges: dict[str, JudgeSetup] = {}
    for file in files:
        setup = set_up_judge(settings, load_judge(file))
        name = setup.plan.definition.judge
        if name in judges:
            raise UsageError(f"{file}: there is another judge {name}.")
        if setup.plan.served_way is not None:
            setup.store.refresh()
        judges[name] = setup
    return judges


def judge_side(judges: Mapping[str, JudgeSetup], rows: Sequence[Mapping[str, Any]]) -> SideVerdicts:
    """Return what judges say of rows; a row that a server was not asked about has nothing."""
    readings: dict[str, dict[str, RowReading]] = {}
    names: dict[str, str] = {}
    for name, setup in judges.items():
        source = PlannedVerdicts(setup.plan, setup.store.known)
        readings[name] = {
            subject.trace_id: RowReading(verdict.answer.outcome)
            for subject in answered_subjects(rows)
            if (verdict := source.verdict_on(subject)) is not None
        }
        epochs = ", ".join(source.to_json()["epochs"])
        digest = setup.plan.judge_digest[:12]
        version = setup.plan.definition.version
        names[name] = f"{name} {version}, {digest}" + (f", epoch {epochs}" if epochs else "")
    return SideVerdicts(readings, names)
