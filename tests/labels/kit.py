"""Small worlds of traces and feedback, and a worker over them that may die at any step."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import msgspec
import pyarrow as pa

from labels.batch_join import LakeRows, join_lake_rows
from labels.decision import decide_label, events_in_force
from labels.join import DecidedLabel, LabelJoin
from labels.policy import LabelPolicy, parse_label_policies
from labels.scorer import LabelScorer
from schemas.columns import record_batch
from schemas.record_batches import SENT_KINDS, DecodedBatch, RecordKind
from schemas.records import Feedback, LabelEvent, Trace

START = 1_793_491_200_000_000  # 2026-11-01T00:00:00Z
SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = START + 30 * DAY

TRACE, FEEDBACK = RecordKind.TRACE, RecordKind.FEEDBACK

POLICY = """
extends: agent@1
name: test
audit: {rate: 0.3, seed: a-test}
retry_seconds: 60
signals:
  agent_edit:
    reading: edit
    actors: [agent]
    points_to: fail
    sensitivity: {mean: 0.2}
    specificity: {mean: 0.99}
    group: outcome
"""


def parse_label_policy(text: str, name: str) -> LabelPolicy:
    """Parse a policy, on the newest version of the preset that it extends."""
    return parse_label_policies(text, name)[0]


def policy(more: str = "") -> LabelPolicy:
    """Return the policy of these tests, with more lines of YAML at its end."""
    return parse_label_policy(POLICY + more, "a test")


def trace(trace_id: str, at: float = 0, **more: Any) -> Trace:
    """Return a trace that began ``at`` seconds after START."""
    fields = {"app": "shop", "status": "ok", **more}
    return Trace(trace_id=trace_id, started_at=START + int(at * SECOND), **fields)


def feedback(feedback_id: str, trace_id: str, at: float = 60, **more: Any) -> Feedback:
    """Return a thumbs down (unless told otherwise) ``at`` seconds after START."""
    fields = {"kind": "thumbs", "value": -1.0, "actor": "end_user", **more}
    occurred_at = START + int(at * SECOND)
    return Feedback(feedback_id=feedback_id, trace_id=trace_id, occurred_at=occurred_at, **fields)


def partition_of(record: Trace | Feedback, partitions: int = 2) -> int:
    """Return where a producer puts a record: by the hash of its trace id."""
    return crc32(record.trace_id.encode()) % partitions


def rows(
    records: Sequence[Trace | Feedback], *, partition: int = 0, start: int = 0, ingested: int = NOW
) -> pa.RecordBatch:
    """Return records of one kind as rows of their table, at offsets from ``start`` on."""
    kind = TRACE if isinstance(records[0], Trace) else FEEDBACK
    decoded = DecodedBatch(
        kind=kind,
        topic=f"llm.{kind}",
        records=[msgspec.structs.replace(record) for record in records],
        partitions=[partition] * len(records),
        offsets=list(range(start, start + len(records))),
        schema_ids=["0" * 16] * len(records),
        raws=[],
    )
    return record_batch(kind, decoded, ingested_at=ingested, policy="p")


def kind_of(record: Trace | Feedback) -> RecordKind:
    """Return the kind of a record."""
    return TRACE if isinstance(record, Trace) else FEEDBACK


def labels(
    records: Iterable[Trace | Feedback], scorer: LabelScorer, *, now: int = NOW
) -> dict[str, LabelEvent]:
    """Return the labels in force after a worker without any mishap."""
    worker = Worker(scorer, records)
    worker.finish(now=now)
    return worker.final()


Final = dict[str, tuple[Any, ...]]


def told(events: Mapping[str, LabelEvent]) -> Final:
    """Return all of each event but the moment it was decided at."""
    return {
        trace_id: (
            event.label_event_id,
            event.revision,
            event.label,
            event.p_fail,
            [(item.feedback_id, item.kind, item.weight) for item in event.evidence],
            event.expected_response,
            event.route,
            event.audit_probability,
            event.policy_version,
            event.trace_started_at,
            event.app,
            event.segments,
        )
        for trace_id, event in events.items()
    }


def rebuild(join: LabelJoin, decided: Mapping[int, Mapping[RecordKind, int]], **rows: Any) -> None:
    """Take all steps of a rebuild."""
    for _ in join.rebuild_steps(decided, **rows):
        pass


def missing_events(
    rows: LakeRows,
    scorer: LabelScorer,
    *,
    as_of: int,
    now: int,
    in_force: Mapping[str, str] | None = None,
) -> Iterator[LabelEvent]:
    """Yield the events of the batch join that are not ``in_force`` (event ids by trace id)."""
    for knowledge in join_lake_rows(rows, scorer, as_of=as_of):
        event = decide_label(knowledge, scorer, decided_at=now)
        known = (in_force or {}).get(knowledge.trace_id)
        if event is not None and event.label_event_id != known:
            yield event


Log = tuple[RecordKind, int]


@dataclass
class Worker:
    """Reads logs of both topics, joins and writes labels, and forgets everything when it dies.

    The lake holds what lies below ``stored``; labels have been written for what lies below
    ``labelled``. The two move apart when the worker dies between two commits.
    """

    scorer: LabelScorer
    records: Iterable[Trace | Feedback]
    partitions: int = 2
    logs: dict[Log, list[Trace | Feedback]] = field(default_factory=lambda: defaultdict(list))
    read: dict[Log, int] = field(default_factory=lambda: defaultdict(int))
    stored: dict[Log, int] = field(default_factory=dict)
    labelled: dict[Log, int] = field(default_factory=dict)
    table: list[LabelEvent] = field(default_factory=list)
    window: int | None = None

    def __post_init__(self) -> None:
        for record in self.records:
            self.logs[kind_of(record), partition_of(record, self.partitions)].append(record)
        self.join = LabelJoin(self.scorer, window=self.window)

    def poll(self, log: Log, count: int) -> None:
        """Read so many records of one partition of one topic."""
        start = self.read[log]
        batch = self.logs[log][start : start + count]
        if batch:
            self._add(log, batch, start)
            self.read[log] = start + len(batch)

    def poll_everything(self) -> None:
        """Read all there is."""
        for log in list(self.logs):
            self.poll(log, len(self.logs[log]))

    def read_again(self, log: Log, start: int, count: int) -> None:
        """Be handed records that were read before."""
        batch = self.logs[log][start : min(start + count, self.read[log])]
        if batch:
            self._add(log, batch, start)

    def flush(self, *, now: int = NOW) -> None:
        """Write everything."""
        self._write(self.join.decide(now=now).decided)
        self.stored, self.labelled = dict(self.read), dict(self.read)

    def fail_to_flush(self, *, now: int = NOW) -> None:
        """Decide the labels, fail to write them, drop the state, and read it back."""
        self.join.decide(now=now)
        self.die(after="records")

    def die(self, *, after: str, now: int = NOW) -> None:
        """Die in the middle of a flush, ``after`` nothing, the records or the labels; start."""
        if after == "records":
            self.stored = dict(self.read)
        elif after == "labels":
            self._write(self.join.decide(now=now).decided)
            self.labelled = dict(self.read)
        self.join = LabelJoin(self.scorer, window=self.window)
        self.read = defaultdict(int, self.stored)
        for partition in range(self.partitions):
            decided = {kind: self.labelled.get((kind, partition), 0) for kind in SENT_KINDS}
            rebuild(
                self.join,
                {partition: decided},
                traces=self._lake(TRACE, partition),
                feedback=self._lake(FEEDBACK, partition),
            )

    def finish(self, *, now: int = NOW) -> None:
        """Read all there is and flush."""
        self.poll_everything()
        self.flush(now=now)

    def final(self) -> dict[str, LabelEvent]:
        """Return the labels in force."""
        return events_in_force(self.table)

    def _write(self, decided: Sequence[DecidedLabel]) -> None:
        self.table += [item.event for item in decided]

    def _add(self, log: Log, batch: Sequence[Trace | Feedback], start: int) -> None:
        kind, partition = log
        decided = {partition: self.labelled.get(log, 0)}
        self.join.add(kind, rows(batch, partition=partition, start=start), decided=decided)

    def _lake(self, kind: RecordKind, partition: int) -> list[pa.RecordBatch]:
        """Return what is stored, in another order than it came."""
        stored = self.logs[kind, partition][: self.stored.get((kind, partition), 0)]
        halves = [(0, stored[: len(stored) // 2]), (len(stored) // 2, stored[len(stored) // 2 :])]
        return [rows(p, partition=partition, start=s) for s, p in reversed(halves) if p]
