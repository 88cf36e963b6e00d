"""Takes verdicts of somebody else's evaluation into the table; from then on they are judgements.

A line is ``{"subject": trace or row id, "judge": name, "outcome": …, "reason"?, "p_fail"?,
"model"?, "cost_usd"?}``. Sent again, it is the same judgement.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import pyarrow.compute as pc
from msgspec import Meta

from batch.assembled_rows import read_first_rows
from batch.judge.judgement_rows import JudgementRow, judgement_row
from batch.judge.judgement_store import ErasedMeanwhileError, JudgementStore
from batch.reviews.review_texts import RedactedReviewTexts
from batch.scratch_database import NumberedIds
from judges.definition import digest_of
from judges.judgement import CallFacts, Judgement, JudgementKey
from judges.outcome import ERROR_REASONS, JudgeAnswer, JudgeErrorReason, JudgeOutcome
from lake.fresh_read import read_fresh
from lake.table_commit import CommitContext
from lake.tables import Lake, Table
from schemas.chunks import in_chunks
from schemas.refused_lines import broken_rule

_RULES: Final = {
    "subject": "`subject` must be the id of a trace",
    "judge": "`judge` must be a name of small letters, digits, _ and -, at most 63",
    "outcome": "`outcome` must be pass, fail, unknown, not_applicable or error",
    "reason": "`reason` must be text",
    "p_fail": "`p_fail` must be a number from 0 to 1",
    "model": "`model` must be text of 1 to 200 characters",
    "cost_usd": "`cost_usd` must be a number, at least 0",
}
_CHUNK: Final = 5_000
OTHER_ERROR: Final[JudgeErrorReason] = "unavailable"
"""The reason of an error whose text is none of goldpan's reasons."""
_SEGMENT_COLUMNS: Final = (
    "app",
    "segments",
    "session_id",
    "prompt_version",
    "model_version",
    "revision",
)


