"""Lakes for the tests of the batch side of labels: records put in, and a worker's labels."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from batch.labels.reconciler import Reconciler, ReconcileReport, ReconcileRequest
from batch.reviews.queue_service import ReviewQueueService
from batch.reviews.submissions import ReviewSubmission
from labels.decision import events_in_force
from labels.join import JOIN_COLUMNS, LabelJoin
from labels.policy import LabelPolicy
from labels.scorer import LabelScorer
from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.parquet import encode_files
from lake.retry import Retry
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import ASSEMBLY_SEQUENCE, position_app
from lake.tables import Lake
from lake.verify import verify_lake
from redact.pipeline.derived_rows import box_derived_rows
from schemas.arrow import SPANS_TABLE, TABLES
from schemas.assembly_columns import AssemblyFacts
from schemas.columns import TABLE_OF_KIND, record_arrays, record_batch
from schemas.record_batches import SENT_KINDS, DecodedBatch, RecordKind
from schemas.records import Feedback, Label, LabelEvent, StoredSpan, Trace
from schemas.redacted import Redacted
from tests.labels.kit import NOW, kind_of, policy, rows
from tests.lake.copies import init_lake
from tests.lake.kit import HERE, commit_context, patience

TOPICS = {RecordKind.TRACE: "llm.traces", RecordKind.FEEDBACK: "llm.feedback"}
POLICY = policy()
_SCHEMA = TABLES["labels"].arrow
SCALES = LabelScorer(POLICY)


class Clock:
    """A clock that stands where it is put, in microseconds since 1970 (UTC)."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the time."""
        return self.now


def means(
    clock: Clock | None = None, *, first_token: int = 1, retry: Retry | None = None
) -> CommitContext:
    """Return a clock, tokens that count up, and patience without waiting."""
    tokens = itertools.count(first_token)
    return CommitContext(retry or patience(), clock or Clock(), lambda: next(tokens))


def open_lake(uri: Path | str, s3_endpoint_url: str | None = None) -> Lake:
    """Open a lake with handles of its own."""
    return Lake(LakeSettings(uri=str(uri), s3_endpoint_url=s3_endpoint_url))


def new_lake(uri: Path | str, records: Sequence[Trace | Feedback] = (), **more: Any) -> Lake:
    """Make a lake with all its tables and put records into it."""
    lake = init_lake(open_lake(uri, **more))
    put(lake, records)
    return lake


def put(
    lake: Lake, records: Sequence[Trace | Feedback], *, partition: int = 0, ingested: int = NOW
) -> None:
    """Append records to their tables as a worker does, one commit a table."""
    for kind in SENT_KINDS:
        batch = [record for record in records if kind_of(record) is kind]
        if batch:
            table = lake.table(TABLE_OF_KIND[kind])
            source = SourcePartition(TOPICS[kind], partition)
            table.refresh()
            start = table.positions([source])[source] or 0
            arrow = rows(batch, partition=partition, start=start, ingested=ingested)
            at = arrow.schema.get_field_index("_topic")
            arrow = arrow.set_column(
                at, arrow.schema.field(at), pa.array([source.topic] * len(batch))
            )
            append(lake, table.name, Redacted(arrow, "p"), source, start)


def put_assembled(
    lake: Lake,
    assembled: Sequence[tuple[Trace, AssemblyFacts]],
    *,
    shard: int = 0,
    ingested: int = NOW,
) -> None:
    """Append assembled traces as the assembly does, in one commit of a shard."""
    source = SourcePartition(ASSEMBLY_SEQUENCE, shard)
    table, count = lake.table("traces"), len(assembled)
    table.refresh()
    start = table.positions([source])[source] or 0
    decoded = DecodedBatch(
        kind=RecordKind.TRACE,
        topic=source.topic,
        records=[msgspec.structs.replace(trace) for trace, _ in assembled],
        partitions=[shard] * count,
        offsets=list(range(start, start + count)),
        schema_ids=["0" * 16] * count,
        raws=[],
        assembly=[facts for _, facts in assembled],
    )
    batch = record_batch(RecordKind.TRACE, decoded, ingested_at=ingested, policy="p")
    append(lake, "traces", Redacted(batch, "p"), source, start, EntryKind.ASSEMBLE)


def put_spans(
    lake: Lake,
    spans: Sequence[StoredSpan],
    *,
    topic: str = "otlp_spans",
    partition: int = 0,
    ingested: int = NOW,
) -> None:
    """Append spans as a worker does: all of them came in one Kafka record."""
    source = SourcePartition(topic, partition)
    table, count = lake.table(SPANS_TABLE), len(spans)
    table.refresh()
    start = table.positions([source])[source] or 0
    decoded = DecodedBatch(
        kind=RecordKind.SPAN,
        topic=topic,
        records=[msgspec.structs.replace(span) for span in spans],
        partitions=[partition] * count,
        offsets=[start] * count,
        schema_ids=["0" * 16] * count,
        raws=[],
        indexes=list(range(count)),
    )
    batch = Redacted(record_batch(RecordKind.SPAN, decoded, ingested_at=ingested, policy="p"), "p")
    span = SourceRange(
        *source, start, start + 1, start, start, consumed=1, stored=count, found=count
    )
    _commit(lake, SPANS_TABLE, batch, span, EntryKind.FLUSH)


