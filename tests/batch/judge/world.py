"""A lake with traces, a judge, and a server that answers from a script, without a network."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, cast

from batch.judge.client import Delivery
from batch.judge.input_proof import InputProof
from batch.judge.judge_plan import JudgePlan
from batch.judge.judgement_rows import JUDGEMENT, READ_COLUMNS, stored_judgement
from batch.judge.judgement_store import JudgementStore
from batch.judge.known_judgements import KnownJudgements
from batch.judge.run_report import JudgeRunReport
from batch.judge.runner import JudgeRunner, RunTerms
from batch.judge.subjects import JudgeSubject, read_window_subjects
from batch.judge.verdict_import import (
    ImportedIds,
    ImportedVerdicts,
    NumberedVerdict,
    VerdictImport,
    parse_verdict,
)
from batch.numbered_rows import NumberedRows
from batch.reviews.review_table import build_review_columns, build_review_row
from batch.reviews.review_texts import RedactedReviewTexts, ReviewTexts
from judges.definition import JudgeDefinition, parse_judge
from judges.judgement import Judgement
from judges.outcome import VERDICTS, JudgeErrorReason, JudgeOutcome
from judges.wires import WireRequest
from labels.review_log import Review, review_id_of
from lake.ledger import EntryKind
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.table_log import REVIEW_SEQUENCE
from lake.tables import Lake
from redact.pipeline.derived_rows import box_derived_rows
from schemas.arrow import JUDGEMENTS_TABLE
from schemas.records import Label, Message, Trace
from tests.batch.judge import replies
from tests.batch.kit import Clock, means
from tests.lake.kit import patience

DAY = date(2026, 9, 21)
STARTED = 1_789_948_800_000_000  # 2026-09-21
DEFINITION = """\
judge: answered
version: 1
asks: The answer says what was asked.
by:
  - {chat: m-2026-01-01}
cost: {input_per_million: 1.0, output_per_million: 2.0}
"""
SECOND = 1_000_000

Said = JudgeOutcome | JudgeErrorReason
"""What a server says: an outcome, or why there is no reply."""


def asked(number: int, **fields: object) -> Trace:
    """Return the trace of a number, whose question is its own."""
    made = {
        "trace_id": f"t{number:04}",
        "session_id": f"s{number // 2:04}",
        "app": "shop",
        "started_at": STARTED + number * SECOND,
        "status": "ok",
        "messages": [Message(role="user", content=f"Where is parcel {number}?")],
        "response": f"Parcel {number} is on its way.",
    }
    return Trace(**{**made, **fields})  # type: ignore[arg-type]


@dataclass
class ScriptedServer:
    """Answers each question as ``says`` does by the question's text; counts what it was asked."""

    says: Callable[[str], Said] = lambda _text: "pass"
    model: str | None = replies.SERVED_MODEL
    asked: list[str] = field(default_factory=list)
    before: Callable[[int], None] = lambda _calls: None
    status: int = 200

    def send_all(
        self,
        requests: Sequence[WireRequest],
        on_delivery: Callable[[int, Delivery], None] = lambda _at, _delivery: None,
    ) -> list[Delivery]:
        """Return what came of each request."""
        deliveries = []
        for at, request in enumerate(requests):
            self.before(len(self.asked))
            deliveries.append(self._deliver(request))
            on_delivery(at, deliveries[-1])
        return deliveries

    def _deliver(self, request: WireRequest) -> Delivery:
        text = request.body["messages"][-1]["content"]
        self.asked.append(text)
        if self.status != 200:
            return Delivery(None, "refused", self.status)
        said = self.says(text)
        if said not in VERDICTS:
            return Delivery(None, cast("JudgeErrorReason", said))
        reply = replies.document("chat", said)
        if self.model is None:
            del reply["model"]
        else:
            reply["model"] = self.model
        return Delivery(json.dumps(reply).encode(), None, 200)


