"""A lake with spans that arrive, and assembly stages on it, with a clock that tests move."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from assembly.feedback_stage import FeedbackStage
from assembly.feedback_targets import TargetFinder
from assembly.feedback_writer import FeedbackOutcome, FeedbackWriter
from assembly.row_writer import LoadedTombstones, RowOutcome, RowRedactor, RowWriter
from assembly.shard_sequences import ShardSequences
from assembly.stage import AssemblyStage
from assembly.trace_assembler import TraceAssembler
from lake.ledger import Incarnation, SourceRange
from lake.table_commit import CommitContext, Move
from lake.table_log import position_app
from lake.table_writer import FlushPart, TableWriter
from lake.tables import Lake
from otel.assembly_rules import DEFAULT_RULES
from otel.open_traces import ASSEMBLY_SHARDS, AssemblyTerms
from otel.signals import DecodedSignals, OtelLog, OtelSpan, ProductFeedback
from otel.stored_spans import to_stored_spans
from redact.crypto.erasure_filter import NO_ERASURES, ErasureFilter
from redact.pipeline.passthrough import PassthroughRedactor
from redact.pipeline.redactor import RedactionOutcome
from schemas.arrow import TABLES
from schemas.contract import CONTRACTS
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import StoredSpan, Trace
from tests.lake.kit import make_lake, open_lake, patience
from tests.otel.make_spans import START

SECOND_US = 1_000_000
TOPIC = "otlp_spans"
HERE = Incarnation("cluster", "topic-1")
ALL_SHARDS = range(ASSEMBLY_SHARDS)
TERMS = AssemblyTerms(quiet_us=5 * SECOND_US, idle_us=30 * SECOND_US, term_us=600 * SECOND_US)


class PlainRedactor:
    """Redacts nothing."""

    def redact_again(self, decoded: DecodedBatch[Trace], *, ingested_at: int) -> RedactionOutcome:
        """Return the rows as they are."""
        return PassthroughRedactor().redact(decoded, ingested_at=ingested_at)


@dataclass
class NoTombstones:
    """Nobody was erased."""

    newest: int = 0
    kept_out: ErasureFilter = NO_ERASURES

    def reload(self) -> bool:
        """Return False."""
        return False


@dataclass
class Reports:
    """Collects what a stage reports."""

    outcomes: list[RowOutcome] = field(default_factory=list)
    rebuilds: list[str] = field(default_factory=list)
    open: int = 0
    resolved: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    left: int = 0
    waiting: int = 0

    def assembled(self, outcomes: Sequence[RowOutcome]) -> None:
        """Keep outcomes."""
        self.outcomes += outcomes

    def open_traces(self, count: int, oldest_us: int | None) -> None:
        """Keep the number of open traces."""
        del oldest_us
        self.open = count

    def feedback(self, outcome: FeedbackOutcome, left: int, waiting: int) -> None:
        """Keep what became of feedback."""
        self.resolved += outcome.written
        self.refused.update(outcome.refused)
        self.left += left
        self.waiting = waiting

    def rebuilt(self, shards: Collection[int], reason: str) -> None:
        """Keep the reason."""
        del shards
        self.rebuilds.append(reason)


@dataclass
class World:
    """A lake whose clock is ``now_us``. Each arrival is one Kafka record in one version."""

    folder: Path
    now_us: int = START // 1000
    offset: int = 0
    tokens: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        """Make the lake."""
        self.lake = make_lake(self.folder)

    def context(self) -> CommitContext:
        """Return what commits need."""
        return CommitContext(patience(), lambda: self.now_us, lambda: next(self.tokens))

    def arrive(self, *items: Any, after: float = 0) -> None:
        """Let one record with spans and logs arrive, ``after`` seconds."""
        self.now_us += round(after * SECOND_US)
        spans = tuple(item for item in items if isinstance(item, OtelSpan))
        logs = tuple(item for item in items if isinstance(item, OtelLog))
        feedback = tuple(item for item in items if isinstance(item, ProductFeedback))
        stored = to_stored_spans(
            DecodedSignals(spans, logs, feedback), "otlp", fallback_us=self.now_us, most_bytes=2**40
        )
        self.store([row for _, row in stored.rows])

    def store(self, rows: Sequence[StoredSpan], *, partition: int = 0) -> None:
        """Commit rows of spans as one flush."""
        at, offset = len(rows), self.offset
        decoded = DecodedBatch(
            kind=RecordKind.SPAN,
            topic=TOPIC,
            records=rows,
            partitions=[partition] * at,
            offsets=[offset] * at,
            schema_ids=[CONTRACTS["otel_span"].fingerprint] * at,
            raws=[RawRecord(partition, offset, -1, None, b"")] * at,
            indexes=list(range(at)),
        )
        batch = PassthroughRedactor().redact(decoded, ingested_at=self.now_us).rows
        source = SourceRange(TOPIC, partition, offset, offset + 1, offset, offset, 1, at, found=at)
        table = open_lake(self.folder).table("otel_spans")
        writer = TableWriter(table, self.context())
        app = position_app(source.source)
        part = FlushPart([Move(app, offset or None, offset + 1)], ranges=[source])
        prepared = writer.prepare([batch], [source])
        writer.commit(prepared, part, token=next(self.tokens), incarnations={TOPIC: HERE})
        self.offset += 1

    def stage(
        self,
        shards: Iterable[int] = ALL_SHARDS,
        *,
        terms: AssemblyTerms = TERMS,
        lake: Lake | None = None,
        **more: Any,
    ) -> "StageInTest":
        """Return a stage of a worker with handles of its own."""
        lake = lake or open_lake(self.folder)
        reports = Reports()
        traces = lake.table("traces")
        reached = more.pop("reached", lambda _step: None)
        rules = more.pop("rules", DEFAULT_RULES)
        sequences = ShardSequences(traces, self.context(), reached)
        tombstones: LoadedTombstones = more.pop("tombstones", NoTombstones())
        redactor: RowRedactor = more.pop("redactor", PlainRedactor())
        spans = lake.table("otel_spans")
        feedback_writer = FeedbackWriter(
            TargetFinder(spans, traces),
            ShardSequences(lake.table("feedback"), self.context()),
            redactor,
            tombstones,
            lambda: self.now_us,
        )
        seconds = lambda: self.now_us / SECOND_US  # noqa: E731 - a clock
        feedback = FeedbackStage(
            spans, feedback_writer, terms, reports, lambda: self.now_us, seconds
        )
        stage = AssemblyStage(
            feedback=feedback,
            spans=spans,
            traces=traces,
            assembler=TraceAssembler(rules),
            writer=RowWriter(sequences, redactor, tombstones, lambda: self.now_us),
            terms=terms,
            observer=reports,
            now_us=lambda: self.now_us,
            monotonic=seconds,
            reached=reached,
            **more,
        )
        stage.own(frozenset(shards))
        return StageInTest(stage, reports, self)

    def rows(self, name: str = "traces") -> list[dict[str, Any]]:
        """Return all rows of a table, in order of shard and number."""
        table = open_lake(self.folder).table(name)
        table.refresh()
        batches = table.batches(TABLES[name].arrow.names)
        rows = [row for batch in batches for row in batch.to_pylist()]
        return sorted(rows, key=lambda row: (row["_partition"], row["_offset"]))

    def in_force(self) -> dict[str, dict[str, Any]]:
        """Return the row with the highest revision of each trace, without its numbers."""
        best: dict[str, dict[str, Any]] = {}
        for row in self.rows():
            before = best.get(row["trace_id"])
            if before is None or before["revision"] < row["revision"]:
                best[row["trace_id"]] = row
        return {trace_id: without_numbers(row) for trace_id, row in best.items()}

    def check_sequences(self) -> None:
        """Fail if the numbers of a shard have a gap, or if a revision comes twice."""
        numbers: dict[int, list[int]] = {}
        for row in self.rows():
            numbers.setdefault(row["_partition"], []).append(row["_offset"])
        assert all(found == list(range(len(found))) for found in numbers.values())
        revisions = [(row["trace_id"], row["revision"]) for row in self.rows()]
        assert len(set(revisions)) == len(revisions)


@dataclass
class StageInTest:
    """A stage with what it reported, in its world."""

    stage: AssemblyStage
    reports: Reports
    world: World

    def wait(self, seconds: float) -> None:
        """Run a cycle after some seconds."""
        self.world.now_us += round(seconds * SECOND_US)
        self.stage.cycle()

    def finish(self) -> None:
        """Run until nothing is open, however long that takes."""
        for _ in range(100):
            self.wait(30)
            if self.stage.idle():
                return
        raise AssertionError("the stage does not become idle")


def without_numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without what says when and where it was written."""
    numbers = {"_partition", "_offset", "_ingested_at", "revision"}
    return {name: value for name, value in row.items() if name not in numbers}
