"""What goldpan's own judges say of the answers of a candidate, and of its baseline.

A gate asks nobody. Checks and the local model answer at once; what a server answers is judged by
``goldpan judge run --rows`` before, on the rows of `AnswerReader`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from batch.gate.candidate_rows import answered_rows, answered_subjects, redacted_answers
from batch.gate.failure_modes import RowModes
from batch.gate.gate_lines import CandidateLine
from batch.gate.judge_cards import JudgeFacts
from batch.judge.judge_record import read_judge_records
from batch.judge.measured_rows import PlannedVerdicts
from goldpan import wiring
from goldpan.judge_setup import JudgeSetup, set_up_judge
from goldpan.settings import Settings
from judges.agreement.flips import measure_flips
from judges.definition import load_judge
from judges.gate.readings import RowReading
from lake.fresh_read import read_fresh
from redact.crypto.keys import load_all_keys
from redact.pipeline.redactor import Redactor
from schemas.arrow import JUDGEMENTS_TABLE
from schemas.errors import UsageError


class SideVerdicts(NamedTuple):
    """What judges say of one side, by judge and row, and who they are, by judge.

    ``modes`` are the failure modes of rows, and ``facts`` what else is known, by judge.
    """

    readings: Mapping[str, Mapping[str, RowReading]]
    judges: Mapping[str, str]
    modes: RowModes
    facts: JudgeFacts


@dataclass(frozen=True)
class AnswerReader:
    """Reads the answers of sides to the rows of a release; ``table`` holds these."""

    settings: Settings
    table: pa.Table
    _known: dict[int, tuple[Mapping[str, CandidateLine], dict[str, dict[str, Any]]]] = field(
        default_factory=dict
    )

    @cached_property
    def _redactor(self) -> Redactor:
        return wiring.shared_redactor(self.settings.redact)

    @property
    def can_redact(self) -> bool:
        """Return whether a redaction key is set: without one no answer may be kept."""
        return bool(load_all_keys(self.settings.redact))

    def redacted(self, lines: Mapping[str, CandidateLine]) -> dict[str, dict[str, Any]]:
        """Return the answers of a side, redacted, by row; they are redacted once."""
        known = self._known.get(id(lines))
        if known is None:
            answers = redacted_answers(self._redactor, lines, wiring.now_us())
            self._known[id(lines)] = known = (lines, answers)
        return known[1]

    @property
    def policy(self) -> str:
        """Return the hash of the redaction policy."""
        return self._redactor.policy_hash

    def rows(self, lines: Mapping[str, CandidateLine]) -> list[dict[str, Any]]:
        """Return the rows with the answers of a side, redacted."""
        return list(answered_rows(self.table, lines, self.redacted(lines)))


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
    modes: dict[str, dict[str, str]] = {}
    facts: dict[str, dict[str, Any]] = {}
    for name, setup in judges.items():
        source = PlannedVerdicts(setup.plan, setup.store.known)
        readings[name], modes[name] = {}, {}
        for subject in answered_subjects(rows):
            verdict = source.verdict_on(subject)
            if verdict is None:
                continue
            readings[name][subject.trace_id] = RowReading(verdict.answer.outcome)
            if verdict.answer.failure_mode is not None:
                modes[name][subject.trace_id] = verdict.answer.failure_mode
        said = source.to_json()
        epochs = ", ".join(said["epochs"])
        digest = setup.plan.judge_digest[:12]
        version = setup.plan.definition.version
        names[name] = f"{name} {version}, {digest}" + (f", epoch {epochs}" if epochs else "")
        facts[name] = {key: said[key] for key in ("version", "way", "model", "epochs", "rows")}
        facts[name]["digest"] = setup.plan.judge_digest
    return SideVerdicts(readings, names, modes, facts)


def judge_history(setup: JudgeSetup) -> dict[str, Any]:
    """Return what the lake knows of a judge that a server answers: models, cost, and flips."""
    if setup.plan.served_way is None:
        return {}
    digest, name = setup.plan.judge_digest, setup.plan.definition.judge
    found = read_fresh(
        setup.lake,
        JUDGEMENTS_TABLE,
        setup.context.retry,
        lambda table: read_judge_records(table, name),
    )
    record = next((each for each in found if each.identity.judge_digest == digest), None)
    if record is None:
        return {}
    return {
        "served": {str(epoch): sorted(names) for epoch, names in sorted(record.served.items())},
        "judged": len(record.verdicts),
        "cost_usd": record.cost_usd,
        "flips": measure_flips(record.repeated()).to_json(),
    }