@dataclass
class World:
    """One runner's view of a lake."""

    lake: Lake
    server: ScriptedServer = field(default_factory=ScriptedServer)
    definition: JudgeDefinition = field(
        default_factory=lambda: parse_judge(DEFINITION, "judge.yaml")
    )
    clock: Clock = field(default_factory=Clock)
    proof: InputProof | None = None
    batch_rows: int = 8
    budget_usd: float | None = None
    run_id: str = "run-1"
    only_current: bool = False
    tokens: Iterator[int] = field(default_factory=partial(itertools.count, 1))
    retry: Retry | None = None
    silent_questions: int = 256

    def runner(self) -> JudgeRunner:
        """Return a runner that knows nothing yet."""
        context = means(self.clock, retry=self.retry)
        context = CommitContext(context.retry, self.clock, lambda: next(self.tokens))
        plan = JudgePlan(self.definition, self.definition.by[0])
        known = KnownJudgements(plan.judge_digest, plan.way, self.clock, self.only_current)
        terms = RunTerms(
            self.run_id,
            self.wait,
            batch_rows=self.batch_rows,
            budget_usd=self.budget_usd,
            silent_questions=self.silent_questions,
        )
        store = JudgementStore(self.lake, known, context)
        return JudgeRunner(plan, store, context, terms, self.server, self.proof)

    def run(self) -> JudgeRunReport:
        """Judge all traces of the day."""
        return self.runner().run(self.subjects)

    def subjects(self) -> Iterator[JudgeSubject]:
        """Yield the traces of the day in order."""
        rows = read_window_subjects(self.lake, (DAY, DAY), patience())
        yield from sorted(rows, key=lambda subject: subject.trace_id)

    def wait(self, seconds: float) -> None:
        """Let the clock of this world run on."""
        self.clock.now += int(seconds * SECOND)


def stored(lake: Lake) -> list[Judgement]:
    """Return all judgements of the table, in the order of their commits."""
    table = lake.table(JUDGEMENTS_TABLE)
    table.refresh()
    columns = table.read([*READ_COLUMNS, "_offset"])
    at = columns.schema.get_field_index("judged_at")
    columns = columns.set_column(at, "judged_at", columns["judged_at"].cast("int64"))
    rows = sorted(columns.to_pylist(), key=lambda row: int(row["_offset"]))
    return [stored_judgement(row) for row in rows if row["step"] == JUDGEMENT]


def claims(lake: Lake) -> list[str]:
    """Return the ids that were claimed, in the order of their commits."""
    table = lake.table(JUDGEMENTS_TABLE)
    table.refresh()
    rows = table.read(["judgement_id", "step", "_offset"]).to_pylist()
    return [
        r["judgement_id"] for r in sorted(rows, key=lambda r: r["_offset"]) if r["step"] == "claim"
    ]


def take_in(lake: Lake, verdicts: Sequence[Mapping[str, Any]]) -> ImportedVerdicts:
    """Import verdicts whose texts are redacted already."""
    report = ImportedVerdicts()
    job = VerdictImport(
        store=JudgementStore(lake, ImportedIds(), means()),
        lake=lake,
        context=means(),
        run_id="import-1",
        redact=lambda texts: [RedactedReviewTexts(ReviewTexts(t, None), "p") for t in texts],
        is_erased=lambda ids: [False] * len(ids),
    )
    sent = [NumberedVerdict(at, parse_verdict(each)) for at, each in enumerate(verdicts, 1)]
    job.run(sent, report)
    return report


def put_reviews(lake: Lake, verdicts: Mapping[str, Label], probability: float | None) -> None:
    """Store reviews of traces that were drawn for the audit with a probability."""
    context = means()
    rows = NumberedRows(lake.table("reviews"), REVIEW_SEQUENCE, EntryKind.REVIEW, context)
    at = rows.refresh_position()
    made = [
        build_review_row(
            Review(review_id_of(trace, "ann"), trace, "ann", label, context.now_us(), None,
                   probability),
            comment=None,
            label_event_id="e",
            submission=None,
            policy=None,
        )
        for trace, label in verdicts.items()
    ]  # fmt: skip
    batch = rows.number_rows(*build_review_columns(made, without_text="identity"), at=at)
    rows.append(box_derived_rows(batch, "review", redacted_texts=["ann"], policy="identity"), at=at)
