"""Checks that two topics can be joined by partition: equal counts, and the same keys."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from labels.join import LabelJoin
from schemas.record_batches import SENT_KINDS, RecordKind
from stream.copartition import CopartitionCheck
from stream.label_driver.observer import KEYS, PARTITION_COUNTS, LabelObserver

SAMPLED_TRACES: Final = 64

_COUNTS = (
    "{} has {} partitions and {} has {}: give them the same number, or run `goldpan labels "
    "reconcile` on a schedule, which does not need it"
)
_KEYS = (
    "the same trace id is in partitions with different numbers of {} and {}: let all producers use "
    "one partitioner, with trace_id as the key, or run `goldpan labels reconcile` on a schedule"
)


@dataclass(slots=True)
class JoinTopicCheck:
    """Checks the topics once per rebuild and per batch. After a failure labels are not decided.

    ``count_partitions`` asks Kafka for the number of partitions of each topic.
    """

    topics: Mapping[RecordKind, str]
    count_partitions: Callable[[], Mapping[RecordKind, int]]
    observer: LabelObserver
    failed: bool = False
    _copartition: CopartitionCheck | None = None

    def check_counts(self) -> bool:
        """Return whether the topics have equally many partitions; RetryableError without Kafka."""
        counts = self.count_partitions()
        traces, feedback = (counts[kind] for kind in SENT_KINDS)
        if traces != feedback:
            details = [d for kind in SENT_KINDS for d in (self.topics[kind], counts[kind])]
            self._fail(PARTITION_COUNTS, _COUNTS.format(*details))
            return False
        if self._copartition is None or self._copartition.partitions != traces:
            self._copartition = CopartitionCheck(traces)
        return True

    def check_keys(
        self,
        kind: RecordKind,
        rows: pa.RecordBatch,
        join: LabelJoin,
        partitions: Collection[int],
    ) -> bool:
        """Compare a sample of trace ids with their partitions; return whether they fit.

        ``partitions`` are those that are joined.
        """
        check = self._copartition
        if check is None or rows.num_rows == 0:
            return True
        sample = rows.select(["trace_id", "_partition"])
        sample = sample.take(pa.array(range(0, len(sample), max(1, len(sample) // SAMPLED_TRACES))))
        ids, partition_numbers = (sample.column(i).to_pylist() for i in range(2))
        check.add(kind, ids, partition_numbers)
        if len(partitions) > 1:
            for partition in set(partition_numbers):
                own = [i for i, p in zip(ids, partition_numbers, strict=True) if p == partition]
                check.add_misplaced(join.count_in_other_partitions(own, partition))
        if check.broken:
            self._fail(KEYS, _KEYS.format(*self.topics.values()))
            return False
        return True

    def _fail(self, reason: str, detail: str) -> None:
        self.failed = True
        self.observer.labels_disabled(reason, detail)