def append(  # noqa: PLR0917 - what a commit consists of
    lake: Lake,
    name: str,
    batch: Redacted[pa.RecordBatch],
    source: SourcePartition,
    start: int,
    kind: EntryKind = EntryKind.FLUSH,
) -> None:
    """Append rows to a table and move the position of their source."""
    count = batch.value.num_rows
    span = SourceRange(
        *source, start, start + count, start, start + count - 1, consumed=count, stored=count
    )
    _commit(lake, name, batch, span, kind)


def _commit(
    lake: Lake, name: str, batch: Redacted[pa.RecordBatch], span: SourceRange, kind: EntryKind
) -> None:
    table, source, start = lake.table(name), span.source, span.start
    files = encode_files([batch], ranges=[span], layout=TABLE_LAYOUTS[name])
    for file in files:
        table.files.put(file.path, file.data)
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(
                kind, [span], {source.topic: HERE} if kind is EntryKind.FLUSH else {}
            ),
            token=start + 1,
            moves=[Move(position_app(source), start or None, span.end)],
            adds=files,
        ),
        commit_context(),
    )


def worked(lake: Lake, scales: LabelScorer, *, now: int = NOW, window: int | None = None) -> None:
    """Write the labels that a worker writes who reads the whole lake once."""
    join = LabelJoin(scales, window=window)
    for kind in SENT_KINDS:
        table = lake.table(TABLE_OF_KIND[kind])
        table.refresh()
        for batch in table.batches(JOIN_COLUMNS[kind]):
            join.add(kind, batch)
    add_labels(lake, [decided.event for decided in join.decide(now=now).decided])


def add_labels(lake: Lake, events: Sequence[LabelEvent]) -> None:
    """Append label events as a worker does."""
    if not events:
        return
    table, source = lake.table("labels"), SourcePartition("llm.traces", 0)
    table.refresh()
    start = table.positions([source])[source] or 0
    columns = record_arrays("label_event", events)
    count = len(events)
    known = [event.expected_response for event in events if event.expected_response]
    batch = pa.RecordBatch.from_arrays(
        [
            *columns,
            pa.array([source.topic] * count),
            pa.array([0] * count, pa.int32()),
            pa.array(range(start, start + count), pa.int64()),
            pa.array([NOW] * count, pa.timestamp("us", "UTC")),
            pa.array(["0" * 16] * count),
            pa.array(["p"] * count),
            pa.nulls(count, pa.int32()),
            columns[_SCHEMA.get_field_index("decided_at")].cast(pa.date32()),
        ],
        schema=_SCHEMA,
    )
    boxed = box_derived_rows(batch, "label_event", redacted_texts=known, policy="p")
    append(lake, "labels", boxed, source, start)


def reconciled(
    lake: Lake,
    scales: LabelScorer = SCALES,
    *,
    clock: Clock | None = None,
    each: int = 1_000,
    **more: Any,
) -> ReconcileReport:
    """Run the job once, with a bucket for every so many traces."""
    job = Reconciler(lake, scales, means(clock), bucket_traces=each)
    return job.run(ReconcileRequest(**more))


def events(lake: Lake) -> list[LabelEvent]:
    """Return all label events of a lake."""
    table = lake.table("labels")
    table.refresh()
    names = [name for name in _SCHEMA.names if not name.startswith("_") and name != "event_date"]
    found = table.read(names)
    for name in ("decided_at", "trace_started_at"):
        found = found.set_column(names.index(name), name, found[name].cast(pa.int64()))
    return [
        msgspec.convert({**row, "segments": dict(row["segments"])}, LabelEvent)
        for row in found.to_pylist()
    ]


def labels_of(lake: Lake) -> Mapping[str, LabelEvent]:
    """Return the label events in force."""
    return events_in_force(events(lake))


def desk(
    lake: Lake,
    rules: LabelPolicy = POLICY,
    clock: Clock | None = None,
    *,
    made_of: CommitContext | None = None,
) -> ReviewQueueService:
    """Return the desk of a lake's review queue."""
    return ReviewQueueService(lake, rules, made_of or means(clock))


def judge(
    desk: ReviewQueueService, trace_id: str, reviewer: str, verdict: Label = "fail", **more: Any
) -> Any:
    """Hand in one review; return what became of it."""
    sent = ReviewSubmission(0, trace_id, reviewer, verdict, **more)
    return desk.submit([sent])


def complaints(lake: Lake) -> list[str]:
    """Return what `lake verify` has to say about the tables that batch writes to."""
    about = ("labels", "reviews", "#")
    problems = verify_lake(lake, deep=True).problems
    return [problem for problem in problems if any(word in problem for word in about)]