class SentVerdict(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A verdict as it is sent. ``reason`` is that of an error, or what the judge said."""

    subject: Annotated[str, Meta(min_length=1, max_length=512)]
    judge: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
    outcome: JudgeOutcome
    reason: str | None = None
    p_fail: Annotated[float, Meta(ge=0, le=1)] | None = None
    model: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    cost_usd: Annotated[float, Meta(ge=0)] | None = None

    def __repr__(self) -> str:
        return f"SentVerdict({self.outcome})"

    @property
    def rationale(self) -> str | None:
        """Return the text that must be redacted, None where there is none."""
        if not self.reason or (self.outcome == "error" and self.reason in ERROR_REASONS):
            return None
        return self.reason

    @property
    def answer(self) -> JudgeAnswer:
        """Return the answer; ValueError if outcome and probability contradict each other."""
        if self.outcome == "error":
            known = next((name for name in ERROR_REASONS if name == self.reason), OTHER_ERROR)
            return JudgeAnswer("error", known, self.p_fail)
        return JudgeAnswer(self.outcome, p_fail=self.p_fail)

    @property
    def key(self) -> JudgementKey:
        """Return what identifies the judgement: judge, model, subject, and what it says."""
        judge = digest_of(["import", self.judge, self.model])
        said = digest_of(["imported", self.outcome, self.reason, self.p_fail, self.cost_usd])
        return JudgementKey(judge, self.subject, said)


class NumberedVerdict(NamedTuple):
    """A verdict and its line number, from 1."""

    number: int
    sent: SentVerdict


@dataclass(slots=True)
class ImportedVerdicts:
    """What came of a file: counts, and why lines were refused, by number."""

    added: int = 0
    already_known: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "added": self.added,
            "already_known": self.already_known,
            "outcomes": self.outcomes,
            "refused": {str(number): reason for number, reason in self.refused.items()},
        }


def parse_verdict(document: Mapping[str, Any]) -> SentVerdict:
    """Return the verdict of a line. Raises ValueError with the rule that it breaks."""
    try:
        sent = msgspec.convert(document, SentVerdict)
    except msgspec.ValidationError as error:
        raise ValueError(broken_rule(error, SentVerdict, _RULES)) from None
    _ = sent.answer  # raises ValueError
    return sent


@dataclass(slots=True)
class ImportedIds:
    """The ids of all imported judgements, up to ``position`` in the table."""

    position: int = 0
    ids: NumberedIds = field(default_factory=NumberedIds)

    def read(self, table: Table, position: int) -> None:
        """Read the ids from the own position on, as of the table's last refresh."""
        if position > self.position:
            condition = (pc.field("_offset") >= self.position) & (pc.field("arm") == "import")
            for batch in table.batches(["judgement_id"], condition):
                for id_ in batch.column("judgement_id").to_pylist():
                    self.ids.add(id_)
            self.position = position

    def add(self, row: JudgementRow) -> None:
        """Add one row that was written at the position, which moves on by one."""
        self.ids.add(row["judgement_id"])
        self.position += 1


@dataclass(frozen=True, slots=True)
class VerdictImport:
    """Stores verdicts. ``redact`` redacts texts; ``is_erased`` returns which traces were erased."""

    store: JudgementStore[ImportedIds]
    lake: Lake
    context: CommitContext
    run_id: str
    redact: Callable[[Sequence[str | None]], Sequence[RedactedReviewTexts]]
    is_erased: Callable[[Sequence[str]], Sequence[bool]]

    def run(self, verdicts: Iterable[NumberedVerdict], report: ImportedVerdicts) -> None:
        """Store verdicts that are not there yet; counts and refusals go into ``report``."""
        for chunk in in_chunks(verdicts, _CHUNK):
            self._add(chunk, report)

    def _add(self, verdicts: Sequence[NumberedVerdict], report: ImportedVerdicts) -> None:
        redacted = self.redact([verdict.sent.rationale for verdict in verdicts])
        while True:
            try:
                self._append(verdicts, redacted, report)
            except ErasedMeanwhileError:
                continue
            return

    def _append(
        self,
        verdicts: Sequence[NumberedVerdict],
        redacted: Sequence[RedactedReviewTexts],
        report: ImportedVerdicts,
    ) -> None:
        self.store.begin()
        erased = self.is_erased([verdict.sent.subject for verdict in verdicts])
        facts = self._read_traces({verdict.sent.subject for verdict in verdicts})
        accepted = []
        for verdict, text, gone in zip(verdicts, redacted, erased, strict=True):
            if text.problem is not None:
                report.refused[verdict.number] = f"redaction refused its text: {text.problem}"
            elif gone:
                report.refused[verdict.number] = "its trace was erased"
            else:
                accepted.append((verdict.sent, text))
        policy = next((text.policy for _, text in accepted if text.policy), "")

        def decide() -> list[JudgementRow]:
            now, seen = self.context.now_us(), set[str]()
            rows = []
            for sent, text in accepted:
                id_ = sent.key.judgement_id
                if id_ in seen or id_ in self.store.known.ids:
                    continue
                seen.add(id_)
                rows.append(self._row(sent, text, facts.get(sent.subject, {}), now))
            return rows

        stored = self.store.append(decide, policy)
        counted = [row["outcome"] for row in stored]
        report.added += len(counted)
        report.already_known += len(accepted) - len(counted)
        for outcome in counted:
            report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1

    def _row(
        self, sent: SentVerdict, text: RedactedReviewTexts, trace: Mapping[str, Any], now: int
    ) -> JudgementRow:
        judgement = Judgement(
            key=sent.key,
            judge=sent.judge,
            judge_version=None,
            way=None,
            answer=sent.answer,
            call=CallFacts(sent.model, cost_usd=sent.cost_usd),
            trace_id=sent.subject,
            run_id=self.run_id,
            judged_at=now,
            revision=trace.get("revision"),
            arm="import",
            rationale=text.texts.comment,
            app=trace.get("app"),
            prompt_version=trace.get("prompt_version"),
            model_version=trace.get("model_version"),
            cluster=trace.get("session_id"),
            segments=dict(trace.get("segments") or ()),
        )
        return judgement_row(judgement)

    def _read_traces(self, ids: set[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return what the lake knows of these traces, for segments and clusters."""
        return read_fresh(
            self.lake,
            "traces",
            self.context.retry,
            lambda traces: read_first_rows(traces, ids, _SEGMENT_COLUMNS),
        )
